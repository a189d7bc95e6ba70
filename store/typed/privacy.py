"""Events of personal data: that it was erased."""

from __future__ import annotations

from collections.abc import Mapping

from store.recording import Actor
from store.typed.events import Statement, TypedEvents, records


class PrivacyEvents(TypedEvents):
    """Actors that were erased. `store.erasure` records its own; this call is for an application's own stores.

    The resource is the actor under its pseudonym, `user/<pseudonym>`: nothing says who it was. Metadata:

    ===============  =================================================
    `actor.erased`   how much was changed, by what it is: `events`, …
    ===============  =================================================
    """

    @records("actor.erased")
    def actor_erased(
        self, actor_type: str, pseudonym: str, actor: Actor, *, counts: Mapping[str, int]
    ) -> Statement:
        """An actor of this type was erased, and is `pseudonym` from now on; `counts` tells of how much."""
        return Statement(actor, (actor_type, pseudonym), metadata=dict(counts))
