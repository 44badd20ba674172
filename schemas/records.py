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
    kind: str
    strong: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingRow:
    """A holding, without its id. `categories` are those that have content."""

    tag: bytes
    kind: str
    categories: tuple[str, ...] = ()
    exported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A holding to act on: erase these categories, keep those."""

    tag: bytes
    kind: str
    erase: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """A fact that a system told. `value` is `true`, `false` or an ISO date."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """What became of a (holding, category). A `kind` the reader does not know is `failed`."""

    kind: str
    rule: str | None = None
    until: datetime | None = None
    reason: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRow:
    """A response as a report shows it. `digest` is SHA-256 over the opened package."""

    n: int
    kind: str
    claims: tuple[str, ...]
    digest: bytes = b""
    notified: str = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One event of a case's ledger, without the frame it travelled in."""

    number: int
    id: UUID
    type: str
    version: int
    body: bytes
    at: datetime


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The sealed part of `request_received`: who asks, as the intake knows them."""

    name: str = ""
    language: str = "en"
    identifiers: tuple[SealedIdentifier, ...] = ()
    """Here `tag` is empty: intakes have no key to make one."""

    def __repr__(self) -> str:
        return f"<Person {len(self.identifiers)} identifiers>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The sealed part of a decision: who took it."""

    login: str

    def __repr__(self) -> str:
        return "<Actor>"


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
