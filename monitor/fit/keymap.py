"""Other keys, from a file of `action-id = "keys"` in TOML. What cannot be meant is refused in one line.

```toml
[timeline]
page-down = "PgDn, ^F"

[filtering]
edit-filter = "f"
```
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from textual.binding import Binding
from textual.dom import DOMNode

from monitor.bindings import KNOWN_KEYS, console_classes, give_ids, key_from, key_name
from monitor.errors import StartError
from store.taxonomy import nearest
from store.toml_lines import entry_lines


def load_keymap(file: Path) -> dict[str, str]:
    """Keys by binding id, as Textual takes them. Ids must have been given.

    Raises:
        StartError: the file cannot be read, or says what cannot be done; the message names the file, the line, and the
            nearest id or key.
    """
    try:
        text = file.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise StartError(f"{file}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartError(f"{file}: {error}") from None
    lines = entry_lines(text)
    owners = give_ids()
    keymap: dict[str, str] = {}
    for binding_id, value in _entries(tables):
        where = f"{file}:{lines.get(binding_id, 1)}: "
        if binding_id not in owners:
            meant = nearest(binding_id, tuple(owners))
            raise StartError(
                f"{where}no action {binding_id}"
                + (f"; did you mean {meant}?" if meant else "; see evtop keys")
            )
        keymap[binding_id] = ",".join(_keys(where, value))
    for node_class in console_classes():
        _refuse_conflicts(node_class, keymap, file, lines)
    return keymap


def shown_keymap(keymap: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(id, keys as a file has them, what it does) of every action, in the order of ids."""
    give_ids()
    found: dict[str, tuple[list[str], str]] = {}
    for node_class in console_classes():
        for key, binding in _bindings(node_class):
            if binding.id is not None:
                keys, _ = found.setdefault(binding.id, ([], binding.description))
                if binding.id in keymap:
                    keys[:] = keymap[binding.id].split(",")
                elif key not in keys:
                    keys.append(key)
    for binding_id, (keys, description) in sorted(found.items()):
        names = ["comma" if key == "comma" else key_name(key) for key in keys]
        yield binding_id, ", ".join(names), description


def _entries(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _entries(value, f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield prefix + name, value


def _keys(where: str, value: object) -> list[str]:
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else []
    if not any(names):
        raise StartError(f'{where}keys are a text, as in "PgDn, ^F"')
    keys: list[str] = []
    for name in names:
        if (key := key_from(name)) is None:
            meant = nearest(name.lower(), tuple(sorted(KNOWN_KEYS)))
            raise StartError(
                f"{where}no key {name or '(empty)'}" + (f"; did you mean {meant}?" if meant else "")
            )
        keys.append(key)
    return list(dict.fromkeys(keys))


def _bindings(node_class: type[DOMNode]) -> Iterator[tuple[str, Binding]]:
    merged = node_class._merged_bindings  # pyright: ignore[reportPrivateUsage]
    yield from merged or ()


def _refuse_conflicts(
    node_class: type[DOMNode], keymap: Mapping[str, str], file: Path, lines: Mapping[str, int]
) -> None:
    """Within a pane, a screen and the application, a key does one thing; nothing takes away the application's own."""
    from monitor.app import EvtopApp

    taken: dict[str, Binding] = {
        key: binding for key, binding in _bindings(EvtopApp) if binding.priority and binding.id not in keymap
    }
    taken |= {key: binding for key, binding in _bindings(node_class) if binding.id not in keymap}
    changed = {binding.id: binding for _key, binding in _bindings(node_class) if binding.id in keymap}
    for binding_id in keymap:
        if (binding := changed.get(binding_id)) is None:
            continue
        for key in keymap[binding_id].split(","):
            other = taken.get(key)
            if other is not None and other.action != binding.action:
                what = other.id or f"what Textual does with it ({other.description or other.action})"
                raise StartError(
                    f"{file}:{lines.get(binding_id, 1)}: {key_name(key)} cannot be {binding_id}, it is {what}"
                )
            taken[key] = binding
