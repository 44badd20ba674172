"""Which orders of a partition are finished, beyond the oldest that is not: kept in the commit.

A commit is one offset. Everything after the oldest unfinished order would be done again by the next
worker; so the finished ones beyond it go along as a bitmap in the commit's metadata.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable

FURTHEST = 16_384
"""How far a partition is worked on past its oldest unfinished order: the bitmap of so many fits
into a commit's metadata, which is 4,096 bytes.
"""
FORMAT = "1:"


def encoded(base: int, finished: Iterable[int]) -> str:
    """Offsets past `base`, as a commit's metadata. Those too far ahead are left out."""
    bits = 0
    for it in finished:
        if it - base < FURTHEST:
            bits |= 1 << (it - base)
    raw = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    return FORMAT + b64encode(zlib.compress(raw)).decode() if bits else ""


def decoded(base: int, metadata: str) -> frozenset[int]:
    """The offsets in a commit's metadata. What cannot be read costs a repetition, nothing else."""
    if not metadata.startswith(FORMAT):
        return frozenset()
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(b64decode(metadata.removeprefix(FORMAT)), FURTHEST)
    except (ValueError, zlib.error):
        return frozenset()
    bits = int.from_bytes(raw, "little")
    return frozenset(base + n for n in range(min(bits.bit_length(), FURTHEST)) if bits >> n & 1)


class Partition:
    """One partition's orders: those running, and what is finished. They arrive in order."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._finished: set[int] = set()
        self._newest = -1
        self._told: tuple[int, str] | None = None

    def restore(self, base: int, metadata: str) -> None:
        """Take over what an earlier worker has committed."""
        self._finished |= decoded(base, metadata)

    def begin(self, offset: int) -> bool:
        """Whether an order that arrived is new: neither running nor finished."""
        if offset in self._running:
            return False
        is_new = offset > self._newest and offset not in self._finished
        self._newest = max(self._newest, offset)
        if is_new:
            self._running.add(offset)
        return is_new

    def end(self, offset: int) -> None:
        """An order is finished."""
        self._running.discard(offset)
        self._finished.add(offset)

    @property
    def is_full(self) -> bool:
        """Whether no order further ahead may be begun."""
        return bool(self._running) and self._newest - self._base >= FURTHEST - 1

    def to_commit(self) -> tuple[int, str] | None:
        """(offset, metadata) if there is anything new to say since the last time."""
        base = self._base
        self._newest = max(self._newest, base - 1)
        self._finished = {it for it in self._finished if it > base}
        said = base, encoded(base, self._finished)
        return None if self._newest < 0 or said == self._told else said

    def committed(self, said: tuple[int, str]) -> None:
        """What `to_commit` gave is with the broker."""
        self._told = said

    @property
    def _base(self) -> int:
        """The oldest unfinished order, or what comes next."""
        if self._running:
            return min(self._running)
        following = self._newest + 1
        while following in self._finished:
            following += 1
        return following
