"""The sealed format of objects, which may be larger than memory, and the records inside exports.

    0        4          5        21             29
    | "HSEG" | format 1 | key id | nonce prefix | segment | segment | ...

A segment is a 4-byte length and an AES-256-GCM ciphertext of at most 64 KiB plaintext. Its nonce is
the prefix and its number; its associated data are the header, the object's name, the number and
whether it is the last: nothing can be cut off, moved, or passed for another object.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.sdk.interface import Holding, Record
from schemas.sealed import SealError

SEGMENT = 64 * 1024
"""Bytes of plaintext in a segment, at most."""
MAGIC = b"HSEG"
FORMAT = 1
_HEAD = struct.Struct(">4sB16s8s")
_LENGTH = struct.Struct(">I")
_TAG = 16
_LONGEST_LINE = 1024 * 1024
CUT_SHORT = "cut_short"
"""Why a file is not whole that went on in a record that never came."""
_FILE = {"name": "", "more": False, "missing": ""}
"""What a head says of files, where it is not this: exports of the last release say nothing."""


class UnpackError(Exception):
    """Bytes that are not whole packed records."""


async def seal_stream(
    key: bytes, key_id: UUID, name: str, chunks: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """Encrypt an object under a 32-byte key, bound to its `name`, segment by segment."""
    prefix = os.urandom(8)
    head = _HEAD.pack(MAGIC, FORMAT, key_id.bytes, prefix)
    cipher = AESGCM(key)
    number = 0

    def segment(plaintext: bytes, *, last: bool) -> bytes:
        nonce = prefix + _LENGTH.pack(number)
        sealed = cipher.encrypt(nonce, plaintext, _bound(head, name, number, last=last))
        return _LENGTH.pack(len(sealed)) + sealed

    yield head
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) > SEGMENT:
            yield segment(bytes(waiting[:SEGMENT]), last=False)
            del waiting[:SEGMENT]
            number += 1
    yield segment(bytes(waiting), last=True)


async def open_stream(key: bytes, name: str, sealed: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What `seal_stream` was given. Each segment is proved before it is handed out.

    Raises `SealError` if key or name differ, a bit changed, or the end is missing: what came
    before that is genuine, but not the whole.
    """
    source = _Source(sealed)
    head = await source.read(_HEAD.size)
    magic, form, _, prefix = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0, b"", b"")
    if magic != MAGIC or form != FORMAT:
        raise SealError("not a sealed object")
    cipher = AESGCM(key)
    number, last = 0, False
    while not last:
        ciphertext = await _segment(source)
        last = await source.ended()
        try:
            nonce = prefix + _LENGTH.pack(number)
            yield cipher.decrypt(nonce, ciphertext, _bound(head, name, number, last=last))
        except InvalidTag:
            raise SealError("the object does not open under this key and name") from None
        number += 1


def pack(record: Record) -> bytes:
    """A record as it lies in an export: a line of JSON, the body, a line feed."""
    head = {
        "kind": record.holding.kind,
        "holding": record.holding.id,
        "content_type": record.content_type,
        "length": len(record.body),
    }
    told = {it: getattr(record, it) for it in _FILE}
    head |= {it: value for it, value in told.items() if value != _FILE[it]}
    return json.dumps(head).encode() + b"\n" + record.body + b"\n"


async def unpack(chunks: AsyncIterator[bytes]) -> AsyncIterator[Record]:
    """The records of an export, one at a time. Raises `UnpackError`."""
    source = _Source(chunks)
    while not await source.ended():
        try:
            head: Any = json.loads(await source.line())
            kind, id_, content_type = head["kind"], head["holding"], head["content_type"]
            of_file = {it: head.get(it, unsaid) for it, unsaid in _FILE.items()}
            if not all(isinstance(it, str) for it in (kind, id_, content_type)) or any(
                type(value) is not type(_FILE[it]) for it, value in of_file.items()
            ):
                raise TypeError("not text")  # noqa: TRY301  the same error
            body = await source.read(head["length"] + 1)
        except (ValueError, KeyError, TypeError):
            raise UnpackError("not a packed record") from None
        if len(body) != head["length"] + 1 or not body.endswith(b"\n"):
            raise UnpackError("a record is cut short")
        yield Record(Holding(kind, id_), body[:-1], content_type, **of_file)


async def closed(records: AsyncIterator[Record]) -> AsyncIterator[Record]:
    """The same records, and one that says so after a file whose next piece never came."""
    last: Record | None = None
    async for record in records:
        if last is not None and (last.holding, last.name) != (record.holding, record.name):
            yield cut(last, CUT_SHORT)
        yield record
        last = record if record.more else None
    if last is not None:
        yield cut(last, CUT_SHORT)


def cut(record: Record, reason: str) -> Record:
    """What ends a file after this piece: the rest is missing, and why."""
    return replace(record, body=b"", more=False, missing=reason)


class _Source:
    """Chunks, read by length or by line."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = aiter(chunks)
        self._held = bytearray()

    async def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer at the end."""
        while len(self._held) < size and await self._more():
            pass
        return self._take(size)

    async def line(self) -> bytes:
        """Up to the next line feed. Raises `ValueError` if there is none."""
        searched = 0
        while (found := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            if searched > _LONGEST_LINE or not await self._more():
                raise ValueError("no line")
        return self._take(found + 1)

    async def ended(self) -> bool:
        """Whether nothing is left."""
        while not self._held:
            if not await self._more():
                return True
        return False

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    async def _more(self) -> bool:
        chunk = await anext(self._chunks, None)
        if chunk is None:
            return False
        self._held += chunk
        return True


async def _segment(source: _Source) -> bytes:
    length = await source.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        raise SealError("the object is cut short")
    (size,) = _LENGTH.unpack(length)
    if not _TAG <= size <= SEGMENT + _TAG:
        raise SealError("not a sealed object")
    ciphertext = await source.read(size)
    if len(ciphertext) < size:
        raise SealError("the object is cut short")
    return ciphertext


def _bound(head: bytes, name: str, number: int, *, last: bool) -> bytes:
    return head + _LENGTH.pack(number) + bytes([last]) + name.encode()
