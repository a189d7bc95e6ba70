"""What the console writes to a terminal while it runs: text, and the few sequences with which Textual draws it.

The lists below are of what is allowed, so that whatever else an event smuggles in is found without being known.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

from wcwidth import iter_graphemes

from monitor.text import cell_width

_STYLES = "(?:[0123479]|[34]9|[34]8;2;[0-9]{1,3};[0-9]{1,3};[0-9]{1,3})"
_DRAWN = re.compile(
    rf"\x1b\[{_STYLES}(?:;{_STYLES})*m"
    r"|\x1b\[(?P<y>[0-9]{1,3});(?P<x>[0-9]{1,3})H|\x1b\[(?P<right>[0-9]{1,3})C"
    "|\x1b\\]22;[a-z-]+\x07"  # the shape of the pointer
)
"""How the console draws in true colour: styles, the place of what follows, cells to go over. It erases nothing."""
STARTED = b"\x1b[?7l"
"""The last thing that is set up before the first frame."""


def smuggled(text: str) -> list[str]:
    """Characters that hide, move or command, the joiners of whole emoji apart."""
    bare = re.sub("(?<=[^\x00-\u203b])\u200d(?=[^\x00-\u203b])", "", text)
    found = [c for c in bare if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}]
    found += [c for c in bare if unicodedata.bidirectional(c) in {"LRE", "RLE", "LRO", "RLO", "PDF", "FSI"}]
    found += [c for c in bare if 0xFDD0 <= ord(c) <= 0xFDEF or ord(c) & 0xFFFE == 0xFFFE]
    found += re.findall("[\ufe00-\ufe0e\U000e0100-\U000e01ef\u034f\u115f\u1160\u3164\uffa0]", bare)
    return found


def whole(output: bytes | bytearray) -> int:
    """How much of `output` can be judged: the last sequence, and the line break before it, may be unfinished."""
    return len(output[: max(0, output.rfind(b"\x1b"))].rstrip(b"\r\n"))


def frames(output: bytes | bytearray, since: int = 0) -> bytes:
    """What was drawn of `output` from `since` on, up to where it is whole; what set up the terminal left out."""
    first = output.find(STARTED)
    assert first >= 0, "nothing was drawn"
    return bytes(output[max(since, first + len(STARTED)) : whole(output)])


def plain(drawn: bytes) -> str:
    """Every row that stood on the screen, each time that something was drawn in it."""
    rows: defaultdict[int, dict[int, str]] = defaultdict(dict)
    seen: list[str] = []
    text = drawn.decode()
    y = x = done = 0
    for sequence in [*_DRAWN.finditer(text), None]:
        written = text[done : sequence.start() if sequence else len(text)]
        for grapheme in iter_graphemes(written):
            width = cell_width(grapheme)
            rows[y].update({x: grapheme, **dict.fromkeys(range(x + 1, x + width), "")})
            x += width
        if sequence is None or sequence["y"]:
            seen.append("".join(rows[y].get(at, " ") for at in range(max(rows[y], default=-1) + 1)))
        if sequence is not None:
            done = sequence.end()
            if sequence["y"]:
                y, x = int(sequence["y"]), int(sequence["x"])
            elif sequence["right"]:
                x += int(sequence["right"])
    return "\n".join(seen)


def foreign(drawn: bytes) -> list[str]:
    """What in frames is neither text nor drawn by Textual, each with what stands around it."""
    try:
        text = drawn.decode()
    except UnicodeDecodeError as error:
        return [repr(drawn[max(0, error.start - 40) : error.end + 40])]
    found: list[str] = []
    done = 0
    for sequence in [*_DRAWN.finditer(text), None]:
        end = sequence.start() if sequence else len(text)
        if smuggled(text[done:end]):
            found.append(ascii(text[max(0, done - 20) : end + 20]))
        done = sequence.end() if sequence else end
    return found
