"""Where the store and the bus are, by the environment and the files with secrets that it names."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from redis.asyncio.connection import parse_url
from sqlalchemy import make_url

from monitor.errors import StartError
from monitor.settings import SECRET_VARIABLES, Settings, unknown_variables
from store.bus_url import BUS_SETTING, EMBEDDED, NO_BUS
from store.environment import (
    BUS_PASSWORD_FILE,
    SIGNING_KEY,
    SIGNING_KEY_FILE,
    STORE_PASSWORD_FILE,
    Environment,
    SettingError,
)
from store.errors import STORE_SETTING

AWKWARD = " p@s:s/w%r?d#=&+;é'\" "
KEY = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        STORE_SETTING,
        BUS_SETTING,
        "EVTOP_NAME",
        *SECRET_VARIABLES,
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/someone")


def test_without_configuration_the_store_is_sqlite_in_the_home_folder_and_the_bus_private() -> None:
    settings = Settings.from_environment()
    assert settings.store == "sqlite:////home/someone/.local/share/evtop/events.db"
    assert settings.bus == EMBEDDED
    assert settings.runtime == Path(f"/tmp/evtop-{os.getuid()}")
    assert settings.name == "local"


def test_xdg_folders_move_the_store_and_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    settings = Settings.from_environment()
    assert settings.store == "sqlite:////data/evtop/events.db"
    assert settings.runtime == Path("/run/user/7/evtop")


def test_a_relative_xdg_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "run")
    settings = Settings.from_environment()
    assert settings.store == "sqlite:////home/someone/.local/share/evtop/events.db"
    assert settings.runtime == Path(f"/tmp/evtop-{os.getuid()}")


@pytest.mark.parametrize(
    "bus",
    [EMBEDDED, NO_BUS, "redis://h:1/0", "rediss://u:p@h", "unix:///run/redis.sock"],
)
def test_every_kind_of_bus_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, bus: str) -> None:
    monkeypatch.setenv(BUS_SETTING, bus)
    assert Settings.from_environment().bus == bus


@pytest.mark.parametrize("bus", ["garbage", "http://h", "redis:h", "Embedded", "localhost:6379"])
def test_a_bus_that_is_none_of_the_kinds_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, bus: str
) -> None:
    monkeypatch.setenv(BUS_SETTING, bus)
    with pytest.raises(StartError, match=rf"^{BUS_SETTING}: not a bus; use redis://.* or none$"):
        Settings.from_environment()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE_SETTING, "")
    monkeypatch.setenv(BUS_SETTING, "")
    settings = Settings.from_environment()
    assert settings.store.startswith("sqlite:////home/someone/")
    assert settings.bus == EMBEDDED


def test_the_name_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVTOP_NAME", "production")
    assert Settings.from_environment().name == "production"


def test_the_demo_uses_its_own_store_and_bus_whatever_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE_SETTING, "sqlite:////srv/production.db")
    monkeypatch.setenv(BUS_SETTING, "redis://production")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    settings = Settings.for_demo()
    assert settings.store == "sqlite:////data/evtop/demo/events.db"
    assert settings.bus == "unix:///run/user/7/evtop/demo/bus.sock"
    assert settings.name == "demo"


def test_printing_settings_shows_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE_SETTING, "postgresql://u:hunter2@h/db")
    monkeypatch.setenv(BUS_SETTING, "redis://u:hunter2@h")
    settings = Settings.from_environment()
    assert "hunter2" in settings.store
    assert "hunter2" not in f"{settings!r}{settings}{vars(settings)}"


# Secrets in files


def secret_file(folder: Path, content: str | bytes, mode: int = 0o600) -> str:
    file = folder / "secret"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    return str(file)


@pytest.mark.parametrize(
    "password", ["plain", AWKWARD, "%41", "@", ":", "x" * 4096], ids=lambda text: text[:8]
)
@pytest.mark.parametrize("ending", ["\n", "", "\r\n", "\nanother line\n"], ids=repr)
def test_a_password_in_a_file_comes_through_as_it_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, password: str, ending: str
) -> None:
    file = secret_file(tmp_path, password + ending)
    monkeypatch.setenv(STORE_PASSWORD_FILE, file)
    monkeypatch.setenv(BUS_PASSWORD_FILE, file)
    monkeypatch.setenv(STORE_SETTING, "postgresql://ann@h:5432/db?sslmode=verify-full")
    monkeypatch.setenv(BUS_SETTING, "rediss://ann@h:6379?ssl_ca_certs=/a@b:c")
    settings = Settings.from_environment()
    store = make_url(settings.store)
    assert (store.username, store.password, store.host, store.port, store.database) == (
        "ann",
        password,
        "h",
        5432,
        "db",
    )
    assert store.query == {"sslmode": "verify-full"}
    bus = dict(parse_url(settings.bus))
    assert (bus["username"], bus["password"], bus["host"], bus["port"]) == ("ann", password, "h", 6379)
    assert bus["ssl_ca_certs"] == "/a@b:c"
    assert settings.warnings == ()
    assert password not in f"{settings!r}{vars(settings)}" or len(password) == 1


@pytest.mark.parametrize(
    ("url", "user", "rest"),
    [
        ("mysql://h/db", None, "h/db"),
        ("mysql://h", None, "h"),
        ("mysql://ann@h?ssl_ca=/x@y", "ann", "h?ssl_ca=/x@y"),
        ("postgresql://ann%40corp@[::1]:5432/db", "ann@corp", "[::1]:5432/db"),
        ("mysql:///db?unix_socket=/run/s", None, "/db?unix_socket=/run/s"),
    ],
)
def test_a_password_goes_to_its_place_in_the_url(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, user: str | None, rest: str
) -> None:
    monkeypatch.setenv(STORE_PASSWORD_FILE, secret_file(tmp_path, AWKWARD))
    monkeypatch.setenv(STORE_SETTING, url)
    store = Settings.from_environment().store
    assert store.rpartition(f"@{rest}")[1:] == (f"@{rest}", "")
    assert make_url(store).password == AWKWARD
    assert (make_url(store).username or None) == user


@pytest.mark.parametrize("url", ["unix:///run/a%20b.sock", "unix://ann@/run/a%20b.sock"])
def test_a_password_goes_to_its_place_in_the_url_of_a_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str
) -> None:
    monkeypatch.setenv(BUS_PASSWORD_FILE, secret_file(tmp_path, AWKWARD))
    monkeypatch.setenv(BUS_SETTING, url)
    bus = dict(parse_url(Settings.from_environment().bus))
    assert (bus["path"], bus["password"]) == ("/run/a b.sock", AWKWARD)
    assert bus.get("username") == urlsplit(url).username


@pytest.mark.parametrize(
    ("variable", "url", "said"),
    [
        (STORE_PASSWORD_FILE, "", "an SQLite store has no password"),
        (STORE_PASSWORD_FILE, "sqlite:////x.db", "an SQLite store has no password"),
        (
            STORE_PASSWORD_FILE,
            "mysql://u:p@h/d",
            "EVTOP_STORE has a password already; take it out of the URL",
        ),
        (STORE_PASSWORD_FILE, "mysql://u:@h/d", "EVTOP_STORE has a password already; take it out of the URL"),
        (
            STORE_PASSWORD_FILE,
            "mysql://u@h/d?password=",
            "EVTOP_STORE has a password already; take it out of the URL",
        ),
        (BUS_PASSWORD_FILE, "", "the bus 'embedded' has no password"),
        (BUS_PASSWORD_FILE, "none", "the bus 'none' has no password"),
        (BUS_PASSWORD_FILE, "redis://:p@h", "EVTOP_BUS has a password already; take it out of the URL"),
        (
            BUS_PASSWORD_FILE,
            "redis://h?password=p",
            "EVTOP_BUS has a password already; take it out of the URL",
        ),
    ],
)
def test_a_password_without_a_place_for_it_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, url: str, said: str
) -> None:
    monkeypatch.setenv(variable, secret_file(tmp_path, "secret"))
    monkeypatch.setenv(variable.removesuffix("_PASSWORD_FILE"), url)
    with pytest.raises(StartError) as caught:
        Settings.from_environment()
    assert str(caught.value) == f"{variable}: {said}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the first line is empty"),
        ("\nsecret", "the first line is empty"),
        ("\r\n", "the first line is empty"),
        (b"caf\xe9 of long ago", "not UTF-8 text"),
        ("x" * 4097, "the first line is longer than 4096 bytes"),
    ],
    ids=range(5),
)
@pytest.mark.parametrize("variable", [STORE_PASSWORD_FILE, BUS_PASSWORD_FILE, SIGNING_KEY_FILE])
def test_a_file_without_a_secret_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: str | bytes, said: str
) -> None:
    file = secret_file(tmp_path, content)
    monkeypatch.setenv(STORE_SETTING, "postgresql://u@h/d")
    monkeypatch.setenv(BUS_SETTING, "redis://h")
    monkeypatch.setenv(variable, file)
    with pytest.raises(StartError) as caught:
        Settings.from_environment()
    assert str(caught.value) == f"{variable}: {file}: {said}"


@pytest.mark.parametrize(
    ("path", "said"),
    [("/no/such/file", "No such file or directory"), ("/", "Is a directory"), ("a\x1b[2J\nb", "No such")],
)
def test_a_file_that_cannot_be_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, path: str, said: str
) -> None:
    monkeypatch.setenv(SIGNING_KEY_FILE, path)
    with pytest.raises(StartError) as caught:
        Settings.from_environment()
    assert str(caught.value).startswith(f"{SIGNING_KEY_FILE}: ")
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_for_its_owner_alone_is_not_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int
) -> None:
    monkeypatch.setenv(SIGNING_KEY_FILE, secret_file(tmp_path, KEY, mode))
    assert Settings.from_environment().warnings == ()


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666, 0o602, 0o660])
def test_a_file_that_others_may_read_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int
) -> None:
    file = secret_file(tmp_path, KEY, mode)
    monkeypatch.setenv(SIGNING_KEY_FILE, file)
    settings = Settings.from_environment()
    assert settings.warnings == (f"{SIGNING_KEY_FILE}: {file}: others may read it; chmod 600",)
    assert settings.signing_key is not None
    assert settings.signing_key.get_secret_value() == KEY


def test_a_file_of_roots_may_be_read_by_a_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SIGNING_KEY_FILE, secret_file(tmp_path, KEY, 0o640))
    assert bool(Settings.from_environment().warnings) == (os.geteuid() != 0)


def test_a_secret_can_come_through_a_pipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(KEY,))
    writer.start()
    monkeypatch.setenv(SIGNING_KEY_FILE, str(pipe))
    settings = Settings.from_environment()
    writer.join()
    assert settings.warnings == ()
    assert settings.signing_key is not None


# The signing key


def test_without_a_signing_key_there_is_none() -> None:
    assert Settings.from_environment().signing_key is None


def test_a_signing_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIGNING_KEY, f" {KEY}")
    key = Settings.from_environment().signing_key
    assert key is not None
    assert key.get_secret_value() == f" {KEY}"
    # The demo's bus is one machine's own.
    assert Settings.for_demo().signing_key is None


@pytest.mark.parametrize("key", ["x", KEY[:-1], "é" * 7])
def test_a_signing_key_that_is_too_short_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    monkeypatch.setenv(SIGNING_KEY, key)
    with pytest.raises(StartError, match=f"^{SIGNING_KEY}: the key must have 16 bytes at least$"):
        Settings.from_environment()
    monkeypatch.delenv(SIGNING_KEY)
    monkeypatch.setenv(SIGNING_KEY_FILE, secret_file(tmp_path, key))
    with pytest.raises(StartError, match=f"^{SIGNING_KEY_FILE}: the key must have 16 bytes at least$"):
        Settings.from_environment()


def test_a_signing_key_is_measured_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIGNING_KEY, "é" * 8)
    assert Settings.from_environment().signing_key is not None


def test_two_signing_keys_are_one_too_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SIGNING_KEY, KEY)
    monkeypatch.setenv(SIGNING_KEY_FILE, secret_file(tmp_path, KEY))
    with pytest.raises(StartError, match="are both set; use one of them"):
        Settings.from_environment()


def test_a_password_in_the_environment_is_told_where_it_belongs() -> None:
    assert list(unknown_variables({"EVTOP_STORE_PASSWORD": "x", "EVTOP_KEY": "x"}))[1] == (
        "EVTOP_STORE_PASSWORD",
        STORE_PASSWORD_FILE,
    )


# What an application gets


def test_an_application_gets_the_same_urls(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = secret_file(tmp_path, AWKWARD, 0o644)
    environment = Environment(
        {
            STORE_SETTING: "mysql://ann@h/db",
            STORE_PASSWORD_FILE: file,
            BUS_SETTING: "unix:///s",
            BUS_PASSWORD_FILE: file,
            SIGNING_KEY_FILE: file,
        }
    )
    assert make_url(environment.store_url().get_secret_value()).password == AWKWARD
    assert unquote(environment.bus_url().get_secret_value()) == f"unix://:{AWKWARD}@/s"
    key = environment.signing_key()
    assert key is not None
    assert key.get_secret_value() == AWKWARD
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        STORE_PASSWORD_FILE,
        BUS_PASSWORD_FILE,
        SIGNING_KEY_FILE,
    ]


def test_an_application_without_a_store_is_told_so() -> None:
    with pytest.raises(SettingError, match=f"^{STORE_SETTING} is not set$"):
        Environment({}).store_url()
    assert Environment({}).store_url("sqlite://").get_secret_value() == "sqlite://"
    assert Environment({}).bus_url().get_secret_value() == EMBEDDED
    assert Environment({}).signing_key() is None
