"""The filter that shows the events of which an alert is made."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.health.engine import Alert
from monitor.health.rule import Rule
from monitor.model.filter import Facet, Filter, Span
from store.query.syntax import Compare, Field, Node, Op, Or, all_of

AROUND = timedelta(minutes=1)
"""Before the first of them and after the end."""


def alert_filter(rule: Rule, alert: Alert, since: datetime, until: datetime) -> Filter:
    """The events of `rule` and of the group of `alert`, from what its beginning was told by to its end."""
    # Describing a query imports its parser.
    from store.query.parser import describe

    query = all_of(rule.query, *_group(rule, alert))
    shown = Filter().with_query(describe(query), query)
    for facet in _hidden(rule, alert):
        # Its label hides the value, which the text of a query would tell.
        shown = shown.soloed(facet)
    return shown.within(Span(since - rule.kind.reach - AROUND, until + AROUND))


def _hidden(rule: Rule, alert: Alert) -> list[Facet]:
    """What the alert is grouped by that is not to be shown."""
    grouped = zip(rule.group_by, alert.labels, strict=False)
    facets = [Facet(field, value) for key, (_, value) in grouped for field in key if value]
    return [facet for facet in facets if facet.is_hidden]


def _group(rule: Rule, alert: Alert) -> list[Node]:
    found: list[Node] = []
    for key, (_, value) in zip(rule.group_by, alert.labels, strict=False):
        if any(Facet(field, value).is_hidden for field in key):
            continue
        if value and not (Field.RESOURCE in key and "/" not in value):
            either = tuple(Compare(field, Op.EQ, value) for field in key)
            found.append(either[0] if len(either) == 1 else Or(either))
    kind, identifier = alert.resource or (None, None)
    if (
        kind is not None
        and identifier is not None
        and not any(Field.RESOURCE in key for key in rule.group_by)
    ):
        found.append(Compare(Field.RESOURCE, Op.EQ, f"{kind}/{identifier}"))
    return found
