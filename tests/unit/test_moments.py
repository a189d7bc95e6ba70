"""Places of the timeline as an operator types them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from monitor.model.moments import ADVICE, parse_place

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
EAST = timezone(timedelta(hours=5, minutes=45))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("14:05", datetime(2026, 11, 21, 14, 5, tzinfo=UTC)),
        ("14:05:11", datetime(2026, 11, 21, 14, 5, 11, tzinfo=UTC)),
        ("14:30", NOW),
        ("14:31", datetime(2026, 11, 20, 14, 31, tzinfo=UTC)),
        (" 9:00 ", datetime(2026, 11, 21, 9, tzinfo=UTC)),
        ("-2h", NOW - timedelta(hours=2)),
        ("15m", NOW - timedelta(minutes=15)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T14:05+02:00", datetime(2026, 11, 20, 12, 5, tzinfo=UTC)),
    ],
)
def test_places(text: str, moment: datetime) -> None:
    assert parse_place(text, NOW, UTC) == moment


def test_a_time_of_day_is_in_the_zone_that_is_shown() -> None:
    assert parse_place("20:00", NOW, EAST) == datetime(2026, 11, 21, 14, 15, tzinfo=UTC)
    assert parse_place("20:30", NOW, EAST) == datetime(2026, 11, 20, 14, 45, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "noon", "25:00", "14:60", "14", "-", "2026-13-01", "99999999d"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match=ADVICE):
        parse_place(text, NOW, UTC)
