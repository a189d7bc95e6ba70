"""What is shown in place of personal data: the same for the same value, readable for nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from monitor import masking
from monitor.export.csv_rows import event_line
from monitor.export.formats import Format, writer_of
from monitor.export.ndjson import json_line
from monitor.health.grouping import Group
from monitor.health.rule import Episode, Rule
from monitor.health.threshold import Threshold
from monitor.health.title import title
from monitor.masking import Mask, activate, shown_event
from monitor.model.cells import Cell, cell_text
from monitor.model.detail import METADATA, detail_items
from monitor.model.filter import Facet, Filter
from monitor.model.place import Place
from monitor.model.seen_values import seen_values
from monitor.model.summary import summarise
from monitor.model.view import query_text
from monitor.widgets.event_detail import json_lines
from monitor.zone import Zone
from store.event import Event
from store.query.predicate import compile_predicate
from store.query.syntax import Compare, Field, Op, Path
from tests.events import make_event

ADDRESS, OTHER = "203.0.113.7", "198.51.100.9"
KEY = b"\x00" * 16


@pytest.fixture(autouse=True)
def mask() -> Iterator[Mask]:
    """Stand-ins that are the same in every run."""
    before = masking._active[0]
    chosen = Mask(key=KEY)
    activate(chosen)
    yield chosen
    activate(before)


def login(number: int = 1, ip: str = ADDRESS, **metadata: Any) -> Event:
    return make_event(number, event_type="user.login", metadata={"ip": ip, **metadata})


def test_something_is_hidden_before_anybody_asked_for_it() -> None:
    # As each process begins: the fixture's own mask aside.
    assert isinstance(Mask().metadata({"ip": ADDRESS})["ip"], str)
    assert ADDRESS not in str(Mask().metadata({"ip": ADDRESS}))


def test_equal_values_look_alike_within_a_session_and_otherwise_not(mask: Mask) -> None:
    shown = mask.metadata({"ip": ADDRESS, "client": {"ip": OTHER}, "hops": [{"ip_address": ADDRESS}]})
    first, second, third = shown["ip"], shown["client"]["ip"], shown["hops"][0]["ip_address"]
    assert first.startswith("ip·")
    assert second.startswith("ip·")
    assert third.startswith("ip_address·")
    assert first.partition("·")[2] == third.partition("·")[2] != second.partition("·")[2]
    assert Mask().metadata({"ip": ADDRESS}) != Mask().metadata({"ip": ADDRESS})


def test_what_was_looked_at_is_not_taken_for_another(mask: Mask) -> None:
    for number in range(3000):
        # Metadata that is gone leaves its place in memory to the next one.
        assert mask.metadata({"ip": f"10.0.0.{number}"}) == {"ip": mask.stand_in("ip", f"10.0.0.{number}")}


def test_an_event_is_the_same_but_for_what_is_hidden() -> None:
    event, plain = login(), make_event(2)
    shown = shown_event(event)
    assert shown.id == event.id
    assert shown.metadata != event.metadata
    assert event.metadata["ip"] == ADDRESS
    assert shown_event(plain) is plain
    activate(None)
    assert shown_event(event) is event


@pytest.mark.parametrize("personal", [True, False])
def test_whatever_text_is_made_of_an_event_hides_it(personal: bool) -> None:
    if not personal:
        activate(None)
    event = login(error=f"refused from {ADDRESS}", nested={"ip": [ADDRESS]})
    buffer = BytesIO()
    writer = writer_of(Format.NDJSON, buffer)
    writer.write([event])
    writer.finish()
    told = {
        "row": summarise(event),
        "cell": cell_text(event, Cell.SUMMARY, Zone.UTC),
        "detail": str([item.text for item in detail_items(event, Zone.UTC)]),
        "json": str(json_lines(event, 80)),
        "ndjson": buffer.getvalue().decode(),
        "line": json_line(event),
        "csv": event_line(event),
        "completion": str(seen_values((), [event])),
    }
    for what, text in told.items():
        assert (ADDRESS in text) is not personal, what


def test_parquet_hides_it(tmp_path: Any) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    with path.open("wb") as file:
        writer = writer_of(Format.PARQUET, file)
        writer.write([login()])
        writer.finish()
    told = pyarrow.read_table(path)["metadata"][0].as_py()
    assert ADDRESS not in told
    assert json.loads(told)["ip"].startswith("ip·")


def test_a_value_that_is_hidden_can_be_filtered_by(mask: Mask) -> None:
    items = {item.place: item for item in detail_items(login(client={"ip": OTHER}), Zone.UTC)}
    for place, value in (((METADATA, "ip"), ADDRESS), ((METADATA, "client", "ip"), OTHER)):
        item = items[place]
        facet = item.asked
        assert isinstance(facet, Facet)
        assert item.value == mask.stand_in("ip", value)
        assert facet.value == value
        assert facet.is_hidden
        assert value not in facet.label
        shown = Filter().soloed(facet)
        matches = compile_predicate(shown.node())
        assert matches(login(client={"ip": OTHER}))
        assert not matches(login(2, "10.9.9.9"))
        assert value not in shown.describe()
        assert mask.stand_in("ip", value) in shown.describe()


def test_a_row_has_no_room_for_what_is_hidden() -> None:
    assert summarise(make_event(1, metadata={"device_id": "tv-7", "region": "eu"})) == "region=eu"
    activate(None)
    assert (
        summarise(make_event(1, metadata={"device_id": "tv-7", "region": "eu"}))
        == "device_id=tv-7 · region=eu"
    )


def test_what_is_hidden_is_neither_copied_nor_saved_with_a_filter() -> None:
    hidden, plain = Facet(Path(("ip",)), ADDRESS), Facet(Field.STATUS, "failed")
    shown = Filter().toggled(hidden).soloed(plain)
    assert Place(shown).command_line() == "evtop --query status:failed"
    assert query_text(shown) == "status:failed"
    activate(None)
    assert ADDRESS in Place(shown).command_line()
    assert ADDRESS in query_text(shown)


def test_what_an_operator_types_stays_as_it_is_typed() -> None:
    query = Compare(Path(("ip",)), Op.EQ, ADDRESS)
    shown = Filter().with_query(f"@ip:{ADDRESS}", query)
    assert shown.describe() == f"@ip:{ADDRESS}"
    assert compile_predicate(shown.node())(login())


def test_alerts_hide_what_they_are_grouped_by(mask: Mask) -> None:
    now = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
    rule = Rule(
        name="logins-refused",
        kind=Threshold(5, timedelta(minutes=1)),
        query=Compare(Field.TYPE, Op.EQ, "user.login"),
        group_by=((Path(("ip",)),),),
        title="{@ip} is refused",
    )
    group: Group = (ADDRESS,)
    assert title(rule, group, Episode(now, None, 5)) == f"{mask.stand_in('ip', ADDRESS)} is refused"
    labels = (("@ip", ADDRESS), ("status|@client.ip", OTHER), ("resource", "client/qbt"))
    assert masking.shown_labels(labels)[2] == labels[2]
    assert ADDRESS not in str(masking.shown_labels(labels))
    assert OTHER not in str(masking.shown_labels(labels))
    shown = masking.without_labels(f"logins-refused:{ADDRESS}", labels)
    assert shown == f"logins-refused:{mask.stand_in('ip', ADDRESS)}"


@pytest.mark.parametrize(
    "text",
    [
        f'{{"event_type":"user.login","metadata":{{"ip":"{ADDRESS}"}}}}',
        f'{{"event_type":"user.login","ip":"{ADDRESS}"}}',
        f'{{"event_type":"user.login","client":{{"ip":["{ADDRESS}"]}}}}',
        f'{{"event_type":"user.login","ip":"{ADDRESS}',
        f'{{"event_type":"user.login","ip" : "{ADDRESS}", "x": ',
        f"level=info ip={ADDRESS} done",
        f"IP: {ADDRESS}",
    ],
)
def test_lines_that_are_no_events_hide_what_they_name(text: str) -> None:
    assert ADDRESS not in masking.shown_text(text)
    assert masking.shown_text("no such thing: zip=12345") == "no such thing: zip=12345"
    activate(None)
    assert masking.shown_text(text) == text
