"""What a case is: the fold of its events. Frozen values; tags instead of persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, reduce
from uuid import UUID

from schemas.events import Event
from schemas.records import CoverageRow, ExportRow, OutcomeRow

from . import lifecycle
from .facts import joined
from .plan import Decision

Row = tuple[bytes, str]
"""A (holding's tag, category): what plans, outcomes and counts are about."""
Terms = tuple[str, str | None, datetime | None]
"""(state, rule, until): what is owed later, why, and when."""
Slot = tuple[str, str, int]
"""(kind, system, n): an order over all its attempts. Kinds: search, task, response, notice."""

SEARCH, TASK, RESPONSE, NOTICE = "search", "task", "response", "notice"
OPEN, DEFERRED, DONE, SPENT = "open", "deferred", "done", "spent"
MAX_ATTEMPTS = 12
"""Attempts at an act, a response or a notice; with doubling pauses that is over two hours."""
MAX_ROUNDS = 3
MAX_DELTAS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A holding that was located. `source` is the number of the event that seals its id.

    `sealed` is how many bytes that event seals, this and other ids. `late` are the categories that
    it came to carry when it had been copied already.
    """

    tag: bytes
    system: str
    kind: str
    categories: frozenset[str]
    source: int
    sealed: int = 0
    exported: bool = False
    late: frozenset[str] = frozenset()

    def is_copied(self, category: str) -> bool:
        """Whether a category was handed out."""
        return self.exported and category not in self.late


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An identifier of the person. `source` is the number of the event that seals its value."""

    tag: bytes
    kind: str
    strong: bool
    source: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order over all its attempts."""

    slot: Slot
    ordered: Event
    """The latest attempt's order, without what it seals."""
    attempt: int
    state: str = OPEN
    due: datetime
    """When it can neither start nor still run, or when a deferred one is to be issued again."""
    reason: str = ""
    parts: tuple[tuple[int, Event], ...] = ()
    """Parts of answers that came, by event number, until one is complete."""
    answered: tuple[UUID, bytes] | None = None
    """The attempt whose answer counts, and that answer's digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemState:
    """One system's part in a case."""

    status: str = "unasked"
    """unasked, searching, located, deferred, failed or overdue."""
    reason: str = ""
    rounds: int = 0
    calls: int = 0
    searched: frozenset[bytes] = frozenset()
    """Tags of the identifiers it was asked for."""
    answer_by: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether its search has ended, one way or the other."""
        return self.status in {"located", "failed", "overdue"}

    @property
    def ready(self) -> bool:
        """Whether a plan need not wait for it: ended, or put off by a slow vendor."""
        return self.final or self.status == "deferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    right: str
    state: str = "open"
    """open, withdrawn, refused, or how it settled: fulfilled, partially_fulfilled, no_data."""
    settled_at: datetime | None = None
    coverage: tuple[CoverageRow, ...] = ()
    """As it was last settled with."""

    @property
    def active(self) -> bool:
        """Whether anything is still to be done for it."""
        return self.state == "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The current plan: a decision for every row it is about."""

    n: int
    digest: bytes
    rows: Mapping[Row, Decision]
    state: str = "made"
    """made, asked, approved, observed or stale."""
    expires_at: datetime | None = None
    by: str = ""
    ordered: frozenset[str] = frozenset()
    """Systems whose task was ordered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    n: int
    kind: str
    claims: tuple[str, ...]
    name: str = ""
    digest: bytes = b""
    systems: frozenset[str] = frozenset()
    """Systems whose exports are in it."""
    notified: str = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    id: UUID
    system: str
    state: str
    count: int
    rule: str | None
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that is known of a case, and nothing of the person."""

    id: UUID
    number: int = 0
    """Of the last event in the ledger."""
    state: str = lifecycle.NEW
    intake: str = ""
    level: int = 0
    method: str = ""
    policy: bytes = b""
    received_at: datetime
    due_at: datetime
    identity_expires_at: datetime | None = None
    near: bool = False
    """Whether the deadline was said to be near."""
    claims: Mapping[str, Claim] = field(default_factory=dict)
    known: Mapping[bytes, Known] = field(default_factory=dict)
    systems: Mapping[str, SystemState] = field(default_factory=dict)
    held: Mapping[bytes, Held] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By system, then name: what it told last."""
    exports: tuple[ExportRow, ...] = ()
    outcomes: Mapping[Row, OutcomeRow] = field(default_factory=dict)
    """What became of each row: from `task_completed`, and from the plan for what is kept."""
    leftover: Mapping[Row, int] = field(default_factory=dict)
    """Said to be done and still there when looked for: how often so far."""
    left: frozenset[bytes] = frozenset()
    """Holdings that the DPO leaves to a human."""
    orders: Mapping[Slot, Order] = field(default_factory=dict)
    slots: Mapping[UUID, Slot] = field(default_factory=dict)
    """Every attempt's order id."""
    plan: Plan | None = None
    plans: int = 0
    responses: tuple[Response, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    owed: frozenset[tuple[Row, Terms]] = frozenset()
    """What the obligations are about: each row under the terms it was put off."""
    reports: int = 0
    conflicts: int = 0

    def wants(self, right: str) -> bool:
        """Whether this right is asked for, and neither withdrawn nor refused."""
        return right in self.claims and self.claims[right].state not in {"withdrawn", "refused"}

    def searched(self) -> bool:
        """Whether every system's search has ended."""
        return bool(self.systems) and all(it.final for it in self.systems.values())

    def order_of(self, order: UUID) -> Order | None:
        """The order that an attempt's id belongs to."""
        slot = self.slots.get(order)
        return None if slot is None else self.orders[slot]

    def under_way(self, kind: str | None = None) -> tuple[Order, ...]:
        """Orders that wait for an answer."""
        found = self.orders.values()
        return tuple(
            it for it in found if it.state in {OPEN, DEFERRED} and kind in {None, it.slot[0]}
        )

    def next_n(self, kind: str, system: str) -> int:
        """The number of the next order of a kind to a system."""
        return 1 + sum(1 for slot in self.orders if slot[:2] == (kind, system))

    def fact(self, name: str, sources: frozenset[str]) -> str | None:
        """What the `sources` together say of a fact; None while it is unknown.

        One system's `true` is enough; `false` needs every one of them to have said so.
        """
        said = [self.facts.get(system, {}).get(name) for system in sorted(sources)]
        if "true" in said:
            return "true"
        told = [it for it in said if it is not None]
        if told and all(it == told[0] for it in said):
            return told[0]
        dates = [it for it in told if it not in {"true", "false"}]
        return reduce(partial(joined, name), dates) if dates else None

    def __repr__(self) -> str:
        return f"<Case {self.id} {self.state} #{self.number}>"
