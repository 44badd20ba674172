"""Export records as they come: sealed objects of bounded size, each written once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from uuid import uuid4

from connectors.sdk.interface import Record
from schemas.records import ExportRow

from ..crypto.grants import Grant
from ..crypto.segments import pack, seal_stream
from ..faults import crash
from ..ports import Objects

PART = 8 * 1024 * 1024
"""Bytes of packed records in an object, at most; a larger record has an object of its own."""
ALIKE = 8
"""Objects of one size, before the next are twice as large: the answer lists each."""
PIECE = 1024 * 1024
"""Bytes of a file in a record, at most: whoever reads it holds no more of it."""


async def export(
    objects: Objects, grant: Grant, prefix: str, records: AsyncIterator[Record]
) -> tuple[ExportRow, ...]:
    """Write `records` into objects whose names begin with `prefix`, one record at a time.

    Names are new each time: what an earlier, interrupted run wrote is never listed or mixed in.
    """
    run = f"{prefix}-{uuid4().hex}"
    source = _Source(records)
    rows: list[ExportRow] = []
    while not await source.ended():
        size = PART << len(rows) // ALIKE
        rows.append(await _write(objects, grant, f"{run}-{len(rows) + 1}", source, size))
        if len(rows) == 1:
            crash.passing("host.in-export")
    return tuple(rows)


async def _write(
    objects: Objects, grant: Grant, name: str, source: _Source, most: int
) -> ExportRow:
    digest = sha256()
    size, before = 0, source.count

    async def watched() -> AsyncIterator[bytes]:
        nonlocal size
        async for chunk in seal_stream(grant.key, grant.key_id, name, source.part(most)):
            digest.update(chunk)
            size += len(chunk)
            yield chunk

    await objects.put(name, watched())
    return ExportRow(
        system=grant.system,
        name=name,
        digest=digest.digest(),
        records=source.count - before,
        size=size,
    )


class _Source:
    """Packed records, in parts."""

    def __init__(self, records: AsyncIterator[Record]) -> None:
        self._records = _in_pieces(records)
        self._next: Record | None = None
        self.count = 0
        """Records handed out; a file is one, however many pieces it comes in."""

    async def ended(self) -> bool:
        """Whether no record is left."""
        if self._next is None:
            self._next = await anext(self._records, None)
        return self._next is None

    async def part(self, most: int) -> AsyncIterator[bytes]:
        """The next part's records."""
        size = 0
        while not await self.ended() and self._next is not None:
            packed = pack(self._next)
            if size and size + len(packed) > most:
                return
            self.count += not self._next.more
            self._next = None
            size += len(packed)
            yield packed


async def _in_pieces(records: AsyncIterator[Record]) -> AsyncIterator[Record]:
    """The same, large files cut up."""
    async for record in records:
        left = memoryview(record.body)
        while record.name and len(left) > PIECE:
            yield replace(record, body=bytes(left[:PIECE]), more=True, missing="")
            left = left[PIECE:]
        yield replace(record, body=bytes(left)) if len(left) < len(record.body) else record
