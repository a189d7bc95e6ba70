"""Accounts: who is signed in, and the settings people change."""

from __future__ import annotations

from random import Random

from monitor.demo.catalogue import AGENTS, DEVICES, USERS
from store.recording import Actor, Records, Resource, fields_of
from store.typed import AuthEvents

SETTINGS: dict[str, tuple[object, ...]] = {
    "downloads.max_active": (3, 5, 8),
    "library.naming": ("{title}/{season}/{episode}", "{title} - {episode}"),
    "search.minimum_seeders": (1, 5, 20),
}
PREFERENCES: dict[str, tuple[object, ...]] = {
    "subtitles": ("off", "en", "ja"),
    "autoplay": (True, False),
    "theme": ("dark", "light"),
}


class Accounts:
    """Sessions by user name."""

    def __init__(self, recorder: Records, random: Random) -> None:
        self._recorder = recorder
        self._auth_events = AuthEvents(recorder)
        self._random = random
        self.signed_in: dict[str, str] = {}
        self._settings = {key: values[0] for key, values in SETTINGS.items()}
        self._preferences: dict[tuple[str, str], object] = {}

    def signed_out(self) -> list[str]:
        """The users without a session."""
        return [name for name in USERS if name not in self.signed_in]

    def someone(self) -> str:
        """A user who is signed in, or any user when nobody is."""
        return self._random.choice(list(self.signed_in) or USERS)

    def address(self) -> str:
        """An address from the range that is reserved for documentation."""
        return f"203.0.113.{self._random.randint(1, 254)}"

    def log_in(self, name: str) -> None:
        """Open a session."""
        session = self.signed_in[name] = f"{self._random.getrandbits(48):012x}"
        self._recorder.record(
            "user.login",
            **fields_of(Actor.user(name), Resource("user", name)),
            status="succeeded",
            metadata={
                "session": session,
                "ip": self.address(),
                "user_agent": self._random.choice(AGENTS),
            },
        )

    def log_out(self, name: str) -> None:
        """Close the session of a user who is signed in."""
        session = self.signed_in.pop(name)
        self._recorder.record(
            "user.logout",
            **fields_of(Actor.user(name), Resource("user", name)),
            status="succeeded",
            metadata={"session": session},
        )

    def change_setting(self, name: str) -> None:
        """A user changes a setting of the whole application."""
        key = self._random.choice(list(SETTINGS))
        before = self._settings[key]
        after = self._random.choice([value for value in SETTINGS[key] if value != before])
        self._settings[key] = after
        self._auth_events.settings_changed(key, Actor.user(name), before=before, after=after)

    def change_preference(self, name: str) -> None:
        """A user changes how the application behaves for that user."""
        key = self._random.choice(list(PREFERENCES))
        before = self._preferences.get((name, key), PREFERENCES[key][0])
        after = self._random.choice([value for value in PREFERENCES[key] if value != before])
        self._preferences[name, key] = after
        self._recorder.record(
            "preference.changed",
            **fields_of(Actor.user(name), Resource("user", name)),
            metadata={
                "key": key,
                "before": before,
                "after": after,
            },
        )

    def update_profile(self, name: str) -> None:
        """A user changes the own profile."""
        field = self._random.choice(("display_name", "avatar", "language"))
        self._recorder.record(
            "profile.updated",
            **fields_of(Actor.user(name), Resource("user", name)),
            metadata={
                "fields": [field],
                "device_id": self._random.choice(DEVICES),
            },
        )
