"""How often the same content came before, exactly and with bounded memory: on disk, in a file that no one sees."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from types import TracebackType
from typing import Self

_DIGEST_BYTES = 16
_COUNT = """
INSERT INTO seen VALUES (?, 0) ON CONFLICT (digest) DO UPDATE SET times = times + 1 RETURNING times
"""


class Recurrence:
    """Counts equal contents, as a context manager. It is bound to the thread that made it.

    SQLite keeps a database without a name in memory as far as its cache goes, and then in a temporary file that is
    gone with it (sqlite.org/inmemorydb.html).
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, times INTEGER) WITHOUT ROWID")
        # One transaction for ever: nothing of it is to be kept.
        self._connection.execute("BEGIN")

    def count(self, content: bytes) -> int:
        """How often `content` was counted before.

        Raises:
            OSError: there is no room for the temporary file.
        """
        digest = blake2b(content, digest_size=_DIGEST_BYTES).digest()
        try:
            return int(self._connection.execute(_COUNT, (digest,)).fetchone()[0])
        except sqlite3.OperationalError as error:
            raise OSError(f"the temporary folder: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
