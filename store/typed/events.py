"""The ground of the typed calls: read an application's objects without trusting them, record without raising."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from uuid import UUID

from store.event import ActorType, Severity
from store.integration.facts import (
    UnstorableError,
    identifier,
    milliseconds,
    note_unreadable,
    one_line,
    storable_metadata,
    storable_text,
)
from store.integration.guard import MISHAPS, record_safely
from store.recording import SYSTEM, EventFields, Records

Identity = str | int | UUID
"""What applications name their things by. An event has it as text."""
Reference = tuple[object, object]
"""Type and id of a thing, as read and not yet checked."""


class _Unreadable:
    """Stands for an attribute that is missing or raised; no event can hold it, so that it is left out and named."""


_UNREADABLE = _Unreadable()


class NotSoError(Exception):
    """An event that would say what is not so. Its text is one line and quotes nothing of the application's."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one event is to say. All of it may come from an odd object; `severity` None leaves it to the taxonomy."""

    actor: object = SYSTEM
    resource: Reference | None = None
    secondary: Reference | None = None
    status: object = None
    severity: Severity | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])


class TypedEvents:
    """Calls for one area of the taxonomy, each recording one event. `recorder` is a `store.recorder.Recorder`.

    Each call returns what `recorder` answered: False when the event was dropped. No call ever raises into the
    application, whatever it is given: an attribute that is missing, raises or cannot be stored is left out and
    named in the metadata (`unreadable`), counted in `store.integration.MISHAPS` and logged once an event type.
    """

    def __init__(self, recorder: Records) -> None:
        self._recorder = recorder

    @property
    def recorder(self) -> Records:
        """Where the events go."""
        return self._recorder


_Events = TypeVar("_Events", bound=TypedEvents)
_Arguments = ParamSpec("_Arguments")


def records(
    event_type: str,
) -> Callable[
    [Callable[Concatenate[_Events, _Arguments], Statement]],
    Callable[Concatenate[_Events, _Arguments], bool],
]:
    """Make of a method that says what happened a call that records it as `event_type` and never raises."""

    def decorate(
        method: Callable[Concatenate[_Events, _Arguments], Statement],
    ) -> Callable[Concatenate[_Events, _Arguments], bool]:
        @functools.wraps(method)
        def call(self: _Events, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> bool:
            try:
                fields, unreadable = _fields(method(self, *args, **kwargs))
            except NotSoError as error:
                MISHAPS.note(event_type, str(error))
                return False
            except Exception as error:
                MISHAPS.note(event_type, error)
                return False
            if unreadable:
                MISHAPS.note(event_type, f"left out what it could not read: {', '.join(unreadable)}")
            return record_safely(self.recorder, event_type, fields)

        call.__dict__["event_type"] = event_type
        call.__dict__["__signature__"] = inspect.signature(method).replace(return_annotation=bool)
        return call

    return decorate


def read(source: object, name: str) -> object:
    """The attribute `name`, or what no event can hold when it is missing or raises."""
    try:
        return getattr(source, name)
    except Exception:
        return _UNREADABLE


def facts_of(source: object, *names: str, optional: tuple[str, ...] = ()) -> dict[str, object]:
    """The attributes `names`, and of `optional` those that `source` has."""
    facts: dict[str, object] = {name: read(source, name) for name in names}
    for name in optional:
        value = read(source, name)
        if value is not _UNREADABLE and not callable(value):
            facts[name] = value
    return facts


def named(kind: str, source: object) -> Reference:
    """The reference to `source`, a thing of this kind, by its `id`."""
    return kind, read(source, "id")


def duration_ms(duration: object) -> object:
    """Whole milliseconds of a `timedelta` or of seconds; None stays None."""
    if duration is None:
        return None
    try:
        return milliseconds(duration)
    except Exception:
        return _UNREADABLE


def error_text(error: object) -> object:
    """One line that says what went wrong: of an exception its type and text, else the text as it is."""
    try:
        if isinstance(error, BaseException):
            told = str(error)
            return one_line(f"{type(error).__name__}: {told}" if told else type(error).__name__)
        return one_line(error) if isinstance(error, str) else error
    except Exception:
        return type(error).__name__


def found(result_count: object) -> tuple[str | None, Severity | None]:
    """Status and severity of a search: one without results is worth a look."""
    if isinstance(result_count, bool) or not isinstance(result_count, int):
        return None, None
    return ("found", Severity.INFO) if result_count > 0 else ("no_results", Severity.WARNING)


def _fields(statement: Statement) -> tuple[EventFields, list[str]]:
    """The fields of the event, and the names of what is left out of them."""
    metadata = storable_metadata(statement.metadata)
    unreadable: list[str] = []
    fields = EventFields(metadata=metadata)
    _put_actor(fields, statement.actor, unreadable)
    if statement.resource is not None:
        fields["resource_type"], fields["resource_id"] = _reference(
            "resource", statement.resource, unreadable
        )
    if statement.secondary is not None:
        fields["secondary_resource_type"], fields["secondary_resource_id"] = _reference(
            "secondary", statement.secondary, unreadable
        )
    if statement.status is not None:
        try:
            fields["status"] = identifier(statement.status, 64)
        except Exception:
            unreadable.append("status")
    if statement.severity is not None:
        fields["severity"] = statement.severity
    if unreadable:
        note_unreadable(metadata, unreadable)
    return fields, metadata.get("unreadable", [])


def _put_actor(fields: EventFields, actor: object, unreadable: list[str]) -> None:
    try:
        kind, name = cast("tuple[Any, Any]", actor)
        fields["actor_type"] = ActorType(kind)
    except Exception:
        unreadable.append("actor")
        return
    if name is None:
        return
    try:
        fields["actor_id"] = identifier(name)
    except Exception:
        unreadable.append("actor")


def _reference(role: str, reference: Reference, unreadable: list[str]) -> tuple[str | None, str | None]:
    kind, name = reference
    try:
        resource_type = storable_text(identifier(kind, 64))
    except UnstorableError:
        unreadable.append(role)
        return None, None
    if name is None:
        return resource_type, None
    try:
        return resource_type, identifier(name)
    except UnstorableError:
        unreadable.append(role)
        return resource_type, None
