"""What the doctor makes of a terminal, of files, and of what a bus says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from monitor.cli.doctor import report_lines
from monitor.doctor.bus import STEPS, examine_bus, failed_step, findings
from monitor.doctor.files import examine_files, examine_settings, examine_views, examine_window, examine_zone
from monitor.doctor.finding import Finding, Result
from monitor.doctor.terminal import examine_terminal
from monitor.model.view import View
from monitor.settings import Settings
from monitor.settings_file import CONFIG_VARIABLE
from monitor.views import ViewFile
from store.credentials import secret
from tests.tls import Certificates, TlsEndpoint
from tests.valkey import ValkeyServer

GOOD = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "de_DE.UTF-8"}


def results(found: Sequence[Finding]) -> dict[str, str]:
    assert len({finding.tried for finding in found}) == len(found)
    return {finding.tried: finding.result.value for finding in found}


def terminal(size: tuple[int, int] | None = (120, 40), **environment: str) -> dict[str, Finding]:
    found = list(examine_terminal({**GOOD, **environment}, size, is_terminal=True))
    return {finding.tried: finding for finding in found}


# The terminal


def test_a_good_terminal_is_all_right() -> None:
    found = terminal()
    assert {finding.result for finding in found.values()} == {Result.OK}
    assert list(found) == ["draw", "colours", "size", "characters"]
    assert found["colours"].found == "true colour, as COLORTERM says"
    assert found["size"].found == "120×40"


@pytest.mark.parametrize("term", ["", "dumb", "unknown"])
def test_a_terminal_that_nothing_can_be_drawn_on_is_broken(term: str) -> None:
    assert terminal(TERM=term)["draw"].result is Result.BROKEN


@pytest.mark.parametrize(
    ("size", "result"),
    [
        (None, Result.BROKEN),
        ((79, 24), Result.WARNING),
        ((80, 23), Result.WARNING),
        ((80, 24), Result.OK),
    ],
)
def test_the_size(size: tuple[int, int] | None, result: Result) -> None:
    assert terminal(size)["size"].result is result


@pytest.mark.parametrize(
    ("variables", "result"),
    [
        ({"LANG": "C.UTF-8"}, Result.OK),
        ({"LANG": "en_US.utf8"}, Result.OK),
        ({"LC_ALL": "C", "LANG": "C.UTF-8"}, Result.WARNING),
        ({"LC_CTYPE": "de_DE.ISO-8859-1", "LANG": "C.UTF-8"}, Result.WARNING),
        ({"LANG": ""}, Result.WARNING),
        # What Python itself has set.
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, Result.WARNING),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "de_DE.ISO-8859-1"}, Result.OK),
    ],
)
def test_the_characters_that_the_locale_has(variables: dict[str, str], result: Result) -> None:
    assert terminal((120, 40), **variables)["characters"].result is result


def test_colours_as_variables_and_terminfo_say() -> None:
    assert terminal(NO_COLOR="1")["colours"].found == "none, as NO_COLOR says"
    assert terminal(COLORTERM="", TERM="no-such-terminal")["colours"].found.startswith("not told")


def test_what_is_between_is_told() -> None:
    found = terminal(TMUX="/tmp/tmux,1,0", SSH_CONNECTION="1 2 3 4")
    assert (found["multiplexer"].found, found["connection"].found) == ("tmux", "over ssh")
    assert terminal(STY="1.x")["multiplexer"].found == "screen"


def test_without_a_terminal_nothing_is_tried() -> None:
    [finding] = examine_terminal({}, None, is_terminal=False)
    assert finding.result is Result.SKIPPED


# Settings and files


def test_misspelt_variables_are_told() -> None:
    [good] = examine_settings({"EVTOP_STORE": "x", "PATH": "y"})
    assert good.result is Result.OK
    [bad] = examine_settings({"EVTOP_STROE": "x"})
    assert (bad.result, bad.advice) == (Result.WARNING, "did you mean EVTOP_STORE?")


def settings(tmp_path: Path, store: str, bus: str = "none", warnings: tuple[str, ...] = ()) -> Settings:
    return Settings(secret(store), secret(bus), "x", tmp_path, warnings=warnings)


def test_files_that_others_may_read_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir(mode=0o755)
    store = folder / "events.db"
    store.touch(mode=0o644)
    config = tmp_path / "config.toml"
    config.write_text('bus = "redis://u:hunter2@h"\n')
    config.chmod(0o644)
    variables = {CONFIG_VARIABLE: str(config), "EVTOP_STORE_PASSWORD_FILE": "/x"}
    chosen = settings(
        tmp_path,
        f"sqlite:///{store}",
        warnings=("EVTOP_STORE_PASSWORD_FILE: /x: others may read it; chmod 600",),
    )
    found = list(examine_files(chosen, variables))
    assert [(finding.tried, finding.result.value, finding.advice) for finding in found] == [
        ("secrets", "warning", "chmod 600"),
        ("secrets", "warning", "chmod 600"),
        ("store", "warning", "chmod o= it, or its folder"),
    ]
    assert found[0].found == "EVTOP_STORE_PASSWORD_FILE: /x: others may read it"
    folder.chmod(0o700)
    config.chmod(0o600)
    found = list(examine_files(settings(tmp_path, f"sqlite:///{store}"), variables))
    assert [(finding.tried, finding.result.value) for finding in found] == [
        ("secrets", "ok"),
        ("store", "ok"),
    ]
    assert not list(examine_files(settings(tmp_path, "mysql://u@h/d"), {}))


def test_a_zone_that_is_none_is_told() -> None:
    assert not list(examine_zone({}))
    assert not list(examine_zone({"EVTOP_ZONE": "Europe/Berlin"}))
    [bad] = examine_zone({"EVTOP_ZONE": "Europe/Berlim"})
    assert (bad.result, bad.found) == (Result.BROKEN, "EVTOP_ZONE: no zone")
    assert bad.advice == "did you mean Europe/Berlin?"


def test_the_length_of_the_timeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVTOP_WINDOW", "5000")
    assert not list(examine_window())
    monkeypatch.setenv("EVTOP_WINDOW", "5")
    [bad] = examine_window()
    assert (bad.result, bad.found) == (Result.BROKEN, "EVTOP_WINDOW: not a length")
    assert bad.advice == "set it to a number from 1000 to 100000"


def test_views_that_are_broken_are_told_with_their_line(tmp_path: Path) -> None:
    file = ViewFile(tmp_path / "views.toml")
    assert not list(examine_views(None))
    assert not list(examine_views(file))
    file.save("good", View(query="a"))
    [good] = examine_views(file)
    assert (good.result, good.found) == (Result.OK, "1 can be opened")
    with file.path.open("a") as text:
        text.write("[bad]\nside = 3\n")
    [bad] = examine_views(file)
    assert (bad.result, bad.found) == (
        Result.WARNING,
        f"{file.path}:4: side: true or false is expected",
    )
    file.path.write_text("[good\n")
    [broken] = examine_views(file)
    assert broken.result is Result.WARNING
    assert broken.advice == "mend it, or move it away"


# The report


def test_lines_are_broken_between_words_where_there_is_a_width() -> None:
    found = [
        Finding("store", "open", Result.BROKEN, "no such file at all", "look for it in that place"),
        Finding("a", "b", Result.OK, "x" * 30),
    ]
    assert report_lines(found, 45) == [
        "broken   store open  no such file at all",
        "                     → look for it in that",
        "                     place",
        "ok       a b",
        f"                     {'x' * 24}",
        f"                     {'x' * 6}",
        "1 broken, 0 to look at",
    ]
    assert report_lines(found)[2] == f"ok       a b         {'x' * 30}"


# The bus


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("Connect call failed ('127.0.0.1', 1)", "connect"),
        ("no answer within 10 s", "connect"),
        ("Name or service not known", "connect"),
        ("certificate refused: unable to get local issuer certificate", "encryption"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "encryption"),
        ("invalid username-password pair or user is disabled.", "account"),
        ("Authentication required.", "account"),
        ("AUTH <password> called without any password configured", "account"),
        ("User x has no permissions to access one of the channels used as arguments", "subscribe"),
        ("User x has no permissions to run the 'subscribe' command", "subscribe"),
    ],
)
def test_what_is_said_tells_the_step_that_failed(reason: str, step: str) -> None:
    assert failed_step(reason) == step


def test_steps_before_the_one_that_failed_went_well_and_those_after_it_were_not_reached() -> None:
    found = findings("redis://localhost:6379", SecretStr("redis://u:hunter2@localhost"), "NOAUTH")
    assert results(found) == {
        "connect": "ok",
        "encryption": "ok",
        "account": "broken",
        "subscribe": "skipped",
    }
    assert all("hunter2" not in finding.found for finding in found)
    far = findings("redis://db.example:6379", SecretStr("redis://db.example"), None)
    assert results(far) == {"connect": "ok", "encryption": "warning", "account": "ok", "subscribe": "ok"}


async def examined(tmp_path: Path, bus: str) -> dict[str, Finding]:
    return {finding.tried: finding async for finding in examine_bus(settings(tmp_path, "sqlite:///x", bus))}


async def test_a_bus_is_subscribed_to(tmp_path: Path) -> None:
    with ValkeyServer() as server:
        found = await examined(tmp_path, server.url)
        assert results(list(found.values())) == dict.fromkeys(STEPS, "ok")
        server.kill()
        found = await examined(tmp_path, server.url)
        assert found["connect"].result is Result.BROKEN
        assert found["subscribe"].result is Result.SKIPPED


async def test_accounts_and_rights_are_told_apart(tmp_path: Path) -> None:
    rules = tmp_path / "users.acl"
    rules.write_text(
        "user default off\n"
        "user good on >pw resetchannels &evtop:* -@all +subscribe +ping\n"
        "user mute on >pw resetchannels &evtop:* -@all +ping\n"
        "user deaf on >pw resetchannels &other:* -@all +subscribe +ping\n"
    )
    with ValkeyServer("--aclfile", str(rules)) as server:
        place = f"@{server.socket}"
        for account, broken in (
            ("good:pw", None),
            ("good:hunter2", "account"),
            ("mute:pw", "subscribe"),
            ("deaf:pw", "subscribe"),
        ):
            found = await examined(tmp_path, f"unix://{account}{place}")
            failed = [step for step in STEPS if found[step].result is Result.BROKEN]
            assert failed == ([broken] if broken else []), (account, found)
            assert all("hunter2" not in finding.found for finding in found.values())
        found = await examined(tmp_path, server.url)
        assert found["account"].result is Result.BROKEN


async def test_a_certificate_that_is_not_trusted_is_encryption(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with (
        ValkeyServer() as server,
        TlsEndpoint.before_socket(certificates.server("good"), server.socket) as endpoint,
    ):
        found = await examined(tmp_path, f"rediss://127.0.0.1:{endpoint.port}")
        assert found["encryption"].result is Result.BROKEN
        assert found["connect"].result is Result.OK
        trusted = f"rediss://127.0.0.1:{endpoint.port}?ssl_ca_certs={certificates.authority}"
        found = await examined(tmp_path, trusted)
        assert (found["encryption"].result, found["encryption"].found) == (
            Result.OK,
            "certificate and name checked",
        )


async def test_the_private_bus_need_not_run_and_none_need_not_be(tmp_path: Path) -> None:
    found = await examined(tmp_path / "private", "embedded")
    assert results(list(found.values())) == {"private bus": "ok"}
    assert not (tmp_path / "private").exists()
    found = await examined(tmp_path / ("x" * 200), "embedded")
    assert "set XDG_RUNTIME_DIR to a shorter folder" in found["private bus"].found
    found = await examined(tmp_path, "none")
    assert found["connect"].result is Result.SKIPPED
    found = await examined(tmp_path, "redis://u:hunter2@h:port")
    assert found["connect"].result is Result.BROKEN
    assert "hunter2" not in found["connect"].found
