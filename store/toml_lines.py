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


def line_of(text: str, owner: str | None, key: str | None = None, *, within: str = "") -> int | None:
    """The line, from 1, of `key` in the table or entry `owner`, or of that; None when it is not written plainly.

    An `owner` may be written below the table `within`, as in `[within.owner]`.
    """
    lines = text.split("\n")
    start = 0
    if owner is not None:
        above = rf"({re.escape(within)}\s*\.\s*)?" if within else ""
        declared = re.compile(rf"""\s*\[?\s*{above}["']?{re.escape(owner)}["']?\s*[\].=]""")
        found = next((index for index, line in enumerate(lines) if declared.match(line)), None)
        if found is None:
            return None
        start = found
    if key is not None:
        assigned = re.compile(rf"""(^|[{{,.\s\[])["']?{re.escape(key)}["']?\s*[=\].]""")
        for index in range(start, len(lines)):
            if not lines[index].lstrip().startswith("#") and assigned.search(lines[index]):
                return index + 1
    return start + 1 if owner is not None else None
