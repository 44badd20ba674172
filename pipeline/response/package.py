"""The package a subject receives: pages, data files, and a signed manifest, written as a stream."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from hashlib import sha256
from typing import Any

from connectors.sdk.interface import Record
from pipeline.ports import Signer
from schemas.events import ResponseOrdered

from . import pages, statement
from .answer import Answer
from .archive import Archive
from .cards import read
from .shelves import Shelf, shelves

Exports = Callable[[str], AsyncIterator[Record]]
"""One system's exported records, from the start, each time it is called."""

INDEX, README = "index.html", "README.txt"
MANIFEST, ENVELOPE = "manifest.json", "manifest.dsse.json"
LARGE = 256 * 1024 * 1024
"""Bytes of exports from which on a data file is written as one that may exceed 2 GiB: as JSON in
JSON, a byte can become six."""
KEPT = 1024 * 1024
"""Bytes of one system's exports that are held in memory, at most."""
_SYSTEM = re.compile(r"[a-z][a-z0-9_-]*")


class Package:
    """One response as a zip archive. `digest`, `size` and `records` are known once it is written.

    Exports that are small are read once and kept meanwhile; others are read twice, or three times
    if they do not fit on the first page.
    """

    def __init__(
        self, order: ResponseOrdered, answer: Answer, exports: Exports, signer: Signer
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
        self.records = 0

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
        large = {f"data/{it}.json" for it in self.systems if self._size(it) > LARGE}
        async for name, content in self._files():
            async for piece in archive.add(name, content, large=name in large):
                yield piece
        manifest = statement.written(statement.RESPONSE, archive.files, self._said())
        envelope = statement.signed(manifest, self._signer)
        for name, whole in ((MANIFEST, manifest), (ENVELOPE, envelope)):
            async for piece in archive.add(name, _once(whole)):
                yield piece
        yield archive.close()

    async def _files(self) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        held = [await self._first(it) for it in self.systems]
        yield INDEX, _once(pages.index(self._answer, held))
        for shelf in held:
            yield f"data/{shelf.system}.json", self._data(shelf.system)
        for shelf in held:
            if shelf.more:
                async for name, content in self._further(shelf.system):
                    yield name, content
        yield README, _once(pages.readme(self._answer, self.systems))

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

    async def _first(self, system: str) -> Shelf:
        async with aclosing(shelves(system, self._exports(system))) as found:
            return await anext(found)

    async def _further(self, system: str) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        async for shelf in shelves(system, self._exports(system)):
            if shelf.number:
                page = pages.further(self._answer, shelf)
                yield f"more/{system}-{shelf.number}.html", _once(page)

    async def _data(self, system: str) -> AsyncIterator[bytes]:
        """All records of a system as one JSON array, a record a line."""
        between = b"[\n"
        async for record in self._exports(system):
            yield between + line(record)
            between = b",\n"
            self.records += 1
        yield b"\n]\n" if between == b",\n" else b"[]\n"

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
            "records": self.records,
        }


def line(record: Record) -> bytes:
    """A record as it stands in a data file: `data` as the system gave it, byte for byte.

    What is no JSON comes as `text`, and what is no text as `base64`.
    """
    head = {"kind": record.holding.kind, "id": record.holding.id}
    if read(record.body) is not None:
        return json.dumps(head)[:-1].encode() + b', "data": ' + record.body.strip() + b"}"
    head["content_type"] = record.content_type
    try:
        head["text"] = record.body.decode()
    except UnicodeDecodeError:
        head["base64"] = b64encode(record.body).decode()
    return json.dumps(head, ensure_ascii=False).encode()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
