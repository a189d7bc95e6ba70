"""The last column of the timeline: what an event says, in one phrase."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.model.summary import summarise
from tests.events import make_event


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        ({}, ""),
        ({"metadata": {"error": "timed out", "title": "Dune"}}, "timed out · Dune"),
        ({"metadata": {"message": "m", "error": "e"}}, "e"),
        ({"metadata": {"reason": "", "detail": 7}}, "7"),
        ({"metadata": {"error": True, "message": ["x"], "reason": None, "summary": "s"}}, "s"),
        ({"status": "down"}, "down"),
        ({"status": "down", "metadata": {"previous_status": "up"}}, "up → down"),
        ({"status": "down", "metadata": {"from": "up", "reason": "no answer"}}, "up → down · no answer"),
        ({"metadata": {"previous": "up"}}, "previous=up"),
        ({"status": "failed", "event_type": "download.failed", "metadata": {"name": "x"}}, "x"),
        ({"status": "stalled", "metadata": {"name": "x"}}, "stalled · x"),
        ({"secondary_resource_type": "episode", "secondary_resource_id": "s1"}, "episode/s1"),
        ({"metadata": {"a": 1, "b": {"x": 1}, "c": [1], "d": None, "e": 5}}, "a=1 · b={…} · c=[…] · d=None"),
        ({"metadata": {"title": "\x1b[2J[/b]"}}, "\x1b[2J[/b]"),
    ],
)
def test_an_event_says_its_message_its_change_or_its_name(fields: dict[str, Any], phrase: str) -> None:
    assert summarise(make_event(**fields)) == phrase
