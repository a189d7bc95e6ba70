"""Times in UTC, in the local zone, or as an age: the same columns wherever they stand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from monitor.widgets.row_format import ELAPSED
from monitor.zone import Zone, age, lasted, short_age, since_zero
from monitor.zone_names import zone_named, zones_like
from tests.events import NOON

MOMENT = datetime(2026, 11, 21, 14, 5, 11, 482_713, tzinfo=UTC)


@pytest.fixture
def kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local zone 5:45 ahead of UTC."""
    monkeypatch.setenv("TZ", "NPT-5:45")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_zone_key_goes_round() -> None:
    assert [zone.next() for zone in Zone.USUAL] == [Zone.LOCAL, Zone.RELATIVE, Zone.UTC]
    berlin, tokyo = zone_named("Europe/Berlin"), zone_named("Asia/Tokyo")
    assert [zone.next(berlin) for zone in (*Zone.USUAL, berlin)] == [
        Zone.LOCAL,
        Zone.RELATIVE,
        berlin,
        Zone.UTC,
    ]
    # One that was left for another.
    assert berlin.next(tokyo) is Zone.UTC
    assert Zone.RELATIVE.next(Zone.LOCAL) is Zone.UTC


def test_a_named_zone_is_called_by_its_name_and_its_offset() -> None:
    summer = datetime(2026, 7, 1, 14, 5, tzinfo=UTC)
    berlin = zone_named("europe/berlin")
    assert (berlin.clock(MOMENT), berlin.clock(summer)) == ("15:05 Europe/Berlin", "16:05 Europe/Berlin")
    assert berlin.full(MOMENT) == "2026-11-21 15:05:11.482713 +01:00"
    assert berlin.full(summer) == "2026-07-01 16:05:00.000000 +02:00"
    assert berlin.stamp(MOMENT, MOMENT) == "15:05:11.482"
    assert zone_named("-09:30").clock(MOMENT) == "04:35 -09:30"
    assert berlin.full(MOMENT, exact=False) == "2026-11-21 15:05:11 +01:00"
    assert zone_named("-0930").full(MOMENT) == "2026-11-21 04:35:11.482713 -09:30"


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("utc", Zone.UTC),
        ("Z", Zone.UTC),
        ("+00:00", Zone.UTC),
        (" Local", Zone.LOCAL),
        ("ago", Zone.RELATIVE),
        ("relative", Zone.RELATIVE),
    ],
)
def test_the_usual_zones_have_names(text: str, zone: Zone) -> None:
    assert zone_named(text) is zone


def test_a_zone_that_is_none_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"^no zone; did you mean Europe/Berlin\?$"):
        zone_named("Europe/Berlim")


def test_what_is_typed_finds_zones_by_their_beginning_then_by_their_place() -> None:
    assert zones_like("berl") == ["Europe/Berlin"]
    assert zones_like("new y")[0] == "America/New_York"
    assert zones_like("Europe/B")[:2] == ["Europe/Belfast", "Europe/Belgrade"]
    assert zones_like("utc")[0] == "UTC"
    found = zones_like("to", limit=1000)
    assert found.index("Asia/Tokyo") < found.index("Europe/Stockholm")
    assert len(zones_like("a")) == 5
    assert not zones_like("")
    assert not zones_like("Mars")


def test_utc_is_written_as_such() -> None:
    assert Zone.UTC.clock(MOMENT) == "14:05 UTC"
    assert Zone.UTC.minute(MOMENT) == "14:05"
    assert Zone.UTC.second(MOMENT) == "14:05:11"
    assert Zone.UTC.full(MOMENT) == "2026-11-21 14:05:11.482713 UTC"
    assert Zone.UTC.full(MOMENT, exact=False) == "2026-11-21 14:05:11 UTC"
    assert Zone.UTC.stamp(MOMENT, MOMENT) == "14:05:11.482"


@pytest.mark.usefixtures("kathmandu")
def test_local_time_is_written_with_its_zone() -> None:
    assert Zone.LOCAL.clock(MOMENT) == "19:50 NPT"
    assert Zone.LOCAL.minute(MOMENT) == "19:50"
    assert Zone.LOCAL.second(MOMENT) == "19:50:11"
    assert Zone.LOCAL.full(MOMENT) == "2026-11-21 19:50:11.482713 NPT"
    assert Zone.LOCAL.stamp(MOMENT, MOMENT) == "19:50:11.482"


@pytest.mark.usefixtures("kathmandu")
def test_the_day_changes_at_midnight_of_the_zone_shown() -> None:
    before, after = datetime(2026, 11, 21, 18, 14, tzinfo=UTC), datetime(2026, 11, 21, 18, 16, tzinfo=UTC)
    assert Zone.LOCAL.stamp(before, after) == " 11-21 23:59"
    assert Zone.UTC.stamp(before, after) == "18:14:00.000"


@pytest.mark.parametrize(
    ("moment", "stamp"),
    [
        (NOON - timedelta(hours=12), "00:00:00.000"),
        (NOON - timedelta(hours=13), " 11-20 23:00"),
        (NOON + timedelta(days=1), " 11-22 12:00"),
        (datetime(2025, 12, 31, tzinfo=UTC), "2025-12-31  "),
        (datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01  "),
        (datetime(9998, 12, 31, tzinfo=UTC), "9998-12-31  "),
    ],
)
def test_a_stamp_is_twelve_cells_wide_on_any_day(moment: datetime, stamp: str) -> None:
    assert Zone.UTC.stamp(moment, NOON) == stamp
    assert len(stamp) == len(Zone.RELATIVE.stamp(moment, NOON)) == 12


def test_relative_times_are_ages_on_a_clock_of_utc() -> None:
    assert Zone.RELATIVE.stamp(NOON - timedelta(minutes=2), NOON) == "   2 min ago"
    assert Zone.RELATIVE.clock(MOMENT) == "14:05 UTC"
    assert Zone.RELATIVE.tzinfo is UTC


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (-5, "0 s", "0s"),
        (0.9, "0 s", "0s"),
        (9, "9 s", "9s"),
        (19, "10 s", "10s"),
        (59, "50 s", "50s"),
        (60, "1 min", "1m"),
        (119, "1 min", "1m"),
        (3599, "59 min", "59m"),
        (3600, "1 h", "1h"),
        (86_400, "24 h", "24h"),
        (2 * 86_400 - 1, "47 h", "47h"),
        (2 * 86_400, "2 d", "2d"),
        (9 * 86_400, "9 d", "9d"),
    ],
)
def test_an_age_has_one_unit(seconds: float, long: str, short: str) -> None:
    moment = NOON - timedelta(seconds=seconds)
    assert (age(moment, NOON), short_age(moment, NOON)) == (long, short)


def test_what_must_be_exact_is_told_in_seconds_up_to_a_minute() -> None:
    assert [lasted(seconds, is_exact=True) for seconds in (-1, 19, 59, 60)] == [
        "0 s",
        "19 s",
        "59 s",
        "1 min",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "T+00:00"),
        (271.9, "T+04:31"),
        (-10, "T-00:10"),
        (3_871, "T+1:04:31"),
        (-86_399, "T-23:59:59"),
        (86_400, "T+1d 00h"),
        (-364 * 86_400 - 7_200, "T-364d 02h"),
    ],
)
def test_times_since_an_incident_began_fit_their_column(seconds: float, text: str) -> None:
    assert since_zero(MOMENT + timedelta(seconds=seconds), MOMENT) == text
    assert len(text) <= ELAPSED
