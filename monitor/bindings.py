"""Keys as people write them, and what they do: read off the bindings, so that help and palette are complete.

Each binding of the console has an id, `SCOPE.ACTION`, by which a file can give it other keys
(`monitor/fit/keymap.py`). The scope is the class that has the binding, the action is its name, or its description
where it has arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode
from textual.keys import Keys

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
_SCOPE_ENDINGS = re.compile("(?<=.)(?:App|Screen|View|Pane|Prompt)$")


def key_name(key: str) -> str:
    """A key as people write it: `/` for `slash`, `^D` for `ctrl+d`."""
    if (name := KEY_NAMES.get(key)) is not None:
        return name
    if (control := re.fullmatch("ctrl\\+([a-z])", key)) is not None:
        return f"^{control[1].upper()}"
    return _CHARACTERS.get(key, key)


def keys_of(node: DOMNode) -> tuple[tuple[str, str], ...]:
    """The keys that `node` answers to, and what they do; keys that do the same stand together."""
    keys: dict[str, list[str]] = {}
    for key, binding in bindings_of(node):
        if binding.description and binding.action not in _TOOLKIT_ACTIONS:
            keys.setdefault(binding.description, []).append(key_name(key))
    return tuple((" ".join(dict.fromkeys(names)), description) for description, names in keys.items())


def actions_of(node: DOMNode) -> tuple[tuple[str, str, str], ...]:
    """(description, keys, action) of what `node` offers, for the command palette."""
    keys = {description: names for names, description in keys_of(node)}
    actions: dict[str, str] = {}
    for _key, binding in bindings_of(node):
        if binding.description in keys:
            actions.setdefault(binding.description, binding.action)
    return tuple((description, keys[description], action) for description, action in actions.items())


def bindings_of(node: DOMNode) -> BindingsMap:
    """The bindings of `node` with the keys that it answers to now."""
    bindings = node._bindings.copy()  # pyright: ignore[reportPrivateUsage]
    if keymap := node.app._keymap:  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
        bindings.apply_keymap(keymap)
    return bindings


def keys_now(nodes: Iterable[DOMNode], keys: str) -> str:
    """What to press now for `keys`, written as in a hint with spaces between, in the first of `nodes` that has them."""
    chain = list(nodes)
    return " ".join(_key_now(chain, key) for key in keys.split(" "))


def _key_now(nodes: list[DOMNode], key: str) -> str:
    for node in nodes:
        keymap = node.app._keymap  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
        for usual, binding in node._bindings:  # pyright: ignore[reportPrivateUsage]
            if key_name(usual) == key and (keys := keymap.get(binding.id or "")):
                return key_name(keys.partition(",")[0])
    return key


# Ids


def give_ids() -> dict[str, type[DOMNode]]:
    """Give every binding of the console that has no id its own; returns the class that has each id.

    To be called when all screens are imported and none is made.
    """
    owners: dict[str, type[DOMNode]] = {}
    for node_class in console_classes():
        merged = node_class._merged_bindings  # pyright: ignore[reportPrivateUsage]
        if merged is None:
            continue
        for key, bindings in merged.key_to_bindings.items():
            merged.key_to_bindings[key] = [_with_id(node_class, binding) for binding in bindings]
        for _key, binding in merged:
            if binding.id is not None and (owner := _owner(node_class, binding)) is not None:
                owners[binding.id] = owner
    return owners


def console_classes() -> Iterator[type[DOMNode]]:
    """The screens and widgets of the console, and its application, as far as they are imported."""
    seen: set[type[DOMNode]] = set()
    waiting: list[type[DOMNode]] = [DOMNode]
    while waiting:
        node_class = waiting.pop()
        if node_class not in seen:
            seen.add(node_class)
            waiting.extend(node_class.__subclasses__())
            if node_class.__module__.startswith("monitor."):
                yield node_class


def _with_id(node_class: type[DOMNode], binding: Binding) -> Binding:
    owner = _owner(node_class, binding)
    if binding.id is not None or owner is None or not binding.description:
        return binding
    return replace(binding, id=binding_id(owner, binding))


def binding_id(owner: type[DOMNode], binding: Binding) -> str:
    """`timeline.page-down` for the page key of the class `TimelineView`."""
    action = binding.action.rpartition(".")[2] if "(" not in binding.action else binding.description
    scope = _SCOPE_ENDINGS.sub("", owner.__name__)
    scope = "app" if owner.__name__.endswith("App") else re.sub("(?<=[a-z])(?=[A-Z])", "-", scope).lower()
    return f"{scope}.{re.sub('[^a-z0-9]+', '-', action.lower()).strip('-')}"


def _owner(node_class: type[DOMNode], binding: Binding) -> type[DOMNode] | None:
    """The class of ours that binds the key: a pane has the keys of the list that it is."""
    for base in node_class.__mro__:
        if any(
            (own.key, own.action) == (binding.key, binding.action)
            for own in Binding.make_bindings(base.__dict__.get("BINDINGS", ()))
        ):
            return base if base.__module__.startswith("monitor.") else None
    return None


# Names of keys

_NAMED_CHARACTERS = {
    character: next(iter(BindingsMap([Binding(character, "")]).key_to_bindings))
    for character in map(chr, range(0x21, 0x7F))
    if character != ","
}
_NAMED_CHARACTERS[","] = "comma"
_CHARACTERS = {key: character for character, key in _NAMED_CHARACTERS.items()}
_AS_WRITTEN = {name.lower(): key for key, name in KEY_NAMES.items()}
KNOWN_KEYS = frozenset(
    {key.value for key in Keys if not key.value.startswith("<") and key.value != "ignore"}
    | set(_NAMED_CHARACTERS.values())
    | {"space", "enter", "tab", "backspace", "delete", "insert", "escape", "shift+tab"}
)
"""Names by which Textual knows keys."""


def key_from(name: str) -> str | None:
    """The key that `name` is, as people or as Textual write it; None for a key that is not known."""
    if name in _NAMED_CHARACTERS:
        return _NAMED_CHARACTERS[name]
    if (control := re.fullmatch("\\^([A-Za-z])", name)) is not None:
        return f"ctrl+{control[1].lower()}"
    name = name.lower()
    key = _AS_WRITTEN.get(name, name)
    return key if key in KNOWN_KEYS else None
