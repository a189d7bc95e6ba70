"""The moments that commands are given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.cli.times import parse_moment

NOW = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        (" 2h ", timedelta(hours=2)),
        ("3d ago", timedelta(days=3)),
        ("1 w", timedelta(weeks=1)),
        ("0s", timedelta(0)),
        ("007m", timedelta(minutes=7)),
        ("-5m", timedelta(minutes=5)),
        ("12:59", timedelta(seconds=60.25)),
        ("13:00", timedelta(seconds=0.25)),
        ("13:00:00.250", timedelta(0)),
        ("13:01", timedelta(hours=23, minutes=59, seconds=0.25)),
        ("9:30", timedelta(hours=3, minutes=30, seconds=0.25)),
        ("11:00Z", timedelta(hours=1, seconds=0.25)),
        ("11:00-02:00", timedelta(hours=23, seconds=0.25)),
    ],
)
def test_how_long_ago(text: str, back: timedelta) -> None:
    assert parse_moment(text, NOW, BERLIN) == NOW - back


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21", datetime(2026, 11, 20, 23, tzinfo=UTC)),
        ("2026-07-21T14:05", datetime(2026, 7, 21, 12, 5, tzinfo=UTC)),
        ("2026-11-21 14:05:30", datetime(2026, 11, 21, 13, 5, 30, tzinfo=UTC)),
        ("2026-11-21T14:05:30.5Z", datetime(2026, 11, 21, 14, 5, 30, 500_000, tzinfo=UTC)),
        ("2026-11-21T14:05+02:00", datetime(2026, 11, 21, 12, 5, tzinfo=UTC)),
        ("20261121T140530Z", datetime(2026, 11, 21, 14, 5, 30, tzinfo=UTC)),
        # The hour that the clock goes through twice: the first time is meant.
        ("2026-10-25T02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_iso_8601_in_the_zone_where_it_names_none(text: str, moment: datetime) -> None:
    parsed = parse_moment(text, NOW, BERLIN)
    assert parsed == moment
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "5", "m", "--5m", "5 parsecs", "1h30m", "1.5h", "٣d", "5M", "ago", "999999999w"),
        *(
            "2026-13-01",
            "24:05",
            "14:60",
            "1405",
            "yesterday",
            "0001-01-01T00:00+14:00",
            "9" * 5000,
            "\x1b[2J",
            "\x00",
        ),
    ],
)
def test_what_is_no_moment_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="no moment; write it like") as caught:
        parse_moment(text, NOW, BERLIN)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 130


def test_without_a_zone_the_local_one_is_meant() -> None:
    local = datetime(2026, 11, 21, 14, 5).astimezone()
    assert parse_moment("2026-11-21T14:05", NOW) == local
