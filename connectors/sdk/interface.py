"""What a connector promises, and the words it has for what happened.

A connector does three things for one person: `locate` what a system holds, `export` it, `erase`
it. Where its vendor has the means, it also corrects (`rectify`), marks as not to be used
(`restrict`) and stops a use (`object_to`), and after a breach it tells whom it holds (`people`). It
knows nothing of Kafka, cases, retries or the law: the pipeline decides what to ask for, retries,
records, and proves by looking again.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from . import spelling
from .spelling import lower as lower  # noqa: PLC0414  connectors compare with it

if TYPE_CHECKING:
    from .fields import Fields


class Category(StrEnum):
    """The seven categories of personal data, as the privacy policy (section 1) names them."""

    IDENTITY = "identity"
    CONTACT = "contact"
    TRANSACTION = "transaction"
    TECHNICAL = "technical"
    PROFILE = "profile"
    USAGE = "usage"
    MARKETING = "marketing"


class Right(StrEnum):
    """A right that can be asked for, by its name in the GDPR (chapter III)."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    PORTABILITY = "portability"
    OBJECTION = "objection"
    AUTOMATED_DECISION = "automated_decision"


class Datum(StrEnum):
    """What of a person can be corrected in every system that has it, whatever it calls the field.

    The values of those that no vendor has as such (a whole name) are text as people write it.
    """

    NAME = "name"
    GIVEN_NAME = "given_name"
    FAMILY_NAME = "family_name"
    TITLE = "title"
    DATE_OF_BIRTH = "date_of_birth"
    EMAIL = "email"
    PHONE = "phone"
    MOBILE = "mobile"
    JOB_TITLE = "job_title"
    STREET = "street"
    CITY = "city"
    REGION = "region"
    POSTAL_CODE = "postal_code"
    COUNTRY = "country"
    STATEMENT = "statement"
    """What the person wants to stand beside it (GDPR Art. 16): the text that a record has room for.
    It is written by `rectify` as all else; that no text is overwritten the pipeline sees to.
    """

    @property
    def category(self) -> Category:
        """Identity, Contact or Profile, as section 1 of the privacy policy sorts them."""
        if self is Datum.STATEMENT:
            return Category.PROFILE
        return Category.IDENTITY if self in _WHO else Category.CONTACT


_WHO = frozenset(
    {Datum.NAME, Datum.GIVEN_NAME, Datum.FAMILY_NAME, Datum.TITLE, Datum.DATE_OF_BIRTH}
)
MARKETING = "marketing"
"""The purpose that `object_to` stops: direct marketing, and the profiling for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A published rate limit: at most `calls` in any window of length `per`."""

    calls: int
    per: timedelta
    route: str = ""
    """Of calls by this method and template alone, `GET /contacts`; `*`: of each by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How credentials begin, where that tells what they open: Stripe has `sk_live_`, `sk_test_`."""

    live: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the planner may ask of this connector."""

    system: str
    """Lower-case name, the same as the entry point's and the topic's (`work.<system>`)."""
    rights: frozenset[Right]
    kinds: Mapping[str, frozenset[Category]]
    """Each kind of holding and the categories it may carry, in the order they are erased."""
    limits: tuple[Limit, ...] = ()
    """As the vendor publishes them. Where `Settings` has a field `limits: tuple[str, ...] = ()`,
    an account's own are read from it: `700/60s`, `20/60s GET /contacts`.
    """
    settles_within: timedelta = timedelta(0)
    """How long after `erase` the vendor's reads may still show the data."""
    asked_by: frozenset[str] = frozenset({"email"})
    """The kinds of identifiers that it can be asked by. See `Connector.usable`."""
    beyond: Mapping[str, str] = field(default_factory=dict)
    """What a search can never find, by code, as a sentence for the person: an archive, a region."""
    facts: frozenset[str] = frozenset()
    """The facts that `locate` tells, such as `customer`. Told or unknown, never guessed."""
    lists_people: bool = False
    """Whether `people` can tell of everybody whom the system holds."""
    credentials: Credentials = Credentials()
    """A live one beside a sandbox's address, or the reverse, refuses to start."""
    fields: Mapping[str, Fields] = field(default_factory=dict)
    """Of a kind: which field is of which category. What has no table here is one whole."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """The catalogue: every code used in an outcome's `reason` or `instruction`, and its meaning."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a system knows a person by."""

    kind: str
    """`email`, `phone`, `user_id`, or `<system>.<object>` for a vendor's own id."""
    value: str
    strong: bool = True
    """False if it is only for the DPO to see: never searched with by itself (phones, names)."""

    def __repr__(self) -> str:
        return f"<Identifier {self.kind}>"


@dataclass(frozen=True, slots=True)
class Subject:
    """A person, by the identifiers that systems know them by."""

    identifiers: tuple[Identifier, ...]

    def of(self, kind: str) -> tuple[str, ...]:
        """The values of every identifier of `kind`, in the order given."""
        return tuple(it.value for it in self.identifiers if it.kind == kind)

    def forms(self, kind: str) -> tuple[str, ...]:
        """Every form to ask with for the strong identifiers of `kind`: lower case, IDNA, NFD."""
        found = (
            form
            for it in self.identifiers
            if it.kind == kind and it.strong
            for form in spelling.forms(kind, it.value)
            if form
        )
        return tuple(dict.fromkeys(found))

    def bears(self, kind: str, value: object) -> bool:
        """Whether a value in a record is a strong identifier of the subject, however spelt."""
        if not isinstance(value, str) or not value:
            return False
        known = (it.value for it in self.identifiers if it.kind == kind and it.strong)
        meant = spelling.normal(kind, value)
        return bool(meant) and meant in {spelling.normal(kind, it) for it in known}

    def __repr__(self) -> str:
        return f"<Subject {len(self.identifiers)} identifiers>"


@dataclass(frozen=True, slots=True)
class Borne:
    """What a record itself says about who it is of: one field's value.

    `kind` is `email`, `phone`, `user_id` or `name` (a whole name, or a given one).
    """

    field: str
    """The vendor's name of it, `metadata.user_id`: policy may trust a field, never a value."""
    kind: str
    value: str

    def __repr__(self) -> str:
        return f"<Borne {self.field}>"


@dataclass(frozen=True, slots=True)
class Holding:
    """One thing a system holds about the subject: a contact, a ticket, an object version.

    Whose it is the pipeline decides, from what it bears or hangs on. One that tells neither is
    left to a person. Holdings are equal by kind and id.
    """

    kind: str
    id: str
    """The connector's own handle, enough to read the thing again. `repr` leaves it out."""
    categories: frozenset[Category] = field(default=frozenset(), compare=False)
    """The categories that have content now."""
    bears: tuple[Borne, ...] = field(default=(), compare=False)
    """Everything the record itself says about who it is of, whether it was asked for or not."""
    part_of: Holding | None = field(default=None, compare=False)
    """The holding that owns it by the vendor's own reference: a charge's customer, a ticket's
    requester, a comment's case. Named also if it was not found, or is somebody else's.
    """

    def __repr__(self) -> str:
        return f"<Holding {self.kind} {'+'.join(sorted(self.categories))}>"


@dataclass(frozen=True, slots=True)
class Record:
    """One exported document of a holding: its data, or a file that belongs to it.

    A large file comes in pieces: several records of one name, one after the other.
    """

    holding: Holding
    body: bytes
    content_type: str = "application/json"
    name: str = ""
    """What the vendor calls the file (`invoice.pdf`), as it says it; empty for data."""
    more: bool = False
    """Whether the file goes on in the next record."""
    missing: str = ""
    """Why the file could not be fetched, a catalogue code: then it is named, and not copied."""

    @classmethod
    def of(cls, holding: Holding, value: Any) -> Self:
        """A record of a JSON value, in letters that people read wherever UTF-8 has them."""
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
        try:
            return cls(holding, text.encode())
        except UnicodeEncodeError:  # half a surrogate pair, which JSON allows
            return cls(holding, json.dumps(value, sort_keys=True).encode())

    def __repr__(self) -> str:
        return f"<Record {self.holding.kind} {len(self.body)} bytes>"


@dataclass(frozen=True, slots=True)
class Fact:
    """A date or a yes/no that a plan needs: `customer`, `last_contact`.

    Where it is told more than once, a yes counts, and the later of two dates; of a name that ends
    with `_since`, the earlier. A date that there surely is none of is told as no: `last_charge`
    of somebody who never paid.
    """

    name: str
    value: bool | date
    read: str = ""
    """The vendor's field that it was read from: `subscription.ended_at`. Of a date, always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of what `locate` found. Holdings may come in any order and in any number of pages."""

    holdings: tuple[Holding, ...] = ()
    gone: tuple[Holding, ...] = ()
    """Of the `known` holdings, those that the vendor no longer has (404, not 401 or 403)."""
    facts: tuple[Fact, ...] = ()
    records: tuple[Record, ...] = ()
    """For holdings whose list row is already the whole record; `export` is called for the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a holding stands at the vendor now: read by its own id, never remembered."""

    restricted: bool | None = False
    """Whether it bears the mark that `restrict` sets, itself or through what it is part of.

    None if the mark may be somebody else's: then neither is known, and nothing proved.
    """
    data: Mapping[Datum, str] = field(default_factory=dict)
    """What it says of the person, for every datum that it has a field for; blank ones are empty."""

    def __repr__(self) -> str:
        return f"<Standing restricted={self.restricted} {'+'.join(sorted(self.data))}>"


# What became of one category of one holding. Proved: the pipeline looked again and it is so.


@dataclass(frozen=True, slots=True)
class Exported:
    """Handed out, whole."""


@dataclass(frozen=True, slots=True)
class Erased:
    """The vendor took the erasure. Also said of what was gone already."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """The record stays, its personal fields are blank."""


@dataclass(frozen=True, slots=True)
class Anonymised:
    """The record stays and names nobody any more."""


@dataclass(frozen=True, slots=True)
class Rectified:
    """Corrected as asked."""


@dataclass(frozen=True, slots=True)
class Restricted:
    """Kept, and marked so that it is not used."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """Restricted no longer: the mark is off again."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """No longer used for the purpose objected to."""


@dataclass(frozen=True, slots=True)
class Unaffected:
    """Read, and nothing of what is to be changed is there. `reason` may say why, as a code."""

    reason: str | None = None


# Kept: only a plan says so.


@dataclass(frozen=True, slots=True)
class Retained:
    """Kept on purpose, under a policy rule; `until` is None while the period has not begun."""

    rule: str
    until: datetime | None = None


# Dated: it goes, or can go, at a known time.


@dataclass(frozen=True, slots=True)
class Expires:
    """The vendor purges it on its own clock, at `at` at the latest (a recycle bin)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Blocked:
    """The vendor refuses until `until` (a lock, a waiting period). `reason` is a catalogue code."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The vendor does it by a job: reads may go on showing the data until `by`."""

    by: datetime


# Open: not done, or not known to be done.


@dataclass(frozen=True, slots=True)
class Accepted:
    """The vendor took it, and has no way to read back whether it was done."""

    at: datetime


@dataclass(frozen=True, slots=True)
class NeedsHuman:
    """The API cannot do it; `instruction`, a catalogue code, tells a person how."""

    instruction: str


@dataclass(frozen=True, slots=True)
class NotSupported:
    """The vendor offers no way at all. `reason` is a catalogue code."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Tried and not done. `reason` is a catalogue code, never the vendor's text."""

    reason: str


NOT_OFFERED = "not_offered"
"""The catalogue code of what a connector, or its vendor, has no means for."""

Proved = (
    Exported
    | Erased
    | Redacted
    | Anonymised
    | Rectified
    | Restricted
    | Lifted
    | Suppressed
    | Unaffected
)
Dated = Expires | Blocked | Queued
Open = Accepted | NeedsHuman | NotSupported | Failed
Outcome = Proved | Retained | Dated | Open


class ConnectorError(Exception):
    """A connector could not do what it was asked. The message names the operation, no person."""


class RetryableError(ConnectorError):
    """The vendor may answer later: a limit, a time-out, a 5xx, an unreadable body."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TerminalError(ConnectorError):
    """Asking again will not help: refused credentials, a refused request.

    `reason` is a code that may be shown to anybody: `unauthorised`, `forbidden`, `refused`.
    """

    def __init__(self, message: str, *, reason: str = "refused") -> None:
        super().__init__(message)
        self.reason = reason


class NotFoundError(TerminalError):
    """A 404 where an answer is due: a list, a parent. By itself it proves no absence."""


class Connector(ABC):
    """One system that holds personal data. One instance serves many people at once.

    Raise only `RetryableError` and `TerminalError`. Every method may be called twice with the
    same arguments and must then say the same thing.
    """

    capabilities: Capabilities
    """Of the class; a connector that was set up for an account may have that account's limits."""

    @abstractmethod
    async def check(self) -> None:
        """Make the cheapest calls that prove reach and permission to read every kind.

        An empty `locate` counts only if this passed just before.
        """

    @abstractmethod
    def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """Everything the system holds about `subject`, page by page; no holdings when nothing.

        Each of `known` is read by its own id, never through a search or a parent, and comes back
        in a page's `holdings` (with the categories that still have content, which may be none) or
        in its `gone`: after a 404 of its own, or a list that was read and does not have it.
        """

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        """The subject's identifiers that `locate` can ask this system by, as it is set up.

        If there is none, it was not searched: that is not the same as nothing.
        """
        kinds = self.capabilities.asked_by
        asked = (it for it in subject.identifiers if it.strong and it.kind in kinds)
        return tuple(it for it in asked if spelling.normal(it.kind, it.value))

    @abstractmethod
    def export(self, holding: Holding) -> AsyncIterator[Record]:
        """The holding's contents, record by record; nothing if it is gone."""

    @abstractmethod
    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """Erase the holding but for the categories in `keep`, or say why it stays.

        Where `keep` covers everything that it has, nothing is changed, and nothing said of any.
        One outcome speaks for every category not kept; a mapping names them one by one.
        """

    # Each of the following is for those whose `capabilities.rights` name its right.

    async def standing(self, holding: Holding) -> Standing | None:
        """How a holding stands now, by a fresh read of its own; None if it is gone (a 404).

        What `restrict` and `rectify` did is proved by this alone.
        """
        raise TerminalError(f"cannot read how a {holding.kind} stands", reason=NOT_OFFERED)

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        """Mark a holding as not to be used, or with `lift` take that mark off again: `Restricted`.

        Nothing else of it changes, and lifting gives back what was there before.
        """
        del holding, lift
        return NotSupported(NOT_OFFERED)

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        """Write these values, each of a datum that `standing` shows: `Rectified`.

        One outcome speaks for all of them; a mapping names them one by one.
        """
        del holding, data
        return NotSupported(NOT_OFFERED)

    def refiled(self, holding: Holding, data: Mapping[Datum, str]) -> Holding:
        """How a holding is read once `rectify` has written these values. Makes no call.

        Another handle only where one of them is part of its id: an address that it lies under.
        """
        del data
        return holding

    async def object_to(self, subject: Subject, purpose: str) -> Outcome:
        """Stop a use of everything that is the subject's, known by their identifiers: `Suppressed`.

        The only purpose is `MARKETING`. What people need (receipts, answers) goes on. It works for
        an address that the system has never seen as well, where the vendor can note that.
        """
        del subject, purpose
        return NotSupported(NOT_OFFERED)

    async def objected(self, subject: Subject, purpose: str) -> bool:
        """Whether the vendor, read anew, uses nothing of the subject's for the purpose."""
        del subject
        raise TerminalError(f"cannot read an objection to {purpose}", reason=NOT_OFFERED)

    # For those whose `capabilities.lists_people` say so: no right, but the duty after a breach.

    def people(
        self, kinds: frozenset[str] = frozenset(), until: datetime | None = None
    ) -> AsyncIterator[Sequence[Subject]]:
        """Everybody of whom the system holds something in one of `kinds`; none named is any.

        Page by page; somebody may come more than once. It is for notices of a breach (GDPR Art.
        34), and what is not known counts as affected: what was surely made after `until` does not
        count, what does not tell when it was made does, and so does what lies in a trash. Each is
        told by all that a record bears, or that what it is part of does; who has no e-mail address
        by the vendor's own id as well. `sdk.people` does so. An empty answer counts only if `check`
        passed just before.
        """
        del kinds, until
        raise TerminalError("cannot list whom it holds", reason=NOT_OFFERED)

    async def __aenter__(self) -> Self:
        return self

    @abstractmethod
    async def __aexit__(self, *_: object) -> None:
        """Release sessions and sockets."""
