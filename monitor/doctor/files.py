"""Settings and files: what is misspelt, and what others may read."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from monitor.doctor.finding import Finding, Result
from monitor.errors import StartError
from monitor.settings import SECRET_VARIABLES, ZONE_VARIABLE, Settings, unknown_variables, window_rows
from monitor.settings_file import exposed_password
from monitor.views import ViewFile, Views, ViewsError
from monitor.zone_names import zone_named
from store.environment import SIGNING_KEY

_SQLITE = "sqlite:///"


def examine_settings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that look like ours and are none."""
    unknown = list(unknown_variables(environment))
    for name, meant in unknown:
        advice = f"did you mean {meant}?" if meant else "unset it"
        yield Finding("settings", "variables", Result.WARNING, f"{name} is no setting", advice)
    if not unknown:
        yield Finding("settings", "variables", Result.OK, "all are known")


def examine_zone(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the zone that the console is to start in is one."""
    if zone := environment.get(ZONE_VARIABLE):
        try:
            zone_named(zone)
        except ValueError as error:
            found, _, advice = str(error).partition("; ")
            yield Finding("settings", "zone", Result.BROKEN, f"{ZONE_VARIABLE}: {found}", advice)


def examine_window() -> Iterator[Finding]:
    """Whether the timeline can be as long as the environment says."""
    try:
        window_rows()
    except StartError as error:
        found, _, advice = str(error).partition(": ")
        yield Finding("settings", "window", Result.BROKEN, f"{found}: not a length", f"set it to {advice}")


def examine_views(file: ViewFile | None) -> Iterator[Finding]:
    """What is wrong with the views that were saved, if there are any."""
    try:
        views = Views() if file is None else file.read()
    except ViewsError as error:
        yield Finding("files", "views", Result.WARNING, str(error), "mend it, or move it away")
        return
    for line in views.problems.values():
        yield Finding("files", "views", Result.WARNING, line, "mend it; the others can be opened")
    if views.by_name and not views.problems:
        yield Finding("files", "views", Result.OK, f"{len(views.by_name):,} can be opened")


def examine_files(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Who may read what is secret: files with passwords and keys, and the store where it is a file."""
    exposed = exposed_password(environment)
    warnings = [*settings.warnings, *([exposed] if exposed else [])]
    for line in warnings:
        found, _, advice = line.rpartition("; ")
        yield Finding("files", "secrets", Result.WARNING, found, advice)
    names = [name for name in SECRET_VARIABLES if name != SIGNING_KEY and environment.get(name)]
    if names and not settings.warnings:
        yield Finding("files", "secrets", Result.OK, f"{', '.join(names)}: for their owner alone")
    if settings.store.startswith(_SQLITE) and "?" not in settings.store:
        yield from _store_file(Path(settings.store.removeprefix(_SQLITE)))


def _store_file(file: Path) -> Iterator[Finding]:
    try:
        readable = file.stat().st_mode & stat.S_IROTH and file.parent.stat().st_mode & stat.S_IXOTH
    except OSError:
        # Whether it is there is a question for the store.
        return
    if readable:
        found = f"{file}: everyone on this machine may read it"
        yield Finding("files", "store", Result.WARNING, found, "chmod o= it, or its folder")
    else:
        yield Finding("files", "store", Result.OK, f"{file}: not for everyone")
