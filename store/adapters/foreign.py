"""What the adapters share: reading JSON, checking fields, and the one error for an event that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID, uuid5

from pydantic import ValidationError
from pydantic_core import from_json

from store.event import Event
from store.taxonomy import quoted
from store.wire import MESSAGE_MAX_BYTES

FOREIGN_MAX_BYTES = MESSAGE_MAX_BYTES
"""A larger event, as JSON, is refused without being parsed."""


class ForeignEventError(ValueError):
    """A foreign event that cannot become an `Event`. The message is one line that says why.

    Text of the event is quoted with its control characters escaped, and cut at 80 characters.
    """


def parse_json(source: bytes | str) -> object:
    """The value that the JSON text `source` holds.

    Raises:
        ForeignEventError: it is no JSON (RFC 8259), or nested deeper than about 200 levels.
    """
    try:
        return from_json(source, allow_inf_nan=False)
    except (ValueError, TypeError) as error:
        raise ForeignEventError(f"not JSON: {error}") from None


def parse_object(source: bytes | str | Mapping[str, object]) -> Mapping[str, object]:
    """The JSON object that `source` is, or that it holds as JSON text.

    Raises:
        ForeignEventError: over `FOREIGN_MAX_BYTES` of text, no JSON, or not an object.
    """
    if isinstance(source, (bytes, str)):
        if len(source) > FOREIGN_MAX_BYTES:
            raise ForeignEventError(f"{len(source)} bytes, over {FOREIGN_MAX_BYTES}")
        return as_object(parse_json(source))
    return as_object(source)


def as_object(value: object) -> Mapping[str, object]:
    """The event that `value` is, when it is a JSON object.

    Raises:
        ForeignEventError: it is not.
    """
    if not isinstance(value, Mapping):
        raise ForeignEventError(f"the event must be an object, not {json_kind(value)}")
    return cast("Mapping[str, object]", value)


def text_of(fields: Mapping[str, object], name: str) -> str | None:
    """The text of the field `name`; None when it is left out, null or empty. A UUID is taken as its text.

    Raises:
        ForeignEventError: it is something else.
    """
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str):
        raise ForeignEventError(f"{name} must be text, not {json_kind(value)}")
    return value


def required_text(fields: Mapping[str, object], name: str) -> str:
    """The text of the field `name`.

    Raises:
        ForeignEventError: it is left out, null, empty or no text.
    """
    text = text_of(fields, name)
    if text is None:
        raise ForeignEventError(f"{name} is missing")
    return text


def as_uuid(text: str) -> UUID | None:
    """The UUID that `text` is when it is written as RFC 9562 has it, hyphens and all; else None."""
    try:
        identifier = UUID(text)
    except ValueError:
        return None
    return identifier if str(identifier) == text.lower() else None


def derived_uuid(namespace: UUID, *parts: str) -> UUID:
    """A UUIDv5 that is the same for the same `parts`, whatever text they hold."""
    return uuid5(namespace, json.dumps(parts))


def build_event(fields: Mapping[str, Any], names: Mapping[str, str]) -> Event:
    """The event of `fields`. An error calls a field by what `names`, which is by our name, says it was called.

    Raises:
        ForeignEventError: a field breaks its rule.
    """
    try:
        return Event.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "the event"
        message = first["msg"].removeprefix("Value error, ")
        raise ForeignEventError(f"{names.get(field, field)}: {message}") from None


def json_kind(value: object) -> str:
    """What `value` is, in the words of JSON; for what JSON cannot express, the name of its Python type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (list, tuple)):
        return "an array"
    return "an object" if isinstance(value, Mapping) else quoted(type(value).__name__)
