"""Which rules hold: those that evtop comes with, and those of a file, read from the disk."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from monitor.errors import StartError
from monitor.health.reports import HEALTH_SUFFIX, health_query
from monitor.health.rule import Rule
from monitor.health.rules_file import FILE_MAX_CHARACTERS, RulesError, RuleSet, RulesText, read_rules

SHIPPED = Path(__file__).parent / "health" / "rules.toml"
SHIPPED_PLACE = "shipped"


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The rules that evtop comes with."""
    return read_rules((_shipped_text(),)).rules


def rules_with(file: Path | None) -> RuleSet:
    """The shipped rules, with what `file` adds, changes and takes out.

    Raises:
        RulesError: the file cannot be read, or something in it is wrong.
    """
    return read_rules((_shipped_text(), *(() if file is None else (_text_of(file),))))


def chosen_rules(file: Path) -> tuple[Rule, ...]:
    """The rules of `rules_with`.

    Raises:
        StartError: the file cannot be used; the one line names it, the place and the first thing that is wrong.
    """
    try:
        return rules_with(file).rules
    except RulesError as error:
        more = len(error.errors) - 1
        rest = f" (and {more} more; see evtop rules check)" if more else ""
        raise StartError(f"{error}{rest}") from None


def _shipped_text() -> RulesText:
    text = SHIPPED.read_text(encoding="utf-8")
    # What reports health in this process is what the shipped rules watch.
    return RulesText(SHIPPED_PLACE, text.replace(f"type:*{HEALTH_SUFFIX}", health_query()))


def _text_of(file: Path) -> RulesText:
    place = str(file)
    try:
        with file.open("rb") as stream:
            content = stream.read(4 * FILE_MAX_CHARACTERS + 1)
        return RulesText(place, content.decode())
    except OSError as error:
        raise RulesError([f"{place}: {error.strerror or type(error).__name__}"]) from None
    except ValueError as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise RulesError([f"{place}: {what}"]) from None
