"""Events of accounts and of the settings of the application."""

from __future__ import annotations

from store.integration.facts import REDACTED, names_a_secret
from store.recording import Actor
from store.typed.events import Reference, Statement, TypedEvents, read, records
from store.typed.visitor import Visitor, actor_of, whereabouts


class AuthEvents(TypedEvents):
    """Who signed in and out, and who changed what for everybody.

    The resource is `user/<id>` or `settings/<key>`. Metadata, of which None is left out:

    =============================  ================================================================
    `user.login`, `user.logout`    `ip`, `user_agent`, `device_id`, `region`; status succeeded
    `settings.changed`             `before`, `after`; `(redacted)` where the key names a secret
    =============================  ================================================================
    """

    @records("user.login")
    def user_login(self, visitor: Visitor) -> Statement:
        """A user signed in."""
        return _session(visitor)

    @records("user.logout")
    def user_logout(self, visitor: Visitor) -> Statement:
        """A user signed out."""
        return _session(visitor)

    @records("settings.changed")
    def settings_changed(
        self, key: str, actor: Actor, *, before: object, after: object, secret: bool = False
    ) -> Statement:
        """A setting of the whole application is another one now; `secret` keeps its values out of the event."""
        return Statement(actor, ("settings", key), metadata=change(key, before, after, secret=secret))


def change(key: object, before: object, after: object, *, secret: bool = False) -> dict[str, object]:
    """The facts `before` and `after`, redacted where `key` names a secret."""
    if secret or (isinstance(key, str) and names_a_secret(key)):
        before, after = (None if value is None else REDACTED for value in (before, after))
    return {"before": before, "after": after}


def user_of(visitor: object) -> Reference:
    """The reference to the user that `visitor` is."""
    return "user", read(visitor, "user_id")


def _session(visitor: object) -> Statement:
    return Statement(actor_of(visitor), user_of(visitor), status="succeeded", metadata=whereabouts(visitor))
