"""Titles of alerts: a template in which known names in braces stand for values. Nothing of it is run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from monitor.health.grouping import Group, key_name, value_name, value_text
from monitor.health.rule import Episode, Rule
from monitor.masking import without_labels

_NAME = re.compile(r"\{([^{}]*)\}")
_SPACES = re.compile(r" {2,}")


def names_in(template: str) -> tuple[str, ...]:
    """What stands in braces."""
    return tuple(_NAME.findall(template))


def known_names(rule: Rule) -> tuple[str, ...]:
    """The names that titles of `rule` may use: what is the same for all events of an alert."""
    return ("rule", "count", "group", "name", *dict(rule.kind.facts), *map(key_name, rule.group_by))


def title(rule: Rule, group: Group, episode: Episode) -> str:
    """The title of an alert; raw event text, as it may be shown, for others are told of it.

    What has no value is empty, and unknown names stay as they are.
    """
    values: Mapping[str, str] = {
        **dict(rule.kind.facts),
        **{key_name(key): value_text(value) for key, value in zip(rule.group_by, group, strict=True)},
        "rule": rule.name,
        "count": f"{episode.count:,}",
        "group": " ".join(filter(None, map(value_text, group))),
        "name": " ".join(filter(None, map(value_name, group))),
    }
    template = rule.title or rule.kind.title
    filled = _NAME.sub(lambda found: values.get(found[1], found[0]), template)
    labels = [(key_name(key), value_text(value)) for key, value in zip(rule.group_by, group, strict=True)]
    return without_labels(_SPACES.sub(" ", filled).strip(), labels)
