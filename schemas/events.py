"""Every event of the route, one frozen dataclass each: what was said, by whom, to whom.

The clear part holds no person: tags, kinds, categories, facts, dates, codes. What names a person
lies in `sealed`, always the last field (before `signature`, where something enters from outside).
Who says and reads which is in `pipeline/flow.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from .records import (
    Actor,
    ClaimRow,
    CoverageRow,
    DoneRow,
    ExportRow,
    FactRow,
    FoundRow,
    HoldingRow,
    IdentifierRow,
    LedgerEntry,
    ObligationRow,
    Person,
    PlanRow,
    ResponseRow,
    Sealed,
    SystemRow,
    TaskRow,
)


class Written:
    """Where the codec keeps how an event is written, so that it is written once."""

    __slots__ = ("written",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Written):
    """What every event has: the case it is about, which is also its key on every topic."""

    SEALS: ClassVar[type | None] = None
    """What `sealed` decodes to, for events that have one."""
    VERSION: ClassVar[int] = 1

    case: UUID


# In from outside: an envelope that is sealed (HPKE) to the pipeline and signed (Ed25519).


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReceived(Event):
    """Somebody asks for something. The public contract: intake teams write it."""

    SEALS: ClassVar[type | None] = Person

    claims: tuple[str, ...]
    """Rights asked for, by their GDPR names: `access`, `erasure`."""
    received_at: datetime
    """When it arrived at any official channel: the month of Art. 12(3) runs from here."""
    intake: str
    level: int
    """How surely the intake knows the person: 0 not at all, 1 a session, 2 a proved channel."""
    key: str
    """Id of the pipeline's public key that `sealed` is for."""
    sealed: bytes
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProved(Event):
    """The person used the link, or the console vouches for them."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    level: int
    method: str
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanApproved(Event):
    """The plan with this digest may be carried out. `by` is `policy`, or a console's name."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    digest: bytes
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged(Event):
    """The DPO wants these holdings left to a human; a new plan is made."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    digest: bytes
    leave: tuple[bytes, ...]
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Event):
    """The DPO refuses the request (GDPR Art. 12(4), 12(5)); `reason` is a DPV justification."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    reason: str
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineExtended(Event):
    """The DPO extends the answer to three months from receipt (GDPR Art. 12(3))."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    reason: str
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimWithdrawn(Event):
    """The person no longer asks for this."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    right: str
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


# Decided.


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpened(Event):
    """A request was taken in: from here on its personal part is under the case's own key."""

    SEALS: ClassVar[type | None] = Sealed

    claims: tuple[str, ...]
    received_at: datetime
    due_at: datetime
    """The last moment of the unrolled month after receipt (GDPR Art. 12(3))."""
    intake: str
    level: int
    policy: bytes
    """SHA-256 of the policy files it is decided under."""
    identifiers: tuple[IdentifierRow, ...] = ()
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAsked(Event):
    """Nobody vouches for the person: they are asked to prove who they are. No vendor is called."""

    level: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityVerified(Event):
    """Who asks is known surely enough: the search may begin."""

    level: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRefused(Event):
    """Who asks could not be confirmed: nothing is searched. `reason` is a DPV justification."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOrdered(Event):
    """Look for the person in one system; export while looking, where an access asks for it."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    n: int
    attempt: int
    purpose: str
    """`find`, or `verify` (a second look that comes later)."""
    not_after: datetime
    run_limit: int
    """Seconds a host may work on it from its start."""
    answer_by: datetime
    """The search budget ends: without an answer by then, what the system holds is unknown."""
    export_kinds: tuple[str, ...] = ()
    identifiers: tuple[IdentifierRow, ...] = ()
    known: tuple[HoldingRow, ...] = ()
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMade(Event):
    """What will be done to what, and why: counts here, rows by (holding, category) in the fold."""

    n: int
    digest: bytes
    holdings: int
    rows: tuple[PlanRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked(Event):
    """The plan is larger than policy waives: the DPO decides until `expires_at`."""

    n: int
    digest: bytes
    holdings: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanObserved(Event):
    """The plan is not carried out, since the pipeline only observes: people have to."""

    n: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOrdered(Event):
    """Carry out an approved plan in one system."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    n: int
    attempt: int
    plan: bytes
    not_after: datetime
    run_limit: int
    rows: tuple[TaskRow, ...] = ()
    identifiers: tuple[IdentifierRow, ...] = ()
    facts: tuple[FactRow, ...] = ()
    """What this system told and the plan rests on. If it tells otherwise now, nothing is done."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSettled(Event):
    """Every (holding, category) of the claim is proved, kept, dated or open; no attempt is left."""

    right: str
    outcome: str
    at: datetime
    found: tuple[FoundRow, ...] = ()
    coverage: tuple[CoverageRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationOpened(Event):
    """What remains to be done later, with all that is needed to do it sealed under its own key."""

    SEALS: ClassVar[type | None] = Sealed

    obligation: UUID
    system: str
    state: str
    """`kept` or `dated`."""
    rows: tuple[TaskRow, ...] = ()
    rule: str | None = None
    until: datetime | None = None
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOrdered(Event):
    """Assemble and sign what the subject receives."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    n: int
    attempt: int
    kind: str
    """`final`, `supplement`, or `interim` (the deadline is near)."""
    not_after: datetime
    run_limit: int
    claims: tuple[ClaimRow, ...] = ()
    received_at: datetime
    due_at: datetime
    policy: bytes
    head: bytes
    """Head of the ledger's hash chain when this was ordered."""
    systems: tuple[SystemRow, ...] = ()
    found: tuple[FoundRow, ...] = ()
    coverage: tuple[CoverageRow, ...] = ()
    obligations: tuple[ObligationRow, ...] = ()
    exports: tuple[ExportRow, ...] = ()
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeOrdered(Event):
    """Tell somebody something, by mail. `to` is `subject` or `dpo`."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    n: int
    attempt: int
    kind: str
    to: str
    not_after: datetime
    run_limit: int
    response: int = 0
    digest: bytes = b""
    due_at: datetime
    expires_at: datetime | None = None
    """Until when the reader can do what the notice asks or offers."""
    holdings: int = 0
    """How many a plan touches."""
    reason: str = ""
    """Why, as a DPV term, where the law asks for it."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReported(Event):
    """The DPO's completion report: `n` replaces `n - 1`. No personal data beyond the case id."""

    n: int
    state: str
    claims: tuple[ClaimRow, ...] = ()
    received_at: datetime
    due_at: datetime
    reported_at: datetime
    intake: str
    level: int
    method: str
    policy: bytes
    plans: int = 0
    approved_by: str = ""
    systems: tuple[SystemRow, ...] = ()
    found: tuple[FoundRow, ...] = ()
    coverage: tuple[CoverageRow, ...] = ()
    obligations: tuple[ObligationRow, ...] = ()
    responses: tuple[ResponseRow, ...] = ()
    conflicts: int = 0
    """Answers that contradicted the first complete one to the same order."""
    head: bytes = b""


# The clock.


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDue(Event):
    """An order can neither start nor still run, or the time it was put off to has come."""

    order: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOverdue(Event):
    """The search budget is spent: what this system holds is unknown."""

    system: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityOverdue(Event):
    """The person did not prove who they are in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOverdue(Event):
    """Nobody approved the plan in time: it is made and asked for anew."""

    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineNear(Event):
    """The month is almost over and something is not settled: an interim answer is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDestroyed(Event):
    """A key is gone, and with it every copy of what it sealed."""

    key: UUID
    purpose: str
    unreadable_from: datetime
    """When nobody running can read it."""
    unreadable_in_backups_from: datetime


# Answers of hosts.


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsLocated(Event):
    """What one system holds, in parts of at most 500 rows. An answer counts when all parts came."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    part: int
    parts: int
    digest: bytes
    """HMAC under the grant over the whole answer, without times and evidence."""
    holdings: tuple[HoldingRow, ...] = ()
    gone: tuple[bytes, ...] = ()
    facts: tuple[FactRow, ...] = ()
    identifiers: tuple[IdentifierRow, ...] = ()
    exports: tuple[ExportRow, ...] = ()
    calls: int = 0
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFailed(Event):
    """The system could not be searched: unknown, never absent."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    reason: str
    calls: int = 0
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDeferred(Event):
    """Not now: the host stopped waiting. The order is issued again at `until`."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    until: datetime
    reason: str
    calls: int = 0
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompleted(Event):
    """What was done, and what a look afterwards found: two lists from separate calls."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    part: int
    parts: int
    digest: bytes
    done: tuple[DoneRow, ...] = ()
    looked: tuple[HoldingRow, ...] = ()
    gone: tuple[bytes, ...] = ()
    looked_failed: str = ""
    """Why the look afterwards could not be made; nothing is proved then."""
    calls: int = 0
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDeclined(Event):
    """The system is not as the plan took it to be: nothing was done."""

    order: UUID
    system: str
    reason: str
    facts: tuple[FactRow, ...] = ()
    calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSigned(Event):
    """A package lies sealed in the object store."""

    order: UUID
    system: str
    n: int
    name: str
    """Of the object."""
    digest: bytes
    """SHA-256 over the package as the subject opens it."""
    size: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent(Event):
    """The message was handed over."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFailed(Event):
    """The message cannot be sent. `reason` is a code."""

    order: UUID
    system: str
    reason: str


# Beside the route. A record of the ledger has what one batch decided of a case.


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAppended(Event):
    """The entries that one decision added to a case's ledger, for audit and recovery."""

    entries: tuple[LedgerEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRefused(Event):
    """A dead letter: a record that nobody can read, kept sealed (HPKE) to the pipeline's key."""

    topic: str
    partition: int
    offset: int
    reason: str
    key: str = ""
    sealed: bytes = b""
    """The value; empty where it may be a person in the clear (`requests`, `decisions`)."""
