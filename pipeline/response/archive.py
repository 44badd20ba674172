"""A zip archive that is written as a stream: never on disk, never whole in memory."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from datetime import datetime
from hashlib import sha256
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from .statement import Listed

PIECE = 64 * 1024
UNIX = 3
"""What made the archive, so that readers take the permissions."""


class Archive:
    """Files go in one by one; what comes out of `add` and `close`, in order, is the archive."""

    def __init__(self, at: datetime) -> None:
        self.files: list[Listed] = []
        """What was added so far."""
        self._moment = (at.year, at.month, at.day, at.hour, at.minute, at.second)
        self._sink = _Sink()
        self._zip = ZipFile(self._sink, "w", ZIP_DEFLATED)

    async def add(
        self, name: str, content: AsyncIterator[bytes], *, large: bool = False
    ) -> AsyncIterator[bytes]:
        """Write a file; `large` if it may exceed 2 GiB, which not every program unpacks.

        Its name is one of ours, never out of anybody's data.
        """
        digest, size = sha256(), 0
        info = ZipInfo(name, self._moment)
        info.compress_type, info.create_system = ZIP_DEFLATED, UNIX
        info.external_attr = (stat.S_IFREG | 0o644) << 16
        with self._zip.open(info, "w", force_zip64=large) as entry:
            async for chunk in content:
                digest.update(chunk)
                size += len(chunk)
                for start in range(0, len(chunk), PIECE):
                    entry.write(chunk[start : start + PIECE])
                    if self._sink.full():
                        yield self._sink.taken()
                        await asyncio.sleep(0)  # compressing takes time that others need
        self.files.append(Listed(name, digest.hexdigest(), size))
        yield self._sink.taken()

    def close(self) -> bytes:
        """The end of the archive."""
        self._zip.close()
        return self._sink.taken()


class _Sink:
    """What `ZipFile` writes to: it cannot be gone back in, so sizes follow the data."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def full(self) -> bool:
        return len(self._waiting) >= PIECE

    def taken(self) -> bytes:
        found = bytes(self._waiting)
        self._waiting.clear()
        return found
