"""The query language: text to a frozen tree.

A query is words and comparisons; a space means AND, `-` or NOT excludes, OR and parentheses group::

    type:download.failed severity>=warning -actor:system tracker
    resource:download/9f3a (status:failed OR status:stalled)

The tree is what `predicate.py` turns into a Python callable and `sql.py` into a `WHERE`; both must give the
same answer for every event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from store.event import SEVERITY_RANK


class Field(StrEnum):
    """What a comparison may look at. `ACTOR` and `RESOURCE` are pairs, written `user:42` and `download/9f3a`.

    The value of a pair is split by `store.event.split_reference`; a value with no id (`user`, `download`)
    compares the type alone. `RESOURCE`, `RESOURCE_TYPE` and `RESOURCE_ID` match an event in either role,
    primary or secondary. `ID` is the UUID as text: lower case, with hyphens.
    """

    TYPE = "type"
    CATEGORY = "category"
    SEVERITY = "severity"
    STATUS = "status"
    ACTOR = "actor"
    ACTOR_ID = "actor_id"
    RESOURCE = "resource"
    RESOURCE_TYPE = "resource_type"
    RESOURCE_ID = "resource_id"
    ID = "id"


@dataclass(frozen=True, slots=True, order=True)
class Path:
    """A place in the metadata, `@a.b`: the keys on the way to it, one or more. Lists are not entered."""

    keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"@{'.'.join(self.keys)}"


FIELD_NAMES: dict[str, Field] = {
    **{str(field): field for field in Field},
    "event_type": Field.TYPE,
    "cat": Field.CATEGORY,
    "sev": Field.SEVERITY,
    "actor_type": Field.ACTOR,
}
"""The fields by every name that a query may call them."""


TIME_NAMES = ("last", "since", "until")
"""What stands before a span or a moment, as a field does before a value."""


class Op(StrEnum):
    """How a field is compared. Severity and numbers are ordered; `CONTAINS` folds case, the others do not.

    `EQ` is exact, whatever characters the value has; in a `GLOB` each `*` stands for any text, even none. A `REGEX`
    searches, folded as well (`store.query.regex`); of a pair, in what `store.event.Event.actor` and its like write.
    """

    EQ = "="
    GLOB = "*"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    CONTAINS = "~"
    REGEX = "=~"


PAIRS: dict[Field | Path, tuple[tuple[str, str], ...]] = {
    Field.ACTOR: (("actor_type", "actor_id"),),
    Field.RESOURCE: (
        ("resource_type", "resource_id"),
        ("secondary_resource_type", "secondary_resource_id"),
    ),
}
"""The event's attributes, as (type, id), that a pair field looks at: one couple a role."""

WRITTEN: dict[Field | Path, tuple[str, ...]] = {
    Field.ACTOR: ("actor",),
    Field.RESOURCE: ("resource", "secondary_resource"),
}
"""The event's attributes that have a pair as it is written: one a role."""

SINGLES: dict[Field | Path, tuple[str, ...]] = {
    Field.TYPE: ("event_type",),
    Field.CATEGORY: ("category",),
    Field.SEVERITY: ("severity",),
    Field.STATUS: ("status",),
    Field.ACTOR_ID: ("actor_id",),
    Field.RESOURCE_TYPE: ("resource_type", "secondary_resource_type"),
    Field.RESOURCE_ID: ("resource_id", "secondary_resource_id"),
    Field.ID: ("id",),
}
"""The event's attributes that any other field looks at: one a role."""


UNSTORABLE = re.compile("[\\x00\\ud800-\\udfff]")
"""Characters that no event holds (`store.event` refuses them) and that some databases refuse in a query."""


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op value`. A missing field matches nothing, so that `Not` of it matches.

    What a `Path` leads to is compared as its type says (`store.query.metadata`).
    """

    field: Field | Path
    op: Op
    value: str


@dataclass(frozen=True, slots=True)
class Exists:
    """`field:*`: the field has a value. Of a `Path`, any value at all, be it null or a list."""

    field: Field | Path


@dataclass(frozen=True, slots=True)
class Text:
    """A bare word or a quoted phrase: a case-folded substring of `store.event.search_text`."""

    value: str


@dataclass(frozen=True, slots=True)
class Regex:
    """`/pattern/`: searched in `store.event.search_text`, whose parts are lines."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Since:
    """`since:14:05`: at `moment`, which is aware, or later. With `span`, it was `last:15m` when that was read."""

    moment: datetime
    span: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """`until:-5m`: before `moment`, which is aware."""

    moment: datetime


@dataclass(frozen=True, slots=True)
class Not:
    """Everything that `operand` does not match, events that lack its field included."""

    operand: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of them; of none, everything."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them; of none, nothing."""

    operands: tuple[Node, ...]


Node = Compare | Exists | Text | Regex | Since | Until | Not | And | Or

EVERYTHING = And(())
"""The query that matches every event."""


class QueryError(ValueError):
    """A query that cannot be read. `column` (from 0) is where; the message says what was expected."""

    def __init__(self, message: str, column: int = 0) -> None:
        super().__init__(message)
        self.column = column


def all_of(*nodes: Node) -> Node:
    """The conjunction of `nodes`, flattened, without the parts that match everything."""
    parts: list[Node] = []
    for node in nodes:
        if isinstance(node, And):
            parts.extend(node.operands)
        else:
            parts.append(node)
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def severities(compare: Compare) -> frozenset[str]:
    """The severities that an ordered comparison (`<`, `<=`, `>`, `>=`) lets through.

    Raises:
        QueryError: the field is not the severity, or the value is none of info, warning and error.
    """
    bound = SEVERITY_RANK.get(compare.value)
    if compare.field is not Field.SEVERITY or not bound:
        raise QueryError(f"{compare.field} {compare.op} {compare.value!r} has no order")
    ranks = {
        Op.LT: range(1, bound),
        Op.LE: range(1, bound + 1),
        Op.GT: range(bound + 1, 4),
        Op.GE: range(bound, 4),
    }[compare.op]
    return frozenset(str(name) for name, rank in SEVERITY_RANK.items() if rank in ranks)


def pair_separators(needle: str) -> tuple[str, ...]:
    """The separators with which a pair must be written out to look for `needle` in it.

    `user:42` and `user/42` are the same actor, and a needle with neither separator needs only one of them.
    """
    return tuple(separator for separator in "/:" if separator in needle) or ("/",)


def canonical_uuid(text: str) -> UUID | None:
    """The UUID that is written exactly as `text`, if there is one."""
    try:
        value = UUID(text)
    except ValueError:
        return None
    return value if str(value) == text else None
