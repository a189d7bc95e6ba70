"""Whatever bytes are published, from the channel of a real bus to the terminal: the console draws text, and lives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.console.commands import EVTOP
from tests.faults.hostile_text import CLASSES, REFUSED
from tests.pty_console import PrivateHome, PtyConsole
from tests.terminal_output import foreign, frames, whole
from tests.valkey import ValkeyServer

pytestmark = [pytest.mark.fault, pytest.mark.pty]

CHANNEL = "evtop:events"
WITHIN = 60.0
EXAMPLES = 60

_payloads = st.sampled_from([text for texts in CLASSES.values() for text in texts])
_text = st.lists(
    st.one_of(
        _payloads, st.characters(exclude_categories=("Cs",)), st.sampled_from(["a", " ", "\x1b[", "\x9b"])
    ),
    min_size=1,
    max_size=8,
).map("".join)
_values = st.recursive(
    st.one_of(_text, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans(), st.none()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_events = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["job.failed", "component.health_changed", "a.b"])},
    optional={
        **dict.fromkeys(("actor_id", "resource_id", "secondary_resource_id"), _text),
        **{
            name: _text.map(lambda text: text[:64])
            for name in ("category", "status", "resource_type", "secondary_resource_type")
        },
        "actor_type": st.sampled_from(["user", "system", "job"]),
        "severity": st.sampled_from(["info", "warning", "error", None]),
        "metadata": st.dictionaries(
            st.sampled_from(["error", "message", "title"]) | _text, _values, max_size=4
        ),
        # Reserved or unknown names, as someone may make them up.
        "producer": _text,
        "sequence": st.integers(0, 9),
        "\x1b]0;root\x07": _values,
    },
)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """An event in which some bytes were replaced, or from which some are missing."""
    message = _encoded(draw(_events))
    at = draw(st.integers(0, len(message)))
    return message[:at] + draw(st.binary(max_size=8)) + message[at + draw(st.integers(0, 40)) :]


def _encoded(event: Mapping[str, object]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()


_messages = st.lists(
    st.one_of(
        _events.map(_encoded), _damaged(), st.binary(max_size=200), st.sampled_from([*REFUSED.values()])
    ),
    min_size=1,
    max_size=20,
)


@dataclass
class Watched:
    """A console, and how much of its output was looked at."""

    console: PtyConsole
    seen: int = 0
    good: int = 0


@contextmanager
def watching(valkey: ValkeyServer) -> Iterator[Watched]:
    with (
        PrivateHome(EVTOP_BUS=valkey.url) as home,
        PtyConsole(EVTOP, environment=home.environment) as console,
    ):
        console.wait_for_text("● live", WITHIN)
        yield Watched(console)


def test_whatever_is_published_the_console_draws_text_and_lives() -> None:
    with ValkeyServer() as valkey, ExitStack() as stack:
        running: list[Watched] = []

        # The seed is fixed. What fails is not made smaller: a console keeps what it was sent before.
        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(_messages, st.sampled_from(["", "enter", "r", "e"]))
        def publish_and_look(messages: list[bytes], key: str) -> None:
            if not running or running[-1].console.status is not None:
                running.append(stack.enter_context(watching(valkey)))
            watched = running[-1]
            for message in messages:
                valkey.publish(CHANNEL, message)
            look(valkey, watched, key)

        publish_and_look()
        [watched] = running
        watched.console.press("q")
        assert watched.console.wait_for_end(WITHIN) == 0
        assert watched.good == EXAMPLES


def look(valkey: ValkeyServer, watched: Watched, key: str) -> None:
    """See a good event after what was published, then what a key shows of it, and hold the output to the list."""
    console = watched.console
    watched.good += 1
    good = f"good-{watched.good:03}"
    # Newer than whatever was made up.
    event = {"event_type": "probe.answered", "resource_type": "p", "resource_id": good}
    valkey.publish(CHANNEL, json.dumps(event).encode())
    console.wait_for_text(f"p/{good}", WITHIN)
    if key in {"enter", "r"}:
        console.press(key)
        console.wait_for_text("esc back", WITHIN)
        console.press("q")
        console.wait_for_text("? help  / filter", WITHIN)
        console.wait_for(lambda console: "esc back" not in console.text, WITHIN)
    elif key:
        console.press(key)
    console.press("G")
    drawn = frames(console.output, watched.seen)
    watched.seen = whole(console.output)
    assert foreign(drawn) == []
