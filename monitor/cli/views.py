"""`evtop views`: what was saved in the console under a name."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import Output, TableOrJson, fail, say, write, write_json

if TYPE_CHECKING:
    from monitor.model.view import View
    from monitor.views import ViewFile, Views

app = typer.Typer(
    help="Views that were saved in the console (V); evtop --view NAME opens one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_views(
    output: TableOrJson = Output.TEXT,
) -> None:
    """Print the saved views. What is wrong with the file is said on stderr, with its line."""
    views = _read(_file())
    if output is Output.JSON:
        for name, view in views.by_name.items():
            write_json({"view": name, **view.table()})
    elif views.by_name:
        from monitor.cli.table import table_lines

        rows = [
            [name, view.minimum or "-", view.zone or "-", view.query or "-"]
            for name, view in views.by_name.items()
        ]
        for line in table_lines(["view", "minimum", "zone", "filter"], rows):
            write(line)
    for line in views.problems.values():
        say(line)


@app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="Which one.")]) -> None:
    """Take a view out of the file. All others stay as they are, and so do comments."""
    from monitor.views import ViewsError

    file = _file()
    _require(name, _read(file).by_name)
    try:
        file.remove(name)
    except ViewsError as error:
        fail(str(error))
    write(f"{name} removed")


def named_view(name: str, option: str) -> View:
    """The saved view `name`. What keeps it from being read ends the program with one line, which `option` begins."""
    views = _read(_file(option), option)
    if name in views.problems:
        fail(option + views.problems[name])
    _require(name, views.by_name, option)
    return views.by_name[name]


def _require(name: str, known: Collection[str], option: str = "") -> None:
    from store.taxonomy import nearest

    if name not in known:
        meant = nearest(name, tuple(known))
        fail(f"{option}no view {name}" + (f"; did you mean {meant}?" if meant else "; see evtop views list"))


def _file(option: str = "") -> ViewFile:
    from monitor.views import ViewFile

    file = ViewFile.saved()
    if file is None:
        fail(f"{option}there is no home folder; set XDG_CONFIG_HOME")
    return file


def _read(file: ViewFile, option: str = "") -> Views:
    from monitor.views import ViewsError

    try:
        return file.read()
    except ViewsError as error:
        fail(f"{option}{error}")
