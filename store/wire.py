"""The wire format: one UTF-8 JSON object a message, an event's fields plus `producer` and `sequence`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import MAXYEAR, MINYEAR, datetime
from math import isfinite
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic_core import to_json

from store.event import (
    EVENT_TYPE_RULE,
    INT_MAX,
    INT_MIN,
    METADATA_MAX_BYTES,
    Event,
    valid_metadata,
)

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


def _without_checks(annotation: Any) -> Any:
    """`annotation` without the rules that are Python functions, each of which costs as much as all the others."""
    if get_origin(annotation) is Annotated:
        base, *rules = get_args(annotation)
        kept = [rule for rule in rules if not isinstance(rule, AfterValidator)]
        return Annotated[(base, *kept)] if kept else base
    if get_origin(annotation) in {Union, UnionType}:
        return Union[tuple(map(_without_checks, get_args(annotation)))]  # noqa: UP007
    return annotation


def _quick_model() -> type[BaseModel]:
    """`_WireEvent` for what `_read_quickly` reads: every field given, text and time still unchecked."""
    fields: dict[str, Any] = {}
    for name, field in _WireEvent.model_fields.items():
        annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        fields[name] = (_without_checks(annotation), ...)
    fields["inserted_at"] = (str, ...)
    fields["signature"] = (Any, None)
    return create_model("_QuickWireEvent", __config__=ConfigDict(extra="forbid"), **fields)


_validate: Callable[[bytes], _WireEvent] = TypeAdapter(_WireEvent).validator.validate_json
_validate_quickly: Callable[[bytes], BaseModel] = TypeAdapter(_quick_model()).validator.validate_json
RESERVED = frozenset({"schema", "schema_version", "signature"})
"""Names that the wire format may use beside those of an event: never kept as metadata."""
_MOMENT_LENGTH, _SECOND_LENGTH = len("2026-11-21T14:05:11.482113Z"), len("2026-11-21T14:05:11Z")
_SMALL_BYTES = METADATA_MAX_BYTES // 5
"""In a smaller message, the metadata is small enough: written out, `1e15` is not five times as long."""


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
    size = len(payload)
    if size > MESSAGE_MAX_BYTES:
        raise MalformedMessageError(f"{size} bytes, over {MESSAGE_MAX_BYTES}")
    return (_read_quickly(payload) if size <= _SMALL_BYTES else None) or _read(payload)


def _read_quickly(payload: bytes) -> Announcement | None:
    """Read a message as `encode` writes most of them, at half the cost; None for any other."""
    if b"\\" in payload and b"\\u" in payload:
        # Without such an escape, no text has U+0000 or a lone surrogate in it.
        return None
    try:
        wire = _validate_quickly(payload)
    except (ValueError, RecursionError):
        return None
    fields = vars(wire)
    moment = _utc_moment(fields["inserted_at"])
    if moment is None or not _is_plain(fields["metadata"]):
        return None
    fields["inserted_at"] = moment
    producer, sequence = fields.pop("producer"), fields.pop("sequence")
    del fields["signature"]
    return Announcement(Event.from_valid(fields), producer, sequence)


def _utc_moment(text: str) -> datetime | None:
    """The moment `text` names, if it is written as `encode` writes it."""
    size = len(text)
    if (size != _MOMENT_LENGTH or text[19] != ".") and size != _SECOND_LENGTH:
        return None
    if text[7] != "-" or text[10] != "T" or text[-1] != "Z":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if MINYEAR < moment.year < MAXYEAR else None


def _read(payload: bytes) -> Announcement:
    try:
        wire = _validate(payload)
    except ValidationError as error:
        raise MalformedMessageError(validation_reason(error)) from None
    except (ValueError, RecursionError) as error:
        raise MalformedMessageError(type(error).__name__) from None
    fields = vars(wire)
    if unknown := _unknown_fields(wire):
        try:
            fields["metadata"] = valid_metadata({**unknown, **wire.metadata})
        except ValueError as error:
            raise MalformedMessageError(f"metadata: {error}") from None
    producer, sequence = fields.pop("producer"), fields.pop("sequence")
    return Announcement(Event.from_valid(fields), producer, sequence)


def _unknown_fields(wire: BaseModel) -> dict[str, Any]:
    """What the message has beside the fields of an event: kept among its metadata."""
    extra = wire.__pydantic_extra__
    return {name: value for name, value in extra.items() if name not in RESERVED} if extra else {}


def _is_plain(metadata: dict[str, Any]) -> bool:
    """Whether every value is one that every database takes as it is: flat, finite, within 64 bits."""
    for value in metadata.values():
        if value is None or isinstance(value, (str, bool)):
            continue
        if isinstance(value, int):
            if not INT_MIN <= value <= INT_MAX:
                return False
        elif not (isinstance(value, float) and isfinite(value)):
            return False
    return True


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
