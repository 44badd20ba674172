"""Three brokers on this machine that keep everything thrice, and a way to each that can be cut."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.kafka import local_kafka
from pipeline.kafka.connection import Broker
from pipeline.kafka.local_kafka import Demands, LocalKafka, free_ports, new_cluster_id

from .proxy import Proxy, proxy

SIZE = 3
HEAP = 192
"""MB."""


@dataclass
class Member:
    """One of the brokers."""

    folder: Path
    port: int
    demands: Demands
    way: Proxy
    """What clients reach it by; the brokers speak to each other beside it."""
    process: LocalKafka | None = None

    async def start(self) -> None:
        """Start it, or start it again; returns once it answers."""
        self.process = await local_kafka.start(self.folder, port=self.port, demands=self.demands)

    async def stop(self) -> None:
        """End it as an operator does."""
        if self.process is not None:
            await self.process.stop()

    def signal(self, told: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, told)


@dataclass
class Cluster:
    """The brokers, and where clients find them."""

    members: Sequence[Member]

    @property
    def bootstrap(self) -> Broker:
        return Broker(",".join(f"127.0.0.1:{it.way.port}" for it in self.members))

    async def stop(self) -> None:
        """End all."""
        await asyncio.gather(*(it.stop() for it in self.members))


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Three brokers that run, with nothing on them."""
    named, ports = new_cluster_id(), list(islice(free_ports(), 3 * SIZE))
    votes = ports[:SIZE]
    async with AsyncExitStack() as ways:
        members = []
        for n in range(SIZE):
            clients, own = ports[SIZE + n], ports[2 * SIZE + n]
            way = await ways.enter_async_context(proxy(clients))
            properties = _properties(n, votes, own, way)
            demands = Demands(properties=properties, cluster=named, heap=HEAP)
            members.append(Member(folder / f"broker-{n + 1}", own, demands, way))
        made = Cluster(members)
        try:
            async with asyncio.TaskGroup() as group:  # each waits for the others
                for it in members:
                    group.create_task(it.start())
            yield made
        finally:
            await made.stop()


def _properties(n: int, votes: Sequence[int], own: int, way: Proxy) -> Mapping[str, str]:
    """Of the broker with the index `n`: it is spoken to by the others on `own`."""
    plain = ("BROKER", "CLIENTS", "CONTROLLER")
    return {
        "node.id": str(n + 1),
        "controller.quorum.voters": ",".join(
            f"{it + 1}@127.0.0.1:{port}" for it, port in enumerate(votes)
        ),
        "listeners": f"BROKER://127.0.0.1:{own},CLIENTS://127.0.0.1:{way.target},"
        f"CONTROLLER://127.0.0.1:{votes[n]}",
        "advertised.listeners": f"BROKER://127.0.0.1:{own},CLIENTS://127.0.0.1:{way.port}",
        "listener.security.protocol.map": ",".join(f"{it}:PLAINTEXT" for it in plain),
        "min.insync.replicas": "2",
        "offsets.topic.replication.factor": "3",
        "transaction.state.log.replication.factor": "3",
        "transaction.state.log.min.isr": "2",
        "replica.lag.time.max.ms": "5000",
        "controller.quorum.election.timeout.ms": "1000",
        "controller.quorum.fetch.timeout.ms": "2000",
    }
