"""Events as the console keeps them: equal to what came, in two thirds of the memory."""

from __future__ import annotations

from typing import Any

from store.event import Event

SHARED_MAX = 10_000
"""Texts that are shared; of more, all are forgotten, and those that come on are shared anew."""
SHARED_LENGTH = 200
"""A longer text hardly comes twice."""
_INSTANCES = 32
"""After as many, CPython knows how many attributes the instances of a class have, and leaves room for no others."""


class _Fields:
    def __init__(self) -> None:
        for name in Event.model_fields:
            setattr(self, name, None)


_FIELDS: dict[str, Any] = vars([_Fields() for _ in range(_INSTANCES)][-1])
"""Whose copies share one table of keys, as attributes of instances do: 184 bytes in place of 464."""


class LeanEvents:
    """Makes events lean. Texts of metadata that were seen lately are one text, however many events have them."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def lean(self, event: Event) -> Event:
        """`event`, of which nobody else may hold the metadata: its texts are exchanged for equal ones."""
        metadata, share = event.metadata, self._texts.setdefault
        for name, value in metadata.items():
            if type(value) is str and len(value) <= SHARED_LENGTH:
                metadata[name] = share(value, value)
        if len(self._texts) > SHARED_MAX:
            self._texts.clear()
        fields = _FIELDS.copy()
        fields.update(event.__dict__)
        return Event.from_valid(fields)
