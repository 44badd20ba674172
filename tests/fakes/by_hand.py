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
from pipeline.app import CONSOLE, LOCAL, Place
from pipeline.host.caller import HostCaller
from pipeline.host.order_handler import OrderHandler
from pipeline.intake.edge import Edge
from pipeline.kafka import wire
from pipeline.orchestrator.decider import Decider
from pipeline.orchestrator.rotation import Rotation
from pipeline.ports import Work
from pipeline.register import store
from pipeline.register.engine import connect, migrate, url_of
from pipeline.settings import Settings
from pipeline.stages.apply import Apply
from pipeline.stages.assemble import Assemble
from pipeline.stages.enumerate import Enumerate
from pipeline.stages.locate import Locate
from pipeline.stages.perform import Perform
from pipeline.stages.send import Send
from pipeline.storage.mailer import FolderMailer
from pipeline.storage.objects import FolderObjects
from pipeline.storage.webhooks import Webhooks
from schemas.codec import locked
from tests.fakes.deciders import Sent, arrived, decider
from tests.fakes.person import with_email

CODEC = locked()
PAGES = "https://privacy.example.org"
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
        return app.objects(self.settings)

    @cached_property
    def edge(self) -> Edge:
        return self.sender(LOCAL)

    @cached_property
    def console(self) -> Edge:
        return self.sender(CONSOLE)

    def sender(self, name: str) -> Edge:
        """An intake or a console whose key lies among ours."""
        return Edge(
            name=name, files=self.place.keys, codec=CODEC, producer=self.sent, clock=self.clock
        )

    @cached_property
    def rotation(self) -> Rotation:
        return Rotation(self.engine, self.place.keys, self.settings, self.clock)

    def decider(self) -> Decider:
        """Another process that decides, as `run_orchestrator` makes it."""
        return decider(self.settings, self.engine, self.sent, self.clock, observe=self.observe)

    def desks(self) -> dict[str, OrderHandler]:
        """A host for each topic of orders."""
        caller = HostCaller(self.connector.capabilities, self.settings)
        locate = Locate(self.connector, self.objects, CODEC, caller)
        work: list[Work] = [
            app.ConnectorWork(
                self.connector,
                locate,
                Perform(self.connector, CODEC, caller),
                Apply(self.connector, self.objects, CODEC, caller),
                Enumerate(self.connector, CODEC, caller),
                observe=False,
            ),
            Assemble(
                self.objects,
                self.place.keys.signing(),
                app.rules(self.settings).at_hand(),
                CODEC,
                catalogue={self.sandbox.system: self.connector.capabilities.reasons},
            ),
            Send(
                FolderMailer(self.place.mail),
                CODEC,
                controller=app.rules(self.settings).policy.controller,
                sender=app.rules(self.settings).policy.dpo,
                customers={it.id: it.contact for it in app.rules(self.settings).policy.documents},
                pages=lambda: PAGES,
            ),
            app.recipients_work(self.settings, CODEC, Webhooks()),
        ]
        return {
            flow.work(it.system): OrderHandler(
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
                desk = desks[record.topic]
                self.published.extend(await desk.answer(await desk.open(record)))

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
    async with (
        disposed(engine),
        registry.load(registry.SANDBOXES, system)() as sandbox,
        registry.connect(system, sandbox.environ()) as connector,
    ):
        await migrate(engine)
        made = ByHand(settings, engine, sandbox, connector)
        await made.rotation.begin((system, *flow.OURS))
        app.register_local(place)
        yield made


@asynccontextmanager
async def disposed(engine: AsyncEngine) -> AsyncIterator[None]:
    """Close it at the end, also of a test that fails."""
    try:
        yield
    finally:
        await engine.dispose()
