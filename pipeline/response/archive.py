"""A zip archive that is written as a stream: never on disk, never whole in memory."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from . import zip_format
from .statement import Listed
from .zip_format import Entry

PIECE = 64 * 1024


class Archive:
    """Files go in one by one; the archive is what comes out of `add`, `keep`, `close`, in order.

    Names are those that `zip_format.is_a_name` knows; any other raises `ValueError`.
    """

    def __init__(self, at: datetime) -> None:
        self.files: list[Listed] = []
        """What `add` wrote so far."""
        self._at = zip_format.dos_time(at)
        self._entries: list[Entry] = []
        self._names: set[bytes] = set()
        self._offset = 0

    async def add(
        self, name: str, content: AsyncIterator[bytes], *, large: bool = False
    ) -> AsyncIterator[bytes]:
        """Write a file; `large` if it may exceed 2 GiB, which not every program unpacks."""
        begun = self._begun(name, large=large)
        file = _Deflated()
        waiting = bytearray(zip_format.local(begun))
        async for chunk in content:
            for start in range(0, len(chunk), PIECE):
                waiting += file.write(chunk[start : start + PIECE])
                await asyncio.sleep(0)  # compressing takes time that others need
                if len(waiting) >= PIECE:
                    yield bytes(waiting)
                    waiting.clear()
        waiting += file.finish()
        entry = file.entry(begun)
        self._take(entry)
        self.files.append(
            Listed(name, file.digest.hexdigest(), file.size, file.packed_digest.hexdigest())
        )
        yield bytes(waiting) + zip_format.descriptor(entry)

    def keep(self, name: str, content: bytes) -> bytes:
        """Write a small file as it is: its bytes in the archive are its own."""
        size = len(content)
        entry = replace(
            self._begun(name), crc=zlib.crc32(content), packed=size, size=size, stored=True
        )
        self._take(entry)
        return zip_format.local(entry) + content

    def close(self) -> bytes:
        """The end of the archive."""
        directory = b"".join(map(zip_format.central, self._entries))
        return directory + zip_format.end(len(self._entries), len(directory), self._offset)

    def _begun(self, name: str, *, large: bool = False) -> Entry:
        encoded = name.encode()
        if not zip_format.is_a_name(encoded) or encoded in self._names:
            raise ValueError("not the name of a file in a package, or there is one already")
        return Entry(
            name=encoded, crc=0, packed=0, size=0, offset=self._offset, at=self._at, large=large
        )

    def _take(self, entry: Entry) -> None:
        if not entry.large and max(entry.packed, entry.size) > zip_format.LIMIT:
            raise ValueError("a file of a package is larger than it was said to be")
        self._entries.append(entry)
        self._names.add(entry.name)
        self._offset += entry.length


class _Deflated:
    """A file's data on its way through the compressor."""

    def __init__(self) -> None:
        self.digest, self.packed_digest = sha256(), sha256()
        self.size = 0
        self._packed = 0
        self._crc = 0
        self._packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)

    def write(self, data: bytes) -> bytes:
        self.digest.update(data)
        self.size += len(data)
        self._crc = zlib.crc32(data, self._crc)
        return self._out(self._packer.compress(data))

    def finish(self) -> bytes:
        return self._out(self._packer.flush())

    def entry(self, begun: Entry) -> Entry:
        """The entry that was begun, with what is known now."""
        return replace(begun, crc=self._crc, packed=self._packed, size=self.size)

    def _out(self, packed: bytes) -> bytes:
        self.packed_digest.update(packed)
        self._packed += len(packed)
        return packed
