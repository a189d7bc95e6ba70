"""Views as tables of a file that people write in too: what is read, what is refused, what is never lost."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.model.filter import Facet, Filter, Span
from monitor.model.view import View, query_text
from monitor.views import ViewFile, ViewsError, view_name
from store.event import Severity
from store.query.parser import parse
from store.query.syntax import Field, QueryError
from tests.events import NOON, at, make_event

FULL = View(
    query='type:download.* "timed out"',
    minimum=Severity.WARNING,
    zone="Europe/Berlin",
    side=False,
    facets=Field.STATUS,
    histogram="heatmap",
    bars=60,
)
WRITTEN = """\
# Ours, for the night shift.
["failed downloads"]
query = "type:download.failed last:1h"  # the usual
minimum = "error"

[jobs]
query = "type:job.*"
"""


@pytest.fixture
def file(tmp_path: Path) -> ViewFile:
    return ViewFile(tmp_path / "evtop" / "views.toml")


def shown(text: str, **changes: Any) -> Filter:
    return Filter(query=parse(text, NOON, None), text=text, **changes)


def test_what_is_saved_is_read_again(file: ViewFile) -> None:
    assert file.read().by_name == {}
    file.save("night", FULL)
    file.save('a "b" . #', View())
    assert file.read().by_name == {"night": FULL, 'a "b" . #': View()}
    assert file.read().problems == {}
    assert file.path.stat().st_mode & 0o077 == 0


def test_what_people_wrote_stays_as_it_is(file: ViewFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text(WRITTEN)
    file.save("new", View(query="a"))
    assert file.path.read_text().startswith(WRITTEN)
    file.save("failed downloads", View(query="b", side=True))
    text = file.path.read_text()
    assert text.startswith('# Ours, for the night shift.\n["failed downloads"]\nquery = "b"  # the usual\n')
    assert file.read().by_name == {
        "failed downloads": View(query="b", side=True),
        "jobs": View(query="type:job.*"),
        "new": View(query="a"),
    }
    file.remove("jobs")
    file.remove("never there")
    assert list(file.read().by_name) == ["failed downloads", "new"]
    assert file.path.read_text().startswith("# Ours")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('qurey = "a"', "no part of a view: qurey; did you mean query?"),
        ("query = 3", "query: a filter as text is expected"),
        ('minimum = "fatal"', "minimum: one of info, warning, error is expected"),
        ('zone = "Mars"', "zone: a zone like UTC, local, ago or Europe/Berlin is expected"),
        ("side = 1", "side: true or false is expected"),
        ('facets = "type"', "facets: one of category, severity, actor, resource_type, status is expected"),
        ("bars = true", "bars: minutes, one of 1, 5, 60, 1440 is expected"),
    ],
)
def test_a_table_that_is_no_view_is_told_with_its_line_and_the_others_are_there(
    file: ViewFile, line: str, said: str
) -> None:
    file.path.parent.mkdir()
    broken = f'[good]\nquery = "a"\n\n["bad one"]\n{line}\n'
    file.path.write_text(broken)
    views = file.read()
    assert views.by_name == {"good": View(query="a")}
    assert views.problems == {"bad one": f"{file.path}:5: {said}"}
    # Saving another one leaves it to be mended.
    file.save("third", View())
    assert file.path.read_text().startswith(broken)


def test_what_is_no_table_is_told(file: ViewFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text('\njobs = "type:job.*"\n')
    assert file.read().problems == {"jobs": f"{file.path}:2: jobs: a view is a table, [jobs]"}


def test_a_file_that_is_no_toml_is_told_and_never_written_over(file: ViewFile) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(b'[good]\nquery = "a\n')
    with pytest.raises(ViewsError, match=r"views.toml: .*line 2"):
        file.read()
    with pytest.raises(ViewsError, match=r"views.toml: .*line 2"):
        file.save("x", View())
    assert file.path.read_bytes() == b'[good]\nquery = "a\n'
    file.path.write_bytes(b"\xff")
    with pytest.raises(ViewsError, match="not UTF-8"):
        file.save("x", View())
    assert file.path.read_bytes() == b"\xff"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "evtop").write_text("in the way")
    with pytest.raises(ViewsError, match="evtop"):
        ViewFile(tmp_path / "evtop" / "views.toml").save("x", View())


def test_many_that_save_at_once_lose_nothing(file: ViewFile) -> None:
    names = [f"view {number}" for number in range(8)]
    threads = [threading.Thread(target=file.save, args=(name, View(query=name))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(file.read().by_name) == names


def test_the_query_of_a_view_is_read_in_its_own_zone() -> None:
    view = View(query="since:13:30 until:13:45", minimum=Severity.ERROR, zone="Europe/Berlin")
    matches = view.filter(at(3600), ZoneInfo("Asia/Tokyo")).predicate()
    # 13:30 in Berlin is 12:30 UTC.
    found = [
        minute
        for minute in range(60)
        if matches(make_event(1, severity="error", inserted_at=at(60 * minute)))
    ]
    assert found == list(range(30, 45))
    assert not matches(make_event(1, severity="info", inserted_at=at(1900)))
    with pytest.raises(QueryError):
        View(query="type:").filter(NOON, None)


def test_a_query_is_kept_as_it_was_typed_where_that_says_it_all() -> None:
    assert query_text(shown("tracker   timed")) == "tracker   timed"
    assert query_text(shown("a", minimum=Severity.ERROR)) == "a"
    assert query_text(shown("since:-2h")) == "since:-2h"
    assert query_text(shown("last:15m"), fixed=True) == "last:15m"
    assert query_text(shown("a OR since:2026-11-21T10:00Z"), fixed=True) == "a OR since:2026-11-21T10:00:00Z"


@pytest.mark.parametrize("fixed", [False, True])
def test_what_was_hidden_or_shown_alone_is_part_of_the_query(fixed: bool) -> None:
    complete = shown(
        "a OR b",
        muted=frozenset({Facet(Field.TYPE, "x.y")}),
        only=frozenset({Facet(Field.STATUS, ""), Facet(Field.STATUS, "failed")}),
        minimum=Severity.WARNING,
        span=Span(NOON, NOON + timedelta(minutes=5)),
    )
    view = View(query=query_text(complete, fixed=fixed), minimum=complete.minimum)
    again, before = view.filter(at(7200), ZoneInfo("Asia/Tokyo")).predicate(), complete.predicate()
    events = [
        make_event(
            number,
            event_type=kind,
            status=status,
            severity=severity,
            metadata={"t": word},
            inserted_at=at(second),
        )
        for number, (kind, status, severity, word, second) in enumerate(
            (kind, status, severity, word, second)
            for kind in ("x.y", "x.z")
            for status in (None, "failed", "down")
            for severity in (None, "info", "error")
            for word in ("a", "q")
            for second in (-1, 0, 299, 300)
        )
    ]
    assert [again(event) for event in events] == [before(event) for event in events]
    assert 0 < sum(map(before, events)) < len(events)


def test_names() -> None:
    assert view_name("  night   shift ") == "night shift"
    for text in ("", " ", "x" * 61):
        with pytest.raises(ValueError, match="name"):
            view_name(text)
    assert "\x1b" not in view_name("a\x1b[31mb")
