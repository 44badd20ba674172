"""Marks: what is not to be used, for which claim, and when a mark comes off again.

Marked is what is restricted (GDPR Art. 18), and what an erasure keeps. A person decides that a
restriction ends; who it protects is told, and only then it is lifted (Art. 18(3)). What they take
back by themselves, or what is refused, is lifted at once. A mark that was there before is somebody
else's: it stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from schemas import events as e
from schemas.derive import event_name

from .case import LIFTED, NOT_WANTED, Case, Held, Lifting, Row
from .outcome import state as class_of
from .planned import RETAINED
from .rights import ERASURE, RESTRICTION
from .rules import Rules
from .values import replace

LIFTING = "lifting"
"""The kind of the notice that says so."""
DECIDED = event_name(e.LiftDecided)
ALREADY = "already"
"""The reason of an outcome: it bore the mark before we came."""
UNMARKED = "unaffected"
"""The kind of an outcome: there was nothing to mark, and so there is nothing to lift."""


def is_kept(case: Case, row: Row) -> bool:
    """Whether an erasure keeps a row."""
    outcome = case.outcomes.get(row)
    return outcome is not None and outcome.kind == RETAINED


def begins(case: Case) -> bool:
    """Whether what an erasure keeps is marked: not in cases that were answered before we did."""
    return case.claims[ERASURE].active or any(of == ERASURE for of, _ in case.measures)


def is_ended(case: Case) -> bool:
    """Whether the person knows that their restriction ends."""
    return case.lifting is not None and case.lifting.told


def to_lift(case: Case) -> Mapping[str, tuple[bytes, ...]]:
    """The holdings, by system, that we have marked or told to be, and that no claim wants so."""
    found: dict[str, dict[bytes, None]] = defaultdict(dict)
    for (what, system), rows in case.measures.items():
        if what in {RESTRICTION, ERASURE} and _is_over(case, what):
            lifted = {tag for tag, _ in case.measures.get((LIFTED, system), ())}
            found[system] |= dict.fromkeys(sorted({tag for tag, _ in rows} - lifted))
    return {
        system: those
        for system, tags in found.items()
        if (those := tuple(it for it in tags if not _stays(case, case.held[it])))
    }


def left(case: Case) -> tuple[str, ...]:
    """Systems in which a mark stays that nobody asks for any more, and no claim tells of."""
    if case.wants(RESTRICTION):
        return ()
    could_not = {
        case.held[tag].system
        for (what, (tag, _)), it in case.measured.items()
        if what == LIFTED and class_of(it) == "open"
    }
    said = {place for (of, (_, place)) in case.by_hand if not of}
    return tuple(sorted(it for it in could_not if f"{it}/{LIFTED}" not in said))


def objection(case: Case) -> str:
    """Why a restriction cannot be lifted now; empty if it can."""
    claim = case.claims.get(RESTRICTION)
    if claim is None or not case.wants(RESTRICTION):
        return "no restriction is asked for, or not any more"
    if case.keyless:
        return "the case's key is destroyed: take the marks off in the systems yourself"
    if claim.settled_at is None:
        return "it is not carried out yet"
    return "" if case.lifting is None or case.lifting.unsent else "that was decided already"


# What events change.


def decided(case: Case, event: e.LiftDecided, _: Rules) -> Case:
    return replace(case, lifting=Lifting(by=event.by))


def recorded(case: Case, event: e.DecisionRecorded) -> Case:
    """Where the reasons are sealed that the person is to read."""
    if event.name != DECIDED or case.lifting is None or case.lifting.recorded:
        return case
    return replace(case, lifting=replace(case.lifting, recorded=case.number))


def told(case: Case, order: e.NoticeOrdered, *, arrived: bool) -> Case:
    """The person knows: now it may be lifted. Or the letter did not arrive."""
    if order.kind != LIFTING or case.lifting is None:
        return case
    return replace(case, lifting=replace(case.lifting, told=arrived, unsent=not arrived))


def told_by_hand(case: Case, event: e.ItemSettled) -> Case:
    """A person reached them in another way, after the letter did not."""
    if event.right or case.lifting is None or not case.lifting.unsent:
        return case
    letters = (
        it.ordered
        for it in case.orders.values()
        if event.kind == f"{it.slot[0]} {it.slot[2]}" and isinstance(it.ordered, e.NoticeOrdered)
    )
    letter = next(letters, None)
    return case if letter is None else told(case, letter, arrived=True)


def unmarked(case: Case, system: str, rows: frozenset[Row]) -> Case:
    """What is lifted is not marked for an erasure either: if that keeps it, it is marked anew."""
    lifted, key = {tag for tag, _ in rows}, (ERASURE, system)
    if key not in case.measures:
        return case
    kept = frozenset(it for it in case.measures[key] if it[0] not in lifted)
    measured = {
        (of, row): it
        for (of, row), it in case.measured.items()
        if of != ERASURE or row[0] not in lifted
    }
    return replace(case, measures={**case.measures, key: kept}, measured=measured)


def _is_over(case: Case, right: str) -> bool:
    """Whether a claim wants nothing marked any more."""
    claim = case.claims.get(right)
    if claim is None or claim.state in NOT_WANTED:
        return True
    return right == RESTRICTION and is_ended(case)


def _stays(case: Case, held: Held) -> bool:
    """Whether another claim wants it marked, or the mark is not ours."""
    rows = [(held.tag, it) for it in held.categories]
    if case.wants(ERASURE) and any(is_kept(case, it) for it in rows):
        return True
    if case.wants(RESTRICTION) and not is_ended(case):
        return True
    said = [case.measured.get((of, it)) for of in (RESTRICTION, ERASURE) for it in rows]
    known = [it for it in said if it is not None]
    return bool(known) and all(it.reason == ALREADY or it.kind == UNMARKED for it in known)
