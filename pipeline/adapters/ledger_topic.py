"""Read `rights.ledger`: the whole of it, or its last records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline import flow
from schemas.codec import Codec, CodecError
from schemas.events import LedgerAppended
from schemas.records import LedgerEntry

from . import positions, wire
from .incoming import Incoming, of_kafka

SILENT = 60_000
"""Milliseconds without a record although there must be more: the broker is gone."""
Progress = Callable[[int, int], None]


class LedgerTopicError(Exception):
    """The ledger's topic cannot be read to its end. The message says where it stopped."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of a case's ledger, as the topic has it."""

    case: UUID
    entry: LedgerEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A record of the topic that is no part of a ledger."""

    partition: int
    offset: int
    reason: str


async def every(
    bootstrap: str, codec: Codec, progress: Progress
) -> AsyncIterator[list[Told | Unreadable]]:
    """All that lies on the topic now, in runs. Raises `LedgerTopicError`, `UnknownEventError`."""
    bounds = await positions.bounds(bootstrap, [flow.LEDGER])
    async for run in _between(bootstrap, {it: (at.begin, at.end) for it, at in bounds.items()}):
        yield [found for record in run.records for found in entries(record, codec)]
        progress(run.done, run.total)


async def last(bootstrap: str, codec: Codec, count: int) -> list[Told]:
    """What the last `count` records of every partition tell; unreadable ones are left out."""
    bounds = await positions.bounds(bootstrap, [flow.LEDGER])
    wanted = {it: (max(at.begin, at.end - count), at.end) for it, at in bounds.items()}
    return [
        found
        async for run in _between(bootstrap, wanted)
        for record in run.records
        for found in entries(record, codec)
        if isinstance(found, Told)
    ]


def entries(record: Incoming, codec: Codec) -> Iterator[Told | Unreadable]:
    """The entries in a record. Raises `UnknownEventError` if a later release wrote it."""
    wire.refuse_later(wire.read(record.headers))
    try:
        event = codec.decode(record.value or b"")
        if not isinstance(event, LedgerAppended):
            raise CodecError("not of a ledger")  # noqa: TRY301  the same list
    except CodecError as error:
        yield Unreadable(partition=record.partition, offset=record.offset, reason=str(error))
        return
    for it in event.entries:
        yield Told(event.case, it)


@dataclass(frozen=True, slots=True)
class _Run:
    records: list[Incoming]
    done: int
    total: int


async def _between(
    bootstrap: str, wanted: dict[positions.Place, tuple[int, int]]
) -> AsyncIterator[_Run]:
    """The records of each partition from one offset up to another, in runs."""
    left = {TopicPartition(*it): span for it, span in wanted.items() if span[0] < span[1]}
    if not left:
        return
    total = sum(end - begin for begin, end in left.values())
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(list(left))
        for it, (begin, _) in left.items():
            consumer.seek(it, begin)
        while left:
            arrived = await consumer.getmany(*left, timeout_ms=SILENT, max_records=500)
            if not arrived:
                at = min(left, key=lambda it: (it.topic, it.partition))
                raise LedgerTopicError(
                    f"nothing more comes of {at.topic}/{at.partition}: try again"
                )
            found = [
                of_kafka(it) for at, run in arrived.items() for it in run if it.offset < left[at][1]
            ]
            for at in arrived:
                begin, end = await consumer.position(at), left[at][1]
                left[at] = begin, end
                if begin >= end:
                    del left[at]
            still = sum(end - begin for begin, end in left.values())
            yield _Run(found, total - still, total)
    finally:
        await consumer.stop()
