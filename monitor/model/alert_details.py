"""An alert in full: what is known of it, and how its rule went lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from monitor.health.alert_history import PastEpisode, response_times
from monitor.health.desk import DeskAlert
from monitor.zone import Zone, age, lasted

DAY = timedelta(days=1)
STRIP_CELLS = 48
"""Half an hour each."""


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
            ("over", f"{zone.full(alert.resolved_at)[:19]} {zone.sign(alert.resolved_at)}, after {length}")
        )
    if alert.resource is not None:
        facts.append(("resource", "/".join(filter(None, alert.resource))))
    facts += [(name, value) for name, value in alert.labels if name != "resource"]
    if alert.count:
        facts.append(("events", f"{alert.count:,}"))
    if one.acknowledged is not None:
        said = one.acknowledged
        why = f": {said.comment}" if said.comment else ""
        facts.append(("seen to", f"by {said.by} since {zone.clock(said.at)}{why}"))
    if one.silenced_by is not None:
        silence = one.silenced_by
        why = f": {silence.comment}" if silence.comment else ""
        facts.append(("silenced", f"by {silence.author} until {zone.clock(silence.ends)}{why}"))
    if one.inhibited_by is not None:
        facts.append(("follows", one.inhibited_by))
    if alert.runbook:
        facts.append(("runbook", alert.runbook))
    own = [episode for episode in history if episode.fingerprint == alert.fingerprint]
    facts.append(("last day", f"{fired_strip(own, now)}  {_times(own, now)}"))
    of_rule = response_times(episode for episode in history if episode.rule == alert.rule)
    for times in of_rule:
        seen_to = _mean(times.mean_to_acknowledge, "until someone sees to it")
        over = _mean(times.mean_to_resolve, "until it is over")
        facts.append(
            ("this rule", ", ".join(filter(None, (f"{times.episodes:,} times on record", seen_to, over))))
        )
    return facts


def fired_strip(episodes: Iterable[PastEpisode], now: datetime, cells: int = STRIP_CELLS) -> str:
    """The day before `now` from left to right: `█` where it fired, `·` where it did not."""
    width = DAY / cells
    fires = [False] * cells
    for episode in episodes:
        first = (episode.fired - (now - DAY)) / width
        last = cells - 1 if episode.resolved is None else (episode.resolved - (now - DAY)) / width
        for cell in range(max(0, int(first // 1)), min(cells - 1, int(last // 1)) + 1):
            fires[cell] = True
    return "".join("█" if fired else "·" for fired in fires)


def _times(episodes: Sequence[PastEpisode], now: datetime) -> str:
    times = sum(episode.resolved is None or episode.resolved >= now - DAY for episode in episodes)
    return f"fired {times} times" if times != 1 else "fired once"


def _mean(mean: timedelta | None, what: str) -> str:
    return "" if mean is None else f"{lasted(int(mean.total_seconds()))} {what}"
