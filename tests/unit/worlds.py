"""A made-up world for the decider: systems that hold things, and hosts that answer orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from uuid import UUID, uuid5

from connectors.sdk import registry
from connectors.sdk.interface import Right
from pipeline import flow, policy
from pipeline.case.brake import Brake
from pipeline.case.case import Case
from pipeline.case.decide import Said, decide
from pipeline.case.dues import dues, event_of, is_still_due
from pipeline.case.rules import Given, Rules
from pipeline.kafka.wire import answer_id
from pipeline.settings import Settings
from schemas import events as e
from schemas.events import Event
from schemas.records import (
    BorneRow,
    DoneRow,
    ExportRow,
    FactRow,
    HoldingRow,
    IdentifierRow,
    OutcomeRow,
)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CASE = UUID("5f2d7c1e-8a34-4b76-9c0d-2f1e6a7b8c90")


TRUSTED = "our_other_address"
MEASURED = {
    "restrict": "restricted",
    "lift": "lifted",
    "rectify": "rectified",
    "object_to": "suppressed",
}
"""What a host says of a measure that holds, by its verb."""


def tag(name: str) -> bytes:
    """A tag as a keyed hash would give it."""
    return sha256(name.encode()).digest()[:16]


@cache
def rules(*systems: str) -> Rules:
    """The shipped policy, and these systems; the two of `small_world` if none is named.

    A Freshdesk contact is trusted to say what else somebody is known by.
    """
    asked = systems or ("freshdesk", "salesforce")
    able = {
        it: replace(registry.connector(it).capabilities, rights=frozenset(Right)) for it in asked
    }
    shipped = policy.load(None)
    trusting = replace(shipped, links=shipped.links | {("freshdesk", "contact", TRUSTED)})
    return Rules(policy=trusting, systems=able, settings=Settings(), earlier={})


@cache
def told_nobody(*systems: str) -> Rules:
    """The same, of a policy that names no recipient beside the systems."""
    known = rules(*systems)
    within = tuple(it for it in known.policy.recipients if it.system)
    return replace(known, policy=replace(known.policy, recipients=within))


@dataclass
class Thing:
    """Something a system holds, found by any of these identifiers."""

    name: str
    kind: str
    categories: set[str]
    by: frozenset[str]
    named: bool = True
    """Whether it bears the asker's name, and not an address alone."""
    sticky: bool = False
    """The vendor says it is gone, and it is not."""
    says: OutcomeRow = field(default_factory=lambda: OutcomeRow(kind="erased"))
    queue: timedelta | None = None
    """The vendor says that a job erases it within so long."""
    takes: timedelta = timedelta(0)
    """How long the job takes."""
    differs: bool = False
    """Something else stands there than what is said to be wrong."""
    marks: set[str] = field(default_factory=set)
    """Measures that hold: `restrict`, `rectify`."""


@dataclass
class World:
    """What the systems hold, tell and lead to; and how they answer orders."""

    things: Mapping[str, list[Thing]]
    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    leads_to: Mapping[str, str] = field(default_factory=dict)
    """By thing: a further identifier that it reveals."""
    failing: dict[str, str] = field(default_factory=dict)
    """Systems that cannot be searched, and why."""
    under: Mapping[str, str] = field(default_factory=dict)
    """Hosts whose export rows carry another system's name, and whose."""
    left_out: tuple[str, ...] = ()
    """Systems whose copy is not as it was listed."""
    stopped: set[str] = field(default_factory=set)
    """Systems that no longer use anything of theirs for marketing."""
    erased: list[tuple[str, str]] = field(default_factory=list)
    """Every effect there was: (thing, category)."""
    now: datetime = START
    jobs: list[tuple[datetime, Thing, str]] = field(default_factory=list)
    """What a vendor is to erase, and when it does."""

    def run_jobs(self) -> None:
        """What the vendors' jobs have done by now."""
        for at, it, category in self.jobs:
            if at <= self.now and category in it.categories:
                it.categories.discard(category)
                self.erased.append((it.name, category))
        self.jobs = [job for job in self.jobs if job[0] > self.now]

    def queued(self, it: Thing, category: str) -> OutcomeRow:
        """What a vendor says that erases it by a job."""
        assert it.queue is not None
        if not any(job[1:] == (it, category) for job in self.jobs):
            self.jobs.append((self.now + it.takes, it, category))
        return OutcomeRow(kind="queued", until=self.now + it.queue)

    def answer(self, order: Event) -> Iterator[Event]:
        """What a host says to an order, in parts."""
        self.run_jobs()
        match order:
            case e.SearchOrdered():
                yield from self._located(order)
            case e.TaskOrdered():
                yield from self._performed(order)
            case e.MeasureOrdered():
                yield from self._measured(order)
            case e.ResponseOrdered():
                yield e.ResponseSigned(
                    case=order.case,
                    order=order.order,
                    system="response",
                    n=order.n,
                    name=f"response-{order.n}",
                    digest=tag(f"package {order.n}"),
                    size=1,
                    records=sum(it.records for it in order.exports),
                    left_out=self.left_out,
                )
            case e.NoticeOrdered():
                yield e.NoticeSent(case=order.case, order=order.order, system="notice")
            case e.InstructionOrdered():
                yield e.InstructionSent(
                    case=order.case,
                    order=order.order,
                    system="recipients",
                    at=self.now,
                    digest=tag(f"instruction {order.n}"),
                )
            case _:
                return

    def _located(self, order: e.SearchOrdered) -> Iterator[Event]:
        if order.system in self.failing:
            yield e.SearchFailed(
                case=order.case,
                order=order.order,
                system=order.system,
                reason=self.failing[order.system],
            )
            return
        asked = {it.tag for it in order.identifiers if it.use == "ask"}
        verify = order.purpose == "verify"
        named = {it.tag for it in order.known if verify or not it.exported}
        found = [
            it
            for it in self.things.get(order.system, ())
            if it.categories and ({tag(by) for by in it.by} & asked or tag(it.name) in named)
        ]
        revealed = {self.leads_to[it.name] for it in found if it.name in self.leads_to}
        whole = e.HoldingsLocated(
            case=order.case,
            order=order.order,
            system=order.system,
            part=1,
            parts=2,
            digest=tag(repr(sorted(it.name for it in found))),
            holdings=tuple(self._row(it, order) for it in found[:1]),
            gone=tuple(sorted(named - {tag(it.name) for it in found})) if verify else (),
            identifiers=tuple(identifier(it) for it in sorted(revealed)),
            asked=tuple(sorted(asked)),
            exports=(self._exported(order),) if order.export_kinds else (),
            calls=2,
        )
        rest = tuple(self._row(it, order) for it in found[1:])
        told = self.facts.get(order.system, {}).items()
        facts = tuple(FactRow(name=name, value=value) for name, value in told)
        yield whole
        yield replace(
            whole, part=2, holdings=rest, gone=(), identifiers=(), exports=(), calls=0, facts=facts
        )

    def _row(self, it: Thing, order: e.SearchOrdered) -> HoldingRow:
        row = row_of(it, exported=it.kind in order.export_kinds)
        if it.name not in self.leads_to:
            return row
        further = BorneRow(tag=tag(self.leads_to[it.name]), kind="email", field=TRUSTED)
        return replace(row, bears=(*row.bears, further))

    def _exported(self, order: e.SearchOrdered) -> ExportRow:
        return replace(_export(order), system=self.under.get(order.system, order.system))

    def _measured(self, order: e.MeasureOrdered) -> Iterator[Event]:
        by_tag = {tag(it.name): it for it in self.things.get(order.system, ())}
        done = []
        if order.verb == "object_to":
            self.stopped.add(order.system)
            outcome = OutcomeRow(kind=MEASURED[order.verb])
            done.append(DoneRow(tag=b"", category=order.system, outcome=outcome))
        for row in order.rows:
            thing = by_tag[row.tag]
            kind = MEASURED[order.verb] if thing.categories else "unaffected"
            outcome = OutcomeRow(kind=kind)
            if order.verb == "rectify" and thing.categories and thing.differs:
                outcome = OutcomeRow(kind="needs_human", reason="other_value")
            elif order.verb == "lift":
                thing.marks.discard("restrict")
            elif thing.categories:
                thing.marks.add(order.verb)
            done += [DoneRow(tag=row.tag, category=it, outcome=outcome) for it in row.categories]
        half = len(done) // 2
        whole = e.MeasureTaken(
            case=order.case,
            order=order.order,
            system=order.system,
            part=1,
            parts=2,
            digest=tag(repr(done)),
            done=tuple(done[:half]),
            calls=2,
        )
        yield whole
        yield replace(whole, part=2, done=tuple(done[half:]), calls=0)

    def _performed(self, order: e.TaskOrdered) -> Iterator[Event]:
        now = {it.name: it.value for it in order.facts}
        told = self.facts.get(order.system, {})
        if any(told.get(name) != value for name, value in now.items()):
            yield e.TaskDeclined(
                case=order.case,
                order=order.order,
                system=order.system,
                reason="facts_changed",
                facts=tuple(FactRow(name=name, value=value) for name, value in told.items()),
            )
            return
        by_tag = {tag(it.name): it for it in self.things[order.system]}
        done = []
        for row in order.rows:
            it = by_tag[row.tag]
            if it.categories - {*row.erase, *row.keep}:
                continue  # it has grown since the plan
            for category in row.erase:
                says = self.queued(it, category) if it.queue else it.says
                done.append(DoneRow(tag=row.tag, category=category, outcome=says))
                if it.queue:
                    continue
                if category in it.categories and it.says.kind == "erased" and not it.sticky:
                    it.categories.discard(category)
                    self.erased.append((it.name, category))
        mine = [by_tag[row.tag] for row in order.rows]
        whole = e.TaskCompleted(
            case=order.case,
            order=order.order,
            system=order.system,
            part=1,
            parts=2,
            digest=tag(repr(done)),
            done=tuple(done),
            calls=3,
        )
        yield whole
        yield replace(
            whole,
            part=2,
            done=(),
            looked=tuple(row_of(it) for it in mine if it.categories),
            gone=tuple(tag(it.name) for it in mine if not it.categories),
            calls=0,
        )


@dataclass
class Run:
    """A case on its way: the decider with its ledger's memory of event ids, and what it sent."""

    world: World
    case: Case | None = None
    now: datetime = START
    seen: set[UUID] = field(default_factory=set)
    said: list[Said] = field(default_factory=list)
    rules: Rules = field(default_factory=rules)
    brake: Brake = field(default_factory=Brake)
    roles: tuple[str, ...] = ()
    """Of who decides."""
    others: tuple[UUID, ...] = ()
    """Other open cases of the person, as the register finds them when something is proved."""

    def take(self, event: Event, event_id: UUID) -> list[Event]:
        """Decide one event, unless the ledger has it; the orders that follow."""
        if event_id in self.seen:
            return []
        self.seen.add(event_id)
        self.world.now = self.now
        given = Given(now=self.now, brake=self.brake, roles=self.roles)
        if isinstance(event, e.RequestReceived):
            given = Given(
                now=self.now,
                brake=self.brake,
                others=self.others,
                identifiers=(identifier("first", level=event.level), NAME),
                data=("family_name", "city") if "rectification" in event.claims else (),
                received_at=event.received_at,
            )
        self.case, said = decide(
            self.case, event, event_id, stages=flow.STAGES, rules=self.rules, given=given
        )
        self.said += said
        orders = (it.event for it in said if it.cause is not None)
        return [it for it in orders if (flow.topic_of(it) or "").startswith(flow.work(""))]

    def decide(self, event: Event) -> list[Event]:
        """The DPO decides, and who they are is kept with it; the orders that follow."""
        roles, self.roles = self.roles, ("dpo",)
        try:
            return self.take(event, uuid5(CASE, f"decided {len(self.seen)}"))
        finally:
            self.roles = roles

    def answers(self, order: Event) -> list[tuple[Event, UUID]]:
        """What the world says to an order, with the ids that a host would give it."""
        named: UUID = order.order  # type: ignore[attr-defined]
        return [(it, answer_id(named, it)) for it in self.world.answer(order)]

    def start(self, *claims: str, level: int = 2, purpose: str = "") -> list[Event]:
        """Send the request."""
        asking = request(*claims, level=level, purpose=purpose)
        return self.take(asking, uuid5(CASE, "request_received"))

    def go(self, *claims: str, level: int = 2, purpose: str = "") -> Case:
        """Let everything happen in its natural order, until nothing is under way."""
        self.settle(self.start(*claims, level=level, purpose=purpose))
        assert self.case is not None
        return self.case

    def settle(self, waiting: list[Event]) -> None:
        """Let everything that follows from these orders happen, while no time passes."""
        while waiting:
            for event, event_id in self.answers(waiting.pop(0)):
                waiting += self.take(event, event_id)

    def until_rest(self, step: timedelta) -> Case:
        """Let time pass in steps, until nothing waits for a vendor's queue."""
        while self.case is not None and self.case.waiting:
            self.settle(self.wait(step))
        assert self.case is not None
        return self.case

    def wait(self, how_long: timedelta) -> list[Event]:
        """Let time pass and the clock say what is due; the orders that follow."""
        assert self.case is not None
        self.now += how_long
        self.world.now = self.now
        orders = []
        for due in sorted(dues(self.case, self.rules)):
            if due.at <= self.now and is_still_due(self.case, due, self.rules, self.brake):
                named = uuid5(CASE, f"{due.kind}/{due.ref}/{due.at}")
                orders += self.take(event_of(CASE, due), named)
        return orders

    def of(self, kind: type[Event]) -> list[Event]:
        """Everything of a kind that was said or came in, in order."""
        return [it.event for it in self.said if isinstance(it.event, kind)]


def request(*claims: str, level: int = 2, purpose: str = "") -> e.RequestReceived:
    """A request as it comes in."""
    return e.RequestReceived(
        case=CASE,
        claims=claims,
        received_at=START,
        intake="web",
        level=level,
        key="1",
        purpose=purpose,
        sealed=b"",
    )


def rows(case: Case, right: str) -> dict[tuple[str, str, str], tuple[str, str]]:
    """How a claim was settled: (system, kind, category) -> (state, outcome)."""
    return {
        (it.system, it.kind, it.category): (it.state, it.outcome.kind)
        for it in case.claims[right].coverage
    }


def small_world(*, customer: bool = True) -> World:
    """A Freshdesk contact with a ticket; its second e-mail leads to Salesforce."""
    kind = "contact" if customer else "lead"
    first = frozenset({"first"})
    return World(
        things={
            "freshdesk": [
                Thing("fd-contact", "contact", {"identity", "contact"}, first),
                Thing("fd-ticket", "ticket", {"profile", "usage"}, first),
            ],
            "salesforce": [
                Thing("sf-record", kind, {"identity", "contact", "marketing"}, frozenset({"2nd"})),
            ],
        },
        facts={"salesforce": {"customer": "true" if customer else "false"}},
        leads_to={"fd-contact": "2nd"},
    )


def many_tickets(count: int) -> World:
    """A Freshdesk contact with so many tickets that policy does not waive approval."""
    first = frozenset({"first"})
    tickets: Iterable[Thing] = (
        Thing(f"ticket-{n}", "ticket", {"profile", "usage"}, first) for n in range(count)
    )
    contact = Thing("fd-contact", "contact", {"identity", "contact"}, first)
    return World(
        things={"freshdesk": [contact, *tickets]}, facts={"salesforce": {"customer": "false"}}
    )


def row_of(it: Thing, *, exported: bool = False) -> HoldingRow:
    categories = tuple(sorted(it.categories))
    return HoldingRow(
        tag=tag(it.name),
        kind=it.kind,
        categories=categories,
        exported=exported,
        bears=(
            *(BorneRow(tag=tag(by), kind="email", field="email") for by in sorted(it.by)),
            *((BorneRow(tag=NAME.tag, kind=NAME.kind, field="name"),) if it.named else ()),
        ),
    )


def identifier(name: str, *, level: int | None = None) -> IdentifierRow:
    """An address, as a keyed hash would tell it and its spelling."""
    return IdentifierRow(tag=tag(name), kind="email", level=level, spelling=tag(f"{name} spelt"))


NAME = IdentifierRow(tag=tag("the asker's name"), kind="name")


def _export(order: e.SearchOrdered) -> ExportRow:
    name = f"{order.case}/{order.order}/1"
    return ExportRow(system=order.system, name=name, digest=tag(name), records=1, size=10)
