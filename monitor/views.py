"""Views in a file, TOML, one table each, to be written by evtop and by hand.

    ["failed downloads"]
    query = "type:download.failed last:1h"
    minimum = "warning"
    zone = "Europe/Berlin"
    side = false

What evtop does not change in it, comments too, stays as it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.export.new_file import new_file
from monitor.model.view import NAME_MAX, View, ViewError
from monitor.text import clean
from store.locks import try_lock
from store.paths import config_dir, state_dir
from store.toml_lines import line_of

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

LOCK_WITHIN = 1.0
"""Seconds that another evtop may take to change the file."""


class ViewsError(Exception):
    """The file cannot be used. The message is one line that names it and, where there is one, the line in it."""


@dataclass
class Views:
    """The views of a file by their names, in its order, and a line on each table that is none, by its name too."""

    by_name: dict[str, View] = field(default_factory=dict[str, View])
    problems: dict[str, str] = field(default_factory=dict[str, str])


class ViewFile:
    """The file at `path`, which need not be there. Every look reads it anew: it is anyone's to change."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def saved(cls) -> ViewFile | None:
        """Where the operator's views are: `views.toml` in the configuration folder. None without a home folder."""
        try:
            return cls(config_dir() / "views.toml")
        except RuntimeError:
            return None

    @classmethod
    def last(cls) -> ViewFile | None:
        """What each system showed when its console was left, by its name. None without a home folder."""
        try:
            return cls(state_dir() / "last.toml")
        except RuntimeError:
            return None

    def read(self) -> Views:
        """All views.

        Raises:
            ViewsError: it cannot be read, or is no TOML.
        """
        import tomllib

        text = self._text()
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ViewsError(f"{self.path}: {error}") from None
        views = Views()
        for name, table in tables.items():
            try:
                if not isinstance(table, dict):
                    raise ViewError("", f"{name}: a view is a table, [{name}]")  # noqa: TRY301
                views.by_name[name] = View.from_table(table)  # pyright: ignore[reportUnknownArgumentType]
            except ViewError as error:
                line = line_of(text, name, error.key or None) or 1
                views.problems[name] = f"{self.path}:{line}: {error}"
        return views

    def save(self, name: str, view: View) -> None:
        """Write `view` under `name`, in place of one that has it. All others stay as they are.

        Raises:
            ViewsError: the file is broken, and stays as it is, or cannot be written.
        """
        with self._changed() as document:
            import tomlkit

            told = view.table()
            old: Any = document.get(name)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            if not isinstance(old, dict):
                document[name] = old = tomlkit.table()  # pyright: ignore[reportUnknownMemberType]
            for key in [key for key in old if key not in told]:  # pyright: ignore[reportUnknownVariableType]
                del old[key]
            for key, value in told.items():
                old[key] = value

    def remove(self, name: str) -> None:
        """Take the view `name` out, if it is there.

        Raises:
            ViewsError: as `save` does.
        """
        with self._changed() as document:
            document.pop(name, None)  # pyright: ignore[reportUnknownMemberType]

    def _text(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ViewsError(f"{self.path}: {error.strerror or type(error).__name__}") from None
        except UnicodeDecodeError:
            raise ViewsError(f"{self.path}: it is not UTF-8") from None

    @contextmanager
    def _changed(self) -> Generator[TOMLDocument]:
        """The document, to be changed; it is written whole, or not at all."""
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                document = tomlkit.parse(self._text())
                yield document
                with new_file(self.path) as file:
                    file.write(tomlkit.dumps(document).encode())  # pyright: ignore[reportUnknownMemberType]
        except TOMLKitError as error:
            raise ViewsError(f"{self.path}: {error}") from None
        except OSError as error:
            raise ViewsError(str(error)) from None

    @contextmanager
    def _locked(self) -> Generator[None]:
        """Only one evtop changes the file at a time. The lock is a file of its own: this one is replaced each time."""
        path, until = self.path.with_name(f".{self.path.name}.lock"), time.monotonic() + LOCK_WITHIN
        while (lock := try_lock(path)) is None:
            if time.monotonic() >= until:
                raise OSError(f"{self.path}: another evtop is writing it")
            time.sleep(0.02)
        try:
            yield
        finally:
            os.close(lock)


def view_name(text: str) -> str:
    """`text` as the name of a view.

    Raises:
        ValueError: it cannot be one; the message is one line.
    """
    name = clean(" ".join(text.split()))
    if not name:
        raise ValueError("type a name")
    if len(name) > NAME_MAX:
        raise ValueError(f"a name has {NAME_MAX} characters at most")
    return name
