"""A sealed object opens whole or not at all; the records in an export come out as they went in."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sdk.interface import Holding, Record
from pipeline.crypto.segments import (
    CUT_SHORT,
    SEGMENT,
    UnpackError,
    closed,
    open_stream,
    pack,
    seal_stream,
    unpack,
)
from schemas.sealed import SealError

KEY, KEY_ID = bytes(range(32)), UUID(int=7)
NAME = "case/order/run-1"
HEAD = 29
LARGE = os.urandom(2 * SEGMENT + 100)


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for it in chunks:
        yield it


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([it async for it in chunks])


async def sealed(content: bytes, name: str = NAME) -> bytes:
    return await whole(seal_stream(KEY, KEY_ID, name, stream([content])))


async def opened(content: bytes, key: bytes = KEY, name: str = NAME) -> bytes:
    return await whole(open_stream(key, name, stream([content])))


def segments(content: bytes) -> list[bytes]:
    """The head, then each segment with its length."""
    found, at = [content[:HEAD]], HEAD
    while at < len(content):
        end = at + 4 + int.from_bytes(content[at : at + 4])
        found.append(content[at:end])
        at = end
    return found


@settings(max_examples=30)
@given(st.lists(st.integers(0, SEGMENT + 1), max_size=4), st.integers(1, SEGMENT))
async def test_what_was_sealed_opens_however_it_is_cut(sizes: list[int], cut: int) -> None:
    chunks = [os.urandom(it) for it in sizes]
    closed = await whole(seal_stream(KEY, KEY_ID, NAME, stream(chunks)))
    again = stream(closed[at : at + cut] for at in range(0, len(closed), cut))
    assert await whole(open_stream(KEY, NAME, again)) == b"".join(chunks)


@pytest.mark.parametrize("size", [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT])
async def test_no_segment_is_larger_than_said(size: int) -> None:
    closed = await sealed(bytes(size))
    assert all(len(it) <= 4 + SEGMENT + 16 for it in segments(closed)[1:])
    assert await opened(closed) == bytes(size)


async def test_it_opens_under_its_key_and_name_only() -> None:
    closed = await sealed(b"content")
    with pytest.raises(SealError):
        await opened(closed, key=bytes(32))
    with pytest.raises(SealError):
        await opened(closed, name=NAME + "0")


async def test_no_byte_can_be_changed() -> None:
    closed = await sealed(b"content")
    for at in range(len(closed)):
        changed = bytearray(closed)
        changed[at] ^= 1
        with pytest.raises(SealError):
            await opened(bytes(changed))


async def test_it_cannot_be_cut_short_anywhere() -> None:
    parts = segments(await sealed(LARGE))
    for kept in range(len(parts)):
        with pytest.raises(SealError):
            await opened(b"".join(parts[:kept]))
    with pytest.raises(SealError):
        await opened(b"".join(parts)[:-1])


async def test_segments_cannot_be_moved_repeated_or_added() -> None:
    head, one, two, three = segments(await sealed(LARGE))
    other = segments(await sealed(LARGE))[2]
    for changed in (
        [head, two, one, three],
        [head, one, one, two, three],
        [head, one, three],
        [head, one, two, three, three],
        [head, one, other, three],
    ):
        with pytest.raises(SealError):
            await opened(b"".join(changed))


async def test_records_come_out_as_they_went_in() -> None:
    records = [
        Record(Holding("contact", "1"), b'{"a": "b\\n"}'),
        Record(Holding("file", "a/b\nc"), b"\n\n\x00{}", "application/octet-stream"),
        Record(Holding("file", "empty"), b"", "text/plain"),
        Record(Holding("ticket", "1"), b"%PDF", "application/pdf", name="a\n\ud800.pdf", more=True),
        Record(Holding("ticket", "1"), b"", name="lost.pdf", missing="forbidden"),
    ]
    packed = b"".join(map(pack, records))
    for cut in (1, 7, len(packed)):
        chunks = stream(packed[at : at + cut] for at in range(0, len(packed), cut))
        assert [it async for it in unpack(chunks)] == records
    assert [it async for it in unpack(stream([]))] == []


@pytest.mark.parametrize(
    "spoilt",
    [
        b"x",
        b"{}\n",
        b"[]\n",
        pack(Record(Holding("a", "1"), b"body"))[:-1],
        pack(Record(Holding("a", "1"), b"body"))[:-1] + b"x",
        b'{"kind": "a", "holding": "1", "content_type": "t", "length": "4"}\nbody\n',
        b'{"kind": "a", "holding": "1", "content_type": "t", "length": -3}\nbody\n',
        b'{"kind": "a", "holding": "1", "content_type": "t", "length": 4, "name": 1}\nbody\n',
        b'{"kind": "a", "holding": "1", "content_type": "t", "length": 4, "more": 1}\nbody\n',
        b'{"kind": "a", "holding": "1", "content_type": "t", "length": 4, "missing": []}\nbody\n',
    ],
)
async def test_what_is_no_record_is_refused(spoilt: bytes) -> None:
    with pytest.raises(UnpackError):
        [it async for it in unpack(stream([spoilt]))]


async def test_exports_of_the_last_release_are_read_and_look_the_same() -> None:
    old = b'{"kind": "a", "holding": "1", "content_type": "text/plain", "length": 4}\nbody\n'
    record = Record(Holding("a", "1"), b"body", "text/plain")
    assert [it async for it in unpack(stream([old]))] == [record]
    assert pack(record) == old


async def test_a_file_whose_end_never_came_is_said_to_be_cut_short() -> None:
    async def given(*records: Record) -> AsyncIterator[Record]:
        for it in records:
            yield it

    one, two = Holding("ticket", "1"), Holding("ticket", "2")
    begun = Record(one, b"a", name="a", more=True)
    end, other, data = Record(one, b"b", name="a"), Record(two, b"c", name="a"), Record(one, b"{}")
    cut_off = Record(one, b"", name="a", missing=CUT_SHORT)
    for records, expected in (
        ([begun, end], [begun, end]),
        ([begun], [begun, cut_off]),
        ([begun, data], [begun, cut_off, data]),
        ([begun, begun, other], [begun, begun, cut_off, other]),
    ):
        assert [it async for it in closed(given(*records))] == expected
