"""Pictures of the alerts: what fires and who acknowledged it, what fired before, silences."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from textual.pilot import Pilot

from monitor.health import alert_events
from monitor.health.alerting import Alerting
from monitor.health.silences import Silence, silenced
from monitor.rules import shipped_rules
from store.event import Event
from store.query.parser import parse
from tests.events import make_event
from tests.snapshots.conftest import Drawn, at_every_size
from tests.snapshots.scenes import NOW, Scene
from tests.waiting import until


def health(number: int, component: str, status: str, minutes: float) -> Event:
    kind, _, identifier = component.partition("/")
    return make_event(
        number,
        event_type=f"{kind}.health_changed",
        resource_type=kind,
        resource_id=identifier,
        status=status,
        inserted_at=NOW - timedelta(minutes=minutes),
    )


def job(number: int, event_type: str, name: str, minutes: float) -> Event:
    moment = NOW - timedelta(minutes=minutes)
    return make_event(
        number, event_type=event_type, resource_type="job", resource_id=name, inserted_at=moment
    )


def happened() -> list[Event]:
    """Components, jobs and downloads, and what was made of their alerts since."""
    flapping = [
        health(20 + number, "download_client/seedbox", "up" if number % 2 else "down", 50 - 5 * number)
        for number in range(9)
    ]
    events = [
        health(1, "indexer/tidepool", "down", 12),
        health(2, "indexer/orchard", "degraded", 4),
        health(3, "indexer/\x1b[31m蓬莱 [b]", "down", 2),
        health(4, "indexer/gullnest", "down", 600),
        health(5, "indexer/gullnest", "up", 540),
        job(6, "job.failed", "backup", 33),
        job(7, "job.failed", "rss-sync", 90),
        job(8, "job.executed", "rss-sync", 60),
        *flapping,
    ]
    alerting = Alerting(shipped_rules())
    alerting.open(events, None, NOW)
    shown = {one.alert.title: one for one in alerting.shown(NOW)}
    seen_to = shown["indexer/tidepool is down"]
    silence = Silence(
        "a1b2c3d4",
        "@rule:job-failed",
        parse("@rule:job-failed"),
        "bram",
        "the disk is being changed",
        NOW - timedelta(minutes=30),
        NOW - timedelta(minutes=30),
        NOW + timedelta(minutes=90),
    )
    flapped = shown["download_client/seedbox is down"].alert
    episodes = [
        replace(
            flapped, since=NOW - timedelta(minutes=minutes), resolved_at=NOW - timedelta(minutes=minutes - 5)
        )
        for minutes in (50, 40, 30, 20)
    ]
    return [
        *events,
        *(alert_events.fired(episode, NOW) for episode in episodes),
        *(alert_events.resolved(episode, NOW) for episode in episodes),
        *(alert_events.fired(one.alert, NOW) for one in shown.values() if one.alert.state != "pending"),
        *(alert_events.resolved(one.alert, NOW) for one in shown.values() if one.alert.state == "resolved"),
        alert_events.acknowledged(
            seen_to.episode, "ana", "new disks are on their way", NOW - timedelta(minutes=9)
        ),
        silenced(silence),
    ]


async def remembered(scene: Scene, pilot: Pilot[None]) -> None:
    """Wait until what is on record was read."""
    await until(lambda: not scene.app.model.alerts.wants_record)
    await pilot.pause()


@at_every_size
def test_alerts_of_every_kind(drawn: Drawn) -> None:
    """At the top in red, with the cursor on it, what nobody acknowledged: a provider whose name is a harmless mess; the
    seedbox says how often it flapped. Dim: tidepool, which ana acknowledged, the backup, which is silenced, orchard,
    which is pending, and what is over, with a tick. Under the list what is known of the alert: since when, a strip of
    its last day, and how its rule went. From 90 columns on the rows name their rule.
    """
    assert drawn("A", act=remembered, events=happened)


@at_every_size
def test_an_alert_that_someone_sees_to(drawn: Drawn) -> None:
    """The cursor is on tidepool: the details say that ana acknowledged it, when and why."""
    assert drawn("A", "j", "j", act=remembered, events=happened)


@at_every_size
def test_alerts_before(drawn: Drawn) -> None:
    """Every time that something fired, the latest first: when, what, who acknowledged it, and how long it took."""
    assert drawn("A", "tab", act=remembered, events=happened)


@at_every_size
def test_silences(drawn: Drawn) -> None:
    """One silence: how long it lasts still, what it silences, who says so and why."""
    assert drawn("A", "tab", "tab", act=remembered, events=happened)


def test_how_long_to_silence(drawn: Drawn) -> None:
    """Asked at the lower edge, with two hours as a beginning."""
    assert drawn("A", "s", act=remembered, events=happened)
