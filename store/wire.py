"""The wire format: one UTF-8 JSON object a message, an event's fields plus `producer` and `sequence`."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import to_json

from store.event import Event

MESSAGE_MAX_BYTES = 256 * 1024
"""A larger message is malformed: it is counted and dropped without being parsed."""


class MalformedMessageError(ValueError):
    """A message that is no event. Its text says why, in one line, and quotes nothing of the message."""


class Announcement(NamedTuple):
    """An event as it came over the bus, with what its producer says of its place in the stream.

    `sequence` counts a producer's announcements without holes, so that a receiver knows exactly how many
    it missed.
    """

    event: Event
    producer: str | None
    sequence: int | None


class _WireEvent(Event):
    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    producer: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    sequence: Annotated[int, Field(ge=0, lt=2**63)] | None = None


_ADAPTER = TypeAdapter(_WireEvent)
RESERVED = frozenset({"schema", "schema_version", "signature"})
"""Names that later versions of the wire format may use: ignored today, never kept as metadata."""


def encode(event: Event, producer: str | None = None, sequence: int | None = None) -> bytes:
    """The message that announces `event`."""
    fields = event.__pydantic_serializer__.to_json(event)
    if producer is None:
        return fields
    return b'%b,"producer":%b,"sequence":%d}' % (fields[:-1], to_json(producer), sequence or 0)


def decode(payload: bytes) -> Announcement:
    """Read a message. What it leaves out is filled in: id, time, category, severity, actor (`system`).

    Raises:
        MalformedMessageError: too large, not JSON, or not an event.
    """
    if len(payload) > MESSAGE_MAX_BYTES:
        raise MalformedMessageError(f"{len(payload)} bytes, over {MESSAGE_MAX_BYTES}")
    try:
        wire = _ADAPTER.validate_json(payload)
    except ValidationError as error:
        raise MalformedMessageError(_reason(error)) from None
    except (ValueError, RecursionError) as error:
        raise MalformedMessageError(type(error).__name__) from None
    producer, sequence = wire.producer, wire.sequence
    return Announcement(_event(wire), producer, sequence)


def _event(wire: _WireEvent) -> Event:
    fields = vars(wire)
    del fields["producer"], fields["sequence"]
    extra = wire.__pydantic_extra__
    if extra:
        unknown = {name: value for name, value in extra.items() if name not in RESERVED}
        if unknown:
            try:
                return Event.model_validate({**fields, "metadata": {**unknown, **wire.metadata}})
            except ValidationError as error:
                raise MalformedMessageError(_reason(error)) from None
    # The fields are validated already; a second validation would double the cost of the live path.
    event = Event.__new__(Event)
    object.__setattr__(event, "__dict__", fields)
    object.__setattr__(event, "__pydantic_fields_set__", wire.__pydantic_fields_set__)
    object.__setattr__(event, "__pydantic_extra__", None)
    object.__setattr__(event, "__pydantic_private__", None)
    return event


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"][:2])
    # Of all rules only the one for UUIDs quotes what it refuses, which may be a control character.
    message = "Input should be a valid UUID" if first["type"] == "uuid_parsing" else first["msg"]
    return f"{place}: {message}" if place else message
