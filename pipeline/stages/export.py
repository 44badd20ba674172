"""Export records as they come: sealed objects of bounded size, each written once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from uuid import uuid4

from connectors.sdk.interface import Record
from schemas.records import ExportRow

from .. import crash
from ..grants import Grant
from ..ports import Objects
from ..segments import pack, seal_stream

PART = 8 * 1024 * 1024
"""Bytes of packed records in an object, at most; a larger record has an object of its own."""


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
        rows.append(await _write(objects, grant, f"{run}-{len(rows) + 1}", source))
        if len(rows) == 1:
            crash.passing("host.in-export")
    return tuple(rows)


async def _write(objects: Objects, grant: Grant, name: str, source: _Source) -> ExportRow:
    digest = sha256()
    size, before = 0, source.count

    async def watched() -> AsyncIterator[bytes]:
        nonlocal size
        async for chunk in seal_stream(grant.key, grant.key_id, name, source.part()):
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
        self._records = records
        self._next: bytes | None = None
        self.count = 0
        """Records handed out."""

    async def ended(self) -> bool:
        """Whether no record is left."""
        if self._next is None:
            record = await anext(self._records, None)
            self._next = None if record is None else pack(record)
        return self._next is None

    async def part(self) -> AsyncIterator[bytes]:
        """The next part's records."""
        size = 0
        while not await self.ended() and self._next is not None:
            if size and size + len(self._next) > PART:
                return
            taken, self._next = self._next, None
            size += len(taken)
            self.count += 1
            yield taken
