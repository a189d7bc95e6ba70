"""What may come over a channel that anyone can publish to: messages that are no events, and odd ones that are.

The classes follow the grammar of RFC 8259 (the `n_` and `y_` cases of JSONTestSuite are of the same kinds), then the
rules of an event.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from store.event import METADATA_MAX_DEPTH, Event
from store.wire import MESSAGE_MAX_BYTES, encode

_WHOLE = '{"event_type":"job.failed","metadata":{"x":%s}}'
_DEEP = 100_000


def _in_an_event(values: Iterable[str]) -> list[bytes]:
    """Each value, written as it is, in the place of a value of the metadata."""
    return [(_WHOLE % value).encode("utf-8", "surrogatepass") for value in values]


def _in_a_string(contents: Iterable[bytes]) -> list[bytes]:
    head, tail = (_WHOLE % '"%"').encode().split(b"%")
    return [head + content + tail for content in contents]


def _fields(*fields: str) -> list[bytes]:
    """A message for each: other fields than an event may have."""
    return [f"{{{field}}}".encode() for field in fields]


def _with_type(*fields: str) -> list[bytes]:
    return _fields(*(f'"event_type":"job.failed",{field}' for field in fields))


def _nested(levels: int, opening: str = '{"a":', closing: str = "}") -> str:
    return opening * levels + "1" + closing * levels


def _announced(*changes: tuple[str, str]) -> list[bytes]:
    """Messages as a producer writes them, each with one text in the place of another."""
    event = Event(event_type="job.failed", actor_id="ACTOR", metadata={"x": "VALUE"}, position=7)
    message = encode(event, "PRODUCER").decode()
    assert all(message.count(old) == 1 for old, _ in changes), message
    return [message.replace(old, new).encode() for old, new in changes]


_GOOD = b'{"event_type":"job.failed","metadata":{"x":[1,"a"]}}'

REFUSED: dict[str, list[bytes]] = {
    "nothing": [b"", b" ", b"\n", b"\r\n", b"\t", b"\x00", b"\x00" * 1000],
    "other encodings": [
        _GOOD.decode().encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp500")
    ],
    "a mark of byte order": [b"\xef\xbb\xbf", b"\xef\xbb\xbf" + _GOOD, b"\xfe\xff", b"\xff\xfe"],
    "no object": [b"1", b'"x"', b"null", b"true", b"[]", b"[%b]" % _GOOD, b'"' + b"x" * 1000 + b'"'],
    "more than one": [_GOOD * 2, _GOOD + b"\n" + _GOOD, _GOOD + b",", _GOOD + b"}", _GOOD + b"\x00"],
    "something around it": [b")]}'\n" + _GOOD, _GOOD + b"#", _GOOD + b"x", b"\x1e" + _GOOD, b"(%b)" % _GOOD],
    "cut off": [_GOOD[:size] for size in range(1, len(_GOOD))],
    "numbers": _in_an_event(
        [
            "+1",
            "01",
            "-01",
            "-",
            "--1",
            "1.",
            ".5",
            "-.5",
            "1e",
            "1e+",
            "1eE2",
            "0x1F",
            "1_000",
            "1.5.2",
            "0e",
            "2.e3",
            "1a",
            "１",
            "++1",
            "0.e1",
            "1e1.5",
        ]
    ),
    "numbers that are none": _in_an_event(["NaN", "-NaN", "Infinity", "-Infinity", "inf", "nan", "-inf"]),
    "numbers beyond what is stored": _in_an_event(
        ["1e400", "-1e400", str(2**63), str(-(2**63) - 1), "9" * 5000, "1" + "0" * 100_000]
    ),
    "literals": _in_an_event(
        ["True", "tru", "nul", "None", "undefined", "TRUE", "nulll", "*", "", "truefalse"]
    ),
    "strings": _in_an_event(
        [
            "'x'",
            '"x',
            'x"',
            '"',
            r'"\"',
            r'"\x"',
            r'"\a"',
            r'"\u12"',
            r'"\u12G4"',
            r'"\U00000041"',
            r'"\""x"',
            '"a" "b"',
            "\u201cx\u201d",
            "`x`",
        ]
    ),
    "controls in a string": _in_a_string([bytes([code]) for code in range(0x20)]),
    "what no database takes": _in_an_event([r'"\u0000"', r'"a\u0000b"', r'{"\u0000":1}']),
    "halves of surrogate pairs": _in_an_event(
        [r'"\ud800"', r'"\udc00"', r'"\udc00\ud800"', r'"\ud800A"', r'"\ud800\u0041"', r'{"\ud83d":1}']
    ),
    "broken UTF-8": _in_a_string(
        [
            b"\xff",
            b"\xc0\xaf",
            b"\xe0\x80\xaf",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xf8\x88\x80\x80\x80",
            b"\xe2\x82",
            b"\x80",
            b"\xe9",
        ]
    ),
    "arrays": _in_an_event(
        [
            "[1",
            "1]",
            "[1,]",
            "[,1]",
            "[1,,2]",
            "[1 2]",
            "[1:2]",
            "[",
            "]",
            "[]]",
            '["a"',
            "[1;2]",
            "[,]",
            "[-]",
        ]
    ),
    "objects": _in_an_event(
        [
            "{",
            '{"a"}',
            '{"a":}',
            "{:1}",
            "{a:1}",
            "{1:1}",
            '{"a":1,}',
            '{,"a":1}',
            '{"a":1 "b":2}',
            '{"a":1,,"b":2}',
            '{"a"::1}',
            '{"a";1}',
            '{"a",1}',
            "{null:1}",
            "{'a':1}",
            '{"a":1]',
            "{[]:1}",
        ]
    ),
    "blanks that are none": _in_an_event(
        ["\x0c1", "\x0b1", "\xa01", "\u20601", "\ufeff1", "\u20281", "\x851"]
    ),
    "comments": _in_an_event(["/*c*/1", "1/*c*/", "1//c\n", "#c\n1", "--c\n1"]),
    "depth": [
        b"[" * _DEEP,
        b'{"a":' * (_DEEP // 3),
        (_WHOLE % ("[" * _DEEP)).encode(),
        (_WHOLE % _nested(_DEEP, "[", "]")).encode(),
        (_WHOLE % _nested(30_000)).encode(),
        (_WHOLE % _nested(METADATA_MAX_DEPTH)).encode(),
        (_WHOLE % _nested(METADATA_MAX_DEPTH, "[", "]")).encode(),
    ],
    "size": [
        (_WHOLE % ('"' + "x" * MESSAGE_MAX_BYTES + '"')).encode(),
        b" " * (MESSAGE_MAX_BYTES + 1),
        b"\x1b]0;" + b"A" * 2**20,
        (_WHOLE % ('"' + "x" * 70_000 + '"')).encode(),
        (_WHOLE % ('{"' + "k" * 70_000 + '":1}')).encode(),
    ],
    "types": _fields(
        '"metadata":{}',
        '"event_type":null',
        '"event_type":1',
        '"event_type":""',
        '"event_type":"Job.Failed"',
        '"event_type":"job failed"',
        '"event_type":"%s"' % ("a" * 129),
        '"event_type":["job.failed"]',
        '"Event_Type":"job.failed"',
    ),
    "fields": _with_type(
        '"id":"no"',
        '"id":"' + "0" * 31 + '"',
        '"id":""',
        '"severity":"fatal"',
        '"severity":2',
        '"actor_type":"robot"',
        '"actor_type":null',
        '"metadata":[]',
        '"metadata":"x"',
        '"metadata":null',
        '"inserted_at":"yesterday"',
        '"inserted_at":"2026-13-01T00:00:00Z"',
        '"inserted_at":"0000-01-01T00:00:00Z"',
        '"inserted_at":"10000-01-01T00:00:00Z"',
        '"position":"x"',
        '"sequence":-1',
        '"sequence":1.5',
        '"sequence":9223372036854775808',
        '"producer":""',
        '"producer":"%s"' % ("p" * 129),
        '"producer":{"a":1}',
    ),
    "what a producer does not write": _announced(
        ('"VALUE"', r'"\u0000"'),
        ('"VALUE"', r'"\ud800"'),
        ('"VALUE"', r'{"\udc00":1}'),
        ('"VALUE"', "NaN"),
        ('"VALUE"', "1e400"),
        ('"VALUE"', str(2**63)),
        ('"VALUE"', "[" * METADATA_MAX_DEPTH + "]" * METADATA_MAX_DEPTH),
        ("ACTOR", r"\u0000"),
        ("ACTOR", r"\udfff"),
        ("ACTOR", "x" * 1000),
        ('"inserted_at":"2', '"inserted_at":"-2'),
        ('"inserted_at":"2', '"inserted_at":"x'),
        ('"position":7', '"position":0'),
        ('"position":7', '"position":-1'),
        ('"position":7', '"position":9223372036854775808'),
        ('"sequence":0', '"sequence":-1'),
        ('"sequence":0', '"sequence":0.5'),
        ("PRODUCER", ""),
        ("PRODUCER", "p" * 129),
    ),
    "a terminal's language": [
        b"\x1b[2J\x1b[H",
        b"\x1b]0;root\x07",
        b"\x1bP+q544e\x1b\\",
        b"\x9b2J",
        b"\x07" * 10_000,
        b"\x1b" * 10_000,
        bytes(range(256)),
        b"\r\n" * 1000,
    ],
    "other protocols": [
        b"*1\r\n$4\r\nPING\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00.",
        b"\x82\xaaevent_type\xaajob.failed",
        b"<event/>",
        b"event_type: job.failed",
        b"event_type=job.failed",
    ],
}
"""Messages that are no events. Each is counted as malformed, and nothing else comes of it."""

ADMITTED: dict[str, list[bytes]] = {
    "blanks": [b" \t\r\n" + _GOOD + b" \t\r\n", b"\n" * 1000 + _GOOD],
    "escapes": [
        b'{"\\u0065vent_type":"job.failed"}',
        b'{"event_type":"job\\u002efailed"}',
        *_in_an_event([r'"\/\b\f\n\r\t\"\\"', r'"\ud83d\ude80"', r'"\u2028\ufeff\u202e"', r'"\uffff\ufffe"']),
    ],
    "characters as they are": _in_a_string(
        [b"\x7f", "\u2028\u2029".encode(), "\U0010ffff".encode(), "漢字 🚀".encode(), "\ufeff".encode()]
    ),
    "numbers": _in_an_event(
        ["-0", "0.0", "1E+2", "1e-400", "123e45", str(2**63 - 1), str(-(2**63)), "1.5e300"]
    ),
    "keys": [
        b'{"event_type":"job.failed","event_type":"job.failed"}',
        *_in_an_event(['{"":1}', '{"a":1,"a":2}', '{"%s":1}' % ("k" * 4000), "{}", "[]", "null", "false"]),
    ],
    "depth": _in_an_event(
        [_nested(METADATA_MAX_DEPTH - 2), _nested(METADATA_MAX_DEPTH - 2, "[", "]"), "[" * 20 + "]" * 20]
    ),
    "fields": _with_type(
        '"unknown":{"a":[1]}',
        '"severity":null',
        '"severity":"warning"',
        '"actor_type":"user","actor_id":null',
        '"schema_version":7',
        '"producer":"someone"',
        '"sequence":0',
    ),
}
"""Messages that are events, however odd. Each is shown, and marked as not stored."""


def damaged(chance: random.Random, count: int) -> list[bytes]:
    """Good messages that were cut, joined, filled with noise, or written over in places."""
    good = [payload for payloads in ADMITTED.values() for payload in payloads]
    bad = [payload for payloads in REFUSED.values() for payload in payloads if len(payload) < 2000]
    return [_damaged(chance, chance.choice(chance.choice([good, bad]))) for _ in range(count)]


def _damaged(chance: random.Random, message: bytes) -> bytes:
    mutable = bytearray(message)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(mutable) + 1)
        match chance.randrange(5):
            case 0:
                del mutable[at : at + chance.randrange(1, 20)]
            case 1:
                mutable[at:at] = chance.randbytes(chance.randrange(1, 8))
            case 2:
                mutable[at : at + 1] = chance.choice(
                    [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\x00"]
                )
            case 3:
                mutable += message
            case _:
                mutable[at:at] = chance.choice([b"\\u0000", b"\\ud800", b"1e999", b"null", b"\xef\xbb\xbf"])
    return bytes(mutable)
