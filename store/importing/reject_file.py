"""The lines that an import could not take, kept with the reason, so that they can be mended and imported."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from store.importing.importer import Rejection

_TRIES = 10_000
"""Numbers that are tried for a name that is not taken."""


class RejectFile:
    """A file of one JSON object a line: `line` (its number), `reason` and `text`. A context manager.

    A line that is not UTF-8 is kept as `base64` instead of `text`; of one that is too long, `bytes` says how many
    it had. The file is created with the first rejection, for its owner alone, and never written over another one:
    its name gets a number.
    """

    def __init__(self, wanted: Path) -> None:
        self._wanted = wanted
        self._descriptor: int | None = None
        self.path: Path | None = None
        """Where it is; None while there is none."""

    def check(self) -> None:
        """Find out whether the file could be created.

        Raises:
            OSError: it could not; the message names it.
        """
        folder = self._wanted.parent
        if _is_device(self._wanted):
            return
        if not self._wanted.name:
            reason = "it has no name"
        elif not folder.is_dir():
            reason = "there is no such folder"
        elif not os.access(folder, os.W_OK | os.X_OK):
            reason = "the folder cannot be written"
        else:
            return
        raise OSError(f"cannot write {self._wanted}: {reason}")

    def write(self, rejections: Sequence[Rejection]) -> None:
        """Add `rejections`.

        Raises:
            OSError: the file cannot be created or written; the message names it.
        """
        content = memoryview("".join(f"{_encoded(rejection)}\n" for rejection in rejections).encode())
        try:
            if self._descriptor is None:
                self._descriptor, self.path = self._create()
            while content:
                content = content[os.write(self._descriptor, content) :]
        except OSError as error:
            raise OSError(f"cannot write {self.path or self._wanted}: {error.strerror or error}") from None

    def _create(self) -> tuple[int, Path]:
        if _is_device(self._wanted):
            return os.open(self._wanted, os.O_WRONLY | os.O_CLOEXEC), self._wanted
        for number in range(_TRIES):
            path = self._wanted.with_name(f"{self._wanted.name}.{number}") if number else self._wanted
            try:
                # O_EXCL follows no symbolic link either.
                return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), path
            except FileExistsError:
                continue
        raise OSError(f"{_TRIES} files of this name are there already")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_device(path: Path) -> bool:
    """Whether it is one such as /dev/null, which is there to be written."""
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


def _encoded(rejection: Rejection) -> str:
    line = rejection.line
    fields: dict[str, Any] = {"line": line.number, "reason": rejection.reason}
    try:
        fields["text"] = line.content.decode()
    except UnicodeDecodeError:
        fields["base64"] = base64.b64encode(line.content).decode()
    if line.is_too_long:
        fields["bytes"] = line.size
    # In ASCII: it will be looked at in a terminal.
    return json.dumps(fields).replace("\x7f", "\\u007f")
