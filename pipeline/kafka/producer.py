"""A Kafka producer whose sends count only once every replica in sync has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from pipeline.faults.patience import Patience

from . import connection, wire
from .topics import MAX_BYTES

TRIED_FOR = timedelta(seconds=30)
"""How long one client tries to have a record acknowledged."""
PAUSE = 1.0
"""Seconds before records that met an absent broker are sent again."""
OF_RECORDS = (
    ClusterAuthorizationFailedError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
"""What a send fails by although its client is whole."""
log = structlog.get_logger()


class Publishes(Protocol):
    """What records are sent by."""

    async def publish(self, records: Iterable[wire.Record]) -> object:
        """Send records in their order; returns when all are acknowledged. Raises `KafkaError`."""


class Producer:
    """Sends by a client of Kafka that is exchanged once a send of it has failed.

    A client may be broken for good, such as one whose sequence numbers the broker does not take any
    more, and no error tells so. What it had under way comes twice then, which every reader bears.
    """

    def __init__(self, bootstrap: str, tried_for: timedelta = TRIED_FOR) -> None:
        self._bootstrap = bootstrap
        self._tried_for = tried_for.total_seconds()
        self._client: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect. Raises `KafkaError` if no broker answers."""
        async with self._connecting:
            self._client = self._client or await self._connected()

    async def stop(self) -> None:
        """Flush and close."""
        client, self._client = self._client, None
        if client is not None:
            await _stop(client)
        await asyncio.gather(*self._ending)

    async def publish(self, records: Iterable[wire.Record]) -> list[Any]:
        """Send records in their order; where they lie, once all are acknowledged.

        Raises `KafkaError`.
        """
        async with self._lasting() as client:
            sent = [
                await client.send(it.topic, it.value, key=it.key, headers=list(it.headers))
                for it in records
            ]
            return await asyncio.gather(*sent)

    async def send_and_wait(self, topic: str, value: bytes | None, **options: Any) -> Any:
        """Send one record as aiokafka does. Raises `KafkaError`."""
        async with self._lasting() as client:
            return await client.send_and_wait(topic, value, **options)

    async def _connected(self) -> AIOKafkaProducer:
        made = AIOKafkaProducer(
            **connection.client(self._bootstrap),
            acks="all",
            enable_idempotence=True,
            linger_ms=2,
            max_request_size=MAX_BYTES,
            request_timeout_ms=int(self._tried_for * 1000),
        )
        try:
            async with asyncio.timeout(self._tried_for):
                await made.start()
        except TimeoutError as error:
            await _stop(made)
            raise KafkaTimeoutError from error
        except BaseException:
            await _stop(made)
            raise
        return made

    @asynccontextmanager
    async def _lasting(self) -> AsyncIterator[AIOKafkaProducer]:
        """A client for one send, given up if that fails."""
        while (client := self._client) is None:
            await self.start()
        try:
            async with asyncio.timeout(2 * self._tried_for):  # it has room, then it answers
                yield client
        except TimeoutError as error:
            self._give_up(client, error)
            raise KafkaTimeoutError from error
        except KafkaError as error:
            if not isinstance(error, OF_RECORDS):
                self._give_up(client, error)
            raise

    def _give_up(self, client: AIOKafkaProducer, error: Exception) -> None:
        if client is not self._client:
            return  # another has been made meanwhile
        log.warning("producer.exchanged", error=type(error).__name__)
        self._client = None
        self._ending.add(task := asyncio.create_task(_stop(client)))
        task.add_done_callback(self._ending.discard)


async def _stop(client: AIOKafkaProducer) -> None:
    """Flush and close; what cannot be flushed has failed for whoever waits for it."""
    if not await connection.has_stopped(client.stop()):
        log.warning("producer.not_flushed")
        client._message_accumulator.fail_all(KafkaTimeoutError())  # noqa: SLF001  nobody else can
        await connection.has_stopped(client.client.close())


@asynccontextmanager
async def producer(bootstrap: str, tried_for: timedelta = TRIED_FOR) -> AsyncIterator[Producer]:
    """A connected producer, flushed and closed afterwards."""
    made = Producer(bootstrap, tried_for)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def send(out: Publishes, records: Iterable[wire.Record]) -> None:
    """Send records in their order; returns when all are acknowledged. Raises `KafkaError`."""
    await out.publish(records)


async def send_patiently(
    out: Publishes,
    records: Iterable[wire.Record],
    limit: timedelta,
    retried: Callable[[KafkaError], None],
) -> None:
    """Send until the broker has them: while it is gone, they wait here. Raises `GaveUpError`.

    `retried` is told each time before they are sent again.
    """
    records, patience = list(records), Patience("sending to the broker", limit)
    while True:
        try:
            await send(out, records)
        except KafkaError as error:
            retried(error)
            patience.failed(error)
            await asyncio.sleep(PAUSE)
        else:
            return
