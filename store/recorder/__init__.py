"""`record()`: the call with which an application tells what it does, and which never gets in its way."""

from store.recorder.options import RecorderOptions, SpoolSettings
from store.recorder.recorder import Recorder
from store.recorder.stats import RecorderStats
from store.spool import FsyncPolicy

__all__ = ["FsyncPolicy", "Recorder", "RecorderOptions", "RecorderStats", "SpoolSettings"]
