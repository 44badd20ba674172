"""The package a subject receives: pages, data, files and a signed manifest, written as a stream."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

from connectors.sdk.interface import Record
from pipeline.case.outcome import code
from pipeline.ports import Signer
from schemas.events import ResponseOrdered

from . import pages, portable, statement
from .answer import Answer
from .archive import Archive
from .as_json import as_json
from .cards import read
from .copies import Copy
from .files import File, content, items
from .portable import Portion
from .shelves import LINE, Shelf, shelves
from .zip_format import LIMIT

Exports = Callable[[str], AsyncIterator[Record]]
"""One system's exported records, from the start, each time it is called; each file to its end."""

INDEX, README = "index.html", "README.txt"
INFORMATION = "information.json"
"""What the page says of the processing, as data."""
MANIFEST, ENVELOPE = "manifest.json", "manifest.dsse.json"
LARGE = 256 * 1024 * 1024
"""Bytes of exports from which on a data file is written as one that may exceed 2 GiB: as JSON in
JSON, a byte can become six. A file stays as it is, and may have half of that."""
BATCH = 256 * 1024
"""Bytes of records that are written as JSON at once, in a thread."""
KEPT = 1024 * 1024
"""Bytes of one system's exports that are held in memory, at most."""
_SYSTEM = re.compile(r"[a-z][a-z0-9_-]*")


class Package:
    """One response as a zip archive. `digest`, `size` and `records` are known once it is written.

    Exports that are small are read once and kept meanwhile; others are read twice, once more if
    they do not fit on the first page, and once more if there are files among them. A `plain` one
    has no records on its pages, only in its data files: for those that cannot be laid out.
    """

    def __init__(
        self,
        order: ResponseOrdered,
        answer: Answer,
        exports: Exports,
        signer: Signer,
        *,
        copies: Sequence[Copy],
        made: datetime,
        portion: Portion | None = None,
        plain: bool = False,
    ) -> None:
        self._order = order
        self._answer = answer
        self._read = exports
        self._kept: dict[str, list[Record]] = {}
        self._signer = signer
        self._sha256 = sha256()
        self.systems = tuple(dict.fromkeys(it.system for it in order.exports))
        if not all(_SYSTEM.fullmatch(it) for it in self.systems):
            raise ValueError("a system whose name cannot be a file's")
        self.size = 0
        self._copies = copies
        self._made = made
        self._portion = portion
        self._plain = plain
        self._placed: dict[str, list[File]] = {}
        """Files by system, in their order, once its data file is written."""
        self._counts = Counter[str]()

    @property
    def records(self) -> int:
        """Records in it."""
        return self._counts.total()

    @property
    def left_out(self) -> tuple[str, ...]:
        """Systems of the case that listed a copy which is not in it."""
        return tuple(it.system for it in self._copies if it.refused)

    @property
    def digest(self) -> bytes:
        """SHA-256 over the archive, as far as it is written."""
        return self._sha256.digest()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The archive, piece by piece. Can be written once."""
        async for piece in self._pieces():
            self._sha256.update(piece)
            self.size += len(piece)
            yield piece

    async def _pieces(self) -> AsyncIterator[bytes]:
        archive = Archive(self._order.received_at)
        async for name, written, large in self._files():
            async for piece in archive.add(name, written, large=large):
                yield piece
        manifest = statement.written(statement.RESPONSE, archive.files, self._said())
        envelope = statement.signed(manifest, self._signer)
        for name, whole in ((MANIFEST, manifest), (ENVELOPE, envelope)):
            yield archive.keep(name, whole)
        yield archive.close()

    async def _files(self) -> AsyncIterator[tuple[str, AsyncIterator[bytes], bool]]:
        """Each file's name, what is in it, and whether it may be large."""
        copied = self.systems if self._answer.copied else ()
        held = [await self._first(it) for it in copied]
        yield INDEX, _once(await asyncio.to_thread(pages.index, self._answer, held)), False
        for shelf in held:
            large = self._size(shelf.system) > LARGE
            yield f"data/{shelf.system}.json", self._data(shelf.system), large
        if self._portion is not None:
            async for name, content in self._taken_along(self._portion):
                yield name, content, sum(map(self._size, self.systems)) > LARGE
        for shelf in held:
            if shelf.more:
                async for name, page in self._further(shelf.system):
                    yield name, page, False
        for system in self.systems:
            if any(it.path for it in self._placed.get(system, ())):
                async for file, held_file in self._vendors_files(system):
                    yield file.path, held_file, file.size > LIMIT // 2
        yield INFORMATION, _once(self._information()), False
        yield README, _once(pages.readme(self._answer, copied)), False

    async def _taken_along(
        self, portion: Portion
    ) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        """The files of what the person may take along."""
        order, systems = self._order, {it: partial(self._items, it) for it in self.systems}
        if not self._answer.copied:
            await self._place(portion)
        about = {
            "case": str(order.case),
            "controller": self._answer.controller,
            "made": self._made.date().isoformat(),
        }
        yield portable.DATA, portable.data(about, systems, portion)
        yield portable.SCHEMA, _once(portable.schema())
        async for table in portable.tables(systems, portion):
            yield table

    async def _place(self, portion: Portion) -> None:
        """Count what is taken along, and see which files go with it: no copy does so."""
        for system in self.systems:
            placed = self._placed[system] = list[File]()
            async for item in self._items(system):
                self._counts[system] += portion.of(system, item) is not None
                if isinstance(item, File):
                    goes = portion.has(system, item.holding.kind)
                    placed.append(item if goes else replace(item, path=""))

    async def _exports(self, system: str) -> AsyncIterator[Record]:
        if self._size(system) > KEPT:
            async for record in self._read(system):
                yield record
            return
        if system not in self._kept:
            self._kept[system] = [it async for it in self._read(system)]
        for record in self._kept[system]:
            yield record

    def _size(self, system: str) -> int:
        return sum(it.size for it in self._order.exports if it.system == system)

    def _items(self, system: str) -> AsyncIterator[Record | File]:
        return items(system, self._exports(system))

    async def _first(self, system: str) -> Shelf:
        if self._plain:
            return Shelf(system, plain=True)
        async with aclosing(shelves(system, self._items(system))) as found:
            return await anext(found)

    async def _further(self, system: str) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        async for shelf in shelves(system, self._items(system)):
            if shelf.number:
                page = await asyncio.to_thread(pages.further, self._answer, shelf)
                yield f"more/{system}-{shelf.number}.html", _once(page)

    async def _data(self, system: str) -> AsyncIterator[bytes]:
        """All records of a system as one JSON array, a record a line; of files, where they lie."""
        between = b"[\n"
        placed = self._placed[system] = list[File]()
        async for batch in _batches(self._items(system)):
            placed += (it for it in batch if isinstance(it, File))
            self._counts[system] += len(batch)
            for written in await asyncio.to_thread(_lines, batch):
                yield between + written
                between = b",\n"
        yield b"\n]\n" if between == b",\n" else b"[]\n"

    async def _vendors_files(self, system: str) -> AsyncIterator[tuple[File, AsyncIterator[bytes]]]:
        """The files that the system holds, byte for byte; each is to be read before the next."""
        records, placed = self._exports(system), iter(self._placed[system])
        async for record in records:
            if not record.name:
                continue
            file, pieces = next(placed), content(record, records)
            if file.path:
                yield file, pieces
            else:
                async for _ in pieces:
                    pass

    def _information(self) -> bytes:
        """What GDPR Art. 15(1), (2) ask for: the words of the page, and nothing of any record."""
        about = {"case": self._answer.case, "n": self._answer.n, "made_at": self._made}
        return as_json({**about, "information": self._answer.information})

    def _said(self) -> dict[str, Any]:
        order = self._order
        return {
            "case": str(order.case),
            "n": order.n,
            "kind": order.kind,
            "claims": order.claims,
            "received_at": order.received_at,
            "due_at": order.due_at,
            "policy": {"sha256": order.policy.hex()},
            "ledger": {"head": order.head.hex()},
            "systems": order.systems,
            "coverage": order.coverage,
            "obligations": order.obligations,
            "recipients": order.recipients,
            "records": self.records,
            "copies": [self._copied(it) for it in self._copies],
            "made_at": self._made,
        }

    def _copied(self, copy: Copy) -> dict[str, Any]:
        """How many records of a system were expected, and how many are here."""
        said: dict[str, Any] = {
            "system": copy.system,
            "expected": copy.expected,
            "records": self._counts[copy.system],
        }
        if copy.withheld:
            said["withheld"] = copy.withheld
        if copy.lacking:
            said["files_not_copied"] = copy.lacking
        return {**said, "not_copied": copy.refused} if copy.refused else said


def line(item: Record | File) -> bytes:
    """A record as it stands in a data file: `data` as the system gave it, byte for byte.

    What is no JSON comes as `text`, and what is no text as `base64`; of a file, where it lies.
    """
    head: dict[str, Any] = {"kind": item.holding.kind, "id": item.holding.id}
    if isinstance(item, File):
        return _in_utf8({**head, **_told(item)})
    if read(item.body) is not None:
        return json.dumps(head)[:-1].encode() + b', "data": ' + item.body.strip() + b"}"
    head["content_type"] = item.content_type
    try:
        head["text"] = item.body.decode()
    except UnicodeDecodeError:
        head["base64"] = b64encode(item.body).decode()
    return _in_utf8(head)


def _told(file: File) -> dict[str, Any]:
    named = {"name": file.given, "content_type": file.content_type}
    if not file.path:
        return {**named, "not_copied": code(file.missing)}
    return {**named, "size": file.size, "file": file.path}


def _in_utf8(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _lines(batch: Sequence[Record | File]) -> list[bytes]:
    return [line(it) for it in batch]


async def _batches(found: AsyncIterator[Record | File]) -> AsyncIterator[list[Record | File]]:
    batch, size = list[Record | File](), 0
    async for it in found:
        batch.append(it)
        size += LINE if isinstance(it, File) else len(it.body) + LINE
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    yield batch


async def _once(whole: bytes) -> AsyncIterator[bytes]:
    yield whole
