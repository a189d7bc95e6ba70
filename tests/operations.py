"""What docs/operations.md tells people to run, for the tests to run it."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = (Path(__file__).parent.parent / "docs" / "operations.md").read_text(encoding="utf-8")


def blocks(heading: str, language: str) -> list[str]:
    """The blocks of `language` under `heading`, in their order."""
    _, found, rest = _PAGE.partition(f"\n## {heading}\n")
    assert found, heading
    return re.findall(rf"```{language}\n(.*?)```", rest.partition("\n## ")[0], re.DOTALL)


def statements(heading: str, account: str, database: str, login: str, password: str) -> list[str]:
    """The SQL that makes `account` in the docs, for an account `login` in `database`."""
    [block] = [block for block in blocks(heading, "sql") if account in block]
    block = re.sub(r"\bDATABASE evtop\b", f"DATABASE {database}", block)
    block = re.sub(r"\bON evtop\.", f"ON {database}.", block)
    block = block.replace(account, login).replace("CHANGE-ME", password)
    assert database in block
    assert password in block
    return [statement.strip() for statement in block.split(";") if statement.strip()]


def access_list(viewer: str, producer: str, worker: str) -> str:
    """The users of the bus in the docs, with these passwords."""
    [block] = blocks("The bus", "acl")
    assert block.count("CHANGE-ME") == 3
    for account, password in (("VIEWER", viewer), ("PRODUCER", producer), ("WORKER", worker)):
        block = block.replace(f"CHANGE-ME-{account}", password)
    return block
