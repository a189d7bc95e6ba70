"""Hostile text in what commands write to a terminal, in errors and after crashes: shown, and not obeyed."""

from __future__ import annotations

import asyncio
import json
import re
import sys

import pytest

from store.dead_letters import DeadLetter
from store.event import Event
from store.events import EventStore
from tests.console.commands import stored
from tests.faults.hostile_text import EXPECTED, HOSTILE, PAYLOADS
from tests.pty_console import PrivateHome, PtyConsole
from tests.terminal_output import smuggled

pytestmark = [pytest.mark.fault, pytest.mark.pty]

WITHIN = 60.0
COLUMNS = 180
SECRET = "hun#ter2"


async def fill(home: PrivateHome) -> None:
    events = [
        Event(
            event_type="job.failed",
            actor_id=payload.at("a"),
            resource_type=payload.at("r", 64),
            resource_id=payload.at("i"),
            status=payload.at("s", 64),
            metadata={payload.at("k"): payload.at("v"), "error": payload.at("m")},
        )
        for payload in PAYLOADS
    ]
    letters = [
        DeadLetter(reason=payload.at("d"), payload=json.dumps(payload.text), producer=payload.at("e", 128))
        for payload in PAYLOADS
    ]
    async with await EventStore.open(home.store_url) as store:
        await store.create_many(events)
        await store.dead_letters.add(letters)


COMMANDS: dict[str, list[str]] = {
    "tail": ["tail", "-n", "1000"],
    "tail as JSON": ["tail", "-n", "1000", "-o", "json"],
    "tail, a bad filter": ["tail", f"severity>={HOSTILE}"],
    "tail, a bad time": ["tail", "--since", HOSTILE],
    "tail, a bad option": ["tail", f"--{HOSTILE}"],
    "tail, a bad number": ["tail", "-n", HOSTILE],
    "a bad command": [HOSTILE],
    "emit, a bad type": ["emit", HOSTILE],
    "emit, bad metadata": ["emit", "a.b", "-m", HOSTILE],
    "import, no such file": ["import", HOSTILE],
    "import, a hostile name": ["import", f"{HOSTILE}.json"],
    "prune": ["prune", "--dry-run", "--category", f"jobs{HOSTILE}=3"],
    "alerts list": ["alerts", "list"],
    "alerts ack, no such alert": ["alerts", "ack", HOSTILE],
    "alerts silence, a bad time": ["alerts", "silence", HOSTILE, "--for", HOSTILE],
    "dead-letters list": ["dead-letters", "list", "-n", "1000"],
    "dead-letters show": ["dead-letters", "show", "1"],
    "dead-letters retry": ["dead-letters", "retry", "--all"],
    "db status": ["db", "status"],
    "db status, no such store": ["db", "status"],
    "tail, no such store": ["tail"],
    "tail, a bad store": ["tail"],
    "tail, a bad bus": ["tail"],
}
"""What is run, by what it is about."""
SETTINGS = {
    "db status, no such store": ("EVTOP_STORE", f"sqlite:////tmp/no/{HOSTILE}.db"),
    "tail, no such store": ("EVTOP_STORE", f"sqlite:////tmp/no/{HOSTILE}.db"),
    "tail, a bad store": ("EVTOP_STORE", HOSTILE),
    "tail, a bad bus": ("EVTOP_BUS", HOSTILE),
}
QUOTING = ("import, no such file", "import, a hostile name", "tail, no such store")
"""Those that quote the text as evtop cleans it. Usage errors come escaped by the library that makes them."""
# Importing takes most of the time of a command: a process forks for each.
FORKING = """
import json, os, sys
from importlib import import_module

for module in ("monitor.cli.main", "monitor.backend", "sqlalchemy.dialects.sqlite.aiosqlite", "wcwidth"):
    import_module(module)
commands, settings = map(json.loads, sys.argv[1:])
for name, words in commands.items():
    print("===", name, flush=True)
    if os.fork() == 0:
        sys.argv[1:] = words
        os.environ.update([settings[name]] if name in settings else [])
        import_module("monitor.cli.entry").run()
    os.wait()
"""


def run_all(home: PrivateHome) -> dict[str, list[str]]:
    """The lines that each command wrote on a terminal."""
    environment = {**home.environment, "EVTOP_BUS": "none", f"EVTOP_{HOSTILE.split('=')[0]}": "1"}
    command = [sys.executable, "-P", "-c", FORKING, json.dumps(COMMANDS), json.dumps(SETTINGS)]
    with PtyConsole(command, environment=environment, columns=COLUMNS, directory=home.directory) as terminal:
        assert terminal.wait_for_end(3 * WITHIN) == 0
        output = bytes(terminal.output).decode()
    # The progress of an import is the one line that is written over.
    output = re.sub("\r[0-9a-z,: ]*\x1b\\[K", "", output)
    parts = re.split("^=== (.*)\r\n", output, flags=re.MULTILINE)
    return {name: text.split("\r\n")[:-1] for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def test_commands_on_a_terminal_show_hostile_text_and_obey_none() -> None:
    with PrivateHome() as home:
        asyncio.run(fill(home))
        (home.directory / f"{HOSTILE}.json").write_text(
            json.dumps({"event_type": HOSTILE, HOSTILE: HOSTILE}) + f"\n{HOSTILE}\n"
        )
        lines = run_all(home)
    assert set(lines) == set(COMMANDS)
    for name, written in lines.items():
        assert written, name
        for line in written:
            assert smuggled(line) == [], (name, ascii(line))
    listed = [line for line in lines["tail"] if "job.failed" in line]
    assert len(listed) == len(PAYLOADS)
    for payload, line in zip(PAYLOADS, listed, strict=True):
        for place in "rias":
            assert payload.seen(place) in line, (payload.name, place)
    assert len([line for line in lines["dead-letters list"] if not line.startswith("evtop:")]) == len(
        PAYLOADS
    )
    events = [json.loads(line) for line in lines["tail as JSON"] if line.startswith("{")]
    assert [event["metadata"][payload.at("k")] for event, payload in zip(events, PAYLOADS, strict=True)] == [
        payload.at("v") for payload in PAYLOADS
    ]
    assert all(line.isascii() for line in lines["tail as JSON"] if line.startswith("{"))
    unknown = EXPECTED.partition("=")[0]
    assert f"evtop: EVTOP_{unknown} is no setting" in lines["tail"]
    for name in QUOTING:
        assert any(EXPECTED in line for line in lines[name]), (name, lines[name])


# What crashes

CRASH = f"""
import sys

def crash(*arguments):
    text, secret = {HOSTILE!r}, {SECRET!r}
    raise ValueError(text)

sys.argv[1:] = sys.argv[1].split()
"""
RUN = """
from monitor.cli.entry import run
run()
"""


def crashed(home: PrivateHome, where: str, words: str) -> str:
    """What is left on the terminal after `where`, a module and what of it is replaced, has crashed."""
    module, _, name = where.partition(":")
    program = f"{CRASH}\nimport {module}\n{module}.{name} = crash\n{RUN}"
    command = [sys.executable, "-c", program, words]
    with PtyConsole(command, environment=home.environment, columns=COLUMNS) as console:
        assert console.wait_for_end(WITHIN) == 1
        left = bytes(console.output).rpartition(b"\x1b[?1049l")[2].decode()
    return re.sub(r"\x1b\[[?<][0-9]*[a-z]", "", left)


def test_a_console_that_crashes_quotes_neither_events_nor_what_it_knew() -> None:
    with PrivateHome(EVTOP_BUS="none") as home:
        left = crashed(home, "monitor.widgets.histogram:Histogram.render_line", "")
    [line] = [line for line in left.split("\r\n") if line]
    assert line.startswith("evtop: internal error: ValueError at ")
    assert smuggled(line) == []
    assert SECRET not in line


def test_a_command_that_crashes_sends_no_control_to_the_terminal() -> None:
    with PrivateHome(EVTOP_BUS="none") as home:
        stored(home, Event(event_type="a.b"))
        left = crashed(home, "monitor.cli.tail:_printer", "tail")
    lines = left.split("\r\n")
    assert f"ValueError: {EXPECTED}" in lines
    assert all(smuggled(line) == [] for line in lines)
