"""`evtop prune`: events that are older than they are to be kept, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import Demo, Output, chosen_settings, fail, run_to_end, say, write, write_json
from monitor.errors import StartError
from monitor.settings import retention_days

if TYPE_CHECKING:
    from monitor.settings import Settings
    from store.events import EventStore
    from store.retention import Pruned, RetentionPolicy

CATEGORIES_MAX = 10_000


def prune(
    days: Annotated[
        float | None,
        typer.Option(help="How long events and dead letters are kept; default EVTOP_RETENTION_DAYS, or 90."),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DAYS", help="How long events of a category are; may be repeated."),
    ] = None,
    rollup_days: Annotated[
        float | None, typer.Option(help="How long counts are, no shorter than events; default for ever.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted.")] = False,
    trust_clock: Annotated[
        bool, typer.Option("--trust-clock", help="Delete although this machine's clock seems to be wrong.")
    ] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Plain text, or a JSON object.")
    ] = Output.TEXT,
    demo: Demo = False,
) -> None:
    """Delete old events, a few at a time, and say how many of each category.

    Histograms and trends stay: what was deleted is still counted. DAYS is a number above 0, or inf for ever.

    A store in which nothing has happened for more than a day is taken for one whose machine has a wrong clock: then
    age is counted from a day after its newest event, and what that keeps is said.
    """
    settings = chosen_settings(demo)
    policy = _policy(days, category or (), rollup_days)
    # What it warns of is in its result, too.
    pruned = run_to_end(_prune(settings, policy, dry_run, trust_clock), warn=False)
    if output is Output.JSON:
        write_json(
            {
                "dry_run": dry_run,
                "events": pruned.events,
                "deleted": dict(pruned.deleted),
                "dead_letters": pruned.dead_letters,
                "rollup_cells": pruned.rollup_cells,
                "partitions": list(pruned.partitions),
                "kept_back": pruned.kept_back,
                "clock_note": pruned.clock_note,
                "notes": list(pruned.notes),
            }
        )
        return
    for line in _lines(pruned, dry_run):
        write(line)
    if pruned.clock_note is not None:
        advice = "; --trust-clock deletes them all the same" if pruned.kept_back else ""
        say(f"{pruned.clock_note}{advice}")
    for note in pruned.notes:
        say(note)


async def _prune(settings: Settings, policy: RetentionPolicy, dry_run: bool, trust_clock: bool) -> Pruned:
    from monitor.backend import open_store
    from store.retention import prune

    async with await open_store(settings, announce=False, create=False) as store:
        await _refuse_misspelt(store, policy)
        return await prune(store.database, policy, dry_run=dry_run, trust_clock=trust_clock)


async def _refuse_misspelt(store: EventStore, policy: RetentionPolicy) -> None:
    """Refuse a category that is not known and nearly one that is: its events would go with all the others.

    Raises:
        StartError: with the category that was probably meant.
    """
    from store.event_counts import Facet
    from store.taxonomy import active, nearest

    known = {active()[name].category for name in active()}
    for category in policy.by_category:
        if category in known:
            continue
        # Asked only now, for a store may be large.
        known |= {name for name, _ in await store.facets(Facet.CATEGORY, limit=CATEGORIES_MAX) if name}
        meant = None if category in known else nearest(category, tuple(known))
        if meant is not None:
            raise StartError(f"--category: there is no category {category!r}; did you mean {meant!r}?")


def _policy(days: float | None, categories: Sequence[str], rollup_days: float | None) -> RetentionPolicy:
    from store.retention import RetentionPolicy

    try:
        kept = retention_days() if days is None else days
        return RetentionPolicy(kept, _by_category(categories), rollup_days, dead_letter_days=kept)
    except (StartError, ValueError) as error:
        fail(str(error))


def _by_category(texts: Sequence[str]) -> dict[str, float]:
    days_of: dict[str, float] = {}
    for text in texts:
        name, _, days = text.rpartition("=")
        if name in days_of:
            raise ValueError("--category: each may be given once")
        try:
            days_of[name] = float(days)
        except ValueError:
            raise ValueError("--category: write it like downloads=30") from None
    return days_of


def _lines(pruned: Pruned, dry_run: bool) -> list[str]:
    """What was deleted, or would be: a line a category, then the sum."""
    lines = [f"{number:>12,}  {category}" for category, number in sorted(pruned.deleted.items())]
    sums = f"{pruned.events:,} events, {pruned.dead_letters:,} dead letters, {pruned.rollup_cells:,} counts"
    lines.append(f"{sums} {'would be ' if dry_run else ''}deleted")
    if pruned.partitions:
        lines.append(f"partitions {'to be ' if dry_run else ''}dropped: {', '.join(pruned.partitions)}")
    return lines
