"""Records that nobody can read: kept apart, sealed to the pipeline, and the rest flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pipeline import flow
from schemas.codec import Codec, CodecError
from schemas.envelope import SUITE
from schemas.events import RecordRefused

from . import wire
from .incoming import Incoming, of_kafka, read_to_end
from .producer import producer, send

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
    """How many records of a topic were refused in a row, none read between them."""

    topic: str
    limit: int
    count: int = 0

    def was_read(self) -> None:
        """A record of it was read."""
        self.count = 0

    def was_refused(self, reason: str) -> None:
        """One was not. Raises `DeadLetterLimitError` past the limit: then nobody puts it aside."""
        self.count += 1
        if self.count > self.limit:
            raise DeadLetterLimitError(
                f"{self.topic}: {self.count} records in a row were refused, the last one for"
                f" {reason[:80]!r}. It is not put aside. `habeas dead-letters list` shows the"
                " others: mend what is behind it (keys, senders, the register, the release), start"
                " again, and `habeas dead-letters replay` sends them once more. If they are rubbish"
                " indeed, a higher HABEAS_DEAD_LETTER_LIMIT lets them be put aside."
            )


def refused(
    record: Incoming, reason: str, codec: Codec, recipient: tuple[str, X25519PublicKey]
) -> wire.Record:
    """The dead letter of a record: topic, partition, offset, reason, and the value sealed.

    On `requests` and `decisions` the value may be a person in the clear: it is not kept, and this
    is an incident (`reason` says so).
    """
    named, public = recipient
    sealed = b""
    if record.topic in {flow.REQUESTS, flow.DECISIONS}:
        reason = f"incident: {reason}"
    elif record.value and len(record.value) <= MAX_VALUE:
        sealed = SUITE.encrypt(record.value, public, info=INFO)
    event = RecordRefused(
        case=_case(record.key),
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
            at=datetime.now(UTC),
            trace=wire.continued(wire.read(record.headers)),
        ),
    )


def _case(key: bytes | None) -> UUID:
    try:
        return UUID((key or b"").decode())
    except ValueError:
        return NOBODY


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it lies on its topic. `id` is partition and offset there."""

    id: str
    at: datetime
    event: RecordRefused


async def read_all(bootstrap: str, codec: Codec) -> list[Letter]:
    """Every dead letter there is, the oldest first."""
    found = [_letter(it, codec) async for it in read_to_end(bootstrap, flow.DEAD_LETTERS)]
    return sorted(found, key=lambda it: it.at)


class GoneError(Exception):
    """The refused record is not on its topic any more."""


async def replay(bootstrap: str, chosen: Sequence[Letter]) -> None:
    """Publish the refused records once more, as they were, where they were: headers included.

    What the ledger has by now is not decided twice. Raises `GoneError`, and then sends none.
    """
    found = await _originals(bootstrap, [it.event for it in chosen])
    async with producer(bootstrap) as out:
        await send(
            out,
            (
                wire.Record(
                    topic=it.topic, key=it.key or b"", value=it.value or b"", headers=it.headers
                )
                for it in found
            ),
        )


async def _originals(bootstrap: str, events: Sequence[RecordRefused]) -> list[Incoming]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        await consumer.start()
        return [await _original(consumer, it) for it in events]
    finally:
        await consumer.stop()


async def _original(consumer: AIOKafkaConsumer, event: RecordRefused) -> Incoming:
    at = TopicPartition(event.topic, event.partition)
    consumer.assign([at])
    consumer.seek(at, event.offset)
    arrived = await consumer.getmany(at, timeout_ms=int(PATIENCE * 1000), max_records=1)
    for it in arrived.get(at, ()):
        if it.offset == event.offset:
            return of_kafka(it)
    raise GoneError(f"{event.topic}/{event.partition}@{event.offset} is not on its topic any more")


def value_of(event: RecordRefused, keys: Mapping[str, X25519PrivateKey]) -> bytes | None:
    """The value of the refused record; None if it was not kept, or its key is gone."""
    if not event.sealed or event.key not in keys:
        return None
    value: bytes = SUITE.decrypt(event.sealed, keys[event.key], info=INFO)
    return value


def _letter(record: Incoming, codec: Codec) -> Letter:
    event = codec.decode(record.value or b"")
    if not isinstance(event, RecordRefused):
        raise CodecError("not a dead letter")
    return Letter(f"{record.partition}-{record.offset}", record.at, event)
