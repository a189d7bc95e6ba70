"""`EventHandler`: log records of the application as events, few enough for a timeline."""

from __future__ import annotations

import logging
import re
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any

from store.event import Severity
from store.integration.facts import identifier, storable_metadata, storable_text
from store.integration.guard import MISHAPS, record_safely
from store.recording import SYSTEM, Actor, EventFields, Records, Resource, fields_of

SUPPRESSED = "log.suppressed"
"""Type of the event that says how many records the rate cap kept back."""
DRIVERS = ("aiosqlite",)
"""Loggers of database drivers that work in threads of their own: events of their records would make more of them."""
RECORDING_THREADS = frozenset({"evtop-recorder", "evtop-listener"})
"""Names of the threads of `store.recorder`. What is logged there, by whomever, comes of an event: a listener that logs
of each event would otherwise never come to an end."""
TRACEBACK_MAX = 4_000
"""Characters of a traceback in an event: the last ones, which say where it went wrong."""
_TYPE_MAX = 128
_NO_TYPE_CHARACTERS = re.compile(r"[^A-Za-z0-9_-]+")
_PLACE = "log records"

_emitting = threading.local()
"""Set while this thread makes an event of a record, by whichever handler: what is logged meanwhile is no event."""


class _Bucket:
    """Allows `rate` a second on average and as many at once."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._size = max(1.0, rate)
        self._tokens = self._size
        self._at = now

    def take(self, now: float) -> bool:
        """Whether there is one left."""
        # A clock that goes back must not take away what has been earned.
        self._tokens = min(self._size, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class EventHandler(logging.Handler):
    """Records log records as events. Never raises and never blocks, whatever `logging.raiseExceptions` says.

    Severity: error from ERROR on, warning from WARNING on, else info. The event type is `event_type` of the
    record's `extra`, else that of the longest prefix of the logger's name in `types`, else `log.` and the
    logger's name: `log.app.sync`. Further `extra`: `resource_type`, `resource_id`, `actor` (a
    `store.recording.Actor`). The event has the time of the record. Metadata, of which None is left out:
    `message`, `logger`, `level`, `location` (`sync.py:42`), `error_type` and, with `tracebacks`, `traceback`
    (it reads source files, and may quote values of the application).

    At most `rate` records a second of each severity become events; the rest is counted in `suppressed`, and the
    next event of the severity says in its metadata (`suppressed`) how many there were; `flush` and `close` record
    what was not told yet. There is no feedback: left alone are the records of `store` itself and of the loggers in
    `ignore` and below, what is logged while an event is made, and what is logged in the threads of the recorder,
    by its listeners too.

        logging.getLogger().addHandler(EventHandler(recorder, types={"app.sync": "job.logged"}))
    """

    def __init__(
        self,
        recorder: Records,
        level: int | str = logging.WARNING,
        *,
        types: Mapping[str, str] | None = None,
        rate: float = 20.0,
        ignore: Collection[str] = DRIVERS,
        tracebacks: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < rate < float("inf"):
            raise ValueError("rate must be a number above 0")
        super().__init__(level)
        self._recorder = recorder
        self._types = {prefix: type_name(name) for prefix, name in (types or {}).items()}
        self._ignored = ("store", *ignore)
        self._tracebacks = tracebacks
        self._clock = clock
        self._buckets = {severity: _Bucket(rate, clock()) for severity in Severity}
        self._untold = dict.fromkeys(Severity, 0)
        self.suppressed = 0
        """Records that the rate cap kept back, in all."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Make an event of `record`, unless a filter says no; whether it was looked at."""
        try:
            return bool(super().handle(record))
        except Exception as trouble:
            MISHAPS.note(_PLACE, trouble)
            return False

    def emit(self, record: logging.LogRecord) -> None:
        """Make an event of `record`, unless it comes from the event system or is one too many."""
        if getattr(_emitting, "now", False):
            return
        _emitting.now = True
        try:
            # A record that was made by hand may have no name.
            logger = str(record.name or "root")
            if record.threadName not in RECORDING_THREADS and not self._is_ignored(logger):
                self._emit(record, logger)
        except Exception as trouble:
            MISHAPS.note(_PLACE, trouble)
        finally:
            _emitting.now = False

    def flush(self) -> None:
        """Record how many log records were kept back and not told of yet."""
        try:
            self.acquire()
            try:
                untold, self._untold = self._untold, dict.fromkeys(Severity, 0)
            finally:
                self.release()
            for severity, count in untold.items():
                if not count:
                    continue
                fields = EventFields(severity=severity, metadata={"suppressed": count})
                record_safely(self._recorder, SUPPRESSED, fields)
        except Exception as trouble:
            MISHAPS.note(_PLACE, trouble)

    def close(self) -> None:
        """Flush, and stop to be a handler."""
        self.flush()
        super().close()

    def _is_ignored(self, logger: str) -> bool:
        return any(logger == name or logger.startswith(f"{name}.") for name in self._ignored)

    def _emit(self, record: logging.LogRecord, logger: str) -> None:
        severity = _severity(record.levelno)
        if not self._buckets[severity].take(self._clock()):
            self.suppressed += 1
            self._untold[severity] += 1
            return
        extra = vars(record)
        fields = _about(extra)
        fields["severity"] = severity
        if (moment := _moment(record.created)) is not None:
            fields["inserted_at"] = moment
        facts = self._facts(record, logger)
        if self._untold[severity]:
            facts["suppressed"] = self._untold[severity]
        fields["metadata"] = storable_metadata(facts)
        if record_safely(self._recorder, self._type_of(extra.get("event_type"), logger), fields):
            self._untold[severity] = 0

    def _type_of(self, given: object, logger: str) -> str:
        if isinstance(given, str) and given:
            return type_name(given)
        name = logger
        while name:
            if name in self._types:
                return self._types[name]
            name = name.rpartition(".")[0]
        return type_name(f"log.{logger}")

    def _facts(self, record: logging.LogRecord, logger: str) -> dict[str, object]:
        facts: dict[str, object] = {
            "message": _message(record),
            "logger": logger,
            "level": record.levelname,
            "location": f"{record.filename}:{record.lineno}",
        }
        error = _exception(record)
        if error is not None:
            facts["error_type"] = type(error).__name__
            if self._tracebacks:
                facts["traceback"] = _traceback(error)
        return facts


def type_name(name: str) -> str:
    """`name` as the type of an event: dotted lower case of at most 128 characters, below `log` if it has no dot."""
    words = [_NO_TYPE_CHARACTERS.sub("_", word).lower() for word in name[:_TYPE_MAX].split(".") if word]
    if len(words) < 2:
        words = ["log", *(words or ["root"])]
    return ".".join(words)[:_TYPE_MAX].rstrip(".")


def _severity(level: int) -> Severity:
    if level >= logging.ERROR:
        return Severity.ERROR
    return Severity.WARNING if level >= logging.WARNING else Severity.INFO


def _about(extra: Mapping[str, Any]) -> EventFields:
    """Who and what, from the record's `extra`; what is no such thing is left out."""
    actor = extra.get("actor")
    try:
        resource = Resource(identifier(extra["resource_type"], 64), identifier(extra["resource_id"]))
    except (KeyError, ValueError):
        resource = None
    return EventFields(**fields_of(actor if isinstance(actor, Actor) else SYSTEM, resource))


def _moment(created: float) -> datetime | None:
    try:
        moment = datetime.fromtimestamp(created, UTC)
        return moment if MINYEAR < moment.year < MAXYEAR else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _message(record: logging.LogRecord) -> str:
    """The message, or where its arguments do not fit, what they were to be put into."""
    try:
        return storable_text(record.getMessage())
    except Exception:
        return storable_text(f"{record.msg} (its arguments do not fit)")


def _exception(record: logging.LogRecord) -> BaseException | None:
    info: object = record.exc_info
    # A record that was made by hand may hold the exception itself.
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else info
    return error if isinstance(error, BaseException) else None


def _traceback(error: BaseException) -> list[str]:
    text = "".join(traceback.format_exception(error, limit=-20))
    return storable_text(text[-TRACEBACK_MAX:], TRACEBACK_MAX).splitlines()
