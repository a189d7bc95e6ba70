"""Records on disk, for the time when the database is away."""

from __future__ import annotations

from store.spool.files import Files
from store.spool.spool import Spool, SpoolError, SpoolOptions
from store.spool.writer import FsyncPolicy

__all__ = ["Files", "FsyncPolicy", "Spool", "SpoolError", "SpoolOptions"]
