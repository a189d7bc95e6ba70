"""Where the eyes are: the first row on screen and the cursor, kept in place while rows come and go."""

from __future__ import annotations

from monitor.model.rows import SortKey
from monitor.model.shown_rows import ShownRow, ShownRows
from monitor.model.timeline import Timeline
from store.query.predicate import Predicate


class Viewport:
    """A window of `height` lines on what is shown of a timeline, with a cursor.

    The cursor is held by the row's key, not by its number, and keeps its line on the screen: rows that
    arrive, are evicted, are loaded above it or join a run move nothing. Following, the last line is the cursor.
    Any move up gives up following.
    """

    def __init__(self, timeline: Timeline, shown: ShownRows | None = None) -> None:
        self._timeline = timeline
        self.shown = ShownRows(timeline) if shown is None else shown
        self._key: SortKey | None = None
        self._line = 0
        self.height = 1
        self.following = True

    @property
    def top(self) -> int:
        """The first line on screen."""
        rows = len(self.shown)
        if self.following:
            return max(0, rows - self.height)
        return max(0, min(self.cursor - self._line, rows - self.height))

    @property
    def cursor(self) -> int:
        """The line under the cursor; 0 when there is none."""
        rows = self.shown
        if not rows:
            return 0
        if self.following or self._key is None:
            return len(rows) - 1
        return min(rows.index(self._key), len(rows) - 1)

    @property
    def row(self) -> ShownRow | None:
        """What stands under the cursor."""
        rows = self.shown
        return rows[self.cursor] if rows else None

    def resize(self, height: int) -> None:
        """Show `height` rows, with the cursor still among them."""
        self.height = max(1, height)
        self._line = min(self._line, self.height - 1)

    def follow(self) -> None:
        """Go to the newest row and stay there."""
        self.following = True
        self._timeline.reading = False
        self._timeline.attach()

    def detach(self) -> None:
        """Stay on the present row whatever arrives."""
        if self.following:
            self._hold(self.cursor, self.top)

    def move(self, rows: int) -> None:
        """Move the cursor by `rows`, negative up; the window moves only when the cursor would leave it."""
        if self.following and rows >= 0:
            return
        self._to(self.cursor + rows)

    def page(self, pages: float) -> None:
        """Move cursor and window by `pages` windows, negative up."""
        if self.following and pages >= 0:
            return
        distance = int(pages * max(1, self.height - 1))
        top = self.top + distance
        self._hold(self.cursor + distance, top)

    def home(self) -> None:
        """Go to the oldest loaded row."""
        self._hold(0, 0)

    def go(self, key: SortKey, step: int = 1) -> None:
        """Move to the row at `key`, or else to the next (`step` +1) or previous (-1) one, as far as rows are loaded."""
        rows = self._timeline.rows
        if step < 0 and not rows.has(key):
            place = rows.index(key) - 1
            key = rows.key(place) if place >= 0 else key
        self._show_index(max(0, min(self.shown.index(key), len(self.shown) - 1)))

    def find(self, step: int, matches: Predicate) -> bool:
        """Move to the next event, in direction `step` (+1 or -1), that `matches`; False when there is none."""
        found = self.shown.find(self.cursor, step, matches)
        if found is not None:
            self._show_index(self.shown.index(found))
        return found is not None

    def turn(self) -> bool:
        """Unfold the run under the cursor, or fold it. False when the row has no alike one beside it."""
        return bool(self.shown) and self.shown.turn(self.cursor)

    def select_line(self, line: int) -> None:
        """Put the cursor on a line of the screen."""
        self._hold(self.top + line, self.top)

    def _show_index(self, index: int) -> None:
        """Put the cursor there; the window moves only when the line is out of sight, and then has it in the middle."""
        top = self.top
        self._hold(index, top if top <= index < top + self.height else index - self.height // 2)

    def _to(self, index: int) -> None:
        last = len(self.shown) - 1
        index = max(0, min(index, last))
        top = self.top
        if index < top:
            top = index
        elif index >= top + self.height:
            top = index - self.height + 1
        self._hold(index, top)

    def _hold(self, index: int, top: int) -> None:
        rows = self.shown
        if not rows:
            return
        index = max(0, min(index, len(rows) - 1))
        top = max(0, min(top, len(rows) - self.height))
        self._key = rows[index].sort_key
        self._line = max(0, min(index - top, self.height - 1))
        self.following = False
        self._timeline.reading = True


def lines_in_sight(top: int, cursor: int, height: int, more: int) -> list[tuple[int, int]]:
    """What stands on each of `height` lines of the screen where the row under the cursor takes `more` of them.

    A line of the timeline and which part of it, 0 being the row itself. What has no room goes at the top, as long as
    the row itself stays in sight, and else at the end.
    """
    more = min(more, height - 1)
    drawn = [(line, 0) for line in range(top, cursor + 1)]
    drawn += [(cursor, part) for part in range(1, more + 1)]
    drawn += [(line, 0) for line in range(cursor + 1, top + height)]
    over = max(0, cursor - top + 1 + more - height)
    return drawn[over : over + height]
