"""A figure with its goal, and the way progress is told."""

from __future__ import annotations

import json
import operator
import sys
from dataclasses import dataclass

_MEETS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


@dataclass(frozen=True, slots=True)
class Figure:
    """One result. `goal` is a comparison and a number, as in `<= 1.5`."""

    name: str
    value: float
    unit: str
    goal: str

    @property
    def met(self) -> bool:
        """Whether the value meets the goal."""
        comparison, _, bound = self.goal.partition(" ")
        return _MEETS[comparison](self.value, float(bound))

    def as_json(self) -> str:
        """The figure as one line."""
        fields = {"name": self.name, "value": round(self.value, 3), "unit": self.unit}
        return json.dumps({**fields, "goal": self.goal, "met": self.met})


def progress(text: str) -> None:
    """Tell whoever waits how far it is; figures alone go to stdout."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
