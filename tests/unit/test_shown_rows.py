"""Folding takes no row away: unfolded, the rows are back; folded, the counts add up; whatever comes and goes."""

from __future__ import annotations

from datetime import timedelta
from itertools import chain

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from monitor.model.context import Context, ContextRow
from monitor.model.filter import Facet, Filter
from monitor.model.folding import Run, likeness
from monitor.model.gaps import Gap, GapState
from monitor.model.marks import Marks
from monitor.model.shown_rows import ShownRow, ShownRows
from monitor.model.timeline import Timeline
from monitor.model.viewport import Viewport
from store.event import Event, Severity
from store.query.predicate import Predicate
from store.query.syntax import Field
from tests.events import at, make_event

KINDS = st.sampled_from("ab")
WITHOUT_C = Filter(muted=frozenset({Facet(Field.TYPE, "job.c")}))


def event(number: int, kind: str = "a", severity: str = "info") -> Event:
    return make_event(number, event_type=f"job.{kind}", severity=severity)


def letters(text: str, start: int = 0) -> list[Event]:
    """One event a letter, one a second; a capital is an error of the same type."""
    return [
        event(start + place, letter.lower(), "error" if letter.isupper() else "info")
        for place, letter in enumerate(text)
    ]


def shown(text: str = "", *, folded: bool = True, capacity: int = 1000) -> ShownRows:
    timeline = Timeline(capacity)
    timeline.open_with(letters(text), has_older=False)
    rows = ShownRows(timeline, Marks())
    if folded:
        rows.fold_all()
    return rows


def timeline_of(rows: ShownRows) -> Timeline:
    return rows._timeline


def marks_of(rows: ShownRows) -> Marks:
    return rows._marks


def drawn(rows: ShownRows) -> str:
    """Each line as a letter, of a run with its count; a gap as `-`."""
    return " ".join(_drawn(rows[line]) for line in range(len(rows)))


def _drawn(row: ShownRow) -> str:
    if isinstance(row, Gap):
        return "-"
    if isinstance(row, ContextRow):
        return f"({row.event.event_type[-1]})"
    last = row.last if isinstance(row, Run) else row
    letter = last.event_type[-1]
    letter = letter.upper() if last.severity is Severity.ERROR else letter
    return f"{letter}{row.count}" if isinstance(row, Run) else letter


def with_text(text: str) -> Predicate:
    return lambda event: event.metadata.get("title") == text


def test_alike_rows_that_follow_one_another_are_one_line() -> None:
    assert drawn(shown("aaabaabb")) == "a3 b a2 b2"
    assert drawn(shown("aaabaabb", folded=False)) == "a a a b a a b b"


def test_an_error_is_never_among_others() -> None:
    assert drawn(shown("aaAaaAAa")) == "a2 A a2 A2 a"


@pytest.mark.parametrize(
    "changed",
    [
        {"event_type": "job.b"},
        {"severity": "warning"},
        {"status": "failed"},
        {"actor_type": "user"},
        {"actor_id": "7"},
        {"resource_type": "track"},
        {"resource_id": "8"},
        {"secondary_resource_type": "album"},
        {"secondary_resource_id": "9"},
    ],
)
def test_whatever_tells_two_rows_apart_keeps_them_apart(changed: dict[str, str]) -> None:
    first = make_event(
        1,
        actor_id="1",
        resource_type="r",
        resource_id="1",
        secondary_resource_type="s",
        secondary_resource_id="1",
    )
    rows = shown("")
    timeline_of(rows).add(
        [first, make_event(2, **{**first.model_dump(exclude={"id", "inserted_at"}), **changed})]
    )
    assert len(rows) == 2


def test_what_they_say_does_not() -> None:
    rows = shown("")
    timeline_of(rows).add([make_event(number, metadata={"number": number}) for number in range(5)])
    [run] = [rows[line] for line in range(len(rows))]
    assert isinstance(run, Run)
    assert (run.count, run.first, run.last) == (5, make_event(0, metadata={"number": 0}), rows.members(0)[-1])
    assert run.sort_key == run.last.sort_key


def test_a_run_grows_at_its_end() -> None:
    rows = shown("baa")
    timeline_of(rows).add(letters("a", 3))
    assert drawn(rows) == "b a3"
    timeline_of(rows).add(letters("aab", 4))
    assert drawn(rows) == "b a5 b"


def test_a_late_row_splits_a_run_and_joins_another() -> None:
    rows = shown("aaaa")
    timeline_of(rows).add([late(100, "b", 1.5)])
    assert drawn(rows) == "a2 b a2"
    timeline_of(rows).add([late(101, "a", 0.5)])
    assert drawn(rows) == "a3 b a2"


def test_gaps_and_bookmarks_break_a_run() -> None:
    rows = shown("aaaaaa")
    timeline_of(rows).show_gap(Gap(1, "connection lost", at(1.5), at(1.6), GapState.REPAIRED))
    assert drawn(rows) == "a2 - a4"
    marks_of(rows).toggle(event(3))
    assert drawn(rows) == "a2 - a a a2"
    marks_of(rows).toggle(event(3))
    marks_of(rows).toggle_zero(event(5))
    assert drawn(rows) == "a2 - a3 a"


def test_one_run_is_unfolded_and_folded_alone() -> None:
    rows = shown("aaabbb")
    assert rows.turn(0)
    assert drawn(rows) == "a a a b3"
    timeline_of(rows).add(letters("b", 6))
    assert rows.turn(1)
    assert drawn(rows) == "a3 b4"
    rows.fold_all()
    assert drawn(rows) == "a a a b b b b"
    assert rows.turn(1)
    assert drawn(rows) == "a3 b b b b"
    assert not rows.folded
    assert not rows.is_plain


def test_what_was_unfolded_stays_so_while_it_grows_and_is_evicted() -> None:
    rows = shown("aaaa", capacity=20)
    rows.turn(0)
    for number in range(4, 34):
        timeline_of(rows).add(letters("a", number))
        assert drawn(rows) == " ".join("a" * len(timeline_of(rows).rows))
    timeline_of(rows).add(letters("b" * 3, 34))
    assert drawn(rows).endswith("a a b3")


def test_what_joins_one_row_is_unfolded_where_another_run_was_folded_alone() -> None:
    rows = shown("aab", folded=False)
    rows.turn(0)
    assert drawn(rows) == "a2 b"
    for number, expected in ((3, "a2 b b"), (4, "a2 b b b")):
        timeline_of(rows).add(letters("b", number))
        assert drawn(rows) == expected


def test_what_is_cut_off_from_an_unfolded_run_is_folded() -> None:
    rows = shown("baaa")
    rows.turn(1)
    timeline_of(rows).add([late(100, "a", 0.5), late(101, "a", 0.6)])
    assert drawn(rows) == "b a a a a a"
    timeline_of(rows).add([late(102, "c", 0.7)])
    assert drawn(rows) == "b a2 c a a a"


def test_what_is_left_of_a_run_whose_unfolded_end_is_let_go_of_is_folded() -> None:
    rows = shown("aaa")
    rows.turn(0)
    timeline_of(rows).add_older([late(100 + number, "a", -number) for number in range(1, 6)], None)
    assert drawn(rows) == " ".join("a" * 8)
    timeline_of(rows).rows.evict_newest(3)
    assert drawn(rows) == "a5"


def test_a_row_without_an_alike_one_beside_it_has_no_run() -> None:
    rows = shown("abA")
    assert [rows.turn(line) for line in range(3)] == [False] * 3
    assert drawn(rows) == "a b A"


def test_what_is_sought_is_found_in_a_fold_and_unfolds_it() -> None:
    rows = shown("")
    titles = ["x", "sought", "x", "sought", "x"]
    timeline_of(rows).add(
        [make_event(number, metadata={"title": title}) for number, title in enumerate(titles)]
    )
    timeline_of(rows).add([event(10, "b")])
    assert drawn(rows) == "d5 b"
    assert rows.find(1, -1, with_text("sought")) == make_event(3).sort_key
    assert drawn(rows) == "d d d d d b"
    rows.turn(0)
    # From the line of the fold itself, too.
    assert rows.find(0, 1, with_text("sought")) == make_event(1).sort_key
    assert len(rows) == 6


def test_a_run_that_is_sought_as_a_whole_stays_folded() -> None:
    rows = shown("aAAAbAA")
    errors = lambda event: event.severity is Severity.ERROR  # noqa: E731
    found = rows.find(0, 1, errors)
    assert found is not None
    line = rows.index(found)
    assert (line, drawn(rows)) == (1, "a A3 b A2")
    # The next one lies beyond it.
    found = rows.find(line, 1, errors)
    assert found is not None
    assert rows.index(found) == 3
    assert rows.find(3, 1, errors) is None
    assert shown("").find(0, 1, errors) is None


def test_an_empty_timeline_has_no_lines() -> None:
    rows = shown("")
    assert (len(rows), rows.index(event(1).sort_key)) == (0, 0)


def test_the_cursor_stays_on_its_run_and_line_whatever_comes_and_goes() -> None:
    rows = shown("ab" * 30 + "aaa" + "ba" * 5, capacity=100)
    viewport = Viewport(timeline_of(rows), rows)
    viewport.resize(12)
    viewport.move(-10)
    row = viewport.row
    assert isinstance(row, Run)
    line = viewport.cursor - viewport.top
    for number in range(40):
        timeline_of(rows).add(letters("bab", 100 + 3 * number))
        held = viewport.row
        assert isinstance(held, Run)
        assert (held.count, held.last, viewport.cursor - viewport.top) == (3, row.last, line)
    viewport.turn()
    assert viewport.row == row.last


def test_following_stays_on_the_run_that_grows() -> None:
    rows = shown("ba")
    viewport = Viewport(timeline_of(rows), rows)
    for number in range(2, 6):
        timeline_of(rows).add(letters("a", number))
        run = viewport.row
        assert isinstance(run, Run)
        assert (run.count, viewport.following) == (number, True)


def late(number: int, kind: str, seconds: float) -> Event:
    return event(number, kind).model_copy(update={"inserted_at": at(seconds)})


def around(rows: ShownRows, place: int, reach: int, *seconds: float) -> Context:
    """Events that the filter hides, at these moments, around the row number `place`."""
    row = timeline_of(rows).rows[place]
    events = [late(500 + number, "c", second) for number, second in enumerate(seconds)]
    before = [event for event in events if event.sort_key < row.sort_key]
    after = [event for event in events if event.sort_key > row.sort_key]
    return Context.around(row.sort_key, timeline_of(rows).filter, reach, before[::-1], after)


def filtered(text: str, *, folded: bool = False) -> ShownRows:
    rows = shown(text, folded=folded)
    timeline_of(rows).apply(WITHOUT_C)
    return rows


def test_context_stands_around_its_row_and_is_no_row() -> None:
    rows = filtered("aabb")
    rows.show_context(around(rows, 1, 3, 0.2, 0.4, 1.5, 1.6, 3.5))
    assert drawn(rows) == "a (c) (c) a (c) (c) b b (c)"
    assert [rows.last_row(line) + 1 for line in range(len(rows))] == [1, 1, 1, 2, 2, 2, 3, 4, 4]
    assert len(timeline_of(rows).rows) == 4
    assert [rows.members(line) for line in (1, 4)] == [[], []]
    assert not rows.turn(1)
    hidden = rows[1]
    assert isinstance(hidden, ContextRow)
    assert rows.index(hidden.sort_key) == 1
    # A search steps over it, and starts from it.
    assert rows.find(4, -1, lambda _: True) == timeline_of(rows).rows[1].sort_key
    assert rows.find(4, 1, lambda _: True) == timeline_of(rows).rows[2].sort_key
    assert rows.find(4, 1, lambda event: event.event_type == "job.c") is None
    rows.show_context(None)
    assert (drawn(rows), rows.is_plain) == ("a a b b", True)


def test_context_is_as_near_as_it_reaches_and_without_what_is_shown_anyway() -> None:
    row = event(10)
    before = [event(9, "c"), event(8, "a"), event(7, "c"), event(6, "c")]
    context = Context.around(row.sort_key, WITHOUT_C, 3, before, [event(11, "c"), event(12, "a")])
    assert [seen.id.int for seen in (*context.before, *context.after)] == [7, 8, 9, 11, 12]
    assert [seen.id.int for seen in context.hidden] == [7, 9, 11]
    assert [seen.id.int for seen in context.cut(1).hidden] == [9, 11]


def test_context_splits_a_fold() -> None:
    rows = filtered("aaaaa", folded=True)
    rows.show_context(around(rows, 2, 3, 1.5, 3.5))
    assert drawn(rows) == "a2 (c) a2 (c) a"
    timeline_of(rows).add(letters("aa", 5))
    assert drawn(rows) == "a2 (c) a2 (c) a3"


def test_context_goes_with_its_row_and_with_another_filter() -> None:
    rows = filtered("aab")
    rows.show_context(around(rows, 0, 3, 0.5))
    timeline_of(rows).rows.evict_oldest(1)
    assert (rows.context, drawn(rows)) == (None, "a b")
    rows.show_context(around(rows, 0, 3, 1.5))
    assert drawn(rows) == "a (c) b"
    timeline_of(rows).apply(Filter(minimum=Severity.INFO))
    assert rows.context is None


class Folding(RuleBasedStateMachine):
    """Rows come, late ones too, and go at both ends; they are bookmarked, folded and unfolded one by one and all."""

    @initialize(count=st.integers(0, 15), kinds=st.text("ab", min_size=15, max_size=15))
    def open(self, count: int, kinds: str) -> None:
        self.rows = shown(kinds[:count], capacity=20)
        timeline_of(self.rows).apply(WITHOUT_C)
        self.number = 1000

    @rule(
        place=st.integers(0, 40), back=st.lists(st.integers(1, 9), max_size=3), on=st.lists(st.integers(1, 9))
    )
    def look_around(self, place: int, back: list[int], on: list[int]) -> None:
        rows = timeline_of(self.rows).rows
        if rows:
            key = rows.key(place % len(rows))
            moved = [key[0] - timedelta(seconds=0.31 * step) for step in back]
            moved += [key[0] + timedelta(seconds=0.31 * step) for step in on]
            events = [event(900 + number, "c") for number in range(len(moved))]
            events = [
                seen.model_copy(update={"inserted_at": at}) for seen, at in zip(events, moved, strict=True)
            ]
            self.rows.show_context(
                Context.around(key, WITHOUT_C, 9, events[: len(back)], events[len(back) :])
            )

    @rule()
    def look_no_more(self) -> None:
        self.rows.show_context(None)

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=9), back=st.integers(0, 15))
    def arrive(self, kinds: list[str], back: int) -> None:
        newest = max((row.sort_key[0] for row in timeline_of(self.rows).rows), default=at(0))
        new: list[Event] = []
        for kind in kinds:
            self.number += 1
            moment = newest + timedelta(seconds=0.9 - back + 0.01 * len(new))
            new.append(event(self.number, kind).model_copy(update={"inserted_at": moment}))
        timeline_of(self.rows).add(new)

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=30))
    def read_older(self, kinds: list[str]) -> None:
        oldest = min((row.sort_key[0] for row in timeline_of(self.rows).rows), default=at(0))
        page: list[Event] = []
        for kind in kinds:
            self.number += 1
            moment = oldest - timedelta(seconds=1 + len(page))
            page.append(event(self.number, kind).model_copy(update={"inserted_at": moment}))
        timeline_of(self.rows).add_older(page, min(event.sort_key for event in page))

    @rule(seconds=st.integers(0, 20), state=st.sampled_from(GapState))
    def miss(self, seconds: int, state: GapState) -> None:
        timeline_of(self.rows).show_gap(Gap(seconds, "connection lost", at(seconds), state=state))

    @rule(place=st.integers(0, 40))
    def mark(self, place: int) -> None:
        events = [row for row in timeline_of(self.rows).rows if isinstance(row, Event)]
        if events:
            marks_of(self.rows).toggle(events[place % len(events)])

    @rule(place=st.integers(0, 40))
    def discard(self, place: int) -> None:
        rows = timeline_of(self.rows).rows
        if rows:
            rows.discard(rows.key(place % len(rows)))

    @rule(place=st.integers(0, 40))
    def turn(self, place: int) -> None:
        if len(self.rows):
            before = list(timeline_of(self.rows).rows)
            self.rows.turn(place % len(self.rows))
            assert list(timeline_of(self.rows).rows) == before

    @rule()
    def fold_all(self) -> None:
        self.rows.fold_all()

    @rule(reading=st.booleans())
    def read(self, reading: bool) -> None:
        timeline_of(self.rows).reading = reading

    @rule()
    def filter(self) -> None:
        timeline_of(self.rows).apply(WITHOUT_C)

    @invariant()
    def unfolding_gives_the_rows_back(self) -> None:
        rows = timeline_of(self.rows).rows
        lines = [self.rows.members(line) for line in range(len(self.rows))]
        assert list(chain.from_iterable(lines)) == list(rows)

    @invariant()
    def lines_tell_their_rows(self) -> None:
        marks = marks_of(self.rows)
        place = 0
        for line in range(len(self.rows)):
            row, members = self.rows[line], self.rows.members(line)
            place += len(members)
            assert self.rows.last_row(line) == place - 1
            assert self.rows.index(row.sort_key) == line
            if isinstance(row, ContextRow):
                assert members == []
                continue
            assert {self.rows.index(member.sort_key) for member in members} == {line}
            if len(members) == 1:
                assert row is members[0]
                continue
            assert isinstance(row, Run)
            assert (row.first, row.last, row.count) == (members[0], members[-1], len(members))
            assert len({likeness(member) for member in members}) == 1
            assert not any(marks.marks(member.sort_key) for member in members)

    @invariant()
    def lines_are_as_if_folded_anew(self) -> None:
        anew = ShownRows(timeline_of(self.rows), marks_of(self.rows))
        anew._folded, anew._turned = self.rows._folded, list(self.rows._turned)
        anew.show_context(self.rows.context)
        touched = timeline_of(self.rows).rows._touched
        assert drawn(self.rows) == drawn(anew)
        timeline_of(self.rows).rows._touched = touched


TestFolding = Folding.TestCase
TestFolding.settings = settings(max_examples=60, stateful_step_count=25, deadline=None, derandomize=True)
