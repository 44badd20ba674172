"""A decider on a real register with real hosts' work, and a clock that goes from due to due."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from email.message import Message
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import registry
from connectors.sdk.interface import (
    Borne,
    Capabilities,
    Category,
    Connector,
    Erased,
    Expires,
    Fact,
    Holding,
    Outcome,
    Page,
    Record,
    Redacted,
    Restricted,
    Standing,
    Subject,
    TerminalError,
)
from pipeline import app, flow
from pipeline.app import CONSOLE, LOCAL, Place
from pipeline.case.case import Case
from pipeline.intake.edge import Edge
from pipeline.kafka import wire
from pipeline.orchestrator.clock import sweep
from pipeline.orchestrator.publisher import Publisher
from pipeline.policy.anchors import CONTACT, ENDS, SUBSCRIPTION
from pipeline.register import reading, tables
from pipeline.settings import Settings
from pipeline.stages.apply import Apply
from pipeline.stages.locate import Locate
from pipeline.stages.perform import Perform
from pipeline.stages.send import Send
from schemas import events as e
from schemas.events import Event
from schemas.records import Person, SealedIdentifier

from .deciders import CODEC, NOW, OFFSETS, Sent, arrived, decider
from .proofs import answer, granted

T = TypeVar("T")
SYSTEMS = ("freshdesk", "salesforce")
NAMES = frozenset({"customer", SUBSCRIPTION, *ENDS, CONTACT})
"""The facts that the second of them tells alone."""


def a_customer(*, ended: date | None) -> dict[str, bool | date]:
    """What is told of somebody who subscribed, until that ended; None while it goes on."""
    open_ = ended is None
    told = dict.fromkeys(sorted(NAMES), False) | {"customer": True, SUBSCRIPTION: open_}
    return {**told, "subscription_ended": ended or False}


async def once(attempt: Callable[[], Awaitable[T]]) -> T:
    """A caller with no patience."""
    return await attempt()


class Desk(Connector):
    """A system that holds what a test gives it, by the e-mail address of whose it is."""

    def __init__(self, system: str) -> None:
        able = registry.connector(system).capabilities
        self.capabilities = Capabilities(
            system=system,
            rights=able.rights,
            kinds=able.kinds,
            facts=NAMES if system == "salesforce" else frozenset(),
        )
        self.held: dict[str, list[Holding]] = {}
        self.facts: dict[str, Mapping[str, bool | date]] = {}
        self.bins: dict[str, datetime] = {}
        """Holdings, by id, that a vendor only bins; and until when they lie there."""
        self.marked: set[str] = set()
        """Holdings, by id, that are not to be used."""
        self.away = False

    def put(self, email: str, kind: str, id_: str, *categories: str) -> None:
        """Hold something of somebody."""
        carried = frozenset(map(Category, categories))
        made = Holding(kind, id_, carried, bears=(Borne("email", "email", email),))
        self.held.setdefault(email, []).append(made)

    def ids(self, email: str) -> dict[str, set[str]]:
        """What it holds of somebody: categories by id."""
        return {it.id: set(map(str, it.categories)) for it in self.held.get(email, ())}

    async def check(self) -> None:
        if self.away:
            raise TerminalError("the desk is closed", reason="unauthorised")

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        emails = {it.value for it in subject.identifiers if it.kind == "email"}
        every = {of: it for it in self.held for of in self.held[it]}
        there = [it for it, whose in every.items() if whose in emails or it in known]
        told = [self.facts.get(it, {}) for it in sorted(emails)]
        facts = tuple(Fact(it, of[it], f"desk.{it}") for of in told for it in of)
        gone = tuple(it for it in known if it not in every)
        yield Page(holdings=tuple(there), gone=gone, facts=facts)

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        yield Record(holding, b"{}")

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        if holding.id in self.bins:
            return Expires(self.bins[holding.id])
        for email, those in self.held.items():
            self.held[email] = [
                replace(it, categories=it.categories & keep) if it == holding else it
                for it in those
                if it != holding or it.categories & keep
            ]
        return Redacted() if keep else Erased()

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        (self.marked.discard if lift else self.marked.add)(holding.id)
        return Restricted()

    async def standing(self, holding: Holding) -> Standing | None:
        there = {it.id for those in self.held.values() for it in those}
        return Standing(restricted=holding.id in self.marked) if holding.id in there else None

    async def __aexit__(self, *_: object) -> None:
        """Nothing to release."""


@dataclass
class Mails:
    """Where mail goes."""

    sent: list[Message] = field(default_factory=list)

    async def send(self, message: Any, name: str) -> None:
        del name
        self.sent.append(message)

    def to(self, email: str) -> list[Message]:
        """What somebody was sent."""
        return [it for it in self.sent if it["To"] == email]


@dataclass
class Years:
    """One register over the years. `now` is what every process takes the time to be."""

    settings: Settings
    engine: AsyncEngine
    now: datetime = NOW
    sent: Sent = field(default_factory=Sent)
    told: list[wire.Record] = field(default_factory=list)
    """All that was published."""
    mails: Mails = field(default_factory=Mails)
    desks: Mapping[str, Desk] = field(default_factory=lambda: {it: Desk(it) for it in SYSTEMS})

    def __post_init__(self) -> None:
        able = {it: desk.capabilities for it, desk in self.desks.items()}
        known = app.rules(self.settings)
        within = tuple(it for it in known.policy.recipients if it.system)  # nobody else is told
        policy = replace(known.policy, recipients=within)
        self.rules = replace(known, systems=able, policy=policy)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Every process is replaced by another."""
        files = Place(self.settings.data).keys
        self.decider = decider(self.settings, self.engine, self.sent, self.time, rules=self.rules)
        self.publisher = Publisher(self.engine, self.sent, files.orchestrator(), self.time)

    async def ask(self, case: UUID, email: str, *, language: str = "en") -> None:
        """Somebody asks for erasure, and gets their first answer."""
        out = Sent()
        edge = Edge(name=LOCAL, files=Place(self.settings.data).keys, codec=CODEC, producer=out)
        who = SealedIdentifier(tag=b"", kind="email", value=email)
        person = Person(name="Ann", language=language, identifiers=(who,))
        await edge.request(case, ("erasure",), person, level=2, received_at=self.now)
        await self.decider.take([arrived(it, next(OFFSETS), self.now) for it in out.records])
        await self.settle()

    async def say(self, decision: Event, **words: str) -> None:
        """The DPO decides."""
        out = Sent()
        files = Place(self.settings.data).keys
        edge = Edge(name=CONSOLE, files=files, codec=CODEC, producer=out)
        await edge.decision(replace(decision, by=CONSOLE), login="dpo", **words)  # type: ignore[call-arg]
        await self.decider.take([arrived(it, next(OFFSETS), self.now) for it in out.records])
        await self.settle()

    async def settle(self) -> None:
        """Hosts answer all that is ordered, until nothing is."""
        while self.sent.records:
            records, self.sent.records = self.sent.records, []
            self.told += records
            orders = [it for it in records if it.topic.startswith(flow.work(""))]
            for record in orders:
                for said in await self._answers(record):
                    back = answer(Place(self.settings.data).keys, record, said)
                    await self.decider.take([arrived(back, next(OFFSETS), self.now)])

    async def _answers(self, record: wire.Record) -> Sequence[Event]:
        order: Any = CODEC.decode(record.value)
        grants = granted(Place(self.settings.data).keys, record)
        objects = app.objects(self.settings)
        match order:
            case e.SearchOrdered():
                desk = self.desks[order.system]
                return await Locate(desk, objects, CODEC, once, now=self.time)(order, grants)
            case e.TaskOrdered():
                desk = self.desks[order.system]
                return await Perform(desk, CODEC, once, now=self.time)(order, grants)
            case e.MeasureOrdered():
                desk = self.desks[order.system]
                return await Apply(desk, objects, CODEC, once, now=self.time)(order, grants)
            case e.NoticeOrdered():
                send = Send(self.mails, CODEC, controller="Us", sender="dpo@us.example")
                return await send(order, grants)
            case _:
                return [_signed(order)]

    def time(self) -> datetime:
        """What the processes take the time to be."""
        return self.now

    async def until(self, moment: datetime) -> None:
        """Time passes, from each thing that falls due to the next."""
        while (at := await self._next()) is not None and at <= moment:
            self.now = at
            await self._rest()
        self.now = moment
        await self._rest()

    async def _rest(self) -> None:
        """Let the clock sweep until it has nothing more to say; its claims end meanwhile."""
        before = -1
        while before != (before := await self._said()):
            self.now += timedelta(seconds=10)
            await sweep(self.decider, self.publisher, self.engine, self.now)
            await self.settle()

    async def _said(self) -> int:
        async with self.engine.connect() as connection:
            found = await connection.execute(select(func.count()).select_from(tables.ledger))
            return int(found.scalar_one())

    async def _next(self) -> datetime | None:
        """When the next row of the clock, or the next key's end, is due."""
        keys, dues = tables.keys, tables.dues
        living = select(func.min(keys.c.destroy_at)).where(keys.c.destroyed_at.is_(None))
        async with self.engine.connect() as connection:
            rows = [
                await connection.execute(select(func.min(dues.c.at)).where(dues.c.at > self.now)),
                await connection.execute(living.where(keys.c.destroy_at > self.now)),
            ]
        return min((at for it in rows if (at := it.scalar()) is not None), default=None)

    async def case(self, case: UUID) -> Case:
        """A case as its ledger tells it."""
        return reading.folded(await reading.entries(self.engine, case), self.rules)


def _signed(order: Any) -> Event:
    return e.ResponseSigned(
        case=order.case,
        order=order.order,
        system="response",
        n=order.n,
        name=f"response-{order.n}",
        digest=bytes(32),
        size=1,
        records=0,
    )
