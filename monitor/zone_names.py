"""The ways to show times, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from monitor.zone import Zone
from store.zones import known_zones, parse_zone

_USUAL = {zone.name.lower(): zone for zone in Zone.USUAL} | {"z": Zone.UTC, "relative": Zone.RELATIVE}


def zone_named(text: str) -> Zone:
    """The way to show times that `text` names: what `parse_zone` takes, or `ago`.

    Raises:
        ValueError: there is no such zone; the message names the nearest one.
    """
    name = text.strip()
    if (usual := _USUAL.get(name.lower())) is not None:
        return usual
    zone = parse_zone(name)
    return Zone.UTC if zone == UTC else Zone(str(zone).removeprefix("UTC"), zone)


def zones_like(text: str, limit: int = 5) -> Sequence[str]:
    """Names that `text` may be meant to become: that begin with it, then places that do, then that contain it."""
    wanted = text.strip().lower().replace(" ", "_")
    if not wanted:
        return ()

    def rank(name: str) -> tuple[bool, bool, str]:
        folded = name.lower()
        return (not folded.startswith(wanted), f"/{wanted}" not in folded, name)

    names = {*(zone.name for zone in Zone.USUAL), *known_zones().values()}
    return sorted((name for name in names if wanted in name.lower()), key=rank)[:limit]
