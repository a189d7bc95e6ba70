"""Personal data in the metadata of events: the places where it stands, and metadata without it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

DEFAULT_PLACES = ("ip", "ip_address", "email", "user_agent", "device_id")
"""What `store.typed` and most applications call it. A region is none of it: alone, it singles nobody out."""
ANY_KEY = "*"
PLACES_MAX = 200
ELSEWHERE_MIN = 4
"""Characters from which on a personal value is looked for in other texts of its event: shorter ones are everywhere."""
ELSEWHERE_MAX = 50
"""Values of one event that are looked for there, the longest: hostile metadata must not cost more than it weighs."""
_PART = re.compile(r'"((?:[^"\\]|\\.)+)"|([^\s".]+)')
_KNOWN_MAX = 10_000
"""Keys whose answer is kept; of more, all are forgotten."""
_KNOWN_LENGTH = 100
ERASED = "erased"
"""What stands for a personal value that was taken out: there is nothing left to hide."""
StandIn = Callable[[str, Any], Any]
"""What takes the place of a personal value: told the key that it stands under, and the value."""


class PersonalPlaceError(ValueError):
    """What is no place in metadata. The message is one line."""


def folded_key(key: str) -> str:
    """The key without case, `_`, `-` and a leading `@`: `User-Agent`, `userAgent` and `user_agent` are one."""
    return key.casefold().replace("_", "").replace("-", "").removeprefix("@")


def read_places(text: str, known: Iterable[str] = DEFAULT_PLACES) -> tuple[str, ...]:
    """The places that a list of them, separated by commas, leaves: what it names beside the `known`, less `-name`.

    Raises:
        PersonalPlaceError: one of them is no place.
    """
    places = dict.fromkeys(known)
    for part in filter(None, map(str.strip, text.split(","))):
        taken_out = part.startswith("-")
        name = part.removeprefix("-").strip()
        keys = _keys_of(name)
        if not taken_out:
            places[name] = None
            continue
        same = [place for place in places if _keys_of(place) == keys]
        if not same:
            raise PersonalPlaceError(f"{part!r}: there is no {name!r} to take out")
        for place in same:
            del places[place]
    if len(places) > PLACES_MAX:
        raise PersonalPlaceError(f"{len(places)} places, over {PLACES_MAX}")
    return tuple(places)


def _keys_of(place: str) -> tuple[str, ...]:
    """The keys of a place as they are compared.

    Raises:
        PersonalPlaceError: it is no place.
    """
    keys: list[str] = []
    at = 0
    while True:
        part = _PART.match(place, at)
        if part is None:
            raise PersonalPlaceError(f"{place!r} is no place in metadata; write it like ip or client.address")
        name = part[2] if part[1] is None else re.sub(r"\\(.)", r"\1", part[1])
        keys.append(ANY_KEY if part[2] == ANY_KEY else folded_key(name))
        at = part.end()
        if at == len(place):
            break
        if place[at] != ".":
            raise PersonalPlaceError(f"{place!r} is no place in metadata; write it like ip or client.address")
        at += 1
    if all(key in {ANY_KEY, ""} for key in keys):
        raise PersonalPlaceError(f"{place!r} names no key")
    return tuple(keys)


class PersonalPlaces:
    """Where personal data stands.

    A name alone is a key at any depth (`ip`), whatever its case, `_` and `-`. Names with dots are a place from the top
    (`client.address`), in which `*` is any key, or any item of a list (`hops.*.address`); a key with a dot in it is
    quoted (`"client.ip"`). All that stands under such a key is personal.

    Raises:
        PersonalPlaceError: one of `places` is none.
    """

    def __init__(self, places: Iterable[str] = DEFAULT_PLACES) -> None:
        self.places = tuple(places)
        read = [_keys_of(place) for place in self.places]
        self._names = frozenset(keys[0] for keys in read if len(keys) == 1)
        self._paths = tuple(keys for keys in read if len(keys) > 1)
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self.places)

    def is_name(self, key: str) -> bool:
        """Whether what stands under `key` is personal wherever that is."""
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            # An alert has the places that it is grouped by as keys: `@client.ip`.
            found = folded_key(key) in self._names or (key.startswith("@") and self._is_path(key[1:]))
            if len(key) <= _KNOWN_LENGTH:
                self._known[key] = found
        return found

    def covers(self, keys: Iterable[str]) -> bool:
        """Whether what stands at `keys`, from the top of the metadata, is personal, or within something that is."""
        ahead = self._paths
        for key in keys:
            if self.is_name(key):
                return True
            ahead = _further(ahead, key)
            if () in ahead:
                return True
        return False

    def found(self, metadata: Mapping[str, Any]) -> bool:
        """Whether there is a personal value in `metadata`."""
        return next(self._values(metadata, self._paths), None) is not None

    def replaced(self, metadata: dict[str, Any], stand_in: StandIn) -> dict[str, Any]:
        """`metadata` with `stand_in` for each personal value, and wherever else in its texts such a value stands.

        What has no personal value is returned as it is, not as a copy. None, true, false, an empty text and what was
        erased say nothing and stay.
        """
        if not self._may_have(metadata):
            return metadata
        values = dict(self._values(metadata, self._paths))
        if not values:
            return metadata
        elsewhere = _Elsewhere(
            {text: key for text, (key, value) in values.items() if isinstance(value, str)}, stand_in
        )
        return self._copy(metadata, self._paths, stand_in, elsewhere)

    def _may_have(self, metadata: dict[str, Any]) -> bool:
        """A quick look: most metadata is flat, and is looked at each time that its event is drawn."""
        is_name = self._known.get
        for key, value in metadata.items():
            answer = is_name(key)
            if (
                (self.is_name(key) if answer is None else answer)
                or type(value) is dict
                or type(value) is list
            ):
                return True
        return False

    def _is_path(self, text: str) -> bool:
        try:
            keys = _keys_of(text)
        except PersonalPlaceError:
            return False
        return self.covers(keys)

    def _values(
        self, value: Any, ahead: tuple[tuple[str, ...], ...]
    ) -> Iterator[tuple[str, tuple[str, Any]]]:
        """Each personal value as text, with the key that it stands under and itself."""
        for key, inner in _items(value):
            further = _further(ahead, key)
            if () in further or (isinstance(key, str) and self.is_name(key)):
                yield from _texts(_name(key), inner)
            else:
                yield from self._values(inner, further)

    def _copy(
        self, value: Any, ahead: tuple[tuple[str, ...], ...], stand_in: StandIn, elsewhere: _Elsewhere
    ) -> Any:
        if isinstance(value, str):
            return elsewhere(value)
        if isinstance(value, dict):
            copied: dict[str, Any] = {}
            for key, inner in cast("dict[str, Any]", value).items():
                further = _further(ahead, key)
                personal = () in further or self.is_name(key)
                copied[elsewhere(key)] = (
                    _replaced(key, inner, stand_in)
                    if personal
                    else self._copy(inner, further, stand_in, elsewhere)
                )
            return copied
        if isinstance(value, list):
            further = _further(ahead, None)
            items = cast("list[Any]", value)
            if () in further:
                return [_replaced(_name(None), item, stand_in) for item in items]
            return [self._copy(item, further, stand_in, elsewhere) for item in items]
        return value


class _Elsewhere:
    """Puts stand-ins for personal values, given with their keys, where they are part of other texts."""

    def __init__(self, values: Mapping[str, str], stand_in: StandIn) -> None:
        self._values, self._stand_in = values, stand_in
        long = sorted((text for text in values if len(text) >= ELSEWHERE_MIN), key=len, reverse=True)
        self._pattern = words(long[:ELSEWHERE_MAX]) if long else None

    def __call__(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: str(self._stand_in(self._values[found[0]], found[0])), text)


def words(texts: Iterable[str]) -> re.Pattern[str]:
    """Matches one of `texts` where neither a letter nor a digit goes on from it: the first that fits."""
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, texts))})(?![^\W_])")


def _further(ahead: tuple[tuple[str, ...], ...], key: str | int | None) -> tuple[tuple[str, ...], ...]:
    """What is left of the places `ahead` behind `key`; an item of a list has none."""
    if not ahead:
        return ahead
    name = folded_key(key) if isinstance(key, str) else None
    return tuple(place[1:] for place in ahead if place and (place[0] == ANY_KEY or place[0] == name))


def _items(value: Any) -> Iterable[tuple[str | None, Any]]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).items()
    return ((None, item) for item in cast("list[Any]", value)) if isinstance(value, list) else ()


def _name(key: str | None) -> str:
    return "item" if key is None else key


def _says_something(value: Any) -> bool:
    return not (value is None or isinstance(value, bool) or value in ("", ERASED, [], {}))


def _texts(key: str, value: Any) -> Iterator[tuple[str, tuple[str, Any]]]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(key, item)
    elif _says_something(value):
        yield str(value), (key, value)


def _replaced(key: str, value: Any, stand_in: StandIn) -> Any:
    """`stand_in` for `value`: for each item of a list, and for an object as a whole, whose keys may say it all."""
    if isinstance(value, list):
        return [_replaced(key, item, stand_in) for item in cast("list[Any]", value)]
    return stand_in(key, value) if _says_something(value) else value
