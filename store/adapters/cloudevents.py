"""Reads and writes CloudEvents 1.0 in the JSON event format, single events and batches.

By the CloudEvents specification 1.0.2 (`spec.md`) and its JSON event format 1.0.2 (`formats/json-format.md`), at
https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from store.adapters.foreign import (
    ForeignEventError,
    as_object,
    as_uuid,
    build_event,
    derived_uuid,
    json_kind,
    parse_json,
    parse_object,
    required_text,
    text_of,
)
from store.event import Event
from store.taxonomy import quoted

SPEC_VERSION = "1.0"
JSON_CONTENT_TYPE = "application/json"
"""What `data` is when an event has no `datacontenttype` (JSON event format, 3.1.1)."""
ATTRIBUTE_PREFIX = "ce_"
"""What the metadata keys of context attributes begin with, as in the Kafka protocol binding."""
NO_SEVERITY = "none"
OWN_ID = "evtopid"
"""The extension attribute that repeats `id` where it is the id of an event of evtop.

Repeated, and not only marked as such, so that it says nothing of another id that a relay puts in its place.
"""

_FIELD_OF_EXTENSION: Mapping[str, str] = {
    "evtopcategory": "category",
    "evtopactortype": "actor_type",
    "evtopactorid": "actor_id",
    "evtopresourcetype": "resource_type",
    "evtopresourceid": "resource_id",
    "evtopsecondarytype": "secondary_resource_type",
    "evtopsecondaryid": "secondary_resource_id",
    "evtopstatus": "status",
    "evtopseverity": "severity",
}
_RESOURCE_EXTENSIONS = ("evtopresourcetype", "evtopresourceid")
_NAMES = {
    **{field: name for name, field in _FIELD_OF_EXTENSION.items()},
    "event_type": "type",
    "resource_type": "resource type",
    "resource_id": "resource id",
    "inserted_at": "time",
    "metadata": "data and attributes",
}
_HAS_A_PLACE = frozenset(
    {"specversion", "id", "type", "time", "subject", "data", "data_base64", *_FIELD_OF_EXTENSION}
)

_NAMESPACE = UUID("0c7a6d3e-51b8-4f29-9e44-7d2a8b13c5f0")
"""Never to change: an event that is read again must get the id it had."""

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_IN_A_TYPE = re.compile(r"[^a-z0-9_-]+")
_IN_A_TYPE = re.compile(r"[a-z0-9_-]")
_RESOURCE_TYPE_MAX, _RESOURCE_ID_MAX = 64, 255


def read_cloudevent(source: bytes | str | Mapping[str, object], type_prefix: str = "") -> Event:
    """The event that one CloudEvent, as UTF-8 JSON or parsed, says happened.

    | attribute | becomes |
    |---|---|
    | `specversion` | refused when it is not `1.0` |
    | `source` and `id` | `id`: a UUIDv5 of the two, and `id` is kept in `metadata.ce_id` |
    | `evtopid` | `id`, as it is, when it is a UUID and the same as the attribute `id` |
    | `type` | `event_type`, without `type_prefix` and as `fitting_type` has it |
    | `time` | `inserted_at`, to the microsecond; now when it is left out |
    | `subject` | the resource: type and id are split at the first `/`; without one it is an id |
    | `data` | `metadata` when it is an object; else `metadata.data` |
    | `data_base64` | like `data` when `datacontenttype` says that it is JSON; else `metadata.data_base64`, as it is |
    | `source`, `dataschema`, `datacontenttype` and extensions | `metadata`, under their names with `ce_` before them |

    Attributes that are null count as left out. By the specification, `source` and `id` are unique together, so that
    one UUID of two sources makes two events. `evtopid`, which `to_cloudevent` writes, says that the UUID is that of
    an event, wherever it comes from.
    `metadata.ce_type` keeps a type that had to be changed to fit, `metadata.ce_subject` a subject too long for a
    resource; the implied `datacontenttype`, `application/json`, is not kept. A key of `data` that is named like one
    of these (`ce_source`) stays, and the attribute is left out.

    The extension attributes that `to_cloudevent` writes (`evtopseverity`, `evtopactortype`, `evtopactorid` …) set
    the event's fields, whoever wrote them; those of the resource win over `subject`.

    Raises:
        ForeignEventError: not JSON, a required attribute is missing, or one breaks its rule.
    """
    cloudevent = parse_object(source)
    version = required_text(cloudevent, "specversion")
    if version != SPEC_VERSION:
        raise ForeignEventError(f"specversion must be {SPEC_VERSION!r}, not {quoted(version)}")
    attributes = {name: value for name, value in cloudevent.items() if name not in _HAS_A_PLACE}
    fields: dict[str, Any] = {}
    identifier, origin = required_text(cloudevent, "id"), required_text(cloudevent, "source")
    own_id = as_uuid(identifier) if text_of(cloudevent, OWN_ID) == identifier else None
    if own_id is None:
        fields["id"] = derived_uuid(_NAMESPACE, origin, identifier)
        attributes["id"] = identifier
    else:
        fields["id"] = own_id
        del attributes[OWN_ID]
    reported_type = required_text(cloudevent, "type")
    stripped = reported_type.removeprefix(_dotted(type_prefix))
    fields["event_type"] = fitting_type(stripped)
    if fields["event_type"] != stripped:
        attributes["type"] = reported_type
    time = text_of(cloudevent, "time")
    if time is not None:
        fields["inserted_at"] = _checked_time(time)
    for name, field in _FIELD_OF_EXTENSION.items():
        value = text_of(cloudevent, name)
        if value is not None:
            fields[field] = None if field == "severity" and value == NO_SEVERITY else value
    subject = text_of(cloudevent, "subject")
    if subject is not None and not any(cloudevent.get(name) for name in _RESOURCE_EXTENSIONS):
        resource_type, resource_id = _resource_of(subject)
        if len(resource_type or "") <= _RESOURCE_TYPE_MAX and len(resource_id or "") <= _RESOURCE_ID_MAX:
            fields |= {"resource_type": resource_type, "resource_id": resource_id}
        else:
            attributes["subject"] = subject
    content_type = text_of(cloudevent, "datacontenttype")
    if content_type == JSON_CONTENT_TYPE:
        del attributes["datacontenttype"]
    fields["metadata"] = {
        **{f"{ATTRIBUTE_PREFIX}{name}": value for name, value in attributes.items() if value is not None},
        **_data(cloudevent, content_type),
    }
    return build_event(fields, _NAMES)


def read_cloudevents(
    source: bytes | str | Sequence[object], type_prefix: str = ""
) -> Iterator[Event | ForeignEventError]:
    """The events of a batch in order, each read like `read_cloudevent`: an event, or why it cannot be read.

    A bad event comes as an error among the others, so that it does not cost the rest of its batch.

    Raises:
        ForeignEventError: the batch is no JSON array; raised by the call, before the first event.
    """
    batch = parse_json(source) if isinstance(source, (bytes, str)) else source
    if not isinstance(batch, Sequence) or isinstance(batch, (bytes, str)):
        raise ForeignEventError(f"the batch must be an array, not {json_kind(batch)}")
    return _each(cast("Sequence[object]", batch), type_prefix)


def to_cloudevent(event: Event, source: str, type_prefix: str = "") -> dict[str, Any]:
    """`event` as a CloudEvent in the JSON event format, ready for `json.dumps`.

    `id`, `type`, `time`, `subject` (`type/id` of the resource) and `data` (the metadata) are attributes of the
    specification; the other fields are extension attributes that begin with `evtop`, the resource too when
    `subject` alone would be read as another one. `evtopid` repeats `id`, so that `read_cloudevent` takes it as the
    id of the event. `position` is the store's own and is left out.

    `source` is a URI reference that names the application (`https://media.example.com/tracker`), and `type_prefix`
    the reverse DNS name to put before the type, as the specification recommends (`com.example`).

    `read_cloudevent` of the result, with the same prefix, gives the event again, with `metadata.ce_source` added
    where it was missing. Texts are written as they are: an id with control characters makes an attribute that the
    specification's String type does not allow.

    Raises:
        ValueError: `source` is empty.
    """
    if not source:
        raise ValueError("source is empty: a CloudEvent must name its source")
    cloudevent: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "id": str(event.id),
        OWN_ID: str(event.id),
        "source": source,
        "type": f"{_dotted(type_prefix)}{event.event_type}",
        "time": event.inserted_at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": JSON_CONTENT_TYPE,
        "data": dict(event.metadata),
    }
    fields = {name: getattr(event, field) for name, field in _FIELD_OF_EXTENSION.items()}
    if event.severity is None:
        fields["evtopseverity"] = NO_SEVERITY
    if event.resource is not None:
        cloudevent["subject"] = event.resource
        if _resource_of(event.resource) == (event.resource_type, event.resource_id):
            for name in _RESOURCE_EXTENSIONS:
                del fields[name]
    cloudevent.update((name, str(value)) for name, value in fields.items() if value is not None)
    return cloudevent


def fitting_type(name: str) -> str:
    """The event type that comes nearest to `name`, the `type` of a CloudEvent.

    CamelCase becomes `camel_case`, letters become lower case, runs of other characters `_`, parts without a letter
    of an event type are left out, and a name of one part gets `cloudevent.` before it:
    `Microsoft.Storage.BlobCreated` is `microsoft.storage.blob_created`, `ping` is `cloudevent.ping`.

    Raises:
        ForeignEventError: nothing of it is left.
    """
    parts = [part for part in _WORD_BREAK.sub("_", name).lower().split(".") if _IN_A_TYPE.search(part)]
    if not parts:
        raise ForeignEventError(f"type must have an ASCII letter or digit, and has none: {quoted(name)}")
    if len(parts) == 1:
        parts.insert(0, "cloudevent")
    return ".".join(_NOT_IN_A_TYPE.sub("_", part) for part in parts)


def _each(batch: Sequence[object], type_prefix: str) -> Iterator[Event | ForeignEventError]:
    for item in batch:
        try:
            yield read_cloudevent(as_object(item), type_prefix)
        except ForeignEventError as error:
            yield error


def _dotted(type_prefix: str) -> str:
    return f"{type_prefix.rstrip('.')}." if type_prefix else ""


def _checked_time(time: str) -> str:
    if not _RFC_3339.fullmatch(time):
        raise ForeignEventError(f"time must be RFC 3339, as in 2026-01-31T12:00:00Z, not {quoted(time)}")
    return time


def _resource_of(subject: str) -> tuple[str | None, str | None]:
    """Type and id of the resource that `subject` names."""
    resource_type, slash, resource_id = subject.partition("/")
    return (resource_type or None, resource_id or None) if slash else (None, subject)


def _data(cloudevent: Mapping[str, object], content_type: str | None) -> Mapping[str, object]:
    """The payload, as an object."""
    encoded = text_of(cloudevent, "data_base64")
    if encoded is None:
        return _as_metadata(cloudevent["data"]) if "data" in cloudevent else {}
    if cloudevent.get("data") is not None:
        raise ForeignEventError("data and data_base64 exclude each other")
    try:
        payload = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise ForeignEventError("data_base64 is not Base64") from None
    return _as_metadata(parse_json(payload)) if _is_json(content_type) else {"data_base64": encoded}


def _as_metadata(data: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", data) if isinstance(data, Mapping) else {"data": data}


def _is_json(content_type: str | None) -> bool:
    """Whether a media type declares JSON: its subtype is `json` or ends in `+json` (JSON event format, 3.1.1)."""
    subtype = (content_type or "").partition(";")[0].strip().lower().partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")
