"""The single door for event text: everything of an event that reaches the terminal passes through here once.

Text is cleaned by replacing characters, never by parsing escape sequences: a filter with a state machine
can be led astray (CVE-2022-46663), a table of characters cannot.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from wcwidth import iter_graphemes, wcswidth, wcwidth

MEASURED_MAX = 4096
"""Characters of a text that are measured; no row shows more, and hostile text must not cost more."""
ROW_MAX = 4096
"""Cells of a row, wherever it is written: one event must not fill a terminal that wraps its lines."""
MARKS_MAX = 8
"""Combining marks kept on one base character; terminals have crashed on more (CVE-2021-27135)."""
JOINERS_MAX = 3
"""Joiners kept in one emoji; the longest emoji of Unicode's own list has three."""

NEWLINE_MARK = "↵"
SUBSTITUTE = re.compile(
    r"[␀-␟␡↵]|\\x[89a][0-9a-f]|\\u[0-9a-f]{4}|\\U00(?:0[0-9a-f]|10)[0-9a-f]{4}|\{\+\d+ marks\}"
)
"""Matches what `clean` puts in place of a character, so that a widget can set it off in its own style.

Event text may contain the same characters in earnest: the style says "look twice", not "was replaced".
"""
_APART = re.compile(f"((?:{SUBSTITUTE.pattern})+)")
_MAY_BEGIN_ONE = re.compile(r"[␀-␡↵\\{]")

_PLAIN = re.compile(
    "["
    " -~\xa0-\xac\xae-\u02ff"  # Latin
    "\u0391-\u03a1\u03a3-\u0482\u048a-\u052f"  # Greek, Cyrillic
    "\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2100-\u218b"  # punctuation, currencies, letterlike
    "\u2190-\u2426\u2460-\u2b73"  # arrows, technical, boxes, symbols
    "\u3000-\u3029\u3041-\u3096\u30a1-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff9d"  # CJK
    "\U0001f300-\U0001f3fa\U0001f400-\U0001f64f"  # pictographs
    "]*"
)
"""Text that is clean whatever its order: the common case, answered without looking at single characters."""

_LOOKS_EMPTY = frozenset([0x115F, 0x1160, 0x3164, 0xFFA0])
"""Letters drawn as nothing (the Hangul fillers)."""
_DEFAULT_IGNORABLE_MARKS = frozenset(
    [
        0x034F,
        0x17B4,
        0x17B5,
        *range(0x180B, 0x180E),
        0x180F,
        *range(0xFE00, 0xFE0F),
        *range(0xE0100, 0xE01F0),
    ]
)
"""Marks that draw nothing: variation selectors and the grapheme joiner, in which whole messages can hide."""
_ZWJ, _VS16, _KEYCAP = 0x200D, 0xFE0F, 0x20E3
_NO_BASE = "◌"
_PICTOGRAPH = "😀"


class _Kinds(dict[int, str]):
    """One letter for each code point, by what it does to the text around it; learned as they are met.

    `p` plain, `e` emoji, `x` a symbol that becomes an emoji by U+FE0F, `s` skin tone, `d` base of a keycap,
    `k` the keycap, `m` any other combining mark, `v` U+FE0F, `j` the zero-width joiner, `n` LF, `r` CR,
    `t` tab, `h` everything that hides, moves or commands.
    """

    _KEPT_MAX = 8192

    def __missing__(self, code_point: int) -> str:
        kind = _kind(code_point)
        if len(self) < self._KEPT_MAX:
            self[code_point] = kind
        return kind


def _kind(code_point: int) -> str:
    character = chr(code_point)
    category = unicodedata.category(character)
    if category[0] == "M":
        return "h" if code_point in _DEFAULT_IGNORABLE_MARKS else "m"
    if category == "Zs":
        return "p"
    width = wcwidth(character)
    if category == "Cn":
        # Emoji and ideographs newer than this Python are wide; of any other unassigned one the width is a guess.
        if width != 2:
            return "h"
    elif category[0] in "CZ" or width < 0 or code_point in _LOOKS_EMPTY:
        return "h"
    if width == 0:
        return "m"
    if wcswidth(character + chr(_VS16)) == 2 and _joins(character):
        return "e" if width == 2 else "x"
    return "p"


def _joins(character: str) -> bool:
    return sum(1 for _ in iter_graphemes(character + chr(_ZWJ) + _PICTOGRAPH)) == 1


_KINDS = _Kinds(
    {
        **dict.fromkeys(map(ord, "0123456789#*"), "d"),
        **dict.fromkeys(range(0x1F3FB, 0x1F400), "s"),
        _KEYCAP: "k",
        _VS16: "v",
        _ZWJ: "j",
        0x0A: "n",
        0x0D: "r",
        0x09: "t",
    }
)

_PASSAGE = re.compile(
    rf"""
      (?P<kept> (?:e[vs]?|x[vs]) (?:j(?:e[vs]?|x[vs]?)){{1,{JOINERS_MAX}}} | [ex]v | dv(?=k) )
    | (?P<newline> r?n )
    | (?P<tab> t )
    | (?P<excess> (?<=[mk]{{{MARKS_MAX}}})[mk]+ )
    | (?P<baseless> \A[mk] )
    | (?P<hidden> [hjrv] )
    """,
    re.VERBOSE,
)
"""Over the kinds of a text, the passages that `clean` must look at."""


def clean(text: str) -> str:
    """Return `text` fit for one line of a terminal: nothing in it hides, moves or commands.

    Control characters become their pictures (`␛`), C1 controls and everything invisible their escape
    (`\\x9b`, `\\u202e`), a newline one `↵`, a tab one space. Emoji stay whole; combining marks beyond
    `MARKS_MAX` on one base become their number; a mark at the start, which would land on whatever stands
    before, gets a dotted circle to stand on. Cleaning twice gives the same as cleaning once.
    """
    if _PLAIN.fullmatch(text):
        return text
    pieces: list[str] = []
    done = 0
    for passage in _PASSAGE.finditer(text.translate(_KINDS)):
        start, end = passage.span()
        replacement = _replacement(passage.lastgroup, text[start:end])
        pieces += (text[done:start], replacement)
        done = end
    if not pieces:
        return text
    pieces.append(text[done:])
    return "".join(pieces)


def clean_row(text: str) -> str:
    """Return `text` cleaned, in at most `ROW_MAX` cells; `…` shows that there was more."""
    return fit(clean(text), ROW_MAX, pad=False)


def split_substitutes(text: str) -> list[str]:
    """Split cleaned text into what is not substituted, at even places, and runs of substitutes, at odd ones."""
    return _APART.split(text) if _MAY_BEGIN_ONE.search(text) else [text]


def _replacement(what: str | None, passage: str) -> str:
    match what:
        case "newline":
            return NEWLINE_MARK
        case "tab":
            return " "
        case "excess":
            return f"{{+{len(passage)} marks}}"
        case "baseless":
            return _NO_BASE + passage
        case "hidden":
            return _visible(ord(passage))
        case _:
            return passage


def _visible(code_point: int) -> str:
    if code_point < 0x20:
        return chr(0x2400 + code_point)
    if code_point == 0x7F:
        return "␡"
    if code_point < 0x100:
        return f"\\x{code_point:02x}"
    return f"\\u{code_point:04x}" if code_point < 0x10000 else f"\\U{code_point:08x}"


_LINE_END = re.compile(r"\r?\n")


def clean_lines(text: str, tab: int = 4) -> list[str]:
    """Return the cleaned lines of `text`, at least one, with tabs expanded to stops every `tab` cells.

    Only LF and CRLF end a line. Whatever else some programs break lines at (U+0085, U+2028, a lone CR)
    stays inside its line as a mark, or a text could forge lines.
    """
    return [_expand(line, tab) for line in _LINE_END.split(text)]


def _expand(line: str, tab: int) -> str:
    first, *rest = line.split("\t")
    expanded = clean(first)
    column = cell_width(expanded)
    for part in rest:
        gap = tab - column % tab
        piece = clean(part)
        expanded += " " * gap + piece
        column += gap + cell_width(piece)
    return expanded


def cell_width(text: str) -> int:
    """Return how many terminal cells cleaned text takes; only the first `MEASURED_MAX` characters count."""
    if text.isascii():
        return min(len(text), MEASURED_MAX)
    return max(0, wcswidth(text[:MEASURED_MAX]))


def fit(
    text: str,
    width: int,
    ellipsis: str = "…",
    *,
    pad: bool = True,
    align: Literal["left", "right"] = "left",
) -> str:
    """Return cleaned `text` in exactly `width` cells, or in at most as many without `pad`.

    What does not fit is cut at the end, between graphemes, and `ellipsis` shows it, if there is room for that.
    A cut through a wide character leaves a blank. `align` says at which side the text stands when padded.
    """
    if width <= 0:
        return ""
    if text.isascii():
        used = len(text)
        shown = text
        if used > width:
            shown, used = _cut(text[:width], width, ellipsis)
    else:
        used = cell_width(text)
        shown = text
        if used > width or len(text) > MEASURED_MAX:
            shown, used = _cut(text[:MEASURED_MAX], width, ellipsis)
    if not pad or used == width:
        return shown
    blank = " " * (width - used)
    return shown + blank if align == "left" else blank + shown


def _cut(text: str, width: int, ellipsis: str) -> tuple[str, int]:
    """Cut `text` so that it and `ellipsis` take at most `width` cells; return both, and the cells taken."""
    room = width - cell_width(ellipsis)
    if room < 0:
        ellipsis, room = "", width
    head = text[:room]
    # One cell a character, and none joined to the next: the cut needs no search.
    if _PLAIN.fullmatch(text[: room + 1]) and cell_width(head) == room:
        return head + ellipsis, width
    kept: list[str] = []
    for grapheme in iter_graphemes(text):
        room -= cell_width(grapheme)
        if room < 0:
            break
        kept.append(grapheme)
    while True:
        shown = "".join(kept) + ellipsis
        # In some scripts two graphemes together are wider than one by one.
        if (used := cell_width(shown)) <= width:
            return shown, used
        kept.pop()
