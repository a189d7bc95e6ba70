"""The services that Apprise knows (https://github.com/caronc/apprise), each by a URL: `slack://…`, `mailtos://…`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import SecretStr

from monitor.notify.channels import NotifyError, identity_of
from monitor.notify.threads import in_daemon_thread
from monitor.notify.wording import Wording
from monitor.text import clean

if TYPE_CHECKING:
    from apprise.plugins import NotifyBase

APPRISE_WITHIN = 30.0
"""Seconds after which a service is given up."""


class ServiceError(ValueError):
    """A URL that Apprise cannot use, or no Apprise; one line without the URL, which is mostly a secret."""


class Service:
    """One service. Each is a channel of its own, so that what one of them takes is not sent again for another."""

    def __init__(self, url: SecretStr) -> None:
        """Raise `ServiceError` where the URL cannot be used."""
        try:
            from apprise import Apprise
        except ImportError:
            raise ServiceError("Apprise is not installed: pip install 'evtop[apprise]'") from None
        # What it logs would stand in the picture; what matters is said by `NotifyError`.
        logging.getLogger("apprise").addHandler(logging.NullHandler())
        scheme, separator, _ = url.get_secret_value().partition("://")
        if not separator:
            raise ServiceError("Apprise cannot use a line that is no URL")
        plugin: NotifyBase | None = Apprise.instantiate(url.get_secret_value(), suppress_exceptions=True)  # pyright: ignore[reportUnknownMemberType]
        if plugin is None:
            raise ServiceError(f"Apprise cannot use the URL that begins with {clean(scheme)[:20]!r}")
        self._plugin = plugin
        self.name = f"apprise {clean(scheme)[:20]}"
        self._url = url

    def identity(self) -> str:
        """Of the same URL."""
        return identity_of("apprise", self._url.get_secret_value())

    async def send(self, wording: Wording) -> None:
        """Have the service told: title and body as plain text."""
        try:
            is_told = await in_daemon_thread(lambda: self._told(wording), APPRISE_WITHIN)
        except TimeoutError:
            raise NotifyError(f"{self.name}: not done within {APPRISE_WITHIN:g} s", again=True) from None
        except Exception as error:
            raise NotifyError(f"{self.name}: {type(error).__name__}", again=True) from None
        if not is_told:
            raise NotifyError(f"{self.name}: not taken", again=True)

    def _told(self, wording: Wording) -> bool:
        from apprise import NotifyFormat, NotifyType

        kind = NotifyType.FAILURE if wording.is_firing else NotifyType.SUCCESS
        # That of the plugin itself, for the one of `Apprise` swallows which of several failed.
        tell = self._plugin.notify
        return bool(
            tell(title=wording.title, body=wording.body, notify_type=kind, body_format=NotifyFormat.TEXT)
        )
