"""The processes that the fault tests start, tell what to do, stop and kill."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from store.embedded import dying_with_parent
from tests.database_server import PASSWORD
from tests.faults.oracle import Promises

_ANSWER_TIMEOUT = 60.0
_END_TIMEOUT = 15.0
_ROOT = Path(__file__).parents[2]


class Child:
    """A Python process that runs a module of `commands.serve`. Its log is what it wrote on the standard error."""

    module = ""

    def __init__(
        self, folder: Path, name: str, *, descriptors: int | None = None, enter: Sequence[str] = ()
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._killed = False
        self._heard = b""
        dying = dying_with_parent() if sys.platform == "linux" else None

        def limit() -> None:
            if dying is not None:
                dying()
            if descriptors is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*enter, sys.executable, "-m", self.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                preexec_fn=limit,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.end()
        else:
            self.kill()
            error.add_note(f"--- log of {self.name}:\n{self.log[-3000:]}") if error else None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it logged so far."""
        return self._log.read_text(errors="replace")

    @property
    def warnings(self) -> list[str]:
        """The lines that it logged."""
        return self.log.splitlines()

    def answer(self, patience: float = _ANSWER_TIMEOUT) -> dict[str, Any]:
        """What it says to the oldest command that is not answered yet; before all of them, that it has started."""
        pipe = self._process.stdout
        assert pipe is not None
        while b"\n" not in self._heard:
            readable = select.select([pipe], [], [], patience)[0]
            assert readable, f"{self.name} did not answer:\n{self.log[-3000:]}"
            heard = os.read(pipe.fileno(), 65536)
            assert heard, f"{self.name} has ended:\n{self.log[-3000:]}"
            self._heard += heard
        line, _, self._heard = self._heard.partition(b"\n")
        return json.loads(line)

    def ask(self, command: str, /, patience: float = _ANSWER_TIMEOUT, **arguments: Any) -> dict[str, Any]:
        """Have it do something, and return its answer."""
        self.tell(command, **arguments)
        return self.answer(patience)

    def tell(self, command: str, /, **arguments: Any) -> None:
        """Have it do something; its answer is taken by `answer`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._killed = True
        self.resume()
        self._process.kill()
        self._reap()

    def pause(self) -> None:
        """Freeze it."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Have it end in order, and see that it left nothing unsaid or said too much in its log."""
        if self._killed:
            return
        try:
            assert self._process.stdin is not None
            self._process.stdin.close()
            status = self._process.wait(_END_TIMEOUT)
            assert status == 0, f"{self.name} ended with status {status}:\n{self.log[-3000:]}"
        finally:
            self.kill()
        assert "Traceback" not in self.log, self.log[-3000:]
        assert PASSWORD not in self.log

    def _reap(self) -> None:
        self._process.wait(_END_TIMEOUT)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    # A command that it never took.
                    continue


class Producer(Child):
    """An application that records the events of one source: see `tests.faults.producer`."""

    module = "tests.faults.producer"

    def __init__(
        self,
        folder: Path,
        name: str,
        url: str,
        seed: int,
        *,
        descriptors: int | None = None,
        enter: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(folder, name, descriptors=descriptors, enter=enter)
        self.journal = folder / f"{name}.journal"
        # Not in the arguments: other users see those, and the URL has a password.
        self.tell("set_up", url=url, seed=seed, journal=str(self.journal), **options)
        self._is_set_up = False

    def set_up(self) -> Self:
        """Wait until it is ready to record."""
        if not self._is_set_up:
            self._is_set_up = True
            self.answer()
            self.answer()
        return self

    def record(self, count: int, rate: float | None = None) -> None:
        """Begin to record `count` events more, `rate` a second or as fast as can be."""
        self.set_up().ask("record", count=count, rate=rate)

    def recorded(self, patience: float = 60.0) -> dict[str, Any]:
        """Wait for `record` to end. Returns how long the calls took, in seconds: `p50`, `p99`, `max`."""
        return self.ask("recorded", patience)

    def stats(self) -> dict[str, Any]:
        """The recorder's account of what became of every event."""
        return self.set_up().ask("stats")

    def flush(self, timeout: float = 5.0, **how: float) -> bool:
        """Flush, and see that the answer comes in time."""
        answer = self.ask("flush", timeout=timeout, **how)
        assert answer["took"] <= timeout + 0.5, answer
        return answer["done"]

    def close(self, timeout: float = 5.0) -> bool:
        """Close the recorder, and see that the answer comes in time."""
        answer = self.ask("close", timeout=timeout)
        assert answer["took"] <= timeout + 0.5, answer
        return answer["done"]

    def promises(self) -> Promises:
        """What its journal says."""
        return Promises.read(self.journal)


class StoreWorker(Child):
    """A process that works on a store without a recorder: see `tests.faults.store_worker`."""

    module = "tests.faults.store_worker"

    def __init__(self, folder: Path, name: str, url: str) -> None:
        super().__init__(folder, name)
        self.tell("set_up", url=url)

    def set_up(self) -> Self:
        """Wait until it is ready to work."""
        self.answer()
        self.answer()
        return self


class Evaluator(Child):
    """A console that records alerts."""

    module = "tests.faults.evaluator"
