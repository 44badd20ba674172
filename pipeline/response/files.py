"""The files among a system's records: where each lies in a package, or why it is not there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from connectors.sdk.interface import Holding, Record

from .file_names import Folder, safe

UNKNOWN_TYPE = "application/octet-stream"
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,80}")
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class File:
    """What is told of a file that belongs to a holding."""

    holding: Holding
    given: str
    """Its name as the vendor has it, whatever that is."""
    name: str
    """Its name as it is shown, and lies in the package."""
    content_type: str
    size: int
    """Bytes."""
    path: str = ""
    """Where it lies in the package; empty if it is not there."""
    missing: str = ""
    """A code: why it could not be copied."""


async def items(system: str, records: AsyncIterator[Record]) -> AsyncIterator[Record | File]:
    """Data as they come, and instead of a file what is told of it, once its last piece was read.

    The same records always give the same: places in the package need no memory.
    """
    places, size = _Places(system), 0
    async for record in records:
        if not record.name:
            yield record
            continue
        size += len(record.body)
        if not record.more:
            yield places.file(record, size)
            size = 0


async def content(first: Record, records: AsyncIterator[Record]) -> AsyncIterator[bytes]:
    """A file's bytes, piece by piece, from its first record on."""
    yield first.body
    more = first.more
    while more and (record := await anext(records, None)) is not None:
        yield record.body
        more = record.more


@dataclass(slots=True)
class _Places:
    """A folder for each holding that has files, numbered by system and kind."""

    system: str
    _folders: dict[Holding, tuple[str, Folder]] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def file(self, last: Record, size: int) -> File:
        """What is told of a file, by its last piece."""
        said = _TYPE.match(last.content_type)
        told = File(
            holding=last.holding,
            given=last.name,
            name=safe(last.name),
            content_type=said.group().lower() if said else UNKNOWN_TYPE,
            size=size,
            missing=last.missing,
        )
        return told if last.missing else self._placed(told)

    def _placed(self, file: File) -> File:
        if file.holding not in self._folders:
            kind = file.holding.kind if _KIND.fullmatch(file.holding.kind) else "record"
            n = self._counts[kind] = self._counts.get(kind, 0) + 1
            self._folders[file.holding] = f"files/{self.system}/{kind}/{n}", Folder()
        where, folder = self._folders[file.holding]
        name = folder.name(file.given)
        return replace(file, name=name, path=f"{where}/{name}")
