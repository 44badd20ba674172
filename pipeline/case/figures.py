"""What a DPO is asked for by numbers: how much, how fast, what failed, what next.

Everything is counted from the ledgers of cases. No figure is about a person.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from uuid import UUID

from schemas import events as e
from schemas.events import Event

from .case import NOT_WANTED, Case, Claim
from .spent import BEGAN

ALL = "all"
"""The row of figures over every right."""
INTERIM = "interim"
"""The kind of a response that answers nothing yet."""
DAY = timedelta(days=1)
AGES = ((7, "up to 7 days"), (14, "8 to 14 days"), (28, "15 to 28 days"))
OLDER, LATE = "29 days or more", "past its date"
COMING = 20
"""How many dates are told of what falls due next."""
ANSWER = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A case, and what its ledger says, each event with the moment at which it was decided."""

    case: Case
    events: Sequence[tuple[datetime, Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRight:
    """What became of the claims of one right that were received in the time asked for.

    Each is answered, refused, withdrawn, joined or open. Those answered or refused were so on time
    or late; an open one is late once its date is over. One that joined an older one is answered
    with that.
    """

    right: str
    received: int
    answered: int
    refused: int
    withdrawn: int
    joined: int
    open: int
    on_time: int
    late: int
    extended: int
    median_days: float | None
    """From receipt to answer or refusal, of those that have one."""
    p95_days: float | None
    """So many days at most in 95 of 100 of them (nearest rank)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why, as a DPV term, and how many claims."""

    reason: str
    claims: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How often a system failed for a reason, and in how many cases."""

    system: str
    what: str
    """`search failed`, `search overdue`, `task declined` or `put off`."""
    reason: str
    times: int
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How many cases have been open for so long."""

    since: str
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """What falls due: the `answer` of a case, or a look at what was put off in a system."""

    due: datetime
    what: str
    case: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All of them. Ages and what comes next are of now, whatever time was asked for."""

    since: date | None
    until: date
    cases: int
    rights: tuple[OfRight, ...]
    refusals: tuple[Refusal, ...]
    failures: tuple[Failure, ...]
    ages: tuple[Age, ...]
    coming: tuple[Coming, ...]


@dataclass(frozen=True, slots=True)
class _Ended:
    """A claim that was received in the time, and when it was answered or refused."""

    history: History
    claim: Claim
    at: datetime | None


def figures(
    histories: Iterable[History], since: date | None, until: date, now: datetime
) -> Figures:
    """Count the requests received from `since` to `until`, both days included (UTC).

    What looks again at something that a request left over is none: nobody asked.
    """
    every = list(histories)
    asked = [it for it in every if it.case.is_asked]
    chosen = [it for it in asked if _is_between(it.case.received_at, since, until)]
    claims = [_ended(it, claim) for it in chosen for claim in it.case.claims.values()]
    rights = sorted({it.claim.right for it in claims})
    by_right = [(right, [it for it in claims if it.claim.right == right]) for right in rights]
    return Figures(
        since=since,
        until=until,
        cases=len(chosen),
        rights=tuple(_of_right(right, those, now) for right, those in [*by_right, (ALL, claims)]),
        refusals=tuple(_refusals(claims)),
        failures=tuple(
            _failures(it for it in every if _is_between(it.case.received_at, since, until))
        ),
        ages=tuple(_ages(asked, now)),
        coming=tuple(sorted(_coming(every), key=lambda it: (it.due, it.case, it.what))[:COMING]),
    )


def _is_between(at: datetime, since: date | None, until: date) -> bool:
    return (since is None or since <= at.date()) and at.date() <= until


def _ended(history: History, claim: Claim) -> _Ended:
    match claim.state:
        case "open" | "withdrawn" | "joined":
            return _Ended(history, claim, None)
        case "refused":
            return _Ended(history, claim, _refused_at(history))
        case _:
            return _Ended(history, claim, _answered_at(history, claim.right))


def _refused_at(history: History) -> datetime | None:
    refused = (e.RequestRefused, e.IdentityRefused)
    return next((at for at, event in history.events if isinstance(event, refused)), None)


def _answered_at(history: History, right: str) -> datetime | None:
    """When the first response was signed that is this right's, and more than interim."""
    answers = set[int]()
    for at, event in history.events:
        match event:
            case e.ResponseOrdered() if event.kind != INTERIM:
                answers |= {event.n} if right in {it.right for it in event.claims} else set()
            case e.ResponseSigned() if event.n in answers:
                return at
            case _:
                pass
    return None


def _of_right(right: str, claims: Sequence[_Ended], now: datetime) -> OfRight:
    states = Counter(_state(it) for it in claims)
    ended = [(it, it.at) for it in claims if it.at is not None]
    in_time = sum(at <= it.history.case.due_at for it, at in ended)
    waiting = [it for it in claims if _state(it) == "open"]
    days = sorted((at - it.history.case.received_at) / DAY for it, at in ended)
    return OfRight(
        right=right,
        received=len(claims),
        answered=states["answered"],
        refused=states["refused"],
        withdrawn=states["withdrawn"],
        joined=states["joined"],
        open=states["open"],
        on_time=in_time,
        late=len(ended) - in_time + sum(now > it.history.case.due_at for it in waiting),
        extended=sum(it.history.case.extended for it in claims),
        median_days=round(median(days), 1) if days else None,
        p95_days=round(days[math.ceil(0.95 * len(days)) - 1], 1) if days else None,
    )


def _state(it: _Ended) -> str:
    """Settled, and not yet answered, is open: nobody has the answer."""
    if it.claim.state in NOT_WANTED:
        return it.claim.state
    return "open" if it.at is None else "answered"


def _refusals(claims: Iterable[_Ended]) -> Iterator[Refusal]:
    """By reason, the most frequent first."""
    counts = Counter(_reason(it.history) for it in claims if it.claim.state == "refused")
    for reason, count in counts.most_common():
        yield Refusal(reason=reason, claims=count)


def _reason(history: History) -> str:
    refused = (e.RequestRefused, e.IdentityRefused)
    return next((it.reason for _, it in history.events if isinstance(it, refused)), "")


def _failures(histories: Iterable[History]) -> Iterator[Failure]:
    """By system, the most frequent first."""
    times, cases = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for history in histories:
        met = [it for _, event in history.events if (it := _failure(event)) is not None]
        times.update(met)
        cases.update(set(met))
    for key in sorted(times, key=lambda it: (it[0], -times[it], it)):
        system, what, reason = key
        yield Failure(system=system, what=what, reason=reason, times=times[key], cases=cases[key])


def _failure(event: Event) -> tuple[str, str, str] | None:
    match event:
        case e.SearchFailed():
            return event.system, "search failed", event.reason
        case e.SearchOverdue():
            return event.system, "search overdue", "overdue"
        case e.TaskDeclined():
            return event.system, "task declined", event.reason
        case e.OrderDeferred() if event.reason != BEGAN:
            return event.system, "put off", event.reason
        case _:
            return None


def _ages(histories: Iterable[History], now: datetime) -> Iterator[Age]:
    """Of the cases with an open claim: by days since receipt, and those past their date."""
    ages, late = Counter[str](), 0
    for history in histories:
        case = history.case
        if not any(_state(_ended(history, it)) == "open" for it in case.claims.values()):
            continue
        age = (now - case.received_at) / DAY
        ages[next((says for days, says in AGES if age <= days), OLDER)] += 1
        late += now > case.due_at
    for _, says in AGES:
        yield Age(since=says, cases=ages[says])
    yield Age(since=OLDER, cases=ages[OLDER])
    yield Age(since=LATE, cases=late)


def _coming(histories: Iterable[History]) -> Iterator[Coming]:
    for history in histories:
        case = history.case
        is_open = any(_state(_ended(history, it)) == "open" for it in case.claims.values())
        if is_open and case.is_asked:
            yield Coming(due=case.due_at, what=ANSWER, case=case.id)
        for owed in case.obligations:
            if owed.closed_at is None:
                yield Coming(due=owed.look_at, what=f"{owed.state} in {owed.system}", case=case.id)
