"""What can be set of a recorder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from store.spool import FsyncPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolSettings:
    """Where the spools are, None for none, and how large all of them there may get together, in bytes."""

    folder: Path | None = None
    max_bytes: int = 256 * 1024 * 1024
    fsync: FsyncPolicy = FsyncPolicy.INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterOptions:
    """How the writer works.

    A batch is committed when it has `batch_events`, or when its first event has waited for `linger` seconds; large
    events make smaller batches. `spool` is for what cannot be stored yet; with `write_ahead`, every event goes there
    before it is stored, so that what was flushed survives the process, whatever the database does meanwhile.

    Raises:
        ValueError: an option is out of range.
    """

    batch_events: int = 500
    linger: float = 0.05
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    write_ahead: bool = False

    def __post_init__(self) -> None:
        if self.batch_events < 1:
            raise ValueError("batch_events must be 1 at least")
        if self.linger < 0:
            raise ValueError("linger must be 0 at least")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderOptions(WriterOptions):
    """How a recorder works; `WriterOptions` has what its writer goes by.

    At most `queue_events` and `queue_bytes` wait in memory; what goes beyond is dropped and counted. `sampling`
    gives the share that is kept of the events of a type. A `signing_key` signs what is announced, where the bus is
    given by its URL. At the end of the process, the recorder takes `exit_timeout` seconds at most.

    Raises:
        ValueError: an option is out of range.
    """

    queue_events: int = 10_000
    queue_bytes: int = 32 * 1024 * 1024
    sampling: Mapping[str, float] = field(default_factory=dict[str, float])
    signing_key: SecretStr | None = None
    exit_timeout: float = 2.0

    def __post_init__(self) -> None:
        WriterOptions.__post_init__(self)
        if self.queue_events < 1 or self.queue_bytes < 1:
            raise ValueError("queue_events and queue_bytes must be 1 at least")
        if self.exit_timeout < 0:
            raise ValueError("exit_timeout must be 0 at least")
