"""What a screen with facets does with them: counts a field, reads the counts of an old span, filters by a value."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import NamedTuple

from monitor.messages import SpanFacetsRead, SpanFacetsUnread
from monitor.model.counts import WINDOW_MINUTES
from monitor.model.facets import FacetLine, Trend, stored_fields, stored_lines
from monitor.model.filter import Filter
from monitor.screens.console_screen import Reader
from monitor.screens.exporting import ExportingScreen
from monitor.text import clean
from monitor.widgets.facet_pane import FacetPane
from store.errors import StoreError
from store.query.syntax import Field

SPAN_VALUES = 1000
"""Values that are read from the store for a span."""
RETRY_AFTER = 5.0
"""Seconds until the store is asked again for counts after it could not tell."""
COUNTING_TIMEOUT = 30.0
"""Seconds after which a count by the store is given up: a free query has to look at every event of the time."""
SETTLED_AFTER = 0.3
"""Seconds that a filter has to stay before the store counts for it: each letter of a query is a filter."""


class SpanFacets(NamedTuple):
    """What the store is asked for: the values of `field` among the events of `scope`, which has a span."""

    scope: Filter
    field: Field


class FacetScreen(ExportingScreen):
    """Shows in a `FacetPane` what `shown` lets through."""

    shown: Filter

    def __init__(self) -> None:
        super().__init__()
        self._told: tuple[SpanFacets | None, tuple[FacetLine, ...]] = (None, ())
        self._asked: SpanFacets | None = None
        self._ask_again_at = 0.0

    def apply_filter(self, shown: Filter) -> None:
        """Show what `shown` lets through."""
        raise NotImplementedError

    def show_facets(self, now: datetime) -> None:
        """Draw the facets as the model knows them now, or the store told them."""
        facets, pane = self.console.model.facets, self.query_one(FacetPane)
        facets.show(self.shown, pane.field, now)
        span = self.shown.span
        if span is not None and not facets.covers(span, now):
            wanted = SpanFacets(facets.scope, pane.field)
            lines = self._told[1] if self._told[0] == wanted else ()
            failed = self.console.tick() < self._ask_again_at
            covers = "of the span" if self._told[0] == wanted else "store away" if failed else "reading…"
            pane.show(lines, self.shown, lambda _line: Trend(()), covers)
            if self._told[0] != wanted:
                self._ask(wanted)
            return
        since = facets.since(now)
        covers = f"{WINDOW_MINUTES // 60} h" if since is None else f"since {self.console.zone.minute(since)}"
        covers = covers if span is None else "of the span"
        pane.show(facets.lines(now), self.shown, lambda line: facets.trend(line, now), covers)

    def on_facet_pane_toggled(self, message: FacetPane.Toggled) -> None:
        """Show or hide a value."""
        self.apply_filter(self.shown.toggled(message.facet))

    def on_facet_pane_soloed(self, message: FacetPane.Soloed) -> None:
        """Show only a value of its field, or all of them again."""
        self.apply_filter(self.shown.soloed(message.facet))

    def on_facet_pane_field_chosen(self) -> None:
        """Count another field."""
        self.show_facets(self.console.now())

    def on_span_facets_read(self, message: SpanFacetsRead) -> None:
        """Keep what the store told, if it is still wanted."""
        if self._asked == (message.scope, message.field):
            self._told = (self._asked, stored_lines(message.field, message.counts))
            self._asked = None
            if self.is_ready:
                self.show_facets(self.console.now())

    def on_span_facets_unread(self, message: SpanFacetsUnread) -> None:
        """Say so, and leave the store in peace for a moment."""
        if self._asked == (message.scope, message.field):
            self._asked = None
            self._ask_again_at = self.console.tick() + RETRY_AFTER
            self.notify(clean(message.reason), severity="error", markup=False)
            if self.is_ready:
                self.show_facets(self.console.now())

    def _ask(self, wanted: SpanFacets) -> None:
        reader = self.console.reader
        if reader is None or wanted == self._asked or self.console.tick() < self._ask_again_at:
            return
        self._asked = wanted
        work = partial(self._read, reader, wanted)
        self.run_worker(work, group="facets", exclusive=True, exit_on_error=False)

    async def _read(self, reader: Reader, wanted: SpanFacets) -> None:
        scope, field = wanted
        try:
            await asyncio.sleep(SETTLED_AFTER)
            async with asyncio.timeout(COUNTING_TIMEOUT):
                counts = await reader.combinations(stored_fields(field), scope.selection(), SPAN_VALUES)
        except TimeoutError:
            self.post_message(SpanFacetsUnread(scope, field, "the store takes too long to count the span"))
        except StoreError as error:
            self.post_message(SpanFacetsUnread(scope, field, str(error)))
        except Exception as error:
            # Whatever it was, it must be asked for again.
            self.post_message(SpanFacetsUnread(scope, field, f"counting failed: {type(error).__name__}"))
        else:
            self.post_message(SpanFacetsRead(scope, field, counts))
