"""What a topic delivered: the raw record, and the event in it once it may come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from pipeline import flow
from pipeline.case.dues import Due
from schemas import events as e
from schemas.codec import Codec, CodecError, before_sealed
from schemas.derive import event_name
from schemas.events import Event
from schemas.records import Person

from . import wire
from .way_in import RefusedError, WayIn

READ_WITHIN = 30.0
"""Seconds for records that are read a second time."""
ANSWERS = (
    e.HoldingsLocated
    | e.SearchFailed
    | e.OrderDeferred
    | e.TaskCompleted
    | e.TaskDeclined
    | e.ResponseSigned
    | e.NoticeSent
    | e.NoticeFailed
)
DECISIONS = (
    e.IdentityProved
    | e.PlanApproved
    | e.PlanChanged
    | e.RequestRefused
    | e.DeadlineExtended
    | e.ClaimWithdrawn
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A record as a consumer got it. `at` is the broker's time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    at: datetime

    @property
    def place(self) -> tuple[str, int]:
        """Its topic and partition."""
        return self.topic, self.partition

    def __repr__(self) -> str:
        return f"<Incoming {self.topic}/{self.partition}@{self.offset}>"


def of_kafka(record: Any) -> Incoming:
    """A record as aiokafka gives it."""
    return Incoming(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
    )


async def read_to_end(bootstrap: str, *topics: str) -> AsyncIterator[Incoming]:
    """Every record that lies on these topics now; nothing if the broker does not have one."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        await consumer.start()
        ends = await consumer.end_offsets(consumer.assignment())
        while [it for it, end in ends.items() if await consumer.position(it) < end]:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for it in records:
                    yield of_kafka(it)
    except UnknownTopicOrPartitionError:
        return
    finally:
        await consumer.stop()


async def read_range(bootstrap: str, where: TopicPartition, offsets: range) -> list[Incoming]:
    """The records of a partition at these offsets; those that retention took are not there."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    found: list[Incoming] = []
    try:
        await consumer.start()
        consumer.assign([where])
        consumer.seek(where, offsets.start)
        async with asyncio.timeout(READ_WITHIN):
            while await consumer.position(where) < offsets.stop:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += [of_kafka(it) for it in records if it.offset in offsets]
    finally:
        await consumer.stop()
    return found


def missing(following: int | None, offsets: Sequence[int]) -> list[range]:
    """The gaps before and between a partition's offsets, when `following` should come next."""
    found = []
    for it in sorted(offsets):
        if following is not None and it > following:
            found.append(range(following, it))
        following = max(it + 1, following or 0)
    return found


@dataclass(frozen=True, slots=True)
class Input:
    """An event to decide on. `record` is None where the clock says it."""

    event: Event
    id: UUID
    record: Incoming | None
    trace: str
    person: Person | None = None
    received_at: datetime | None = None
    due: Due | None = None
    """What the clock says it of."""


def read(record: Incoming, codec: Codec, way_in: WayIn) -> Input:
    """The event in a record, checked as its topic asks.

    Raises `CodecError` or `RefusedError` for a dead letter, `UnknownEventError` to stop.
    """
    told = wire.read(record.headers)
    if record.topic == flow.RESULTS:  # elsewhere it is not known yet who says so
        wire.refuse_later(told)
    if record.value is None:
        raise CodecError("no value")
    event = codec.decode(record.value)
    if record.key != str(event.case).encode():
        raise RefusedError("key_is_not_the_case")
    trace = wire.continued(told)
    if record.topic == flow.REQUESTS and isinstance(event, e.RequestReceived):
        person = way_in.request(event, record.at)
        received_at = min(event.received_at, record.at)
        return Input(event, event_id(event), record, trace, person, received_at)
    if record.topic == flow.DECISIONS and isinstance(event, DECISIONS):
        way_in.decision(event)
        return Input(event, event_id(event), record, trace)
    if record.topic == flow.RESULTS and isinstance(event, ANSWERS):
        return Input(event, wire.answer_id(event.order, event), record, trace)
    raise RefusedError("not_of_this_topic")


def event_id(event: Event) -> UUID:
    """The id of what came in from an edge: a case has one request, and a decision is its words."""
    name = event_name(type(event))
    if isinstance(event, e.RequestReceived):
        return uuid5(event.case, name)
    return uuid5(event.case, f"{name}/{sha256(before_sealed(event)).hexdigest()}")
