"""`evtop keys`: every action with its keys, as the file that changes them has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import fail, write
from monitor.errors import StartError
from monitor.fit.choices import Options, TerminalFit


def keys(
    file: Annotated[Path | None, typer.Option("--keys", help="The file with other keys.")] = None,
) -> None:
    """Print every action and its keys, in TOML.

    What is changed of it goes to a file: EVTOP_KEYS, or evtop/keys.toml in the folder of the configuration.
    """
    # Whatever binds keys must be there.
    import monitor.app  # noqa: F401  # pyright: ignore[reportUnusedImport]
    from monitor.fit.keymap import load_keymap, shown_keymap

    try:
        chosen = TerminalFit.chosen(Options(keys=file)).keys
        keymap = load_keymap(chosen) if chosen else {}
    except StartError as error:
        fail(str(error))
    scope = ""
    for binding_id, names, description in shown_keymap(keymap):
        table, _, action = binding_id.partition(".")
        if table != scope:
            if scope:
                write("")
            write(f"[{table}]")
            scope = table
        write(f"{f'{action} = {json.dumps(names, ensure_ascii=False)}':<40}  # {description}")
