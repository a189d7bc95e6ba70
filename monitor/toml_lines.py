"""Where things stand in a TOML file, for those who are told what is wrong with them: parsers do not say."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[([^\]]+)\]")
_ENTRY = re.compile(r"\s*([\w.\"'-]+)\s*=")


def entry_lines(text: str) -> dict[str, int]:
    """The line of each table, and of each `TABLE.KEY`, the first one being 1."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if (header := _HEADER.match(line)) is not None:
            name = header[1].strip().strip("\"'")
            lines.setdefault(name, number)
            table = name + "."
        elif (entry := _ENTRY.match(line)) is not None:
            lines[table + re.sub("[\"']", "", entry[1])] = number
    return lines
