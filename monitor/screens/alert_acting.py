"""What every screen with alerts does about them: acknowledge, silence."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.author import author
from monitor.errors import StartError
from monitor.health.alert_events import acknowledged, unacknowledged
from monitor.health.desk import DeskAlert
from monitor.health.engine import AlertState
from monitor.screens.console_screen import ConsoleScreen
from monitor.screens.line_prompt import LinePrompt
from monitor.text import clean
from monitor.zone import lasted
from store.event import Event
from store.query.moments import parse_span
from store.query.quoting import write_value

if TYPE_CHECKING:
    from monitor.health.silences import Silence

USUAL_SILENCE = "2h "


class AlertActingScreen(ConsoleScreen):
    """Asks for what is to be said of an alert, and has it recorded."""

    def acknowledge(self, one: DeskAlert) -> None:
        """Acknowledge the alert until it clears; of one that is acknowledged, take that back."""
        by = self._author()
        if by is None:
            return
        if one.alert.state is not AlertState.FIRING and not one.flapping:
            self._refuse("it does not fire: there is nothing to acknowledge")
            return
        taken_back = one.acknowledged is not None

        def said(comment: str | None) -> None:
            if comment is None:
                return
            try:
                event = (unacknowledged if taken_back else acknowledged)(
                    one.episode, by, comment, self.console.now()
                )
            except ValueError:
                self._refuse("no event can hold this alert")
                return
            done = "no longer acknowledged" if taken_back else f"acknowledged by {by} until it clears"
            self.console.record_alert(event, done)

        label = "take the acknowledgement back:" if taken_back else "acknowledge until it clears:"
        self.console.open_screen(LinePrompt(label, "a comment, or nothing", str.strip), said)

    def silence(self, one: DeskAlert, *, rule: bool = False) -> None:
        """Ask for how long the alert, or all of its `rule`, is to call for nobody's attention."""
        by = self._author()
        if by is None:
            return
        text = f"@rule:{write_value(one.alert.rule)}"
        if not rule:
            text = f"@fingerprint:{write_value(one.alert.fingerprint)}"

        def said(answer: tuple[timedelta, str] | None) -> None:
            if answer is None:
                return
            span, comment = answer
            event = self._silenced(text, span, comment, by)
            if event is None:
                self._refuse("no event can hold this silence")
            else:
                what = f"all of {one.alert.rule} is" if rule else "it is"
                self.console.record_alert(event, f"{what} silent for {lasted(int(span.total_seconds()))}")

        label = f"silence all of {one.alert.rule} for" if rule else "silence it for"
        prompt = LinePrompt(
            label, "how long, and why: 2h the disk is being changed", read_silence, USUAL_SILENCE
        )
        self.console.open_screen(prompt, said)

    def end_silence(self, silence: Silence) -> None:
        """Have a silence end before its time."""
        by = self._author()
        if by is None:
            return
        from monitor.health.silences import silence_ended

        try:
            event = silence_ended(silence, by, "", self.console.now())
        except ValueError:
            self._refuse("no event can hold this")
            return
        self.console.record_alert(event, f"the silence of {silence.text} has ended")

    def _silenced(self, text: str, span: timedelta, comment: str, by: str) -> Event | None:
        from monitor.health.silences import Silence, silenced
        from store.query.parser import parse

        now = self.console.now()
        try:
            query = parse(text, now)
            return silenced(Silence(secrets.token_hex(4), text, query, by, comment, now, now, now + span))
        except (ValueError, OverflowError):
            return None

    def _author(self) -> str | None:
        try:
            return author()
        except StartError as error:
            self._refuse(str(error))
            return None

    def _refuse(self, why: str) -> None:
        self.notify(clean(why), severity="warning", markup=False)


def read_silence(text: str) -> tuple[timedelta, str]:
    """How long, and why: `2h the disk is being changed`.

    Raises:
        ValueError: it begins with no length of time; the message is one line.
    """
    span, _, comment = text.strip().partition(" ")
    return parse_span(span), comment.strip()
