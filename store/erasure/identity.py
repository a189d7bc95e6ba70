"""An actor's identity, and how it is found and replaced in what is stored. Plain Python; no SQL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pydantic_core import to_json

from store.event import METADATA_MAX_BYTES, Event
from store.personal import ERASED, PersonalPlaces, folded_key

EVERYWHERE_FROM = 8
"""Characters from which on an id is taken for one that means nothing else wherever it stands. `42` may be a number of
files, and `emil` a title."""
_ID_MAX = 255
_BEGINS_WITH = 4
"""Characters of an id at the end of what was cut off that are taken for its beginning."""
_IDS = ("actor_id", "resource_id", "secondary_resource_id")
_TYPES = ("actor_type", "resource_type", "secondary_resource_type")
_NUMBERS = re.compile(r"[\d.,:/-]+")


@dataclass(frozen=True)
class Identity:
    """An actor with an id: `user:42`. As a resource of the same type, it is the same one.

    Raises:
        ValueError: `text` of `read` is none.
    """

    actor_type: str
    actor_id: str

    @classmethod
    def read(cls, text: str) -> Identity:
        """What `TYPE:ID` names."""
        kind, colon, identifier = text.partition(":")
        if kind not in {"user", "job", "system"} or not colon or not identifier or len(identifier) > _ID_MAX:
            raise ValueError(f"{text!r} is no actor with an id; write it like user:42")
        return cls(kind, identifier)

    @property
    def text(self) -> str:
        """As it is written: `user:42`."""
        return f"{self.actor_type}:{self.actor_id}"

    @property
    def is_distinctive(self) -> bool:
        """Whether the id means nothing else wherever it stands."""
        return len(self.actor_id) >= EVERYWHERE_FROM

    @cached_property
    def word(self) -> re.Pattern[str]:
        """Matches the id where it is a word of its own; of digits, where it is not a part of a number or a time."""
        beside = r"\d" if _NUMBERS.fullmatch(self.actor_id) else None
        before = r"(?<![^\W_])" + (rf"(?<!{beside}[.,:/-])" if beside else "")
        after = (rf"(?![.,:/-]{beside})" if beside else "") + r"(?![^\W_])"
        return re.compile(f"{before}{re.escape(self.actor_id)}{after}")

    @cached_property
    def reference(self) -> re.Pattern[str]:
        """Matches it with its type: `user:42`, `user/42`."""
        return re.compile(
            rf"(?<![^\W_]){re.escape(self.actor_type)}[:/]{re.escape(self.actor_id)}(?![^\W_])", re.IGNORECASE
        )

    @cached_property
    def keys(self) -> frozenset[str]:
        """Keys of metadata, folded, whose value is an id of such an actor."""
        return frozenset({self.actor_type, f"{self.actor_type}id", "actor", "actorid"})


class Replacement:
    """Puts `pseudonym` in the place of an identity, and takes out what stands at personal `places` of its events.

    An event is its own when it did it, when it is about it, or when something in it names it: `user:42`, `user/42`, or
    the id alone under a key like `user_id`. With `everywhere`, and of a distinctive id, also when that stands in it as
    a word. In its own, the id is replaced wherever it stands: a short one where it is a word.
    """

    def __init__(
        self, identity: Identity, pseudonym: str, places: PersonalPlaces, *, everywhere: bool = False
    ) -> None:
        self.identity = identity
        self.pseudonym = pseudonym
        self.everywhere = everywhere or identity.is_distinctive
        self._places = places

    def event(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """Those of the `fields` of an event that are to be others; None when it is none of its own."""
        metadata: dict[str, Any] = fields["metadata"]
        if not (self._is_in_fields(fields) or self.names(metadata)):
            return None
        changed = {
            name: self._id(fields.get(kind), fields.get(name))
            for kind, name in zip(_TYPES, _IDS, strict=True)
        }
        changed["metadata"] = self.metadata(metadata)
        changed = {name: value for name, value in changed.items() if value != fields.get(name)}
        return changed or None

    def document(self, text: str) -> str | None:
        """What was meant to be an event, as JSON, in the same way; None when it is none of its own.

        Of what is no JSON object any more, as it was cut off, nothing is kept.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            return json.dumps({ERASED: self.pseudonym}) if self._is_in_text(text) else None
        told = cast("dict[str, Any]", document)
        fields = {name: value for name, value in told.items() if name in Event.model_fields}
        # What is no field of an event becomes metadata when it is tried again.
        rest = {name: value for name, value in told.items() if name not in Event.model_fields}
        metadata = fields.get("metadata")
        if not (self._is_in_fields(fields) or self.names(rest) or self.names(metadata)):
            return None
        for kind, name in zip(_TYPES, _IDS, strict=True):
            if name in fields:
                fields[name] = self._id(fields.get(kind), fields[name])
        fields |= {name: self._words(value) for name, value in fields.items() if name not in {*_IDS, "id"}}
        if isinstance(metadata, dict):
            fields["metadata"] = self.metadata(cast("dict[str, Any]", metadata))
        return json.dumps(fields | self.metadata(rest), separators=(",", ":"))

    def names(self, value: Any, key: str | None = None) -> bool:
        """Whether something in JSON names the identity."""
        if isinstance(value, str):
            if self._is_in_words(value):
                return True
            return (
                value == self.identity.actor_id and key is not None and folded_key(key) in self.identity.keys
            )
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return any(self._is_in_words(name) or self.names(inner, name) for name, inner in items)
        if isinstance(value, list):
            return any(self.names(item, key) for item in cast("list[Any]", value))
        return self._is_number(value, key)

    def has_word(self, value: Any) -> bool:
        """Whether the id stands as a word anywhere in JSON: more than `names` finds."""
        return any(self.identity.word.search(text) for text in _texts(value))

    def metadata(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """The metadata of an event of its own."""
        words = cast("dict[str, Any]", self._words(self._places.replaced(metadata, _erased)))
        # A pseudonym may be longer than an id, and an event has to be one that can be read.
        return words if len(to_json(words)) <= METADATA_MAX_BYTES else {ERASED: self.pseudonym}

    def text(self, text: str) -> str:
        """A text of its own."""
        if self.identity.is_distinctive:
            return text.replace(self.identity.actor_id, self.pseudonym)
        return self.identity.word.sub(self.pseudonym, text)

    def _is_in_fields(self, fields: Mapping[str, Any]) -> bool:
        return any(
            (fields.get(kind), fields.get(name)) == (self.identity.actor_type, self.identity.actor_id)
            or (self.everywhere and isinstance(fields.get(name), str) and self._is_in_words(fields[name]))
            for kind, name in zip(_TYPES, _IDS, strict=True)
        )

    def _is_in_words(self, text: str) -> bool:
        pattern = self.identity.word if self.everywhere else self.identity.reference
        return self.identity.actor_id in text and pattern.search(text) is not None

    def _is_in_text(self, text: str) -> bool:
        """Whether JSON that cannot be read, escaped to ASCII perhaps, names the identity."""
        written = json.dumps(self.identity.actor_id)[1:-1]
        if self.everywhere:
            # It may have been cut off within the id.
            begins = (text.endswith(written[:length]) for length in range(_BEGINS_WITH, len(written)))
            return self.identity.actor_id in text or written in text or any(begins)
        under = re.compile(
            rf'"(?:\w*id|{re.escape(self.identity.actor_type)})"\s*:\s*"?{re.escape(written)}\b',
            re.IGNORECASE,
        )
        return under.search(text) is not None or self.identity.reference.search(text) is not None

    def _is_number(self, value: Any, key: str | None) -> bool:
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and key is not None
            and str(value) == self.identity.actor_id
            and folded_key(key) in self.identity.keys
        )

    def _id(self, kind: Any, identifier: Any) -> Any:
        if not isinstance(identifier, str):
            return identifier
        if (kind, identifier) == (self.identity.actor_type, self.identity.actor_id):
            return self.pseudonym
        return self.text(identifier)[:_ID_MAX] if self.everywhere else identifier

    def _words(self, value: Any, key: str | None = None) -> Any:
        if isinstance(value, str):
            return self.text(value) if self.identity.actor_id in value else value
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {self.text(name): self._words(inner, name) for name, inner in items}
        if isinstance(value, list):
            return [self._words(item, key) for item in cast("list[Any]", value)]
        return self.pseudonym if self._is_number(value, key) else value


def _erased(_key: str, _value: Any) -> str:
    return ERASED


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
