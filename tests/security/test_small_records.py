"""Somebody who can publish a small record, and would have its reader run out of memory or time.

What they have: a topic to write on. What they try: an array that says it has 2^60 items, a string
that says it is 2^60 bytes long, in every place of every schema that we read.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.codec import MAX_BYTES, CodecError, UnknownEventError, locked, schema
from schemas.derive import FOLDER, event_types

HUGE = (2**60, 2**62, -(2**60), 2**31, 100_000_000)
SUBJECTS = sorted(path.stem for path in FOLDER.glob("*.avsc"))
SEALED = [it for it in SUBJECTS if ".sealed." in it]
EVENTS = [it for it in SUBJECTS if it not in SEALED]
MEMORY = 64 * 1024 * 1024
"""Bytes that a small record may make us take."""


def varint(number: int) -> bytes:
    """An Avro long: zigzag, seven bits a byte."""
    left = (number << 1) ^ (number >> 63)
    left &= 2**64 - 1
    out = bytearray()
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    return bytes([*out, left])


def lies(subject: str) -> Iterator[bytes]:
    """Bodies of a schema of which one array, or one string, says that it is huge.

    What stands before it is the shortest that can stand there; after it comes nothing, or a little.
    """
    before = b""
    for field in _parsed(subject)["fields"]:
        for count in HUGE:
            size = varint(0) if count < 0 else b""
            if _is_long(field["type"]):
                yield before + varint(count) + size
                yield before + varint(count) + size + b"\x00" * 1000
        before += _shortest(field["type"])


def _parsed(subject: str) -> Any:
    return json.loads((FOLDER / f"{subject}.avsc").read_text())


def _is_long(kind: Any) -> bool:
    name = kind["type"] if isinstance(kind, dict) else kind
    return isinstance(name, str) and name in {"array", "bytes", "string", "map"}


def _shortest(kind: Any) -> bytes:
    """The shortest encoding of a type that a value of it has."""
    if isinstance(kind, list):
        return b"\x00" + _shortest(kind[0])
    name = kind["type"] if isinstance(kind, dict) else kind
    if name == "record":
        return b"".join(_shortest(it["type"]) for it in kind["fields"])
    if name == "string" and isinstance(kind, dict) and kind.get("logicalType") == "uuid":
        return varint(36) + b"00000000-0000-0000-0000-000000000000"
    if name == "fixed":
        return bytes(kind["size"])
    return b"" if name == "null" else b"\x00"


def arrays(kind: Any, known: dict[str, Any]) -> Iterator[Any]:
    """The types of the items of every array in a schema."""
    if isinstance(kind, list):
        for it in kind:
            yield from arrays(it, known)
    elif isinstance(kind, dict) and kind["type"] == "array":
        yield known.get(str(kind["items"]), kind["items"])
        yield from arrays(kind["items"], known)
    elif isinstance(kind, dict) and kind["type"] == "record":
        known[kind["name"]] = kind
        for it in kind["fields"]:
            yield from arrays(it["type"], known)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_schema_has_an_array_of_items_that_take_no_byte(subject: str) -> None:
    """Of such an item 2^60 fit into nine bytes, and a reader makes an object for each."""
    for item in arrays(_parsed(subject), {}):
        assert len(_shortest(item)) >= 1, item


@pytest.mark.parametrize("subject", EVENTS)
def test_an_event_that_says_it_is_huge_is_refused_at_once(subject: str) -> None:
    codec = locked()
    _refused_at_once(
        [codec.frame(subject) + it for it in lies(subject)],
        codec.decode,
    )


@pytest.mark.parametrize("subject", SEALED)
def test_a_sealed_part_that_says_it_is_huge_is_refused_at_once(subject: str) -> None:
    codec, event = locked(), event_types()[schema(subject).event]
    _refused_at_once(
        [codec.frame(subject) + it for it in lies(subject)],
        lambda plaintext: codec.decode_sealed(event, plaintext),
    )


def test_what_is_longer_than_a_record_is_not_looked_at() -> None:
    with pytest.raises(CodecError, match="longer than a record"):
        locked().decode(locked().frame("search_failed.v1") + bytes(MAX_BYTES))


def test_a_record_full_of_the_smallest_items_takes_no_gigabytes() -> None:
    """The most that 512 KiB can make of us: 256 thousand facts of two bytes."""
    codec = locked()
    before = b""
    for field in _parsed("holdings_located.v1")["fields"]:
        if field["name"] == "facts":
            break
        before += _shortest(field["type"])
    count = (MAX_BYTES - 5 - len(before) - 100) // 2
    body = before + varint(count) + b"\x00\x00" * count + b"\x00" * 5
    taken = _peak()
    codec.decode(codec.frame("holdings_located.v1") + body)
    assert _peak() - taken < 3 * MEMORY


def _refused_at_once(values: list[bytes], read: Any) -> None:
    taken, began = _peak(), time.monotonic()
    for it in values:
        with pytest.raises((CodecError, UnknownEventError)):
            read(it)
    assert time.monotonic() - began < 10
    assert _peak() - taken < MEMORY


def _peak() -> int:
    """The most memory that this process ever had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
