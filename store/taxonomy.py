"""What is known of event types before any event is seen: category, default severity, what they must be about.

The taxonomy is data: `taxonomy.toml` beside this file has the shipped types, and an application adds its own in
files of the same form. Unknown types are welcome, unless the taxonomy is strict: their category is the first word
of their name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from store.event import Event

SeverityName = Literal["info", "warning", "error"]


class TaxonomyError(Exception):
    """A taxonomy that cannot be used. The message is one line that names the file, the place and what is wrong."""


class RefusedEventError(ValueError):
    """An event that the taxonomy does not admit. The message is one line that says why."""


@dataclass(frozen=True, slots=True)
class EventType:
    """What is known of one event type. The fields but for `name` are the keys of a type in a taxonomy file.

    `severity` is the default, None for none. `requires_resource` asks for a resource id; as a text it also asks
    for a resource of this type. An event under one of `deprecated_names` is recorded under `name`. `counters` are
    what it adds to counters of its resource: a number, or as a text the path of a number in its metadata. `provider`
    is the path of the name of who provided what the event is about. `invalidates` names read models that are no longer
    right after it. `ends` are the types of events whose work an event of this type ends, of the same resource.
    """

    name: str
    category: str
    severity: SeverityName | None = "info"
    requires_resource: bool | str = False
    deprecated_names: tuple[str, ...] = ()
    counters: tuple[tuple[str, int | str], ...] = ()
    provider: str | None = None
    invalidates: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()

    @classmethod
    def assumed(cls, name: str) -> EventType:
        """What is taken for granted of a type that nothing is known of."""
        return cls(name, _assumed_category(name), _assumed_severity(name))


class Taxonomy:
    """A set of known event types, with a rule for the ones it does not know: a strict one refuses those.

    Of types with the same name the last one counts.

    Raises:
        TaxonomyError: a deprecated name is a known type, or stands for two types.
    """

    def __init__(self, types: Iterable[EventType], strict: bool = False) -> None:
        self.strict = strict
        self._types: Mapping[str, EventType] = {known.name: known for known in types}
        self._names = tuple(self._types)
        self._renamed = self._deprecated_names()
        self.counting: Mapping[str, Sequence[tuple[str, int | str]]] = {
            known.name: known.counters for known in self._types.values() if known.counters
        }
        """What events of a type add to counters, for the types that count."""
        self.providers = {known.name: known.provider for known in self._types.values() if known.provider}
        """Where events of a type name their provider, for the types that do."""
        self.invalidating = {
            known.name: known.invalidates for known in self._types.values() if known.invalidates
        }
        """The read models that are no longer right after an event of a type."""
        self.ends = {known.name: known.ends for known in self._types.values() if known.ends}
        """The types whose work an event of a type ends."""

    @classmethod
    @cache
    def shipped(cls) -> Taxonomy:
        """The types of the media application, the catalogue site and the media gateway that evtop was made for."""
        return _read((_SHIPPED_FILE,), base=(), strict=False)

    def __contains__(self, event_type: object) -> bool:
        return event_type in self._types

    def __len__(self) -> int:
        return len(self._types)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, name: str) -> EventType:
        return self._types[name]

    def get(self, name: str) -> EventType | None:
        """The type of this name; None for an unknown or deprecated one."""
        return self._types.get(name)

    def names(self) -> tuple[str, ...]:
        """All known event types, in the order they were declared; deprecated names are not among them."""
        return self._names

    def current_name(self, event_type: str) -> str:
        """The name that `event_type` is recorded under: another one when it is deprecated, else its own."""
        return self._renamed.get(event_type, event_type)

    def category_of(self, event_type: str) -> str:
        """The category of `event_type`, deprecated or not; for an unknown type, the first word of its name."""
        known = self._types.get(self._renamed.get(event_type, event_type))
        return known.category if known else _assumed_category(event_type)

    def severity_of(self, event_type: str) -> SeverityName | None:
        """The default severity of `event_type`, deprecated or not.

        `info` for an unknown type, `error` when its name ends in `.failed`.
        """
        known = self._types.get(self._renamed.get(event_type, event_type))
        return known.severity if known else _assumed_severity(event_type)

    def admit(self, event: Event) -> Event:
        """The event to record for `event`: itself, or a copy under the current name of a deprecated type.

        The copy takes category and severity of the current type where `event` has what is taken for granted of
        an unknown type of the old name; what its producer said otherwise stays.

        Raises:
            RefusedEventError: the taxonomy is strict and does not know the type, or the type requires a resource
                that the event does not have.
        """
        known = self._types.get(event.event_type)
        if known is None:
            current = self._renamed.get(event.event_type)
            if current is None:
                if self.strict:
                    raise RefusedEventError(_unknown(event.event_type, self._names))
                return event
            known = self._types[current]
            event = _renamed(event, known)
        if known.requires_resource:
            _require_resource(event, known.requires_resource)
        return event

    def _deprecated_names(self) -> dict[str, str]:
        renamed: dict[str, str] = {}
        for known in self._types.values():
            for old in known.deprecated_names:
                if old in self._types:
                    raise TaxonomyError(
                        f"{quoted(old)} is a type, and a deprecated name of {quoted(known.name)}"
                    )
                if renamed.setdefault(old, known.name) != known.name:
                    raise TaxonomyError(
                        f"{quoted(old)} is a deprecated name of both {quoted(renamed[old])} and {quoted(known.name)}"
                    )
        return renamed


def load_taxonomy(paths: Iterable[Path], strict: bool = False) -> Taxonomy:
    """The shipped types, extended and overridden by the files at `paths`, a later one by the ones before it.

    What a file leaves out of a known type stays as it was. The taxonomy is strict when `strict` is true or one of
    the files says so.

    Raises:
        TaxonomyError: a file cannot be read or breaks a rule; the message names the file and, where it can, the line.
    """
    shipped = Taxonomy.shipped()
    return _read(paths, base=(shipped[name] for name in shipped), strict=strict)


_active: Taxonomy | None = None


def active() -> Taxonomy:
    """The taxonomy of this process, which events take their defaults from: until `activate`, the shipped one."""
    return Taxonomy.shipped() if _active is None else _active


def activate(taxonomy: Taxonomy) -> None:
    """Make `taxonomy` the one of this process, for all threads. Events that exist already stay as they are."""
    global _active
    _active = taxonomy


def quoted(text: str) -> str:
    """`text` on one line, harmless to a terminal, cut at 80 characters: for errors that name what they refuse."""
    return repr(text if len(text) <= 80 else f"{text[:79]}…")


@lru_cache(maxsize=256)
def nearest(word: str, known: tuple[str, ...]) -> str | None:
    """The one of `known` that `word` was most likely meant to be; None when none is near."""
    return next(iter(get_close_matches(word, known, 1)), None)


_SHIPPED_FILE = Path(__file__).with_name("taxonomy.toml")


def _read(paths: Iterable[Path], base: Iterable[EventType], strict: bool) -> Taxonomy:
    # The reader needs a TOML parser and the rules of events, which in turn need this module.
    from store.taxonomy_file import read_taxonomy

    return read_taxonomy(paths, base, strict)


def _assumed_category(event_type: str) -> str:
    return event_type.partition(".")[0][:64]


def _assumed_severity(event_type: str) -> SeverityName:
    return "error" if event_type.endswith(".failed") else "info"


def _unknown(event_type: str, known: tuple[str, ...]) -> str:
    guess = nearest(event_type, known)
    advice = f"did you mean {quoted(guess)}?" if guess else "declare it in a taxonomy file"
    return f"{quoted(event_type)} is no known event type; {advice}"


def _renamed(event: Event, known: EventType) -> Event:
    from store.event import Severity

    changed: dict[str, Any] = {"event_type": known.name}
    if event.category == _assumed_category(event.event_type):
        changed["category"] = known.category
    if event.severity == _assumed_severity(event.event_type):
        changed["severity"] = Severity(known.severity) if known.severity else None
    return event.model_copy(update=changed)


def _require_resource(event: Event, required: bool | str) -> None:
    if event.resource_id is None:
        of_type = f" of type {quoted(required)}" if isinstance(required, str) else ""
        raise RefusedEventError(
            f"{quoted(event.event_type)} requires a resource id{of_type}, and the event has none"
        )
    if isinstance(required, str) and event.resource_type != required:
        found = f"one of type {quoted(event.resource_type)}" if event.resource_type else "one of no type"
        raise RefusedEventError(
            f"{quoted(event.event_type)} requires a resource of type {quoted(required)}, and the event has {found}"
        )


if TYPE_CHECKING:
    SHIPPED: Taxonomy
else:

    def __getattr__(name: str) -> Taxonomy:
        if name == "SHIPPED":
            return Taxonomy.shipped()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
