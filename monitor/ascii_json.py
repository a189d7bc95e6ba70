"""JSON that no terminal can take for anything else."""

from __future__ import annotations


def ascii_json(document: str) -> str:
    """A JSON document with everything but printable ASCII escaped."""
    if document.isascii() and document.isprintable():
        return document
    return "".join(character if " " <= character <= "~" else _escaped(character) for character in document)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index]:02x}{units[index + 1]:02x}" for index in range(0, len(units), 2))
