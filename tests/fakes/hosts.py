"""A host in this process on a real Kafka, given orders by a test and asked what it answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pipeline import flow
from pipeline.crypto.grants import Grants
from pipeline.host.host import run_host
from pipeline.kafka import local_kafka, topics, wire
from pipeline.kafka.incoming import Incoming, read_to_end
from pipeline.kafka.producer import producer, send
from pipeline.keys.key_folder import KeyFolder
from pipeline.settings import Settings
from schemas import events as e
from schemas.codec import locked
from schemas.events import Event

from .orders import CaseOf, framed

CODEC = locked()
Act = Callable[[e.SearchOrdered], Awaitable[None]]


@dataclass
class Scripted:
    """Work that does what the test says, and remembers what it was given."""

    system: str
    act: Act
    begun: list[UUID] = field(default_factory=list)
    running: int = 0
    most: int = 0

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        assert isinstance(order, e.SearchOrdered)
        self.begun.append(order.order)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.act(order)
        finally:
            self.running -= 1
        failed = e.SearchFailed(
            case=order.case, order=order.order, system=self.system, reason="scripted"
        )
        return [failed]


@dataclass
class Bench:
    """A broker, and a host of a system that no other test uses."""

    bootstrap: str
    folder: Path
    system: str = field(default_factory=lambda: f"acme{uuid4().hex[:8]}")
    settings: Settings = field(
        default_factory=lambda: Settings(partitions=3, session_timeout=timedelta(seconds=6))
    )

    async def prepare(self) -> None:
        await topics.create(self.bootstrap, flow.topics((self.system,), self.settings))
        self.new_key()

    def new_key(self) -> str:
        """Make a key that is in force at once, as the orchestrator does; its id."""
        return KeyFolder(self.keys).create(datetime.now(UTC))

    @property
    def keys(self) -> Path:
        return self.folder / "keys" / self.system

    @asynccontextmanager
    async def host(
        self, work: Scripted, *, share: Callable[[float], None] = lambda _: None
    ) -> AsyncIterator[asyncio.Task[None]]:
        """A running host; drained at the end, unless it ended by itself."""
        task = asyncio.create_task(
            run_host(
                work,
                settings=self.settings,
                bootstrap=self.bootstrap,
                host_keys=self.keys,
                codec=CODEC,
                pipeline_public=lambda: ("1", X25519PrivateKey.generate().public_key()),
                share=share,
            )
        )
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def order(
        self, case: CaseOf | None = None, **changed: object
    ) -> tuple[CaseOf, e.SearchOrdered]:
        case = case or CaseOf(system=self.system)
        return case, case.changed(case.search(), **changed)

    async def send(
        self,
        *orders: tuple[CaseOf, e.SearchOrdered],
        key: bytes | None = None,
        under: tuple[str, bytes] | None = None,
    ) -> list[wire.Record]:
        """Publish orders as the orchestrator does; or under a key, or a name, that it has not."""
        if under is None:
            keys = KeyFolder(self.keys)
            named = keys.current(datetime.now(UTC))
            under = named, key or keys[named]
        records = [framed(case, event, *under) for case, event in orders]
        async with producer(self.bootstrap) as out:
            await send(out, records)
        return records

    async def answers(self, count: int, topic: str = flow.RESULTS) -> list[Incoming]:
        """Answers of this system, once there are so many (or after ten seconds)."""
        found: list[Incoming] = []
        for _ in range(100):
            found = [it async for it in read_to_end(self.bootstrap, topic) if self._mine(it)]
            if len(found) >= count:
                break
            await asyncio.sleep(0.1)
        return found

    def _mine(self, it: Incoming) -> bool:
        event = CODEC.decode(it.value or b"")
        topic = getattr(event, "topic", flow.work(getattr(event, "system", "")))
        return topic == flow.work(self.system)

    async def partitions(self) -> dict[bytes | None, int]:
        """Where the orders of each case lie."""
        topic = flow.work(self.system)
        return {it.key: it.partition async for it in read_to_end(self.bootstrap, topic)}

    async def committed(self) -> int:
        """How many orders are committed, over all partitions."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(f"habeas.host.{self.system}")
        finally:
            await admin.close()
        return sum(it.offset for it in offsets.values() if it.offset > 0)


def decoded(records: Sequence[Incoming]) -> list[Event]:
    return [CODEC.decode(it.value or b"") for it in records]


async def nothing(_: e.SearchOrdered) -> None:
    return


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A broker for a module's tests."""
    kafka = await local_kafka.start(tmp_path_factory.mktemp("kafka"))
    yield kafka.bootstrap
    await kafka.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(bootstrap: str, tmp_path: Path) -> Bench:
    """A host's topics and keys on it."""
    made = Bench(bootstrap, tmp_path)
    await made.prepare()
    return made
