"""What the simulated world is made of: invented titles, people, indexers, clients, and the errors they give."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Title:
    """A series or a movie that exists in the world, in the library or not.

    `seasons` holds the number of episodes of each season; it is empty for a movie.
    """

    id: str
    name: str
    year: int
    seasons: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        """`series` or `movie`."""
        return "series" if self.seasons else "movie"


SERIES = (
    Title("harbour-of-glass", "Harbour of Glass", 2021, (8, 8, 10)),
    Title("ninth-meridian", "Ninth Meridian", 2019, (10, 10)),
    Title("the-quiet-cartographer", "The Quiet Cartographer", 2023, (6,)),
    Title("brackwater", "Brackwater", 2017, (12, 12, 12, 10)),
    Title("lowland-radio", "Lowland Radio", 2022, (8, 8)),
    Title("copper-winter", "Copper Winter", 2020, (10, 10, 8)),
    Title("station-umbra", "Station Umbra", 2024, (8,)),
    Title("marrow-and-thyme", "Marrow & Thyme", 2018, (20, 20, 22)),
    Title("the-ferrymans-ledger", "The Ferryman's Ledger", 2016, (13, 13)),
    Title("paper-satellites", "Paper Satellites", 2025, (6,)),
    Title("nordlys-pa-vakt", "Nordlys på vakt", 2023, (8, 8)),
    # Real libraries hold wide characters, emoji and brackets; so does this one.
    Title("lanterns-of-penglai", "Lanterns of 蓬莱 🏮 [REPACK]", 2024, (24, 24)),
)

MOVIES = (
    Title("a-lighthouse-for-ines", "A Lighthouse for Inès", 2022),
    Title("velvet-turbine", "Velvet Turbine", 2019),
    Title("eleven-slow-trains", "Eleven Slow Trains", 2015),
    Title("the-salt-accountant", "The Salt Accountant", 2024),
    Title("dust-and-clarinets", "Dust and Clarinets", 2018),
    Title("orbit-of-the-heron", "Orbit of the Heron", 2023),
    Title("the-last-telegraphist", "The Last Telegraphist", 2020),
    Title("midnight-allotment", "Midnight Allotment", 2021),
    Title("seven-winters-in-oslo-bay", "Seven Winters in Oslo Bay", 2017),
    Title("kites-over-tallow-street", "Kites over Tallow Street", 2025),
)

SHELF = (
    Title("glasshouse-protocol", "Glasshouse Protocol", 2026, (8,)),
    Title("the-tin-orchard", "The Tin Orchard", 2026, (6, 6)),
    Title("a-map-of-small-fires", "A Map of Small Fires", 2025),
    Title("the-borrowed-admiral", "The Borrowed Admiral", 2026),
    Title("rain-in-the-archive", "Rain in the Archive", 2024),
    Title("twelve-keys-for-mira", "Twelve Keys for Mira", 2026),
)
"""Titles that people add to the library and remove again."""

USERS = ("ana", "bram", "chidi", "dora", "emil", "farah", "goro", "hana")
ADMINISTRATOR = "ana"

INDEXERS = ("tidepool", "gullnest", "orchard", "northstar")
CLIENTS = ("seedbox", "attic")

PEOPLE = ("ilse-varga", "tomas-okonjo", "mei-lindqvist", "rafael-dunmore", "yuki-abara")
TAGS = ("slow-burn", "heist", "coastal", "documentary", "noir", "science-fiction")
SHELVES = ("home-hero", "home-row-1", "weekend")
"""Places of the catalogue site where a movie can be featured."""

QUALITIES = (("2160p", 9_800), ("1080p", 3_400), ("720p", 1_300))
"""Quality and the usual size of one episode, in MiB."""
GROUPS = ("KESTREL", "MOSS", "OLDTOWN", "PARALLAX")

QUERIES = ("heron", "winter", "lighthouse", "train documentary", "蓬莱", "noir harbour", "telegraph")
FRUITLESS_QUERIES = ("harbor of glas", "salt acountant directors cut", "new mira keys 8k")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/141.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X)",
    "MediaTV/4.2 (webOS)",
)
DEVICES = ("living-room-tv", "phone", "tablet", "laptop")
REGIONS = ("eu-west", "eu-north", "us-east", "ap-northeast")

DOWNLOAD_ERRORS = (
    "no seeders for 30 minutes",
    "checksum mismatch in part 14 of 92",
    "disk quota exceeded on /downloads",
    "archive is encrypted",
)
HOSTILE_ERRORS = (
    "tracker said: \x1b[2J\x1b[31mbanned\x1b[0m",
    "unexpected [/b] in release notes [link=file:///etc/passwd]here[/link]",
    "file name is \u202egnp.sample.exe",
    "title \x1b]0;owned\x07 refused\r\nERROR all clear",
)
"""Errors that quote what strangers wrote. A console that prints them as they are is broken by them."""
