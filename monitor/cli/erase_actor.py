"""`evtop erase-actor`: who an actor was, taken out of all that is stored."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.author import author
from monitor.cli.options import Demo, Output, chosen_settings, fail, run_to_end, say, write, write_json
from monitor.cli.progress import Progress
from monitor.errors import StartError
from monitor.settings import personal_places
from store.bus_url import EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.settings import Settings
    from store.erasure import Erased, Identity

STDIN = "-"
SOME_LEFT = 3
"""The exit status when something could not be changed, which stderr names."""
_LINE_MAX = 1000
_NAMES = {"dead_letters": "dead letters", "spooled": "spooled events", "snapshots": "snapshots, deleted"}


def erase_actor(
    who: Annotated[
        str, typer.Argument(metavar="TYPE:ID", help="As in user:42; - reads it from a line of stdin.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; it cannot be undone.")] = False,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Replace the id wherever it stands as a word, however short.")
    ] = False,
    spool: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="A folder with spools of this machine; may be repeated."),
    ] = None,
    compact: Annotated[
        bool | None,
        typer.Option("--compact/--no-compact", help="Write SQLite's file anew; by itself up to 256 MiB."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who does it; default EVTOP_USER, or the login name.")
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Plain text, or a JSON object.")
    ] = Output.TEXT,
    demo: Demo = False,
) -> None:
    """Take who an actor was out of events, dead letters, counters and spools; without --yes, say what there is.

    Its events stay and are counted as before, under a pseudonym that nothing leads back from. What stands at places of
    personal data in their metadata is taken out. An event actor.erased records it, with the pseudonym.

    What an application goes on recording about the actor comes in again. A run that was cut short is finished by the
    next one. Exit status 3 says that something could not be changed, with the reason on stderr.
    """
    from store.erasure import Identity

    settings = chosen_settings(demo)
    try:
        identity = Identity.read(sys.stdin.readline(_LINE_MAX).strip() if who == STDIN else who)
        name = by or author()
        places = personal_places()
    except (StartError, ValueError) as error:
        fail(str(error))
    try:
        erased = run_to_end(
            _erase(settings, identity, places, everywhere, tuple(spool or ()), name, compact, yes),
            warn=settings.bus != EMBEDDED,
        )
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    _tell(erased, identity, output, yes=yes)
    for line in erased.left:
        say(f"left: {line}")
    if erased.total and not everywhere and not identity.is_distinctive:
        say(
            "the id is short: it stays where it is a word in events of others; --everywhere takes it out there"
        )
    for line in erased.notes:
        say(line)
    raise typer.Exit(SOME_LEFT if erased.left else 0)


async def _erase(
    settings: Settings,
    identity: Identity,
    places: Sequence[str],
    everywhere: bool,
    spools: Sequence[Path],
    by: str,
    compact: bool | None,
    yes: bool,
) -> Erased:
    from monitor.backend import open_store
    from store.erasure import erase

    progress = Progress()
    async with await open_store(settings, announce=yes, create=False) as store:
        try:
            return await erase(
                store,
                identity,
                places=places,
                everywhere=everywhere,
                spools=spools,
                by=by,
                compact=compact,
                dry_run=not yes,
                progress=lambda number: progress.show(
                    lambda: f"{number:,} changed" if yes else f"{number:,} found"
                ),
            )
        finally:
            progress.clear()


def _tell(erased: Erased, identity: Identity, output: Output, *, yes: bool) -> None:
    name = None if erased.pseudonym is None else f"{identity.actor_type}:{erased.pseudonym}"
    if output is Output.JSON:
        write_json(
            {"dry_run": not yes, "pseudonym": name, "counts": dict(erased.counts), "left": list(erased.left)}
        )
        return
    for kind, number in erased.counts.items():
        if number:
            write(f"{number:>12,}  {_NAMES.get(kind, kind)}")
    if not erased.total:
        write("nothing is stored about this actor")
    elif name is not None:
        write(f"erased: it is {name} now")
    else:
        write("nothing was changed; --yes erases it, which cannot be undone")
