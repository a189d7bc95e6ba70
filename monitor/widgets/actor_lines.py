"""What the top of an actor's page says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitor.model.actor import ActorFacts, Logins
from monitor.text import clean
from monitor.widgets.lines import Part
from monitor.widgets.resource_lines import counted, label, named, went_wrong
from monitor.widgets.spark import spark
from monitor.zone import Zone


def actor_lines(
    facts: ActorFacts, count: int, first: datetime | None, day: Sequence[int], zone: Zone
) -> list[list[Part]]:
    """`facts` of the loaded events; `count`, `first` and the bars of the last `day` are of all of them."""
    seen: list[Part] = [label("first"), (zone.full(first, exact=False) if first else "–", "")]
    seen += [
        (f"   {counted(count, 'event')}", ""),
        *went_wrong(facts.errors, facts.warnings),
    ]
    lines = [seen]
    if day:
        lines.append([label("last day"), (spark(day), "accent"), (f"  {counted(sum(day), 'event')}", "dim")])
    lines += [named("did", facts.categories), named("with", facts.resources)]
    for name, number, latest in facts.lists:
        more = f"  and {number - len(latest):,} more" if number > len(latest) else ""
        line: list[Part] = [label(name), (f"{number:,}  ", "")]
        line += [(clean("  ".join(latest)), "accent"), (more, "dim")]
        lines.append(line)
    if facts.logins is not None:
        lines.append([label("logins"), *_logins(facts.logins)])
    return lines


def _logins(logins: Logins) -> list[Part]:
    parts: list[Part] = [(f"{logins.number:,}", "")]
    if logins.refused:
        parts.append((f", {logins.refused:,} refused", "error"))
    where = [
        f"{number:,} {one if number == 1 else more}"
        for number, one, more in (
            (logins.addresses, "address", "addresses"),
            (logins.agents, "agent", "agents"),
        )
        if number
    ]
    # Which ones is personal: that stands in the events themselves.
    return [*parts, (f"  from {' with '.join(where)}" if where else "", "dim")]
