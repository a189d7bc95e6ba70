"""What is on the screen, as the command line that shows it again: a filter and a moment."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitor.model.filter import Filter
from store.query.parser import describe


@dataclass(frozen=True, slots=True)
class Place:
    """Where a console starts: what it shows, and the moment that it goes to; None to follow."""

    shown: Filter = field(default_factory=Filter)
    at: datetime | None = None

    def command_line(self, sources: Sequence[str] = ()) -> str:
        """For a shell of this or another machine, which must have the same store and bus set, or files at hand.

        `sources` are those files, with the option that says how they are read. Values that are not to be shown are
        left out of the filter.
        """
        words = ["evtop", *sources]
        if query := describe(self.shown.without_hidden().node()):
            words += ["--query", query]
        if self.at is not None:
            # Of one moment, whatever zone the other side shows.
            words += ["--at", self.at.astimezone(UTC).isoformat().replace("+00:00", "Z")]
        return shlex.join(words)
