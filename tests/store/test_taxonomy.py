"""The taxonomy: the shipped types, an application's own files, and which events are admitted under what name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.event import Event, Severity
from store.taxonomy import (
    SHIPPED,
    EventType,
    RefusedEventError,
    SeverityName,
    Taxonomy,
    TaxonomyError,
    activate,
    active,
    load_taxonomy,
)
from store.wire import decode, encode
from tests.events import make_event

SHIPPED_TYPES = {
    "media": "media_item.added media_item.updated media_item.removed media_item.monitored_changed"
    " episode.monitored_changed season.monitored_changed",
    "downloads": "search.manual search.automatic download.initiated download.completed download.cancelled"
    " download.paused download.resumed download.failed",
    "library": "library.scan_started library.scan_completed library.file_imported library.file_renamed",
    "system": "indexer.health_changed download_client.health_changed job.executed job.cancelled job.failed",
    "auth": "user.login user.logout settings.changed",
    "interaction": "movie.viewed movie.downloaded movie.rated movie.liked movie.unliked movie.watchlisted"
    " movie.unwatchlisted actor.viewed tag.viewed search.performed recommendation.shown recommendation.clicked",
    "admin": "featured.item.created featured.item.updated featured.item.removed",
    "activity": "search.query search_result.clicked content.viewed content.rated playback.started"
    " playback.paused playback.resumed playback.completed playback.abandoned profile.updated preference.changed",
    "alerts": "alert.fired alert.resolved alert.acknowledged alert.unacknowledged alert.silenced alert.silence_ended",
    "privacy": "actor.erased",
}
NOT_INFO: dict[str, SeverityName] = {
    "download.failed": "error",
    "job.failed": "error",
    "alert.fired": "error",
    "indexer.health_changed": "warning",
    "download_client.health_changed": "warning",
}
ABOUT_CONTENT = {"search_result.clicked", "content.viewed", "content.rated"} | {
    f"playback.{verb}" for verb in ("started", "paused", "resumed", "completed", "abandoned")
}


@pytest.fixture
def shipped_afterwards() -> Iterator[None]:
    yield
    activate(Taxonomy.shipped())


class Files:
    """Taxonomy files of a test, each with its own name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str | bytes, name: str = "own.toml") -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def load(self, *texts: str, strict: bool = False) -> Taxonomy:
        return load_taxonomy(
            [self.write(text, f"{number}.toml") for number, text in enumerate(texts)], strict=strict
        )

    def refusal(self, text: str | bytes) -> str:
        """Why `text` is no taxonomy, without the folder of the file."""
        with pytest.raises(TaxonomyError) as caught:
            load_taxonomy([self.write(text)])
        message = str(caught.value)
        assert message.isprintable(), "an error is one line, with nothing in it that a terminal would act on"
        assert message.startswith(f"{self.folder}/")
        return message.removeprefix(f"{self.folder}/")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def refusal(taxonomy: Taxonomy, event: Event) -> str:
    with pytest.raises(RefusedEventError) as caught:
        taxonomy.admit(event)
    assert str(caught.value).isprintable()
    return str(caught.value)


ENDS = {
    "download.completed": ("download.initiated",),
    "download.cancelled": ("download.initiated",),
    "download.failed": ("download.initiated",),
    "library.scan_completed": ("library.scan_started",),
}
ABOUT_INDEXER = {"download.initiated", "download.completed", "download.cancelled", "download.failed"}
COUNTERS: dict[str, dict[str, int | str]] = {
    "movie.viewed": {"views": 1},
    "movie.downloaded": {"downloads": 1},
    "movie.rated": {"ratings": 1, "rating_sum": "rating"},
    "movie.liked": {"likes": 1},
    "movie.unliked": {"likes": -1},
    "movie.watchlisted": {"watchlists": 1},
    "movie.unwatchlisted": {"watchlists": -1},
    "actor.viewed": {"views": 1},
    "tag.viewed": {"views": 1},
    "content.viewed": {"views": 1},
    "content.rated": {"ratings": 1, "rating_sum": "rating"},
    "playback.started": {"plays": 1},
    "playback.completed": {"completions": 1},
}


def test_the_shipped_types_have_their_category_severity_and_required_resource() -> None:
    expected = [
        EventType(
            name,
            category,
            NOT_INFO.get(name, "info"),
            name in ABOUT_CONTENT,
            counters=tuple(COUNTERS.get(name, {}).items()),
            provider="indexer" if name in ABOUT_INDEXER else None,
            ends=ENDS.get(name, ()),
            invalidates=("featured",) if name.startswith("featured.item.") else (),
        )
        for category, names in SHIPPED_TYPES.items()
        for name in names.split()
    ]
    shipped = Taxonomy.shipped()
    assert [shipped[name] for name in shipped.names()] == expected
    assert not shipped.strict


def test_the_shipped_taxonomy_is_read_once() -> None:
    assert Taxonomy.shipped() is Taxonomy.shipped() is SHIPPED


def test_importing_the_event_reads_no_taxonomy_file() -> None:
    code = "import sys, store.event; print('store.taxonomy_file' in sys.modules, 'tomllib' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


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
def test_an_unknown_type_goes_by_its_name(event_type: str, category: str, severity: SeverityName) -> None:
    taxonomy = Taxonomy([])
    assert event_type not in taxonomy
    assert (taxonomy.category_of(event_type), taxonomy.severity_of(event_type)) == (category, severity)
    assert EventType.assumed(event_type) == EventType(event_type, category, severity)


def test_a_taxonomy_is_a_collection_of_names_in_the_order_of_declaration() -> None:
    taxonomy = Taxonomy([EventType("b.b", "x"), EventType("a.a", "x", deprecated_names=("a.old",))])
    assert taxonomy.names() == tuple(taxonomy) == ("b.b", "a.a")
    assert len(taxonomy) == 2
    assert "a.a" in taxonomy
    assert taxonomy["a.a"] == taxonomy.get("a.a") == EventType("a.a", "x", deprecated_names=("a.old",))
    assert "a.old" not in taxonomy
    assert taxonomy.get("a.old") is None
    with pytest.raises(KeyError):
        taxonomy["a.old"]


def test_the_shipped_types_keep_the_rules_of_events() -> None:
    for name in SHIPPED:
        event = Event(event_type=name)
        assert (event.category, event.severity) == (SHIPPED.category_of(name), SHIPPED.severity_of(name))


# An application's own files


def test_a_file_adds_types_after_the_shipped_ones(files: Files) -> None:
    taxonomy = files.load(
        """
        [types."door.forced"]
        category = "Building"
        severity = "warning"
        requires_resource = "door"
        deprecated_names = ["door.broken", "door.smashed"]
        [types]
        "door.opened" = { severity = "none" }
        "door.failed" = {}
        """
    )
    assert taxonomy.names() == (*SHIPPED.names(), "door.forced", "door.opened", "door.failed")
    assert taxonomy["door.forced"] == EventType(
        "door.forced", "building", "warning", "door", ("door.broken", "door.smashed")
    )
    assert taxonomy["door.opened"] == EventType("door.opened", "door", None)
    assert taxonomy["door.failed"] == EventType("door.failed", "door", "error")
    assert not taxonomy.strict


def test_what_a_file_leaves_out_of_a_known_type_stays(files: Files) -> None:
    taxonomy = files.load(
        'types."content.viewed" = { severity = "none" }',
        'types."content.viewed".category = "views"\ntypes."job.failed".severity = "warning"',
    )
    assert taxonomy["content.viewed"] == EventType(
        "content.viewed", "views", None, requires_resource=True, counters=(("views", 1),)
    )
    assert taxonomy["job.failed"] == EventType("job.failed", "system", "warning")
    assert SHIPPED["job.failed"] == EventType("job.failed", "system", "error")


def test_no_files_give_the_shipped_types() -> None:
    assert load_taxonomy([]).names() == SHIPPED.names()


@pytest.mark.parametrize("argument", [True, False])
@pytest.mark.parametrize("first", ["", "taxonomy.strict = true", "taxonomy.strict = false"])
@pytest.mark.parametrize("second", ["", "[taxonomy]\nstrict = true\n", "[taxonomy]"])
def test_one_voice_for_strict_makes_it_strict(files: Files, argument: bool, first: str, second: str) -> None:
    taxonomy = files.load(first, second, strict=argument)
    assert taxonomy.strict == (argument or "true" in first or "true" in second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '# severty = 1\n[types."door.forced"]\ncategory = "a"\nseverty = "error"\n',
            "own.toml:4: unknown key 'severty' of 'door.forced'; did you mean 'severity'?",
        ),
        (
            '[types]\n"a.b" = {}\n"door.forced" = { category = "a", weight = 1 }\n',
            (
                "own.toml:3: unknown key 'weight' of 'door.forced';"
                " known: category, severity, requires_resource, deprecated_names, counters, provider, invalidates,"
                " ends"
            ),
        ),
        *(
            (
                f'[types]\n"a.b" = {{ counters = {counters} }}',
                (
                    "own.toml:2: 'counters' of 'a.b' must be a table of names in lower case, each with a whole number"
                    ' but 0, or the path of one in the metadata, as in { likes = 1, points = "rating" }'
                ),
            )
            for counters in (
                "1",
                "{ Likes = 1 }",
                "{ likes = 0 }",
                "{ likes = 1.5 }",
                "{ likes = true }",
                "{ likes = 1000001 }",
                '{ likes = "" }',
                '{ likes = "a..b" }',
                "{ likes = [1] }",
            )
        ),
        (
            '[types."a.b"]\nseverity = "info"\n\n[types."a.c"]\nseverity = "fatal"\n',
            'own.toml:5: \'severity\' of \'a.c\' must be "info", "warning", "error" or "none"',
        ),
        (
            'types."a.b".category = 3',
            "own.toml:1: 'category' of 'a.b' must be text of 1 to 64 characters",
        ),
        (
            'types."a.b".category = ""',
            "own.toml:1: 'category' of 'a.b' must be text of 1 to 64 characters",
        ),
        (
            '\n\ntypes."a.b".severity = ["info"]',
            'own.toml:3: \'severity\' of \'a.b\' must be "info", "warning", "error" or "none"',
        ),
        (
            'types."a.b".requires_resource = 1',
            (
                "own.toml:1: 'requires_resource' of 'a.b' must be true, false or the type of the resource,"
                " text of 1 to 64 characters"
            ),
        ),
        (
            'types."a.b".deprecated_names = "a.c"',
            "own.toml:1: 'deprecated_names' of 'a.b' must be a list of event types, as in [\"noun.verb\"]",
        ),
        (
            'types."a.b".deprecated_names = ["a.c", 3]',
            "own.toml:1: 'deprecated_names' of 'a.b' must be a list of event types, as in [\"noun.verb\"]",
        ),
        ('[tpyes."a.b"]', "own.toml:1: unknown key 'tpyes'; did you mean 'types'?"),
        (
            "\n[taxonomy]\nstrct = true",
            "own.toml:3: unknown key 'strct' of 'taxonomy'; did you mean 'strict'?",
        ),
        ('[taxonomy]\nstrict = "yes"', "own.toml:2: 'strict' must be true or false"),
        ("\ntypes = 3", "own.toml:2: 'types' must be a table"),
        ('types."a.b" = "c"', "own.toml:1: 'a.b' must be a table"),
        (
            "\n[types.door.forced]",
            "own.toml:2: 'door' is no event type: lower case, dotted, quoted as in [types.\"noun.verb\"]",
        ),
        (
            'types."Door.Forced" = {}',
            "own.toml:1: 'Door.Forced' is no event type: lower case, dotted, quoted as in [types.\"noun.verb\"]",
        ),
        (
            'types."a.b" = {}\ntypes."a.c".deprecated_names = ["a.b"]',
            "own.toml: 'a.b' is a type, and a deprecated name of 'a.c'",
        ),
        (
            'types."a.b".deprecated_names = ["a.b"]',
            "own.toml: 'a.b' is a type, and a deprecated name of 'a.b'",
        ),
        (
            'types."a.b".deprecated_names = ["x.y"]\ntypes."a.c".deprecated_names = ["x.y"]',
            "own.toml: 'x.y' is a deprecated name of both 'a.b' and 'a.c'",
        ),
        ("types = [", "own.toml: not TOML: Invalid value (at end of document)"),
        (b"\xff", "own.toml: not UTF-8"),
        ("#" * 1_100_000, "own.toml: over 1024 KiB, too large for a taxonomy"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_at_its_line(
    files: Files, text: str | bytes, message: str
) -> None:
    assert files.refusal(text) == message


@pytest.mark.parametrize(
    "text",
    [
        '"\\u001b[31m" = 1',
        'types."\\u001b[31m\\u202e" = {}',
        'types."a.b"."\\u001b[2J" = 1',
        "types." + '"' + "x" * 500 + '" = {}',
        "x = " + "[" * 5000,
        "x = " + "9" * 5000,
        "x = 1\nx = 2",
        "x = \x1b",
    ],
)
def test_a_hostile_file_gives_one_harmless_line(files: Files, text: str) -> None:
    assert len(files.refusal(text)) < 250


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"missing\.toml: cannot read the taxonomy: No such file"):
        load_taxonomy([tmp_path / "missing.toml"])
    with pytest.raises(TaxonomyError, match="cannot read the taxonomy: Is a directory"):
        load_taxonomy([tmp_path])
    with pytest.raises(TaxonomyError, match=r"'no\\x1bsuch\\x00file': cannot read"):
        load_taxonomy([Path("no\x1bsuch\x00file")])


def test_a_file_with_windows_line_ends_is_refused_at_the_right_line(files: Files) -> None:
    assert files.refusal('[types."a.b"]\r\n\r\nseverty = 1\r\n').startswith(
        "own.toml:3: unknown key 'severty'"
    )


# Admission


@pytest.mark.parametrize("event_type", ["job.executed", "door.opened"])
def test_an_event_with_nothing_to_object_to_is_admitted_as_it_is(event_type: str) -> None:
    event = make_event(event_type=event_type)
    assert SHIPPED.admit(event) is event


@pytest.mark.parametrize(
    ("event_type", "message"),
    [
        ("job.execute", "'job.execute' is no known event type; did you mean 'job.executed'?"),
        ("zzz.zzz", "'zzz.zzz' is no known event type; declare it in a taxonomy file"),
    ],
)
def test_a_strict_taxonomy_refuses_an_unknown_type(event_type: str, message: str) -> None:
    strict = load_taxonomy([], strict=True)
    assert refusal(strict, make_event(event_type=event_type)) == message
    assert strict.admit(make_event(event_type="job.executed")) == make_event(event_type="job.executed")


@pytest.mark.parametrize("event_type", sorted(ABOUT_CONTENT))
def test_a_content_event_without_a_resource_id_is_refused(event_type: str) -> None:
    assert (
        refusal(SHIPPED, make_event(event_type=event_type, resource_type="movie"))
        == f"'{event_type}' requires a resource id, and the event has none"
    )
    with_content = make_event(event_type=event_type, resource_type="movie", resource_id="12")
    assert SHIPPED.admit(with_content) is with_content


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ({}, "'door.forced' requires a resource id of type 'door', and the event has none"),
        (
            {"resource_id": "1"},
            "'door.forced' requires a resource of type 'door', and the event has one of no type",
        ),
        (
            {"resource_type": "win\x1bdow", "resource_id": "1"},
            "'door.forced' requires a resource of type 'door', and the event has one of type 'win\\x1bdow'",
        ),
    ],
)
def test_a_resource_of_the_required_type_is_asked_for(resource: dict[str, Any], message: str) -> None:
    taxonomy = Taxonomy([EventType("door.forced", "building", requires_resource="door")])
    assert refusal(taxonomy, make_event(event_type="door.forced", **resource)) == message
    taxonomy.admit(make_event(event_type="door.forced", resource_type="door", resource_id="1"))


RENAMING = Taxonomy(
    [
        EventType(
            "download.failed", "downloads", "error", deprecated_names=("download.error", "fetch.failed")
        ),
        EventType("door.opened", "building", None, requires_resource=True, deprecated_names=("door.open",)),
    ],
    strict=True,
)


def test_an_event_under_a_deprecated_name_is_recorded_under_the_current_one() -> None:
    old = make_event(
        event_type="download.error", metadata={"a": 1}, resource_type="download", resource_id="1"
    )
    new = RENAMING.admit(old)
    assert new == make_event(
        event_type="download.failed",
        metadata={"a": 1},
        resource_type="download",
        resource_id="1",
        category="downloads",
        severity="error",
    )
    assert type(new.severity) is Severity
    assert RENAMING.admit(new) is new


def test_what_the_producer_said_of_a_deprecated_type_stays() -> None:
    old = make_event(event_type="download.error", category="mine", severity="warning")
    new = RENAMING.admit(old)
    assert (new.event_type, new.category, new.severity) == ("download.failed", "mine", Severity.WARNING)
    none = RENAMING.admit(make_event(event_type="fetch.failed", severity=None))
    assert (none.category, none.severity) == ("downloads", None)


def test_an_event_that_came_over_the_bus_is_renamed_too() -> None:
    event = decode(encode(make_event(event_type="download.error"))).event
    renamed = RENAMING.admit(event)
    assert (renamed.event_type, renamed.category, renamed.severity) == (
        "download.failed",
        "downloads",
        "error",
    )
    assert decode(encode(renamed)).event == renamed


def test_the_rules_of_the_current_type_hold_for_its_deprecated_names() -> None:
    assert refusal(RENAMING, make_event(event_type="door.open")).startswith("'door.opened' requires")
    renamed = RENAMING.admit(make_event(event_type="door.open", resource_id="1"))
    assert (renamed.event_type, renamed.category, renamed.severity) == ("door.opened", "building", None)


def test_a_deprecated_name_stands_for_its_type() -> None:
    assert RENAMING.current_name("door.open") == "door.opened"
    assert RENAMING.current_name("door.opened") == "door.opened"
    assert RENAMING.current_name("no.such") == "no.such"
    assert (RENAMING.category_of("door.open"), RENAMING.severity_of("door.open")) == ("building", None)


# The active taxonomy


@pytest.mark.usefixtures("shipped_afterwards")
def test_events_take_their_defaults_from_the_active_taxonomy(files: Files) -> None:
    assert active() is Taxonomy.shipped()
    assert Event(event_type="door.forced").category == "door"
    taxonomy = files.load('types."door.forced" = { category = "building", severity = "none" }')
    activate(taxonomy)
    assert active() is taxonomy
    event = Event(event_type="door.forced")
    assert (event.category, event.severity) == ("building", None)
    assert decode(b'{"event_type":"door.forced"}').event.category == "building"


@pytest.mark.usefixtures("shipped_afterwards")
def test_an_empty_taxonomy_can_be_active() -> None:
    empty = Taxonomy([])
    activate(empty)
    assert active() is empty
    assert Event(event_type="job.executed").category == "job"
