"""What pages tell of the metadata of a resource."""

from __future__ import annotations

import pytest

from monitor.masking import Mask, activate
from monitor.model.resource import resource_facts
from monitor.model.subjects import ResourceName
from monitor.model.told import PLACES_MAX, VALUE_MAX, PlaceError, ToldPlaces, read_places, told_text
from tests.events import make_event

FILM = ResourceName("movie", "umbra")
PRIMARY = {"resource_type": "movie", "resource_id": "umbra"}
SECONDARY = {"secondary_resource_type": "movie", "secondary_resource_id": "umbra"}
PLACES = ToldPlaces(("release.name", "title"), ("year", "file.size", "genres", "absent"))


def test_places_are_read_in_their_order_each_once() -> None:
    assert read_places(" year, file.size ,,year") == ("year", "file.size")
    assert read_places("") == ()


@pytest.mark.parametrize("text", [".", "a..b", "year,.size", "file."])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(PlaceError, match="is no place in metadata"):
        read_places(text)


def test_there_are_not_too_many() -> None:
    with pytest.raises(PlaceError, match=f"over {PLACES_MAX}"):
        read_places(",".join(f"p{number}" for number in range(PLACES_MAX + 1)))


def test_the_newest_that_says_something_is_told_whatever_the_order_of_the_events() -> None:
    said = [
        {"title": "old", "year": 1983, "file": {"size": 1}},
        {"title": "new", "year": 1984, "file": "gone", "genres": ["noir", "war"]},
        {"title": " ", "year": None, "file": {"size": 0}, "genres": []},
        {"title": 7, "year": ""},
    ]
    events = [make_event(number, metadata=metadata, **PRIMARY) for number, metadata in enumerate(said)]
    facts = resource_facts(reversed(events), FILM, places=PLACES)
    assert facts.title == "new"
    assert dict(facts.told) == {"year": 1984, "file.size": 0, "genres": ["noir", "war"]}
    assert list(facts.told) == ["year", "file.size", "genres"]


def test_the_first_place_that_has_a_title_wins() -> None:
    events = [make_event(1, metadata={"title": "Umbra", "release": {"name": "umbra.2160p"}}, **PRIMARY)]
    assert resource_facts(events, FILM, places=PLACES).title == "umbra.2160p"
    assert resource_facts(events, FILM).title == "Umbra"


def test_events_that_are_about_something_else_tell_nothing() -> None:
    facts = resource_facts([make_event(1, metadata={"title": "no", "year": 1}, **SECONDARY)], FILM)
    assert (facts.title, dict(facts.told)) == (None, {})


@pytest.mark.parametrize("kind", ["alert.fired", "alert.resolved"])
def test_an_alert_about_it_says_not_what_it_is_called(kind: str) -> None:
    said = {"title": "movie/umbra is down", "year": 1}
    events = [
        make_event(1, metadata={"title": "Umbra"}, **PRIMARY),
        make_event(2, event_type=kind, category="alerts", metadata=said, **PRIMARY),
    ]
    facts = resource_facts(events, FILM)
    assert (facts.title, dict(facts.told)) == ("Umbra", {})
    assert resource_facts(events[1:], FILM).title is None


def test_personal_data_is_hidden_in_them() -> None:
    events = [make_event(1, metadata={"title": "of 192.0.2.7", "ip": "192.0.2.7"}, **PRIMARY)]
    activate(Mask())
    facts = resource_facts(events, FILM, places=ToldPlaces(facts=("ip",)))
    assert facts.told["ip"].startswith("ip·")
    assert facts.title == f"of {facts.told['ip']}"


@pytest.mark.parametrize(
    ("value", "text"),
    [("Ünï", "Ünï"), (1984, "1984"), (True, "true"), (["a", 1], '["a", 1]'), ("x" * 99, "x" * 59 + "…")],
)
def test_a_value_is_shown_short(value: object, text: str) -> None:
    assert told_text(value) == text
    assert len(told_text(value)) <= VALUE_MAX
