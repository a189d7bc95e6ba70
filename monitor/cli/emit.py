"""`evtop emit`: record one event, from a shell script or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.demo import require_demo
from monitor.cli.options import Demo, chosen_settings, fail, run_to_end, write
from store.bus_url import EMBEDDED

if TYPE_CHECKING:
    from monitor.settings import Settings
    from store.event import Event


def emit(
    event_type: Annotated[str, typer.Argument(help="What happened: noun.verb, in lower case.")],
    resource: Annotated[
        str | None, typer.Option("--resource", "-r", help="What it happened to: TYPE/ID.")
    ] = None,
    secondary: Annotated[
        str | None, typer.Option(help="A second resource: TYPE/ID, an episode, say.")
    ] = None,
    actor: Annotated[
        str, typer.Option("--actor", "-a", help="Who did it: user:ID, job:ID or system.")
    ] = "system",
    severity: Annotated[
        str | None, typer.Option("--severity", "-s", help="info, warning, error or none; default by type.")
    ] = None,
    status: Annotated[str | None, typer.Option(help="The status after it: completed, failed, down…")] = None,
    category: Annotated[str | None, typer.Option(help="The category; default by type.")] = None,
    metadata: Annotated[str | None, typer.Option("--metadata", "-m", help="A JSON object.")] = None,
    demo: Demo = False,
) -> None:
    """Record one event: store it, then announce it. Prints its id."""
    from pydantic import ValidationError

    from store.event import Event, split_reference
    from store.taxonomy import RefusedEventError, active
    from store.wire import validation_reason

    # First, because the taxonomy gives category and severity.
    settings = chosen_settings(demo)
    if demo:
        require_demo()
    fields: dict[str, Any] = {"event_type": event_type, "status": status}
    for name, reference in (("resource", resource), ("secondary_resource", secondary), ("actor", actor)):
        if reference is not None:
            fields[f"{name}_type"], fields[f"{name}_id"] = split_reference(reference)
    if severity is not None:
        fields["severity"] = None if severity == "none" else severity
    if category is not None:
        fields["category"] = category
    if metadata is not None:
        fields["metadata"] = _json_object(metadata)
    try:
        event = active().admit(Event(**fields))
    except ValidationError as error:
        fail(validation_reason(error))
    except RefusedEventError as error:
        fail(str(error))
    # Without a console no one listens on the private bus: that is no fault to report.
    run_to_end(_record(event, settings), warn=settings.bus != EMBEDDED)
    write(str(event.id))


async def _record(event: Event, settings: Settings) -> None:
    from monitor.backend import open_store

    async with await open_store(settings) as store:
        await store.create(event)


def _json_object(text: str) -> dict[str, Any]:
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        fail(f"--metadata: {error}")
    if not isinstance(value, dict):
        fail("--metadata: must be a JSON object")
    return value  # pyright: ignore[reportUnknownVariableType]
