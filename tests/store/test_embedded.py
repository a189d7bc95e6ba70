"""The private Valkey: one for all processes of a user, closed to others, gone with its owner."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store.bus import CHANNEL, Disconnected, Messages, Subscribed
from store.embedded import EmbeddedBus, EmbeddedBusError
from store.locks import try_lock
from store.paths import (
    SOCKET_PATH_MAX,
    SocketPathTooLongError,
    UnsafeDirectoryError,
    data_dir,
    private_dir,
    runtime_dir,
)
from store.redis_bus import RedisBus
from tests.waiting import wait_until

DEADLINE = 5.0
LINUX = sys.platform == "linux"

OWNER = """
import sys, signal
from pathlib import Path
from store.embedded import EmbeddedBus

bus = EmbeddedBus(Path(sys.argv[1]), guarded=sys.argv[2] == "guarded")
bus.ensure()
print("asked", flush=True)
bus.wait_ready(5)
print(bus.pid or 0, flush=True)
sys.stdin.readline()
bus.close()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not tmp_path: the path of a socket has 107 bytes at most.
    base = Path(tempfile.mkdtemp(prefix="eb-", dir="/tmp"))
    yield base / "evtop"
    shutil.rmtree(base)


@pytest.fixture(
    params=[False, True] if LINUX else [True], ids=lambda guarded: "guarded" if guarded else "prctl"
)
def bus(request: pytest.FixtureRequest, directory: Path) -> Iterator[EmbeddedBus]:
    bus = EmbeddedBus(directory, guarded=request.param)
    yield bus
    bus.close()


def program_of(pid: int) -> str:
    return (Path("/proc") / str(pid) / "exe").readlink().name


def runs(pid: int) -> bool:
    """False for a zombie too: nobody may be there to reap it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_of(directory: Path) -> list[int]:
    """Servers and the shells that guard them: whatever has the folder as its working directory."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and runs(int(entry.name)):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if (entry / "cwd").readlink() == directory:
                    found.append(int(entry.name))
    return found


Launch = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def launch(directory: Path) -> Iterator[Launch]:
    """Starts a process that owns, or tries to own, the bus of the folder: `prctl` or `guarded`."""
    started: list[subprocess.Popen[str]] = []

    def launch(how: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(directory), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(DEADLINE)
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=DEADLINE)
    assert process.returncode == 0


# --- the server


def test_ensure_starts_a_server_without_waiting_for_it(bus: EmbeddedBus) -> None:
    began = time.monotonic()
    bus.ensure()
    assert time.monotonic() - began < DEADLINE / 2
    assert bus.owned
    bus.wait_ready(DEADLINE)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(bus.socket))
        client.sendall(b"PING\r\n")
        assert client.recv(64) == b"+PONG\r\n"


def test_only_the_owner_may_enter_the_folder_and_the_socket(bus: EmbeddedBus) -> None:
    bus.wait_ready(DEADLINE)
    assert bus.directory.stat().st_mode & 0o777 == 0o700
    assert bus.socket.stat().st_mode & 0o777 == 0o600


def test_the_server_listens_on_no_port_and_keeps_no_data(bus: EmbeddedBus) -> None:
    bus.wait_ready(DEADLINE)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(bus.socket))
        with client.makefile("rwb") as stream:
            for name, value in ((b"port", b"0"), (b"save", b""), (b"appendonly", b"no")):
                stream.write(b"CONFIG GET %b\r\n" % name)
                stream.flush()
                assert [stream.readline().strip() for _ in range(5)][4] == value
            stream.write(b"SET key value\r\n")
            stream.flush()
            assert stream.readline() == b"+OK\r\n"
    bus.close()
    assert sorted(path.name for path in bus.directory.iterdir()) == ["bus.lock", "bus.log"]


def test_a_second_bus_uses_the_server_of_the_first(bus: EmbeddedBus) -> None:
    bus.wait_ready(DEADLINE)
    other = EmbeddedBus(bus.directory)
    other.ensure()
    assert not other.owned
    assert other.pid is None
    other.close()
    assert bus.owned
    assert bus.socket.exists()


def test_a_server_that_died_is_started_again(bus: EmbeddedBus) -> None:
    bus.wait_ready(DEADLINE)
    first = bus.pid
    assert first
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not bus.owned, DEADLINE, "the death is noticed")
    assert bus.socket.exists(), "the socket of the dead server is what must be replaced"
    bus.wait_ready(DEADLINE)
    assert bus.pid
    assert bus.pid != first
    assert first not in processes_of(bus.directory)


def test_close_ends_the_server_and_frees_the_place(bus: EmbeddedBus) -> None:
    bus.wait_ready(DEADLINE)
    bus.close()
    assert not bus.socket.exists()
    wait_until(lambda: not processes_of(bus.directory), DEADLINE, "server and guard are gone")
    with pytest.raises(EmbeddedBusError, match="closed"):
        bus.ensure()
    successor = EmbeddedBus(bus.directory)
    successor.wait_ready(DEADLINE)
    assert successor.owned
    successor.close()


def test_close_ends_a_frozen_server_too(bus: EmbeddedBus) -> None:
    bus.wait_ready(DEADLINE)
    pid = bus.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    bus.close()
    assert not runs(pid)


def test_the_server_sees_nothing_of_our_environment(
    bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVTOP_STORE", "postgresql://u:s3cr3t@h/db")
    bus.wait_ready(DEADLINE)
    assert b"s3cr3t" not in Path(f"/proc/{bus.pid}/environ").read_bytes()


def test_the_server_is_out_of_reach_of_the_terminals_signals(bus: EmbeddedBus) -> None:
    bus.wait_ready(DEADLINE)
    assert bus.pid
    assert os.getsid(bus.pid) == bus.pid != os.getsid(0)


def test_a_server_that_cannot_run_is_a_reason_with_the_name_of_the_log(
    bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "_arguments", lambda: ["--no-such-option", "1"])
    bus.ensure()
    wait_until(lambda: not bus.owned, DEADLINE, "the server gives up")
    with pytest.raises(EmbeddedBusError, match=r"status 1: see .*bus\.log"):
        bus.ensure()
    assert "no-such-option" in (bus.directory / "bus.log").read_text()
    monkeypatch.undo()
    bus.wait_ready(DEADLINE)


def test_a_forked_child_leaves_the_server_to_its_parent(bus: EmbeddedBus) -> None:
    bus.wait_ready(DEADLINE)
    child = os.fork()
    if child == 0:
        try:
            bus.ensure()
            bus.close()
        finally:
            os._exit(0 if bus.socket.exists() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bus.owned
    assert try_lock(bus.directory / "bus.lock") is None, "the lock is still held"


@pytest.mark.skipif(not LINUX, reason="PR_SET_PDEATHSIG is Linux")
def test_starting_from_another_thread_is_refused_as_the_kernel_would_end_it_with_that_thread(
    directory: Path,
) -> None:
    bus = EmbeddedBus(directory)
    errors: list[Exception] = []

    def start() -> None:
        try:
            bus.ensure()
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(errors)
    assert not bus.owned
    bus.wait_ready(DEADLINE)
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(errors) == 1, "a server that runs is fine from any thread"
    bus.close()


# --- several processes


HOW = ["prctl", "guarded"] if LINUX else ["guarded"]


@pytest.mark.fault
@pytest.mark.parametrize("how", HOW)
def test_a_killed_owner_takes_its_server_along(directory: Path, launch: Launch, how: str) -> None:
    process = launch(how)
    assert said(process) == "asked"
    server = int(said(process))
    assert server in processes_of(directory)
    assert len(processes_of(directory)) == (1 if how == "prctl" else 2)
    kill(process)
    wait_until(lambda: not processes_of(directory), DEADLINE, "the server is gone, and its guard too")


@pytest.mark.fault
@pytest.mark.parametrize("how", HOW)
def test_an_owner_killed_while_the_server_starts_leaves_none(
    directory: Path, launch: Launch, how: str
) -> None:
    process = launch(how)
    assert said(process) == "asked"
    kill(process)
    wait_until(lambda: not processes_of(directory), DEADLINE, "no server is left")


@pytest.mark.fault
@pytest.mark.parametrize("how", HOW)
def test_processes_that_start_at_once_share_one_server(directory: Path, launch: Launch, how: str) -> None:
    starters = [launch(how) for _ in range(3)]
    assert [said(process) for process in starters] == ["asked"] * 3
    owned = [pid for process in starters if (pid := int(said(process)))]
    assert len(owned) == 1
    assert [pid for pid in processes_of(directory) if "valkey" in program_of(pid)] == owned
    for process in starters:
        finish(process)
    assert not (directory / "bus.sock").exists()


@pytest.mark.fault
@pytest.mark.parametrize("how", HOW)
def test_whoever_remains_starts_the_bus_of_a_killed_owner_again(
    directory: Path, launch: Launch, how: str
) -> None:
    owner = launch(how)
    assert said(owner) == "asked"
    assert int(said(owner))
    heir = EmbeddedBus(directory, guarded=how == "guarded")
    heir.ensure()
    assert not heir.owned
    kill(owner)

    def taken_over() -> bool:
        heir.ensure()
        return heir.owned

    # Again and again, as a subscriber does: a dying server may listen for a moment longer than its owner lives.
    wait_until(taken_over, DEADLINE, "the bus has a new owner")
    heir.wait_ready(DEADLINE)
    heir.close()


# --- with the bus on top


async def test_a_subscriber_starts_the_bus_and_starts_it_again(bus: EmbeddedBus) -> None:
    over = RedisBus(bus.url, ensure=bus.ensure)
    async with asyncio.timeout(DEADLINE), over.subscribe() as signals:
        while not isinstance(await anext(signals), Subscribed):
            pass
        assert bus.pid
        os.kill(bus.pid, signal.SIGKILL)
        assert isinstance(await anext(signals), Disconnected)
        killed = time.monotonic()
        while not isinstance(await anext(signals), Subscribed):
            pass
        assert time.monotonic() - killed < DEADLINE
        raw = RedisBus(bus.url)
        assert await raw._client.publish(CHANNEL, b"hello") == 1
        assert await anext(signals) == Messages((b"hello",))
        await raw.close()
    await over.close()


async def test_an_unsafe_folder_is_the_reason_of_the_disconnection(directory: Path) -> None:
    elsewhere = directory.parent / "elsewhere"
    elsewhere.mkdir()
    directory.symlink_to(elsewhere)
    bus = EmbeddedBus(directory)
    over = RedisBus(bus.url, ensure=bus.ensure)
    async with over.subscribe() as signals:
        lost = await anext(signals)
    assert isinstance(lost, Disconnected)
    assert lost.reason == f"{directory} is a symbolic link, not a folder: remove it"
    assert not bus.owned
    await over.close()


# --- folders


def test_folders_follow_the_xdg_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert (data_dir(), runtime_dir()) == (Path("/srv/data/evtop"), Path("/run/user/7/evtop"))


@pytest.mark.parametrize("value", [None, "", "relative/path"])
def test_folders_without_a_usable_xdg_variable(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/op")
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert data_dir() == Path("/home/op/.local/share/evtop")
    assert runtime_dir() == Path(f"/tmp/evtop-{os.getuid()}")


def test_a_private_folder_is_made_with_its_parents_and_tightened_when_it_is_ours(tmp_path: Path) -> None:
    path = private_dir(tmp_path / "a" / "b")
    assert path.stat().st_mode & 0o777 == 0o700
    path.chmod(0o755)
    assert private_dir(path).stat().st_mode & 0o777 == 0o700


def test_a_link_or_a_file_in_place_of_a_private_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    for name in ("link", "dangling", "file"):
        with pytest.raises(UnsafeDirectoryError, match=str(tmp_path / name)):
            private_dir(tmp_path / name)
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.mkdir()
    os.chown(path, 12345, -1)
    with pytest.raises(UnsafeDirectoryError, match="belongs to user 12345"):
        private_dir(path)


def test_a_socket_path_beyond_the_limit_is_refused_with_advice() -> None:
    base = "/" + "x" * (SOCKET_PATH_MAX - len("//bus.sock"))
    assert len(str(EmbeddedBus(Path(base)).socket)) == SOCKET_PATH_MAX
    with pytest.raises(SocketPathTooLongError, match="XDG_RUNTIME_DIR"):
        EmbeddedBus(Path(base + "x"))
