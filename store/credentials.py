"""Credentials: kept out of what a crash report prints, which is local variables, and missed by name in files."""

from __future__ import annotations

from traceback import clear_frames
from typing import TYPE_CHECKING

from store.errors import one_line

if TYPE_CHECKING:
    from pydantic import SecretStr


def secret(text: str | SecretStr) -> SecretStr:
    """`text` in a wrapper that prints as asterisks. Rebind the name, or the frame keeps the bare text too."""
    # Reading the settings, which a command line does before anything else, does not wait for pydantic.
    from pydantic import SecretStr

    return text if isinstance(text, SecretStr) else SecretStr(text)


def forget_locals(error: BaseException) -> None:
    """Empty the frames that `error`, and what caused it, came through. Their lines stay in the traceback.

    Drivers hold the password in local variables, and some reports of crashes print those (Textual's, Sentry's).
    """
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        link = left.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        clear_frames(link.__traceback__)
        left += (link.__cause__, link.__context__)


def why_unreadable(path: str) -> str | None:
    """The file at `path`, and why it cannot be read, in one line; None when it can."""
    try:
        with open(path, "rb"):  # noqa: PTH123 - `Path` does not take every text
            return None
    except OSError as error:
        return f"{one_line(path)}: {error.strerror or type(error).__name__}"
    except ValueError:
        return "not a path"
