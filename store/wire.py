"""The wire format: one UTF-8 JSON object a message, an event's fields plus `producer` and `sequence`."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import to_json

from store.event import EVENT_TYPE_RULE, Event

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
        raise MalformedMessageError(validation_reason(error)) from None
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
                raise MalformedMessageError(validation_reason(error)) from None
    return Event.from_valid(fields, wire.__pydantic_fields_set__)


def validation_reason(error: ValidationError) -> str:
    """The first rule that was broken, and by which field, in one line of safe characters."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    # A field that is not known is named as the sender named it.
    place = ".".join(ascii(part)[1:-1] if isinstance(part, str) else str(part) for part in first["loc"][:2])[
        :80
    ]
    match first["type"]:
        case "uuid_parsing":
            # The one message that quotes what it refuses, which may be a control character.
            message = "must be a UUID"
        case "string_pattern_mismatch":
            message = EVENT_TYPE_RULE
        case _:
            # Rules of our own are ValueErrors, to which pydantic adds a prefix.
            message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
