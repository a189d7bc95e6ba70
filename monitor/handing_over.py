"""What the console gives away: to the clipboard of the terminal, and to files."""

from __future__ import annotations

import os

from monitor.clipboard import sequence, to_file
from monitor.fit.fitted_app import FittedApp
from monitor.text import clean
from store.paths import data_dir


class HandingOverApp(FittedApp):
    """Copies texts, and saves notes. A text that cannot be copied is in a file, whose path is said."""

    def copy(self, text: str, what: str) -> None:
        """Put clean text on the clipboard of the terminal, or into a file where it is too long for that; say which."""
        if self._give_to_terminal(text):
            said = f"copied {what}, if the terminal takes it (OSC 52)"
        else:
            said = f"{what} is too long for a terminal: {self._written(text, 'copied', '.txt')}"
        self.notify(clean(said), markup=False)

    def save_note(self, text: str) -> None:
        """Write clean Markdown to a file, put it on the clipboard of the terminal where it fits, and say so."""
        place = self._written(text, "notes", ".md")
        copied = ", and copied" if self._give_to_terminal(text) else ""
        self.notify(clean(f"the note is in {place}{copied}"), markup=False)

    def _give_to_terminal(self, text: str) -> bool:
        written = sequence(text, os.environ)
        if written is None or self._driver is None:
            return False
        self.tell_terminal(written)
        return True

    def tell_terminal(self, sequence: str) -> None:
        """Write a sequence that draws nothing, while the terminal is this program's."""
        if self._driver is not None:
            self._driver.write(sequence)
            self._driver.flush()

    @staticmethod
    def _written(text: str, folder: str, suffix: str) -> str:
        try:
            return str(to_file(text, data_dir() / folder, suffix))
        except OSError as error:
            return f"no file ({error})"
