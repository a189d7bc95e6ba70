"""`evtop dead-letters`: events that could not be stored."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from monitor.ascii_json import ascii_json
from monitor.cli.options import (
    Demo,
    Output,
    ShowPersonal,
    chosen_settings,
    fail,
    run_to_end,
    say,
    write,
    write_json,
)
from monitor.masking import shown_text
from store.bus_url import EMBEDDED

if TYPE_CHECKING:
    from monitor.settings import Settings
    from store.dead_letters import DeadLetter, DeadLetterRepository
    from store.retrying import Retried

SOME_STAY = 3
"""The exit status of a retry when letters were refused again."""
PAGE = 100
"""Letters in memory at a time: each may be large."""
NUMBER_MAX = 2**63 - 1

app = typer.Typer(
    help="Events that could not be stored: look at them, try them again, throw them away.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Numbers = Annotated[
    list[int] | None,
    typer.Argument(min=1, max=NUMBER_MAX, metavar="NUMBER...", help="Which ones."),
]
Result = TypeVar("Result")
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@app.command("list")
def list_letters(
    limit: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=1_000_000, help="How many at most.")
    ] = 100,
    after: Annotated[
        int, typer.Option(min=0, max=NUMBER_MAX, metavar="NUMBER", help="Begin after this one.")
    ] = 0,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Plain text, or a JSON object a line.")
    ] = Output.TEXT,
    show_personal: ShowPersonal = False,
    demo: Demo = False,
) -> None:
    """Print dead letters, oldest first: number, time, event type, reason, producer."""

    async def work(letters: DeadLetterRepository) -> None:
        left, last = limit, after
        async with aclosing(_after(letters, after, limit)) as found:
            async for letter in found:
                _print(letter, output)
                left, last = left - 1, letter.id or last
        if not left and await letters.oldest(1, last):
            say(f"there are more; --after {last} goes on")

    run_to_end(_with_letters(chosen_settings(demo, show_personal=show_personal), work))


@app.command()
def show(
    number: Annotated[int, typer.Argument(min=1, max=NUMBER_MAX, help="Which one.")],
    show_personal: ShowPersonal = False,
    demo: Demo = False,
) -> None:
    """Print what a dead letter holds: what was to be recorded, as JSON in one line."""

    async def work(letters: DeadLetterRepository) -> DeadLetter | None:
        return await _letter(letters, number)

    letter = run_to_end(_with_letters(chosen_settings(demo, show_personal=show_personal), work))
    if letter is None:
        fail(f"there is no dead letter {number}")
    print(ascii_json(shown_text(letter.payload)))  # noqa: T201


@app.command()
def retry(numbers: Numbers = None, everything: All = False, demo: Demo = False) -> None:
    """Try dead letters again: what is admitted now is stored, announced and no longer a dead letter.

    Exit status 3 says that some were refused again, each with its reason on stderr.
    """
    _require_choice(numbers, everything)
    settings = chosen_settings(demo)
    retried, missing = run_to_end(_retry(settings, numbers), warn=settings.bus != EMBEDDED)
    for number, reason in retried.kept:
        say(f"dead letter {number}: {reason}")
    _say_missing(missing)
    write(
        f"{retried.stored:,} stored, {retried.duplicates:,} stored before, {len(retried.kept):,} refused again"
    )
    if missing:
        raise typer.Exit(1)
    raise typer.Exit(SOME_STAY if retried.kept else 0)


@app.command()
def discard(numbers: Numbers = None, everything: All = False, demo: Demo = False) -> None:
    """Throw dead letters away."""
    _require_choice(numbers, everything)

    async def work(letters: DeadLetterRepository) -> tuple[int, list[int]]:
        if numbers:
            missing = [number for number in dict.fromkeys(numbers) if await _letter(letters, number) is None]
            return await letters.remove(list(dict.fromkeys(numbers))), missing
        removed = 0
        while page := await letters.oldest(PAGE):
            removed += await letters.remove([letter.id for letter in page if letter.id is not None])
        return removed, []

    removed, missing = run_to_end(_with_letters(chosen_settings(demo), work))
    _say_missing(missing)
    write(f"{removed:,} discarded")
    raise typer.Exit(1 if missing else 0)


async def _with_letters(
    settings: Settings, work: Callable[[DeadLetterRepository], Awaitable[Result]]
) -> Result:
    from monitor.backend import open_store

    async with await open_store(settings, announce=False, create=False) as store:
        return await work(store.dead_letters)


async def _retry(settings: Settings, numbers: Sequence[int] | None) -> tuple[Retried, list[int]]:
    from monitor.backend import open_store
    from store.retrying import Retried, retry

    retried = Retried()
    missing: list[int] = []
    async with await open_store(settings, create=False) as store:
        if numbers:
            for number in dict.fromkeys(numbers):
                letter = await _letter(store.dead_letters, number)
                if letter is None:
                    missing.append(number)
                else:
                    retried.add(await retry(store, [letter]))
            return retried, missing
        last = 0
        while page := await store.dead_letters.oldest(PAGE, last):
            last = page[-1].id or last
            retried.add(await retry(store, page))
    return retried, missing


async def _after(letters: DeadLetterRepository, number: int, limit: int) -> AsyncGenerator[DeadLetter]:
    """Up to `limit` letters with a higher number than `number`, a page at a time."""
    while limit and (page := await letters.oldest(min(limit, PAGE), number)):
        for letter in page:
            yield letter
        limit, number = limit - len(page), page[-1].id or number


async def _letter(letters: DeadLetterRepository, number: int) -> DeadLetter | None:
    return next((letter for letter in await letters.oldest(1, number - 1) if letter.id == number), None)


def _print(letter: DeadLetter, output: Output) -> None:
    if output is Output.JSON:
        write_json(
            {
                "number": letter.id,
                "failed_at": letter.failed_at,
                "event_id": letter.event_id,
                "event_type": letter.event_type,
                "reason": letter.reason,
                "producer": letter.producer,
                "payload": shown_text(letter.payload),
            }
        )
        return
    failed_at = "-"
    if letter.failed_at is not None:
        failed_at = letter.failed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    write(
        f"{letter.id}  {failed_at}  {letter.event_type or '-'}  {letter.reason}"
        + (f"  ({letter.producer})" if letter.producer else "")
    )


def _require_choice(numbers: Sequence[int] | None, everything: bool) -> None:
    if bool(numbers) == everything:
        fail("say which: the numbers that `evtop dead-letters list` prints, or --all")


def _say_missing(missing: Sequence[int]) -> None:
    for number in missing:
        say(f"there is no dead letter {number}")
