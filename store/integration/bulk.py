"""`summary`: one event for a change of many things, in place of one for each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType

from store.integration.facts import UnstorableError, identifier
from store.integration.guard import MISHAPS
from store.integration.work import Outcome, TrackedWork, outcome_of
from store.recording import SYSTEM, Actor, Records, Resource

_ERROR_TYPES_MAX = 10


class Bulk:
    """A bulk change while it goes on: tell it of each thing. Safe from any thread; no call ever raises.

    Things are counted one by one with their id, or several at once with `count`. The first few ids are kept.
    """

    def __init__(self, event_type: str, examples: int) -> None:
        self._event_type = event_type
        self._examples = examples
        # Reentrant, because a finalizer or a signal handler may count while this counts.
        self._lock = threading.RLock()
        self._counts = Counter[str]()
        self._ids: dict[str, list[str]] = {"done": [], "failed": []}
        self._error_types = Counter[str]()
        self._noted: dict[str, object] = {}
        self._closed = False

    def done(self, item: object = None, *, count: int = 1) -> None:
        """The thing with the id `item` is changed, or `count` things are."""
        self._count("done", item, count)

    def failed(self, item: object = None, error: BaseException | None = None, *, count: int = 1) -> None:
        """The thing with the id `item` could not be changed, for `error`, of which the type is kept."""
        self._count("failed", item, count, error)

    def skipped(self, item: object = None, *, count: int = 1) -> None:
        """The thing with the id `item` needed no change. Of these no ids are kept."""
        self._count("skipped", item, count)

    def note(self, /, **facts: object) -> None:
        """Put `facts` into the metadata of the event."""
        with self._lock:
            self._noted.update(facts)

    def _count(self, what: str, item: object, count: object, error: BaseException | None = None) -> None:
        try:
            if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 2**53:
                MISHAPS.note(self._event_type, "a count of a bulk change is no number of things")
                count = 1
            with self._lock:
                if self._closed:
                    MISHAPS.note(self._event_type, "a bulk change went on after its summary")
                self._counts[what] += count
                self._keep_example(what, item)
                if error is not None:
                    name = type(error).__name__
                    if name in self._error_types or len(self._error_types) < _ERROR_TYPES_MAX:
                        self._error_types[name] += count
        except Exception as trouble:
            MISHAPS.note(self._event_type, trouble)

    def _keep_example(self, what: str, item: object) -> None:
        kept = self._ids.get(what)
        if item is None or kept is None or len(kept) >= self._examples:
            return
        try:
            kept.append(identifier(item))
        except UnstorableError:
            MISHAPS.note(self._event_type, "an id in a bulk change is none that an event can hold")

    def close(self, error: BaseException | None) -> tuple[Outcome, dict[str, object]]:
        """The outcome of a bulk change that ended with `error`, and the facts of its summary."""
        with self._lock:
            self._closed = True
            done, failed, skipped = (self._counts[what] for what in ("done", "failed", "skipped"))
            facts: dict[str, object] = {
                **self._noted,
                "summary": _phrase(done, failed, skipped),
                "item_count": done + failed + skipped,
                "done": done,
                "failed": failed,
                "skipped": skipped,
                "items": self._ids["done"] or None,
                "failed_items": self._ids["failed"] or None,
                "error_types": dict(self._error_types) or None,
            }
        outcome = outcome_of(error)
        if outcome is not Outcome.COMPLETED:
            return Outcome.PARTIAL if done else outcome, facts
        if failed:
            return Outcome.PARTIAL if done else Outcome.FAILED, facts
        return outcome, facts


class BulkSummary:
    """What `summary` returns: a context manager, also an asynchronous one, for one bulk change."""

    def __init__(self, work: TrackedWork, examples: int) -> None:
        self._work = work
        self._bulk = Bulk(work.event_type, examples)
        self._began: float | None = None

    def __enter__(self) -> Bulk:
        self._began = self._work.now()
        return self._bulk

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            ended = self._work.now()
            outcome, facts = self._bulk.close(error)
            self._work.record(outcome, facts, began=self._began, ended=ended, error=error)
        except Exception as trouble:
            self._work.has_trouble(trouble)

    async def __aenter__(self) -> Bulk:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


def summary(
    recorder: Records,
    event_type: str,
    *,
    failed: str | None = None,
    cancelled: str | None = None,
    actor: Actor = SYSTEM,
    resource: Resource | None = None,
    metadata: Mapping[str, object] | None = None,
    examples: int = 10,
    message: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> BulkSummary:
    """Count over a change of many things, and record one event when it ends, however it ends.

        with summary(recorder, "media_item.monitored_changed", resource=Resource("library", "main")) as bulk:
            for item in items:
                item.monitored = False
                bulk.done(item.id)

    Status: `completed` (also when there was nothing to do), `partial` (something was done and something failed,
    or the block ended early), `failed` (nothing was done and something failed, or the block raised) or `cancelled`
    (nothing was done and the block was stopped from outside). When nothing was done, the event is `failed` or
    `cancelled`, by default `event_type` with that last word, since what `event_type` says did not happen.

    Category and severity are as `store.integration.track` has them; `partial` makes a warning of a type that the
    active taxonomy has as info.

    Metadata: `metadata`, `summary` (a phrase), `item_count`, `done`, `failed`, `skipped`, `items` and
    `failed_items` (the first `examples` ids of each), `error_types` (how often each), `duration_ms`; when the
    block raised, `error_type` and `error` as `store.integration.track` has them, also with `message`.
    """
    work = TrackedWork(
        recorder,
        event_type,
        failed=failed,
        cancelled=cancelled,
        actor=actor,
        resource=resource,
        secondary=None,
        metadata=metadata,
        message=message,
        clock=clock,
    )
    return BulkSummary(work, examples)


def _phrase(done: int, failed: int, skipped: int) -> str:
    parts = [f"{done} done"]
    if failed:
        parts.append(f"{failed} failed")
    if skipped:
        parts.append(f"{skipped} skipped")
    return ", ".join(parts)
