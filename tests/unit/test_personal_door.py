"""A lint: personal data is hidden where text is made of events, so no other module may make text of their metadata."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READS_METADATA = {
    "monitor/masking.py": "the door",
    "monitor/model/lean.py": "keeps events",
    "monitor/model/detail.py": "the real value, to filter by",
    "monitor/model/seen_values.py": "offers no value that is hidden",
    "monitor/model/actor.py": "counts addresses, and names none",
    "monitor/health": "judges; titles and labels are hidden where they are made and shown",
    "monitor/demo": "an application, which makes events",
}
"""Modules that look at the metadata of events as they are, and why that does not show them."""
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "monitor").rglob("*.py"))


def may_read(path: str) -> bool:
    return any(path == allowed or path.startswith(f"{allowed}/") for allowed in READS_METADATA)


@pytest.mark.parametrize("path", [path for path in MODULES if not may_read(path)])
def test_no_other_module_reads_metadata_or_writes_events(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    encodes = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "store.wire"
        and any(name.name == "encode" for name in node.names)
        for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Attribute) and node.attr == "metadata"), f"{path}:{node.lineno}"
        if (
            encodes
            and isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "encode"
        ):
            assert "shown_event(" in ast.unparse(node), f"{path}:{node.lineno}"


def test_the_exceptions_are_there() -> None:
    assert all((ROOT / path).exists() for path in READS_METADATA)
