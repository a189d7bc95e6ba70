"""Other keys, from a file: what they do then, where they are shown, and what is refused."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest
from textual.binding import Binding

import monitor.app
import monitor.screens
import monitor.widgets
from monitor.bindings import console_classes, give_ids, key_from, key_name, keys_of
from monitor.errors import StartError
from monitor.fit.keymap import load_keymap, shown_keymap
from monitor.widgets.key_hints import KeyHints
from tests.console.commands import evtop
from tests.console.conftest import Opened
from tests.pty_console import PrivateHome


def keymap_of(folder: Path, text: str) -> dict[str, str]:
    file = folder / "keys.toml"
    file.write_text(text, encoding="utf-8")
    return load_keymap(file)


def test_every_binding_has_an_id_of_its_own() -> None:
    imported = set(console_classes())
    for package in (monitor.screens, monitor.widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    # Ids are given when the application is there, which must have imported all that binds keys.
    assert {found for found in console_classes() if found.__dict__.get("BINDINGS")} <= imported
    give_ids()
    actions: dict[str, set[str]] = {}
    for found in console_classes():
        own = {binding.action for binding in Binding.make_bindings(found.__dict__.get("BINDINGS", ()))}
        for _key, binding in found._merged_bindings or ():
            if binding.action in own and binding.description:
                assert binding.id is not None, (found, binding)
                assert re.fullmatch(r"[a-z-]+\.[a-z0-9-]+", binding.id)
                actions.setdefault(binding.id, set()).add(binding.action)
    assert {name: found for name, found in actions.items() if len(found) > 1} == {}
    assert {"filtering.edit-filter", "timeline.page-down", "line-list.down", "app.command-palette"} <= set(
        actions
    )


def test_keys_are_understood_as_people_and_as_textual_write_them() -> None:
    for written, key in {
        "/": "slash", "^F": "ctrl+f", "PgDn": "pagedown", "esc": "escape", "F5": "f5", "G": "G", "g": "g",
        "ctrl+pagedown": "ctrl+pagedown", "space": "space", "↓": "down", ";": "semicolon", "comma": "comma",
    }.items():  # fmt: skip
        assert key_from(written) == key
    assert [key_from(name) for name in ("hyper+x", "", "PgDwn", "gg")] == [None] * 4
    for _id, keys, _description in shown_keymap({}):
        for name in keys.split(", "):
            assert key_name(key_from(name) or "?") in {name, ","}, name


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (
            '[filtering]\n\nedit-filtr = "f"',
            ":3: no action filtering.edit-filtr; did you mean filtering.edit-filter?",
        ),
        ('timeline.zone = "PgDwn"', ":1: no key PgDwn; did you mean pagedown?"),
        ("timeline.zone = 7", ':1: keys are a text, as in "PgDn, ^F"'),
        ('timeline.zone = ""', ':1: keys are a text, as in "PgDn, ^F"'),
        ('# mine\ntimeline.zone = "s"', ":2: s cannot be timeline.zone, it is live.side"),
        ('[timeline]\nzone = "z"\n[live]\nside = "z"', ":4: z cannot be live.side, it is timeline.zone"),
        ('timeline.open = "^C"', ":1: ^C cannot be timeline.open, it is app.interrupt"),
        ('"timeline.zone = "s"', ": .*line 1.*"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, text: str, refusal: str) -> None:
    pattern = refusal if ".*" in refusal else re.escape(refusal)
    with pytest.raises(StartError, match=f"^{re.escape(str(tmp_path / 'keys.toml'))}{pattern}$"):
        keymap_of(tmp_path, text)


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(StartError, match=r"^/nowhere/keys.toml: No such file or directory$"):
        load_keymap(Path("/nowhere/keys.toml"))


def test_two_actions_can_change_places(tmp_path: Path) -> None:
    assert keymap_of(tmp_path, '[timeline]\nzone = "s"\n[live]\nside = "t"') == {
        "timeline.zone": "s",
        "live.side": "t",
    }


async def test_changed_keys_act_and_are_shown(opened: Opened, tmp_path: Path) -> None:
    keymap = keymap_of(tmp_path, '[timeline]\nzone = "K, ^T"\nhelp = "B"\ndown = "J"')
    async with opened(size=(120, 200)) as operator:
        operator.app.set_keymap(keymap)
        assert ("K ^T", "UTC / local / ago / chosen zone") in keys_of(operator.live)
        zone = operator.timeline.zone
        await operator.press("t")
        assert operator.timeline.zone == zone
        await operator.press("K")
        assert operator.timeline.zone != zone
        await operator.press("k", "k")
        before = operator.cursor
        await operator.press("j", "J")
        assert operator.cursor == before + 1
        operator.live.query_one(KeyHints).refresh()
        hints = operator.text("#hints")
        assert " K zone" in hints
        assert " B help" in hints
        await operator.press("B")
        assert "K ^T" in operator.text()


def test_the_list_of_keys_is_a_file_that_changes_nothing(tmp_path: Path) -> None:
    with PrivateHome() as home:
        done = evtop(home, "keys")
        assert done.returncode == 0, done.stderr
        assert tomllib.loads(done.stdout)["filtering"]["edit-filter"] == "/"
        (tmp_path / "keys.toml").write_text(done.stdout, encoding="utf-8")
        again = evtop(home, "keys", "--keys", str(tmp_path / "keys.toml"))
        assert again.stdout == done.stdout, again.stderr
