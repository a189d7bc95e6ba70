"""What a screen with a histogram beside facets does with it: zooms, reads older bars, filters by a span."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

from textual.binding import Binding

from monitor.errors import read_failure
from monitor.messages import HistogramRead, HistogramUnread
from monitor.model.counts import minute_of
from monitor.model.filter import Span
from monitor.model.histogram import Bar, HistogramHistory, TimeView, Wanted
from monitor.screens.console_screen import Reader
from monitor.screens.facet_screen import COUNTING_TIMEOUT, RETRY_AFTER, SETTLED_AFTER, FacetScreen
from monitor.text import clean
from monitor.widgets.histogram import Histogram, Picture
from monitor.zone import Zone

_UNITS = {1: "min", 5: "5 min", 60: "h", 1440: "day"}
_TITLES = {1: "Events a minute", 5: "Events in 5 min", 60: "Events an hour", 1440: "Events a day (UTC)"}


class CountingScreen(FacetScreen):
    """Shows in a `FacetPane` and a `Histogram` what `shown` lets through."""

    BINDINGS = [Binding("i", "histogram", "Histogram: zoom, select a span")]

    def __init__(self) -> None:
        super().__init__()
        self._history = HistogramHistory()
        self._view = TimeView()
        self._reading_history: Wanted | None = None
        self._retry_history_at = 0.0
        self._history_failed = ""

    def show_counts(self) -> None:
        """Draw facets and histogram as the model knows them now."""
        now = self.console.now()
        self.show_facets(now)
        self._show_histogram(now)

    def action_histogram(self) -> None:
        """Go to the histogram."""
        self.remove_class("-side-over")
        # At once, unlike `focus()`: the next key may be there already.
        self.set_focus(self.query_one(Histogram))

    def on_histogram_focus_changed(self) -> None:
        """Tell the number under the cursor, or no more."""
        if self.is_ready:
            self.show_counts()

    @property
    def bar_minutes(self) -> int:
        """How many minutes a bar of the histogram stands for."""
        return self._view.step

    def zoom_to(self, minutes: int) -> None:
        """Bars of so many minutes."""
        self._view.zoom_to(minutes, self._present)
        self.show_counts()

    def on_histogram_moved(self, message: Histogram.Moved) -> None:
        """Move the cursor of the histogram."""
        if message.bars is None:
            self._view.newest()
        else:
            self._view.move(message.bars, self._present)
        self.show_counts()

    def on_histogram_zoomed(self, message: Histogram.Zoomed) -> None:
        """Zoom in or out around the cursor."""
        if self._view.zoom(message.by, self._present):
            self.show_counts()
        else:
            self.notify("no finer bars" if message.by < 0 else "no coarser bars", markup=False, timeout=2)

    def on_histogram_marked(self) -> None:
        """Begin a span at the cursor."""
        self._view.mark_here(self._present)
        self.show_counts()

    def on_histogram_selected(self) -> None:
        """Show only what happened in the span."""
        minutes = self._view.selected(self._present)
        self._view.mark = None
        since, until = (datetime.fromtimestamp(minute * 60, UTC) for minute in (minutes.start, minutes.stop))
        self.apply_filter(self.shown.within(Span(since, until)))

    def on_histogram_cleared(self) -> None:
        """Give up the mark, else the span of the filter."""
        if self._view.mark is not None:
            self._view.mark = None
            self.show_counts()
        else:
            self.apply_filter(self.shown.within(None))

    def on_histogram_read(self, message: HistogramRead) -> None:
        """Keep what the store told; it belongs to its filter and zoom, whatever is looked at by now."""
        self._history.take(message.wanted, message.counts, self.console.tick())
        self._history_failed = ""
        if message.wanted == self._reading_history:
            self._reading_history = None
        if self.is_ready:
            self.show_counts()

    def on_histogram_unread(self, message: HistogramUnread) -> None:
        """Say so, and leave the store in peace for a moment."""
        if message.wanted == self._reading_history:
            self._reading_history = None
            self._retry_history_at = self.console.tick() + RETRY_AFTER
            self._history_failed = message.reason
            if self.is_ready:
                self.show_counts()

    @property
    def _present(self) -> int:
        return minute_of(self.console.now())

    def _show_histogram(self, now: datetime) -> None:
        model, view, present = self.console.model, self._view, minute_of(now)
        counts = model.histogram
        counts.show(self.shown, now)
        buckets = view.buckets(present)
        complete_from = counts.complete_from(now)
        wanted = self._history.missing(counts.scope, buckets, complete_from, self.console.tick())
        if wanted is not None and model.opened:
            self._read_history(wanted)
        bars = counts.bars(buckets, self._history.told(counts.scope, view.step))
        cursor = buckets.index(view.cursor(present))
        selected = self._selected(buckets, present)
        is_read = wanted is None or self._history.told(counts.scope, view.step) is not None
        self.query_one(Histogram).show(
            Picture(
                bars=bars,
                cursor=cursor,
                selected=selected,
                unit=_UNITS[view.step],
                title=self._title(bars, selected if view.mark else range(cursor, cursor + 1), buckets, now),
                subtitle=self._subtitle(buckets, now, is_read=is_read and wanted is None),
                can_clear=view.mark is not None or self.shown.span is not None,
            )
        )

    def _selected(self, buckets: range, present: int) -> range | None:
        """The bars of the span that is being marked, or of the filter."""
        if self._view.mark is not None:
            minutes = self._view.selected(present)
        elif self.shown.span is not None:
            minutes = range(minute_of(self.shown.span.since), minute_of(self.shown.span.until))
        else:
            return None
        inside = [
            index
            for index, start in enumerate(buckets)
            if start < minutes.stop and start + buckets.step > minutes.start
        ]
        return range(inside[0], inside[-1] + 1) if inside else None

    def _title(self, bars: tuple[Bar, ...], told: range | None, buckets: range, now: datetime) -> str:
        """What the bars are, and of a focused histogram what those of `told` stand for."""
        zone, view = self.console.zone, self._view
        if self.query_one(Histogram).has_focus and told:
            first = _moment(buckets[told[0]], view.step, zone, now)
            bar = Bar(*map(sum, zip(*(bars[index] for index in told), strict=True)))
            when = (
                first
                if len(told) == 1
                else f"{first} – {_moment(buckets[told[-1]] + view.step, view.step, zone, now)}"
            )
            title = f"{when} · {bar.total:,} events"
            named = (("E", bar.errors), ("W", bar.warnings), ("I", bar.infos), ("-", bar.others))
            title += "".join(f" · {letter} {count:,}" for letter, count in named if count)
            return title if view.mark is None else f"{title} · enter selects"
        hidden = self.console.model.timeline.hidden
        title = _TITLES[view.step]
        return title + (f" · {hidden:,} hidden by the filter" if hidden else "")

    def _subtitle(self, buckets: range, now: datetime, *, is_read: bool) -> str:
        zone, step = self.console.zone, self._view.step
        span = f"{_moment(buckets[0], step, zone, now)} – {_moment(buckets[-1], step, zone, now)}"
        if self.shown.span is not None:
            span = f"only {self.shown.span.describe(zone)} · {span}"
        if self._history_failed and not is_read:
            return f"older: {self._history_failed} · {span}"
        return span if is_read else f"reading older… · {span}"

    def _read_history(self, wanted: Wanted) -> None:
        reader = self.console.reader
        # One read at a time; the one for what is looked at now comes when that is done, or at once in its stead.
        if reader is None or self.console.tick() < self._retry_history_at or wanted == self._reading_history:
            return
        self._reading_history = wanted
        # Called by the worker itself: one that is ended before it began leaves no coroutine that nobody waits for.
        work = partial(self._load_history, reader, wanted)
        self.run_worker(work, group="histogram", exclusive=True, exit_on_error=False)

    async def _load_history(self, reader: Reader, wanted: Wanted) -> None:
        try:
            await asyncio.sleep(SETTLED_AFTER)
            async with asyncio.timeout(COUNTING_TIMEOUT):
                counts = await reader.histogram(wanted.since, wanted.until, wanted.step, wanted.scope.node())
        except TimeoutError:
            self.post_message(HistogramUnread(wanted, "the store takes too long to count"))
        except Exception as error:
            # Whatever it was, it must be asked for again.
            self.post_message(HistogramUnread(wanted, clean(read_failure(error))))
        else:
            self.post_message(HistogramRead(wanted, counts))


def _moment(minute: int, step: int, zone: Zone, now: datetime) -> str:
    """When a bar begins, as exactly as its step is: `14:05`, `11-20 14:00`, `2026-11-20`."""
    moment = datetime.fromtimestamp(minute * 60, UTC)
    if step == 1440:
        # Bars of a day are of days in UTC, in which the store counts.
        is_shifted = moment.astimezone(zone.tzinfo).utcoffset()
        return f"{moment:%Y-%m-%d}" + (" UTC" if is_shifted else "")
    local, today = moment.astimezone(zone.tzinfo), now.astimezone(zone.tzinfo)
    if local.date() == today.date():
        return zone.minute(moment)
    return f"{local:%m-%d} {zone.minute(moment)}" if local.year == today.year else f"{local:%Y-%m-%d %H:%M}"
