"""Every sign that the console draws, in ASCII: at the last door, so that no widget can forget it."""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from monitor.text import cell_width

_SIGNS = {
    **dict(zip("●○◉◌◐", "*o@.%", strict=True)),  # states and links
    **dict(zip("✖▲▼✓∅▶◆", "x!v+0>*", strict=True)),  # severities, alerts and marks
    **dict(zip("▾▸←→↑↓↵", "v><>^v$", strict=True)),  # folds, arrows, line ends
    **dict(zip("·…–—−≈×≤≥›", ".~---~x<>>", strict=True)),  # punctuation and arithmetic
    **dict(zip("▁▂▃▄▅▆▇█", ".:-=+*%#", strict=True)),  # bars, by how dark they look
    **dict(zip("“”‘’\xa0", "\"\"'' ", strict=True)),
    "🔎": "/ ",  # the command palette
}
_EDGES = {
    "-": "─╌┄┈╴╶",
    "|": "│╎┆┊╵╷▏▎▕",
    "=": "━═╍┅┉╸╺",
    # The frame of the pane that has the focus.
    "#": "┃║╏┇┋╹╻┏┓┗┛╔╗╚╝┣┫┳┻╋╠╣╦╩╬▌▐▍▋▊▉▀▔▛▜▙▟▖▗▘▝▚▞░▒▓",
    "+": "╭╮╰╯┌┐└┘├┤┬┴┼",
}
ASCII_SIGNS = str.maketrans(
    {
        **_SIGNS,
        **{sign: plain for plain, signs in _EDGES.items() for sign in signs},
        # Points of a line, by how many there are.
        **{chr(0x2800 + dots): " .:+*#"[min(5, (dots.bit_count() + 1) // 2)] for dots in range(256)},
        # Pictures of control characters: that there was one is said by the style, too.
        **dict.fromkeys(map(chr, range(0x2400, 0x2425)), "?"),
    }
)
"""One cell for one cell, so that nothing moves."""


class AsciiFilter(LineFilter):
    """Draws our signs in ASCII. Event text stays as it is as far as `encoding` has its characters, else it is `?`."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return `segments` in as many cells."""
        if all(segment.text.isascii() for segment in segments):
            return segments
        return [
            segment
            if segment.control or segment.text.isascii()
            else Segment(in_ascii(segment.text, self._encoding), segment.style)
            for segment in segments
        ]


@lru_cache(4096)
def in_ascii(text: str, encoding: str) -> str:
    """`text` with our signs in ASCII, and with `?` for each cell that `encoding` has no character for."""
    plain = text.translate(ASCII_SIGNS)
    try:
        plain.encode(encoding)
    except UnicodeEncodeError:
        return "".join(
            character if _has(encoding, character) else "?" * cell_width(character) for character in plain
        )
    return plain


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
