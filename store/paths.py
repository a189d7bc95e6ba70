"""Where evtop keeps its files, and the folders that only their owner may enter."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

SOCKET_PATH_MAX = 107 if sys.platform == "linux" else 103
"""Bytes in the path of a unix socket: `sun_path` less its closing NUL (unix(7); shorter on macOS)."""


class UnsafeDirectoryError(PermissionError):
    """A folder that someone else could read or replace. The message names it."""


class SocketPathTooLongError(OSError):
    """A unix socket cannot have so long a path. The message says what to set."""


def data_dir() -> Path:
    """Where the store and the spool are kept: `$XDG_DATA_HOME/evtop`. Not created here."""
    return (_absolute("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "evtop"


def config_dir() -> Path:
    """Where settings are looked for: `$XDG_CONFIG_HOME/evtop`. Not created here.

    Raises:
        RuntimeError: there is no home folder.
    """
    return (_absolute("XDG_CONFIG_HOME") or Path.home() / ".config") / "evtop"


def state_dir() -> Path:
    """Where a program leaves what it goes on from the next time: `$XDG_STATE_HOME/evtop`. Not created here.

    Raises:
        RuntimeError: there is no home folder.
    """
    return (_absolute("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "evtop"


def runtime_dir() -> Path:
    """Where sockets and locks live: `$XDG_RUNTIME_DIR/evtop`, or `/tmp/evtop-UID`. Not created here.

    The fallback ignores `TMPDIR`, which differs between sessions of one user: they must meet in one place.
    """
    base = _absolute("XDG_RUNTIME_DIR")
    return base / "evtop" if base else Path("/tmp") / f"evtop-{os.getuid()}"  # noqa: S108 - checked by private_dir


def private_dir(path: Path) -> Path:
    """Create `path` with mode 0700, or take it over from an earlier run: ours, and closed to all others.

    Looser permissions on a folder of ours are tightened.

    Raises:
        UnsafeDirectoryError: `path` is a symbolic link, no folder, or owned by someone else.
        OSError: it cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        raise UnsafeDirectoryError(f"{path} is no folder: remove it") from None
    try:
        # One descriptor for looking and tightening, so that the folder cannot be swapped in between.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except NotADirectoryError:
        raise UnsafeDirectoryError(f"{path} is a symbolic link, not a folder: remove it") from None
    except OSError as error:
        raise UnsafeDirectoryError(f"{path} cannot be opened: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise UnsafeDirectoryError(f"{path} belongs to user {status.st_uid}, not to you")
        if stat.S_IMODE(status.st_mode) != 0o700:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)
    return path


def socket_path(directory: Path, name: str) -> Path:
    """The path of the unix socket `name` in `directory`.

    Raises:
        SocketPathTooLongError: over `SOCKET_PATH_MAX` bytes.
    """
    path = directory / name
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_MAX:
        raise SocketPathTooLongError(
            f"the socket path {path} has {size} bytes, {SOCKET_PATH_MAX} are allowed: "
            "set XDG_RUNTIME_DIR to a shorter folder"
        )
    return path


def _absolute(variable: str) -> Path | None:
    """The folder in an XDG variable. The specification has relative ones ignored."""
    path = Path(os.environ.get(variable, ""))
    return path if path.is_absolute() else None
