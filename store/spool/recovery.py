"""What an earlier process left in the folder of a spool, put in a state to go on from."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from store.spool.files import Files
from store.spool.segment import (
    HEADER_BYTES,
    SEGMENT_SUFFIX,
    UNREADABLE_SUFFIX,
    Segment,
    UnreadableSegmentError,
    find_tail,
    inspect,
)
from store.spool.warning import warn

_NAME = re.compile(r"(\d{10,18})\.[a-z]+")


@dataclass(slots=True)
class Recovered:
    """The segments of a spool. `position` is the first sequence to be read, `next` the first to be given.

    `lost` holds only what nothing else tells of: a jump in the sequence is found when it is read.
    """

    position: int
    next: int
    segments: list[Segment] = field(default_factory=list[Segment])
    next_number: int = 1
    lost: int = 0
    set_aside: int = 0


def recover(folder: Path, position: int, files: Files) -> Recovered:
    """The segments in `folder`, acknowledged up to `position` at least, without a torn tail.

    Reads the headers, and all of the last segment only.

    Raises:
        OSError: a file cannot be read, or a torn one not be cut.
    """
    found = Recovered(position, position)
    lost_at_start = lost_at_end = False
    for number, path in _numbered(folder):
        found.next_number = number + 1
        if path.suffix != SEGMENT_SUFFIX:
            continue
        try:
            found.segments.append(inspect(path))
            lost_at_end = False
        except (UnreadableSegmentError, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EIO:
                raise
            size = path.stat().st_size
            if size < HEADER_BYTES:
                # The process died while it began the segment.
                files.remove(path)
            else:
                set_aside(path, str(error), files)
                found.set_aside += 1
            lost_at_start = lost_at_start or not found.segments
            lost_at_end = lost_at_end or size > 0
            # Otherwise a power failure would bring the file back, to be counted again.
            files.sync_folder(folder)
    # A segment after the damage tells how many records are missing; without any, it is one at least.
    found.lost += lost_at_end
    if found.segments:
        last = found.segments[-1]
        found.lost += _cut_tail(last, found, files)
        if not lost_at_start:
            # Segments are removed when they are acknowledged, and the cursor may lag behind.
            found.position = max(position, found.segments[0].first)
    return found


def set_aside(path: Path, reason: str, files: Files) -> None:
    """Rename a segment that cannot be read, so that it is neither read again nor deleted."""
    warn("%s is set aside, with the suffix %s: %s", path, UNREADABLE_SUFFIX, reason)
    try:
        files.rename(path, path.with_suffix(UNREADABLE_SUFFIX))
    except OSError as error:
        warn("%s cannot be renamed: %s", path, error.strerror)


def _cut_tail(segment: Segment, found: Recovered, files: Files) -> bool:
    """Cut what follows the last whole record. True when there was something."""
    tail = find_tail(segment)
    found.next = max(found.next, tail.next)
    if not tail.torn:
        return False
    descriptor = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        files.truncate(descriptor, tail.size)
        # Otherwise a power failure would bring the tail back, to be counted again.
        files.sync(descriptor)
    finally:
        os.close(descriptor)
    segment.size = tail.size
    warn("%s was torn: its end is cut off", segment.path)
    return True


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    """The segments in `folder`, those set aside too, by their numbers."""
    return sorted((int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)))
