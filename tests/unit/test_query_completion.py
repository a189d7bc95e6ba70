"""What is offered to someone who is typing a query."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.query import QueryError, parse
from store.query.completion import Seen, complete
from store.query.syntax import TIME_NAMES, Compare, Exists, Field, Op, Path

SEEN: Seen = {
    Field.TYPE: {"download.completed": 877, "download.failed": 31, "job.failed": 40},
    Field.CATEGORY: {"downloads": 900, "In Progress": 2},
    Field.STATUS: {"failed": 71, "in progress": 5, 'a"b': 1, "\x1b[31m": 1},
    Field.ACTOR: {"job:rss": 12, "user:42": 3},
    Path(("error", "code")): {"500": 4, "404": 9},
    Path(("error", "exit code")): {"in use": 1},
    Path(("tags",)): {"*": 7},
    Path(("a.b",)): {"true": 1},
}


def offered(text: str, cursor: int | None = None) -> list[str]:
    return [found.replacement for found in complete(text, len(text) if cursor is None else cursor, SEEN)]


@pytest.mark.parametrize(
    ("text", "replacements"),
    [
        ("", [f"{name}:" for name in (*Field, *TIME_NAMES)]),
        ("tracker (", [f"{name}:" for name in (*Field, *TIME_NAMES)]),
        ("res", ["resource:", "resource_type:", "resource_id:"]),
        ("a -SE", ["severity:"]),
        ("sin", ["since:"]),
        ("dow", ["type:download.completed", "type:download.failed", "category:downloads"]),
        ("fail", ["status:failed"]),
        ("type:", ["download.completed", "job.failed", "download.failed"]),
        ("event_type:FAIL", ["job.failed", "download.failed"]),
        ("-type:dow", ["download.completed", "download.failed"]),
        ("type!=dow", ["download.completed", "download.failed"]),
        ("type : job", ["job.failed"]),
        ("type:download.failed", []),
        ("type:download.failed,j", ["job.failed"]),
        ('status:"a b",fa', ["failed"]),
        ("status:in", ['"in progress"']),
        ('status:"in p', ['"in progress"']),
        (r'status:"a\"', [r'"a\"b"']),
        ("status:\x1b", [r'"\u{1b}[31m"']),
        ("category:prog", ['"In Progress"']),
        ("severity>=", ["error", "warning", "info"]),
        ("sev:w", ["warning"]),
        ("actor:", ["job:rss", "user:42", "user", "system", "job"]),
        ("actor:user", ["user:42"]),
        ("last:1", ["15m", "1h", "1d"]),
        ("since:-", ["-15m", "-1h", "-6h", "-1d"]),
        ("status>fa", []),
        ("nosuch:fa", []),
        ("status:/fa", []),
        ('"fa', []),
        ("@", ["@error.code:", "@tags:", '@error."exit code":', '@"a.b":']),
        ("-@error.co", ["@error.code:"]),
        ("@ERR", ["@error.code:", '@error."exit code":']),
        ('@error."ex', ['@error."exit code":']),
        ("@co", ["@error.code:"]),
        ('@"a', ['@"a.b":']),
        ("@error.code:", ["404", "500"]),
        ("@error.code>=5", ["500"]),
        ("@error.code:404,5", ["500"]),
        ('@error."exit code":i', ['"in use"']),
        ("@tags:", ["*"]),
        ("@nothing", []),
        ("@nothing:", []),
        (r'@"\x":', []),
        ("14:0", []),
    ],
)
def test_what_is_offered(text: str, replacements: list[str]) -> None:
    assert offered(text) == replacements


def test_what_is_typed_is_replaced_and_told_how_often_it_was_seen() -> None:
    (found,) = complete("a type:job.f b", 12, SEEN)
    assert found == ("job.failed", 7, 12, "40")
    assert offered("type:job.f", 7) == []
    assert offered("(type:job.f)", 11) == ["job.failed"]


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=3), st.text(min_size=1), st.integers(0, 3))
def test_a_place_and_its_value_that_are_taken_ask_for_that_value(
    keys: list[str], value: str, typed: int
) -> None:
    path = Path(tuple(keys))
    whole = complete("@", 1, {path: {value: 1}})[0].replacement
    for cut in (whole[:1], whole[: min(1 + typed, len(whole) - 1)]):
        text = f"a {cut}"
        assert {found.replacement for found in complete(text, len(text), {path: {value: 1}})} <= {whole}
    text = f"a {whole}"
    for found in complete(text, len(text), {path: {value: 1}}):
        try:
            tree = parse(text + found.replacement)
        except QueryError:
            assert not all(part.isprintable() for part in (*keys, value))
            continue
        wanted = Exists(path) if value == "*" else Compare(path, Op.EQ, value)
        assert wanted in getattr(tree, "operands", ())


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    st.sampled_from([Field.STATUS, Field.ACTOR_ID, Field.RESOURCE_TYPE]),
    st.text(min_size=1),
    st.integers(0, 3),
)
def test_a_value_that_is_taken_asks_for_that_value(field: Field, value: str, typed: int) -> None:
    text = f"a {field}:{value[:typed]}"
    for found in complete(text, len(text), {field: {value: 1}}):
        query = text[: found.start] + found.replacement
        try:
            tree = parse(query)
        except QueryError:
            # No event has such a value.
            assert not value.isprintable()
            continue
        assert Compare(field, Op.EQ, value) in getattr(tree, "operands", ())
