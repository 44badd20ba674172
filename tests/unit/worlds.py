"""A made-up world for the decider: systems that hold things, and hosts that answer orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from uuid import UUID, uuid5

from connectors.sdk import registry
from pipeline import flow, policy
from pipeline.adapters.wire import answer_id
from pipeline.case.brake import Brake
from pipeline.case.case import Case
from pipeline.case.decide import Said, decide
from pipeline.case.dues import dues, event_of, is_still_due
from pipeline.case.rules import Given, Rules
from pipeline.settings import Settings
from schemas import events as e
from schemas.events import Event
from schemas.records import (
    DoneRow,
    ExportRow,
    FactRow,
    HoldingRow,
    IdentifierRow,
    OutcomeRow,
)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CASE = UUID("5f2d7c1e-8a34-4b76-9c0d-2f1e6a7b8c90")


def tag(name: str) -> bytes:
    """A tag as a keyed hash would give it."""
    return sha256(name.encode()).digest()[:16]


@cache
def rules(*systems: str) -> Rules:
    """The shipped policy, and these systems; the two of `small_world` if none is named."""
    asked = systems or ("freshdesk", "salesforce")
    able = {it: registry.connector(it).capabilities for it in asked}
    return Rules(policy=policy.load(None), systems=able, settings=Settings(), earlier={})


@dataclass
class Thing:
    """Something a system holds, found by any of these identifiers."""

    name: str
    kind: str
    categories: set[str]
    by: frozenset[str]
    sticky: bool = False
    """The vendor says it is gone, and it is not."""
    says: OutcomeRow = field(default_factory=lambda: OutcomeRow(kind="erased"))


@dataclass
class World:
    """What the systems hold, tell and lead to; and how they answer orders."""

    things: Mapping[str, list[Thing]]
    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    leads_to: Mapping[str, str] = field(default_factory=dict)
    """By thing: a further identifier that it reveals."""
    failing: dict[str, str] = field(default_factory=dict)
    """Systems that cannot be searched, and why."""
    erased: list[tuple[str, str]] = field(default_factory=list)
    """Every effect there was: (thing, category)."""

    def answer(self, order: Event) -> Iterator[Event]:
        """What a host says to an order, in parts."""
        match order:
            case e.SearchOrdered():
                yield from self._located(order)
            case e.TaskOrdered():
                yield from self._performed(order)
            case e.ResponseOrdered():
                yield e.ResponseSigned(
                    case=order.case,
                    order=order.order,
                    system="response",
                    n=order.n,
                    name=f"response-{order.n}",
                    digest=tag(f"package {order.n}"),
                    size=1,
                    records=1,
                )
            case e.NoticeOrdered():
                yield e.NoticeSent(case=order.case, order=order.order, system="notice")
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
        asked = {it.tag for it in order.identifiers}
        found = [
            it
            for it in self.things.get(order.system, ())
            if it.categories and {tag(by) for by in it.by} & asked
        ]
        revealed = {self.leads_to[it.name] for it in found if it.name in self.leads_to}
        whole = e.HoldingsLocated(
            case=order.case,
            order=order.order,
            system=order.system,
            part=1,
            parts=2,
            digest=tag(repr(sorted(it.name for it in found))),
            holdings=tuple(row_of(it, exported=it.kind in order.export_kinds) for it in found[:1]),
            identifiers=tuple(IdentifierRow(tag=tag(it), kind="email") for it in sorted(revealed)),
            exports=(_export(order),) if order.export_kinds else (),
            calls=2,
        )
        rest = tuple(row_of(it, exported=it.kind in order.export_kinds) for it in found[1:])
        told = self.facts.get(order.system, {}).items()
        facts = tuple(FactRow(name=name, value=value) for name, value in told)
        yield whole
        yield replace(
            whole, part=2, holdings=rest, identifiers=(), exports=(), calls=0, facts=facts
        )

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
                done.append(DoneRow(tag=row.tag, category=category, outcome=it.says))
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

    def take(self, event: Event, event_id: UUID) -> list[Event]:
        """Decide one event, unless the ledger has it; the orders that follow."""
        if event_id in self.seen:
            return []
        self.seen.add(event_id)
        given = Given(now=self.now, brake=self.brake)
        if isinstance(event, e.RequestReceived):
            given = Given(
                now=self.now,
                brake=self.brake,
                identifiers=(IdentifierRow(tag=tag("first"), kind="email"),),
                received_at=event.received_at,
            )
        self.case, said = decide(
            self.case, event, event_id, stages=flow.STAGES, rules=self.rules, given=given
        )
        self.said += said
        orders = (it.event for it in said if it.cause is not None)
        return [it for it in orders if (flow.topic_of(it) or "").startswith(flow.work(""))]

    def answers(self, order: Event) -> list[tuple[Event, UUID]]:
        """What the world says to an order, with the ids that a host would give it."""
        named: UUID = order.order  # type: ignore[attr-defined]
        return [(it, answer_id(named, it)) for it in self.world.answer(order)]

    def start(self, *claims: str, level: int = 2) -> list[Event]:
        """Send the request."""
        return self.take(request(*claims, level=level), uuid5(CASE, "request_received"))

    def go(self, *claims: str, level: int = 2) -> Case:
        """Let everything happen in its natural order, until nothing is under way."""
        waiting = self.start(*claims, level=level)
        while waiting:
            for event, event_id in self.answers(waiting.pop(0)):
                waiting += self.take(event, event_id)
        assert self.case is not None
        return self.case

    def wait(self, how_long: timedelta) -> list[Event]:
        """Let time pass and the clock say what is due; the orders that follow."""
        assert self.case is not None
        self.now += how_long
        orders = []
        for due in sorted(dues(self.case, self.rules)):
            if due.at <= self.now and is_still_due(self.case, due, self.rules, self.brake):
                named = uuid5(CASE, f"{due.kind}/{due.ref}/{due.at}")
                orders += self.take(event_of(CASE, due), named)
        return orders

    def of(self, kind: type[Event]) -> list[Event]:
        """Everything of a kind that was said or came in, in order."""
        return [it.event for it in self.said if isinstance(it.event, kind)]


def request(*claims: str, level: int = 2) -> e.RequestReceived:
    """A request as it comes in."""
    return e.RequestReceived(
        case=CASE,
        claims=claims,
        received_at=START,
        intake="web",
        level=level,
        key="1",
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
    return HoldingRow(tag=tag(it.name), kind=it.kind, categories=categories, exported=exported)


def _export(order: e.SearchOrdered) -> ExportRow:
    name = f"{order.case}/{order.order}/1"
    return ExportRow(system=order.system, name=name, digest=tag(name), records=1, size=10)
