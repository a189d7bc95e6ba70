"""What is told of lines that were no events."""

from __future__ import annotations

from monitor.model.arrivals import Refusal
from monitor.model.refusals import reasons, suggested_mapping


def refused(content: bytes, reason: str = "no", size: int | None = None) -> Refusal:
    return Refusal(content, len(content) if size is None else size, reason)


def test_reasons_are_counted() -> None:
    assert reasons([refused(b"", "a"), refused(b"", "b"), refused(b"", "b")]) == [("b", 2), ("a", 1)]


def test_the_places_of_the_first_line_that_is_an_object_are_told() -> None:
    lines = [b"\xff", b"[1]", b"{}", b'{"a b":1,"ctx":{"host":"x","deep":{}},"msg":"m"}', b'{"z":1}']
    assert suggested_mapping(map(refused, lines)) == (
        ('"a b"', "ctx.host", "ctx.deep", "msg"),
        "event_type = '\"a b\"'",
    )
    assert suggested_mapping([refused(b"nothing")]) is None
    # Of a long line there is only the beginning.
    assert suggested_mapping([refused(b'{"msg":"a","more":"bc', size=5000)]) == (
        ("msg",),
        "event_type = 'msg'",
    )
