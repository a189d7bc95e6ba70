"""Rules as TOML: `[rules.NAME]` tables, read into rules, and whatever is wrong with them with its line.

Keys are read by the kind of the rule (`monitor.health.rule_keys`). What a later file says of a rule that an earlier one
has replaces that, key by key; with another kind, all of it. `disable = ["NAME"]` at the top takes rules out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from monitor.health.grouping import GROUP_FIELDS
from monitor.health.rule import Kind, Rule
from monitor.health.rule_keys import COMMON, KINDS, MistakeError, Reader
from monitor.health.title import known_names, names_in
from store.event_filter import EventFilter
from store.taxonomy import nearest, quoted
from store.toml_lines import entry_lines, line_of

FILE_MAX_CHARACTERS = 1024 * 1024
RULES_MAX = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TOP = ("rules", "disable")


class RulesError(Exception):
    """Rules that cannot be used. `errors` are all that is wrong, `FILE:LINE: what` each; the text is the first."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__(self.errors[0])


@dataclass(frozen=True, slots=True)
class RulesText:
    """A file: where it is, as errors name it, and what it says."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules, in the order they were first named; `origins` says by name which file said something last."""

    rules: tuple[Rule, ...]
    origins: Mapping[str, str]
    disabled: tuple[str, ...] = ()


def read_rules(files: Iterable[RulesText]) -> RuleSet:
    """The rules of `files`, a later one adding to those before it.

    Raises:
        RulesError: something is wrong in one of them.
    """
    errors: list[str] = []
    tables: dict[str, _RuleTable] = {}
    disabled: dict[str, None] = {}
    for text in files:
        file = _File(text, errors)
        for name, values in file.rules():
            tables[name] = _RuleTable(name, values, file).over(tables.get(name))
            disabled.pop(name, None)
        for name in file.disabled():
            if name in tables:
                disabled[name] = None
            else:
                meant = nearest(name, tuple(tables))
                file.refuse(
                    f"no rule {quoted(name)}" + (f"; did you mean {meant}?" if meant else ""), None, "disable"
                )
    if len(tables) > RULES_MAX:
        errors.append(f"more than {RULES_MAX:,} rules")
    rules = [table.rule() for table in tables.values()]
    if errors:
        raise RulesError(errors)
    return RuleSet(
        tuple(rule for rule in rules if rule is not None and rule.name not in disabled),
        {name: table.file.place for name, table in tables.items()},
        tuple(disabled),
    )


class _File:
    """One file, which collects what is wrong with it."""

    def __init__(self, text: RulesText, errors: list[str]) -> None:
        self.place = text.place if text.place.isprintable() else repr(text.place)
        self._text = text.text.replace("\r\n", "\n")
        self._errors = errors
        self._lines = entry_lines(self._text)
        self._tables: dict[str, object] = {}
        if len(self._text) > FILE_MAX_CHARACTERS:
            self.refuse(f"over {FILE_MAX_CHARACTERS // 1024} KiB, too large for rules")
            return
        try:
            self._tables = tomllib.loads(self._text)
        except (ValueError, RecursionError) as error:
            self.refuse(f"not TOML: {error}")

    def rules(self) -> Iterable[tuple[str, dict[str, object]]]:
        """The tables of rules."""
        for key in self._tables:
            if key not in _TOP:
                self.refuse(f"unknown key {quoted(key)}{advice(key, _TOP)}", None, key)
        rules = self._tables.get("rules", {})
        if not isinstance(rules, dict):
            self.refuse("'rules' must be tables, as in [rules.downloads-failing]", None, "rules")
            return
        for name, values in cast("dict[str, object]", rules).items():
            if not _NAME.fullmatch(name):
                self.refuse(f"{quoted(name)} is no name: a-z 0-9 _ and -, at most 64 of them", name)
            elif not isinstance(values, dict):
                self.refuse(f"{quoted(name)} must be a table, as in [rules.{name}]", name)
            else:
                yield name, cast("dict[str, object]", values)

    def disabled(self) -> Iterable[str]:
        """The names of rules that are not wanted."""
        names = self._tables.get("disable", [])
        if not isinstance(names, list) or not all(
            isinstance(name, str) for name in cast("list[object]", names)
        ):
            self.refuse("'disable' must be a list of names, as in [\"job-failed\"]", None, "disable")
            return ()
        return cast("list[str]", names)

    def refuse(self, what: str, owner: str | None = None, key: str | None = None) -> None:
        """Note that something is wrong, at the line of `key` in the rule `owner`, where these can be found."""
        line = None
        if owner is not None and key is not None:
            line = self._lines.get(f"rules.{owner}.{key}")
        if line is None and (owner is not None or key is not None):
            line = line_of(self._text, owner, key, within="rules") or (
                line_of(self._text, owner, within="rules") if owner is not None else None
            )
        self._errors.append(f"{self.place}:{line}: {what}" if line else f"{self.place}: {what}")


@dataclass
class _RuleTable:
    """What files say of one rule; `said_in` is which one said a key last."""

    name: str
    values: dict[str, object]
    file: _File
    said_in: dict[str, _File] = field(default_factory=dict[str, _File])

    def over(self, before: _RuleTable | None) -> _RuleTable:
        """This one, with what it leaves open as it was before; nothing of that with another kind."""
        said_in = dict.fromkeys(self.values, self.file)
        kind = self.values.get("kind")
        if before is None or (kind is not None and kind != before.values.get("kind")):
            return _RuleTable(self.name, self.values, self.file, said_in)
        return _RuleTable(self.name, before.values | self.values, self.file, before.said_in | said_in)

    def rule(self) -> Rule | None:
        """The rule; None when something is wrong, which is noted."""
        try:
            return self._rule()
        except _RefusedError:
            return None

    def _rule(self) -> Rule:
        kind_name = self.values.get("kind")
        if kind_name is None:
            self._refuse(f"{quoted(self.name)} has no kind; there are {', '.join(KINDS)}")
        if not isinstance(kind_name, str) or kind_name not in KINDS:
            meant = advice(kind_name, tuple(KINDS)) if isinstance(kind_name, str) else ""
            self._refuse(f"no kind {quoted(str(kind_name))}{meant}", "kind")
        of_kind = KINDS[kind_name]
        self._refuse_unknown_keys((*COMMON, *of_kind.keys), kind_name)
        if missing := [key for key in ("query", *of_kind.required) if key not in self.values]:
            self._refuse(
                f"{quoted(self.name)} has no {' and no '.join(missing)}, which a {kind_name} rule needs"
            )
        common = self._read(COMMON)
        try:
            kind: Kind = of_kind.make(**self._read(of_kind.keys))
        except ValueError as error:
            self._refuse(f"{quoted(self.name)}: {error}")
        rule = Rule(name=self.name, kind=kind, **{**of_kind.defaults, **common})
        self._check_title(rule)
        if kind.asks_usual:
            self._check_countable(rule)
        return rule

    def _read(self, keys: Mapping[str, tuple[str, Reader]]) -> dict[str, Any]:
        """What is said for `keys`, by the name of the parameter it is for."""
        found: dict[str, Any] = {}
        refused = False
        for key, (parameter, read) in keys.items():
            if key not in self.values or key == "kind":
                continue
            try:
                found[parameter] = read(self.values[key])
            except MistakeError as error:
                self._note(f"{key!r} of {quoted(self.name)}: {error}", key)
                refused = True
            except ValueError as error:
                self._note(f"{key!r} of {quoted(self.name)} must be {error}", key)
                refused = True
        if refused:
            raise _RefusedError
        return found

    def _refuse_unknown_keys(self, known: tuple[str, ...], kind: str) -> None:
        unknown = [key for key in self.values if key not in known]
        for key in unknown:
            if key == "disable":
                guess = "; it stands at the top of the file, before every table"
            elif of := [name for name, other in KINDS.items() if key in other.keys]:
                guess = f", which is for {' and '.join(of)}{advice(key, known, otherwise='')}"
            else:
                guess = advice(key, known)
            self._note(f"unknown key {quoted(key)} of a {kind} rule{guess}", key)
        if unknown:
            raise _RefusedError

    def _check_title(self, rule: Rule) -> None:
        known = known_names(rule)
        for name in names_in(rule.title):
            if name in known:
                continue
            if name in {str(each) for each in GROUP_FIELDS} or name.startswith("@"):
                self._refuse(
                    f"title: {{{name}}} is not the same for all events, unless group_by has it", "title"
                )
            self._refuse(f"title: no {{{name}}}{advice(name, known)}", "title")

    def _check_countable(self, rule: Rule) -> None:
        """What is usual is told by counts that know type, category and severity alone."""
        if rule.group_by:
            self._refuse("what is usual is not known by groups; leave group_by out", "group_by")
        if not EventFilter(query=rule.query).is_counted:
            self._refuse(
                "what is usual is known by type, category and severity alone; ask for nothing else", "query"
            )

    def _note(self, what: str, key: str | None = None) -> None:
        file = self.said_in.get(key, self.file) if key is not None else self.file
        file.refuse(what, self.name, key)

    def _refuse(self, what: str, key: str | None = None) -> NoReturn:
        self._note(what, key)
        raise _RefusedError


class _RefusedError(Exception):
    """What is wrong is noted."""


def advice(word: str, known: tuple[str, ...], otherwise: str | None = None) -> str:
    """The nearest of `known` to `word` as advice; all of them when none is near."""
    guess = nearest(word, known) if len(word) <= 64 else None
    if guess is not None:
        return f"; did you mean {guess}?"
    return f"; there are {', '.join(known)}" if otherwise is None else otherwise
