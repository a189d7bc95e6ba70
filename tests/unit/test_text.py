from __future__ import annotations

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wcwidth import iter_graphemes, wcswidth

from monitor.text import (
    MARKS_MAX,
    MEASURED_MAX,
    ROW_MAX,
    SUBSTITUTE,
    cell_width,
    clean,
    clean_lines,
    clean_row,
    fit,
    split_substitutes,
)
from tests.terminal_output import smuggled

FAMILY = "👨‍👩‍👧‍👦"
RAINBOW = "\U0001f3f3\ufe0f\u200d\U0001f308"
KISS = "\U0001f469\U0001f3fb\u200d\u2764\ufe0f\u200d\U0001f48b\u200d\U0001f468\U0001f3fd"
TRICKY = [
    *map(chr, (*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x11A8, 0x1161, 0x1100)),
    *map(chr, (*range(0x2000, 0x2010), *range(0x2028, 0x2030), *range(0x2060, 0x2070), 0x3164, 0xFEFF)),
    *map(chr, (0xFE00, 0xFE0E, 0xFE0F, 0xE0001, 0xE0041, 0xE0100, 0xD800, 0xDFFF, 0xE000, 0xFDD0, 0xFFFE)),
    *map(chr, (0x301, 0x20E3, 0x93F, 0x94D, 0x915, 0x937, 0xE31, 0xE2A, 0x4E00, 0xAC00, 0xFF9E, 0x1F1E9)),
    *map(chr, (0x1F600, 0x1F468, 0x1F3FD, 0x2764, 0x2642, 0x261D, 0xA9, 0x25AA, 0x2605, 0x1FAE8, 0x2FFFE)),
    "\r\n",
    "\u0301" * (MARKS_MAX + 1),
    FAMILY,
    RAINBOW,
    KISS,
    "1\ufe0f\u20e3",
]
hostile_text = st.lists(
    st.one_of(
        st.sampled_from(TRICKY),
        st.characters(),
        st.characters(exclude_categories=()),
        st.sampled_from(["a", "b", "1", "#", "é", "漢", " ", "e\u0301", "😀"]),
    )
).map("".join)


# One row a payload class: what an application may record, and what the operator is to see of it.
PAYLOADS = {
    "CSI erase and home": ("\x1b[2J\x1b[H\x1b[3J", "␛[2J␛[H␛[3J"),
    "SGR": ("\x1b[8mhidden\x1b[38:2:255:0:0m", "␛[8mhidden␛[38:2:255:0:0m"),
    "private modes": ("\x1b[?1049l\x1b[?25l\x1b[?1003h\x1b[?2026h", "␛[?1049l␛[?25l␛[?1003h␛[?2026h"),
    "reports": ("\x1b[6n\x1b[c\x1b[>0q\x1b[21t\x1b[?1$p", "␛[6n␛[c␛[>0q␛[21t␛[?1$p"),
    "OSC title": ("\x1b]0;root\x07\x1b]2;x\x1b\\", "␛]0;root␇␛]2;x␛\\"),
    "OSC colours": ("\x1b]4;1;?\x07\x1b]10;?\x07\x1b]11;?\x07\x1b]104\x07", "␛]4;1;?␇␛]10;?␇␛]11;?␇␛]104␇"),
    "OSC 7 folder": ("\x1b]7;file:///\x1b\\", "␛]7;file:///␛\\"),
    "OSC 8 link": ("\x1b]8;;http://evil\x07good\x1b]8;;\x07", "␛]8;;http://evil␇good␛]8;;␇"),
    "OSC notify and run": ("\x1b]9;7;rm\x07\x1b]777;notify;a\x1b\\", "␛]9;7;rm␇␛]777;notify;a␛\\"),
    "OSC 50 font": ("\x1b]50;#1\x07", "␛]50;#1␇"),
    "OSC 52 clipboard": ("\x1b]52;c;cm0gLXJm\x07\x1b]52;c;?\x07", "␛]52;c;cm0gLXJm␇␛]52;c;?␇"),
    "OSC 1337": ("\x1b]1337;File=:AA\x07\x1b]133;A\x07", "␛]1337;File=:AA␇␛]133;A␇"),
    "DCS": ("\x1bP$qm\x1b\\\x1bP+q544e\x1b\\\x1bPtmux;\x1b\\", "␛P$qm␛\\␛P+q544e␛\\␛Ptmux;␛\\"),
    "tmux control mode": ("\x1bP1000p", "␛P1000p"),
    "APC, PM, SOS": ("\x1b_Ga=T;AA\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\", "␛_Ga=T;AA␛\\␛^x␛\\␛Xx␛\\"),
    "reset, alignment, charset": ("\x1bc\x1b#8\x1b(0\x0e\x0f", "␛c␛#8␛(0␎␏"),
    "C1": ("\x9b2J\x9d0;x\x9c\x90q\x85", "\\x9b2J\\x9d0;x\\x9c\\x90q\\x85"),
    "raw C1 bytes": (b"\x9b2J".decode(errors="surrogateescape"), "\\udc9b2J"),
    "nested escape": ("\x1b\x1b[31m", "␛␛[31m"),
    "less, CVE-2022-46663": ("\x1b]8;;\x1b0m\x1b[>0q", "␛]8;;␛0m␛[>0q"),
    "carriage return": ("ok\rfailed", "ok␍failed"),
    "C0": ("\x00\x07\x08\x0b\x0c\x11\x13\x7f", "␀␇␈␋␌␑␓␡"),
    "repeat": ("a\x1b[2147483647b", "a␛[2147483647b"),
    "bidi": ("\u202etxt.exe\u2066\u200f\u061c", "\\u202etxt.exe\\u2066\\u200f\\u061c"),
    "zero width": ("pay\u200bpal\ufeff\u2060\u200c\u200d", "pay\\u200bpal\\ufeff\\u2060\\u200c\\u200d"),
    "tag characters": ("a\U000e0041\U000e007f", "a\\U000e0041\\U000e007f"),
    "variation selectors": ("a\ufe00\U000e0101\ufe0f", "a\\ufe00\\U000e0101\\ufe0f"),
    "soft hyphen and fillers": ("a\xad\u3164\u115f\u034f", "a\\xad\\u3164\\u115f\\u034f"),
    "zalgo": ("e" + "\u0301" * 1000 + "x", "e" + "\u0301" * 8 + "{+992 marks}x"),
    "mark without a base": ("\u0338ok", "◌\u0338ok"),
    "wide, combining, Indic": ("漢字 Å é क्षत्रिय สวัสดี", "漢字 Å é क्षत्रिय สวัสดี"),
    "homoglyph": ("pаypal", "pаypal"),
    "line breaks": ("a\nb\r\nc\x85d\u2028e\u2029f\x1cg", "a↵b↵c\\x85d\\u2028e\\u2029f␜g"),
    "tab": ("a\tb", "a b"),
    "surrogates": ("\ud800x\udfff", "\\ud800x\\udfff"),
    "private use and noncharacters": ("\ue000\ufdd0\uffff", "\\ue000\\ufdd0\\uffff"),
    "unassigned": ("\u0378", "\\u0378"),
    "markup is left to the widget": (
        "[/b][IMPORTANT][@click=app.quit]x\\",
        "[/b][IMPORTANT][@click=app.quit]x\\",
    ),
    "format strings": ("%s %n {0} {x.__class__}", "%s %n {0} {x.__class__}"),
    "formula": ("=1+1 ＝2", "=1+1 ＝2"),
}


@pytest.mark.parametrize(("payload", "shown"), PAYLOADS.values(), ids=PAYLOADS)
def test_each_payload_class_is_shown_instead_of_obeyed(payload: str, shown: str) -> None:
    assert clean(payload) == shown
    assert smuggled(clean(payload)) == []


@pytest.mark.parametrize(
    "emoji",
    [FAMILY, RAINBOW, KISS, "❤️", "👍🏽", "🏃‍♂️", "🏃‍♂", "1️⃣", "🇩🇪", "😀", "☝🏽"],
)
def test_emoji_stay_whole(emoji: str) -> None:
    assert clean(emoji) == emoji
    assert clean(f"a{emoji}b") == f"a{emoji}b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("😀\u200d", "😀\\u200d"),
        ("\u200d😀", "\\u200d😀"),
        ("a\u200d😀", "a\\u200d😀"),
        ("😀\u200d\u200d😀", "😀\\u200d\\u200d😀"),
        ("▪\u200d▪", "▪\\u200d▪"),
        ("★\ufe0f", "★\\ufe0f"),
        ("1\ufe0f", "1\\ufe0f"),
        ("❤\ufe0f\ufe0f", "❤\ufe0f\\ufe0f"),
        ("⌚\ufe0e", "⌚\\ufe0e"),
    ],
)
def test_joiners_and_selectors_outside_an_emoji_are_shown(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_chain_of_joiners_longer_than_any_emoji_is_broken() -> None:
    assert clean("\u200d".join("😀" * 5)) == "\u200d".join("😀" * 4) + "\\u200d😀"


def test_as_many_marks_as_the_limit_are_kept() -> None:
    text = "e" + "\u0301" * MARKS_MAX + "a" + "\u0327" * MARKS_MAX
    assert clean(text) == text


def test_a_megabyte_of_an_unterminated_sequence_is_shown_in_full() -> None:
    assert clean("\x1b]0;" + "A" * 2**20) == "␛]0;" + "A" * 2**20


def test_every_character_is_safe_alone_and_what_replaces_it_is_recognised() -> None:
    for code_point in range(sys.maxunicode + 1):
        character = chr(code_point)
        shown = clean(character)
        if shown == character:
            assert not smuggled(shown), hex(code_point)
            assert cell_width(shown) > 0, hex(code_point)
        elif character == "\t":
            assert shown == " "
        elif shown == "◌" + character:
            assert cell_width(shown) >= 1, hex(code_point)
        else:
            assert SUBSTITUTE.fullmatch(shown), hex(code_point)


@given(hostile_text)
@example("\r\r\n\n")
@example("0\u200d\ufe0f\u20e3")
def test_cleaning_again_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(hostile_text)
def test_nothing_that_hides_moves_or_commands_is_left(text: str) -> None:
    shown = clean(text)
    assert smuggled(shown) == []
    assert wcswidth(shown) >= 0


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_ascii_is_returned_as_it_is(text: str) -> None:
    assert clean(text) is text


def test_only_lf_and_crlf_end_a_line() -> None:
    assert clean_lines("a\nb\r\nc\rd\x85e\u2028f\x1cg\x0bh\n") == [
        "a",
        "b",
        "c␍d\\x85e\\u2028f␜g␋h",
        "",
    ]


def test_a_text_without_lines_is_one_line() -> None:
    assert clean_lines("") == [""]


def test_tabs_reach_the_next_stop_counted_in_cells() -> None:
    assert clean_lines("a\tb\t\tc\n漢\tx\n\x1b\ty") == ["a   b       c", "漢  x", "␛   y"]
    assert clean_lines("a\tb", tab=8) == ["a       b"]


@given(hostile_text)
def test_lines_are_clean_and_cleaning_them_again_changes_nothing(text: str) -> None:
    lines = clean_lines(text)
    assert clean_lines("\n".join(lines)) == lines
    assert all(clean(line) == line and not smuggled(line) for line in lines)


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("download.failed", 20, "download.failed     "),
        ("download.failed", 15, "download.failed"),
        ("download.failed", 9, "download…"),
        ("漢字漢字", 8, "漢字漢字"),
        ("漢字漢字", 7, "漢字漢…"),
        ("漢字漢字", 6, "漢字… "),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        (FAMILY + "abc", 4, FAMILY + "a…"),
        (FAMILY + "abc", 2, "… "),
        ("🇩🇪🇫🇷", 3, "🇩🇪…"),
        ("привет мир", 7, "привет…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("abc", -1, ""),
        ("", 3, "   "),
    ],
)
def test_text_is_fitted_to_cells(text: str, width: int, shown: str) -> None:
    assert fit(text, width) == shown


@pytest.mark.parametrize("width", range(1, 12))
def test_scripts_whose_graphemes_join_are_fitted_exactly(width: int) -> None:
    assert cell_width(fit("မြန်မာ" * 3, width)) == width
    assert cell_width(fit("क्षत्रिय" * 3, width)) == width


def test_fitting_without_padding_only_cuts() -> None:
    assert fit("abc", 5, pad=False) == "abc"
    assert fit("漢字漢字", 6, pad=False) == "漢字…"


def test_fitting_to_the_right_pads_on_the_left() -> None:
    assert fit("1,204", 8, align="right") == "   1,204"
    assert fit("漢字漢字", 6, align="right") == " 漢字…"


def test_an_ellipsis_without_room_is_left_out() -> None:
    assert fit("abcdef", 2, "...") == "ab"
    assert fit("abcdef", 4, "...") == "a..."
    assert fit("abcdef", 4, "") == "abcd"


@pytest.mark.parametrize("unit", ["x", "漢", "e\u0301", "\x1b", "\U000e0041", "😀", "\n"])
def test_a_row_has_four_thousand_cells_at_most_and_says_that_there_was_more(unit: str) -> None:
    short = unit * (ROW_MAX // cell_width(clean(unit)) // 2)
    assert clean_row(short) == clean(short)
    shown = clean_row(unit * 2 * ROW_MAX)
    assert shown.endswith("…")
    assert wcswidth(shown) <= ROW_MAX
    assert len(shown) <= MEASURED_MAX + 1


@given(hostile_text)
def test_substitutes_are_split_off_and_nothing_is_lost(text: str) -> None:
    shown = clean(text)
    pieces = split_substitutes(shown)
    assert "".join(pieces) == shown
    assert all(SUBSTITUTE.match(piece) and not SUBSTITUTE.sub("", piece) for piece in pieces[1::2])
    assert not any(SUBSTITUTE.search(piece) for piece in pieces[::2])


def test_text_beyond_what_is_measured_counts_as_cut() -> None:
    long = ("e" + "\u0301" * MARKS_MAX) * MEASURED_MAX
    shown = fit(long, 1000)
    assert shown.rstrip(" ").endswith("…")
    assert cell_width(shown) <= 1000
    assert len(shown) < MEASURED_MAX + 1000
    assert cell_width("x" * (MEASURED_MAX + 1)) == MEASURED_MAX


@given(
    hostile_text, st.integers(0, 30), st.sampled_from(["…", "...", ""]), st.sampled_from(["left", "right"])
)
def test_a_fitted_text_takes_exactly_its_cells(text: str, width: int, ellipsis: str, align: str) -> None:
    shown = fit(clean(text), width, ellipsis, align="right" if align == "right" else "left")
    assert wcswidth(shown) == width


@given(hostile_text, st.integers(1, 30))
def test_a_cut_text_is_a_run_of_whole_graphemes(text: str, width: int) -> None:
    whole = clean(text)
    shown = fit(whole, width, pad=False)
    assert cell_width(shown) <= width
    if shown != whole:
        kept = shown.removesuffix("…")
        graphemes = list(iter_graphemes(whole))
        assert any("".join(graphemes[:count]) == kept for count in range(len(graphemes) + 1))
