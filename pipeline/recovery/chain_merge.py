"""Join what the ledger's topic has of a case to what the register has, or say why they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from pipeline.register.store import chain
from schemas.codec import CodecError, from_body
from schemas.records import LedgerEntry


class NotOneChainError(Exception):
    """The two are not one unbroken chain: nothing is guessed. The message says where they part."""


def following(
    ours: Sequence[LedgerEntry], head: bytes, told: Mapping[int, LedgerEntry]
) -> tuple[LedgerEntry, ...]:
    """The entries of `told` that come after ours, in order.

    `told` are the topic's entries that the register lacks, by number. The register's own must give
    its head, and the head that an order or report of `told` names must be the one before it; from
    the first that cannot be read, nobody knows the head, and only the numbers tell.
    Raises `NotOneChainError`, and `UnknownEventError` for an event of a later release.
    """
    if [it.number for it in ours] != list(range(1, len(ours) + 1)) or chain(ours) != head:
        raise NotOneChainError("the register's own entries do not give its head")
    after = [told[it] for it in sorted(told)]
    for number, it in enumerate(after, len(ours) + 1):
        if it.number < number:
            raise NotOneChainError(f"event {it.number} is another one here than on the topic")
        if it.number > number:
            raise NotOneChainError(f"event {number} is neither here nor on the topic")
    for it in readable(after):
        named = _head_in(it)
        if named and named != head:
            raise NotOneChainError(f"event {it.number} was said after other events than these")
        head = chain([it], head)
    return tuple(after)


def readable(entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Those before the first that cannot be read."""
    return tuple(takewhile(lambda it: it.body, entries))


def _head_in(entry: LedgerEntry) -> bytes:
    """The head of the chain that an entry names; empty if it names none."""
    try:
        event = from_body(entry.type, entry.version, entry.body)
    except CodecError as error:
        raise NotOneChainError(f"event {entry.number} cannot be read: {error}") from None
    named: bytes = getattr(event, "head", b"")
    return named
