"""`evtop demo`: the console on a private Valkey and a SQLite file while a simulated application works."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import ShowPersonal, chosen_settings, fail, run_to_end, write
from monitor.cli.terminal_options import Ascii, KeysFile, LowBandwidth, Mouse, Theme, ZoneShown
from monitor.errors import StartError
from monitor.fit.choices import Options
from monitor.settings import Settings, demo_socket, demo_store

if TYPE_CHECKING:
    from monitor.backend import Backend
    from monitor.zone import Zone
    from store.embedded import EmbeddedBus

HISTORY_HOURS = 6.0
APPLICATION_LOG = "application.log"
APPLICATION_STOP = 3.0
"""Seconds in which the application may end in order: more than its recorder takes to store the last events."""


def demo(
    rate: Annotated[float, typer.Option(min=0.1, max=5000, help="Events a second, on average.")] = 5.0,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
    console: Annotated[
        bool, typer.Option(help="Open the console, or let the application work alone.")
    ] = True,
    zone: ZoneShown = None,
    show_personal: ShowPersonal = False,
    theme: Theme = None,
    plain: Ascii = None,
    keys_file: KeysFile = None,
    mouse: Mouse = None,
    low_bandwidth: LowBandwidth = None,
) -> None:
    """Open the console while a simulated media application works.

    In a second terminal, every command takes --demo: evtop emit --demo job.failed --resource job/sync.

    The bus is the unix socket $XDG_RUNTIME_DIR/evtop/demo/bus.sock (/tmp/evtop-UID/demo/bus.sock where that is
    not set), the store the SQLite file $XDG_DATA_HOME/evtop/demo/events.db (~/.local/share when not set).
    Both are new with each demo.
    """
    # What the file with settings says of the terminal holds for the console, as it does for evtop itself.
    settings = (
        chosen_settings(True, warn=False, show_personal=show_personal) if console else Settings.for_demo()
    )
    with _the_only_demo(settings.runtime):
        if console:
            from monitor.cli.console import start_zone

            options = Options(theme, plain, keys_file, mouse, low_bandwidth)
            _with_console(settings, rate, seed, options, start_zone(zone))
        else:
            _alone(settings, rate, seed)


def require_demo() -> None:
    """Fail when no demo is running: what is recorded in its store then, the next one deletes."""
    import socket

    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(demo_socket()))
    except OSError:
        fail("no demo is running; `evtop demo` starts one")


def _with_console(settings: Settings, rate: float, seed: int, options: Options, zone: Zone) -> None:
    from monitor.cli.console import open_console
    from monitor.model.start import Start

    applications: list[subprocess.Popen[bytes]] = []

    async def connect() -> Backend:
        from monitor.backend import open_backend

        bus = _new_world(settings)
        try:
            application = _start_application(settings, rate, seed)
            applications.append(application)
            await _ready(application, settings.runtime / APPLICATION_LOG)
            return await open_backend(settings, bus)
        except BaseException:
            bus.close()
            raise

    try:
        status = open_console(settings, connect, options=options, start=Start(zone=zone))
    finally:
        for application in applications:
            _end(application)
    raise typer.Exit(status)


def _alone(settings: Settings, rate: float, seed: int) -> None:
    from monitor.demo.__main__ import live

    def say_where() -> None:
        write(f"store  {settings.store}")
        write(f"bus    {settings.bus}")
        write("watch  evtop --demo")
        write("stop   ^C")
        sys.stdout.flush()

    try:
        bus = _new_world(settings)
    except StartError as error:
        fail(str(error))
    try:
        run_to_end(
            live(
                settings.store,
                settings.bus,
                rate=rate,
                seed=seed,
                history=HISTORY_HOURS,
                fresh=True,
                ready=say_where,
            )
        )
    finally:
        bus.close()


def _new_world(settings: Settings) -> EmbeddedBus:
    """Start the demo's bus."""
    from store.embedded import EmbeddedBus

    try:
        bus = EmbeddedBus(settings.runtime)
        bus.wait_ready(5.0)
    except OSError as error:
        raise StartError(f"the demo: {error}") from None
    return bus


def _start_application(settings: Settings, rate: float, seed: int) -> subprocess.Popen[bytes]:
    log = settings.runtime / APPLICATION_LOG
    command = [sys.executable, "-P", "-m", "monitor.demo", "--rate", str(rate), "--seed", str(seed)]
    command += ["--history", str(HISTORY_HOURS), "--fresh"]
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            [*command, "--until-eof"],
            env={**os.environ, "EVTOP_STORE": settings.store, "EVTOP_BUS": settings.bus},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            # ^C in the terminal is for the console alone.
            start_new_session=True,
        )


async def _ready(application: subprocess.Popen[bytes], log: Path) -> None:
    try:
        ready = application.stdout and await asyncio.to_thread(application.stdout.readline)
    except BaseException:
        # Else the thread would go on waiting, and the console's end with it.
        application.terminate()
        raise
    if not ready:
        raise StartError(f"the simulated application ended; {log} says why")


def _end(application: subprocess.Popen[bytes]) -> None:
    application.terminate()
    try:
        application.communicate(timeout=APPLICATION_STOP)
    except subprocess.TimeoutExpired:
        application.kill()
        application.communicate()


@contextmanager
def _the_only_demo(runtime: Path) -> Generator[None]:
    """Two demos would share a socket and a store; the second one is told so."""
    from store.locks import try_lock
    from store.paths import private_dir

    try:
        private_dir(runtime.parent)
        private_dir(runtime)
        private_dir(demo_store().parent)
        lock = try_lock(runtime / "demo.lock")
    except OSError as error:
        fail(str(error))
    if lock is None:
        fail("a demo is running already; `evtop --demo` opens another console on it")
    try:
        yield
    finally:
        os.close(lock)
