"""`evtop counters`: what events count for their resources, flushed, checked against the events and put right."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    Demo,
    Output,
    TableOrJson,
    chosen_settings,
    run_to_end,
    write,
    write_json,
)
from monitor.cli.progress import Progress
from monitor.cli.subjects import Name, resource_named
from monitor.cli.table import table_lines

if TYPE_CHECKING:
    from monitor.settings import Settings
    from store.counters.check import Difference
    from store.counters.flush import Flushed
    from store.counters.repository import ResourceCounters, TopResource

DIFFERENT = 1
"""The exit status of `verify` when a counter is wrong."""
app = typer.Typer(
    name="counters",
    help="Views, likes and whatever else the taxonomy has events count: by resource.",
    no_args_is_help=True,
)


@app.command("show")
def show(name: Name, output: TableOrJson = Output.TEXT, demo: Demo = False) -> None:
    """Print the counters of a resource, every stored event included."""
    kind, identifier = resource_named(name)
    counters = run_to_end(_of(chosen_settings(demo), kind, identifier))
    if output is Output.JSON:
        write_json({"resource_type": kind, "resource_id": identifier, "counters": dict(counters.values)})
        return
    if not counters.values:
        write("nothing was counted")
    for counter, value in counters.values.items():
        write(f"{value:>12,}  {counter}")


@app.command("top")
def top(
    counter: Annotated[str, typer.Argument(help="A counter, as in views.")],
    resource_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Resources of this type alone.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    output: TableOrJson = Output.TEXT,
    demo: Demo = False,
) -> None:
    """Print the resources with the highest counter, as of the last flush."""
    found = run_to_end(_top(chosen_settings(demo), counter, resource_type, limit))
    if output is Output.JSON:
        for one in found:
            write_json(
                {"resource_type": one.resource_type, "resource_id": one.resource_id, counter: one.value}
            )
        return
    rows = [(f"{one.resource_type}/{one.resource_id}", f"{one.value:,}") for one in found]
    for line in table_lines(("resource", counter), rows, right=(1,)):
        write(line)


@app.command("flush")
def flush(demo: Demo = False) -> None:
    """Count what was recorded since the last flush. `evtop worker` does it every 5 minutes."""
    done = run_to_end(_flush(chosen_settings(demo)))
    write(f"{done.events:,} events counted, up to position {done.position:,}")


@app.command("verify")
def verify(output: TableOrJson = Output.TEXT, demo: Demo = False) -> None:
    """Hold all counters against the events; exit status 1 when one is wrong."""
    found = run_to_end(_check(chosen_settings(demo), rebuild=False))
    _write_differences(found, output)
    if found:
        raise typer.Exit(DIFFERENT)


@app.command("rebuild")
def rebuild(output: TableOrJson = Output.TEXT, demo: Demo = False) -> None:
    """Put right the counters that are not what the events say, one at a time, while others go on."""
    _write_differences(run_to_end(_check(chosen_settings(demo), rebuild=True)), output)


def _write_differences(found: Sequence[Difference], output: Output) -> None:
    if output is Output.JSON:
        for one in found:
            write_json(
                {
                    "resource_type": one.key.resource_type,
                    "resource_id": one.key.resource_id,
                    "counter": one.key.counter,
                    "found": one.found,
                    "expected": one.expected,
                    "pending": one.is_pending,
                }
            )
        return
    rows = [
        (
            f"{one.key.resource_type}/{one.key.resource_id}",
            one.key.counter,
            f"{one.found:,}",
            f"{one.expected:,}",
            "pending in Redis" if one.is_pending else "",
        )
        for one in found
    ]
    if not rows:
        write("all counters are what the events say")
        return
    for line in table_lines(("resource", "counter", "found", "expected", ""), rows, right=(2, 3)):
        write(line)


async def _of(settings: Settings, kind: str, identifier: str) -> ResourceCounters:
    from monitor.backend import open_store

    async with await open_store(settings, create=False) as store:
        return await store.counters.of(kind, identifier)


async def _top(settings: Settings, counter: str, resource_type: str | None, limit: int) -> list[TopResource]:
    from monitor.backend import open_store

    async with await open_store(settings, announce=False, create=False) as store:
        return await store.counters.top(counter, limit, resource_type)


async def _flush(settings: Settings) -> Flushed:
    from monitor.backend import open_store

    async with await open_store(settings, create=False) as store:
        return await store.counters.flush()


async def _check(settings: Settings, *, rebuild: bool) -> list[Difference]:
    from monitor.backend import open_store
    from store.counters.check import CounterCheck

    progress = Progress()
    found: list[Difference] = []
    async with await open_store(settings, create=False) as store:
        check = CounterCheck(store.database, store.counters.pending)
        read = check.differences(lambda done: progress.show(lambda: f"{done:,} events counted"))
        async with aclosing(read) as differences:
            async for difference in differences:
                found.append(difference)
                if rebuild:
                    await check.put_right(difference)
    progress.clear()
    return found
