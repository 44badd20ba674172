"""What a connector promises, and the words it has for what happened.

A connector does three things for one person: `locate` what a system holds, `export` it, `erase`
it. It knows nothing of Kafka, cases, retries or the law: the pipeline decides what to ask for,
retries, records, and proves by looking again.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Self


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A published rate limit: at most `calls` in any window of length `per`."""

    calls: int
    per: timedelta


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
    settles_within: timedelta = timedelta(0)
    """How long after `erase` the vendor's reads may still show the data."""
    facts: frozenset[str] = frozenset()
    """The facts that `locate` tells, such as `customer`. Told or unknown, never guessed."""
    credentials: Credentials = Credentials()
    """A live one beside a sandbox's address, or the reverse, refuses to start."""
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


def lower(email: str) -> str:
    """An e-mail address in lower case, as far as ASCII goes.

    Beyond it lower case is not the same for all, and makes one address of two: the Kelvin sign
    becomes a k, and somebody else's mailbox.
    """
    return email.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Subject:
    """A person, by the identifiers that systems know them by."""

    identifiers: tuple[Identifier, ...]

    def of(self, kind: str) -> tuple[str, ...]:
        """The values of every identifier of `kind`, in the order given."""
        return tuple(it.value for it in self.identifiers if it.kind == kind)

    def __repr__(self) -> str:
        return f"<Subject {len(self.identifiers)} identifiers>"


@dataclass(frozen=True, slots=True)
class Holding:
    """One thing a system holds about the subject: a contact, a ticket, an object version."""

    kind: str
    id: str
    """The connector's own handle, enough to read the thing again. `repr` leaves it out."""
    categories: frozenset[Category] = field(default=frozenset(), compare=False)
    """The categories that have content now. A holding is the same whatever they are."""

    def __repr__(self) -> str:
        return f"<Holding {self.kind} {'+'.join(sorted(self.categories))}>"


@dataclass(frozen=True, slots=True)
class Record:
    """One exported document of a holding."""

    holding: Holding
    body: bytes
    content_type: str = "application/json"

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
    """A date or a yes/no that a plan needs: `customer`, `customer_since`.

    Where it is told more than once, a yes counts, and the later of two dates; of a name that ends
    with `_since`, the earlier.
    """

    name: str
    value: bool | date


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of what `locate` found. Holdings may come in any order and in any number of pages."""

    holdings: tuple[Holding, ...] = ()
    gone: tuple[Holding, ...] = ()
    """Of the `known` holdings, those that the vendor no longer has (404, not 401 or 403)."""
    facts: tuple[Fact, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    """Further identifiers of the same person. Strong ones are searched with in the next round."""
    records: tuple[Record, ...] = ()
    """For holdings whose list row is already the whole record; `export` is called for the rest."""


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
class Suppressed:
    """No longer used for the purpose objected to."""


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


Proved = Exported | Erased | Redacted | Anonymised | Rectified | Restricted | Suppressed
Dated = Expires | Blocked
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


class Connector(ABC):
    """One system that holds personal data.

    Raise only `RetryableError` and `TerminalError`. Every method may be called twice with the
    same arguments and must then say the same thing.
    """

    capabilities: ClassVar[Capabilities]

    @abstractmethod
    async def check(self) -> None:
        """Make the cheapest calls that prove reach and permission to read every kind.

        An empty `locate` counts only if this passed just before.
        """

    @abstractmethod
    def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """Everything the system holds about `subject`, page by page; no holdings when nothing.

        Each of `known` is read by its own id, never through a search or a parent, and comes back
        in a page's `holdings` (with the categories that still have content) or in its `gone`.
        """

    @abstractmethod
    def export(self, holding: Holding) -> AsyncIterator[Record]:
        """The holding's contents, record by record; nothing if it is gone."""

    @abstractmethod
    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """Erase the holding but for the categories in `keep`, or say why it stays.

        One outcome speaks for every category not kept; a mapping names them one by one.
        """

    async def __aenter__(self) -> Self:
        return self

    @abstractmethod
    async def __aexit__(self, *_: object) -> None:
        """Release sessions and sockets."""
