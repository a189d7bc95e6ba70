"""Hostile text wherever an application may write text, on a real terminal: all of it is shown, none of it obeyed.

The console draws only what `tests.terminal_output` lists, so that a payload that came through is found whatever it is.
Each payload carries a tag for each place where it stands, so that one which was never drawn is found, too.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from monitor.text import cell_width, clean
from store.event import Event
from tests.console.commands import EVTOP, publish, stored
from tests.faults.hostile_text import HOSTILE, LONG, PAYLOADS, REFUSED, Payload
from tests.pty_console import PrivateHome, PtyConsole
from tests.terminal_output import foreign, frames, plain, smuggled
from tests.valkey import ValkeyServer

pytestmark = [pytest.mark.fault, pytest.mark.pty]

WITHIN = 60.0
DETAIL = "  v JSON  "
"""Of the keys below the detail of an event."""
"""Seconds that anything may take on a busy machine."""
COLUMNS, ROWS = 180, 60
BATCH_MAX, TITLE_MAX = 14, 165
"""Payloads, and cells of a title with all of them, that have room on a screen of this size."""
SECRET = "hun#ter2"


def batches() -> list[list[Payload]]:
    """All payloads, in groups that the screen has room for."""
    groups: list[list[Payload]] = []
    room = 0
    for payload in PAYLOADS:
        width = cell_width(clean(payload.at("t")))
        if width > room or len(groups[-1]) == BATCH_MAX:
            groups.append([])
            room = TITLE_MAX
        groups[-1].append(payload)
        room -= width
    return groups


def messages(number: int, batch: Sequence[Payload]) -> Iterator[dict[str, object]]:
    """Events with the payloads in every field, halves of them on rows one after the other, and one event with all."""
    category = "".join(payload.at("g") for payload in batch)[:64]
    for payload in batch:
        yield {
            "event_type": "job.failed",
            "category": payload.at("c", 64),
            "actor_type": "user",
            "actor_id": payload.at("a"),
            "resource_type": "job",
            "resource_id": payload.at("i"),
            "status": payload.at("s", 64),
            "metadata": {"error": payload.at("m")},
        }
        yield {
            "event_type": "component.health_changed",
            "category": category,
            "resource_type": payload.at("r", 64),
            "severity": "warning",
            "metadata": {"message": payload.at("x", 6)},
        }
        yield {
            "event_type": "split.second",
            "category": category,
            "metadata": {"message": f"{payload.text[1:]}{payload.tag}y"},
        }
    yield {
        "event_type": f"hostile.batch-{number}",
        "category": category,
        "resource_type": "r",
        "resource_id": "".join(payload.at("t") for payload in batch)[:255],
        "secondary_resource_type": batch[0].at("u", 64),
        "secondary_resource_id": batch[-1].at("v"),
        "status": batch[0].at("z", 64),
        "metadata": {
            **{payload.at("k"): payload.at("w") for payload in batch},
            "list": [{payload.at("n"): payload.at("o") for payload in batch}],
            "end": f"end-of-{number}",
        },
    }


SEEN = {"i": 255, "a": 255, "s": 64, "r": 64, "x": 6, "t": 255, "k": 255, "w": 255, "n": 255, "o": 255}
"""The places that have room on the screen for every payload, and how much is written there."""


def go_to_pane(console: PtyConsole, key: str, title: str) -> None:
    """Press a key, and wait until the pane has the focus: what is typed before that is for another one."""

    def has_focus(console: PtyConsole) -> bool:
        corners = [
            (line[x:], console.screen.buffer[y][x].fg)
            for y, line in enumerate(console.lines)
            for x in (match.start() for match in re.finditer("╭─ ", line))
        ]
        colours = [colour for _, colour in corners]
        return any(
            text.startswith(f"╭─ {title}") and colours.count(colour) == 1 < len(colours)
            for text, colour in corners
        )

    console.press(key)
    console.wait_for(has_focus, WITHIN)


def look_at_batch(console: PtyConsole, number: int, batch: Sequence[Payload]) -> None:
    """See the batch in the timeline, in a detail, in titles; come back to the timeline."""
    console.wait_for_text(f"hostile.batch-{number}", WITHIN)
    console.press("enter")
    console.wait_for_text(DETAIL, WITHIN)
    console.wait_for_text(f"end-of-{number}", WITHIN)
    console.press("r")
    console.wait_for_text(f"╭─ r/{batch[0].tag}t", WITHIN)
    console.wait_for_text("esc back  enter detail", WITHIN)
    console.press("q")
    console.wait_for_text("? help  / filter", WITHIN)
    go_to_pane(console, "2", "Categories")
    # The facets are counted twice a second: on a fast machine all this takes less.
    console.wait_for(lambda console: re.match(r"│[▾▸] [●○◉] q", console.lines[2]), WITHIN)
    console.press("home")
    console.press("X")
    console.wait_for_text("Timeline · only q", WITHIN)
    console.press("C")
    console.wait_for(lambda console: "Timeline · " not in console.text, WITHIN)
    go_to_pane(console, "1", "Timeline")
    console.press("G")


def paste(console: PtyConsole, text: str) -> None:
    """Paste as a terminal does: it lets no escape through."""
    console.press("\x1b[200~" + text.replace("\x1b", "") + "\x1b[201~")


def leave(console: PtyConsole) -> bytes:
    """Quit; what was drawn until then."""
    console.take_in()
    drawn = frames(console.output)
    console.press("q")
    assert console.wait_for_end(WITHIN) == 0
    return drawn


def assert_harmless(drawn: bytes) -> None:
    assert foreign(drawn) == []
    text = drawn.decode() + plain(drawn)
    for payload in PAYLOADS:
        if smuggled(payload.text) and not foreign(payload.text.encode()):
            # The console itself may write this; not after a tag.
            assert not re.search(f"{payload.tag}[a-z]{re.escape(payload.text)}", text), payload.name


def corrupted_store(home: PrivateHome) -> int:
    """Give `home` a store in which something else has written rows; how many."""
    stored(home, Event(event_type="a.sound", metadata={"error": "sound"}))
    columns = {
        "event_type": "a.b\x1b]0;root\x07",
        "severity": "\x1b[2J",
        "actor_type": "\x9b2J",
        "metadata": '{"a": "\x1b[2J',
    }
    with closing(sqlite3.connect(home.store_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA ignore_check_constraints = on")
        names = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
        copied = [name for name in names if name not in {"id", "position"}]
        for number, (column, value) in enumerate(columns.items()):
            values = ", ".join("?" if name == column else name for name in copied)
            connection.execute(
                f"INSERT INTO events (id, {', '.join(copied)}) SELECT ?, {values} FROM events LIMIT 1",
                (f"{number:032x}", value),
            )
        connection.commit()
    return len(columns)


def test_no_payload_reaches_the_terminal_as_anything_but_text() -> None:
    with PrivateHome(EVTOP_NAME="n\x1b]0;root\x07\x9b2J\u202e") as home:
        unreadable = corrupted_store(home)
        with PtyConsole(EVTOP, environment=home.environment, columns=COLUMNS, rows=ROWS) as console:
            console.wait_for_text("● live", WITHIN)
            console.wait_for_text("a.sound", WITHIN)
            console.wait_for_text(f"unreadable {unreadable}", WITHIN)
            for message in REFUSED.values():
                publish(home.bus_socket, message)
            console.wait_for_text(f"malformed {len(REFUSED)}", WITHIN)
            for number, batch in enumerate(batches()):
                for message in messages(number, batch):
                    publish(home.bus_socket, json.dumps(message).encode())
                look_at_batch(console, number, batch)
            for number, text in enumerate(LONG.values()):
                message = {
                    "event_type": f"long.text-{number}",
                    "metadata": {"error": text, "end": f"end-{number}"},
                }
                publish(home.bus_socket, json.dumps(message).encode())
                console.wait_for_text(f"long.text-{number}", WITHIN)
                console.press("enter")
                console.wait_for_text(DETAIL, WITHIN)
                console.press("end")
                console.wait_for_text(f"end-{number}", WITHIN)
                console.press("q")
                console.wait_for(lambda console: DETAIL not in console.text, WITHIN)
                console.press("G")
            look_narrow(console)
            fresh = {"event_type": "probe.answered", "resource_type": "probe", "resource_id": "fresh"}
            publish(home.bus_socket, json.dumps(fresh).encode())
            console.wait_for_text("probe/fresh", WITHIN)
            drawn = leave(console)
    assert_harmless(drawn)
    shown = plain(drawn)
    missing = [
        (payload.name, payload.text, place)
        for payload in PAYLOADS
        for place, limit in SEEN.items()
        if payload.seen(place, limit) not in shown
    ]
    assert missing == []


def look_narrow(console: PtyConsole) -> None:
    """The same panes on a small terminal, with the alerts and the help."""
    console.resize(80, 24)
    console.wait_for(lambda console: any(line.startswith("╭─ Timeline") for line in console.lines), WITHIN)
    for keys, shown in (("a", "Alerts ─ "), ("?", "keys of the"), ("q", "Alerts ─ ")):
        console.press(keys)
        console.wait_for_text(shown, WITHIN)
    console.press("1")
    console.resize(COLUMNS, ROWS)
    console.wait_for_text("Categories ─ ", WITHIN)


def test_hostile_text_that_is_pasted_stays_text() -> None:
    # An input takes the first line of what is pasted.
    pasted = [
        payload
        for payload in PAYLOADS
        if len(f"a{payload.text}a".splitlines()) == 1 and smuggled(payload.text.replace("\x1b", ""))
    ]
    with (
        PrivateHome(EVTOP_BUS="none") as home,
        PtyConsole(EVTOP, environment=home.environment, columns=COLUMNS, rows=ROWS) as console,
    ):
        console.wait_for_text("no events yet", WITHIN)
        for start in range(0, len(pasted), 8):
            some = pasted[start : start + 8]
            text = "".join(payload.at("f") for payload in some)
            console.press("/")
            console.wait_for_text("words, field:value", WITHIN)
            paste(console, f"nosuch:{text}")
            console.wait_for_text("column ", WITHIN)
            console.press("escape")
            console.wait_for_text("? help  / filter", WITHIN)
            console.press(":")
            console.wait_for_text("🔎", WITHIN)
            paste(console, text)
            console.wait_for_text(f"🔎 {some[0].tag}f", WITHIN)
            console.press("escape")
            console.wait_for(lambda console: "🔎" not in console.text, WITHIN)
        drawn = leave(console)
    assert_harmless(drawn)
    assert all(f"{payload.tag}f" in plain(drawn) for payload in pasted)


def test_what_servers_and_databases_say_stays_text() -> None:
    name = "u\x1b]0;root\x07\x9b2J\u202e[/b]"
    with PrivateHome() as home, ValkeyServer() as valkey:
        quoted = "".join(f"%{byte:02x}" for byte in name.encode())
        valkey._command(
            "ACL", "SETUSER", name.encode(), "on", f">{SECRET}", "+ping", "+hello", "+client", "+auth"
        )
        bus = f"unix://{quoted}:{SECRET.replace('#', '%23')}@{valkey.socket}"
        environment = {**home.environment, "EVTOP_BUS": bus}
        with PtyConsole(EVTOP, environment=environment, columns=COLUMNS, rows=ROWS) as console:
            console.wait_for_text("no events yet", WITHIN)
            console.wait_for_text("User u", WITHIN)
            stored(home, Event(event_type="a.b", resource_type="r", resource_id="1"))
            console.wait_for_text("a.b", WITHIN)
            with closing(sqlite3.connect(home.store_url.removeprefix("sqlite:///"))) as connection:
                quoted_name = HOSTILE.replace('"', "")
                connection.execute("ALTER TABLE events RENAME TO kept")
                connection.execute(f'CREATE VIEW events AS SELECT * FROM kept JOIN "{quoted_name}"')
                connection.commit()
            console.press("r")
            console.wait_for_text("no such table", WITHIN)
            console.press("q")
            console.wait_for_text("? help  / filter", WITHIN)
            drawn = leave(console)
        assert SECRET.encode() not in console.output
    assert_harmless(drawn)
