"""`evtop worker`: does what is to be done again and again, beside the consoles."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.ending import tidy_end
from monitor.cli.options import Demo, activate_health, chosen_settings, fail, run_to_end, say
from monitor.errors import StartError
from monitor.settings import RULES_VARIABLE, retention_days
from monitor.worker.registry import JOBS, Job, job_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.health.rule import Rule
    from monitor.notify.chosen import Telling
    from monitor.settings import Settings

HELD = 3
"""The exit status of a job that is being run by another worker."""


def worker(
    once: Annotated[
        str | None,
        typer.Option(
            "--once",
            metavar="JOB",
            help=f"Run one job now, and end: {', '.join(job.name for job in JOBS)}. For cron.",
        ),
    ] = None,
    metrics: Annotated[
        int | None,
        typer.Option(
            "--metrics",
            metavar="PORT",
            min=0,
            max=65535,
            help="Show figures for Prometheus on this port of 127.0.0.1; 0 takes a free one.",
        ),
    ] = None,
    demo: Demo = False,
) -> None:
    """Run scheduled jobs until ended: counters, figures, retention, and alerts, of which people are told.

    Any number of workers may share a store: each job is run by one of them, and by another one when that is killed. A
    line on stderr tells of each run.

    Exit status of --once: 0 when the job went well, 1 when it failed, 3 when another worker is running it.
    """
    settings = chosen_settings(demo)
    activate_health(settings)
    job = None if once is None else _job(once)
    if job is not None and metrics is not None:
        fail("--metrics is for a worker that goes on, not for --once")
    try:
        retention_days()
        rules, telling = _rules(settings), _telling()
    except StartError as error:
        fail(str(error))
    raise typer.Exit(run_to_end(_run(settings, rules, telling, job, metrics)))


def _job(name: str) -> Job:
    job = job_named(name)
    if job is None:
        fail(f"--once: there is no job {name!r}; there are {', '.join(job.name for job in JOBS)}")
    return job


def _rules(settings: Settings) -> Sequence[Rule]:
    from monitor.rules import chosen_rules, shipped_rules

    if settings.rules is None:
        return shipped_rules()
    try:
        return chosen_rules(settings.rules)
    except StartError as error:
        raise StartError(f"{RULES_VARIABLE} {error}") from None


def _telling() -> Telling:
    """By which ways people are told; bell, notification and title of a terminal are for consoles."""
    from dataclasses import replace

    from monitor.notify.chosen import chosen_telling

    return replace(chosen_telling(), terminal=frozenset())


async def _run(
    settings: Settings, rules: Sequence[Rule], telling: Telling, job: Job | None, port: int | None
) -> int:
    import asyncio

    from monitor.backend import open_backend
    from monitor.worker.figures import Figures
    from monitor.worker.run import Outcome, RunEnd
    from monitor.worker.worker import Worker
    from store.leases import Leases
    from store.probe import try_writing

    backend = await open_backend(settings)
    try:
        with tidy_end(), ExitStack() as open_for_now:
            database = backend.store.database
            # Said now, not when the first job is due.
            await try_writing(database)
            leases, figures = Leases(database), Figures()
            working = Worker(settings, backend, leases, rules, telling, say, figures)
            if job is None:
                if port is not None:
                    from monitor.worker.exposition import WorkerCollector, served

                    collector = WorkerCollector(figures, leases, database, asyncio.get_running_loop())
                    bound = open_for_now.enter_context(served(collector, port))
                    say(f"figures on http://127.0.0.1:{bound}/metrics")
                say(f"worker {leases.holder}: {', '.join(job.name for job in JOBS)}")
                await working.run()
            else:
                end = await working.run_once(job)
                if not isinstance(end, RunEnd):
                    holder = "another worker" if end is None else end.holder or "another worker"
                    say(f"{job.name}: not run, {holder} is at it")
                    return HELD
                return 0 if end.outcome is Outcome.DONE else 1
    finally:
        await backend.close()
    return 0
