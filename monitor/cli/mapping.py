"""What `--map` names, for commands that read lines which are no events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.options import fail

if TYPE_CHECKING:
    from store.importing.mapping import FieldMapping


def read_mapping(file: Path) -> FieldMapping:
    """The mapping in `file`; one that cannot be used ends the program with one line."""
    from store.importing.mapping import MappingError, load_mapping

    try:
        return load_mapping(file)
    except MappingError as error:
        fail(str(error))
