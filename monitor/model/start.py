"""What the console shows first."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model.place import Place
from monitor.model.view import View
from monitor.zone import Zone


@dataclass(frozen=True)
class Start:
    """Where the console starts, in which zone, with which panes, and a line to say about it."""

    place: Place | None = None
    zone: Zone = Zone.UTC
    view: View | None = None
    notice: str = ""
