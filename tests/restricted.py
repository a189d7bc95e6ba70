"""Programs that file permissions hold for: root is free of them otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

_DROP = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]


def restricted(command: Sequence[str]) -> list[str]:
    """`command`, run so that the permissions of files hold for it; the test is skipped where that is impossible."""
    if os.geteuid() != 0:
        return list(command)
    reason = _why_not()
    if reason:
        pytest.skip(f"root cannot be held to the permissions of files: {reason}")
    return [*_DROP, *command]


@cache
def _why_not() -> str:
    if shutil.which(_DROP[0]) is None:
        return "there is no setpriv (util-linux)"
    done = subprocess.run([*_DROP, "true"], capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


@contextmanager
def sealed(*folders: Path, files: int = 0o444, folder: int = 0o555) -> Iterator[None]:
    """Give folders and what is in them these modes for a while."""
    before = [(path, path.stat().st_mode) for root in folders for path in (*root.iterdir(), root)]
    for root in folders:
        for path in root.iterdir():
            path.chmod(files)
        root.chmod(folder)
    try:
        yield
    finally:
        # The folders first: without entering them, nothing in them can be changed.
        for path, mode in reversed(before):
            if path.exists():
                path.chmod(mode)
