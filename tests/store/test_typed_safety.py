"""No typed call ever raises into the application, whatever it is given; what can be read is recorded."""

from __future__ import annotations

import inspect
import logging
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from store import typed
from store.integration import MISHAPS
from store.recording import Actor
from store.taxonomy import SHIPPED
from store.typed import DownloadEvents, GatewayEvents, MediaEvents, TypedEvents, Visitor
from tests.store.recorded import Recorded
from tests.store.typed_calls import ANA, CALLS, MOVIE, SERIES, Item


class Raising:
    """Every attribute raises, and so does its text."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("text")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __bool__(self) -> bool:
        raise RuntimeError("asked")

    __hash__ = None  # type: ignore[assignment]


class Endless:
    """Every attribute is another one of these."""

    def __getattr__(self, name: str) -> Any:
        return Endless()


class RaisingText(str):
    """A text that cannot be handled."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("text")

    def __getitem__(self, key: Any) -> str:
        raise RuntimeError("cut")

    def strip(self, chars: str | None = None, /) -> str:
        raise RuntimeError("strip")


CIRCLE: dict[str, Any] = {}
CIRCLE["self"] = CIRCLE
ODD: list[Any] = [
    None,
    object(),
    Raising(),
    Endless(),
    MagicMock(),
    SimpleNamespace(id=None, type=None, title=None, series=None, work=None),
    SimpleNamespace(id=float("nan"), type="x" * 65, title=b"bytes", series=Raising(), work=Raising()),
    SimpleNamespace(id="x" * 256, type="a\x00\ud800", title="x" * 10**6, year=2**70, monitored=CIRCLE),
    RaisingText("text"),
    CIRCLE,
    float("nan"),
    2**70,
    "\x00\ud800",
    "",
    b"bytes",
]
METHODS = [
    (area, name, method)
    for area in vars(typed).values()
    if isinstance(area, type) and issubclass(area, TypedEvents) and area is not TypedEvents
    for name, method in inspect.getmembers(area, inspect.isfunction)
    if not name.startswith("_")
]


@pytest.mark.parametrize("number", range(len(ODD)))
@pytest.mark.parametrize(("area", "name", "method"), METHODS, ids=[name for _, name, _ in METHODS])
def test_odd_objects_do_not_raise_and_give_valid_events(
    area: type[TypedEvents], name: str, method: Any, number: int
) -> None:
    odd = ODD[number]
    parameters = list(inspect.signature(method).parameters.values())[1:]
    positional = [odd for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    by_name = {parameter.name: odd for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    recorder = Recorded()
    before = MISHAPS.total
    answer = getattr(area(recorder), name)(*positional, **by_name)
    assert answer is bool(recorder.events)
    # `Recorded` validates: of an event that the store would refuse there would be a call and no event.
    assert recorder.calls == len(recorder.events)
    assert recorder.events or MISHAPS.total > before


@pytest.mark.parametrize("event_type", SHIPPED.names())
@pytest.mark.parametrize("broken", [True, RuntimeError("no database"), RecursionError()], ids=repr)
def test_a_broken_recorder_is_answered_with_false(event_type: str, broken: bool | BaseException) -> None:
    assert CALLS[event_type](Recorded(broken=broken)) is False


@pytest.mark.parametrize("recorder", [None, object(), 3])
def test_what_is_no_recorder_does_no_harm(recorder: Any) -> None:
    assert MediaEvents(recorder).item_added(MOVIE, ANA) is False


def test_a_call_with_wrong_arguments_is_counted_and_not_raised() -> None:
    recorder = Recorded()
    call: Any = MediaEvents(recorder).item_added
    before = MISHAPS.total
    assert call() is False
    assert call(MOVIE, ANA, nonsense=1) is False
    assert MISHAPS.total == before + 2


def test_what_stops_the_application_is_let_through() -> None:
    class Interrupted:
        @property
        def id(self) -> str:
            raise KeyboardInterrupt

    item: Any = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        MediaEvents(Recorded()).item_added(item, ANA)


def test_what_can_be_read_is_recorded_and_the_rest_is_named() -> None:
    class Half:
        id = "a1"
        type = "movie"
        year = 2019

        @property
        def title(self) -> str:
            raise RuntimeError("database is gone")

        def monitored(self) -> bool:
            return True

    recorder = Recorded()
    half: Any = Half()
    assert MediaEvents(recorder).item_added(half, ANA) is True
    assert recorder.only.resource == "movie/a1"
    assert recorder.only.metadata == {"year": 2019, "unreadable": ["title"]}


def test_an_actor_that_is_none_leaves_the_event_to_the_system_and_says_so() -> None:
    recorder = Recorded()
    odd: Any = "ana"
    MediaEvents(recorder).item_added(MOVIE, odd)
    MediaEvents(recorder).item_added(MOVIE, Actor.user("x" * 300))
    assert [event.actor for event in recorder.events] == ["system", "user"]
    assert [event.metadata["unreadable"] for event in recorder.events] == [["actor"], ["actor"]]


def test_an_id_that_is_too_long_is_left_out_and_not_cut() -> None:
    recorder = Recorded()
    long: Any = SimpleNamespace(id="x" * 256, type="movie", title="X")
    MediaEvents(recorder).item_added(long, ANA)
    assert (recorder.only.resource, recorder.only.metadata["unreadable"]) == ("movie", ["resource"])


def test_long_and_unstorable_texts_are_mended() -> None:
    recorder = Recorded()
    MediaEvents(recorder).item_added(Item(1, "movie", "a\x00\ud800" + "x" * 10**6), ANA)
    title = recorder.only.metadata["title"]
    assert title.startswith("a\ufffd\ufffdxxx")
    assert title.endswith("…")
    assert len(title) == 1_000


ERRORS: list[Any] = [
    "text\nof two lines",
    ValueError("text"),
    ValueError(Raising()),
    Raising(),
    RaisingText("text"),
    None,
    3,
    b"x",
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_the_error_of_a_failed_download_is_one_line(number: int) -> None:
    recorder, error = Recorded(), ERRORS[number]
    download: Any = SimpleNamespace(id="d1", title="X", work=SERIES)
    assert DownloadEvents(recorder).download_failed(download, error) is True
    told = recorder.only.metadata.get("error")
    assert told is None or "\n" not in str(told)
    assert recorder.only.status == "failed"


def test_trouble_is_logged_once_an_event_type_without_quoting(caplog: pytest.LogCaptureFixture) -> None:
    gateway = GatewayEvents(Recorded())
    odd: Any = SimpleNamespace(content=None, position_s="\x1b[2J", length_s="hunter2")
    name = repr("playback.resumed")
    before = MISHAPS.counts().get(name, 0)
    with caplog.at_level(logging.WARNING, "store"):
        for _ in range(5):
            gateway.playback_resumed(odd, Visitor("ana"))
    assert MISHAPS.counts()[name] == before + 5
    assert len(caplog.records) == (0 if before else 1)
    for record in caplog.records:
        assert "hunter2" not in record.getMessage()
        assert "\x1b" not in record.getMessage()
