"""Read `rights.ledger`: the whole of it, or its last records; and who says so.

What no orchestrator signed is told with a doubt: nobody need believe it. Releases before signatures
signed nothing; what they wrote lies before the first signed record of its partition. What an event
says is read with its case's record key only; that there was one, and of what type, without it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline import flow
from pipeline.crypto.grants import LEDGER, Grant
from pipeline.crypto.proofs import UNSIGNED, NotProvedError, PublicKeys
from schemas.codec import Codec, CodecError, UnknownEventError
from schemas.events import LedgerAppended
from schemas.records import EntryRow, LedgerEntry, SealedEntries
from schemas.sealed import SealError, key_id, unseal_event

from . import connection, positions, wire
from .authentication import check_signature
from .incoming import Incoming, of_kafka

SILENT = 60_000
"""Milliseconds without a record although there must be more: the broker is gone."""
Progress = Callable[[int, int], None]


EARLY = "unsigned_and_before_the_first_signature"
"""The doubt about a record that a release before signatures may have written, or anybody then."""
LOOK_BACK = 5000
"""Records of a partition that are looked through for signed ones, should others lie at its end."""


class LedgerTopicError(Exception):
    """The ledger's topic cannot be read to its end. The message says where it stopped."""


@dataclass(frozen=True, slots=True)
class RecordKey:
    """What a register has of a case's record key."""

    id: UUID
    grant: Grant | None
    """Opens what the topic has of the case; None if the key is destroyed, or cannot be used."""


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of a case's ledger, as the topic has it."""

    case: UUID
    entry: LedgerEntry
    """If it cannot be read, its body is empty and its time the broker's."""
    doubt: str = ""
    """Why it is not to be believed, as a plain code; empty if an orchestrator signed it."""
    is_foreign: bool = False
    """Whether it was not sealed under the record key that the register has of its case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A record of the topic that is no part of a ledger."""

    partition: int
    offset: int
    reason: str
    doubt: str = ""
    """As `Told.doubt`."""


async def every(
    bootstrap: str, keys: PublicKeys, progress: Progress
) -> AsyncIterator[list[tuple[Incoming, str]]]:
    """All that lies on the topic now, in runs: each record, and why it is doubted.

    Raises `LedgerTopicError`.
    """
    bounds = await positions.bounds(bootstrap, [flow.LEDGER])
    doubts = Doubts(keys)
    async for run in _between(bootstrap, {it: (at.begin, at.end) for it, at in bounds.items()}):
        yield [(it, doubts.about(it)) for it in run.records]
        progress(run.done, run.total)


async def last(bootstrap: str, codec: Codec, keys: PublicKeys, count: int) -> list[Told]:
    """What the last `count` signed records of every partition tell, and perhaps a few more.

    They are looked for among the last `LOOK_BACK`: what a stranger wrote behind them hides none.
    """
    bounds = await positions.bounds(bootstrap, [flow.LEDGER])
    found: list[Told] = []
    depth = count
    while bounds:
        wanted = {it: (max(at.begin, at.end - depth), at.end) for it, at in bounds.items()}
        signed: dict[positions.Place, list[Incoming]] = {it: [] for it in wanted}
        async for run in _between(bootstrap, wanted):
            for it in run.records:
                if not Doubts(keys).about(it):
                    signed[it.place].append(it)
        enough = {
            it
            for it, (begin, _) in wanted.items()
            if len(signed[it]) >= count or begin == bounds[it].begin or depth >= LOOK_BACK
        }
        records = (record for it in enough for record in signed[it])
        told = (it for record in records for it in entries(record, codec))
        found += [it for it in told if isinstance(it, Told)]
        bounds = {it: at for it, at in bounds.items() if it not in enough}
        depth = min(depth * 20, LOOK_BACK)
    return found


class Doubts:
    """Tells what of a partition's records is to be doubted, given in their order."""

    def __init__(self, keys: PublicKeys) -> None:
        self._keys = keys
        self._signed: set[int] = set()
        """Partitions of which a signed record was met."""

    def about(self, record: Incoming) -> str:
        """Why a record is not to be believed, as a plain code; empty if it is signed."""
        try:
            check_signature(record, self._keys)
        except NotProvedError as error:
            early = str(error) == UNSIGNED and record.partition not in self._signed
            return EARLY if early else str(error)
        self._signed.add(record.partition)
        return ""


def entries(
    record: Incoming,
    codec: Codec,
    doubt: str = "",
    keys: Mapping[UUID, RecordKey] = MappingProxyType({}),
) -> Iterator[Told | Unreadable]:
    """The entries in a record, read with the `keys` of their cases.

    Raises `UnknownEventError` if a later release signed it.
    """
    if not doubt:
        wire.refuse_later(wire.read(record.headers))
    try:
        event = codec.decode(record.value or b"")
        if not isinstance(event, LedgerAppended):
            raise CodecError("not of a ledger")  # noqa: TRY301  the same list
    except (CodecError, UnknownEventError) as error:
        if isinstance(error, UnknownEventError) and not doubt:
            raise
        yield Unreadable(
            partition=record.partition, offset=record.offset, reason=str(error), doubt=doubt
        )
        return
    for it in event.entries:
        yield Told(event.case, it, doubt)
    if event.rows:
        yield from _sealed(event, codec, record, doubt, keys.get(event.case))


def _sealed(
    event: LedgerAppended, codec: Codec, record: Incoming, doubt: str, key: RecordKey | None
) -> Iterator[Told]:
    """What is sealed in a record; unread if its key is not at hand."""
    unread = tuple(_entry(it, b"", record.at) for it in event.rows)
    found, is_foreign = unread, False
    if key is not None and event.sealed:
        try:
            found = _opened(event, codec, key) or unread
        except (SealError, CodecError):
            is_foreign = True
    for it in found:
        yield Told(event.case, it, doubt, is_foreign)


def _opened(event: LedgerAppended, codec: Codec, key: RecordKey) -> tuple[LedgerEntry, ...]:
    """The entries that are sealed; none if the key is gone. Raises `SealError`, `CodecError`."""
    if key_id(event.sealed) != key.id:
        raise SealError("sealed under another key")
    if key.grant is None:
        return ()
    found = unseal_event(codec, event, key.grant.key, LEDGER)
    if not isinstance(found, SealedEntries) or len(found.bodies) != len(event.rows):
        raise SealError("other entries are sealed than are named")
    both = zip(event.rows, found.bodies, strict=True)
    return tuple(_entry(row, said.body, said.at) for row, said in both)


def _entry(row: EntryRow, body: bytes, at: datetime) -> LedgerEntry:
    return LedgerEntry(
        number=row.number, id=row.id, type=row.type, version=row.version, body=body, at=at
    )


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
    consumer = AIOKafkaConsumer(**connection.consumer(bootstrap))
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
