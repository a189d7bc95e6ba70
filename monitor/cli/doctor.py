"""`evtop doctor`: what may keep evtop from working, and what to do about it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import Demo, Output, run_to_end, write, write_json
from monitor.errors import StartError
from monitor.settings import Settings
from monitor.settings_file import fill_in

if TYPE_CHECKING:
    from monitor.doctor.finding import Finding

LEAST_ROOM = 20
"""Cells for what was found, however narrow the terminal is."""


def doctor(
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Plain text, or a JSON object a line.")
    ] = Output.TEXT,
    demo: Demo = False,
) -> None:
    """Try settings, store, bus, clocks, terminal and files, and say what to do about what is wrong.

    Nothing is changed, and no server is started. Exit status 1 says that something is broken.
    """
    from monitor.doctor.finding import Result

    # What is logged on the way is among the findings.
    findings = run_to_end(_examine(demo), warn=False)
    if output is Output.JSON:
        from dataclasses import asdict

        for finding in findings:
            write_json(asdict(finding))
    else:
        from monitor.terminal_device import terminal_size

        size = terminal_size() if os.isatty(1) else None
        for line in report_lines(findings, size and size[0]):
            write(line)
    raise typer.Exit(1 if any(finding.result is Result.BROKEN for finding in findings) else 0)


async def _examine(demo: bool) -> list[Finding]:
    from importlib.metadata import version
    from platform import python_version

    from monitor.doctor.bus import examine_bus
    from monitor.doctor.files import (
        examine_files,
        examine_settings,
        examine_views,
        examine_window,
        examine_zone,
    )
    from monitor.doctor.finding import Finding, Result
    from monitor.doctor.store import examine_store
    from monitor.doctor.terminal import examine_terminal
    from monitor.terminal_device import terminal_size
    from monitor.views import ViewFile

    software = f"evtop {version('evtop')}, Python {python_version()}, {sys.platform}"
    findings = [Finding("evtop", "version", Result.OK, software), *examine_settings(os.environ)]
    terminal = list(examine_terminal(os.environ, terminal_size(), is_terminal=os.isatty(0) and os.isatty(1)))
    before = dict(os.environ)
    try:
        fill_in()
        settings = Settings.for_demo() if demo else Settings.from_environment()
        settings.activate_taxonomy()
        settings.activate_health()
    except StartError as error:
        advice = "`evtop config show` tells where each comes from"
        return [*findings, Finding("settings", "use", Result.BROKEN, str(error), advice), *terminal]
    findings += examine_zone(os.environ)
    findings += examine_window()
    findings += [finding async for finding in examine_store(settings)]
    findings += [finding async for finding in examine_bus(settings)]
    return [*findings, *examine_files(settings, before), *examine_views(ViewFile.saved()), *terminal]


def report_lines(findings: Sequence[Finding], width: int | None = None) -> list[str]:
    """A line for each, and below it what to do; then the sum. Broken between words to `width` cells, if it is given."""
    room = max(len(f"{finding.part} {finding.tried}") for finding in findings)
    indent = " " * (11 + room)
    lines: list[str] = []
    for finding in findings:
        texts = [f"{finding.result:8} {f'{finding.part} {finding.tried}':{room}}  {finding.found}"]
        if finding.advice:
            texts.append(f"{indent}→ {finding.advice}")
        for text in texts:
            if width is None:
                lines.append(text)
            else:
                lines += wrap(
                    text,
                    max(width, len(indent) + LEAST_ROOM),
                    subsequent_indent=indent,
                    break_on_hyphens=False,
                )
    counts = Counter(str(finding.result) for finding in findings)
    broken, warnings = counts["broken"], counts["warning"]
    lines.append(f"{broken} broken, {warnings} to look at" if broken or warnings else "all is well")
    return lines
