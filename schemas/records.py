"""The records that events are made of, and what lies sealed inside them.

Tags are 16 bytes: a keyed hash of an identifier or a holding, equal throughout a case. Moments are
aware datetimes, in UTC. Systems, kinds and categories are named as the connectors name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierRow:
    """An identifier of the person, without its value."""

    tag: bytes
    """The same for every spelling that means the same."""
    kind: str
    strong: bool = True
    level: int | None = None
    """How surely the intake vouches for this very identifier, where that was said."""
    spelling: bytes = b""
    """A tag of how it is written; empty if it was asked for in every form that this has."""
    use: str = "ask"
    """In an order: `ask` for it, or only know that what `bears` it is theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BorneRow:
    """What a record bears about who it is of: which identifier, in which of the vendor's fields."""

    tag: bytes
    kind: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingRow:
    """A holding, without its id. `categories` are those that have content."""

    tag: bytes
    kind: str
    categories: tuple[str, ...] = ()
    exported: bool = False
    bears: tuple[BorneRow, ...] = ()
    part_of: bytes = b""
    """Tag of the holding that owns it; empty if it stands for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A holding to act on: erase these categories, keep those."""

    tag: bytes
    kind: str
    erase: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRow:
    """A holding that a measure is for, with the categories that it is about."""

    tag: bytes
    kind: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """A fact that a system told. `value` is `true`, `false` or an ISO date.

    A date that there is none of is told as `false`: nobody was ever in contact.
    """

    name: str
    value: str
    read: str = ""
    """The vendor's field that it was read from: `subscription.ended_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRow:
    """How long something is kept, reckoned: `years` from the day it `began`. Days are ISO dates."""

    anchor: str
    """What the policy lets it run from: `relationship_end`, `last_contact`, `tax_year_end`."""
    fact: str
    told: str
    """The fact's own date; the period may begin later, with the end of that year."""
    system: str
    read: str
    began: str
    years: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """Where customers' documents lie, in an order: what their holdings' ids begin with."""

    id: str
    """Of the policy's row."""
    begins: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """A holding that is a customer's document. `of` is the policy's row that says so."""

    tag: bytes
    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """What became of a (holding, category). A `kind` the reader does not know is `failed`."""

    kind: str
    rule: str | None = None
    until: datetime | None = None
    reason: str | None = None
    period: PeriodRow | None = None
    """Of what is kept until a date: how that is reckoned."""
    restricted: str = ""
    """Of what is kept: `restricted` if it is marked so that nobody uses it, or why not: a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneRow:
    """What `erase` said of one category of one holding."""

    tag: bytes
    category: str
    outcome: OutcomeRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """One sealed object with exported records. `digest` is SHA-256 over the object's bytes."""

    system: str
    name: str
    digest: bytes
    records: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRow:
    """How many holdings of a kind carried a category when they were located."""

    system: str
    kind: str
    category: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegardedRow:
    """How many holdings of a kind carried a category that one claim is about."""

    right: str
    system: str
    kind: str
    category: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRow:
    """How long so many (holding, category) may be kept, whatever is asked for.

    `action` is `keep`, `erase` (no rule keeps it) or `undecided`, as a plan says it.
    """

    system: str
    kind: str
    category: str
    action: str
    rule: str
    count: int
    until: datetime | None = None
    reason: str | None = None
    """Of what is kept without a date: why, as a code."""
    period: PeriodRow | None = None
    needs: tuple[str, ...] = ()
    """Facts without which it is undecided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRow:
    """How many (holding, category) of a kind ended so. `state` is proved, kept, dated or open."""

    system: str
    kind: str
    category: str
    state: str
    outcome: OutcomeRow
    count: int
    right: str = ""
    """The claim that this answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRow:
    """One system's part in a case. `searched` is `found`, `nothing`, or why it is unknown."""

    system: str
    searched: str
    rounds: int = 0
    found: int = 0
    calls: int = 0
    beyond: tuple[str, ...] = ()
    """What a search there can never find, by the connector's codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """How many (holding, category) a plan treats so. `action` is erase, keep or undecided."""

    system: str
    kind: str
    category: str
    action: str
    rule: str
    count: int
    until: datetime | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """A claim as a report or a response shows it."""

    right: str
    state: str
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationRow:
    """Something that remains to be done later. `until` is None while its period has not begun."""

    obligation: UUID
    system: str
    state: str
    count: int
    rule: str | None = None
    until: datetime | None = None
    look_at: datetime | None = None
    """When it is looked at again, by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRow:
    """An obligation that is looked at again: its rows, by the tags of the case that looks."""

    obligation: UUID
    system: str
    state: str
    """`kept` or `dated`."""
    rows: tuple[TaskRow, ...] = ()
    rule: str | None = None
    until: datetime | None = None
    times: int = 0
    """How often it was looked at before and found undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedRow:
    """An obligation that was looked at, and how that ended."""

    obligation: UUID
    how: str
    """`done` (it is gone, and proved so), `by hand` (a person says what became of it), `renewed`
    (by a new one, for a later date), or `unreadable` (its key is gone: nobody knows any more what
    it is about).
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedRow:
    """What became of an identifier, for the person to read. `how` says how it was confirmed."""

    tag: bytes
    kind: str
    how: str
    """`vouched`, `link`, `policy` or `dpo` where it was used; else `unconfirmed`, `unproved`,
    `waiting`, `found` (beside another one, and not used), `shared` (a phone) or `another`.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class WithheldRow:
    """A holding in a system's exports that a response leaves out."""

    system: str
    tag: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """A person's decision about an identifier or a holding: `same`, `other` or `ask`."""

    tag: bytes
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRow:
    """A response as a report shows it. `digest` is SHA-256 over the opened package."""

    n: int
    kind: str
    claims: tuple[str, ...]
    digest: bytes = b""
    notified: str = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A step by which a date was counted: from the end of one day to the end of another.

    `rule` is a code of `pipeline/case/deadline.py`.
    """

    rule: str
    article: str
    since: datetime
    until: datetime
    days: int = 0
    """How many days it added, where it adds days."""
    why: str = ""
    """What the person was asked for, where the time stood still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRow:
    """What an answer waits for: `identity`, `whose`, `approval`, `search`, `task`, `pause`..."""

    what: str
    system: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRow:
    """What a recipient without a connector was told for one right, and what they said."""

    recipient: str
    name: str
    right: str
    asks: str
    """`copy`, `erase`, `inform`, or empty where nothing is asked of them."""
    state: str
    """`ordered`, `asked`, `acknowledged`, `unanswered`, `failed`, or `not_told`."""
    asked_at: datetime | None = None
    """When they were first told."""
    reminders: int = 0
    until: datetime | None = None
    """When they are reminded, or no longer waited for."""
    acknowledged_at: datetime | None = None
    says: str = ""
    """`received`, `done` or `nothing`."""
    reason: str = ""
    """Why they were not told, as a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One event of a case's ledger, without the frame it travelled in."""

    number: int
    id: UUID
    type: str
    version: int
    body: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """An event of a case's ledger, without what it says and when."""

    number: int
    id: UUID
    type: str
    version: int


# What lies sealed. Every sealed field of an event is one of these, under a schema of its own.


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedIdentifier:
    """An identifier with its value."""

    tag: bytes
    kind: str
    value: str

    def __repr__(self) -> str:
        return f"<SealedIdentifier {self.kind}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedHolding:
    """A holding with its id, as the connector handles it."""

    tag: bytes
    kind: str
    id: str

    def __repr__(self) -> str:
        return f"<SealedHolding {self.kind}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One call to a vendor: what was asked, how it ended, the vendor's own request id."""

    operation: str
    status: int
    request: str = ""


REPLACE, COMPLETE = "replace", "complete"
"""What a change does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedChange:
    """What is to be corrected: from what to what. `datum` is a name of `connectors/sdk`'s."""

    datum: str
    to: str
    was: str = ""
    """What it is to replace; empty: whatever stands there."""
    how: str = REPLACE
    """`replace` what is wrong, or `complete`: fill in what is missing, and overwrite nothing."""

    def __repr__(self) -> str:
        return f"<SealedChange {self.datum}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The sealed part of `request_received`: who asks, as the intake knows them."""

    name: str = ""
    language: str = "en"
    identifiers: tuple[SealedIdentifier, ...] = ()
    """Here `tag` is empty: intakes have no key to make one."""
    levels: tuple[int, ...] = ()
    """How surely the intake vouches for each identifier, in their order. Without it, the request's
    level is the first e-mail's, and nothing is vouched for the others.
    """
    changes: tuple[SealedChange, ...] = ()
    """Of a rectification: what is wrong, and what is right."""
    evidence: str = ""
    """What shows it, as they say."""

    def __repr__(self) -> str:
        return f"<Person {len(self.identifiers)} identifiers>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """The sealed part of `preference_received`: who said it, and what shows that they did.

    The fields are those of ISO/IEC TS 27560 for a record of consent, in brackets.
    """

    kind: str
    """Of the identifier (`pii_principal_id`): `email`, `phone` or `user_id`."""
    value: str
    language: str = "en"
    country: str = ""
    """Where they are, by ISO 3166-1: which law says whether mail needs their consent."""
    wording: str = ""
    """What they read when they said it."""
    notice: str = ""
    """The privacy notice that they were given, with its version (`privacy_notice`)."""
    method: str = ""
    """How it was said, such as `web_form`, `double_opt_in`, `phone` (`collection_method`)."""
    place: str = ""
    """Where: a page, a shop, an event."""
    withdrawal: str = ""
    """How they were told that it can be withdrawn (`withdrawal_method`)."""
    third_parties: tuple[str, ...] = ()
    """Whose marketing it is about, by name (`recipient_third_parties`)."""
    evidence: str = ""
    """What else shows it: a reference, the id of the mail that was confirmed."""

    def __repr__(self) -> str:
        return f"<Preference {self.kind}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The sealed part of a decision: who took it, and why."""

    login: str
    says: str = ""
    """The reasons, in their own words. Of a refusal or a fee the person reads them."""
    evidence: str = ""
    """What shows it: a reference, or what was seen."""

    def __repr__(self) -> str:
        return "<Actor>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedIncident(Actor):
    """The sealed part of what is said of a breach: `says` is what happened, in plain words."""

    consequences: str = ""
    """What it is likely to lead to (GDPR Art. 33(3)(c))."""
    measures: str = ""
    """What was done, or is to be, against it and its effects (Art. 33(3)(d))."""

    def __repr__(self) -> str:
        return "<SealedIncident>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAffected(Actor):
    """The sealed part of a portion of a list: whom a breach affects."""

    identifiers: tuple[SealedIdentifier, ...] = ()

    def __repr__(self) -> str:
        return "<SealedAffected>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The sealed part of every event that the pipeline itself writes."""

    name: str = ""
    language: str = "en"
    identifiers: tuple[SealedIdentifier, ...] = ()
    holdings: tuple[SealedHolding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    token: str = ""
    cursor: str = ""

    def __repr__(self) -> str:
        return f"<Sealed {len(self.identifiers)} identifiers, {len(self.holdings)} holdings>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRequest(Sealed):
    """The sealed part of `case_opened`: who asks, and what they say is wrong."""

    changes: tuple[SealedChange, ...] = ()
    says: str = ""
    """What shows it, as they say."""
    purpose: str = ""
    """The use that they object to, as they call it, where the policy names none so."""

    def __repr__(self) -> str:
        return f"<SealedRequest {len(self.identifiers)} identifiers>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedMeasure(Sealed):
    """The sealed part of the order of a measure, here or at a recipient: whom it is about, and of a
    correction what is right.
    """

    changes: tuple[SealedChange, ...] = ()

    def __repr__(self) -> str:
        return "<SealedMeasure>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBefore:
    """What stood in a holding where something was corrected."""

    tag: bytes
    datum: str
    value: str

    def __repr__(self) -> str:
        return f"<SealedBefore {self.datum}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTaken(Sealed):
    """The sealed part of the answer to a measure: what it has overwritten."""

    before: tuple[SealedBefore, ...] = ()

    def __repr__(self) -> str:
        return "<SealedTaken>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedNotice(Sealed):
    """The sealed part of a notice: whom it goes to, and what a person wrote for them to read."""

    says: str = ""

    def __repr__(self) -> str:
        return "<SealedNotice>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedResponse(Sealed):
    """The sealed part of the order of a response: whom it is for, and by what it was decided."""

    policy_files: tuple[str, ...] = ()
    """The texts of the case's policy, where it is not the one in force: its host may lack it."""

    def __repr__(self) -> str:
        return "<SealedResponse>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBody:
    """What an event of a ledger says, and when it was said."""

    body: bytes
    at: datetime

    def __repr__(self) -> str:
        return f"<SealedBody {len(self.body)} bytes>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntries:
    """The sealed part of a record of the ledger: one body for each of its rows, in their order."""

    bodies: tuple[SealedBody, ...] = ()

    def __repr__(self) -> str:
        return f"<SealedEntries {len(self.bodies)}>"
