"""The segments of a spool: what their bytes mean, and how a damaged one is read.

A segment is a header and records, one after the other, all numbers little-endian:

* header: `HEADER_MAGIC`, format version u16, sequence of the first record u64, CRC32 of the fourteen bytes before it;
* record: `RECORD_MAGIC`, length u32, sequence u64, CRC32 of length, sequence and payload, payload.

The sequence counts the records of a spool without holes over all its segments, so that a jump tells exactly
how many are missing. `RECORD_MAGIC` is made of bytes that UTF-8 never uses: wherever it is found after damage, a
record may begin.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from zlib import crc32

FORMAT_VERSION = 1
HEADER_MAGIC = b"\xff\xfeEv"
RECORD_MAGIC = b"\xff\xfe\xfd\xfc"
SEGMENT_SUFFIX = ".spool"
UNREADABLE_SUFFIX = ".unreadable"

_HEADER = Struct("<4sHQI")
_RECORD = Struct("<4sIQI")
_CHECKED = Struct("<IQ")
_CHECKSUM = Struct("<I")
HEADER_BYTES = _HEADER.size
RECORD_BYTES = _RECORD.size
"""What a record takes on disk besides its payload."""
_CHUNK_BYTES = 256 * 1024
_SCAN_RECORDS = 1000


class UnreadableSegmentError(ValueError):
    """A segment of another format version, or a file that is no segment. The message says which."""


class Record(NamedTuple):
    """A record as it was read."""

    sequence: int
    payload: bytes


@dataclass(slots=True)
class Segment:
    """A file of records. `size` is in bytes, up to the end of its last whole record as far as that is known."""

    path: Path
    first: int
    size: int


def pack_header(first: int) -> bytes:
    """The header of a segment whose first record has the sequence `first`."""
    checked = _HEADER.pack(HEADER_MAGIC, FORMAT_VERSION, first, 0)[: -_CHECKSUM.size]
    return checked + _CHECKSUM.pack(crc32(checked))


def pack_records(payloads: list[bytes], sequence: int) -> bytes:
    """The records of `payloads`, the first of which has this sequence.

    Raises:
        ValueError: a payload holds `RECORD_MAGIC`, and so is not UTF-8 text.
    """
    parts: list[bytes] = []
    for payload in payloads:
        if RECORD_MAGIC in payload:
            raise ValueError("a record of a spool must be UTF-8 text")
        checked = _CHECKED.pack(len(payload), sequence)
        parts += (RECORD_MAGIC, checked, _CHECKSUM.pack(crc32(payload, crc32(checked))), payload)
        sequence += 1
    return b"".join(parts)


def segment_path(folder: Path, number: int) -> Path:
    """The file of the segment of this number, from 1. In the order of their numbers, segments are a queue."""
    return folder / f"{number:010d}{SEGMENT_SUFFIX}"


def inspect(path: Path) -> Segment:
    """The segment in a file, without reading more of it than its header when that is whole.

    Raises:
        UnreadableSegmentError: no segment of this format version.
        OSError: it cannot be opened or read.
    """
    with SegmentReader(path) as reader:
        size = reader.file_size()
        header = os.pread(reader.descriptor, HEADER_BYTES, 0)
        if len(header) == HEADER_BYTES:
            magic, version, first, checksum = _HEADER.unpack(header)
            if magic == HEADER_MAGIC and crc32(header[: -_CHECKSUM.size]) == checksum:
                if version != FORMAT_VERSION:
                    raise UnreadableSegmentError(f"format version {version}, not {FORMAT_VERSION}")
                return Segment(path, first, size)
        # A damaged header hides no record: the first whole one knows its own place.
        records = reader.read(size, 1, 0)
        if not records:
            raise UnreadableSegmentError("no segment of a spool")
        return Segment(path, records[0].sequence, size)


class Tail(NamedTuple):
    """Where a segment ends: the offset after its last whole record, the next sequence, and whether more follows."""

    size: int
    next: int
    torn: bool


def find_tail(segment: Segment) -> Tail:
    """Read all of a segment for its end.

    Raises:
        OSError: it cannot be opened or read.
    """
    end, following = min(HEADER_BYTES, segment.size), segment.first
    with SegmentReader(segment.path) as reader:
        while records := reader.read(segment.size, _SCAN_RECORDS, _CHUNK_BYTES):
            end, following = reader.end, records[-1].sequence + 1
    return Tail(end, following, torn=end < segment.size)


class SegmentReader:
    """Reads the whole records of a segment in order, a part of it at a time, and skips what is damaged.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self.end = HEADER_BYTES
        """Offset after the last whole record that was read."""
        self._buffer = b""
        self._offset = HEADER_BYTES  # of the buffer's first byte in the file
        self._at = 0  # in the buffer

    def __enter__(self) -> SegmentReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. May be called again."""
        if self.descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self.descriptor)
            self.descriptor = -1

    def file_size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self.descriptor).st_size

    def read(self, size: int, count: int, max_bytes: int) -> list[Record]:
        """The next records within the file's first `size` bytes: `count` at most, and no more after `max_bytes`.

        Empty when there are no more, until the segment grows.

        Raises:
            OSError: the file cannot be read.
        """
        records: list[Record] = []
        total = 0
        while len(records) < count and (not records or total < max_bytes) and self._fill(RECORD_BYTES, size):
            at = self._at
            magic, length, sequence, checksum = _RECORD.unpack_from(self._buffer, at)
            if magic == RECORD_MAGIC and self._fill(RECORD_BYTES + length, size):
                at = self._at
                begin = at + RECORD_BYTES
                payload = self._buffer[begin : begin + length]
                if crc32(payload, crc32(self._buffer[at + 4 : at + 16])) == checksum:
                    self._at = begin + length
                    self.end = self._offset + self._at
                    records.append(Record(sequence, payload))
                    total += length
                    continue
            self._seek_magic(size)
        return records

    def _seek_magic(self, size: int) -> None:
        """Go on to the next place where a record may begin, or to the last bytes."""
        self._at += 1
        while True:
            found = self._buffer.find(RECORD_MAGIC, self._at)
            if found >= 0:
                self._at = found
                return
            # The last bytes may be the beginning of a magic.
            self._at = max(self._at, len(self._buffer) - len(RECORD_MAGIC) + 1)
            if not self._fill(RECORD_BYTES, size):
                return

    def _fill(self, wanted: int, size: int) -> bool:
        """Have `wanted` bytes in the buffer from where it is read. False when the file has not as many."""
        have = len(self._buffer) - self._at
        if have >= wanted:
            return True
        here = self._offset + self._at
        if here + wanted > size:
            return False
        parts = [self._buffer[self._at :]]
        while have < wanted:
            offset = here + have
            part = os.pread(self.descriptor, min(max(_CHUNK_BYTES, wanted - have), size - offset), offset)
            if not part:
                break
            parts.append(part)
            have += len(part)
        self._buffer, self._offset, self._at = b"".join(parts), here, 0
        return have >= wanted
