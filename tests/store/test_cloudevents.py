"""CloudEvents 1.0 become events, and events CloudEvents, by the specification's own examples and rules."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.adapters.cloudevents import fitting_type, read_cloudevent, read_cloudevents, to_cloudevent
from store.adapters.foreign import FOREIGN_MAX_BYTES, ForeignEventError
from store.event import ActorType, Event, Severity
from tests.events import make_event
from tests.store.test_wire import EVENTS, REPEATABLE, TEXTS, VALUES

SOURCE = "https://media.example.com/tracker"
ID = "0192f8a1-5c3b-7d4e-9f60-1a2b3c4d5e6f"


def cloudevent(**attributes: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": ID, "source": SOURCE, "type": "download.failed", **attributes}


def refusal(source: Any) -> str:
    with pytest.raises(ForeignEventError) as caught:
        read_cloudevent(source)
    message = str(caught.value)
    assert message.isprintable(), "a reason is one line, with nothing in it that a terminal would act on"
    assert len(message) < 250
    return message


def outcome_of(source: Any) -> Event | ForeignEventError:
    try:
        return read_cloudevent(source)
    except ForeignEventError as error:
        return error


def metadata_of(**attributes: Any) -> dict[str, Any]:
    """The metadata of a CloudEvent with `attributes`, but for its source and id."""
    metadata = dict(read_cloudevent(cloudevent(**attributes)).metadata)
    assert (metadata.pop("ce_source"), metadata.pop("ce_id")) == (SOURCE, ID)
    return metadata


def test_every_attribute_has_its_place() -> None:
    event = read_cloudevent(
        cloudevent(
            time="2026-03-01T12:00:00Z",
            subject="download/9f3a",
            datacontenttype="application/json; charset=utf-8",
            dataschema="https://example.com/schema",
            traceparent="00-abc-01",
            sequence=7,
            data={"error": "disk full"},
        )
    )
    assert event == Event(
        id=UUID("2d1dd7dc-f937-5433-bcf4-1bf7bb20dc57"),
        event_type="download.failed",
        category="downloads",
        actor_type=ActorType.SYSTEM,
        resource_type="download",
        resource_id="9f3a",
        metadata={
            "ce_source": SOURCE,
            "ce_id": ID,
            "ce_datacontenttype": "application/json; charset=utf-8",
            "ce_dataschema": "https://example.com/schema",
            "ce_traceparent": "00-abc-01",
            "ce_sequence": 7,
            "error": "disk full",
        },
        severity=Severity.ERROR,
        inserted_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )


def test_bytes_text_and_a_mapping_give_the_same_event() -> None:
    fields = cloudevent(time="2026-03-01T12:00:00Z", data={"a": "é"})
    text = json.dumps(fields)
    assert read_cloudevent(fields) == read_cloudevent(text) == read_cloudevent(text.encode())


def test_the_example_of_the_specification_with_a_json_object() -> None:
    """JSON event format 1.0.2, section 3.2, the third example."""
    event = read_cloudevent(
        """{
            "specversion" : "1.0", "type" : "com.example.someevent", "source" : "/mycontext", "subject": null,
            "id" : "C234-1234-1234", "time" : "2018-04-05T17:31:00Z", "comexampleextension1" : "value",
            "comexampleothervalue" : 5, "datacontenttype" : "application/json",
            "data" : {"appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true}
        }"""
    )
    assert event.event_type == "com.example.someevent"
    assert event.inserted_at == datetime(2018, 4, 5, 17, 31, tzinfo=UTC)
    assert event.resource is None
    assert event.metadata == {
        "ce_source": "/mycontext",
        "ce_id": "C234-1234-1234",
        "ce_comexampleextension1": "value",
        "ce_comexampleothervalue": 5,
        "appinfoA": "abc",
        "appinfoB": 123,
        "appinfoC": True,
    }


def test_attributes_that_are_null_count_as_left_out() -> None:
    optional = ("time", "subject", "datacontenttype", "dataschema", "data_base64", "ext", "evtopseverity")
    event = read_cloudevent(cloudevent(**dict.fromkeys((*optional, "evtopid"))))
    assert (event.resource, event.severity) == (None, Severity.ERROR)
    assert event.metadata == {"ce_source": SOURCE, "ce_id": ID}


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
@pytest.mark.parametrize("value", [None, "", ...])
def test_an_event_without_a_required_attribute_is_refused(name: str, value: object) -> None:
    attributes = cloudevent(**{name: value})
    if value is ...:
        del attributes[name]
    assert refusal(attributes) == f"{name} is missing"


@pytest.mark.parametrize("version", ["0.3", "1.1", "2.0", "1.0.2", "1.0\x1b"])
def test_another_version_is_refused(version: str) -> None:
    assert refusal(cloudevent(specversion=version)) == f"specversion must be '1.0', not {version!r}"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"specversion": 1.0}, "specversion must be text, not a number"),
        ({"id": 7}, "id must be text, not a number"),
        ({"source": []}, "source must be text, not an array"),
        ({"source": "a\x00"}, "data and attributes: U+0000 cannot be stored"),
        ({"source": "\ud800"}, "data and attributes: lone surrogates cannot be stored"),
        ({"id": "\ud800"}, "data and attributes: lone surrogates cannot be stored"),
        ({"type": {}}, "type must be text, not an object"),
        ({"type": "日本"}, "type must have an ASCII letter or digit, and has none: '日本'"),
        ({"type": "."}, "type must have an ASCII letter or digit, and has none: '.'"),
        ({"type": "a." + "b" * 200}, "type: String should have at most 128 characters"),
        ({"subject": 3}, "subject must be text, not a number"),
        ({"subject": "a/\x00"}, "resource id: U+0000 cannot be stored"),
        ({"datacontenttype": 3}, "datacontenttype must be text, not a number"),
        ({"data": "x" * 70_000}, "data and attributes: metadata is over 64 KiB"),
        ({"data": float("inf")}, "data and attributes: metadata has NaN or an infinity"),
        ({"data": 1, "data_base64": "AA=="}, "data and data_base64 exclude each other"),
        ({"data_base64": "A"}, "data_base64 is not Base64"),
        ({"data_base64": "é\x1b"}, "data_base64 is not Base64"),
        ({"data_base64": {}}, "data_base64 must be text, not an object"),
        ({"evtopseverity": "fatal\x1b"}, "evtopseverity: Input should be 'info', 'warning' or 'error'"),
        ({"evtopactortype": "robot"}, "evtopactortype: Input should be 'user', 'system' or 'job'"),
        ({"evtopactorid": 7}, "evtopactorid must be text, not a number"),
        ({"evtopid": 7}, "evtopid must be text, not a number"),
        ({"evtopstatus": "x" * 65}, "evtopstatus: String should have at most 64 characters"),
        ({"evtopresourcetype": "x" * 65}, "resource type: String should have at most 64 characters"),
    ],
)
def test_an_attribute_that_breaks_its_rule_is_named(attributes: dict[str, Any], message: str) -> None:
    assert refusal(cloudevent(**attributes)) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "not JSON: EOF while parsing a value at line 1 column 0"),
        (b"[]", "the event must be an object, not an array"),
        (b" " * (FOREIGN_MAX_BYTES + 1), f"{FOREIGN_MAX_BYTES + 1} bytes, over {FOREIGN_MAX_BYTES}"),
        (b'{"a":' * 1000, "not JSON: recursion limit exceeded at line 1 column 1006"),
    ],
)
def test_what_is_no_json_object_is_refused(source: bytes, message: str) -> None:
    assert refusal(source) == message


# Identity


@pytest.mark.parametrize("identifier", ["A234-1234-1234", "1", ID, ID.upper(), "\n"])
def test_an_id_gives_the_same_uuid_each_time(identifier: str) -> None:
    first, second = (read_cloudevent(cloudevent(id=identifier)) for _ in range(2))
    assert first.id == second.id
    assert first.id.version == 5
    assert first.metadata["ce_id"] == identifier


def test_the_same_id_of_two_sources_gives_two_uuids() -> None:
    places = [("/a", "b"), ("/a/", "b"), ('/a", "b', "c"), ("/a", 'b", "c'), ("/a", ID), ("/b", ID)]
    ids = {read_cloudevent(cloudevent(source=source, id=identifier)).id for source, identifier in places}
    assert len(ids) == len(places)


def test_the_uuid_of_source_and_id_never_changes() -> None:
    """An application that upgrades and reads its stream again must not store it twice."""
    event = read_cloudevent(cloudevent(source="/mycontext", id="A234-1234-1234"))
    assert event.id == UUID("f05e9a51-199b-5423-9db1-4491e6884a02")


def test_an_event_of_evtop_keeps_its_id_whatever_the_source() -> None:
    for source in ("/a", "/b"):
        event = read_cloudevent(cloudevent(source=source, evtopid=ID))
        assert event.id == UUID(ID)
        assert event.metadata == {"ce_source": source}


@pytest.mark.parametrize(
    ("identifier", "marked"), [(ID, ID.replace("0", "1")), (ID, ID.upper()), (ID, "1"), ("1", ID), ("1", "1")]
)
def test_a_mark_that_is_not_the_id_or_no_uuid_is_kept_as_any_extension(identifier: str, marked: str) -> None:
    event = read_cloudevent(cloudevent(id=identifier, evtopid=marked))
    assert event.id == read_cloudevent(cloudevent(id=identifier)).id
    assert event.metadata == {"ce_source": SOURCE, "ce_id": identifier, "ce_evtopid": marked}


# Type


@pytest.mark.parametrize(
    ("name", "event_type"),
    [
        ("download.failed", "download.failed"),
        ("com.github.pull_request.opened", "com.github.pull_request.opened"),
        ("Microsoft.Storage.BlobCreated", "microsoft.storage.blob_created"),
        ("com.example.HTTPRequestDone", "com.example.http_request_done"),
        ("io.k8s/pod added", "io.k8s_pod_added"),
        ("..a...b..", "a.b"),
        ("日本.ping.日x", "ping._x"),
        ("ping", "cloudevent.ping"),
        ("_.-", "_.-"),
        ("a.b\n", "a.b_"),
        ("\x1b[2J.x", "_2_j.x"),
    ],
)
def test_a_type_is_made_to_fit_and_its_own_name_kept(name: str, event_type: str) -> None:
    assert fitting_type(name) == event_type
    assert metadata_of(type=name) == ({} if name == event_type else {"ce_type": name})


@REPEATABLE
@given(st.text(max_size=60))
def test_any_type_fits_or_has_no_letter_of_one(name: str) -> None:
    outcome = outcome_of(cloudevent(type=name + "\x1b"))
    if isinstance(outcome, Event):
        assert fitting_type(outcome.event_type) == outcome.event_type
    else:
        assert re.search("[a-z0-9_-]", name.lower()) is None or "\x00" in name, str(outcome)


@pytest.mark.parametrize("prefix", ["com.example", "com.example."])
def test_a_prefix_is_stripped_from_the_types_that_have_it(prefix: str) -> None:
    def read(name: str) -> Event:
        return read_cloudevent(cloudevent(type=name), prefix)

    event = read("com.example.download.failed")
    assert (event.event_type, event.category) == ("download.failed", "downloads")
    assert event.metadata == {"ce_source": SOURCE, "ce_id": ID}
    assert read("com.examples.download.failed").event_type == "com.examples.download.failed"
    assert read("com.example").event_type == "com.example"
    assert read("com.example.ping").metadata["ce_type"] == "com.example.ping"
    with pytest.raises(ForeignEventError, match="type must have an ASCII letter"):
        read("com.example.")


# Time and subject


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("2018-04-05T17:31:00Z", datetime(2018, 4, 5, 17, 31, tzinfo=UTC)),
        ("2018-04-05t19:31:00.123456789+02:00", datetime(2018, 4, 5, 17, 31, 0, 123456, tzinfo=UTC)),
        ("2018-04-05T17:31:00.1z", datetime(2018, 4, 5, 17, 31, 0, 100000, tzinfo=UTC)),
    ],
)
def test_the_time_is_read_to_the_microsecond(time: str, moment: datetime) -> None:
    assert read_cloudevent(cloudevent(time=time)).inserted_at == moment


def test_an_event_without_a_time_happened_now() -> None:
    before = datetime.now(UTC)
    assert before <= read_cloudevent(cloudevent()).inserted_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    "time",
    ["1522949460", "2018-04-05", "2018-04-05T17:31:00", "20180405T173100Z", "٢018-04-05T17:31:00Z", "\x1b"],
)
def test_a_time_that_is_not_rfc_3339_is_refused(time: str) -> None:
    assert (
        refusal(cloudevent(time=time)) == f"time must be RFC 3339, as in 2026-01-31T12:00:00Z, not {time!r}"
    )


@pytest.mark.parametrize(
    "time", ["2018-13-05T17:31:00Z", "0001-01-01T00:00:00Z", "2018-04-05T17:31:00+99:00"]
)
def test_a_time_that_is_no_moment_is_refused(time: str) -> None:
    assert refusal(cloudevent(time=time)).startswith("time: ")


@pytest.mark.parametrize(
    ("subject", "resource_type", "resource_id"),
    [
        ("download/9f3a", "download", "9f3a"),
        ("series/12/episode/3", "series", "12/episode/3"),
        ("mynewfile.jpg", None, "mynewfile.jpg"),
        ("/blobServices/default", None, "blobServices/default"),
        ("bus/", "bus", None),
        ("/", None, None),
        ("a:b", None, "a:b"),
    ],
)
def test_the_subject_is_the_resource(
    subject: str, resource_type: str | None, resource_id: str | None
) -> None:
    event = read_cloudevent(cloudevent(subject=subject))
    assert (event.resource_type, event.resource_id) == (resource_type, resource_id)
    assert "ce_subject" not in event.metadata


@pytest.mark.parametrize("subject", ["x" * 65 + "/1", "x" * 256, "a/" + "x" * 256])
def test_a_subject_too_long_for_a_resource_is_kept_as_it_is(subject: str) -> None:
    event = read_cloudevent(cloudevent(subject=subject))
    assert event.resource is None
    assert event.metadata["ce_subject"] == subject


# Data


@pytest.mark.parametrize("data", [None, 1, "text", '{"a":1}', [1, {"a": None}], True])
def test_data_that_is_no_object_is_kept_under_data(data: object) -> None:
    assert metadata_of(data=data) == {"data": data}


def test_text_in_another_content_type_is_kept_as_it_is() -> None:
    assert metadata_of(datacontenttype="application/xml", data="<a/>") == {
        "ce_datacontenttype": "application/xml",
        "data": "<a/>",
    }


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/JSON; charset=utf-8", "application/x+json"]
)
def test_base64_that_is_said_to_be_json_is_read_as_data(content_type: str) -> None:
    encoded = base64.b64encode(b'{"error": "disk full"}').decode()
    metadata = metadata_of(datacontenttype=content_type, data_base64=encoded)
    assert metadata["error"] == "disk full"
    assert "data_base64" not in metadata
    number = base64.b64encode(b"7").decode()
    assert metadata_of(datacontenttype=content_type, data_base64=number)["data"] == 7
    broken = base64.b64encode(b"{").decode()
    assert refusal(cloudevent(datacontenttype=content_type, data_base64=broken)).startswith("not JSON: ")


@pytest.mark.parametrize("attributes", [{}, {"datacontenttype": "image/png"}, {"datacontenttype": "json"}])
def test_other_base64_is_kept_as_it_is(attributes: dict[str, Any]) -> None:
    assert metadata_of(data_base64="iVBORw==", **attributes)["data_base64"] == "iVBORw=="


def test_a_key_of_data_that_is_named_like_an_attribute_stays() -> None:
    event = read_cloudevent(
        cloudevent(ext="of the envelope", data={"ce_source": "first", "ce_ext": "of the data"})
    )
    assert event.metadata == {"ce_id": ID, "ce_source": "first", "ce_ext": "of the data"}


def test_data_that_hold_themselves_are_refused() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    assert "levels deep" in refusal(cloudevent(data=loop))


def test_what_is_given_is_not_changed() -> None:
    fields = cloudevent(id="1", type="X.Y", datacontenttype="application/json", data={"a": []}, ext=1)
    before = json.dumps(fields)
    read_cloudevent(fields)
    assert json.dumps(fields) == before


# Batches


def test_a_batch_gives_its_events_in_order_and_a_reason_for_each_bad_one() -> None:
    batch = [cloudevent(id="1"), cloudevent(specversion="0.3"), 7, cloudevent(id="2")]
    for source in (batch, json.dumps(batch), json.dumps(batch).encode()):
        outcomes = list(read_cloudevents(source))
        assert [
            str(outcome) if isinstance(outcome, ForeignEventError) else outcome.metadata["ce_id"]
            for outcome in outcomes
        ] == [
            "1",
            "specversion must be '1.0', not '0.3'",
            "the event must be an object, not a number",
            "2",
        ]


def test_a_batch_strips_the_prefix() -> None:
    (event,) = read_cloudevents([cloudevent(type="com.example.download.failed")], "com.example")
    assert isinstance(event, Event)
    assert event.event_type == "download.failed"


def test_an_empty_batch_is_a_batch() -> None:
    assert list(read_cloudevents(b"[]")) == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"{}", "the batch must be an array, not an object"),
        ('"x"', "the batch must be an array, not text"),
        (b"[", "not JSON: EOF while parsing a list at line 1 column 1"),
    ],
)
def test_what_is_no_batch_is_refused_by_the_call(source: bytes | str, message: str) -> None:
    with pytest.raises(ForeignEventError) as caught:
        read_cloudevents(source)
    assert str(caught.value) == message


# The other direction


def test_an_event_as_a_cloudevent() -> None:
    event = make_event(
        1,
        event_type="download.failed",
        actor_type="user",
        actor_id="42",
        resource_type="download",
        resource_id="9f3a",
        secondary_resource_type="episode",
        secondary_resource_id="7",
        status="failed",
        metadata={"error": "disk full"},
        position=9,
    )
    assert to_cloudevent(event, SOURCE, "com.example") == {
        "specversion": "1.0",
        "id": "00000000-0000-0000-0000-000000000001",
        "evtopid": "00000000-0000-0000-0000-000000000001",
        "source": SOURCE,
        "type": "com.example.download.failed",
        "time": "2026-11-21T12:00:01Z",
        "subject": "download/9f3a",
        "datacontenttype": "application/json",
        "data": {"error": "disk full"},
        "evtopcategory": "downloads",
        "evtopactortype": "user",
        "evtopactorid": "42",
        "evtopsecondarytype": "episode",
        "evtopsecondaryid": "7",
        "evtopstatus": "failed",
        "evtopseverity": "error",
    }


def test_a_cloudevent_names_its_source() -> None:
    with pytest.raises(ValueError, match="source is empty"):
        to_cloudevent(make_event(), "")


HOSTILE_EVENTS = EVENTS | st.builds(
    make_event,
    resource_type=st.sampled_from([None, "a", "a/b", "/", "a/"]),
    resource_id=st.sampled_from([None, "b", "b/c", "/", "/b"]),
    metadata=st.dictionaries(st.sampled_from(["data", "data_base64", "ce_source", "source"]), VALUES),
)


@REPEATABLE
@given(HOSTILE_EVENTS, st.sampled_from(["", "com.example", "x."]), TEXTS)
def test_an_event_that_goes_out_and_comes_in_is_the_same(event: Event, prefix: str, source: str) -> None:
    message = json.dumps(to_cloudevent(event, source, prefix))
    read = read_cloudevent(message, prefix)
    metadata = {"ce_source": source, **event.metadata}
    assert read == event.model_copy(update={"metadata": metadata, "position": None})


def test_a_foreign_event_that_goes_out_and_comes_in_keeps_the_id_it_was_given() -> None:
    event = read_cloudevent(cloudevent(time="2026-03-01T12:00:00Z", data={"a": 1}))
    for source in (SOURCE, "/elsewhere"):
        assert read_cloudevent(to_cloudevent(event, source)) == event


@pytest.mark.thorough
@REPEATABLE
@given(EVENTS)
def test_what_goes_out_keeps_the_naming_rules_of_attributes(event: Event) -> None:
    """CloudEvents 1.0.2, "Attribute Naming Convention": lower-case letters and digits, at most 20 of them."""
    attributes = to_cloudevent(event, SOURCE)
    del attributes["data"]
    for name, value in attributes.items():
        assert re.fullmatch("[a-z0-9]{1,20}", name)
        assert isinstance(value, str)
        assert value


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=6,
)
NAMES = [
    *cloudevent(),
    "time",
    "subject",
    "data",
    "data_base64",
    "datacontenttype",
    "ext",
    "evtopseverity",
    "evtopid",
]


@pytest.mark.thorough
@settings(REPEATABLE, max_examples=400)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, ANYTHING)))
def test_any_values_give_an_event_or_one_harmless_line(attributes: dict[str, Any]) -> None:
    outcome = outcome_of({**cloudevent(), **attributes})
    if isinstance(outcome, Event):
        assert Event.model_validate_json(outcome.model_dump_json()) == outcome
    else:
        assert str(outcome).isprintable()
