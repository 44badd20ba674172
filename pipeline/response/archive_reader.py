"""Is this zip, byte for byte, one that we would write? Read it only if it is.

The central directory says which files there are; every header, descriptor and record that follows
from it is made anew (`zip_format`) and compared with what lies there. What is left is the files'
data, which tile the rest exactly. Memory does not grow with the files.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from struct import Struct
from typing import BinaryIO

from . import zip_format as form
from .statement import Listed
from .zip_format import Entry

MAX_DIRECTORY = 64 * 1024 * 1024
"""Bytes of a central directory that are read, at most: half a million files."""
PIECE = 64 * 1024
_WIDE = 8
_ENDS = form.END64.size + form.LOCATOR.size + form.END.size


class ArchiveError(Exception):
    """Bytes that we would not have written. The message names the file in question, by number
    where its name is none of ours, and says what is wrong with it.
    """


@dataclass(frozen=True, slots=True)
class File:
    """A file of the archive."""

    number: int
    """From 1, in the order they lie in."""
    entry: Entry

    @property
    def name(self) -> str:
        return self.entry.name.decode("utf-8", "replace")

    def error(self, what: str) -> ArchiveError:
        """The error that says `what` of this file. Only a name of ours holds nothing personal."""
        named = f" ({self.name})" if form.NAME.fullmatch(self.entry.name) else ""
        return ArchiveError(f"file {self.number}{named}: {what}")

    def check(
        self, where: str, head: Struct, fields: Sequence[str], found: bytes, wanted: bytes
    ) -> None:
        """Raise `ArchiveError` that names what differs, unless `found` is what is `wanted`."""
        if found == wanted:
            return
        if len(found) < head.size:
            raise self.error(f"its {where} is cut short")
        both = zip(fields, head.unpack_from(found), head.unpack_from(wanted), strict=True)
        differs = next((field for field, is_, should in both if is_ != should), "name")
        raise self.error(f"its {where} is not as we write it: {differs}")


class ArchiveReader:
    """An archive in a file that lies open. Raises `ArchiveError` unless all around the data of its
    files is as we write it; `content` and `compare` check those.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start, rows = self._directory()
        self.files = tuple(self._found(n, row, start) for n, row in enumerate(rows, start=1))
        self._check_places(start)
        for it in self.files:
            self._check_around(it)

    def content(self, file: File, most: int) -> bytes:
        """A small file's bytes. Raises `ArchiveError` if they are more than `most`."""
        if file.entry.size > most:
            raise file.error("it is too large")
        return b"".join(piece for piece, _ in self._pieces(file))

    def compare(self, file: File, wanted: Listed) -> None:
        """Raise `ArchiveError` unless it is the file that was signed; read no more than its size.

        Where the statement says so, its deflated bytes are compared as well: the same can be
        deflated in many ways, each with room to hide something in.
        """
        digest, deflated = sha256(), sha256()
        if file.entry.size != wanted.size:
            raise file.error("it was changed: it is not the file that was signed")
        for piece, packed in self._pieces(file):
            digest.update(piece)
            deflated.update(packed)
        if digest.hexdigest() != wanted.sha256:
            raise file.error("it was changed: it is not the file that was signed")
        if wanted.deflated not in {"", deflated.hexdigest()}:
            raise file.error("it was packed anew: its data are not packed as they were signed")

    def _directory(self) -> tuple[int, list[bytes]]:
        """Where the central directory is, and its rows."""
        size = self._file.seek(0, os.SEEK_END)
        count, length, start = _end(self._at(max(size - _ENDS, 0), _ENDS))
        after = start + length
        if after > size or self._at(after, _ENDS) != form.end(count, length, start):
            raise ArchiveError(
                "the package is damaged: its end record is not as we write it, or bytes were added"
                " or cut"
            )
        if length > MAX_DIRECTORY:
            raise ArchiveError("its central directory is too large")
        rows = list(_rows(self._at(start, length)))
        if len(rows) != count or not rows:
            raise ArchiveError("its end record counts other files than its central directory has")
        return start, rows

    def _found(self, number: int, row: bytes, start: int) -> File:
        """The file of a row, which is as we write it."""
        entry = _entry(row)
        if entry.offset + entry.packed > start:
            raise File(number, entry).error("it lies outside the package")
        head = self._at(entry.offset, form.LOCAL.size)
        if len(head) == form.LOCAL.size and form.LOCAL.unpack(head)[1] == form.ZIP64:
            entry = replace(entry, large=True)
        file = File(number, entry)
        file.check("central directory", form.CENTRAL, form.CENTRAL_FIELDS, row, form.central(entry))
        if not form.is_a_name(entry.name):
            raise file.error("its name is none of ours")
        return file

    def _check_places(self, start: int) -> None:
        """The files tile all that comes before the central directory, each under one name."""
        at, names = 0, set[bytes]()
        for it in self.files:
            if it.entry.offset != at:
                raise it.error("something lies before it that is no file of ours, or it overlaps")
            if it.entry.name in names:
                raise it.error("it is there twice")
            names.add(it.entry.name)
            at += it.entry.length
        if at != start:
            raise ArchiveError("something lies between the last file and the central directory")

    def _check_around(self, file: File) -> None:
        """Local header and descriptor say what the central directory says."""
        entry = file.entry
        head, tail = form.local(entry), form.descriptor(entry)
        found = self._at(entry.offset, len(head))
        file.check("local header", form.LOCAL, form.LOCAL_FIELDS, found, head)
        if self._at(entry.offset + len(head) + entry.packed, len(tail)) != tail:
            raise file.error("the data descriptor after it is not what the central directory says")

    def _pieces(self, file: File) -> Iterator[tuple[bytes, bytes]]:
        """A file's data as they are, and as they are packed, a part of either at a time."""
        entry = file.entry
        size, crc = 0, 0
        unpacked = _stored if entry.stored else _inflated
        try:
            for piece, packed in unpacked(self._packed(entry)):
                size, crc = size + len(piece), zlib.crc32(piece, crc)
                if size > entry.size:
                    break
                yield piece, packed
        except zlib.error:
            raise file.error("its data are damaged, or something was put after them") from None
        if (size, crc) != (entry.size, entry.crc):
            raise file.error("its data are damaged, or not what the central directory says")

    def _packed(self, entry: Entry) -> Iterator[bytes]:
        at, left = entry.offset + len(form.local(entry)), entry.packed
        while left and (packed := self._at(at, min(left, PIECE))):
            yield packed
            at, left = at + len(packed), left - len(packed)

    def _at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)


def _end(tail: bytes) -> tuple[int, int, int]:
    """Count, size and place of the central directory, as the end of a file says."""
    if len(tail) < form.END.size or not tail[-form.END.size :].startswith(b"PK\5\6"):
        raise ArchiveError("the package is damaged, or no zip file of ours: it has no end record")
    if len(tail) == _ENDS and tail.startswith(b"PK\6\6"):
        *_, count, length, start = form.END64.unpack(tail[: form.END64.size])
    else:
        *_, count, length, start, _ = form.END.unpack(tail[-form.END.size :])
    return count, length, start


def _rows(directory: bytes) -> Iterator[bytes]:
    """The rows of a central directory."""
    at = 0
    while at < len(directory):
        head = directory[at : at + form.CENTRAL.size]
        if len(head) < form.CENTRAL.size or not head.startswith(b"PK\1\2"):
            raise ArchiveError("its central directory is damaged, or something lies in it")
        name, extra, comment = form.CENTRAL.unpack(head)[10:13]
        row = directory[at : at + form.CENTRAL.size + name + extra + comment]
        yield row
        at += len(row)


def _entry(row: bytes) -> Entry:
    """What a row says of a file. Whether it is as we write it shows when it is written anew."""
    head = form.CENTRAL.unpack(row[: form.CENTRAL.size])
    _, _, _, _, packing, time, date, crc, packed, size, length, extra, *_, offset = head
    name = row[form.CENTRAL.size :][:length]
    wide = row[form.CENTRAL.size + length :][4:extra]
    words = [it for (it,) in struct.iter_unpack("<Q", wide[: len(wide) // _WIDE * _WIDE])]
    if form.FULL32 in {packed, size} and len(words) > 1:
        size, packed, *words = words
    if offset == form.FULL32 and words:
        offset = words[0]
    return Entry(
        name=name,
        crc=crc,
        packed=packed,
        size=size,
        offset=offset,
        at=date << 16 | time,
        stored=packing == form.STORED,
    )


def _stored(packed: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return ((it, it) for it in packed)


def _inflated(packed: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Deflated data, unpacked. Raises `zlib.error` if they do not end where their last byte is."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    for part in packed:
        if unpacker.eof:
            raise zlib.error("something follows its end")
        yield b"", part
        left, piece = part, b""
        while not unpacker.eof and (left or len(piece) == PIECE):
            piece = unpacker.decompress(left, PIECE)
            left = unpacker.unconsumed_tail
            yield piece, b""
    if not unpacker.eof or unpacker.unused_data:
        raise zlib.error("it does not end where it should")
