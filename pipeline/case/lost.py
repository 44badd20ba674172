"""What is still known of a case whose key is lost, and what a person must do about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.events import Event, TaskOrdered
from schemas.records import TaskRow

from .case import TASK, Case
from .coverage import systems

KEY_LOST = "its key is lost: nothing sealed in it can be read, and nothing more is decided"


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
    """All that its ledger tells in the clear. `do` is what the DPO must do."""

    case: UUID
    intake: str
    state: str
    claims: tuple[tuple[str, str], ...]
    received_at: datetime
    due_at: datetime
    systems: tuple[LostSystem, ...]
    waiting: tuple[str, ...]
    """Orders under way: their answers cannot be opened."""
    owed: tuple[str, ...]
    """What was left for later: nobody but a person will come back to it."""
    do: tuple[str, ...]


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
    later = (f"come back yourself to what is owed: {'; '.join(owed)}",) if owed else ()
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


def _is_answered(case: Case) -> bool:
    done = bool(case.claims) and all(not it.active for it in case.claims.values())
    signed = {right for it in case.responses if it.digest for right in it.claims}
    closed = {it.right for it in case.claims.values() if it.state in {"refused", "withdrawn"}}
    return done and not case.under_way() and case.claims.keys() <= signed | closed


def _became(it: LostSystem) -> str:
    said = ", ".join(f"{count} {kind}" for kind, count in it.outcomes)
    unknown = f"of {it.unanswered} it is not known" if it.unanswered else ""
    return "; ".join(word for word in (said, unknown) if word)
