"""`evtop config`, and the file that settings may stand in."""

from __future__ import annotations

import json
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.cli.config import DESCRIPTIONS, template
from monitor.settings import CONFIG_VARIABLE, SECRET_VARIABLES, VARIABLES
from monitor.settings_file import KEYS, exposed_password, file_settings, fill_in, settings_file
from tests.console.commands import evtop, one_line, stored
from tests.console.unusable import HOSTILE
from tests.events import make_event
from tests.pty_console import PrivateHome


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own."""
    with PrivateHome() as home:
        yield home


def config(home: PrivateHome) -> Path:
    return Path(home.environment["XDG_CONFIG_HOME"]) / "evtop" / "config.toml"


def shown(home: PrivateHome, **variables: str) -> dict[str, tuple[str | None, str]]:
    done = evtop(home, "config", "show", "-o", "json", **variables)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["setting"]: (row["value"], row["from"]) for row in rows}


def write(home: PrivateHome, text: str, mode: int = 0o600) -> Path:
    file = config(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def test_every_setting_is_shown_with_where_it_comes_from(home: PrivateHome) -> None:
    file = write(home, 'bus = "rediss://u:hunter2@bus.example"\nname = "staging"\nretention_days = 7.5\n')
    found = shown(home, EVTOP_NAME="production", EVTOP_STORE="mysql://u:hunter2@h/d?password=hunter2")
    assert list(found) == [CONFIG_VARIABLE, *VARIABLES, *SECRET_VARIABLES]
    assert found["EVTOP_CONFIG"] == (str(file), "default")
    assert found["EVTOP_STORE"] == ("mysql://u:***@h/d", "environment")
    assert found["EVTOP_BUS"] == ("rediss://bus.example", f"file {file}")
    assert found["EVTOP_NAME"] == ("production", "environment")
    assert found["EVTOP_RETENTION_DAYS"] == ("7.5", f"file {file}")
    assert found["EVTOP_TAXONOMY"] == (None, "default")
    assert found["EVTOP_WINDOW"] == ("20000", "default")


def test_no_secret_is_shown(home: PrivateHome) -> None:
    key = "hunter2-hunter2-hunter2"
    urls = {"EVTOP_STORE": "postgresql://u:hunter2@h/d", "EVTOP_BUS": "redis://h?password=hunter2@x"}
    done = evtop(home, "config", "show", EVTOP_SIGNING_KEY=key, **urls)
    assert done.returncode == 0
    assert "hunter2" not in done.stdout + done.stderr
    assert done.stdout.splitlines()[0].split() == ["setting", "value", "from"]


def test_defaults_are_the_places_that_are_used(home: PrivateHome) -> None:
    found = shown(home)
    assert found["EVTOP_STORE"] == (home.store_url, "default")
    assert found["EVTOP_BUS"] == ("embedded", "default")


def test_settings_that_cannot_be_used_are_shown_and_the_reason_is_said(home: PrivateHome) -> None:
    done = evtop(home, "config", "show", EVTOP_BUS="http://u:hunter2@h", EVTOP_STROE=HOSTILE)
    assert done.returncode == 1
    assert "EVTOP_BUS" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    assert done.stderr.splitlines() == [
        "evtop: EVTOP_STROE is no setting; did you mean EVTOP_STORE?",
        "evtop: EVTOP_BUS: not a bus; use redis://, rediss://, unix://, embedded or none",
    ]


def test_commands_use_the_file(home: PrivateHome) -> None:
    stored(home, make_event(1))
    other = home.directory / "other.db"
    write(home, f'store = "sqlite:///{other}"\nbus = "none"\n')
    assert evtop(home, "emit", "a.b").returncode == 0
    assert evtop(home, "tail", "--count").stdout == "1\n"
    assert evtop(home, "tail").stdout.split()[2] == "a.b"
    # The environment wins, and an empty variable is none.
    assert evtop(home, "tail", EVTOP_STORE=home.store_url).stdout.split()[2] == "job.executed"
    assert evtop(home, "tail", EVTOP_STORE="").stdout.split()[2] == "a.b"
    # Another one can be named.
    elsewhere = home.directory / "elsewhere.toml"
    elsewhere.write_text(f'store = "{home.store_url}"\n')
    assert evtop(home, "tail", EVTOP_CONFIG=str(elsewhere)).stdout.split()[2] == "job.executed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stroe = 1", "no setting 'stroe'; did you mean store?"),
        ("[store]\nurl = 1", "store: text or a number is expected"),
        ("store = [1]", "store: text or a number is expected"),
        ("\nstore = x", "Invalid value (at line 2, column 9)"),
        ("signing_key = 'x'", "signing_key: put it into a file of its own and name that as signing_key_file"),
        ('"\\u001b[2J" = 1', r"no setting '\x1b[2J'"),
        ("bus = 'http://h'", "not a bus"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(home: PrivateHome, text: str, said: str) -> None:
    file = write(home, text)
    for words in (["tail"], ["config", "show"]):
        done = evtop(home, *words)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert said in line
        assert str(file) in line or said == "not a bus"
        assert line.isprintable()


def test_a_file_that_is_named_must_be_there(home: PrivateHome) -> None:
    said = one_line(evtop(home, "tail", EVTOP_CONFIG="/no/file"))
    assert said == "EVTOP_CONFIG: /no/file: No such file or directory"


def test_a_password_that_others_may_read_is_warned_of(home: PrivateHome) -> None:
    file = write(home, 'store = "mysql://u:hunter2@127.0.0.1:1/d"', mode=0o644)
    warning = f"{file}: there is a password in it, and others may read it; chmod 600"
    done = evtop(home, "config", "show")
    assert (done.returncode, done.stderr) == (0, f"evtop: {warning}\n")
    variables = {CONFIG_VARIABLE: str(file)}
    assert exposed_password(variables) == warning
    file.chmod(0o600)
    assert exposed_password(variables) is None
    file.chmod(0o644)
    file.write_text('store = "mysql://u@h/d"')
    assert exposed_password(variables) is None


def test_a_password_is_that_of_the_url_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('store = "mysql://u@h/d"\nstore_password_file = "/x"\nsigning_key_file = "/k"\n')
    variables = {CONFIG_VARIABLE: str(file)}
    assert file_settings(variables) == {
        "EVTOP_STORE": "mysql://u@h/d",
        "EVTOP_STORE_PASSWORD_FILE": "/x",
        "EVTOP_SIGNING_KEY_FILE": "/k",
    }
    variables |= {"EVTOP_STORE": "sqlite:///x.db", "EVTOP_SIGNING_KEY": "0" * 16}
    before = dict(variables)
    fill_in(variables)
    assert variables == before


def test_taxonomy_files_are_a_list(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('taxonomy = ["/a.toml", "/b.toml"]\n')
    assert file_settings({CONFIG_VARIABLE: str(file)}) == {"EVTOP_TAXONOMY": "/a.toml:/b.toml"}


def test_without_a_home_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert settings_file({}) is None
    assert file_settings({}) == {}


def test_init_writes_a_file_that_says_nothing_until_it_is_changed(home: PrivateHome) -> None:
    file = config(home)
    assert evtop(home, "config", "path").stdout == f"{file}\n"
    assert not file.exists()
    done = evtop(home, "config", "init")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{file}\n", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert tomllib.loads(file.read_text()) == {}
    file.write_text("name = 'mine'\n")
    assert one_line(evtop(home, "config", "init")) == f"{file} is there already"
    assert shown(home)["EVTOP_NAME"] == ("mine", f"file {file}")


def test_the_file_of_init_explains_every_setting(tmp_path: Path) -> None:
    assert set(DESCRIPTIONS) == set(KEYS.values())
    file = tmp_path / "config.toml"
    commented = [line.removeprefix("# ") for line in template().splitlines() if " = " in line]
    file.write_text("\n".join(commented))
    assert set(file_settings({CONFIG_VARIABLE: str(file)})) == set(KEYS.values())
