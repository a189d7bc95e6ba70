"""Telling people elsewhere, with real programs and a real HTTP server that fails, hangs and recovers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from monitor.errors import StartError
from monitor.health.engine import Alert, AlertState
from monitor.health.notifier import Notification, Timing
from monitor.notify import apprise_services, channels, messenger, terminal
from monitor.notify.apprise_services import Service
from monitor.notify.channels import Command, NotifyError, Webhook
from monitor.notify.chosen import APPRISE_VARIABLE, TIMES_VARIABLE, chosen_telling
from monitor.notify.messenger import WAITING_MAX, Messenger
from monitor.notify.wording import Wording, worded
from store.event import Severity
from tests.events import at
from tests.receiver import Receiver
from tests.waiting import until

HOSTILE = "\x1b]0;owned\x07the indexer\n\x9b2J; rm -rf /"


def alert(number: int = 0, title: str = "indexer/prowlarr is down") -> Alert:
    return Alert(
        f"component-down:indexer/{number}",
        "component-down",
        Severity.ERROR,
        title,
        ("indexer", "prowlarr"),
        AlertState.FIRING,
        at(number),
        None,
        3,
        (("resource", "indexer/prowlarr"),),
        "https://runbooks.example/indexer",
    )


def wording(title: str = "indexer/prowlarr is down", alerts: int = 1) -> Wording:
    told = tuple(alert(number, title) for number in range(alerts))
    return worded(Notification("component-down", told, ()), "production")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messenger, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(messenger, "LONGEST_RETRY", 0.02)


async def test_a_webhook_gets_all_there_is_signed(receiver: Receiver) -> None:
    key = SecretStr("hush")
    await Webhook(receiver.url, key, now=lambda: 1_763_730_000.5).send(wording(alerts=2))
    [(headers, body)] = receiver.requests
    told = json.loads(body)
    assert (told["system"], told["status"], told["group"]) == ("production", "firing", "component-down")
    assert [each["fingerprint"] for each in told["alerts"]] == [
        "component-down:indexer/0",
        "component-down:indexer/1",
    ]
    assert told["alerts"][0]["resource"] == "indexer/prowlarr"
    expected = hmac.new(b"hush", b"1763730000." + body, hashlib.sha256).hexdigest()
    assert headers["X-Evtop-Signature"] == f"t=1763730000,v1={expected}"
    assert headers["X-Evtop-Id"] == str(wording(alerts=2).identifier) != str(wording(alerts=3).identifier)


async def test_a_server_that_fails_gets_it_again_until_it_recovers(receiver: Receiver) -> None:
    receiver.statuses = [503, 500, 429]
    post = Messenger(Webhook(receiver.url))
    running = asyncio.create_task(post.run())
    post.tell(wording())
    await until(lambda: post.state.sent)
    assert len(receiver.requests) == 4
    assert len({headers["X-Evtop-Id"] for headers, _ in receiver.requests}) == 1
    assert (post.state.failed, post.state.failure) == (0, "")
    running.cancel()


@pytest.mark.parametrize("status", [302, 400, 404])
async def test_what_a_server_does_not_like_is_not_sent_again(receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    post = Messenger(Webhook(receiver.url))
    running = asyncio.create_task(post.run())
    post.tell(wording())
    await until(lambda: post.state.failed)
    assert len(receiver.requests) == 1
    assert post.state.failure == f"webhook 127.0.0.1: answered {status}"
    post.tell(wording())
    await until(lambda: post.state.sent)
    assert post.state.failure == ""
    running.cancel()


async def test_a_server_that_hangs_is_given_up_and_asked_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "WEBHOOK_WITHIN", 0.1)
    receiver.hangs = True
    with pytest.raises(NotifyError, match=r"webhook 127\.0\.0\.1: (timed out|TimeoutError)") as refusal:
        await Webhook(receiver.url).send(wording())
    assert refusal.value.again
    assert "a-secret-path" not in str(refusal.value)
    receiver.hangs = False
    receiver.released.set()
    await Webhook(receiver.url).send(wording())


async def test_a_user_and_a_password_go_where_they_belong(receiver: Receiver) -> None:
    place = receiver.url.get_secret_value().partition("//")[2]
    await Webhook(SecretStr(f"http://evtop:h%40sh@{place}")).send(wording())
    [(headers, _)] = receiver.requests
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'evtop:h@sh').decode()}"


async def test_no_server_is_said_without_the_secret_in_its_url() -> None:
    post = Messenger(Webhook(SecretStr("http://user:hush@127.0.0.1:1/hook/hush")))
    running = asyncio.create_task(post.run())
    post.tell(wording())
    await until(lambda: post.state.failed)
    assert post.state.failure == "webhook 127.0.0.1: Connection refused"
    running.cancel()


async def test_a_queue_that_is_full_gives_up_the_oldest(receiver: Receiver) -> None:
    post = Messenger(Webhook(receiver.url))
    for number in range(WAITING_MAX + 3):
        post.tell(wording(f"alert {number}"))
    assert (post.state.waiting, post.state.failed) == (WAITING_MAX, 3)
    running = asyncio.create_task(post.run())
    await until(lambda: post.state.sent == WAITING_MAX, 30)
    assert b"alert 3" in receiver.requests[0][1]
    running.cancel()


async def test_a_command_gets_its_words_the_title_and_the_json(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f"import sys; open({str(told)!r}, 'w').write(repr((sys.argv[1:], sys.stdin.read())))"
    await Command([sys.executable, "-c", script, "$(touch owned)"]).send(wording(HOSTILE))
    words, given = eval(told.read_text())
    # No shell has read it, and no terminal would obey it.
    assert words[0] == "$(touch owned)"
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in words[1])
    assert json.loads(given)["alerts"][0]["title"] == HOSTILE


@pytest.mark.parametrize(
    ("script", "said", "again"),
    [
        ("import sys; print('no \x1b[2Jroute', file=sys.stderr); sys.exit(3)", "status 3: no ", True),
        ("import sys; sys.exit(1)", "status 1: no reason given", True),
        ("import time; time.sleep(60)", "not done within 0.5 s", False),
    ],
)
async def test_a_command_that_fails_says_why(
    script: str, said: str, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "COMMAND_WITHIN", 0.5 if "sleep" in script else 30)
    with pytest.raises(NotifyError) as refusal:
        await Command([sys.executable, "-c", script]).send(wording())
    assert said in str(refusal.value)
    assert "\x1b" not in str(refusal.value)
    assert refusal.value.again is again


async def test_a_command_that_is_not_there_is_not_tried_again() -> None:
    with pytest.raises(NotifyError, match="command no-such-program: No such file or directory") as refusal:
        await Command(["no-such-program"]).send(wording())
    assert not refusal.value.again


async def test_a_command_may_say_as_much_as_it_likes_and_read_nothing() -> None:
    script = "import sys; sys.stdin.close(); sys.stderr.write('x' * 5_000_000 + '\\nlast'); sys.exit(2)"
    with pytest.raises(NotifyError, match="status 2: last"):
        await Command([sys.executable, "-c", script]).send(wording("t" * 100_000))


async def test_a_server_that_answers_byte_by_byte_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "WEBHOOK_WITHIN", 0.3)
    given_up, ended = asyncio.Event(), asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not given_up.is_set():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotifyError, match=r"webhook 127\.0\.0\.1: TimeoutError"):
            await Webhook(SecretStr(f"http://127.0.0.1:{port}/")).send(wording())
        given_up.set()
        await ended.wait()


async def test_a_service_of_apprise_is_told_in_plain_text(receiver: Receiver) -> None:
    place = receiver.url.get_secret_value().partition("//")[2]
    service = Service(SecretStr(f"json://{place}"))
    await service.send(wording("<b>*down*</b>"))
    [(_, body)] = receiver.requests
    told = json.loads(body)
    assert told["title"] == "[production] firing: <b>*down*</b>"
    assert told["message"].startswith("<b>*down*</b>: error since 2026-11-21 12:00:00 UTC")
    assert told["type"] == "failure"
    assert service.name == "apprise json"


async def test_a_service_that_takes_nothing_is_told_again(
    receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.statuses = [500]
    place = receiver.url.get_secret_value().partition("//")[2]
    post = Messenger(Service(SecretStr(f"json://{place}")))
    running = asyncio.create_task(post.run())
    post.tell(wording())
    await until(lambda: post.state.sent)
    assert len(receiver.requests) == 2
    running.cancel()
    # What Apprise logs would stand in the picture.
    assert capfd.readouterr() == ("", "")


async def test_a_service_that_hangs_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apprise_services, "APPRISE_WITHIN", 0.2)
    receiver.hangs = True
    place = receiver.url.get_secret_value().partition("//")[2]
    with pytest.raises(NotifyError, match=r"apprise json: not done within 0\.2 s") as refusal:
        await Service(SecretStr(f"json://{place}")).send(wording())
    assert refusal.value.again


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("# none of mine\nnosuch://token-of-mine\n", "Apprise cannot use the URL that begins with 'nosuch'"),
        ("slack://token-of-mine/\n", "Apprise cannot use the URL that begins with 'slack'"),
        ("token-of-mine\n", "Apprise cannot use a line that is no URL"),
    ],
)
def test_services_that_cannot_be_used_are_said_without_their_secret(
    tmp_path: Path, written: str, said: str
) -> None:
    file = tmp_path / "services"
    file.write_text(written)
    with pytest.raises(StartError) as refusal:
        chosen_telling({APPRISE_VARIABLE: str(file)})
    assert str(refusal.value) == f"EVTOP_NOTIFY_APPRISE_FILE: {file}: {said}"


def test_times_are_three_lengths_of_time() -> None:
    assert chosen_telling({}).timing is None
    told = chosen_telling({TIMES_VARIABLE: " 1s 1m  2d "})
    assert told.timing == Timing(timedelta(seconds=1), timedelta(minutes=1), timedelta(days=2))
    for written in ("10s", "10s 5m", "10s 5m 4h 1d", "10s 5m -4h", "10s 5m soon"):
        with pytest.raises(StartError, match="EVTOP_NOTIFY_TIMES: three lengths of time"):
            chosen_telling({TIMES_VARIABLE: written})


def test_services_are_read_from_a_file_a_line_each(tmp_path: Path) -> None:
    file = tmp_path / "services"
    file.write_text("# ours\njson://127.0.0.1/a\n\n  json://127.0.0.1/b  \n")
    told = chosen_telling({APPRISE_VARIABLE: str(file)})
    assert [channel.name for channel in told.channels] == ["apprise json", "apprise json"]


def test_many_alerts_are_named_up_to_a_point() -> None:
    told = wording(alerts=25)
    assert told.title == "[production] firing: indexer/prowlarr is down and 24 more"
    assert told.body.splitlines()[0] == (
        "indexer/prowlarr is down: error since 2026-11-21 12:00:00 UTC, https://runbooks.example/indexer"
    )
    assert told.body.splitlines()[-1] == "and 5 more"
    assert len(json.loads(told.json)["alerts"]) == 25


def test_the_terminal_is_told_nothing_that_it_would_obey() -> None:
    for written in (terminal.desktop(HOSTILE, {}), terminal.title(HOSTILE)):
        bodies = [part for part in written.split("\x1b]") if part]
        assert all(part.endswith("\x07") and "\x1b" not in part and "\x9b" not in part for part in bodies)
    assert terminal.desktop("9 alerts", {}).startswith("\x1b]9; 9 alerts\x07")
    assert terminal.desktop("a;b", {"TERM": "foot"}) == "\x1b]777;notify;evtop;a,b\x07"
    assert "\x1bPtmux;" in terminal.desktop("a", {"TMUX": "/tmp/tmux"})
