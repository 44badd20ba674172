"""What is still known of a case whose key is lost, and what a person must do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from schemas.derive import event_name
from schemas.events import Event, IncidentOpened, ObligationOpened, ResponseSigned, TaskOrdered
from schemas.records import LedgerEntry, TaskRow

from ..policy.clock import Clock
from .case import NOT_WANTED, TASK, Case
from .coverage import systems
from .deadline import deadline
from .incident import Incident, counts

KEY_LOST = "its key is lost: nothing sealed in it can be read, and nothing more is decided"
KEY_ENDED = "its key was destroyed, and what was said of it before cannot be read: it is over"
UNREAD_INCIDENT = (
    "an incident, of which nothing can be read: tell the supervisory authority and the affected"
    " yourself, unless that was done, and open another one for the register"
)
UNREAD = "unread"
"""The state of a case of which the last events cannot be read."""
TASK_ORDERED, RESPONSE_SIGNED = event_name(TaskOrdered), event_name(ResponseSigned)
OBLIGATION_OPENED = event_name(ObligationOpened)
INCIDENT_OPENED = event_name(IncidentOpened)


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSystem:
    """One system's part: what the search said, what was ordered, and what came of it."""

    system: str
    searched: str
    found: int
    ordered: int
    """Holdings of which something was ordered to be erased."""
    unanswered: int
    """Those among them of which it is not known what was done."""
    outcomes: tuple[tuple[str, int], ...]
    """How often each outcome was told, for (holding, category)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostCase:
    """All that can be read of it. `do` is what the DPO must do."""

    case: UUID
    intake: str
    state: str
    claims: tuple[tuple[str, str], ...]
    received_at: datetime
    """If its request cannot be read: when it was taken in, which is no earlier."""
    due_at: datetime
    systems: tuple[LostSystem, ...]
    waiting: tuple[str, ...]
    """Orders under way: their answers cannot be opened."""
    owed: tuple[str, ...]
    """What was left for later: nobody but a person will come back to it."""
    do: tuple[str, ...]
    unread: tuple[tuple[str, int], ...] = ()
    """How many events of each type cannot be read, in the order in which they began."""


def lost(case: Case) -> LostCase:
    """What to tell the DPO of a case whose key is lost."""
    known = tuple(_system(case, it.system, it.searched, it.found) for it in systems(case))
    owed = tuple(
        f"{it.system}: {it.count} {it.state}"
        + (f" under {it.rule}" if it.rule else "")
        + (f" until {it.until:%Y-%m-%d}" if it.until else "")
        for it in case.obligations
    )
    return LostCase(
        case=case.id,
        intake=case.intake,
        state=case.state,
        claims=tuple((it.right, it.state) for it in case.claims.values()),
        received_at=case.received_at,
        due_at=case.due_at,
        systems=known,
        waiting=tuple(f"{it.slot[1]}: {it.slot[0]}" for it in case.under_way()),
        owed=owed,
        do=_do(case, known, owed),
    )


def unread(
    case: UUID, known: Case | None, rest: Sequence[LedgerEntry], *, is_over: bool
) -> LostCase:
    """What to tell the DPO of a case of which these entries, its last, cannot all be read.

    `known` is the case before them; None if they are all there is. `is_over` says that its key was
    destroyed when its time was up.
    """
    types = Counter(it.type for it in rest)
    before = _taken_in(case, rest[0].at) if known is None else lost(known)
    if known is not None:
        types[TASK_ORDERED] += sum(slot[0] == TASK for slot in known.orders)
    owed = (*before.owed, *_owed_unread(types[OBLIGATION_OPENED]))
    nothing = "nothing: its time was up, and its key was destroyed as it should be"
    do = (nothing,) if is_over else _do_unread(before, types)
    later = _later(owed)
    return replace(
        before,
        state=UNREAD,
        owed=owed,
        do=later if is_over and later else (*do, *later),
        unread=tuple(Counter(it.type for it in rest if not it.body).items()),
    )


def _taken_in(case: UUID, at: datetime) -> LostCase:
    """A case of which no more is known than when its request was taken in."""
    return LostCase(
        case=case,
        intake="",
        state=UNREAD,
        claims=(),
        received_at=at,
        due_at=deadline(at, Clock()).due,
        systems=(),
        waiting=(),
        owed=(),
        do=(),
    )


def _system(case: Case, system: str, searched: str, found: int) -> LostSystem:
    orders = [it for slot, it in case.orders.items() if slot[:2] == (TASK, system)]
    ordered = {row.tag for it in orders for row in _rows(it.ordered)}
    answered = {row.tag for it in orders if it.answered is not None for row in _rows(it.ordered)}
    outcomes = Counter(
        it.kind for (tag, _), it in case.outcomes.items() if case.held[tag].system == system
    )
    return LostSystem(
        system=system,
        searched=searched,
        found=found,
        ordered=len(ordered),
        unanswered=len(ordered - answered),
        outcomes=tuple(sorted(outcomes.items())),
    )


def _rows(ordered: Event) -> tuple[TaskRow, ...]:
    return ordered.rows if isinstance(ordered, TaskOrdered) else ()


def _do(case: Case, known: tuple[LostSystem, ...], owed: tuple[str, ...]) -> tuple[str, ...]:
    """Nothing here may be done by itself: it would look again where something is erased already."""
    if case.incident is not None:
        return _do_incident(case, case.incident)
    later = _later(owed)
    if case.joined is not None:
        return (f"nothing: it is answered in case {case.joined}",)
    if _is_answered(case):
        return later or ("nothing: it was answered; its response cannot be opened again",)
    begun = tuple(it for it in known if it.ordered)
    if not begun:
        received = f"{case.received_at:%Y-%m-%dT%H:%M:%S}"
        anew = f"under a new case id, as received at {received}"
        return (f"nothing was erased: have the request sent again {anew}", *later)
    where = ", ".join(f"{it.system} ({_became(it)})" for it in begun)
    look = f"erasing was ordered in {where}: ask {case.intake} who it is, and look there yourself"
    answer = (
        f"answer the person yourself by {case.due_at:%Y-%m-%d}: do not send the request again,"
        " a new search would say that nothing was held"
    )
    return look, answer, *later


def _do_incident(case: Case, known: Incident) -> tuple[str, ...]:
    """Addresses and words are sealed: nobody is written to any more."""
    many = counts(known)
    left = many.waiting + many.failed + many.unreachable
    said = "" if known.authority else f"tell the supervisory authority by {case.due_at:%Y-%m-%d}"
    whom = "" if known.waived or not left else f"{left} of the affected were not told: tell them"
    return tuple(filter(None, (said, whom))) or ("nothing: all of it was done",)


def _do_unread(it: LostCase, types: Mapping[str, int]) -> tuple[str, ...]:
    """As for any lost case; what cannot be read is taken to be what would harm most."""
    if types.get(INCIDENT_OPENED):
        return (UNREAD_INCIDENT,)
    signed = types.get(RESPONSE_SIGNED, 0)
    unless = f"unless they have their answer ({signed} responses were signed)" if signed else ""
    if not types.get(TASK_ORDERED):
        received = f"as received no later than {it.received_at:%Y-%m-%dT%H:%M:%S}"
        anew = " ".join(word for word in ("under a new case id,", received, unless) if word)
        return (f"nothing was erased: have the request sent again {anew}",)
    who = it.intake or "the intakes"
    look = (
        f"erasing was ordered ({types[TASK_ORDERED]} orders), in which systems and what came of it"
        f" cannot be read any more: ask {who} who it is, and look in every system yourself"
    )
    by = f"answer the person yourself by {it.due_at:%Y-%m-%d}"
    again = "do not send the request again, a new search would say that nothing was held"
    return look, f"{by} {unless}: {again}" if unless else f"{by}: {again}"


def _owed_unread(count: int) -> tuple[str, ...]:
    return (f"{count} obligations that cannot be read any more",) if count else ()


def _later(owed: Sequence[str]) -> tuple[str, ...]:
    return (f"come back yourself to what is owed: {'; '.join(owed)}",) if owed else ()


def _is_answered(case: Case) -> bool:
    done = bool(case.claims) and not case.is_open
    signed = {right for it in case.responses if it.digest for right in it.claims}
    closed = {it.right for it in case.claims.values() if it.state in NOT_WANTED}
    return done and not case.under_way() and case.claims.keys() <= signed | closed


def _became(it: LostSystem) -> str:
    said = ", ".join(f"{count} {kind}" for kind, count in it.outcomes)
    unknown = f"of {it.unanswered} it is not known" if it.unanswered else ""
    return "; ".join(word for word in (said, unknown) if word)
