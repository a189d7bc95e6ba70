"""An interactive shell on a terminal, whose jobs can be stopped and continued as an operator does it."""

from __future__ import annotations

import shutil
import signal
from typing import Self

import pytest

from tests.pty_console import PrivateHome, PtyConsole

_PROMPT = "shell-prompt> "
_WITHIN = 15.0
_OPTIONS = {"bash": ["--norc", "--noprofile", "--noediting"]}


class JobShell:
    """`name` is the shell; without it the test is skipped. It works in the folder of `home`."""

    def __init__(self, home: PrivateHome, name: str = "sh") -> None:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        self.terminal = PtyConsole(
            [path, *_OPTIONS.get(name, []), "-i"],
            environment={**home.environment, "PS1": _PROMPT, "ENV": "", "HISTFILE": ""},
            directory=home.directory,
        )
        self._prompts = 0

    def __enter__(self) -> Self:
        self.wait_for_prompt()
        return self

    def __exit__(self, *_: object) -> None:
        # An interactive shell ignores SIGTERM.
        self.terminal.signal(signal.SIGHUP)
        self.terminal.stop()

    def enter(self, line: str) -> None:
        """Type a line; a job that it starts has the terminal from then on."""
        self.terminal.press(line, "enter")

    def run(self, line: str) -> None:
        """Type a line and wait until the shell is back."""
        self.enter(line)
        self.wait_for_prompt()

    def wait_for_prompt(self) -> None:
        """Wait until the shell asks for a line, one more time than the last time."""
        self._prompts += 1
        prompt = _PROMPT.encode()
        self.terminal.wait_for(lambda terminal: terminal.output.count(prompt) >= self._prompts, _WITHIN)
