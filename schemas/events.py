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
    ClosedRow,
    CoverageRow,
    DocumentRow,
    DoneRow,
    DueRow,
    EntryRow,
    ExportRow,
    FactRow,
    FoundRow,
    HoldingRow,
    IdentifierRow,
    LedgerEntry,
    MeasureRow,
    ObligationRow,
    OutcomeRow,
    Person,
    PlaceRow,
    PlanRow,
    Preference,
    RecipientRow,
    RegardedRow,
    ResponseRow,
    RetentionRow,
    Sealed,
    SealedAffected,
    SealedEntries,
    SealedIncident,
    SealedMeasure,
    SealedNotice,
    SealedRequest,
    SealedResponse,
    SealedTaken,
    StepRow,
    SystemRow,
    TaskRow,
    UsedRow,
    VerdictRow,
    WaitRow,
    WithheldRow,
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
    VERSION: ClassVar[int] = 4

    claims: tuple[str, ...]
    """Rights asked for, by their GDPR names: `access`, `rectification`, `erasure`..."""
    received_at: datetime
    """When it arrived at any official channel: the month of Art. 12(3) runs from here."""
    intake: str
    level: int
    """How surely the intake knows the person: 0 not at all, 1 a session, 2 a proved channel."""
    key: str
    """Id of the pipeline's public key that `sealed` is for."""
    purpose: str = ""
    """Of an objection: the use that they object to, as the policy names it. Empty: marketing."""
    sealed: bytes
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceReceived(Event):
    """Somebody wants to be sent something, or no longer. The public contract: intakes write it.

    `case` is the id of the record; what follows from a refusal is a case of the same id.
    """

    SEALS: ClassVar[type | None] = Preference

    at: datetime
    """When they said so. The latest word about a purpose counts; of two at once, the refusal."""
    intake: str
    level: int
    """How surely the intake knows that the address is theirs: 0 not at all, 2 a proved channel."""
    purpose: str
    """As the policy names it. Empty, of a refusal: all direct marketing."""
    says: str
    """`given` or `withdrawn` (a consent), `objected`, `bought` or `asked` (about something of
    ours), `only` (this, and nothing else), or `served` (what they wanted alone was sent).
    """
    key: str
    """Id of the pipeline's public key that `sealed` is for."""
    sealed: bytes
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProved(Event):
    """The person used the link, or the console vouches for them."""

    SEALS: ClassVar[type | None] = Actor
    VERSION: ClassVar[int] = 3

    by: str
    level: int
    method: str
    tag: bytes = b""
    """The identifier that it proves; empty for the first e-mail of the request."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoseDecided(Event):
    """The DPO says of identifiers or holdings whose they are, or has the person asked."""

    SEALS: ClassVar[type | None] = Actor
    VERSION: ClassVar[int] = 2

    by: str
    verdicts: tuple[VerdictRow, ...]
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanApproved(Event):
    """The plan with this digest may be carried out. `by` is `policy`, or a console's name."""

    SEALS: ClassVar[type | None] = Actor
    VERSION: ClassVar[int] = 2

    by: str
    digest: bytes
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged(Event):
    """The DPO wants these holdings left to a human; a new plan is made."""

    SEALS: ClassVar[type | None] = Actor
    VERSION: ClassVar[int] = 2

    by: str
    digest: bytes
    leave: tuple[bytes, ...]
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Event):
    """A second person refuses the request, as a first one proposed (GDPR Art. 12(4), 12(5))."""

    SEALS: ClassVar[type | None] = Actor
    VERSION: ClassVar[int] = 2

    by: str
    reason: str
    """A DPV justification: the proposal's ground."""
    key: str = ""
    proposal: bytes = b""
    """Digest of the proposal. Without one nobody refuses any more: in version 1 one person did."""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineExtended(Event):
    """The DPO extends the answer to three months from receipt (GDPR Art. 12(3))."""

    SEALS: ClassVar[type | None] = Actor
    VERSION: ClassVar[int] = 2

    by: str
    reason: str
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPaused(Event):
    """The person was asked, at `at`, for what is needed to go on: the time of Art. 12(3) stops.

    `why` is `identity` (GDPR Art. 12(6)), `clarification` (recital 63) or `fee` (Art. 12(5)).
    """

    SEALS: ClassVar[type | None] = Actor

    by: str
    why: str
    at: datetime
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockResumed(Event):
    """What the person was asked for, for this `why`, was there in full at `at`."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    why: str
    at: datetime
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimWithdrawn(Event):
    """The person no longer asks for this."""

    SEALS: ClassVar[type | None] = Actor
    VERSION: ClassVar[int] = 2

    by: str
    right: str
    together: tuple[str, ...] = ()
    """All rights that they take back at once: once it comes to the last, they are written to."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientAcknowledged(Event):
    """A recipient says something of what they were told. It is their word, and proves nothing."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    recipient: str
    right: str
    at: datetime
    says: str = "received"
    """`received` (they have the instruction), `done`, or `nothing` (they hold nothing)."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRejected(Event):
    """A person does not believe that who asks is who they say. `reason` is a DPV justification."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    reason: str
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalProposed(Event):
    """A first person wants the request refused, or a fee for it (GDPR Art. 12(5)).

    Nothing follows until a second one confirms it. The reasons, which the person is to read, and
    the evidence are sealed.
    """

    SEALS: ClassVar[type | None] = Actor

    by: str
    at: datetime
    """When it was said: to propose the same again later is another proposal."""
    reason: str
    """The ground: the DPV term for manifestly unfounded, or for manifestly excessive."""
    fee: int = 0
    """In hundredths of `currency` (ISO 4217); 0 is to refuse."""
    currency: str = ""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeAsked(Event):
    """A second person asks for a fee, as a first one proposed: the request rests meanwhile."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    proposal: bytes
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSettled(Event):
    """The fee is paid, or waived: the request goes on."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    proposal: bytes
    how: str
    """`paid` or `waived`."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSettled(Event):
    """A person settles what is open of a claim: they did it by hand, or it cannot be done.

    What they did by hand is looked for again: only that proves it. It is all that a system has of
    one kind and that is open for this reason.
    """

    SEALS: ClassVar[type | None] = Actor

    by: str
    at: datetime
    right: str
    system: str
    kind: str
    """Of holdings; `system` if it is the whole of a system, which could not be searched."""
    was: OutcomeRow
    """Its outcome: what was open, and why."""
    how: str
    """`done` or `not_possible`."""
    reason: str = ""
    """Why it is not possible, as a code."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTaken(Event):
    """Somebody sees to an item of the inbox, until it ends or another person takes it."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    at: datetime
    """When: to take it once more, after another person had it, is another decision."""
    item: str
    """What `habeas inbox` calls it."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonReappeared(Event):
    """Whom this case erased for is there again: on a list, in a restored backup, with a broker.

    Of one feed it is said once a day, however often that is screened.
    """

    SEALS: ClassVar[type | None] = Actor

    by: str
    at: datetime
    feed: str
    """Where, as a code of whoever looked."""
    count: int
    """Rows of the person."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReplayed(Event):
    """A vendor restored a backup: what this case erased there is looked for, and erased again.

    It is a case of its own that looks. Of the same systems it is said once a day.
    """

    SEALS: ClassVar[type | None] = Actor

    by: str
    at: datetime
    systems: tuple[str, ...]
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftDecided(Event):
    """The DPO ends a restriction. The person is told why before it is lifted (GDPR Art. 18(3))."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened(Event):
    """Personal data were breached, or may have been (GDPR Art. 4(12)): it has a ledger of its own.

    `by` is empty where the pipeline found it in itself: nobody signed it then.
    """

    SEALS: ClassVar[type | None] = SealedIncident

    by: str
    what: str
    """A code: `confidentiality`, `integrity`, `availability`, or what the pipeline found."""
    aware_at: datetime
    """When it was known: the 72 hours of Art. 33(1) run from here."""
    since: datetime
    until: datetime | None = None
    """When it ended; None while it goes on."""
    systems: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    """Of personal data."""
    suspect: UUID | None = None
    """The request whose answer went to the wrong person."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleAffected(Event):
    """A portion of a list of whom a breach affects. The addresses are sealed."""

    SEALS: ClassVar[type | None] = SealedAffected

    by: str
    list: bytes
    """What tells this list from another one."""
    part: int
    parts: int
    unreachable: int = 0
    """Rows of this portion that name nobody whom a mail reaches."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSought(Event):
    """The DPO has systems list whom they hold: all of them may be affected."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    at: datetime
    systems: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    """Of holdings, as the connectors name them; none is all of them."""
    until: datetime | None = None
    """Who came to be held later is not affected."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachNoticesReleased(Event):
    """The affected are told, in the words that are sealed (GDPR Art. 34(2))."""

    SEALS: ClassVar[type | None] = SealedIncident

    by: str
    at: datetime
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityNotified(Event):
    """The supervisory authority was told at `at` (GDPR Art. 33(1)), or need not be."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    at: datetime
    how: str = "notified"
    """`notified`; or `no_risk`: a risk for people is unlikely, for the reasons that are sealed."""
    reference: str = ""
    """The authority's own, as a code."""
    delayed: bool = False
    """Whether reasons for a delay are sealed: after 72 hours there must be some."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverProposed(Event):
    """A first person wants nobody told of a breach (GDPR Art. 34(1), (3)). Why is sealed."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    at: datetime
    ground: str
    """`no_high_risk`, `protected`, `averted` or `disproportionate`."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachNoticesWaived(Event):
    """A second person agrees that nobody is told, as a first one proposed."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    proposal: bytes
    """Digest of the proposal."""
    ground: str
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentClosed(Event):
    """Nothing of a breach is left to do. It stays in the register (GDPR Art. 33(5))."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    at: datetime
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionDecided(Event):
    """The DPO has weighed an objection to a use (GDPR Art. 21(1)).

    If the use goes on, the person is told why before the restriction is lifted.
    """

    SEALS: ClassVar[type | None] = Actor

    by: str
    how: str
    """`upheld`: the use ends; `overridden`, or for legal `claims`: it goes on."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionReviewed(Event):
    """A person decided anew what a machine had decided alone (GDPR Art. 22(3))."""

    SEALS: ClassVar[type | None] = Actor

    by: str
    decision: str
    """Its id in the policy."""
    result: str
    """`confirmed` or `changed`."""
    key: str = ""
    sealed: bytes = b""
    signature: bytes = b""


# Decided.


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLapsed(Event):
    """Whom we have for one thing alone is let go: they got it, or it never came. Nobody asked."""

    record: UUID
    """The preference after which we have no use for them."""
    purpose: str
    says: str
    """`served`, or `only` of what never came."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpened(Event):
    """A request was taken in: from here on its personal part is under the case's own key."""

    SEALS: ClassVar[type | None] = SealedRequest
    VERSION: ClassVar[int] = 4

    claims: tuple[str, ...]
    received_at: datetime
    due_at: datetime
    """The last moment of the unrolled month after receipt (GDPR Art. 12(3))."""
    intake: str
    level: int
    policy: bytes
    """SHA-256 of the policy files it is decided under."""
    identifiers: tuple[IdentifierRow, ...] = ()
    purpose: str = ""
    """Of an objection: the use that they object to."""
    data: tuple[str, ...] = ()
    """Of a rectification: what is to be corrected, without the values."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDescribed(Event):
    """What happened, and what the affected are to read, under the incident's own key."""

    SEALS: ClassVar[type | None] = SealedIncident

    name: str
    """Of the decision's event that brought it."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedAdded(Event):
    """Addresses of whom a breach affects, under the incident's own key."""

    SEALS: ClassVar[type | None] = Sealed

    people: tuple[IdentifierRow, ...] = ()
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachNoticesDue(Event):
    """A portion of the affected is to be written to, or is to be written to again."""

    portion: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDue(Event):
    """So many hours after a breach was known, something of it is still to be decided."""

    hours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentSuspected(Event):
    """An answer to this request has reached the wrong person: an incident begins."""

    incident: UUID
    at: datetime
    what: str
    """A code: `anothers_data`, or `not_who_asked`."""
    systems: tuple[str, ...]
    categories: tuple[str, ...]
    holdings: int
    """How many were shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRaised(Event):
    """The incident that was suspected in this request is opened."""

    incident: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecorded(Event):
    """Who took a decision, in which role and why, under the case's own key: as long as it lives."""

    SEALS: ClassVar[type | None] = Actor

    name: str
    """Of the decision's event."""
    by: str
    """The console."""
    roles: tuple[str, ...]
    login: bytes
    """A tag of who was logged in there, equal throughout a case."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAsked(Event):
    """Nobody vouches for the person: they are asked to prove who they are. No vendor is called."""

    level: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationAsked(Event):
    """The person is asked to confirm addresses, by a link to each; until then none is used."""

    tags: tuple[bytes, ...]
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
class SamePersonFound(Event):
    """What is proved here just now is proved in other cases as well, and those are open."""

    others: tuple[UUID, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsCompared(Event):
    """Two cases of one person were compared: each goes on. Said in both if one waits."""

    other: UUID
    at: datetime
    waits: tuple[UUID, ...] = ()
    """Those of the two that erase nothing before the other one's copy is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestJoined(Event):
    """An older case of the person asks for all of this, and is open: both are answered there."""

    into: UUID
    asked_at: datetime
    due_at: datetime
    """Of the older case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureReleased(Event):
    """The copy that an erasure waited for is there, or no longer asked for: said in both cases."""

    erasing: UUID
    copying: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOrdered(Event):
    """Look for the person in one system; export while looking, where an access asks for it."""

    SEALS: ClassVar[type | None] = Sealed
    VERSION: ClassVar[int] = 3

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
    """The search budget ends: without an answer by then, what the system holds is unknown.

    Of a `verify`: what had to be gone by then, and is still there, stays.
    """
    export_kinds: tuple[str, ...] = ()
    identifiers: tuple[IdentifierRow, ...] = ()
    known: tuple[HoldingRow, ...] = ()
    """What earlier rounds found. One that was not exported is theirs by now, and is to be.

    Of a `verify`: what to look for.
    """
    trusted: tuple[str, ...] = ()
    """Fields, as `kind.field`, that the policy trusts to say who somebody is."""
    documents: tuple[PlaceRow, ...] = ()
    """Places of which nothing is copied: we hold it as a processor."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsFound(Event):
    """Documents of a customer bear an identifier of the person: the customer is told.

    We are their processor (GDPR Art. 28(3)(e)): for the person they are neither copied nor erased.
    """

    of: str
    """The policy's row that says whose they are."""
    system: str
    count: int


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
    VERSION: ClassVar[int] = 3

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
    documents: tuple[PlaceRow, ...] = ()
    """Places where what is found is a customer's."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOrdered(Event):
    """Correct, mark as not to be used, or stop a use, in one system: for all rights but erasure."""

    SEALS: ClassVar[type | None] = SealedMeasure
    VERSION: ClassVar[int] = 2

    order: UUID
    system: str
    n: int
    attempt: int
    right: str
    verb: str
    """`rectify`, `restrict`, `lift` (what was restricted), or `object_to`."""
    not_after: datetime
    run_limit: int
    rows: tuple[MeasureRow, ...] = ()
    """The holdings; none where it is about all that bears an identifier."""
    identifiers: tuple[IdentifierRow, ...] = ()
    purpose: str = ""
    """Of an objection: the use that ends."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleOrdered(Event):
    """List whom one system holds: all whom a breach there may be told to (GDPR Art. 34)."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    n: int
    attempt: int
    not_after: datetime
    run_limit: int
    kinds: tuple[str, ...] = ()
    """Of holdings, as the connector names them; none is all of them."""
    until: datetime | None = None
    """Who came to be held later is not affected. What does not tell when it was made is."""
    sealed: bytes = b""
    """Nothing but the proof of whose order it is: it names nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresObserved(Event):
    """No measure is taken, since the pipeline only observes: people have to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSettled(Event):
    """Every (holding, category) of the claim is proved, kept, dated or open; no attempt is left."""

    VERSION: ClassVar[int] = 2

    right: str
    outcome: str
    at: datetime
    found: tuple[FoundRow, ...] = ()
    coverage: tuple[CoverageRow, ...] = ()
    recipients: tuple[RecipientRow, ...] = ()
    together: tuple[str, ...] = ()
    """All rights that settle at once: they have one answer, which follows from the last of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationOpened(Event):
    """What remains to be done later, with all that is needed to do it sealed under its own key."""

    SEALS: ClassVar[type | None] = Sealed
    VERSION: ClassVar[int] = 2

    obligation: UUID
    system: str
    state: str
    """`kept` or `dated`."""
    rows: tuple[TaskRow, ...] = ()
    rule: str | None = None
    until: datetime | None = None
    look_at: datetime | None = None
    """When it is looked at again."""
    follow_up: UUID | None = None
    """Id of the case that will look, and owner of the key; None is the obligation's own id."""
    times: int = 0
    """How often it was looked at before and found undone."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationDue(Event):
    """What a case put off is looked at again now: in a case of its own, `follow_up`."""

    follow_up: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpOpened(Event):
    """A case that nobody asks for: it looks at what `parent` put off. The first of its events.

    It has the obligations' own key as its record key, and needs nothing else of its parent's.
    """

    parent: UUID
    request: UUID
    """The case that the person asked for, however often it was followed up since."""
    asked_at: datetime
    """When that request was received."""
    opened_at: datetime
    level: int
    method: str
    identifiers: tuple[UsedRow, ...] = ()
    """What was known to be the person's, and how, by the tags of this case."""
    said: tuple[bytes, ...] = ()
    """Holdings of which the DPO said that they are theirs."""
    obligations: tuple[DueRow, ...] = ()
    systems: tuple[str, ...] = ()
    """Where a backup was restored: it looks for all that is the person's there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationClosed(Event):
    """What `follow_up` looked at is done or renewed: said in its ledger and in its parent's.

    Or a person says what became of it, or nobody can look any more: `ClosedRow.how`.
    """

    follow_up: UUID
    at: datetime
    closed: tuple[ClosedRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOrdered(Event):
    """Assemble and sign what the subject receives."""

    SEALS: ClassVar[type | None] = SealedResponse
    VERSION: ClassVar[int] = 5

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
    withheld: tuple[WithheldRow, ...] = ()
    """What a host has copied, and of which it is not known by now whose it is."""
    identifiers: tuple[UsedRow, ...] = ()
    documents: tuple[FoundRow, ...] = ()
    """What customers uploaded, and we hold for them: neither copied nor erased for the person."""
    steps: tuple[StepRow, ...] = ()
    """How `due_at` was counted."""
    follows: UUID | None = None
    """The request that this follows up: nobody asked anew, and it is an answer to that one."""
    recipients: tuple[RecipientRow, ...] = ()
    retention: tuple[RetentionRow, ...] = ()
    """How long what was found may be kept; empty where nothing was searched."""
    purpose: str = ""
    """Of an objection: the use that it is to, as the policy names it."""
    weighed: str = ""
    """How a person decided one; empty while nobody has, or none was to be decided."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeOrdered(Event):
    """Tell somebody something, by mail. `to` is `subject`, `dpo` or `customer`."""

    SEALS: ClassVar[type | None] = SealedNotice
    VERSION: ClassVar[int] = 3

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
    identifier: bytes = b""
    """Tag of the address that it goes to; empty for the first that is proved."""
    fee: int = 0
    """In hundredths of `currency` (ISO 4217)."""
    currency: str = ""
    acted: tuple[str, ...] = ()
    """Systems that had done something already when the request was withdrawn."""
    told: tuple[str, ...] = ()
    """Systems that had been told to, and have not answered yet."""
    copied: tuple[str, ...] = ()
    """Systems of which something had been copied by then."""
    recipients: tuple[str, ...] = ()
    """Names of recipients who had been told of it by then."""
    rights: tuple[str, ...] = ()
    """What was withdrawn."""
    goes_on: tuple[str, ...] = ()
    """What else is asked for, and was not answered yet."""
    items: int = 0
    """How many things wait for a person."""
    untaken: int = 0
    """How many of them nobody has taken."""
    takers: tuple[str, ...] = ()
    """The consoles of those who have taken the others."""
    documents: str = ""
    """The policy's row about the documents that a customer is told of."""
    waits: tuple[WaitRow, ...] = ()
    """What the answer waits for."""
    follows: UUID | None = None
    """The request that it is about, where the case follows that one up, or has joined it."""
    asked_at: datetime | None = None
    """When that request came."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionOrdered(Event):
    """Tell a recipient, under our signature, what they are to do about the person, or to know."""

    SEALS: ClassVar[type | None] = SealedMeasure
    VERSION: ClassVar[int] = 2

    order: UUID
    n: int
    attempt: int
    recipient: str
    """As the policy names them; how to reach them is looked up when it is sent."""
    right: str
    asks: str
    """`copy`, `erase` (GDPR Art. 28(3)), or `inform` (Art. 19: they decide for themselves)."""
    not_after: datetime
    run_limit: int
    at: datetime
    """When it was ordered."""
    answer_by: datetime
    """When the recipient is reminded, or no longer waited for."""
    expires_at: datetime
    """Until when the link to acknowledge works."""
    reminder: int = 0
    """How often they were told before without a word from them."""
    copy_first: bool = False
    """Whether a copy was asked for as well, which comes before any erasing."""
    identifiers: tuple[IdentifierRow, ...] = ()
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReported(Event):
    """The DPO's completion report: `n` replaces `n - 1`. No personal data beyond the case id."""

    VERSION: ClassVar[int] = 4

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
    documents: tuple[FoundRow, ...] = ()
    """What customers uploaded, and we hold for them."""
    steps: tuple[StepRow, ...] = ()
    """How `due_at` was counted."""
    follows: UUID | None = None
    """The request that this case follows up."""
    recipients: tuple[RecipientRow, ...] = ()
    regarded: tuple[RegardedRow, ...] = ()
    """What was found that each settled claim is about: its `coverage` sums up to this. `found` is
    all that was found, whatever was asked for.
    """


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
class ConfirmationOverdue(Event):
    """The person did not confirm these addresses in time: they are not searched with."""

    tags: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOverdue(Event):
    """Nobody approved the plan in time: it is made and asked for anew."""

    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientOverdue(Event):
    """A recipient is to be told, or reminded, or was waited for in vain."""

    recipient: str
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineNear(Event):
    """The month is almost over and something is not settled: an interim answer is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleNeeded(Event):
    """Something of the case waits for a person: for the first time, or `again` as time runs out."""

    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderDue(Event):
    """The answer is due in so many days, and is not given: the DPO is told what it waits for."""

    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressDue(Event):
    """The answer takes longer, and the person was not written to for a while: they are told so."""


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
    VERSION: ClassVar[int] = 3

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
    """Whatever the holdings bear, a row for every spelling; their values are sealed."""
    asked: tuple[bytes, ...] = ()
    """Tags of the identifiers that this system could be asked by."""
    exports: tuple[ExportRow, ...] = ()
    calls: int = 0
    documents: tuple[DocumentRow, ...] = ()
    """Which of the holdings are customers' documents."""
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
    VERSION: ClassVar[int] = 3

    order: UUID
    system: str
    part: int
    parts: int
    digest: bytes
    done: tuple[DoneRow, ...] = ()
    looked: tuple[HoldingRow, ...] = ()
    gone: tuple[bytes, ...] = ()
    identifiers: tuple[IdentifierRow, ...] = ()
    """Whatever the holdings looked at bear."""
    looked_failed: str = ""
    """Why the look afterwards could not be made; nothing is proved then."""
    calls: int = 0
    documents: tuple[DocumentRow, ...] = ()
    """Which of the holdings looked at are customers' documents."""
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTaken(Event):
    """What became of a measure, row by row: each read anew after it was taken."""

    SEALS: ClassVar[type | None] = SealedTaken

    order: UUID
    system: str
    part: int
    parts: int
    digest: bytes
    done: tuple[DoneRow, ...] = ()
    """Of an objection: one for the whole system, without a tag."""
    calls: int = 0
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleListed(Event):
    """Whom one system holds, in parts of at most 500 rows. An answer counts when all parts came.

    What cannot be listed is answered by `listing_failed`: unknown, never nobody.
    """

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    part: int
    parts: int
    digest: bytes
    """HMAC under the grant over the whole answer, without evidence."""
    people: tuple[IdentifierRow, ...] = ()
    """Each e-mail address once; of who has none, whatever else the system knows them by. The values
    are sealed, in this order.
    """
    unreachable: int = 0
    """People held without an e-mail address: of the whole answer, and so the same in each part."""
    calls: int = 0
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingFailed(Event):
    """Whom the system holds could not be listed: unknown, never nobody."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    reason: str
    """A code; `not_offered` where the connector, or its vendor, has no means for it."""
    calls: int = 0
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDeclined(Event):
    """The system is not as the plan took it to be: nothing was done."""

    VERSION: ClassVar[int] = 2

    order: UUID
    system: str
    reason: str
    facts: tuple[FactRow, ...] = ()
    calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSigned(Event):
    """A package lies sealed in the object store."""

    VERSION: ClassVar[int] = 2

    order: UUID
    system: str
    n: int
    name: str
    """Of the object."""
    digest: bytes
    """SHA-256 over the package as the subject opens it."""
    size: int
    records: int
    left_out: tuple[str, ...] = ()
    """Systems whose copy is not in it, although they listed one: it was not as it was listed."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionSent(Event):
    """The instruction was handed over."""

    SEALS: ClassVar[type | None] = Sealed

    order: UUID
    system: str
    at: datetime
    digest: bytes
    """HMAC under the order's grant over what was signed: a plain hash would tell who guesses right
    whom it is about, since little else of it is unknown.
    """
    sealed: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionFailed(Event):
    """The instruction cannot be sent. `reason` is a code."""

    order: UUID
    system: str
    reason: str


# Beside the route. A record of the ledger has what one batch decided of a case.


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAppended(Event):
    """What one decision added to a case's ledger, for recovery. It outlives the case's keys.

    So what is said of a case lies sealed under its record key; what is clear orders and counts it.
    """

    SEALS: ClassVar[type | None] = SealedEntries
    VERSION: ClassVar[int] = 2

    entries: tuple[LedgerEntry, ...] = ()
    """What is read without a key: that a key was destroyed; in version 1, everything."""
    rows: tuple[EntryRow, ...] = ()
    """What is sealed."""
    sealed: bytes = b""
    """Empty if nobody had the case's record key any more: then nobody reads what `rows` say."""


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
