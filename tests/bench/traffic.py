"""Events for benches: the shape and variety of a media application's, the same for the same seed."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any
from uuid import UUID

from store.event import Event

_KINDS: dict[str, tuple[str, str, float]] = {
    "download.progress": ("download", "job", 30),
    "playback.progress": ("title", "user", 20),
    "title.viewed": ("title", "user", 15),
    "download.completed": ("download", "job", 6),
    "download.failed": ("download", "job", 2),
    "search.performed": ("search", "user", 8),
    "job.executed": ("job", "job", 8),
    "job.failed": ("job", "job", 1),
    "user.logged_in": ("user", "user", 4),
    "indexer.health_changed": ("indexer", "system", 1),
    "import.completed": ("title", "job", 3),
    "request.created": ("request", "user", 2),
}
"""By event type: the type of its resource, of its actor, and its share of the traffic."""
_TEMPLATES = 2_000
_TITLES = ("The Long Watch", "Harbour Lights", "A Winter in Tromsø", "Signal and Noise", "夜の電車")


class Traffic:
    """Makes events. They are copies of validated ones with ids and times of their own, which costs 3 µs each."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        shares = [share for _resource, _actor, share in _KINDS.values()]
        names = self._random.choices(list(_KINDS), shares, k=_TEMPLATES)
        self._templates = [self._template(name) for name in names]

    def event(self, at: datetime, **fields: Any) -> Event:
        """An event that happened at `at`; `fields`, which are not validated, replace its own."""
        template = self._random.choice(self._templates)
        return template.model_copy(update={"id": self.identifier(at), "inserted_at": at, **fields})

    def _template(self, name: str) -> Event:
        draw = self._random
        resource_type, actor_type, _share = _KINDS[name]
        title = draw.choice(_TITLES)
        return Event.model_validate(
            {
                "event_type": name,
                "actor_type": actor_type,
                "actor_id": None if actor_type == "system" else f"{actor_type}-{draw.randrange(200)}",
                "resource_type": resource_type,
                "resource_id": f"{draw.randrange(16**6):06x}",
                "metadata": {
                    "title": title,
                    "progress": draw.randrange(100),
                    "node": f"n{draw.randrange(8)}",
                },
                "status": name.rpartition(".")[2],
            }
        )

    def identifier(self, at: datetime) -> UUID:
        """A UUIDv7 of that time (RFC 9562, 5.7)."""
        low = self._random.getrandbits(74)
        milliseconds = int(at.timestamp() * 1000)
        return UUID(int=milliseconds << 80 | 7 << 76 | (low >> 62) << 64 | 2 << 62 | low & (1 << 62) - 1)
