"""The help: every key of the focused pane and the screen, what the counts mean, where things are."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widget import Widget

from monitor.bindings import keys_of
from monitor.widgets.help_lines import HelpLines, Section

LEGEND = (
    ("● live", "announcements arrive over the bus; the store's last position is checked every 2 s besides"),
    ("◐ polling", "no bus: the store is read four times a second"),
    (
        "✖ reconnecting",
        "the bus was lost; the store is polled until it is back; then which try comes, and when",
    ),
    (
        "◌ reading ● following",
        "files, or a pipe that may go on; ✓ read: to the end, and the time is that of the last event",
    ),
    ("✖ store away", "the store does not answer; live events go on, gaps wait"),
    ("✖ stale since", "neither the bus nor the store answers: nothing newer than this can be on the screen"),
    ("lag", "from when the newest event happened until now, or until it arrived while events keep coming"),
    (
        "clock",
        "a producer whose clock is ahead (+) or behind (−) of this machine's, or whose events are all held up",
    ),
    ("▲ personal data shown", "nothing is hidden of what EVTOP_PERSONAL and evtop call personal"),
    ("▲ bus open to others", "the way to the bus is not encrypted, or not checked; see where things are"),
    (
        "▲ worker gone",
        "evtop worker was killed and none took over, or a job of it failed; see where things are",
    ),
    ("dropped", "messages that did not fit the buffer; their events are read from the store"),
    ("gaps", "spans in which events may be missing on screen and are not recovered yet"),
    ("missed", "announcements that never came, by the producers' own numbering; read from the store"),
    ("lost", "missed announcements whose events the store does not have"),
    ("malformed", "messages on the channel, or lines, that were no events; M shows the last ones"),
    ("unreadable", "rows of the store that are no events; something else wrote them"),
    ("duplicates", "events that were announced more than once; shown and counted once"),
    ("late", "events that arrived after ones that happened 10 s later; they stand where they belong"),
    ("unsigned forged", "messages with no signature, or a wrong one, where a signing key is set"),
    ("altered", "events that the store has otherwise than the bus told; the store's are shown"),
    ("received", "events that arrived since the console was started"),
    ("? before a type", "came over the bus alone; the store has not confirmed it yet"),
    ("∅ before a type", "still not in the store after 10 s"),
    ("◆ before a type", "bookmarked; u and U go there"),
    ("0 before a type", "the row at which the incident began; T+04:31 is the time from then on"),
    (
        "×37 before a type",
        "a run of so many alike rows, folded to its last one (z, Z); from: the time of its first",
    ),
    (
        "┊ before a type",
        "context: the filter hides this row, and it happened right before or after one that is shown",
    ),
    ("✖ E  ▲ W  · I", "severity: error, warning, info"),
    ("● ○ ◉", "facets: shown, hidden, shown alone"),
    (
        "▲3.2× ▼0.1× new",
        "the last minute against the mean minute of the hour before, if not by chance; none in it",
    ),
    ("since 13:41", "facets: from when on all is counted; what was before is not loaded"),
    ("E W under a bar", "histogram: it has errors, or else warnings; ▓ ▒ in it are as many"),
    (
        "▁ ▄ ▇",
        "health: up, degraded, down, the worst of each slice of the last 24 h; blank where nothing is known",
    ),
    ("99.98 % of 6 d", "uptime, degraded included, of as much of 24 h or 30 d as is known"),
    ("· ░ ▒ ▓ █", "heatmap: how many, against the most in its row"),
)
FILTERS = (
    ("tracker timed", "both words, anywhere in type, ids, status or metadata"),
    ('"timed out"', "a phrase"),
    ("type:download.failed", "a field: type category severity status actor resource id"),
    ("type:download.*", "* stands for any text; field:* means that the field has a value"),
    ("severity>=warning", "info < warning < error"),
    ("resource:download/9f3a", "in its primary or its secondary role"),
    ("@error.code>=500", "what is in the metadata; @error.code:* has any value"),
    ("/timed.*out/", "a regular expression, whatever the case; status:/^f/ in a field"),
    ("last:15m since:14:05", "a span of time; until:-5m ends it"),
    ("-actor:system", "not; events without the field stay"),
    ("a OR (b c)", "either"),
)


class HelpScreen(ModalScreen[None]):
    """Lists the bindings of `focused`, of `behind` and of the application; generated, so that it is complete."""

    BINDINGS = [Binding("escape,q,question_mark,f1", "app.pop_screen", "Back")]

    def __init__(self, focused: Widget | None, behind: DOMNode, places: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._focused = focused
        self._behind = behind
        self._places = tuple(places)

    def compose(self) -> ComposeResult:
        """The sections."""
        sections: list[Section] = []
        if self._focused is not None:
            title = self._focused.id or type(self._focused).__name__
            sections.append((f"keys of the {title.replace('-', ' ')}", keys_of(self._focused)))
        sections.append(("keys everywhere", keys_of(self._behind)))
        sections.append(("", keys_of(self.app)))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        sections.append(("filters", FILTERS))
        sections.append(("what the signs and counts mean", LEGEND))
        sections.append(("where things are", self._places))
        lines = HelpLines(sections, id="help")
        lines.add_class("dialog")
        lines.border_title = Content("Help")
        lines.border_subtitle = Content("j k PgDn PgUp move · esc back")
        yield lines
