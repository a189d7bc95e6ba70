"""A process that gets ready, and waits for a word before it begins."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def on_a_word(source: str, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Python `source` in a process with `words` as arguments, once it has said "ready"; killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", source, *words),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
