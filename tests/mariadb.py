"""A real MariaDB for tests, from the system's package."""

from __future__ import annotations

import os
import shutil

import asyncmy
import asyncmy.errors

from tests.database_server import HOST, PASSWORD, USER, DatabaseServer

MISSING = "mariadbd is not installed: apt-get install mariadb-server"
_PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
# Root keeps its login without a password on the socket alone, which lies in a private folder.
_ACCOUNTS = f"""
FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE Host <> 'localhost' OR User = '';
FLUSH PRIVILEGES;
CREATE USER '{USER}'@'{HOST}' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON *.* TO '{USER}'@'{HOST}';
"""


def mariadb_program(name: str = "mariadbd") -> str | None:
    """Where the program is, or None."""
    return shutil.which(name, path=_PLACES)


class MariadbServer(DatabaseServer):
    """MariaDB with its defaults, which are latin1 for text, and far from UTC. `options` come last and win."""

    scheme = "mysql"
    refusals = (asyncmy.errors.Error,)

    def _initialise(self) -> None:
        accounts = self.directory / "accounts.sql"
        accounts.write_text(_ACCOUNTS)
        install = mariadb_program("mariadb-install-db")
        assert install is not None, MISSING
        self._tool(
            install,
            *self._common(),
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            f"--extra-file={accounts}",
        )
        accounts.unlink()

    def _command(self) -> list[str]:
        server = mariadb_program()
        assert server is not None, MISSING
        return [
            server,
            *self._common(),
            f"--socket={self.directory / 's'}",
            f"--pid-file={self.directory / 'pid'}",
            f"--bind-address={HOST}",
            f"--port={self.port}",
            "--skip-log-bin",
            "--key-buffer-size=1M",
            "--aria-pagecache-buffer-size=1M",
            # A time that is wrong by the server's own zone has to show.
            "--default-time-zone=+05:45",
        ]

    def _common(self) -> list[str]:
        words = [
            "--no-defaults",
            f"--datadir={self.data}",
            # A server that starts deletes the temporary files of all others in the folder that is the default.
            f"--tmpdir={self.directory}",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=32M",
        ]
        return [*words, "--user=root"] if os.geteuid() == 0 else words

    async def _execute(self, *statements: str) -> None:
        connection = await asyncmy.connect(host=HOST, port=self.port, user=USER, password=PASSWORD)
        try:
            async with connection.cursor() as cursor:
                for statement in statements:
                    await cursor.execute(statement)
        finally:
            await connection.ensure_closed()

    def _drop(self, name: str) -> None:
        # DROP waits, for a day, for every transaction that has touched one of the tables.
        self.execute(
            f"""
            BEGIN NOT ATOMIC
                FOR client IN (SELECT id FROM information_schema.processlist WHERE db = '{name}') DO
                    EXECUTE IMMEDIATE CONCAT('KILL CONNECTION ', client.id);
                END FOR;
            END
            """,
            f"DROP DATABASE {name}",
        )
