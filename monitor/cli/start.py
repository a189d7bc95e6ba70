"""What the console shows first: as the options say, as a saved view has it, or as it was left the last time."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitor.cli.console import start_place, start_zone
from monitor.cli.options import fail
from monitor.cli.views import named_view
from monitor.model.start import Start
from monitor.settings import ZONE_VARIABLE

if TYPE_CHECKING:
    from monitor.model.view import View
    from monitor.zone import Zone


def chosen_start(
    query: str | None, at: str | None, zone: str | None, view: str | None, last: str | None
) -> Start:
    """What the options say; without any, what the system `last` showed when its console was left, if that is not None.

    What cannot be read of the options ends the program with one line.
    """
    if view is not None:
        if query is not None:
            fail("--view has a filter of its own; leave --query out")
        return _start_with(named_view(view, "--view: "), at, zone)
    shown_in = start_zone(zone)
    if query is not None or at is not None or last is None:
        return Start(start_place(query, at, shown_in.tzinfo), shown_in)
    return _last_start(last, zone, shown_in)


def _start_with(view: View, at: str | None, zone: str | None) -> Start:
    from monitor.model.place import Place
    from monitor.zone_names import zone_named

    own = zone_named(view.zone) if view.zone is not None else None
    shown_in = start_zone(zone) if zone is not None or own is None else own
    at_place = start_place(None, at, shown_in.tzinfo)
    try:
        shown = view.filter(datetime.now(UTC), shown_in.tzinfo)
    except ValueError as error:
        fail(f"--view: its filter: {error}")
    return Start(Place(shown, at_place and at_place.at), shown_in, view)


def _last_start(name: str, zone: str | None, shown_in: Zone) -> Start:
    """What was shown last; what is said now, in an option or a variable, wins."""
    from monitor.views import ViewFile, ViewsError

    file = ViewFile.last()
    try:
        views = file.read() if file is not None else None
    except ViewsError as error:
        return Start(zone=shown_in, notice=f"what was shown last cannot be read: {error}")
    view = views.by_name.get(name) if views is not None else None
    if views is None or view is None:
        return Start(zone=shown_in, notice=views.problems.get(name, "") if views is not None else "")
    from monitor.model.place import Place
    from monitor.zone_names import zone_named

    if view.zone is not None and zone is None and not os.environ.get(ZONE_VARIABLE):
        shown_in = zone_named(view.zone)
    try:
        shown = view.filter(datetime.now(UTC), shown_in.tzinfo)
    except ValueError as error:
        return Start(zone=shown_in, view=view, notice=f"the filter that was shown last: {error}")
    said = (
        "the filter of the last time; C clears it, evtop --fresh starts without"
        if shown.hides_something
        else ""
    )
    return Start(Place(shown), shown_in, view, said)
