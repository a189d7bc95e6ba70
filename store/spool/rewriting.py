"""Records of spools that nobody has open, written anew: what is in them may have to be taken out."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from store.spool.files import Files
from store.spool.folder import SpoolFolder, spools_in
from store.spool.segment import (
    SEGMENT_SUFFIX,
    UNREADABLE_SUFFIX,
    Record,
    SegmentReader,
    inspect,
    pack_header,
    pack_records,
)

Change = Callable[[bytes], bytes | None]
"""What takes the place of a record; None for one that stays as it is."""
_RECORDS_AT_ONCE = 1000
_BYTES_AT_ONCE = 4 * 1024 * 1024
_PART_SUFFIX = ".part"


@dataclass(slots=True)
class Rewritten:
    """What became of the spools under a root.

    `changed` is how many records were, or would be. `in_use` are folders that a process has, whose records could not
    be changed though some should be; `unreadable` are segments that cannot be read, and may
    have anything in them.
    """

    changed: int = 0
    in_use: list[Path] = field(default_factory=list[Path])
    unreadable: list[Path] = field(default_factory=list[Path])


def rewrite(root: Path, change: Change, *, dry_run: bool = False, files: Files | None = None) -> Rewritten:
    """Change the records of all spools in `root`, those that were acknowledged and are not yet deleted, too.

    A segment is written beside its place, which it takes at once, so that a run that is killed leaves each one whole.
    The records keep their numbers.

    Raises:
        OSError: a folder or a file cannot be read or written.
    """
    done = Rewritten()
    free: set[Path] = set()
    for folder in SpoolFolder.unclaimed(root):
        try:
            free.add(folder.path)
            _rewrite_folder(folder.path, change, done, files or Files(), dry_run=dry_run)
        finally:
            folder.release()
    for path in spools_in(root):
        if path not in free:
            seen = Rewritten()
            # Its process may delete segments meanwhile.
            with suppress(FileNotFoundError):
                _rewrite_folder(path, change, seen, Files(), dry_run=True)
            done.unreadable += seen.unreadable
            if seen.changed:
                done.in_use.append(path)
    return done


def _rewrite_folder(folder: Path, change: Change, done: Rewritten, files: Files, *, dry_run: bool) -> None:
    for path in sorted(folder.iterdir()):
        if path.suffix == _PART_SUFFIX and not dry_run:
            # Left by a run that was killed.
            files.remove(path)
        elif path.suffix == UNREADABLE_SUFFIX:
            done.unreadable.append(path)
        elif path.suffix == SEGMENT_SUFFIX:
            done.changed += _rewrite_segment(path, change, done, files, dry_run=dry_run)


def _rewrite_segment(path: Path, change: Change, done: Rewritten, files: Files, *, dry_run: bool) -> int:
    try:
        segment = inspect(path)
    except ValueError:
        done.unreadable.append(path)
        return 0
    records: list[Record] = []
    with SegmentReader(path) as reader:
        while found := reader.read(segment.size, _RECORDS_AT_ONCE, _BYTES_AT_ONCE):
            records += found
    changed = [(record, change(record.payload)) for record in records]
    number = sum(payload is not None for _, payload in changed)
    if number and not dry_run:
        written = [Record(record.sequence, payload or record.payload) for record, payload in changed]
        _replace(path, segment.first, written, files)
    return number


def _replace(path: Path, first: int, records: list[Record], files: Files) -> None:
    part = path.with_suffix(_PART_SUFFIX)
    files.remove(part)
    descriptor = files.create(part)
    try:
        # One by one: a damaged record may be missing between two.
        data = b"".join([pack_records([record.payload], record.sequence) for record in records])
        files.write(descriptor, pack_header(first) + data, 0)
        files.sync(descriptor)
    finally:
        os.close(descriptor)
    files.rename(part, path)
    files.sync_folder(path.parent)
