"""Column types that mean the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Double, Integer, String, Text, TypeDecorator, Uuid
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles

MOMENT = DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
"""A moment to the microsecond, which MariaDB keeps only when asked."""
IDENTIFIER = Uuid().with_variant(Uuid(native_uuid=False), "mysql", "mariadb")
"""A UUID that orders as its number does: MariaDB's own type sorts its versions in an order of its own."""
POSITION = BigInteger().with_variant(Integer(), "sqlite")
MINUTE = BigInteger().with_variant(Integer(), "sqlite")
"""Minutes since 1970. 32 bits end in the year 6053."""
REAL: Double[float] = Double()
LONG_TEXT = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
"""Text beyond 64 KiB, where MariaDB's `TEXT` ends."""


class _JsonText(JSON):
    """JSON that the database sees as text."""


@compiles(_JsonText, "mysql", "mariadb")
def _declared_as_text(*_: Any, **__: Any) -> str:  # pyright: ignore[reportUnusedFunction]
    return "LONGTEXT"


METADATA = JSON().with_variant(_JsonText(), "mysql", "mariadb")
"""A JSON object. MariaDB's own type is text with a check, which refuses the deepest that an event may have."""
SERVER_OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_nopad_bin"))
}
"""Makes MariaDB compare text to the letter, trailing spaces included, as the other databases do."""


def short_text(length: int) -> String:
    """Text of at most `length` characters, ordered by code point, so that an index serves prefixes too."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC, to the microsecond. SQLite and MariaDB keep no zone, so it is put back here."""

    impl = MOMENT
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive moment: nobody knows which zone it meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Give the moment its zone back."""
        if value is None:
            return None
        if not isinstance(value, datetime):
            # MariaDB's zero dates come as text.
            raise ValueError("no moment")
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
