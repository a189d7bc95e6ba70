"""Copying through the terminal (OSC 52), which works over ssh and needs no program on the other side.

A terminal does not answer whether it took the text. Inside tmux and screen the sequence is wrapped, so that it reaches
the terminal outside. What is too long for terminals goes to a file instead.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

ENCODED_MAX = 74_994
"""Bytes of base64 that terminals take in one OSC 52 (the limit of xterm's parser and of hterm)."""
_SCREEN_CHUNK = 76
"""Bytes of one device control string that GNU screen passes on."""


def sequence(text: str, environment: Mapping[str, str]) -> str | None:
    """What to write to the terminal for `text` to be on its clipboard; None when that is too much for terminals."""
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    if len(encoded) > ENCODED_MAX:
        return None
    return passed_through(f"\x1b]52;c;{encoded}\x07", environment)


def passed_through(plain: str, environment: Mapping[str, str]) -> str:
    """The sequence `plain` so that it reaches the terminal around tmux or screen as well."""
    if environment.get("TMUX"):
        # tmux takes the plain one itself where it knows it and is told to, and passes the wrapped one through where
        # `allow-passthrough` is on.
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("TERM", "").startswith("screen"):
        chunks = [plain[start : start + _SCREEN_CHUNK] for start in range(0, len(plain), _SCREEN_CHUNK)]
        return "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks)
    return plain


def to_file(text: str, folder: Path, suffix: str = ".txt") -> Path:
    """Write `text` to a new file for its owner alone, in `folder`, which is made when it is not there.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", dir=folder, prefix="evtop-", suffix=suffix, delete=False, encoding="utf-8", errors="replace"
    ) as file:
        file.write(text)
    return Path(file.name)
