"""What an incident is: a breach of personal data, whom it affects, and what they were told.

A case that nobody asks for, with a ledger and a key of its own. The affected are kept in portions,
so that one more answer copies one portion and not all of them. Values only; `breach.py` folds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from schemas.events import NoticeOrdered
from schemas.records import StepRow

from .deadline import BREACH, within_hours

CONFIDENTIALITY, INTEGRITY, AVAILABILITY = "confidentiality", "integrity", "availability"
WHAT = (CONFIDENTIALITY, INTEGRITY, AVAILABILITY)
"""What people call a breach: disclosed, changed, or lost (EDPB Guidelines 9/2022)."""
GROUNDS: Mapping[str, str] = {
    "no_high_risk": "GDPR Art. 34(1)",
    "protected": "GDPR Art. 34(3)(a)",
    "averted": "GDPR Art. 34(3)(b)",
    "disproportionate": "GDPR Art. 34(3)(c)",
}
"""Why the affected need not be told, each with what it rests on."""
NOTIFIED, NO_RISK = "notified", "no_risk"
REMINDERS = (24, 48, 60, BREACH)
"""Hours after which the DPO is told what is still to be decided; at the last, it is late."""
NOTICE = "breach"
"""The kind of notice that the affected have."""
WAITING, ORDERED, PUT_OFF, TOLD, FAILED = "waiting", "ordered", "put_off", "told", "failed"
"""What becomes of the notice to one address."""
TRIES, LONGEST = 16, timedelta(hours=6)
"""How often a notice is sent, and the longest pause between two: that is most of a day."""
FOR_GOOD = frozenset({"bad_address", "no_address", "unknown_notice"})
"""Why a notice fails whoever tries it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The notice to one address. `ordered` is its latest order, without what that seals."""

    state: str = WAITING
    ordered: NoticeOrdered | None = None
    due: datetime | None = None
    """When an order can neither start nor still run, or one that was put off is given again."""
    reason: str = ""

    @property
    def attempt(self) -> int:
        """How often it was ordered."""
        return 0 if self.ordered is None else self.ordered.attempt

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent there."""
        return self.state in {TOLD, FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Some of the affected. `source` is the number of the event that seals their addresses."""

    source: int
    letters: Mapping[bytes, Letter]
    """By the address's tag."""
    orders: Mapping[UUID, bytes] = field(default_factory=dict)
    """Every attempt's order, with the address that it goes to."""
    left: int
    """Letters that are not over."""

    @property
    def is_fresh(self) -> bool:
        """Whether nobody of it was written to."""
        return not self.orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many addresses, and what became of the notice to each."""

    affected: int = 0
    """All that are known of, with those whom no mail reaches."""
    told: int = 0
    failed: int = 0
    """Written to in vain."""
    waiting: int = 0
    unreachable: int = 0
    """Known to be affected, without an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What the DPO says of the supervisory authority."""

    how: str
    at: datetime
    reference: str = ""
    delayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A breach, and what was decided about it."""

    by: str
    """The console that opened it; empty if the pipeline itself did."""
    what: str
    aware_at: datetime
    since: datetime
    until: datetime | None
    systems: tuple[str, ...]
    categories: tuple[str, ...]
    suspect: UUID | None = None
    lists: Mapping[bytes, tuple[int, frozenset[int]]] = field(default_factory=dict)
    """By list: how many parts it has, and those that came."""
    tags: frozenset[bytes] = frozenset()
    """Every address that is known to be affected."""
    portions: tuple[Portion, ...] = ()
    on_lists: int = 0
    """Rows of lists without an address."""
    unaddressed: Mapping[str, int] = field(default_factory=dict)
    """How many without an address a system holds, or some kinds of it: as it said last."""
    unlisted: Mapping[str, str] = field(default_factory=dict)
    """Systems, or `system.kind`, that could not say whom they hold, and why."""
    numbered: int = 0
    """How many notices to the affected were given a number."""
    words: int = 0
    """Number of the event that seals what the affected read; 0 before there is one."""
    released_at: datetime | None = None
    authority: Authority | None = None
    waived: str = ""
    """The ground on which two people decided that nobody is told."""
    reminded: frozenset[int] = frozenset()
    closed_at: datetime | None = None

    @property
    def unreachable(self) -> int:
        """Those without an address; who is in several kinds that were listed singly is several."""
        return self.on_lists + sum(self.unaddressed.values())

    @property
    def tells(self) -> bool:
        """Whether the affected are written to."""
        return self.released_at is not None and bool(self.words) and not self.waived

    def holder(self, order: UUID) -> tuple[int, bytes] | None:
        """The portion, by its place, and the address that an order goes to."""
        found = ((n, it.orders[order]) for n, it in enumerate(self.portions) if order in it.orders)
        return next(found, None)

    def place(self, tag: bytes) -> int | None:
        """The place of the portion that an address is in."""
        return next((n for n, it in enumerate(self.portions) if tag in it.letters), None)


def counts(incident: Incident) -> Counts:
    """How many are affected, and what became of the notices to them. They sum up."""
    states = [it.state for portion in incident.portions for it in portion.letters.values()]
    told, failed = states.count(TOLD), states.count(FAILED)
    return Counts(
        affected=len(states) + incident.unreachable,
        told=told,
        failed=failed,
        waiting=len(states) - told - failed,
        unreachable=incident.unreachable,
    )


def missing(incident: Incident) -> int:
    """Portions of lists that did not come: whom they name is not known."""
    return sum(parts - len(came) for parts, came in incident.lists.values())


def letters_due(incident: Incident) -> Iterator[tuple[datetime, int]]:
    """When which portion is to be written to; of those to whom nobody wrote yet the first alone,
    once every order before is answered.

    So one transaction orders one portion's notices, and none lapses behind thousands of others.
    """
    if not incident.tells or incident.closed_at is not None:
        return
    under_way = (of for it in incident.portions if it.left for of in it.letters.values())
    is_first = all(it.state != ORDERED for it in under_way)
    for n, portion in enumerate(incident.portions):
        if portion.is_fresh and portion.left:
            if is_first:
                yield incident.aware_at, n
            is_first = False
        elif portion.left:
            yield min(it.due for it in portion.letters.values() if it.due and not it.is_over), n


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The hours of Art. 33(1), and how they were counted."""

    due: datetime
    steps: tuple[StepRow, ...]
    notified_after: timedelta | None
    """How long after it was known the authority was told; None if it was not."""
    is_late: bool
    """Whether it was told late, or the time is over: reasons for the delay go with it."""


def clock(incident: Incident, now: datetime) -> Clock:
    """How the time to notify the authority runs, and whether it was kept.

    Hours are counted through weekends and holidays: Regulation 1182/71 Art. 3(4) moves no end of
    hours, and what is argued for it (Art. 3(5)) is not relied on.
    """
    counted, told = within_hours(incident.aware_at), incident.authority
    at = told.at if told is not None and told.how == NOTIFIED else None
    need_not = told is not None and told.how == NO_RISK
    return Clock(
        due=counted.due,
        steps=counted.steps,
        notified_after=None if at is None else at - incident.aware_at,
        is_late=not need_not and (at or now) > counted.due,
    )


def undecided(incident: Incident) -> bool:
    """Whether the DPO has still to decide of the authority, or of the affected."""
    told = incident.released_at is not None or bool(incident.waived)
    return incident.closed_at is None and (incident.authority is None or not told)


def reminders(incident: Incident) -> Iterator[tuple[datetime, int]]:
    """When the DPO is told what is still to be decided, and after how many hours that is."""
    if undecided(incident):
        for hours in REMINDERS:
            if hours not in incident.reminded:
                yield incident.aware_at + timedelta(hours=hours), hours


def pause(attempt: int) -> timedelta:
    """How long to wait before a notice is sent once more."""
    return min(timedelta(seconds=2 ** min(attempt, TRIES)), LONGEST)
