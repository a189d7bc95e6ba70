"""`python -m monitor.demo`: the simulated application alone, on EVTOP_STORE and EVTOP_BUS, until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Callable

from monitor.demo.application import SimulatedApplication, seed_history
from store.events import EventStore
from store.recorder import Recorder

_CHUNK = 500


def main() -> None:
    """Read the arguments and run."""
    arguments = argparse.ArgumentParser(prog="python -m monitor.demo", description=__doc__)
    arguments.add_argument("--rate", type=float, default=5.0, help="events a second, on average")
    arguments.add_argument("--seed", type=int, default=1, help="the same seed tells the same story")
    arguments.add_argument("--history", type=float, default=0.0, help="hours of past to live through first")
    arguments.add_argument("--fresh", action="store_true", help="delete all that the store holds first")
    arguments.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    options = arguments.parse_args()
    work = live(
        os.environ["EVTOP_STORE"],
        os.environ["EVTOP_BUS"],
        rate=options.rate,
        seed=options.seed,
        history=options.history,
        fresh=options.fresh,
        until_eof=options.until_eof,
        ready=lambda: print("ready", flush=True),  # noqa: T201
    )
    asyncio.run(work)


async def live(
    store_url: str,
    bus_url: str,
    *,
    rate: float,
    seed: int,
    history: float,
    fresh: bool = False,
    until_eof: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Live through `history` hours, call `ready`, then work until SIGTERM, SIGINT or the end of standard input."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_eof:
        # Whoever started this holds the other end: its death ends the input, whatever killed it.
        loop.add_reader(0, stop.set)
    if history or fresh:
        # The past is stored without being announced: it is no news.
        async with await EventStore.open(store_url) as past:
            if fresh:
                # Not a new file: a console that still looks at the old one would never notice.
                await past.repository.clear()
            events = seed_history(history, seed=seed) if history else []
            for start in range(0, len(events), _CHUNK):
                if stop.is_set():
                    return
                await past.create_many(events[start : start + _CHUNK])
    with Recorder(store_url, bus_url) as recorder:
        ready()
        await SimulatedApplication(recorder, seed=seed, rate=rate).run(stop=stop)


if __name__ == "__main__":
    main()
