"""Keys as people write them, and what they do: read off the bindings, so that help and palette are complete."""

from __future__ import annotations

from textual.dom import DOMNode

KEY_NAMES = {
    "slash": "/",
    "exclamation_mark": "!",
    "question_mark": "?",
    "colon": ":",
    "ampersand": "&",
    "at": "@",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "escape": "esc",
    "ctrl+d": "^D",
    "ctrl+u": "^U",
    "ctrl+l": "^L",
    "ctrl+s": "^S",
    "ctrl+p": "^P",
    "ctrl+c": "^C",
    "ctrl+z": "^Z",
    "f1": "F1",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
    "home": "Home",
    "end": "End",
}
"""How keys are written whose Textual name nobody would type."""
_TOOLKIT_ACTIONS = {"screen.copy_text", "app.focus_next", "app.focus_previous", "app.help_quit", "help_quit"}
"""Bindings that Textual brings along and this console says in its own words."""


def key_name(key: str) -> str:
    """A key as people write it: `/` for `slash`, `^D` for `ctrl+d`."""
    return KEY_NAMES.get(key, key)


def keys_of(node: DOMNode) -> tuple[tuple[str, str], ...]:
    """The keys that `node` answers to, and what they do; keys that do the same stand together."""
    keys: dict[str, list[str]] = {}
    for key, binding in node._bindings:  # pyright: ignore[reportPrivateUsage]
        if binding.description and binding.action not in _TOOLKIT_ACTIONS:
            keys.setdefault(binding.description, []).append(key_name(key))
    return tuple((" ".join(dict.fromkeys(names)), description) for description, names in keys.items())


def actions_of(node: DOMNode) -> tuple[tuple[str, str, str], ...]:
    """(description, keys, action) of what `node` offers, for the command palette."""
    keys = {description: names for names, description in keys_of(node)}
    actions: dict[str, str] = {}
    for _key, binding in node._bindings:  # pyright: ignore[reportPrivateUsage]
        if binding.description in keys:
            actions.setdefault(binding.description, binding.action)
    return tuple((description, keys[description], action) for description, action in actions.items())
