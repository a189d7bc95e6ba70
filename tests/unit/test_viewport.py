"""The eyes stay where they are: nothing that arrives, goes or is loaded moves the cursor's row or its line."""

from __future__ import annotations

from random import Random

import pytest

from monitor.model.filter import Filter
from monitor.model.gaps import Gap
from monitor.model.shown_rows import ShownRow
from monitor.model.timeline import Timeline
from monitor.model.viewport import Viewport, lines_in_sight
from store.event import Event, Severity
from tests.events import at, make_event, make_events


def viewing(count: int, height: int = 10, *, capacity: int = 1000, has_older: bool = False) -> Viewport:
    """A viewport on the events from number 100,000 on, following."""
    timeline = Timeline(capacity)
    timeline.open_with(make_events(count, start=100_000), has_older=has_older)
    viewport = Viewport(timeline)
    viewport.resize(height)
    return viewport


def timeline_of(viewport: Viewport) -> Timeline:
    return viewport._timeline  # pyright: ignore[reportPrivateUsage]


def line(viewport: Viewport) -> int:
    """The line of the screen that the cursor is on."""
    return viewport.cursor - viewport.top


def number(row: ShownRow | None) -> int | None:
    return row.id.int - 100_000 if isinstance(row, Event) else None


def place(viewport: Viewport) -> tuple[int | None, int]:
    """The row under the cursor and its line on the screen."""
    return number(viewport.row), line(viewport)


def test_following_the_newest_row_is_the_cursor_on_the_last_line() -> None:
    viewport = viewing(50)
    assert (viewport.following, place(viewport), viewport.top) == (True, (49, 9), 40)
    timeline_of(viewport).add(make_events(7, start=100_050))
    assert (place(viewport), viewport.top) == ((56, 9), 47)


def test_fewer_rows_than_lines_stand_at_the_top() -> None:
    viewport = viewing(3)
    assert (viewport.top, place(viewport)) == (0, (2, 2))
    viewport.move(-1)
    assert place(viewport) == (1, 1)
    timeline_of(viewport).add(make_events(20, start=100_003))
    assert place(viewport) == (1, 1)


def test_without_rows_there_is_nothing_to_move() -> None:
    viewport = viewing(0)
    for act in (lambda: viewport.move(-1), viewport.home, viewport.detach, lambda: viewport.page(-1)):
        act()
        assert (viewport.cursor, viewport.top, viewport.row, viewport.following) == (0, 0, None, True)
    assert not viewport.find(-1, lambda _: True)


def test_moving_up_gives_up_following_and_moving_down_does_not() -> None:
    viewport = viewing(50)
    viewport.move(1)
    viewport.page(1)
    assert viewport.following
    viewport.move(-1)
    assert not viewport.following
    assert timeline_of(viewport).reading
    assert place(viewport) == (48, 8)


def test_the_window_moves_only_when_the_cursor_would_leave_it() -> None:
    viewport = viewing(50)
    viewport.move(-9)
    assert (viewport.top, place(viewport)) == (40, (40, 0))
    viewport.move(-2)
    assert (viewport.top, place(viewport)) == (38, (38, 0))
    viewport.move(9)
    assert (viewport.top, place(viewport)) == (38, (47, 9))
    viewport.move(1)
    assert (viewport.top, place(viewport)) == (39, (48, 9))
    viewport.move(100)
    assert (viewport.top, place(viewport)) == (40, (49, 9))
    viewport.move(-100)
    assert (viewport.top, place(viewport)) == (0, (0, 0))


def test_a_page_moves_cursor_and_window_together_with_one_line_in_common() -> None:
    viewport = viewing(50)
    viewport.move(-4)
    viewport.page(-1)
    assert (viewport.top, place(viewport)) == (31, (36, 5))
    viewport.page(-0.5)
    assert (viewport.top, place(viewport)) == (27, (32, 5))
    viewport.page(1)
    assert (viewport.top, place(viewport)) == (36, (41, 5))
    viewport.page(9)
    assert (viewport.top, place(viewport)) == (40, (49, 9))
    viewport.page(-9)
    assert (viewport.top, place(viewport)) == (0, (0, 0))


def test_a_window_of_one_line_moves_by_pages_of_one() -> None:
    viewport = viewing(50, height=1)
    viewport.page(-1)
    assert place(viewport) == (48, 0)


def test_home_is_the_oldest_loaded_row() -> None:
    viewport = viewing(50)
    viewport.home()
    assert (viewport.top, place(viewport), viewport.following) == (0, (0, 0), False)


def test_stopping_keeps_the_row_that_was_the_newest() -> None:
    viewport = viewing(50)
    viewport.detach()
    timeline_of(viewport).add(make_events(30, start=100_050))
    assert place(viewport) == (49, 9)
    viewport.detach()
    assert place(viewport) == (49, 9)


def test_following_again_goes_to_the_newest_row_and_forgets_what_was_pending() -> None:
    viewport = viewing(50)
    viewport.move(-20)
    timeline = timeline_of(viewport)
    timeline.add(make_events(30, start=100_050))
    assert timeline.pending == 30
    viewport.follow()
    assert (place(viewport), timeline.pending, timeline.reading) == ((79, 9), 0, False)


def test_ten_thousand_arrivals_evictions_and_older_pages_move_nothing() -> None:
    random = Random(29)
    viewport = viewing(400, capacity=1000, has_older=True)
    timeline = timeline_of(viewport)
    viewport.move(-150)
    viewport.move(3)
    seen = place(viewport)
    assert seen == (252, 3)
    arrived = 0
    oldest = 100_000
    while arrived < 10_000:
        batch = make_events(random.randrange(1, 80), start=100_400 + arrived)
        late = [
            make_event(10_000_000 + arrived + index, inserted_at=at(100_000 + random.uniform(-500, 400)))
            for index in range(random.randrange(3))
        ]
        timeline.add([*batch, *late])
        arrived += len(batch)
        if random.random() < 0.2 and len(timeline.rows) < 1900:
            timeline.add_older(make_events(50, start=oldest - 50), make_event(oldest - 50).sort_key)
            oldest -= 50
        if random.random() < 0.1:
            timeline.show_gap(Gap(arrived, "lost", at(random.uniform(99_000, 100_000 + arrived))))
        assert place(viewport) == seen
    assert oldest < 100_000
    assert timeline.pending > 9_000
    viewport.follow()
    assert number(viewport.row) == 400 + arrived - 1
    assert sum(isinstance(row, Event) for row in timeline.rows) <= 1050


def test_eviction_while_following_keeps_the_newest_row_on_the_last_line() -> None:
    viewport = viewing(1000)
    timeline_of(viewport).add(make_events(500, start=101_000))
    assert place(viewport) == (1499, 9)
    assert len(timeline_of(viewport).rows) == 1000


def test_starting_over_moves_nothing_while_someone_reads() -> None:
    viewport = viewing(50)
    viewport.move(-20)
    seen = place(viewport)
    timeline_of(viewport).open_with(make_events(30, start=200_000), has_older=True)
    assert place(viewport) == seen
    viewport.follow()
    assert place(viewport) == (100_029, 9)


def test_freezing_keeps_even_a_follower_in_place() -> None:
    viewport = viewing(50)
    timeline_of(viewport).freeze()
    timeline_of(viewport).add(make_events(30, start=100_050))
    assert place(viewport) == (49, 9)
    viewport.follow()
    assert place(viewport) == (79, 9)
    assert not timeline_of(viewport).frozen


def test_a_row_that_a_filter_hides_leaves_the_cursor_at_its_neighbour() -> None:
    viewport = viewing(50)
    timeline = timeline_of(viewport)
    timeline.add([make_event(100_100, severity=Severity.ERROR)])
    viewport.move(-20)
    timeline.apply(Filter(minimum=Severity.ERROR))
    assert (place(viewport), viewport.top) == ((100, 0), 0)
    timeline.apply(Filter(minimum=Severity.ERROR, text="x"))
    assert viewport.cursor == 0


@pytest.mark.parametrize("height", [1, 2, 5, 10, 49, 50, 51, 200])
def test_the_cursor_stays_in_sight_when_the_window_is_resized(height: int) -> None:
    viewport = viewing(50)
    for moves in (0, -3, -30, -49):
        viewport.follow()
        viewport.move(moves)
        row = viewport.row
        viewport.resize(height)
        assert viewport.row == row
        assert 0 <= viewport.top <= viewport.cursor < viewport.top + height
        viewport.resize(10)
        assert viewport.row == row


def test_a_window_without_lines_has_one() -> None:
    viewport = viewing(5)
    viewport.resize(0)
    assert viewport.height == 1


@pytest.mark.parametrize("height", [3, 10])
def test_random_moves_keep_the_cursor_in_sight_and_the_window_full(height: int) -> None:
    random = Random(height)
    viewport = viewing(60, height=height, capacity=100)
    timeline = timeline_of(viewport)
    for step in range(600):
        act = random.randrange(8)
        if act < 2:
            viewport.move(random.randrange(-12, 12))
        elif act == 2:
            viewport.page(random.choice([-2, -1, -0.5, 0.5, 1, 2]))
        elif act == 3:
            viewport.select_line(random.randrange(height))
        elif act == 4:
            viewport.resize(random.randrange(1, 30))
        elif act == 5:
            viewport.find(random.choice([-1, 1]), lambda row: row.sort_key[1] % 7 == 0)
        elif act == 6 and random.random() < 0.3:
            random.choice([viewport.follow, viewport.home, viewport.detach])()
        else:
            timeline.add(make_events(random.randrange(9), start=100_060 + 10 * step))
        rows = len(timeline.rows)
        assert 0 <= viewport.top <= viewport.cursor < min(rows, viewport.top + viewport.height)
        assert viewport.top <= max(0, rows - viewport.height)
        assert viewport.row is timeline.rows[viewport.cursor]


def test_finding_goes_to_the_next_match_and_centres_it_when_it_was_out_of_sight() -> None:
    viewport = viewing(50)
    viewport.home()

    def tens(row: Event) -> bool:
        return row.sort_key[1] % 10 == 0

    assert viewport.find(1, tens)
    assert (place(viewport), viewport.top) == ((10, 5), 5)
    assert viewport.find(-1, tens)
    assert (place(viewport), viewport.top) == ((0, 0), 0)
    assert viewport.find(1, lambda row: row.sort_key[1] == 100_004)
    assert (place(viewport), viewport.top) == ((4, 4), 0)
    assert not viewport.find(-1, lambda row: row.sort_key[1] == 100_030)
    assert place(viewport) == (4, 4)


def test_finding_upwards_from_the_newest_row_gives_up_following() -> None:
    viewport = viewing(50)
    assert viewport.find(-1, lambda row: row.sort_key[1] == 100_045)
    assert (place(viewport), viewport.following) == ((45, 5), False)


def test_a_line_of_the_screen_can_be_chosen() -> None:
    viewport = viewing(50)
    viewport.select_line(2)
    assert (place(viewport), viewport.following) == ((42, 2), False)
    viewport.select_line(99)
    assert place(viewport) == (49, 9)


def test_a_row_that_is_shown_whole_takes_lines_below_it() -> None:
    assert lines_in_sight(10, 11, 4, 0) == [(10, 0), (11, 0), (12, 0), (13, 0)]
    assert lines_in_sight(10, 11, 5, 2) == [(10, 0), (11, 0), (11, 1), (11, 2), (12, 0)]


def test_on_the_last_line_it_pushes_those_above_it_away() -> None:
    assert lines_in_sight(10, 13, 4, 2) == [(12, 0), (13, 0), (13, 1), (13, 2)]


@pytest.mark.parametrize("cursor", range(4))
def test_a_row_longer_than_the_screen_begins_on_its_first_line(cursor: int) -> None:
    assert lines_in_sight(0, cursor, 4, 9) == [(cursor, 0), (cursor, 1), (cursor, 2), (cursor, 3)]
    assert lines_in_sight(0, 0, 1, 9) == [(0, 0)]
