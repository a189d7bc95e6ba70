"""What stands on the lines of a timeline: its rows, runs of alike ones folded to one line each, and context."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from monitor.model.context import Context, ContextRow
from monitor.model.folding import Run, likeness
from monitor.model.gaps import Gap
from monitor.model.marks import Marks
from monitor.model.rows import Row, Rows, SortKey
from monitor.model.timeline import Timeline
from store.event import Event
from store.query.predicate import Predicate

ShownRow = Row | Run | ContextRow


class ShownRows:
    """The rows of a timeline as lines, oldest first. The timeline may change at any time; the lines follow.

    A run is broken by a gap and by a bookmarked event, the one where the incident began included. Around one row may
    stand context: events that the filter hides, each on a line of its own, which are no rows. Lines are held by
    the key of their first row, so that what a run counts is always how many rows there are: appending costs what is
    appended, and evicting nothing.
    """

    def __init__(self, timeline: Timeline, marks: Marks | None = None) -> None:
        self._timeline = timeline
        self._marks = Marks() if marks is None else marks
        self._folded = False
        self._turned: list[SortKey] = []
        """Sorted; a run that has one of these is unfolded while all are folded, and folded while none is."""
        self._heads: list[SortKey] = []
        """The key of the first row of each line, or of its context."""
        self._context: Context | None = None
        self._aside: dict[SortKey, Event] = {}
        """Context that has lines, by its key."""
        self._splits: set[int] = set()
        """Numbers of rows that have context right before them."""
        self._seen: Rows | None = None
        self._version = self._revision = -1

    @property
    def folded(self) -> bool:
        """Whether runs are folded, save those that were unfolded one by one."""
        return self._folded

    @property
    def is_plain(self) -> bool:
        """Whether each row has a line, and each line a row."""
        return not (self._folded or self._turned or self._context)

    @property
    def context(self) -> Context | None:
        """What is shown around one of the rows; it goes with that row, and with another filter."""
        self._current()
        return self._context

    def show_context(self, context: Context | None) -> None:
        """Show what is around a row, or no longer."""
        self._context = context
        self._seen = None

    def __len__(self) -> int:
        rows = self._current()
        return len(rows) if self.is_plain else len(self._heads)

    def __getitem__(self, line: int) -> ShownRow:
        rows = self._current()
        if self.is_plain:
            return rows[line]
        line = range(len(self._heads))[line]
        if (aside := self._aside.get(self._heads[line])) is not None:
            return ContextRow(aside)
        start, stop = self._span(rows, line)
        first, last = rows[start], rows[stop - 1]
        if stop - start > 1 and isinstance(first, Event) and isinstance(last, Event):
            return Run(first, last, stop - start)
        return first

    def index(self, key: SortKey) -> int:
        """The line that has the row with `key`, or the next one."""
        rows = self._current()
        place = rows.index(key)
        if self.is_plain:
            return place
        if place == len(rows) or key in self._aside:
            return bisect_left(self._heads, key)
        return bisect_right(self._heads, rows.key(place)) - 1

    def members(self, line: int) -> list[Row]:
        """The rows of a line; none of context."""
        rows = self._current()
        start, stop = self._span(rows, line)
        return rows[start:stop]

    def last_row(self, line: int) -> int:
        """The number of the last row of a line, or of the row before it where it is context."""
        return self._span(self._current(), line)[1] - 1

    def fold_all(self) -> None:
        """Fold all runs, or unfold all."""
        self._folded = not self._folded
        self._turned.clear()
        self._seen = None

    def turn(self, line: int) -> bool:
        """Unfold the run of a line, or fold it. False when the row has no alike one beside it."""
        rows = self._current()
        row = self[line]
        if isinstance(row, ContextRow):
            return False
        start = stop = rows.index(row.sort_key)
        while start and self._joins(rows, start):
            start -= 1
        while stop + 1 < len(rows) and self._joins(rows, stop + 1):
            stop += 1
        if start == stop:
            return False
        first, last = rows.key(start), rows.key(stop)
        turned = slice(bisect_left(self._turned, first), bisect_right(self._turned, last))
        # By its first row, too: the last one may be bookmarked, and the first one evicted.
        self._turned[turned] = [] if self._turned[turned] else [first, last]
        self._seen = None
        return True

    def reveal(self, key: SortKey, matches: Predicate) -> None:
        """Unfold the run of the row with `key`, unless all of it `matches`: then the run is what was sought."""
        line = self.index(key)
        if line < len(self) and not all(
            isinstance(row, Event) and matches(row) for row in self.members(line)
        ):
            self._unfold(line)

    def find(self, line: int, step: int, matches: Predicate) -> SortKey | None:
        """The next event, in direction `step` (+1 or -1) from `line`, that matches; None when there is none.

        A run of which only some events match is unfolded, also the one on `line` itself.
        """
        rows = self._current()
        if not rows:
            return None
        start, stop = self._span(rows, line)
        hits = [row for row in rows[start:stop] if isinstance(row, Event) and matches(row)]
        if 0 < len(hits) < stop - start:
            self._unfold(line)
            return hits[0 if step > 0 else -1].sort_key
        index = stop if step > 0 else start - 1
        while 0 <= index < len(rows):
            row = rows[index]
            if isinstance(row, Event) and matches(row):
                self.reveal(row.sort_key, matches)
                return row.sort_key
            index += step
        return None

    def _unfold(self, line: int) -> None:
        if isinstance(self[line], Run):
            self.turn(line)

    # Keeping the lines up to date

    def _span(self, rows: Rows, line: int) -> tuple[int, int]:
        """The numbers of the first row of a line, and of the one after its last."""
        if self.is_plain:
            return line, line + 1
        heads = self._heads
        following = line + 1 < len(heads)
        return rows.index(heads[line]), rows.index(heads[line + 1]) if following else len(rows)

    def _current(self) -> Rows:
        """The rows, with lines that are true of them."""
        rows = self._timeline.rows
        if self._context is not None and not self._holds(self._context):
            self._context = self._seen = None
        if self.is_plain:
            self._seen = None
            self._aside, self._splits = {}, set()
            return rows
        if rows is not self._seen or self._revision != self._marks.revision:
            self._seen, self._revision = rows, self._marks.revision
            rows.take_touched()
            self._heads.clear()
            self._set_aside(rows)
            self._build(rows, 0)
            self._put_aside()
        elif rows.version != self._version:
            touched = rows.take_touched()
            self._set_aside(rows)
            self._let_go(rows)
            if touched is not None:
                del self._heads[bisect_left(self._heads, touched) :]
                self._build(rows, rows.index(touched))
            self._put_aside()
        self._version = rows.version
        return rows

    def _holds(self, context: Context) -> bool:
        """Whether the row that has the context is still there, under the same filter."""
        timeline = self._timeline
        return timeline.filter == context.shown and timeline.rows.has(context.key)

    def _set_aside(self, rows: Rows) -> None:
        """Take context out of the lines, which are then those of the rows alone."""
        for key in self._aside:
            place = bisect_left(self._heads, key)
            if place < len(self._heads) and self._heads[place] == key:
                del self._heads[place]
        hidden = self._context.hidden if self._context else ()
        self._aside = {event.sort_key: event for event in hidden if not rows.has(event.sort_key)}
        self._splits = {rows.index(key) for key in self._aside}

    def _put_aside(self) -> None:
        for key in self._aside:
            insort(self._heads, key)

    def _let_go(self, rows: Rows) -> None:
        """Forget lines whose rows were evicted at either end."""
        heads, turned = self._heads, self._turned
        if not rows or not heads:
            heads.clear()
            return
        first = rows.key(0)
        gone = bisect_right(heads, first) - 1
        if gone >= 0:
            del heads[:gone]
            heads[0] = first
        del heads[bisect_right(heads, rows.key(-1)) :]
        lost = bisect_left(turned, first)
        if lost:
            # The first run may have been turned by a row that is gone.
            in_two_lines = len(rows) > 1 and len(heads) > 1 and heads[1] == rows.key(1)
            is_turned = len(rows) > 1 and self._joins(rows, 1) and in_two_lines == self._folded
            turned[:lost] = [first] if is_turned else []

    def _build(self, rows: Rows, start: int) -> None:
        """Put the rows from number `start` on into lines; those before have theirs."""
        heads = self._heads
        if not (self._folded or self._turned):
            heads += rows.keys(start)
            return
        if start and self._turned:
            start = self._resume(rows, start)
        while start and start < len(rows) and self._joins(rows, start):
            # Of a run that is folded: its line counts them.
            start += 1
        keys, marks = rows.keys(start), self._marks
        before: object = None
        begin = 0
        for index, (row, key) in enumerate(zip(rows.following(start), keys, strict=True)):
            alike = None if isinstance(row, Gap) or marks.marks(key) else likeness(row)
            if index and (alike is None or alike != before or start + index in self._splits):
                self._add_run(keys[begin:index])
                begin = index
            before = alike
        if keys:
            self._add_run(keys[begin:])

    def _resume(self, rows: Rows, start: int) -> int:
        """Make good the lines before row number `start`, where runs were turned; returns where to go on from."""
        heads = self._heads
        if start == len(rows) or self._turned[-1] >= rows.key(start):
            # Whether the run that ends or goes on here is folded may hang on what comes: it is begun anew.
            start -= 1
            while start and self._joins(rows, start):
                start -= 1
            del heads[bisect_left(heads, rows.key(start)) :]
        elif self._joins(rows, start) and heads[-1] == rows.key(start - 1):
            if start > 1 and self._joins(rows, start - 1):
                # Unfolded, and a long one would take long to begin anew with each row that joins it.
                while start < len(rows) and self._joins(rows, start):
                    heads.append(rows.key(start))
                    start += 1
            else:
                heads.pop()
                start -= 1
        return start

    def _add_run(self, keys: list[SortKey]) -> None:
        first = bisect_left(self._turned, keys[0])
        is_turned = first < len(self._turned) and self._turned[first] <= keys[-1]
        self._heads += keys[:1] if self._folded != is_turned else keys

    def _joins(self, rows: Rows, index: int) -> bool:
        """Whether the row number `index` is of one run with the row before it."""
        if index in self._splits:
            return False
        one, other = rows[index - 1], rows[index]
        if isinstance(one, Gap) or isinstance(other, Gap) or likeness(one) != likeness(other):
            return False
        return not (self._marks.marks(rows.key(index - 1)) or self._marks.marks(rows.key(index)))
