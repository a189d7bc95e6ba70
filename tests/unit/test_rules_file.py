"""Rules from TOML: what is read, what is wrong with the line and the nearest word, and how files add up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import StartError
from monitor.health.absence import Absence
from monitor.health.components import State
from monitor.health.ratio import Ratio
from monitor.health.rules_file import RulesError, RuleSet, RulesText, read_rules
from monitor.health.state import StateRule
from monitor.health.threshold import Threshold
from monitor.rules import SHIPPED, chosen_rules, rules_with, shipped_rules
from store.event import Severity
from store.query.parser import parse
from store.query.syntax import Field
from store.query.syntax import Path as Place

GOOD = '[rules.r]\nkind = "threshold"\nquery = "type:a.b"\ncount = 3\nwindow = "1m"\n'


def read(*texts: str) -> RuleSet:
    return read_rules(RulesText(f"{number}.toml", text) for number, text in enumerate(texts))


def errors(*texts: str) -> tuple[str, ...]:
    with pytest.raises(RulesError) as raised:
        read(*texts)
    return raised.value.errors


def test_every_key_of_a_rule_is_read() -> None:
    (rule,) = read(
        GOOD
        + 'for = "90s"\nseverity = "info"\ngroup_by = ["type", "@a.b", "resource|actor"]\ntitle = "{count} {@a.b}"\n'
        + 'runbook = "https://x.example/a?b=c#d"\ninhibits = "@rule:q"\neverywhere = true\ngroups = 7\n'
    ).rules
    assert (rule.name, rule.query, rule.kind) == ("r", parse("type:a.b"), Threshold(3, timedelta(minutes=1)))
    assert (rule.hold, rule.severity, rule.limit) == (timedelta(seconds=90), Severity.INFO, 7)
    assert rule.group_by == ((Field.TYPE,), (Place(("a", "b")),), (Field.RESOURCE, Field.ACTOR))
    assert (rule.title, rule.runbook) == ("{count} {@a.b}", "https://x.example/a?b=c#d")
    assert (rule.inhibits, rule.everywhere) == (parse("@rule:q"), True)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ('kind = "absence"\nallowed = "2h"', Absence(timedelta(hours=2))),
        ('kind = "absence"\ngaps = 2.5', Absence(gaps=2.5)),
        ('kind = "state"', StateRule()),
        ('kind = "state"\nstate = ["down", "degraded"]', StateRule((State.DOWN, State.DEGRADED))),
        ('kind = "state"\nuntil = "type:c.d"', StateRule(ended_by=parse("type:c.d"))),
        (
            'kind = "ratio"\nof = "type:c.d"\nratio = "20 %"\nwindow = "1d"',
            Ratio(parse("type:c.d"), 0.2, timedelta(days=1)),
        ),
    ],
)
def test_kinds_are_read(written: str, kind: object) -> None:
    (rule,) = read(f'[rules.r]\nquery = "type:a.b"\n{written}\n').rules
    assert rule.kind == kind


ANOMALY = '[rules.r]\nkind = "anomaly"\nquery = "type:a.b"\nwindow = "1m"\n'
WRONG = {
    "coutn = 1": "0.toml:6: unknown key 'coutn' of a threshold rule; did you mean count?",
    "sevrity = 1": "0.toml:6: unknown key 'sevrity' of a threshold rule; did you mean severity?",
    "ratio = 1": "0.toml:6: unknown key 'ratio' of a threshold rule, which is for ratio",
    'disable = ["r"]': (
        "0.toml:6: unknown key 'disable' of a threshold rule; it stands at the top of the file, before every table"
    ),
    "for = 5": (
        '0.toml:6: \'for\' of \'r\' must be a length of time, as in "30s", "5m", "2h" or "1d", up to "31d"'
    ),
    'for = "1y"': (
        '0.toml:6: \'for\' of \'r\' must be a length of time, as in "30s", "5m", "2h" or "1d", up to "31d"'
    ),
    'severity = "bad"': '0.toml:6: \'severity\' of \'r\' must be "info", "warning" or "error"',
    'group_by = ["colour"]': (
        "0.toml:6: 'group_by' of 'r': no field 'colour' to group by; "
        "there are type, category, severity, status, actor, actor_id, resource, resource_type, resource_id and @places"
    ),
    'group_by = ["resorce"]': (
        "0.toml:6: 'group_by' of 'r': no field 'resorce' to group by; did you mean resource?"
    ),
    "group_by = []": (
        "0.toml:6: 'group_by' of 'r' must be a list of 1 to 3 fields, as in [\"resource\"] or [\"@error.code\"]"
    ),
    'group_by = ["type", "type"]': "0.toml:6: 'group_by' of 'r': a field stands there twice",
    'title = "{cuont}"': "0.toml:6: title: no {cuont}; did you mean count?",
    'title = "{resource}"': (
        "0.toml:6: title: {resource} is not the same for all events, unless group_by has it"
    ),
    'title = "a\\u001b"': "0.toml:6: 'title' of 'r' must be a printable text of at most 200 characters",
    'runbook = "javascript:alert(1)"': (
        "0.toml:6: 'runbook' of 'r' must be a URL that begins with http:// or https://, of at most 500 characters"
    ),
    "everywhere = 1": "0.toml:6: 'everywhere' of 'r' must be true or false",
    "groups = 0": "0.toml:6: 'groups' of 'r' must be a whole number from 1 to 100,000",
    'inhibits = "type:a ("': "0.toml:6: 'inhibits' of 'r': column 9: ",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_with_a_key_is_told_with_its_line(line: str) -> None:
    (error,) = errors(f"{GOOD}{line}\n")
    assert error.startswith(WRONG[line])
    assert "\n" not in error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[rules", "0.toml: not TOML: "),
        ("a = 1\n", "0.toml:1: unknown key 'a'; there are rules, disable"),
        ("\nruls = 1\n", "0.toml:2: unknown key 'ruls'; did you mean rules?"),
        ("rules = 1\n", "0.toml:1: 'rules' must be tables, as in [rules.downloads-failing]"),
        ("[rules]\nr = 1\n", "0.toml:2: 'r' must be a table, as in [rules.r]"),
        ('[rules."A b"]\n', "0.toml:1: 'A b' is no name: a-z 0-9 _ and -, at most 64 of them"),
        (
            "[rules.r]\n",
            "0.toml:1: 'r' has no kind; there are threshold, ratio, absence, state, anomaly, slow",
        ),
        ('[rules.r]\nkind = "treshold"\n', "0.toml:2: no kind 'treshold'; did you mean threshold?"),
        (
            '[rules.r]\nkind = "slow"\n',
            "0.toml:1: 'r' has no query and no duration and no above and no window, which",
        ),
        (GOOD.replace("type:a.b", "tpye:a.b (c"), "0.toml:3: 'query' of 'r': column "),
        (
            GOOD.replace("type:a.b", "last:5m"),
            "0.toml:3: 'query' of 'r': last:, since: and until: would stay where they are",
        ),
        (GOOD.replace("3", "0"), "0.toml:4: 'count' of 'r' must be a whole number from 1 to 100,000"),
        (
            '[rules.r]\nkind = "absence"\nquery = "a"\n',
            "0.toml:1: 'r': a time that is allowed or a number of gaps is",
        ),
        (
            ANOMALY + 'group_by = ["actor"]\n',
            "0.toml:5: what is usual is not known by groups; leave group_by out",
        ),
        (
            ANOMALY.replace("type:a.b", "actor:user"),
            "0.toml:3: what is usual is known by type, category and severity alone; ask for nothing else",
        ),
        ('disable = "r"\n', "0.toml:1: 'disable' must be a list of names, as in [\"job-failed\"]"),
        (f'disable = ["s"]\n{GOOD}', "0.toml:1: no rule 's'"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(text: str, expected: str) -> None:
    (error,) = errors(text)
    assert error.startswith(expected)


def test_all_errors_of_a_file_are_told() -> None:
    other = GOOD.replace("rules.r", "rules.s") + "a = 1\n"
    assert errors(f"{GOOD}for = 1\nseverity = 2\n\n{other}") == (
        '0.toml:6: \'for\' of \'r\' must be a length of time, as in "30s", "5m", "2h" or "1d", up to "31d"',
        '0.toml:7: \'severity\' of \'r\' must be "info", "warning" or "error"',
        (
            "0.toml:14: unknown key 'a' of a threshold rule; there are "
            "kind, query, for, severity, group_by, title, runbook, inhibits, everywhere, groups, count, window"
        ),
    )


def test_a_later_file_changes_a_rule_key_by_key() -> None:
    found = read(GOOD + 'title = "old"\n', "[rules.r]\ncount = 7\n")
    (rule,) = found.rules
    assert (rule.kind, rule.title) == (Threshold(7, timedelta(minutes=1)), "old")
    assert found.origins == {"r": "1.toml"}
    assert errors(GOOD, "\n[rules.r]\ncount = 0\n") == (
        "1.toml:3: 'count' of 'r' must be a whole number from 1 to 100,000",
    )


def test_another_kind_replaces_a_rule_whole() -> None:
    (rule,) = read(GOOD, '[rules.r]\nkind = "absence"\nquery = "type:c.d"\nallowed = "1h"\n').rules
    assert rule.kind == Absence(timedelta(hours=1))
    assert errors(GOOD, '[rules.r]\nkind = "absence"\nallowed = "1h"\n')[0].startswith(
        "1.toml:1: 'r' has no query"
    )


def test_a_rule_can_be_taken_out() -> None:
    found = read(GOOD, f'disable = ["r"]\n{GOOD.replace("rules.r", "rules.s")}')
    assert [rule.name for rule in found.rules] == ["s"]
    assert found.disabled == ("r",)
    assert errors(GOOD, 'disable = ["downloads-faling", "rr"]\n') == (
        "1.toml:1: no rule 'downloads-faling'",
        "1.toml:1: no rule 'rr'; did you mean r?",
    )


def test_the_shipped_rules_are_in_order() -> None:
    names = [rule.name for rule in shipped_rules()]
    assert {"component-down", "job-failed", "downloads-failing"} <= set(names)
    assert SHIPPED.is_file()


def test_a_file_adds_to_the_shipped_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('disable = ["job-failed"]\n' + GOOD)
    found = rules_with(file)
    assert found.origins["r"] == str(file)
    assert found.origins["component-down"] == "shipped"
    assert {rule.name for rule in found.rules} == {rule.name for rule in shipped_rules()} - {"job-failed"} | {
        "r"
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ": No such file or directory"),
        (b"\xff", ": not UTF-8"),
        (
            b"a = 1\nb = 2\n",
            ":1: unknown key 'a'; there are rules, disable (and 1 more; see evtop rules check)",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, content: bytes | None, expected: str) -> None:
    file = tmp_path / "rules.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartError) as raised:
        chosen_rules(file)
    assert str(raised.value) == f"{file}{expected}"
