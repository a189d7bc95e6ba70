"""The taxonomy knows the types evtop was made for and has a rule for all others."""

from __future__ import annotations

import pytest

from store.event import Event
from store.taxonomy import SHIPPED, EventType, Taxonomy


def test_a_known_type_has_its_category_and_severity() -> None:
    taxonomy = Taxonomy(
        [EventType("door.opened", "building", None), EventType("door.forced", "alarm", "error")]
    )
    assert (taxonomy.category_of("door.opened"), taxonomy.severity_of("door.opened")) == ("building", None)
    assert (taxonomy.category_of("door.forced"), taxonomy.severity_of("door.forced")) == ("alarm", "error")


@pytest.mark.parametrize(
    ("event_type", "category", "severity"),
    [
        ("window.opened", "window", "info"),
        ("window.broken.failed", "window", "error"),
        ("window.failed_over", "window", "info"),
        ("w" * 70 + ".opened", "w" * 64, "info"),
    ],
)
def test_an_unknown_type_goes_by_its_name(event_type: str, category: str, severity: str) -> None:
    taxonomy = Taxonomy([])
    assert event_type not in taxonomy
    assert (taxonomy.category_of(event_type), taxonomy.severity_of(event_type)) == (category, severity)


def test_names_are_in_the_order_of_declaration() -> None:
    taxonomy = Taxonomy([EventType("b.b", "x"), EventType("a.a", "x")])
    assert taxonomy.names() == ("b.b", "a.a")
    assert len(taxonomy) == 2
    assert "a.a" in taxonomy


def test_no_shipped_type_is_declared_twice_or_breaks_a_rule_of_events() -> None:
    names = SHIPPED.names()
    assert len(names) == len(SHIPPED) == len(set(names)) > 40
    for name in names:
        event = Event(event_type=name)
        assert (event.category, event.severity) == (SHIPPED.category_of(name), SHIPPED.severity_of(name))


@pytest.mark.parametrize(
    ("category", "example"),
    [
        ("media", "media_item.added"),
        ("downloads", "search.manual"),
        ("library", "library.file_imported"),
        ("system", "download_client.health_changed"),
        ("auth", "settings.changed"),
        ("interaction", "search.performed"),
        ("admin", "featured.item.created"),
        ("activity", "playback.started"),
    ],
)
def test_each_shipped_category_has_its_types(category: str, example: str) -> None:
    assert SHIPPED.category_of(example) == category
