"""The oracle of the fault tests: which events a producer may record, and a journal of what `record()` promised.

An event follows from the seed of its producer and a number, so that whoever judges can tell every event that was
issued from one that was not, and knows its full content.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

_TYPES = ("download.completed", "download.failed", "job.executed", "user.signed_in", "probe.answered")
_LETTERS = "abcdefghijklmnopqrstuvwxyzäßñ漢字🚀\"'\\%_ \t"
_SYNC_EVERY = 200
DIGESTED = (
    "id",
    "event_type",
    "actor_type",
    "actor_id",
    "resource_type",
    "resource_id",
    "metadata",
    "status",
    "severity",
)
"""The fields that every event of a `Source` has, and by which it is recognised."""


@dataclass(frozen=True, slots=True)
class Source:
    """The events that the producer with this seed may record. Their ids are UUIDv7s from `since` on (ms since 1970).

    Each is `padding` bytes larger than it need be.
    """

    seed: int
    since: int
    padding: int = 0

    def identifier(self, number: int) -> UUID:
        """The id of event `number`."""
        tail = int.from_bytes(sha256(f"{self.seed} {number}".encode()).digest()[:10])
        layout = (self.since + number) << 80 | tail
        return UUID(int=layout & ~(0xF << 76) & ~(0b11 << 62) | 0x7 << 76 | 0b10 << 62)

    def fields(self, number: int) -> dict[str, Any]:
        """What to give to `record()` for event `number`: every field that is digested, which follow from its id."""
        identifier = self.identifier(number)
        chance = Random(identifier.int)
        return {
            "id": identifier,
            "event_type": chance.choice(_TYPES),
            "actor_type": chance.choice(("user", "job")),
            "actor_id": f"actor-{chance.randrange(50)}",
            "resource_type": "download",
            "resource_id": f"{number:x}",
            "status": chance.choice((None, "completed", "failed")),
            "severity": chance.choice(("info", "warning", "error")),
            "metadata": {
                "number": number,
                "text": "".join(chance.choices(_LETTERS, k=chance.randrange(20, 200))),
                "nested": {
                    "large": chance.randrange(-(2**63), 2**63),
                    "share": chance.random(),
                    "none": None,
                },
                "list": [chance.choice((True, False, "", 0)) for _ in range(chance.randrange(6))],
                **({"padding": "x" * self.padding} if self.padding else {}),
            },
        }


def digest(fields: Mapping[str, Any]) -> str:
    """SHA-256 of the full content of an event, in hexadecimal."""
    content = {name: fields[name] for name in DIGESTED}
    return sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


class Journal:
    """The producer's side file. What is written here before the producer is killed, is there afterwards."""

    def __init__(self, path: Path, source: Source) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lines: list[str] = []
        self._write(f"source {source.seed} {source.since} {source.padding}\n")

    def claim(self, first: int, count: int) -> None:
        """Say, before any of them is recorded, that these numbers may be."""
        self.sync()
        self._write(f"claimed {first} {count}\n")

    def accepted(self, number: int, fields: Mapping[str, Any]) -> None:
        """Note that `record()` returned True for an event."""
        self._note(f"accepted {number} {fields['id']} {digest(fields)}\n")

    def refused(self, number: int, fields: Mapping[str, Any]) -> None:
        """Note that `record()` returned False for an event."""
        self._note(f"refused {number} {fields['id']} -\n")

    def flushed(self) -> None:
        """Note that `flush()` returned True for all that was accepted so far."""
        self._note("flushed\n")
        self.sync()

    def sync(self) -> None:
        """Put on the disk what was noted."""
        if self._lines:
            self._write("".join(self._lines))
            os.fsync(self._file)
            self._lines.clear()

    def _note(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= _SYNC_EVERY:
            self.sync()

    def _write(self, text: str) -> None:
        data = text.encode()
        assert os.write(self._file, data) == len(data), "the journal's disk is full"


@dataclass(slots=True)
class Promises:
    """What a journal says. `accepted` has the digests by id; `durable` are those that a successful flush covers."""

    source: Source
    claimed: int = 0
    calls: int = 0
    accepted: dict[UUID, str] = field(default_factory=dict[UUID, str])
    refused: set[UUID] = field(default_factory=set[UUID])
    durable: set[UUID] = field(default_factory=set[UUID])
    numbers: dict[UUID, int] = field(default_factory=dict[UUID, int])

    @classmethod
    def read(cls, path: Path) -> Promises:
        """The promises in a journal; a last line that was torn is none."""
        lines = [line.split() for line in path.read_text().split("\n")[:-1]]
        promises = cls(Source(*map(int, lines[0][1:])))
        for what, *words in lines[1:]:
            if what == "claimed":
                promises.claimed = max(promises.claimed, int(words[0]) + int(words[1]))
            elif what == "flushed":
                promises.durable.update(promises.accepted)
            else:
                number, identifier = int(words[0]), UUID(words[1])
                promises.calls += 1
                promises.numbers[identifier] = number
                if what == "accepted":
                    promises.accepted[identifier] = words[2]
                else:
                    promises.refused.add(identifier)
        return promises

    def issued(self) -> set[UUID]:
        """Every id that may have been recorded."""
        return {self.source.identifier(number) for number in range(self.claimed)}


def accepted_in(path: Path) -> int:
    """How many promises a journal holds by now: to see a producer work without asking it."""
    return path.read_bytes().count(b"accepted ") if path.exists() else 0
