"""How a package lies as a zip: the one form that is written, and the only one that verifies.

Given a file's name, checksum and sizes, every byte around its data is fixed: who writes and who
verifies take them from here. PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3, is the format.

    a file     local header, deflated data, data descriptor: it is written before its size is known
    the last   two, the manifest and its signature, stored: local header with sizes, data
    the end    central directory, end record; zip64's records before it beyond 2 GiB or 65 535 files

No comment, no extra field but zip64's, no encryption, nothing between, before or after.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime

from . import file_names

NAME = re.compile(
    rb"index\.html|information\.json|README\.txt|manifest(\.dsse)?\.json"
    rb"|portability/(data|schema)\.json|portability/[a-z][a-z0-9_-]{0,126}\.csv"
    rb"|data/[a-z][a-z0-9_-]{0,63}\.json|more/[a-z][a-z0-9_-]{0,63}-[1-9][0-9]{0,8}\.html"
)
"""Every name that is ours: none is out of anybody's data, none leads out of a folder."""
OF_FILES = re.compile(
    rb"files/[a-z][a-z0-9_-]{0,63}/[a-z][a-z0-9_-]{0,63}/[1-9][0-9]{0,8}/([^/]+)", re.DOTALL
)
"""Where the files lie that vendors hold, under their own names as far as those are safe."""
LIMIT = 2**31 - 1
"""Sizes and offsets beyond this are written in 64 bits: some programs take 32 for signed."""
MOST = 2**16 - 1
"""Files that fit into an end record without zip64's."""
STORED, DEFLATED = 0, 8
UNIX, MODE = 3, 0o100644
"""Made on Unix: readers take the permissions, a plain file that its owner may write."""
PLAIN, ZIP64 = 20, 45
STREAMED, UTF_8 = 0x08, 0x0800
"""The flags of a data descriptor, and of a name that is more than ASCII (appendix D)."""
FULL16, FULL32 = 2**16 - 1, 2**32 - 1

LOCAL = struct.Struct("<4s5H3L2H")
LOCAL_FIELDS = (
    *("signature", "version", "flags", "packing", "time", "date", "checksum"),
    *("packed size", "size", "name's length", "extra fields"),
)
CENTRAL = struct.Struct("<4s6H3L5H2L")
CENTRAL_FIELDS = (
    *("signature", "creator", "version", "flags", "packing", "time", "date", "checksum"),
    *("packed size", "size", "name's length", "extra fields", "comment", "disk"),
    *("kind of content", "mode", "place"),
)
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file in the archive. Sizes and `offset`, of its local header, are bytes."""

    name: bytes
    crc: int
    packed: int
    size: int
    offset: int
    at: int
    """Date and time as `dos_time` gives them."""
    stored: bool = False
    large: bool = False
    """Written as one that may exceed `LIMIT`."""

    @property
    def length(self) -> int:
        """Bytes from its local header to the next."""
        return len(local(self)) + self.packed + len(descriptor(self))


def is_a_name(name: bytes) -> bool:
    """Whether a file in a package may have this name."""
    found = OF_FILES.fullmatch(name)
    return bool(NAME.fullmatch(name)) or (found is not None and file_names.is_safe(found.group(1)))


def dos_time(at: datetime) -> int:
    """A moment as an archive has it: date, then time, in steps of two seconds, 1980 to 2107."""
    if not 1980 <= at.year <= 2107:  # noqa: PLR2004  seven bits from 1980 on
        at = at.replace(year=min(max(at.year, 1980), 2107), day=min(at.day, 28))
    date = (at.year - 1980) << 9 | at.month << 5 | at.day
    return date << 16 | at.hour << 11 | at.minute << 5 | at.second // 2


def local(entry: Entry) -> bytes:
    """What precedes a file's data."""
    crc, packed, size, extra = 0, 0, 0, b""
    if entry.stored:
        crc, packed, size = entry.crc, entry.packed, entry.size
    elif entry.large:
        packed = size = FULL32
        extra = struct.pack("<2H2Q", 1, 16, 0, 0)
    head = LOCAL.pack(
        *(b"PK\3\4", ZIP64 if entry.large else PLAIN, _flags(entry)),
        *(STORED if entry.stored else DEFLATED, entry.at & FULL16, entry.at >> 16),
        *(crc, packed, size, len(entry.name), len(extra)),
    )
    return head + entry.name + extra


def descriptor(entry: Entry) -> bytes:
    """What follows a file's data, if it was deflated as it came."""
    if entry.stored:
        return b""
    form = "<4sL2Q" if entry.large else "<4s3L"
    return struct.pack(form, b"PK\7\x08", entry.crc, entry.packed, entry.size)


def central(entry: Entry) -> bytes:
    """A file's row in the central directory."""
    packed, size, offset, wide = entry.packed, entry.size, entry.offset, list[int]()
    if max(packed, size) > LIMIT:
        wide += [size, packed]
        packed = size = FULL32
    if offset > LIMIT:
        wide.append(offset)
        offset = FULL32
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    version = ZIP64 if wide or entry.large else PLAIN
    head = CENTRAL.pack(
        *(b"PK\1\2", UNIX << 8 | version, version, _flags(entry)),
        *(STORED if entry.stored else DEFLATED, entry.at & FULL16, entry.at >> 16),
        *(entry.crc, packed, size, len(entry.name), len(extra), 0, 0, 0, MODE << 16, offset),
    )
    return head + entry.name + extra


def _flags(entry: Entry) -> int:
    return (0 if entry.stored else STREAMED) | (0 if entry.name.isascii() else UTF_8)


def end(count: int, size: int, start: int) -> bytes:
    """The end of an archive whose central directory has `count` rows in `size` bytes at `start`."""
    wide = b""
    if count > MOST or max(size, start) > LIMIT:
        wide = END64.pack(b"PK\6\6", 44, ZIP64, ZIP64, 0, 0, count, count, size, start)
        wide += LOCATOR.pack(b"PK\6\7", 0, start + size, 1)
    count, size, start = min(count, FULL16), min(size, FULL32), min(start, FULL32)
    return wide + END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0)
