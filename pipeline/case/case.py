"""What a case is: the fold of its events. Frozen values; tags instead of persons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from schemas.events import Event
from schemas.records import (
    BorneRow,
    CoverageRow,
    DueRow,
    ExportRow,
    FactRow,
    IdentifierRow,
    OutcomeRow,
    RecipientRow,
)

from . import lifecycle, rights
from .deadline import Pause
from .facts import Told, together
from .incident import Incident, Letter
from .plan import Decision
from .rights import COPYING
from .whose import ANOTHERS, OURS, POLICY, Verdict

Row = tuple[bytes, str]
"""A (holding's tag, category): what plans, outcomes and counts are about."""
Terms = tuple[str, str | None, datetime | None]
"""(state, rule, until): what is owed later, why, and when."""
Slot = tuple[str, str, int]
"""(kind, system, n): an order over all its attempts. Kinds: search (to find), look (to verify),
task, measure, people, response, notice, instruction.
"""

Settled = tuple[str, Row]
"""(right, row) that a person settled. The row of a whole system has no tag, and its name."""
NOT_WANTED = frozenset({"withdrawn", "refused", "joined"})
"""States of a claim for which nothing more is done in its case."""

SEARCH, LOOK, TASK, RESPONSE, NOTICE = "search", "look", "task", "response", "notice"
MEASURE, PEOPLE = "measure", "people"
LAPSED = "lapsed"
"""How somebody is known who is let go: nobody asked. What follows such a case up has it too."""
LIFTED = "lift"
"""What stands for a right where measures are told of that lift what was restricted."""
DISPUTED = "dispute"
"""The same of marks on what is said to be wrong, and is for a person to correct."""
INSTRUCTION, RECIPIENTS = "instruction", "recipients"
"""An order to tell a recipient, and the system of all such orders."""
OPEN, DEFERRED, DONE, SPENT = "open", "deferred", "done", "spent"
MAX_ATTEMPTS = 12
"""Attempts at whatever is no search; with doubling pauses that is over two hours."""
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
    bears: tuple[BorneRow, ...] = ()
    part_of: bytes = b""

    def is_copied(self, category: str) -> bool:
        """Whether a category was handed out."""
        return self.exported and category not in self.late


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An identifier that was given or found; whether it is the person's, `Case.usable` says.

    `source` is the number of the event that seals its value.
    """

    tag: bytes
    kind: str
    strong: bool
    source: int
    spellings: Mapping[bytes, int] = field(default_factory=dict)
    """Every way to write it that was met, by tag, and the event that seals it."""
    given: bool = False
    """Whether it came with the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A row that the vendor has taken into its queue: it is looked for again, until `by`."""

    by: datetime
    looks: int = 0
    """How often it was looked for since."""
    looked: datetime | None = None
    """Up to when what was due had to be gone for the last look."""


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
    broke: int = 0
    """Attempts that broke whatever tried them."""
    began: bool = False
    """Whether a host said that it begins with the latest attempt."""
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
    """Tags of the identifiers it was asked for, and of their spellings."""
    answered: frozenset[bytes] = frozenset()
    """Those of them that it could be searched for."""
    tried: frozenset[bytes] = frozenset()
    """Tags of the holdings that it was told to copy in a later round."""
    askable: bool = True
    """Whether any identifier was one that this system can be asked by."""
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
    """open, withdrawn, refused, joined, or how it settled: fulfilled, partially_fulfilled, no_data.
    """
    settled_at: datetime | None = None
    coverage: tuple[CoverageRow, ...] = ()
    """As it was last settled with."""
    recipients: tuple[RecipientRow, ...] = ()
    """What they had been told and had said by then."""

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
class Instructed:
    """What a recipient was told for one right, and what they said; `recipients` has the words."""

    asks: str
    n: int = 0
    """The number of the latest instruction."""
    state: str = ""
    identifiers: frozenset[bytes] = frozenset()
    """Tags of those that they were told."""
    asked_at: datetime | None = None
    reminders: int = 0
    until: datetime | None = None
    """When they are reminded, or no longer waited for."""
    acknowledged_at: datetime | None = None
    says: str = ""
    reason: str = ""


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
    look_at: datetime
    """When it is looked at again."""
    follow_up: UUID
    """The case that does, or did."""
    source: int
    """Number of the event that opened it, and seals what it is about."""
    status: str = "waiting"
    """waiting, looking, or how it was closed: done, by hand, renewed or unreadable."""
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What makes a case one that nobody asked for: it looks at what another one put off."""

    parent: UUID
    request: UUID
    """The case that the person asked for."""
    asked_at: datetime
    rows: Mapping[Row, DueRow]
    """All that it is about, each with its obligation."""
    systems: frozenset[str] = frozenset()
    """Where a backup was restored: it is about all that is the person's there."""
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """To refuse the request, or to ask for a fee: nothing follows until a second person agrees."""

    digest: bytes
    by: str
    """The first person's console."""
    reason: str
    fee: int = 0
    currency: str = ""
    recorded: int = 0
    """Number of the event that seals their reasons; 0 before it is there."""
    login: bytes = b""
    """A tag of who was logged in there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifting:
    """That marks come off, as a person decided; `marks.py`."""

    by: str = ""
    recorded: int = 0
    """Number of the event that seals their reasons; 0 before it is there."""
    told: bool = False
    """Whether the person whom it protects was told."""
    unsent: bool = False
    """Whether the letter that says so did not arrive."""
    tags: frozenset[bytes] = frozenset()
    """Of what was disputed: the holdings that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """How a person decided what a machine had decided alone; `reviews.py`."""

    result: str
    by: str
    recorded: int = 0
    """Number of the event that seals their reasons; 0 before it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Who sees to an item of the inbox, by their console."""

    by: str
    since: datetime
    recorded: int = 0
    """Number of the event that seals who was logged in there; 0 before it is there."""
    login: bytes = b""
    """A tag of who that was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reappeared:
    """Whom the case erased for was there again."""

    at: datetime
    count: int
    """Rows of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """An answer of this case went to the wrong person; the incident is yet to be opened."""

    at: datetime
    what: str
    systems: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that is known of a case, and nothing of the person."""

    id: UUID
    number: int = 0
    """Of the last event in the ledger."""
    state: str = lifecycle.NEW
    intake: str = ""
    follow_up: FollowUp | None = None
    lapsed: bool = False
    """Whether it lets somebody go whom we had for one thing alone."""
    incident: Incident | None = None
    """What makes a case a breach, and no request."""
    breached: frozenset[bytes] = frozenset()
    """Holdings that an answer showed to somebody whom they are not about: each is in an incident.
    """
    suspicions: Mapping[UUID, Suspicion] = field(default_factory=dict)
    """Incidents that are yet to be opened, by their ids."""
    level: int = 0
    method: str = ""
    policy: bytes = b""
    portable: frozenset[tuple[str, str, str]] = frozenset()
    """(system, kind, category) that the person may take along, where they ask for that."""
    received_at: datetime
    due_at: datetime
    identity_expires_at: datetime | None = None
    near: bool = False
    """Whether the deadline was said to be near."""
    extended: bool = False
    """Whether the answer takes three months from receipt."""
    reminded: frozenset[int] = frozenset()
    """The days before the date for which the DPO was reminded of it."""
    pauses: tuple[Pause, ...] = ()
    """When the person was asked for something without which nothing could go on."""
    claims: Mapping[str, Claim] = field(default_factory=dict)
    known: Mapping[bytes, Known] = field(default_factory=dict)
    names: frozenset[bytes] = frozenset()
    """Tags of the person's name."""
    proofs: Mapping[bytes, str] = field(default_factory=dict)
    """How an identifier was proved: `vouched`, `link` or `dpo`."""
    linked: frozenset[bytes] = frozenset()
    """Identifiers that a record of theirs bears in a field that policy trusts."""
    strangers: frozenset[bytes] = frozenset()
    """Identifiers that the DPO says are somebody else's."""
    said: Mapping[bytes, str] = field(default_factory=dict)
    """Holdings of which the DPO says whose they are."""
    confirming: Mapping[bytes, datetime] = field(default_factory=dict)
    """Addresses that the person was asked to confirm, and until when."""
    unconfirmed: frozenset[bytes] = frozenset()
    """Those that were not confirmed in time."""
    people: int = 0
    """How often a person changed what is known of who is who."""
    whose: Mapping[bytes, Verdict] = field(default_factory=dict)
    """Whose each holding is. One that is not here is nobody's to act on."""
    documents: Mapping[bytes, str] = field(default_factory=dict)
    """Holdings that are customers' documents, by tag: the policy's row that says so."""
    forwarded: frozenset[bytes] = frozenset()
    """Those of them that a customer, or the DPO, is told of."""
    entangled: frozenset[bytes] = frozenset()
    """What is theirs, and has a part that is contested: to erase it would take that along."""
    systems: Mapping[str, SystemState] = field(default_factory=dict)
    held: Mapping[bytes, Held] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, FactRow]] = field(default_factory=dict)
    """By system, then name: what it told last."""
    exports: tuple[ExportRow, ...] = ()
    outcomes: Mapping[Row, OutcomeRow] = field(default_factory=dict)
    """What became of each row: from `task_completed`, and from the plan for what is kept."""
    leftover: Mapping[Row, int] = field(default_factory=dict)
    """Said to be done and still there when looked for: how often so far."""
    waiting: Mapping[Row, Waiting] = field(default_factory=dict)
    """What a vendor does by a job: neither done nor left over, as long as it waits."""
    purpose: str = ""
    """Of an objection: the use that it is to; empty is direct marketing."""
    data: tuple[str, ...] = ()
    """Of a rectification: what is to be corrected."""
    measures: Mapping[tuple[str, str], frozenset[Row]] = field(default_factory=dict)
    """By right (or `LIFTED`) and system: the rows, or identifiers, that it was told of."""
    measured: Mapping[Settled, OutcomeRow] = field(default_factory=dict)
    """What became of those, row by row; a system's own has no tag, and its name."""
    lifting: Mapping[str, Lifting] = field(default_factory=dict)
    """That marks come off, by what they were set for."""
    used: frozenset[tuple[str, str, str]] = frozenset()
    """(system, kind, category) that is held for the use which they object to."""
    weighed: str = ""
    """How a person decided an objection to a use; `weighing.py`."""
    reviews: Mapping[str, Review] = field(default_factory=dict)
    """Of decisions that a machine took alone, by their ids in the policy."""
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
    refused_for: str = ""
    """Why the request was refused, as a DPV term."""
    proposal: Proposal | None = None
    fee_awaited: bytes = b""
    """Digest of the proposal whose fee is waited for: meanwhile nothing is planned or done."""
    checking: frozenset[Settled] = frozenset()
    """What a person says that they did by hand, until it was looked for."""
    by_hand: Mapping[Settled, OutcomeRow] = field(default_factory=dict)
    """What became of what a person settled and no look proved, as long as it is open otherwise."""
    needed: frozenset[str] = frozenset()
    """Items of the inbox that wait, and that the DPO was told of."""
    needed_again: frozenset[str] = frozenset()
    """Those they were told of again."""
    taken: Mapping[str, Taken] = field(default_factory=dict)
    """Items of the inbox that wait, and that somebody sees to."""
    summons: int = 0
    """How often the DPO was told that something waits."""
    keyless: bool = False
    """Whether the key of its record is gone: then nothing more can be said of it to anybody."""
    comparing: Mapping[UUID, datetime] = field(default_factory=dict)
    """Other open cases of the person that this one is yet to be compared with, since when each:
    until then nothing new is searched, planned or told.
    """
    awaits: Mapping[UUID, datetime] = field(default_factory=dict)
    """Other cases of the person whose copy comes before anything is erased here, and when it was
    last found so.
    """
    awaited_by: frozenset[UUID] = frozenset()
    """Other cases of the person that wait for the copy of this one."""
    joined: UUID | None = None
    """The older case of the person in which this one is answered."""
    replays: Mapping[UUID, tuple[str, ...]] = field(default_factory=dict)
    """Systems in which it is to be erased again, by the case that will look there."""
    reappeared: Mapping[str, Reappeared] = field(default_factory=dict)
    """When the person was last seen again after the erasure, by feed."""
    told: Mapping[tuple[str, str], Instructed] = field(default_factory=dict)
    """By recipient and right: those who were told something, or said something."""

    @property
    def is_asked(self) -> bool:
        """Whether the person asked for it: what begins by itself is answered to nobody."""
        return self.follow_up is None and not self.lapsed

    def usable(self) -> dict[bytes, str]:
        """The identifiers that are known to be the person's, and how; all else is a candidate."""
        found = {**dict.fromkeys(self.linked, POLICY), **self.proofs}
        return {
            tag: how
            for tag, how in found.items()
            if tag in self.known and self.known[tag].strong and tag not in self.strangers
        }

    def spellings(self) -> tuple[IdentifierRow, ...]:
        """Every spelling of what is known to be the person's, as an order names it."""
        usable = (self.known[it] for it in self.usable())
        return tuple(
            IdentifierRow(tag=known.tag, kind=known.kind, spelling=spelling)
            for known in usable
            for spelling in known.spellings
        )

    def is_ours(self, holding: bytes) -> bool:
        """Whether a holding is known to be the person's, and ours to act on."""
        return self.whose.get(holding) == OURS and holding not in self.documents

    def is_document(self, holding: bytes) -> bool:
        """Whether it is a customer's document that bears an identifier of the person."""
        return holding in self.documents and self.whose.get(holding) == OURS

    def is_out(self, holding: bytes) -> bool:
        """Whether no answer to the person is about it: another person's, or a customer's."""
        return self.is_anothers(holding) or self.is_document(holding)

    def may_erase(self, holding: bytes) -> bool:
        """Whether it is known to be the person's, with all that hangs on it."""
        return self.is_ours(holding) and holding not in self.entangled

    def is_anothers(self, holding: bytes) -> bool:
        """Whether a person said so, of it or of all that it bears."""
        return self.whose.get(holding) == ANOTHERS

    def concerns(self, holding: bytes, category: str) -> bool:
        """Whether the case is about a row: about all that is found, unless it is a follow-up."""
        return self._is_about_all(holding) or (
            self.follow_up is not None and (holding, category) in self.follow_up.rows
        )

    def is_about(self, holding: bytes) -> bool:
        """Whether the case is about anything of a holding, as `concerns` says."""
        return self._is_about_all(holding) or (
            self.follow_up is not None and any(it == holding for it, _ in self.follow_up.rows)
        )

    def _is_about_all(self, holding: bytes) -> bool:
        follow_up = self.follow_up
        return follow_up is None or self.held[holding].system in follow_up.systems

    def wants(self, right: str) -> bool:
        """Whether this right is asked for: not withdrawn, refused, or answered in another case."""
        return right in self.claims and self.claims[right].state not in NOT_WANTED

    @property
    def copies(self) -> bool:
        """Whether a copy of anything is asked for."""
        return any(self.wants(it) for it in COPYING)

    def is_to_copy(self, system: str, kind: str, category: str) -> bool:
        """Whether a copy of such data is asked for."""
        if self.wants(rights.ACCESS):
            return True
        return self.wants(rights.PORTABILITY) and (system, kind, category) in self.portable

    def lacks_copy(self, held: Held, category: str) -> bool:
        """Whether a copy of a row is asked for that was not made: nothing is done to it before."""
        wanted = self.is_to_copy(held.system, held.kind, category)
        return wanted and not held.is_copied(category)

    @property
    def searches(self) -> bool:
        """Whether the systems are searched for anything that is asked for."""
        return any(rights.searches(it) for it in self.claims if self.wants(it))

    def searched(self) -> bool:
        """Whether every system's search has ended."""
        return bool(self.systems) and all(it.final for it in self.systems.values())

    @property
    def is_request(self) -> bool:
        """Whether somebody asked for it: it follows nothing up, and is no breach."""
        return self.follow_up is None and self.incident is None

    @property
    def is_open(self) -> bool:
        """Whether anybody waits for an answer."""
        return any(it.active for it in self.claims.values())

    @property
    def verified(self) -> bool:
        """Whether it is known who asks."""
        return bool(self.method)

    def order_of(self, order: UUID) -> Order | None:
        """The order that an attempt's id belongs to."""
        slot = self.slots.get(order)
        if slot is None:
            return None if self.incident is None else _letter(self.incident, order)
        return self.orders[slot]

    def under_way(self, kind: str | None = None) -> tuple[Order, ...]:
        """Orders that wait for an answer."""
        found = self.orders.values()
        return tuple(
            it for it in found if it.state in {OPEN, DEFERRED} and kind in {None, it.slot[0]}
        )

    def next_n(self, kind: str, system: str) -> int:
        """The number of the next order of a kind to a system."""
        beside = self.incident.numbered if self.incident and kind == NOTICE else 0
        return 1 + beside + sum(1 for slot in self.orders if slot[:2] == (kind, system))

    def fact(self, name: str, sources: frozenset[str]) -> Told | None:
        """What the `sources` together say of a fact; None while it is unknown."""
        return together(name, (self._told(it, name) for it in sorted(sources)))

    def _told(self, system: str, name: str) -> Told | None:
        row = self.facts.get(system, {}).get(name)
        return None if row is None else Told(value=row.value, system=system, read=row.read)

    def __repr__(self) -> str:
        return f"<Case {self.id} {self.state} #{self.number}>"


def _letter(incident: Incident, attempt: UUID) -> Order | None:
    """The notice to somebody affected that an attempt's id belongs to, as an order."""
    held = incident.holder(attempt)
    if held is None:
        return None
    place, tag = held
    letter: Letter = incident.portions[place].letters[tag]
    assert letter.ordered is not None and letter.due is not None  # noqa: PT018, S101  it was ordered
    return Order(
        slot=(NOTICE, NOTICE, letter.ordered.n),
        ordered=letter.ordered,
        attempt=letter.attempt,
        state=DONE if letter.is_over else OPEN,
        due=letter.due,
        reason=letter.reason,
    )
