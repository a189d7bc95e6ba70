"""`track`: records that a piece of work succeeded, failed or was cancelled, and how long it took."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from types import AsyncGeneratorType, CoroutineType, GeneratorType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from store.integration.work import TrackedWork, outcome_of
from store.recording import SYSTEM, Actor, Records, Resource

_UNBEGUN = (CoroutineType, GeneratorType, AsyncGeneratorType)
"""Returned by a function whose work only begins when someone else runs it."""
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Span:
    """One run of tracked work, from its begin to its end."""

    __slots__ = ("_facts", "_track", "began")

    def __init__(self, track: Track, began: float | None) -> None:
        self._track = track
        self._facts: dict[str, object] = {}
        self.began = began
        """On the clock of `track`; None when that clock is broken."""

    def note(self, /, **facts: object) -> None:
        """Put `facts` into the metadata of the event: `span.note(files=12)`. The last value of a name holds."""
        self._facts.update(facts)

    @property
    def facts(self) -> Mapping[str, object]:
        """What was noted so far."""
        return dict(self._facts)

    def belongs_to(self, track: Track) -> bool:
        """Whether this is a run of `track`."""
        return self._track is track


_open_spans: ContextVar[tuple[Span, ...]] = ContextVar("store_open_spans", default=())
"""The runs that surround the present code, innermost last: a task and a thread each see their own."""


def note(**facts: object) -> None:
    """Put `facts` into the event of the innermost tracked work around the caller; without any, do nothing.

    This is how a decorated function says something of its own run.
    """
    spans = _open_spans.get()
    if spans:
        spans[-1].note(**facts)


class Track:
    """What `track` returns: a context manager, an asynchronous one, and a decorator.

    One object may be used many times, nested in itself, by many threads and tasks at once.
    """

    def __init__(self, work: TrackedWork) -> None:
        self._work = work
        self._running: list[Span] = []

    def __enter__(self) -> Span:
        span = Span(self, self._work.now())
        self._running.append(span)
        _open_spans.set((*_open_spans.get(), span))
        return span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            ended = self._work.now()
            span = self._leave()
            if span is not None:
                self._work.record(outcome_of(error), span.facts, began=span.began, ended=ended, error=error)
        except Exception as trouble:
            self._work.has_trouble(trouble)

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[_Arguments, _Result], /) -> Callable[_Arguments, _Result]:
        """Track each call of `function`; of a coroutine function, from the first step to the end of the coroutine.

        Raises:
            TypeError: a generator function, whose time is its consumer's (put `with track(…)` inside), a class,
                or a `staticmethod` or `classmethod` object (those go above `track`).
        """
        _refuse_what_is_no_function(function)
        if _is_coroutine_function(function):
            coroutine_function = cast("Callable[_Arguments, Awaitable[Any]]", function)

            @functools.wraps(function)
            async def run_coroutine(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Any:
                with self:
                    return await coroutine_function(*args, **kwargs)

            return cast("Callable[_Arguments, _Result]", run_coroutine)

        @functools.wraps(function)
        def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            with self:
                result = function(*args, **kwargs)
                if _is_unbegun(result):
                    self._work.has_trouble("the function returned before its work began: make it `async def`")
                return result

        return run

    def _leave(self) -> Span | None:
        """Take the run that ends off the open ones."""
        spans = _open_spans.get()
        for index in range(len(spans) - 1, -1, -1):
            span = spans[index]
            if span.belongs_to(self) and span in self._running:
                _open_spans.set(spans[:index] + spans[index + 1 :])
                self._running.remove(span)
                return span
        # An asynchronous generator may be closed in another context than the one it began in.
        return self._running.pop() if self._running else None


def track(
    recorder: Records,
    event_type: str,
    *,
    failed: str | None = None,
    cancelled: str | None = None,
    actor: Actor = SYSTEM,
    resource: Resource | None = None,
    secondary: Resource | None = None,
    metadata: Mapping[str, object] | None = None,
    message: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Track:
    """Record how a piece of work ended, and never change how it ends.

        with track(recorder, "job.executed", actor=Actor.job("sync"), resource=Resource("job", "sync")) as span:
            span.note(files=12)

        @track(recorder, "report.built")
        async def build() -> Report: ...

    What the work returns and raises is what comes out, also when the recorder or anything else here is broken.
    Success is recorded as `event_type`, a failure as `failed`, work that was stopped from outside (a cancelled task,
    Ctrl-C, a closed coroutine) as `cancelled`. Left out, these two are `event_type` with another last word:
    `job.failed`, `job.cancelled`. The status says the same: completed, failed, cancelled.

    Category and severity are those that the active taxonomy gives to the type. Where it does not know that of a
    failure or a cancellation, the category is that of `event_type`, and the severity of a failure is error.

    Metadata: `metadata` and what was noted, `duration_ms` by the monotonic clock, and of an exception its
    `error_type` and `error`. `error` holds the exception's text, in one line of 200 characters, only with
    `message`: such texts quote URLs, queries and input, and with them keys and passwords. `clock` is in seconds.
    """
    return Track(
        TrackedWork(
            recorder,
            event_type,
            failed=failed,
            cancelled=cancelled,
            actor=actor,
            resource=resource,
            secondary=secondary,
            metadata=metadata,
            message=message,
            clock=clock,
        )
    )


def _refuse_what_is_no_function(function: object) -> None:
    if isinstance(function, (staticmethod, classmethod)):
        raise TypeError("track goes below @staticmethod and @classmethod, next to the function")
    if isinstance(function, type):
        raise TypeError("track takes functions, not classes")
    if not callable(function):
        raise TypeError(f"track takes functions, not {type(function).__name__}")
    if any(
        check(candidate)
        for candidate in (function, type(function).__call__)
        for check in (inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    ):
        raise TypeError("track takes no generator functions: put `with track(…)` around what they do")


def _is_coroutine_function(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _is_unbegun(result: object) -> bool:
    return isinstance(result, _UNBEGUN)
