"""A whole pipeline without a broker: records go from hand to hand, and the clock is the test's.

Decider, hosts, connector, register, keys and objects are the real ones; what was ever published is
kept, as a topic that forgets nothing keeps it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import registry
from connectors.sdk.interface import Connector
from connectors.sdk.sandbox import Sandbox
from pipeline import app, flow
from pipeline.adapters import way_in, wire
from pipeline.adapters.caller import HostCaller
from pipeline.adapters.decider import Decider
from pipeline.adapters.edge import Edge
from pipeline.adapters.mailer import FolderMailer
from pipeline.adapters.objects import FolderObjects
from pipeline.adapters.order_desk import OrderDesk
from pipeline.adapters.register import store
from pipeline.adapters.register.engine import connect, migrate, url_of
from pipeline.adapters.rotation import Rotation
from pipeline.adapters.signer import FileSigner
from pipeline.app import LOCAL, LOCAL_LEVEL, Place
from pipeline.ports import Work
from pipeline.settings import Settings
from pipeline.stages.assemble import Assemble
from pipeline.stages.locate import Locate
from pipeline.stages.perform import Perform
from pipeline.stages.send import Send
from schemas.codec import locked
from tests.fakes.deciders import Sent, arrived, decider
from tests.fakes.person import with_email

CODEC = locked()
READ = (flow.REQUESTS, flow.DECISIONS, flow.RESULTS)


@dataclass
class ByHand:
    """One system's pipeline. `now` is everybody's clock."""

    settings: Settings
    engine: AsyncEngine
    sandbox: Sandbox
    connector: Connector
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    sent: Sent = field(default_factory=Sent)
    observe: bool = False
    """Of the deciders: `HABEAS_MODE`."""
    _taken: int = 0

    def clock(self) -> datetime:
        return self.now

    @property
    def published(self) -> list[wire.Record]:
        """What anybody has published so far."""
        return self.sent.records

    @property
    def place(self) -> Place:
        return Place(self.settings.data)

    @cached_property
    def objects(self) -> FolderObjects:
        return FolderObjects(app.objects_of(self.settings))

    @cached_property
    def edge(self) -> Edge:
        return Edge(
            name=LOCAL, files=self.place.keys, codec=CODEC, producer=self.sent, clock=self.clock
        )

    @cached_property
    def rotation(self) -> Rotation:
        return Rotation(self.engine, self.place.keys, self.settings, self.clock)

    def decider(self) -> Decider:
        """Another process that decides, as `run_orchestrator` makes it."""
        return decider(self.settings, self.engine, self.sent, self.clock, observe=self.observe)

    def desks(self) -> dict[str, OrderDesk]:
        """A host for each topic of orders."""
        caller = HostCaller(self.connector.capabilities, self.settings)
        locate = Locate(self.connector, self.objects, CODEC, caller)
        work: list[Work] = [
            app.ConnectorWork(
                self.connector, locate, Perform(self.connector, CODEC, caller), observe=False
            ),
            Assemble(
                self.objects,
                FileSigner(self.place.signing_key, self.place.public_key),
                app.rules(self.settings).policy,
                CODEC,
                catalogue={self.sandbox.system: self.connector.capabilities.reasons},
            ),
            Send(FolderMailer(self.place.mail), CODEC, sender=app.rules(self.settings).policy.dpo),
        ]
        return {
            flow.work(it.system): OrderDesk(
                it,
                codec=CODEC,
                host_keys=self.place.keys.hosts(it.system),
                clock=self.clock,
            )
            for it in work
        }

    async def ask(
        self, email: str, *, case: UUID | None = None, received_at: datetime | None = None
    ) -> UUID:
        """Publish a request as an intake does."""
        case = case or uuid4()
        person = with_email(email)
        await self.edge.request(
            case, ("access", "erasure"), person, level=2, received_at=received_at or self.now
        )
        return case

    async def go(self, *, before: str = "") -> None:
        """Let every record be read by whoever reads it, until nothing more is said.

        It stops before a record of the topic `before`.
        """
        decider, desks = self.decider(), self.desks()
        while self._taken < len(self.published):
            record = arrived(self.published[self._taken], self._taken, self.now)
            if record.topic == before:
                return
            self._taken += 1
            if record.topic in READ:
                await decider.take([record])
            elif record.topic in desks:
                self.published.extend(await desks[record.topic].answer(record))

    async def tick(self) -> None:
        """What an orchestrator's clock does about what is due, and what follows from that."""
        async with self.engine.begin() as connection:
            decider = self.decider()
            found = await store.claim_dues(connection, self.now, await decider.brake(connection))
        await decider.tick(found)
        await self.go()

    async def sweep(self) -> None:
        """What an orchestrator's clock does about keys."""
        await self.decider().expire_keys(self.now)
        await self.rotation.turn()

    async def wait(self, how_long: timedelta, every: timedelta) -> AsyncIterator[datetime]:
        """Let time pass, with a sweep at every step."""
        until = self.now + how_long
        while self.now < until:
            self.now += every
            await self.sweep()
            yield self.now


@asynccontextmanager
async def by_hand(settings: Settings) -> AsyncIterator[ByHand]:
    """A pipeline of `settings.systems`, which is one, with the sandbox of its vendor."""
    system, place = settings.systems, Place(settings.data)
    engine = await connect(url_of(settings.register, settings.data))
    await migrate(engine)
    async with (
        registry.load(registry.SANDBOXES, system)() as sandbox,
        registry.connect(system, sandbox.environ()) as connector,
    ):
        made = ByHand(settings, engine, sandbox, connector)
        await made.rotation.begin((system, flow.RESPONSE, flow.NOTICE))
        for section in ("intakes", "consoles"):
            signer = place.keys.signer(f"{section[:-1]}-{LOCAL}")
            way_in.register(place.intakes, section, LOCAL, signer.public_key(), LOCAL_LEVEL)
        yield made
    await engine.dispose()
