"""The single door for personal data: what stands at personal places is shown as a stand-in, unless it is asked for.

Events stay as they are in the model, so that queries, exports and repairs go by the real values; a stand-in takes
their place where text is made of an event. It is `ip·3f2a91`: the key, and a hash of the value under a key that this
process made up. So an operator sees that two events have the same address and a third has not, which is what is asked
in an incident, and cannot read it; nor can anyone find out later by trying all addresses, as that key is nowhere kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from hashlib import blake2b
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, cast

from store.personal import DEFAULT_PLACES, PersonalPlaces

if TYPE_CHECKING:
    from store.event import Event

NAME_MAX = 32
"""Characters of a key that a stand-in begins with."""
_HASH_BYTES = 3
"""Two of a thousand values look alike once in thirty sessions."""
_KEPT_MAX = 1000
"""Metadata whose masked copy is kept, as it is looked at again with each frame."""
_BRANCHES = frozenset({dict, list})


class Mask:
    """Hides what stands at `places`. Two masks with one `key` have the same stand-ins."""

    def __init__(self, places: Iterable[str] = DEFAULT_PLACES, key: bytes | None = None) -> None:
        self._places = PersonalPlaces(places)
        self._key = token_bytes(16) if key is None else key
        self._kept: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        names = "|".join(re.escape(place.rpartition(".")[2].strip('"')) for place in self._places.places)
        self._loose = (
            re.compile(
                rf"""(["']?)\b({names})\1(\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|[^\s,;&}}\]]+)""", re.IGNORECASE
            )
            if names
            else None
        )

    def metadata(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """`metadata` as it may be shown: itself, where there is nothing to hide."""
        kept = self._kept.get(id(metadata))
        # Who is kept is alive, so that no other one can have its number.
        if kept is not None:
            return kept[1]
        shown = self._places.replaced(metadata, self.stand_in)
        if shown is not metadata or any(type(value) in _BRANCHES for value in metadata.values()):
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[id(metadata)] = (metadata, shown)
        return shown

    def covers(self, keys: Iterable[str]) -> bool:
        """Whether what stands at `keys` is hidden."""
        return self._places.covers(keys)

    def stand_in(self, key: str, value: Any) -> str:
        """What is shown in place of `value`, which stands under `key`: raw text, as the key is the event's."""
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        digest = blake2b(text.encode(errors="replace"), key=self._key, digest_size=_HASH_BYTES).hexdigest()
        return f"{key.removeprefix('@')[:NAME_MAX]}·{digest}"

    def text(self, text: str) -> str:
        """Text that is no event, as it may be shown: JSON by its places, other text by the names in it."""
        if not text.lstrip().startswith("{"):
            return self._loosely(text)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return self._loosely(text)
        shown = self._document(cast("dict[str, Any]", document))
        return text if shown is document else json.dumps(shown, separators=(",", ":"))

    def _document(self, document: dict[str, Any]) -> dict[str, Any]:
        """What was meant to be an event: places are those in its metadata, or in itself, as names that it has not."""
        shown = self._places.replaced(document, self.stand_in)
        metadata = shown.get("metadata")
        if isinstance(metadata, dict):
            inner = cast("dict[str, Any]", metadata)
            masked = self._places.replaced(inner, self.stand_in)
            if masked is not inner:
                shown = {**shown, "metadata": masked}
        return shown

    def _loosely(self, text: str) -> str:
        if self._loose is None:
            return text
        return self._loose.sub(
            lambda found: f"{found[1]}{found[2]}{found[1]}{found[3]}{self.stand_in(found[2], found[4])}", text
        )


_active: list[Mask | None] = [Mask()]
"""What is hidden in this process; None hides nothing. Something is from the start, lest it be forgotten."""


def activate(mask: Mask | None) -> None:
    """Have `mask` hide what this process shows; None shows everything."""
    _active[0] = mask


def is_masking() -> bool:
    """Whether anything is hidden."""
    return _active[0] is not None


def shown_metadata(event: Event) -> dict[str, Any]:
    """The metadata of `event` as it may be shown."""
    mask = _active[0]
    return event.metadata if mask is None else mask.metadata(event.metadata)


def shown_event(event: Event) -> Event:
    """`event` as it may be shown, copied or exported: itself, where there is nothing to hide."""
    metadata = shown_metadata(event)
    return event if metadata is event.metadata else event.from_valid({**event.__dict__, "metadata": metadata})


def is_hidden(keys: Iterable[str]) -> bool:
    """Whether what stands in the metadata at `keys` is not to be shown."""
    mask = _active[0]
    return mask is not None and mask.covers(keys)


def shown_value(keys: tuple[str, ...], value: str) -> str:
    """`value`, which stands in the metadata at `keys`, as it may be shown."""
    mask = _active[0]
    return value if mask is None or not mask.covers(keys) else mask.stand_in(keys[-1], value)


def shown_labels(labels: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What an alert is grouped by, as it may be shown. Their names are fields and places: `resource|@client.ip`."""
    return tuple((name, _shown_label(name, value)) for name, value in labels)


def without_labels(text: str, labels: Iterable[tuple[str, str]]) -> str:
    """Text that was made of `labels`, as it may be shown: a title, a fingerprint."""
    for name, value in labels:
        shown = _shown_label(name, value)
        if shown != value:
            text = text.replace(value, shown)
    return text


def _shown_label(name: str, value: str) -> str:
    for place in name.split("|"):
        if value and place.startswith("@"):
            keys = tuple(place[1:].split("."))
            if is_hidden(keys):
                return shown_value(keys, value)
    return value


def shown_text(text: str) -> str:
    """Text that is no event but may have been meant as one, as it may be shown."""
    mask = _active[0]
    return text if mask is None else mask.text(text)
