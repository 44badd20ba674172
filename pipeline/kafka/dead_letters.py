"""Records that nobody can read: kept apart, sealed to the pipeline, and the rest flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer, TopicPartition
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from connectors.sdk import wall_clock
from pipeline import flow
from schemas.codec import Codec, CodecError, UnknownEventError
from schemas.envelope import SUITE
from schemas.events import RecordRefused

from . import connection, positions, wire
from .authentication import case_of
from .incoming import Incoming, of_kafka, read_to_end
from .producer import producer, send
from .unauthenticated import without_claim

INFO = b"habeas/dead-letter/1"
NOBODY = UUID(int=0)
PATIENCE = 10.0
"""Seconds to wait for a record."""
MAX_VALUE = 400 * 1024
"""A larger value is not kept: a dead letter is a record too."""


class DeadLetterLimitError(Exception):
    """So many records in a row could not be read that the mistake is not theirs, but ours."""


@dataclass(slots=True)
class InARow:
    """How many authentic records of a topic were refused in a row, none read between them.

    What anybody may have written is not among them: it stops nobody (`Unauthenticated`).
    """

    topic: str
    limit: int
    values: frozenset[bytes] = frozenset()
    """Digests of what was refused. The same bytes once more are counted once: a stranger who has
    read the topic can send them again, and it is as authentic as it was.
    """

    def was_read(self) -> None:
        """A record of it was read."""
        self.values = frozenset()

    def was_refused(self, record: Incoming, reason: str) -> None:
        """An authentic one was not. Raises `DeadLetterLimitError` past the limit: then nobody puts
        it aside.
        """
        self.values |= {sha256(record.value or b"").digest()}
        if len(self.values) > self.limit:
            raise DeadLetterLimitError(
                f"{self.topic}: {len(self.values)} records in a row were refused, the last one for"
                f" {reason[:80]!r}. It is not put aside. `habeas dead-letters list` shows the"
                " others: mend what is behind it (keys, senders, the register, the release), start"
                " again, and `habeas dead-letters replay` sends them once more. If they are rubbish"
                " indeed, a higher HABEAS_DEAD_LETTER_LIMIT lets them be put aside."
            )


def refused(
    record: Incoming, reason: str, codec: Codec, recipient: tuple[str, X25519PublicKey]
) -> wire.Record:
    """The dead letter of a record: topic, partition, offset, reason, and the value sealed.

    What comes in an envelope may be a person in the clear: its value is not kept, and this is an
    incident (`reason` says so).
    """
    named, public = recipient
    sealed = b""
    if record.topic in flow.ENCLOSED:
        reason = f"incident: {reason}"
    elif record.value and len(record.value) <= MAX_VALUE:
        sealed = SUITE.encrypt(record.value, public, info=INFO)
    event = RecordRefused(
        case=case_of(record) or NOBODY,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason[:200],
        key=named,
        sealed=sealed,
    )
    place = uuid5(NOBODY, f"{record.topic}/{record.partition}/{record.offset}")
    return wire.Record(
        topic=flow.DEAD_LETTERS,
        key=str(event.case).encode(),
        value=codec.encode(event),
        headers=wire.headers(
            event,
            event_id=place,
            cause=None,
            source="dead-letters",
            at=wall_clock.now(),
            trace=wire.continued(wire.read(record.headers)),
        ),
    )


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it lies on its topic. `id` is partition and offset there."""

    id: str
    at: datetime
    event: RecordRefused


async def read_all(bootstrap: str, codec: Codec) -> tuple[list[Letter], int]:
    """Every dead letter there is, the oldest first; and how many records there are none.

    Anybody who can write on the topic may have written them: nothing they say is more than a hint.
    """
    found, unreadable = [], 0
    async for it in read_to_end(bootstrap, flow.DEAD_LETTERS):
        letter = _letter(it, codec)
        if letter is None:
            unreadable += 1
        else:
            found.append(letter)
    return sorted(found, key=lambda it: it.at), unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """How many records lie on the topic of dead letters."""

    records: int
    reasons: Mapping[str, int]
    """How many for each reason, the most frequent first. What is no dead letter has none."""


async def lying(bootstrap: str, codec: Codec) -> Lying:
    """What lies there now; as `read_all`, nothing of it is more than a hint. Where nothing does,
    nothing is read.

    Raises `TopicsError` if there is no such topic.
    """
    bounds = await positions.bounds(bootstrap, {flow.DEAD_LETTERS})
    if all(it.begin == it.end for it in bounds.values()):
        return Lying(records=0, reasons={})
    found, unreadable = await read_all(bootstrap, codec)
    reasons = Counter(without_claim(it.event.reason) for it in found)
    return Lying(records=len(found) + unreadable, reasons=dict(reasons.most_common()))


async def originals(
    bootstrap: str, chosen: Sequence[Letter]
) -> tuple[list[Incoming], list[Letter]]:
    """The refused records as they lie on their topics still; and the letters of those that do not.

    All of `chosen` are of topics that the broker has.
    """
    topics = {it.event.topic for it in chosen}
    bounds = await positions.bounds(bootstrap, topics) if topics else {}
    there = [it for it in chosen if _lies(it.event, bounds)]
    found: dict[str, Incoming] = {}
    if there:
        consumer = AIOKafkaConsumer(**connection.consumer(bootstrap))
        try:
            await consumer.start()
            for letter in there:
                if (record := await _original(consumer, letter.event)) is not None:
                    found[letter.id] = record
        finally:
            await consumer.stop()
    return list(found.values()), [it for it in chosen if it.id not in found]


def _lies(event: RecordRefused, bounds: Mapping[positions.Place, positions.Bounds]) -> bool:
    """Whether the place that a letter names is one of its topic now."""
    has = bounds.get((event.topic, event.partition))
    return has is not None and has.begin <= event.offset < has.end


async def replay(bootstrap: str, records: Sequence[Incoming]) -> None:
    """Publish refused records once more, as they were, where they were: headers included.

    What the ledger has by now is not decided twice.
    """
    async with producer(bootstrap) as out:
        await send(
            out,
            (
                wire.Record(
                    topic=it.topic, key=it.key or b"", value=it.value or b"", headers=it.headers
                )
                for it in records
            ),
        )


async def _original(consumer: AIOKafkaConsumer, event: RecordRefused) -> Incoming | None:
    at = TopicPartition(event.topic, event.partition)
    consumer.assign([at])
    consumer.seek(at, event.offset)
    arrived = await consumer.getmany(at, timeout_ms=int(PATIENCE * 1000), max_records=1)
    return next((of_kafka(it) for it in arrived.get(at, ()) if it.offset == event.offset), None)


def value_of(event: RecordRefused, keys: Mapping[str, X25519PrivateKey]) -> bytes | None:
    """The value of the refused record; None if it was not kept, its key is gone, or it does not
    open: then we did not seal it.
    """
    if not event.sealed or event.key not in keys:
        return None
    try:
        value: bytes = SUITE.decrypt(event.sealed, keys[event.key], info=INFO)
    except (InvalidTag, ValueError):
        return None
    return value


def _letter(record: Incoming, codec: Codec) -> Letter | None:
    try:
        event = codec.decode(record.value or b"")
    except (CodecError, UnknownEventError):
        return None
    if not isinstance(event, RecordRefused):
        return None
    return Letter(f"{record.partition}-{record.offset}", record.at, event)
