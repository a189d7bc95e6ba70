"""What a query matches, asked of one event at a time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

import store.query.predicate
from store.event import Event, Severity, search_text
from store.query import QueryError, compile_predicate, parse
from store.query.syntax import Compare, Field, Node, Not, Op, Or, Path, Text

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
FAILED = Event(
    id=ID,
    event_type="download.failed",
    category="downloads",
    actor_type="user",  # pyright: ignore[reportArgumentType]
    actor_id="42",
    resource_type="download",
    resource_id="9f3a",
    secondary_resource_type="series",
    secondary_resource_id="s/18:8",
    status="Tracker [1] straße*",
    severity="error",  # pyright: ignore[reportArgumentType]
    metadata={"reason": "Timed OUT", "tries": 3, "hosts": ["nyaa.SI"]},
)
BARE = Event(event_type="job.executed", category="system", severity=None)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "failed",
        "DOWNLOAD.F",
        '"timed out"',
        "nyaa.si tries",
        "STRASSE",
        "strasse straße STRAẞE",
        "type:download.failed",
        "type:download.*",
        "type:*.failed",
        "type:d*d.f*d",
        "-type:download.fail",
        "-type:download.failed*d",
        "category:system,downloads",
        "severity:error severity>=warning severity>info severity<=error",
        "-severity<error",
        "status:Tracker*",
        "-status:tracker*",
        "status:*[1]*",
        'status:"Tracker [1] straße*"',
        '-status:"Tracker [1]"*"]"',
        "status~tracker",
        "status~STRASSE",
        "status~[1]",
        "actor:user actor:user:42 actor:user/42 actor:user:4*",
        "actor_id:42",
        "-actor:system -actor:user:4",
        "actor~user:4 actor~r/42 actor~4",
        "resource:download/9f3a resource:download:9f3a resource:download resource:d*",
        "resource:series/s/18:8",
        "resource:series/s*8 resource:series",
        "-resource:download/s/18:8",
        "-resource:series/9f3a",
        "resource~D/9F3 resource~s:s/18 -resource~9f3as",
        "resource_type:series resource_type:download resource_id:9f3a",
        f"id:{ID} id:01890a5d-* id~AC96-774B",
        "status:* actor:* resource:* severity:* id:*",
        "/timed.out/ /^timed OUT$/ /^5?nyaa.si$/ /straß|strass/ -/^out/ -/done/",
        "type:/F.*D$/ status:/straSSe|STRAß/ status=~^tracker -status:/(?-i)^tracker/",
        "actor:/^user:4[12]$/ resource:/^download.9f/ resource:/^series.s.18:8$/ -actor:/user.42.1/",
        "severity:/err/ id:/^[0-9a-f-]{36}$/ resource_id:/^9/ @reason:/d o/ -@tries:/3/ -@nothing:/./",
        "unheard-of OR (type:download.failed AND NOT nothing)",
        "*",
    ],
)
def test_the_failed_download_matches(query: str) -> None:
    assert compile_predicate(parse(query))(FAILED)
    assert not compile_predicate(Not(parse(query)))(FAILED)


@pytest.mark.parametrize(
    "query",
    [
        "actor_id:42",
        "actor_id:*",
        "actor:system:*",
        "resource:*",
        "resource:download",
        "resource:*/*",
        "resource_type:*",
        "resource~download",
        "status:failed",
        "status~failed",
        "status:f*",
        'status~""',
        "severity:info",
        "severity>=info",
        "severity<=error",
        "severity:*",
    ],
)
def test_a_missing_field_matches_no_comparison_and_every_negation_of_one(query: str) -> None:
    assert not compile_predicate(parse(query))(BARE)
    assert compile_predicate(parse(f"-({query})"))(BARE)


@pytest.mark.parametrize(
    ("query", "matching"),
    [
        ("severity<info", []),
        ("severity<=info", ["info"]),
        ("severity<error", ["info", "warning"]),
        ("severity<=warning", ["info", "warning"]),
        ("severity>info", ["warning", "error"]),
        ("severity>=warning", ["warning", "error"]),
        ("severity>=info", ["info", "warning", "error"]),
        ("severity>error", []),
        ("severity!=warning", ["info", "error", None]),
        ("-severity>=warning", ["info", None]),
    ],
)
def test_severity_is_ordered_and_its_absence_is_below_nothing(query: str, matching: list[str | None]) -> None:
    matches = compile_predicate(parse(query))
    events = [Event(event_type="a.b", severity=severity) for severity in (*Severity, None)]
    assert [event.severity for event in events if matches(event)] == matching


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a*", ["a", "ab", "a\nb"], ["A", "ba"]),
        ("*a", ["a", "ba"], ["ab"]),
        ("ab*ba", ["abba", "ab-ba"], ["aba"]),
        ("a*a*a", ["aaa", "abaca"], ["aa", "aab"]),
        ("*aab*", ["aaab", "xaabx"], ["abab"]),
        ("a*b*ab", ["abab", "a-b-ab"], ["aab", "ab"]),
        ("*ab*b", ["abb", "xab-b"], ["ab"]),
        ("**", ["a"], []),
        ("a?[b]*", ["a?[b]", "a?[b]c"], ["axb", "a?b"]),
    ],
)
def test_a_star_stands_for_any_text_and_nothing_else_is_special(
    pattern: str, matching: list[str], other: list[str]
) -> None:
    matches = compile_predicate(Compare(Field.STATUS, Op.GLOB, pattern))
    events = {text: Event(event_type="a.b", status=text) for text in [*matching, *other]}
    assert [text for text, event in events.items() if matches(event)] == matching


NESTED = {
    "error": {"code": 5, "Code": "five", "nul": None, "": 0.1, "deep": {"er": [1, {"x": 1}]}},
    "text": "5",
    "yes": True,
    "no": False,
    "big": 2**53 + 1,
    "tiny": 5e-324,
    "size": 1e23,
    "label": "Straße",
}


@pytest.mark.parametrize(
    "query",
    [
        "@error.code:5 @error.code:5.0 @error.code:5e0 @error.code:50e-1",
        "@error.code>4.9 @error.code>=5 @error.code<=5 @error.code<5.1",
        "@text:5 -@text:5.0 -@text>4",
        "@error.Code:five -@error.Code:FIVE @error.Code~FIV @error.Code:f*e",
        "@yes:true @no:false -@yes:1 -@no:0 -@yes>0 -@yes:tr* -@yes~true",
        '@error.nul:null @error.nul:* -@error.nul:"" -@error.nul:0',
        '@error."":0.1 -@error."":0.10000000000000001 @error."":0.10',
        "@big:9007199254740993 -@big:9007199254740992 @big>9007199254740992",
        "@size:1e23 @size:100000000000000000000000 -@size:99999999999999991611392",
        "@tiny>0 @tiny:5e-324 -@tiny:0",
        "@label~STRASSE @label:Stra*e -@label:strasse",
        "@error:* @error.deep:* @error.deep.er:* -@error:x -@error~code -@error:x* -@error>0",
        "-@error.deep.er.x:* -@error.code.x:* -@nothing:* -@Text:5 -@nothing<5",
        "@error.code!=6 @nothing!=6 @error.code:6,5",
    ],
)
def test_what_a_place_in_the_metadata_holds_is_compared_by_its_type(query: str) -> None:
    event = Event(event_type="a.b", metadata=NESTED)
    assert compile_predicate(parse(query))(event)
    for part in query.split():
        assert compile_predicate(parse(part))(event), part


def test_the_searchable_text_is_put_together_once_an_event_and_only_when_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Event] = []

    def counted(event: Event) -> str:
        asked.append(event)
        return search_text(event)

    monkeypatch.setattr(store.query.predicate, "search_text", counted)
    matches = compile_predicate(parse('"no such" OR (nowhere -failed) OR "timed out" type:download.failed'))
    assert matches(FAILED)
    assert asked == [FAILED]
    assert not matches(BARE)
    assert asked == [FAILED, BARE]

    asked.clear()
    assert not compile_predicate(parse("timed type:job.failed"))(FAILED)
    assert asked == []


@pytest.mark.parametrize(
    "node",
    [
        Compare(Field.STATUS, Op.GT, "a"),
        Compare(Field.RESOURCE, Op.LT, "a"),
        Compare(Field.ACTOR, Op.GE, "user"),
        Compare(Field.ID, Op.LE, str(ID)),
        Compare(Field.SEVERITY, Op.GE, "fatal"),
        Compare(Path(("a",)), Op.GE, "many"),
        Compare(Path(("a",)), Op.GE, "NaN"),
    ],
)
def test_what_has_no_order_is_refused(node: Compare) -> None:
    with pytest.raises(QueryError, match="no order"):
        compile_predicate(node)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Or(()), False),
        (Not(Or(())), True),
        (Text(""), True),
        (Compare(Field.ID, Op.EQ, str(ID).upper()), False),
        (Compare(Field.SEVERITY, Op.EQ, "fatal"), False),
        (Compare(Field.STATUS, Op.EQ, "Tracker*"), False),
    ],
)
def test_trees_that_no_text_gives(node: Node, expected: Any) -> None:
    assert compile_predicate(node)(FAILED) is expected
