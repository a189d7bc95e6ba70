"""Keys out of the bytes of a terminal, where escape and the key after it come in one piece."""

from __future__ import annotations

from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.events import Key

ESCAPE = "\x1b"
_INTRODUCERS = "[O]PX^_"
"""What with escape before it begins the sequence of a key, or an answer of the terminal."""
_KEPT = ("\x1bb", "\x1bf", "\x1b\x7f", "\x1b\t", "\x1b\x1b")
"""Alt with `b`, `f` and backspace move and delete by words in an input; the others are keys of some terminals."""


class EscapeParser(XTermParser):
    """Takes escape and a key for these two, not for one key with Alt.

    Both are the same bytes. evtop has no key with Alt, since on a slow line what was typed one after the other comes
    at once; taken for Alt, `esc` and `/` would be `/` in a dialog that is still open. Where a terminal tells them apart
    (by the protocol of kitty), and of what is understood in an input, nothing changes.
    """

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[Key]:
        is_pair = len(sequence) == 2 and sequence[0] == ESCAPE and sequence not in _KEPT
        if alt or (is_pair and sequence[1] not in _INTRODUCERS):
            yield Key("escape", ESCAPE)
            sequence = sequence[-1]
        yield from super()._sequence_to_key_events(sequence)
