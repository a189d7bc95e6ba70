"""What trying one thing has shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """How it went. Only what is broken keeps evtop from doing its work."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """`part` and `tried` say what was tried, `found` what came of it in one line, `advice` what to do about it.

    Texts hold no password. They may quote a server or a path: to a terminal they go cleaned.
    """

    part: str
    tried: str
    result: Result
    found: str
    advice: str | None = None
