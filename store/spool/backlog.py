"""The segments of a spool, and the records in them that are yet to be acknowledged."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from store.spool.files import Files
from store.spool.recovery import Recovered, set_aside
from store.spool.segment import HEADER_BYTES, Record, Segment, SegmentReader


class Backlog:
    """Records in the order of their sequence, read ahead from their segments and forgotten from the oldest on.

    `end_segment` is called before the last segment is removed: nothing must be appended to it any more. `warn` is
    called with a kind of trouble and a message.
    """

    def __init__(
        self,
        folder: Path,
        found: Recovered,
        files: Files,
        end_segment: Callable[[], None],
        warn: Callable[[str, str], None],
    ) -> None:
        self._folder, self._files = folder, files
        self._end_segment, self._warn = end_segment, warn
        self._segments = deque(found.segments)
        self._reader: SegmentReader | None = None
        self._ahead: deque[Record] = deque()
        # Sequence of the next record to be read.
        self._read = found.position
        self.next = found.next
        """Sequence of the next record to be appended."""
        self.size = sum(segment.size for segment in found.segments)
        """Bytes of all segments."""
        self.pending = found.next - found.position
        """Records that are not acknowledged yet."""
        self.lost = found.lost
        """Records found unreadable."""
        self.set_aside = found.set_aside
        """Segments found unreadable."""

    @property
    def position(self) -> int:
        """Sequence of the oldest record that is not acknowledged."""
        return self._ahead[0].sequence if self._ahead else self._read

    @property
    def has_segments(self) -> bool:
        """Whether there is any file left."""
        return bool(self._segments)

    def appended(self, segment: Segment, count: int, size: int) -> None:
        """Note that `count` records, of `size` bytes, were written at the end of `segment`, perhaps a new one."""
        if not self._segments or segment is not self._segments[-1]:
            self._segments.append(segment)
            self.size += HEADER_BYTES
        self.size += size
        self.next += count
        self.pending += count

    def peek(self, count: int, max_bytes: int) -> list[bytes]:
        """The oldest records: `count` at most, of `max_bytes` together, yet one in any case.

        Raises:
            OSError: they cannot be read now.
        """
        self._read_ahead(count, max_bytes)
        payloads: list[bytes] = []
        for _, payload in islice(self._ahead, count):
            max_bytes -= len(payload)
            if payloads and max_bytes < 0:
                break
            payloads.append(payload)
        return payloads

    def acknowledge(self, count: int) -> None:
        """Forget the oldest `count` records. Those that were not read ahead are skipped."""
        read = min(count, len(self._ahead))
        for _ in range(read):
            self._ahead.popleft()
        self._read += count - read
        self.pending -= count

    def remove_acknowledged(self) -> None:
        """Delete the segments that hold acknowledged records only.

        Raises:
            OSError: one cannot be deleted. It is tried again the next time.
        """
        while self._segments and self._end(0) <= self.position:
            segment = self._segments[0]
            if len(self._segments) == 1:
                self._end_segment()
            if self._reader is not None and self._reader.path == segment.path:
                self.close()
            self._files.remove(segment.path)
            self._segments.popleft()
            self.size -= segment.size

    def close(self) -> None:
        """Close the file that is being read."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read_ahead(self, count: int, max_bytes: int) -> None:
        held = sum(len(record.payload) for record in self._ahead)
        while self._read < self.next and len(self._ahead) < count and (not self._ahead or held < max_bytes):
            place = next((i for i in range(len(self._segments)) if self._end(i) > self._read), None)
            if place is None:
                self._miss_until(self.next)
                return
            end = self._end(place)
            records = self._read_segment(
                self._segments[place], count - len(self._ahead), max(max_bytes - held, 0)
            )
            if not records:
                self._miss_until(end)
            for record in records:
                # Others are acknowledged already, or were left by a write that failed.
                if self._read <= record.sequence < end:
                    self._miss_until(record.sequence)
                    self._read += 1
                    self._ahead.append(record)
                    held += len(record.payload)

    def _read_segment(self, segment: Segment, count: int, max_bytes: int) -> list[Record]:
        """The next records of a segment; none when it has no more, or none that can be read."""
        try:
            if self._reader is None or self._reader.path != segment.path:
                self.close()
                self._reader = SegmentReader(segment.path)
            return self._reader.read(segment.size, count, max_bytes)
        except FileNotFoundError:
            return []
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            # A bad sector does not mend, and what comes after it must not wait for ever.
            if segment is self._segments[-1]:
                self._end_segment()
            set_aside(segment.path, error.strerror or str(error), self._files)
            self.set_aside += 1
            self._segments.remove(segment)
            self.size -= segment.size
            return []

    def _miss_until(self, sequence: int) -> None:
        """Count the records between the last one read and `sequence` as lost."""
        missing = sequence - self._read
        if missing > 0:
            self.lost += missing
            self.pending -= missing
            self._read = sequence
            self._warn("lost", f"the spool {self._folder} is damaged: records cannot be read")

    def _end(self, place: int) -> int:
        """The sequence after the last record of a segment."""
        return self._segments[place + 1].first if place + 1 < len(self._segments) else self.next
