"""What the environment says: where store and bus are, and how events are judged and kept. Nothing must be set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import StartError
from monitor.fit.choices import TERMINAL_VARIABLES, switch
from monitor.notify.chosen import NOTIFY_VARIABLES
from store.bus_url import BUS_SETTING
from store.credentials import secret
from store.environment import (
    BUS_PASSWORD_FILE,
    SIGNING_KEY,
    SIGNING_KEY_FILE,
    STORE_PASSWORD_FILE,
    Environment,
    SettingError,
)
from store.errors import STORE_SETTING
from store.paths import data_dir, runtime_dir

if TYPE_CHECKING:
    from pydantic import SecretStr

NAME_VARIABLE = "EVTOP_NAME"
TAXONOMY_VARIABLE = "EVTOP_TAXONOMY"
RULES_VARIABLE = "EVTOP_RULES"
"""Names a file with alert rules, which adds to those that evtop comes with."""
RECORD_VARIABLE = "EVTOP_RECORD_ALERTS"
"""0: consoles show what fires, and leave it to others to record it."""
HEALTH_VARIABLE = "EVTOP_HEALTH"
"""A file that says which events report health."""
ZONE_VARIABLE = "EVTOP_ZONE"
"""The zone that the console starts in."""
USER_VARIABLE = "EVTOP_USER"
"""Who is recorded to have acknowledged or silenced an alert here."""
RETENTION_VARIABLE = "EVTOP_RETENTION_DAYS"
PERSONAL_VARIABLE = "EVTOP_PERSONAL"
"""Places in metadata that hold personal data, beside those that are known."""
TITLE_VARIABLE = "EVTOP_TITLE"
"""Places in metadata that say what people call a resource, the first that there is."""
FACTS_VARIABLE = "EVTOP_FACTS"
"""Places in metadata that pages of resources show."""
WINDOW_VARIABLE = "EVTOP_WINDOW"
"""How many rows the timeline keeps."""
CONFIG_VARIABLE = "EVTOP_CONFIG"
"""Names the file that `monitor.settings_file` reads."""
VARIABLES = (
    *(STORE_SETTING, BUS_SETTING, NAME_VARIABLE, TAXONOMY_VARIABLE),
    *(RULES_VARIABLE, RECORD_VARIABLE, HEALTH_VARIABLE),
    *(RETENTION_VARIABLE, ZONE_VARIABLE, WINDOW_VARIABLE),
    *(USER_VARIABLE, PERSONAL_VARIABLE, TITLE_VARIABLE, FACTS_VARIABLE),
    *NOTIFY_VARIABLES,
    *TERMINAL_VARIABLES,
)
"""What evtop reads, but for secrets."""
SECRET_VARIABLES = (STORE_PASSWORD_FILE, BUS_PASSWORD_FILE, SIGNING_KEY, SIGNING_KEY_FILE)
"""Where it finds secrets, and the rest of what it reads."""
PREFIX = "EVTOP_"
RETENTION_DAYS = 90.0
"""How long events are kept when nothing is said."""
WINDOW = 20_000
"""Rows that the timeline keeps when nothing is said."""
WINDOW_MIN, WINDOW_MAX = 1_000, 100_000


@dataclass(frozen=True, repr=False)
class Settings:
    """`store_url` is an SQLAlchemy URL; `bus_url` a Redis URL, `embedded` or `none`. Both may hold a password.

    `name` is what the status line calls this system; `runtime` is where the embedded bus lives; `taxonomy` are
    the files that extend the shipped taxonomy, in their order, `rules` the one that adds alert rules; `health` says
    which events report health, beside `*.health_changed`. `signing_key` signs what goes over the bus. `warnings` are
    lines about files whose secrets others may read.
    """

    store_url: SecretStr
    bus_url: SecretStr
    name: str
    runtime: Path
    taxonomy: tuple[Path, ...] = ()
    signing_key: SecretStr | None = None
    warnings: tuple[str, ...] = ()
    rules: Path | None = None
    health: Path | None = None
    records_alerts: bool = True
    """Whether a console records what fires, so that all others know of it."""

    def __repr__(self) -> str:
        return f"Settings(name={self.name!r})"

    @property
    def store(self) -> str:
        """`store_url` as plain text: hand it on at once, a name that it is bound to shows it in a crash report."""
        return self.store_url.get_secret_value()

    @property
    def bus(self) -> str:
        """`bus_url` as plain text, for which the same holds."""
        return self.bus_url.get_secret_value()

    @classmethod
    def from_environment(cls) -> Settings:
        """What the environment says; where it says nothing, SQLite in the data folder and the embedded bus.

        Raises:
            StartError: a variable cannot be used; the message names it.
        """
        warnings: list[str] = []
        environment = Environment(os.environ, warnings.append)
        try:
            # Looked for only when it is needed: there may be no home folder.
            default = None if os.environ.get(STORE_SETTING) else default_store()
            store = environment.store_url(default)
            bus = environment.bus_url()
            key = environment.signing_key()
        except SettingError as error:
            raise StartError(str(error)) from None
        files = os.environ.get(TAXONOMY_VARIABLE, "").split(os.pathsep)
        taxonomy = tuple(Path(file) for file in files if file)
        name = os.environ.get(NAME_VARIABLE, "local")
        rules, health = os.environ.get(RULES_VARIABLE), os.environ.get(HEALTH_VARIABLE)
        return cls(
            store_url=store,
            bus_url=bus,
            name=name,
            runtime=runtime_dir(),
            taxonomy=taxonomy,
            signing_key=key,
            warnings=tuple(warnings),
            rules=Path(rules) if rules else None,
            records_alerts=switch(os.environ, RECORD_VARIABLE) is not False,
            health=Path(health) if health else None,
        )

    @classmethod
    def for_demo(cls) -> Settings:
        """The running demo: its own store, bus and taxonomy. The demo starts store and bus, nobody else does."""
        bus = demo_socket()
        return cls(secret(sqlite_url(demo_store())), secret(f"unix://{bus}"), "demo", bus.parent)

    def activate_taxonomy(self) -> None:
        """Make the shipped types, with what the files add to them, the taxonomy of this process.

        Raises:
            StartError: a file cannot be read or breaks a rule; the message names it.
        """
        if not self.taxonomy:
            return
        from store.taxonomy import TaxonomyError, activate, load_taxonomy

        try:
            activate(load_taxonomy(self.taxonomy))
        except TaxonomyError as error:
            raise StartError(f"{TAXONOMY_VARIABLE} {error}") from None

    def activate_health(self) -> None:
        """Make what the file says of it what reports health in this process. Commands without components need it not.

        Raises:
            StartError: the file cannot be read or breaks a rule; the message names it.
        """
        if self.health is None:
            return
        from monitor.health.reports import activate
        from monitor.health_file import HealthFileError, load_health

        try:
            activate(load_health(self.health))
        except HealthFileError as error:
            raise StartError(f"{HEALTH_VARIABLE} {error}") from None


def demo_socket() -> Path:
    """Where the bus of the demo listens while it runs."""
    return runtime_dir() / "demo" / "bus.sock"


def retention_days() -> float:
    """How many days events are kept: `EVTOP_RETENTION_DAYS`, else 90. Infinity keeps them for ever.

    Raises:
        StartError: it is no number above 0.
    """
    text = os.environ.get(RETENTION_VARIABLE)
    if not text:
        return RETENTION_DAYS
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    # NaN is not above 0 either.
    if not days > 0:
        raise StartError(f"{RETENTION_VARIABLE}: a number of days above 0, or inf")
    return days


def personal_places() -> tuple[str, ...]:
    """Where personal data stands in metadata: what is known, and what `EVTOP_PERSONAL` adds and takes out.

    Raises:
        StartError: it names what is no place.
    """
    from store.personal import PersonalPlaceError, read_places

    try:
        return read_places(os.environ.get(PERSONAL_VARIABLE, ""))
    except PersonalPlaceError as error:
        raise StartError(f"{PERSONAL_VARIABLE}: {error}") from None


def activate_masking(*, shown: bool) -> None:
    """Have this process hide personal data, unless it is to be `shown`.

    Raises:
        StartError: `EVTOP_PERSONAL` names what is no place.
    """
    from monitor.masking import Mask, activate

    mask = Mask(personal_places())
    activate(None if shown else mask)


def activate_told() -> None:
    """Have the pages of resources in this process tell what `EVTOP_TITLE` and `EVTOP_FACTS` name.

    Raises:
        StartError: one of them names what is no place.
    """
    named = {name: text for name in (TITLE_VARIABLE, FACTS_VARIABLE) if (text := os.environ.get(name))}
    if not named:
        return
    from monitor.model.told import FACTS, TITLES, PlaceError, ToldPlaces, activate, read_places

    places = {TITLE_VARIABLE: TITLES, FACTS_VARIABLE: FACTS}
    for name, text in named.items():
        try:
            places[name] = read_places(text)
        except PlaceError as error:
            raise StartError(f"{name}: {error}") from None
    activate(ToldPlaces(places[TITLE_VARIABLE], places[FACTS_VARIABLE]))


def window_rows() -> int:
    """How many rows the timeline keeps: `EVTOP_WINDOW`, else 20,000.

    Raises:
        StartError: it is no number from 1,000 to 100,000.
    """
    text = os.environ.get(WINDOW_VARIABLE)
    if not text:
        return WINDOW
    # Digits alone: `int` takes signs, blanks, underscores and the digits of other scripts as well.
    rows = int(text) if len(text) <= len(str(WINDOW_MAX)) and text.isascii() and text.isdigit() else 0
    if not WINDOW_MIN <= rows <= WINDOW_MAX:
        raise StartError(f"{WINDOW_VARIABLE}: a number from {WINDOW_MIN} to {WINDOW_MAX}")
    return rows


def unknown_variables(environment: Mapping[str, str]) -> Iterable[tuple[str, str | None]]:
    """The variables of `environment` that look like ours and are none, each with the one that may be meant."""
    # Without what all of them begin with, which would make any two of them look alike.
    known = {name.removeprefix(PREFIX): name for name in (*VARIABLES, *SECRET_VARIABLES, CONFIG_VARIABLE)}
    unknown = sorted(
        name for name in environment if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known
    )
    if not unknown:
        return
    from store.taxonomy import nearest

    for name in unknown:
        meant = nearest(name.removeprefix(PREFIX), tuple(known))
        yield name, meant and known[meant]


def default_store() -> str:
    """The URL of the store when nothing is said.

    Raises:
        StartError: there is no home folder.
    """
    return sqlite_url(_data_dir() / "events.db")


def demo_store() -> Path:
    """The SQLite file of the demo."""
    return _data_dir() / "demo" / "events.db"


def _data_dir() -> Path:
    try:
        return data_dir()
    except RuntimeError:
        raise StartError(f"there is no home folder; set XDG_DATA_HOME, or {STORE_SETTING}") from None


def sqlite_url(path: Path) -> str:
    """The SQLAlchemy URL of an SQLite file."""
    return f"sqlite:///{path}"
