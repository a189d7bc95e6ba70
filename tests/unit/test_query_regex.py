"""What is sure to be in a text that a regular expression finds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.query import QueryError
from store.query.regex import required_text, searcher


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("timed out", "timed out"),
        ("timed.*out", "timed"),
        ("^a+bc?d$", "a"),
        ("ab*c", "a"),
        (r"a\.b\/c", "a.b/c"),
        (r"\bfail\b\d+", "fail"),
        ("x(yyyy|z)abc", "abc"),
        ("(?i)abc", "abc"),
        ("[abcd]ef[^]gh]i", "ef"),
        ("[[:alpha:]x]yz", "yz"),
        ("ab{2,3}cd", "cd"),
        ("abc|d", ""),
        ("a.b|c", ""),
        (r"a\Q|bcd", ""),
        (r"ab\x{41}", ""),
        ("éa", "a"),
        (".", ""),
    ],
)
def test_the_longest_text_that_is_sure_to_be_there(pattern: str, text: str) -> None:
    assert required_text(pattern) == text


PIECES = [
    *"abkKsS.*+?()|^$[]{}-,1é\u212aſ",
    r"\.",
    r"\d",
    r"\x",
    "[^a]",
    "[]a]",
    "(?:",
    "(?i)",
    "(?-i)",
    "{2}",
]
PATTERNS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)
TEXTS = st.lists(st.text("abkKsS.-,1é\u212aſ\n", max_size=8), min_size=1, max_size=8)


@settings(derandomize=True, max_examples=1500, deadline=None)
@given(PATTERNS, TEXTS)
def test_whatever_is_found_has_the_text_that_is_sure(pattern: str, texts: list[str]) -> None:
    try:
        search = searcher(pattern)
    except QueryError:
        return
    for text in texts:
        for asked in (text, text.casefold()):
            if search(asked):
                assert required_text(pattern).casefold() in asked.casefold()


def test_what_would_backtrack_for_ever_elsewhere_is_answered() -> None:
    assert not searcher("(x+x+)+y")("x" * 60_000)
    assert searcher("(a*)*b")("a" * 60_000 + "b")
