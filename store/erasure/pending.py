"""An erasure that goes on: what the next run needs, where this one is killed.

The pseudonym has to be the same for all events of an actor, and nothing that is stored may lead from one to the other.
So both are known together only while the erasure lasts, when the identity is stored anyway: as a row that has the
pseudonym, and tells who recognises the actor by a keyed hash; the transaction that ends the erasure deletes it.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b32encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.erasure.identity import Identity
from store.tables import snapshots

PENDING = "erasure:"
"""What the names of such rows of `snapshots` begin with."""
_PSEUDONYM_BYTES = 10


def new_pseudonym() -> str:
    """A name that says nothing, and that no one else has: `erased-` and 16 letters and digits, at random."""
    return f"erased-{b32encode(secrets.token_bytes(_PSEUDONYM_BYTES)).decode().lower()}"


@dataclass(frozen=True, slots=True)
class Pending:
    """An erasure that has begun: the row it is, the pseudonym, and by what the actor is recognised."""

    name: str
    pseudonym: str
    key: str
    check: str

    @classmethod
    async def found(cls, connection: AsyncConnection, identity: Identity) -> Pending | None:
        """The one of `identity`; None where none has begun."""
        statement = select(snapshots.c.name, snapshots.c.payload).where(snapshots.c.name.startswith(PENDING))
        for name, payload in (await connection.execute(statement)).all():
            try:
                told = json.loads(payload)
                found = cls(name, told["pseudonym"], told["key"], told["check"])
                if hmac.compare_digest(_check(found.key, identity), found.check):
                    return found
            except (ValueError, KeyError, TypeError):
                # Something else has written it.
                continue
        return None

    @classmethod
    async def begun(cls, connection: AsyncConnection, identity: Identity) -> Pending:
        """The one of `identity`, which begins now where there is none."""
        known = await cls.found(connection, identity)
        if known is not None:
            return known
        key = secrets.token_hex(16)
        begun = cls(f"{PENDING}{secrets.token_hex(8)}", new_pseudonym(), key, _check(key, identity))
        values = {"name": begun.name, "computed_at": datetime.now(UTC), "payload": begun._payload({})}
        await connection.execute(insert(snapshots).values(values))
        return begun

    async def note(self, connection: AsyncConnection, changed: Counter[str]) -> None:
        """Note that so much more was changed, in the transaction that changes it."""
        its = snapshots.c.name == self.name
        payload = (await connection.execute(select(snapshots.c.payload).where(its))).scalar()
        # None where another run has ended the erasure meanwhile.
        if payload is not None:
            counts: Counter[str] = Counter(json.loads(payload)["counts"])
            counts.update(changed)
            await connection.execute(update(snapshots).where(its).values(payload=self._payload(counts)))

    async def end(self, connection: AsyncConnection) -> Counter[str] | None:
        """Forget how to get from one to the other.

        Returns what was changed in all runs; None when another one has ended it.
        """
        its = snapshots.c.name == self.name
        payload = (await connection.execute(select(snapshots.c.payload).where(its))).scalar()
        await connection.execute(delete(snapshots).where(its))
        return None if payload is None else Counter(json.loads(payload)["counts"])

    def _payload(self, counts: Mapping[str, int]) -> str:
        told = {"pseudonym": self.pseudonym, "key": self.key, "check": self.check, "counts": counts}
        return json.dumps(told)


def _check(key: str, identity: Identity) -> str:
    return hmac.new(bytes.fromhex(key), identity.text.encode(), "sha256").hexdigest()
