"""What the commands about alerts share: a desk over what is on record, a word that means alerts, and recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.demo import require_demo
from monitor.cli.options import activate_health, chosen_settings, fail, run_to_end
from monitor.errors import StartError
from store.bus_url import EMBEDDED

if TYPE_CHECKING:
    from monitor.health.desk import AlertDesk, DeskAlert
    from monitor.settings import Settings
    from store.event import Event
    from store.repository import EventRepository

By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who says so; default EVTOP_USER, or the login name."),
]
Comment = Annotated[str, typer.Option("--comment", "-c", help="Why, for those who come after.")]
CANDIDATES = 5
"""Alerts, or silences, that are named where a word means several."""


def read_desk(demo: bool, *, show_personal: bool = False) -> tuple[AlertDesk, datetime]:
    """The desk over what is on record, and the present."""
    return run_to_end(_read(chosen_settings(demo, show_personal=show_personal))), datetime.now(UTC)


def record(demo: bool, make: Callable[[AlertDesk, datetime], Sequence[Event]]) -> Sequence[Event]:
    """Record what `make` makes of desk and present, and announce it; what no event can hold ends the program."""
    settings = chosen_settings(demo)
    if demo:
        require_demo()
    # Without a console no one listens on the private bus: that is no fault to report.
    return run_to_end(_record(settings, make), warn=settings.bus != EMBEDDED)


def person(by: str | None) -> str:
    """Who says so: `by`, else as the environment has it."""
    from monitor.author import author

    if by is not None:
        return by
    try:
        return author()
    except StartError as error:
        fail(str(error))


def firing(desk: AlertDesk, now: datetime) -> list[DeskAlert]:
    """What fires by the record."""
    return [one for one in desk.show(desk.recorded(), now) if one.alert.resolved_at is None]


def meant(word: str, alerts: Sequence[DeskAlert]) -> list[DeskAlert]:
    """Those of `alerts` that `word` means: a fingerprint, a rule, or how one begins. None ends the program."""
    for exact in (
        [one for one in alerts if one.alert.fingerprint == word],
        [one for one in alerts if one.alert.rule == word],
    ):
        if exact:
            return exact
    found = [one for one in alerts if one.alert.fingerprint.startswith(word)]
    if len(found) != 1:
        refuse(word, [one.alert.fingerprint for one in found], "alert that fires", "alerts list --firing")
    return found


def refuse(word: str, candidates: Sequence[str], thing: str, command: str) -> None:
    """End the program: `word` means none of a kind, or several."""
    if not candidates:
        fail(f"no {thing} is meant by {word!r}; see evtop {command}")
    more = len(candidates) - CANDIDATES
    named = ", ".join(candidates[:CANDIDATES]) + (f" and {more} more" if more > 0 else "")
    fail(f"{word!r} may mean {named}")


async def _read(settings: Settings) -> AlertDesk:
    from monitor.backend import open_store

    async with await open_store(settings, announce=False, create=False) as store:
        return await _desk(settings, store.repository)


async def _record(
    settings: Settings, make: Callable[[AlertDesk, datetime], Sequence[Event]]
) -> Sequence[Event]:
    from pydantic import ValidationError

    from monitor.backend import open_store
    from store.wire import validation_reason

    async with await open_store(settings, create=False) as store:
        desk = await _desk(settings, store.repository)
        try:
            events = make(desk, datetime.now(UTC))
        except ValidationError as error:
            fail(validation_reason(error))
        return await store.create_many(events)


async def _desk(settings: Settings, repository: EventRepository) -> AlertDesk:
    from monitor.health.alerting import inhibitions_of
    from monitor.health.desk import AlertDesk
    from monitor.recorded_alerts import recorded_alerts
    from monitor.rules import chosen_rules, shipped_rules

    # What one alert mutes of others is said by the rules: the same as in the consoles here.
    activate_health(settings)
    desk = AlertDesk(inhibitions_of(chosen_rules(settings.rules) if settings.rules else shipped_rules()))
    async with aclosing(recorded_alerts(repository)) as batches:
        async for batch in batches:
            desk.apply(batch)
    return desk
