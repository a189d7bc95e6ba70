"""What a hostile sender may write where an application writes text: payloads by class, a few of each."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.text import clean_lines

CLASSES: dict[str, tuple[str, ...]] = {
    "move and erase": ("\x1b[2J", "\x1b[H", "\x1b[3J", "\x1b[001;001H", "\x1b[9A", "\x1b[2K"),
    "colour and conceal": ("\x1b[8m", "\x1b[31m", "\x1b[38:2:255:0:0m", "\x1b[5;7m"),
    "private modes": ("\x1b[?1049l", "\x1b[?25l", "\x1b[?1003h", "\x1b[?2026h", "\x1b[?2004h", "\x1b[>1u"),
    "reports": ("\x1b[6n", "\x1b[c", "\x1b[>0q", "\x1b[21t", "\x1b[?1$p", "\x05"),
    "title": ("\x1b]0;root\x07", "\x1b]1;root\x1b\\", "\x1b]2;root\x9c"),
    "colours of the terminal": ("\x1b]4;1;?\x07", "\x1b]10;?\x07", "\x1b]11;#fff\x07", "\x1b]104\x07"),
    "folder": ("\x1b]7;file:///etc\x1b\\",),
    "link": (
        "\x1b]8;;http://x.example\x07ok\x1b]8;;\x07",
        "\x1b]8;;http://x.example\x1b\\http://y.example\x1b]8;;\x1b\\",
        "\x1b]8;id=1;http://x.example\x07",
    ),
    "notification": (
        "\x1b]9;hello\x07",
        "\x1b]99;;hello\x1b\\",
        "\x1b]777;notify;a;b\x07",
        "\x1b]9;7;cmd\x07",
    ),
    "font": ("\x1b]50;#1\x07",),
    "clipboard": ("\x1b]52;c;cm0gLXJm\x07", "\x1b]52;c;?\x07", "\x1b]52;p;cm0gLXJm\x1b\\"),
    "shell integration": ("\x1b]133;A\x07", "\x1b]633;P;Cwd=/\x07", "\x1b]1337;File=:AA\x07"),
    "device control": (
        "\x1bP$qm\x1b\\",
        "\x1bP+q544e\x1b\\",
        "\x1bPtmux;\x1b\x1b[2J\x1b\\",
        "\x1bPq#0~~\x1b\\",
        "\x1bP1000p",
    ),
    "application command": ("\x1b_Ga=T;AAAA\x1b\\", "\x1b^secret\x1b\\", "\x1bXsecret\x1b\\"),
    "reset and character sets": ("\x1bc", "\x1b#8", "\x1b(0", "\x0e", "\x0f", "\x1b[!p", "\x1bG"),
    "controls of one character": ("\x9b2J", "\x9d0;root\x9c", "\x90q\x9c", "\x85", "\x84", "\x8d"),
    "unfinished and nested": ("\x1b]0;", "\x1bP", "\x1b[", "\x1b", "\x1b\x1b[31m", "\x1b]8;;\x1b0m\x1b[>0q"),
    "characters that move": ("ok\rno", "ab\b\b\bno", "\x0b", "\x0c", "\x07", "\x7f", "\x11\x13", "\x1a\x04"),
    "repetition": ("x\x1b[2147483647b", "\x1b[99999999999999999999C", "\x1b[" + "1;" * 40 + "m"),
    "direction": (
        "\u202etxt.exe",
        "\u202a\u202b\u202c\u202d",
        "\u2066a\u2067b\u2068c\u2069",
        "\u200e\u200f\u061c",
    ),
    "invisible": (
        "\u200b\u200c\u2060",
        "\ufeff",
        "a\U000e0041\U000e007f",
        "a\ufe00\U000e0101",
        "\xad\u3164\u034f",
    ),
    "marks and wide characters": (
        "e" + "\u0301" * 40,
        "\u0338",
        "👨\u200d👩\u200d👧",
        "a\u200db",
        "🇩🇪🇫🇷",
        "漢字",
        "ᄀ" + "ᅡ" * 12,
        "ﷺ",
    ),
    "lookalikes": ("pаypal", "аdmin"),
    "lines": ("a\nb", "a\r\nb", "a\x85b", "a\u2028b\u2029c", "a\x1cb\x1dc\x1ed"),
    "markup": (
        "[/b]",
        "[IMPORTANT]",
        "[0]",
        "[@click=app.quit]x[/]",
        "[link='http://x.example']x[/link]",
        "[type=x, v={'a[0]'}]",
        "[red]x[/red]\\",
        "$primary",
    ),
    "formats": ("%s %n %(x)s", "{0} {x.__class__}", "${HOME} `id`", "ok\nevtop: forged line"),
    "formulas": ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", '",=1', "＝1"),
    "queries": ("%_\\", '" * NEAR', "(a+)+$", "' OR 1=1 --"),
    "objects": ("__proto__", "1e400", "NaN", '{"a":1,"a":2}', "\\u001b[2J"),
    "paths": ("../../etc/passwd", "-rf", "$(id)", "~root"),
}
"""Payloads by class. What an application may keep is shown as text; a terminal must never see the characters."""

LONG: dict[str, str] = {
    "title without an end": "\x1b]0;" + "A" * 50_000,
    "device control without an end": "\x1bP" + "q" * 50_000,
    "bells": "\x07" * 10_000,
    "backspaces": "ok" + "\b" * 10_000,
    "marks": "e" + "\u0301" * 10_000,
    "escapes": "\x1b" * 10_000,
    "lines": "a\n" * 2_000,
    "one word": "漢" * 15_000,
}
"""Payloads that hurt by their length; each fits into the metadata of an event."""

REFUSED: dict[str, bytes] = {
    "U+0000": b'{"event_type":"a.b","status":"a\\u0000b"}',
    "half of a surrogate pair": b'{"event_type":"a.b","actor_id":"\\ud800"}',
    "controls of one byte": b'{"event_type":"a.b","status":"\x9b2J\x9d0;root\x9c\x90q"}',
    "a control that JSON forbids": b'{"event_type":"a.b","status":"\x1b[2J"}',
    "no JSON": b"\x1b]0;root\x07\x1b[2J",
    "another encoding": '{"event_type":"a.b"}'.encode("utf-16"),
    "a mark of byte order": b'\xef\xbb\xbf{"event_type":"a.b"}',
    "a hostile type": b'{"event_type":"a.b\\u001b[2J"}',
    "a hostile severity": b'{"event_type":"a.b","severity":"\\u001b]0;root\\u0007"}',
    "a hostile id": b'{"event_type":"a.b","id":"\\u001b[2J"}',
    "NaN": b'{"event_type":"a.b","metadata":{"x":NaN}}',
    "a number without an end": b'{"event_type":"a.b","metadata":{"x":' + b"9" * 100_000 + b"}}",
    "beyond 64 bits": b'{"event_type":"a.b","metadata":{"x":1e400}}',
    "too deep": b'{"event_type":"a.b","metadata":{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}}",
    "too large": b'{"event_type":"a.b","metadata":{"x":"' + b"\x1b]0;" + b"A" * 2**20 + b'"}}',
    "nothing": b"",
}
"""Messages that are no events, whatever stands in them: they are counted, and nothing of them is shown."""


@dataclass(frozen=True)
class Payload:
    """A payload with its name, and a tag that stands before it, followed by a letter for the place."""

    name: str
    text: str
    tag: str

    def at(self, place: str, limit: int = 255) -> str:
        """What is written in a place: `q001m`, then the payload."""
        return f"{self.tag}{place}{self.text}"[:limit]

    def seen(self, place: str, limit: int = 255) -> str:
        """The beginning of it, as it must stand on the screen."""
        return clean_lines(self.at(place, limit))[0][:8].rstrip()


PAYLOADS = [
    Payload(name, text, f"q{number:03}")
    for number, (name, text) in enumerate((name, text) for name, texts in CLASSES.items() for text in texts)
]

HOSTILE = "q\x1b]0;root\x07\x1b[2J\x9b2J\u202e\r[@click=quit]"
"""Some of it in one short text, and what must be seen of that."""
EXPECTED = "q␛]0;root␇␛[2J\\x9b2J\\u202e␍[@click=quit]"
