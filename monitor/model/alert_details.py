"""An alert in full: what is known of it, and how its rule went lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from monitor.health.alert_history import PastEpisode, response_times
from monitor.health.desk import DeskAlert
from monitor.health.engine import AlertState
from monitor.zone import Zone, age, lasted

DAY = timedelta(days=1)
STRIP_CELLS = 48
"""Half an hour each."""
Times = tuple[datetime, datetime | None]
"""From when to when it fired; None while it does."""


def alert_facts(
    one: DeskAlert, history: Sequence[PastEpisode], zone: Zone, now: datetime
) -> list[tuple[str, str]]:
    """What is known of an alert, as (name, raw text), of which there is nothing where nothing is known."""
    alert, zone = one.alert, zone.absolute
    facts = [
        ("rule", f"{alert.rule}, {alert.severity}"),
        ("since", f"{zone.full(one.since)[:19]} {zone.sign(one.since)}, {age(one.since, now)} ago"),
    ]
    if alert.resolved_at is not None:
        length = lasted(int((alert.resolved_at - one.since).total_seconds()))
        facts.append(
            (
                "resolved",
                f"{zone.full(alert.resolved_at)[:19]} {zone.sign(alert.resolved_at)}, after {length}",
            )
        )
    if alert.resource is not None:
        facts.append(("resource", "/".join(filter(None, alert.resource))))
    facts += [(name, value) for name, value in alert.shown_labels if "resource" not in name]
    if alert.count:
        facts.append(("events", f"{alert.count:,}"))
    if one.acknowledged is not None:
        said = one.acknowledged
        why = f": {said.comment}" if said.comment else ""
        facts.append(("acked", f"by {said.by} since {_moment(said.at, zone, now)}{why}"))
    if one.silenced_by is not None:
        silence = one.silenced_by
        why = f": {silence.comment}" if silence.comment else ""
        facts.append(("silenced", f"by {silence.author} until {_moment(silence.ends, zone, now)}{why}"))
    if one.inhibited_by is not None:
        facts.append(("muted by", one.inhibited_by))
    if alert.runbook:
        facts.append(("runbook", alert.runbook))
    own = [
        (episode.fired, episode.resolved) for episode in history if episode.fingerprint == alert.fingerprint
    ]
    if alert.state is not AlertState.PENDING and all(fired != one.since for fired, _ in own):
        # It may not be on record yet, or never.
        own.append((one.since, alert.resolved_at))
    facts.append(("last day", f"{fired_strip(own, now)}  {_times(own, now)}"))
    of_rule = response_times(episode for episode in history if episode.rule == alert.rule)
    for times in of_rule:
        acked = _mean(times.mean_to_acknowledge, "to acknowledge")
        resolved = _mean(times.mean_to_resolve, "to resolve")
        facts.append(("this rule", ", ".join(filter(None, (_often(times.episodes), acked, resolved)))))
    return facts


def fired_strip(episodes: Iterable[Times], now: datetime, cells: int = STRIP_CELLS) -> str:
    """The day before `now` from left to right: `█` where it fired, `·` where it did not."""
    width = DAY / cells
    fires = [False] * cells
    for fired, over in episodes:
        first = (fired - (now - DAY)) / width
        last = cells - 1 if over is None else (over - (now - DAY)) / width
        for cell in range(max(0, int(first // 1)), min(cells - 1, int(last // 1)) + 1):
            fires[cell] = True
    return "".join("█" if fired else "·" for fired in fires)


def _moment(moment: datetime, zone: Zone, now: datetime) -> str:
    """A time of today by its clock, another one with its date."""
    local, today = moment.astimezone(zone.tzinfo), now.astimezone(zone.tzinfo)
    return zone.clock(moment) if local.date() == today.date() else f"{local:%m-%d} {zone.clock(moment)}"


def _times(episodes: Sequence[Times], now: datetime) -> str:
    times = sum(over is None or over >= now - DAY for _, over in episodes)
    return f"fired {_often(times)}"


def _often(times: int) -> str:
    return "once" if times == 1 else f"{times:,} times"


def _mean(mean: timedelta | None, what: str) -> str:
    return "" if mean is None else f"{lasted(int(mean.total_seconds()))} {what}"
