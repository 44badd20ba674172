"""Marks: what is not to be used, for which claim, and when a mark comes off again.

Marked is what is restricted (GDPR Art. 18), what is held for a use that somebody objects to, what
is said to be wrong until a person has seen to it (Art. 18(1)(a)), and what an erasure keeps. A
person decides that a restriction ends; who it protects is told, and only then it is lifted (Art.
18(3)). What they take back by themselves, or what is refused, is lifted at
once. A mark that was there before is somebody else's: it stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from schemas import events as e
from schemas.derive import event_name
from schemas.records import OutcomeRow

from .case import DISPUTED, LIFTED, NOT_WANTED, Case, Held, Lifting, Row
from .outcome import state as class_of
from .planned import OBSERVE_MODE, RETAINED
from .rights import ERASURE, OBJECTION_TO_USE, RECTIFICATION, RESTRICTION
from .rules import Rules
from .values import replace

MARKING: Mapping[str, str] = {
    RESTRICTION: RESTRICTION,
    OBJECTION_TO_USE: OBJECTION_TO_USE,
    DISPUTED: RECTIFICATION,
    ERASURE: ERASURE,
}
"""What marks are set for, and the right that each belongs to."""
LIFTING, OVERRIDING, RESOLVED = "lifting", "overriding", "resolved"
"""The kinds of the notices that say that marks come off."""
ENDS: Mapping[str, str] = {
    LIFTING: RESTRICTION,
    OVERRIDING: OBJECTION_TO_USE,
    RESOLVED: DISPUTED,
}
"""By the kind of notice: the marks that come off."""
DECIDED: Mapping[str, str] = {
    event_name(e.LiftDecided): LIFTING,
    event_name(e.ObjectionDecided): OVERRIDING,
}
"""By the decision: the notice that brings its reasons."""
TEXT_STANDS = "text_stands"
"""The reason of an outcome: a statement of the person is to stand beside a text."""
_NO_DISPUTE = frozenset({OBSERVE_MODE, TEXT_STANDS})
ALREADY = "already"
"""The reason of an outcome: it bore the mark before we came."""
MARKED = "restricted"
"""The kind of an outcome: it bears the mark."""
UNMARKED = "unaffected"
"""The kind of an outcome: there was nothing to mark, and so there is nothing to lift."""


def is_kept(case: Case, row: Row) -> bool:
    """Whether an erasure keeps a row."""
    outcome = case.outcomes.get(row)
    return outcome is not None and outcome.kind == RETAINED


def is_used(case: Case, row: Row) -> bool:
    """Whether a row is held for the use that is objected to."""
    held = case.held[row[0]]
    return (held.system, held.kind, row[1]) in case.used


def is_disputed(case: Case, row: Row) -> bool:
    """Whether what is said to be wrong there could not be corrected, and waits for a person."""
    outcome = case.measured.get((RECTIFICATION, row))
    if outcome is None or outcome.reason in _NO_DISPUTE or (RECTIFICATION, row) in case.by_hand:
        return False
    return class_of(outcome) == "open"


def resolved(case: Case) -> frozenset[bytes]:
    """What is disputed no longer, and marked for nothing else: the person hears that this ends.

    Nobody is told of more while what they were told of last is not lifted.
    """
    ending = case.lifting.get(DISPUTED)
    lifting = (those for (of, _), those in to_lift(case).items() if of == RECTIFICATION)
    if not case.wants(RECTIFICATION) or (ending and not ending.told) or any(lifting):
        return frozenset()
    marked = {tag for (of, _), rows in case.measures.items() if of == DISPUTED for tag, _ in rows}
    return frozenset(
        it for it in marked if _is_resolved(case, it) and not _stays(case, case.held[it])
    )


def begins(case: Case) -> bool:
    """Whether what an erasure keeps is marked: not in cases that were answered before we did."""
    return case.claims[ERASURE].active or any(of == ERASURE for of, _ in case.measures)


def is_ended(case: Case, right: str) -> bool:
    """Whether the person knows that what was marked for a right is so no longer."""
    return right in case.lifting and case.lifting[right].told


def to_lift(case: Case) -> Mapping[tuple[str, str], tuple[bytes, ...]]:
    """The holdings, by right and system, that we have marked or told to be, and that no claim wants
    so; each once.
    """
    found: dict[tuple[str, str], tuple[bytes, ...]] = {}
    seen: dict[str, set[bytes]] = defaultdict(set)
    for what, right in MARKING.items():
        for system in sorted({it for of, it in case.measures if of == what}):
            told = {tag for tag, _ in case.measures[what, system]}
            lifted = {tag for tag, _ in case.measures.get((LIFTED, system), ())}
            left = (it for it in sorted(told - lifted - seen[system]) if _is_over(case, what, it))
            if those := tuple(it for it in left if not _stays(case, case.held[it])):
                found[right, system] = those
                seen[system].update(those)
    return found


def is_to_lift(case: Case, held: Held) -> bool:
    """Whether a mark is to come off that nobody was told to take off yet."""
    return any(held.tag in those for those in to_lift(case).values())


def left(case: Case) -> tuple[str, ...]:
    """Systems in which a mark stays that nobody asks for any more, and no claim tells of."""
    could_not = {
        case.held[tag].system
        for (what, (tag, category)), it in case.measured.items()
        if what == LIFTED and class_of(it) == "open"
        if not _is_told(case, (tag, category)) and not _stays(case, case.held[tag])
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
    ending = case.lifting.get(RESTRICTION)
    return "" if ending is None or ending.unsent else "that was decided already"


# What events change.


def decided(case: Case, event: e.LiftDecided, _: Rules) -> Case:
    return replace(case, lifting={**case.lifting, RESTRICTION: Lifting(by=event.by)})


def recorded(case: Case, event: e.DecisionRecorded) -> Case:
    """Where the reasons are sealed that the person is to read."""
    right = ENDS.get(DECIDED.get(event.name, ""), "")
    ending = case.lifting.get(right)
    if ending is None or ending.recorded:
        return case
    return _ending(case, right, replace(ending, recorded=case.number))


def told(case: Case, order: e.NoticeOrdered, *, arrived: bool) -> Case:
    """The person knows: now it may be lifted. Or the letter did not arrive."""
    right = ENDS.get(order.kind, "")
    ending = case.lifting.get(right)
    if ending is None:
        return case
    return _ending(case, right, replace(ending, told=arrived, unsent=not arrived))


def told_by_hand(case: Case, event: e.ItemSettled) -> Case:
    """A person reached them in another way, after the letter did not."""
    if event.right:
        return case
    letters = (
        it.ordered
        for it in case.orders.values()
        if event.kind == f"{it.slot[0]} {it.slot[2]}" and isinstance(it.ordered, e.NoticeOrdered)
    )
    letter = next(letters, None)
    ending = None if letter is None else case.lifting.get(ENDS.get(letter.kind, ""))
    if letter is None or ending is None or not ending.unsent:
        return case
    return told(case, letter, arrived=True)


def announced(case: Case, order: e.NoticeOrdered) -> Case:
    """The person is told what is disputed no longer."""
    if order.kind != RESOLVED or order.attempt > 1:
        return case
    return _ending(case, DISPUTED, Lifting(tags=resolved(case)))


def unmarked(case: Case, system: str, rows: frozenset[Row]) -> Case:
    """What is lifted is not marked for an erasure or a dispute either: if that wants it so once
    more, it is marked anew.
    """
    lifted, anew = {tag for tag, _ in rows}, {ERASURE, DISPUTED}
    measures = {
        (of, where): frozenset(it for it in told if it[0] not in lifted)
        if of in anew and where == system
        else told
        for (of, where), told in case.measures.items()
    }
    measured = {
        (of, row): it
        for (of, row), it in case.measured.items()
        if of not in anew or row[0] not in lifted
    }
    return replace(case, measures=measures, measured=measured)


def own(case: Case) -> frozenset[bytes]:
    """The holdings that bear a mark which an order of this case has set, and none has taken off."""
    rows = [(of, tag, it) for (of, (tag, _)), it in case.measured.items()]
    lifted = {tag for of, tag, it in rows if of == LIFTED and class_of(it) == "proved"}
    marked = {
        tag for of, tag, it in rows if of in MARKING and it.kind == MARKED and it.reason != ALREADY
    }
    return frozenset(marked - lifted)


def as_own(outcome: OutcomeRow) -> OutcomeRow:
    """What a host takes for somebody else's mark, where it is ours."""
    return replace(outcome, reason=None) if outcome.reason == ALREADY else outcome


def marked_anew(case: Case, system: str, rows: frozenset[Row]) -> Case:
    """What is marked once more after it was lifted is to be lifted once more in its turn."""
    marked, key = {tag for tag, _ in rows}, (LIFTED, system)
    if key not in case.measures:
        return case
    before = frozenset(it for it in case.measures[key] if it[0] not in marked)
    return replace(case, measures={**case.measures, key: before})


def _ending(case: Case, right: str, ending: Lifting) -> Case:
    return replace(case, lifting={**case.lifting, right: ending})


def _is_over(case: Case, what: str, tag: bytes) -> bool:
    """Whether a claim does not want a holding marked any more."""
    claim = case.claims.get(MARKING[what])
    if claim is None or claim.state in NOT_WANTED:
        return True
    if what == ERASURE or not is_ended(case, what):
        return False
    return what != DISPUTED or (tag in case.lifting[what].tags and _is_resolved(case, tag))


def _is_resolved(case: Case, tag: bytes) -> bool:
    """Whether nothing of a holding is disputed, or about to be read anew."""
    held = case.held[tag]
    marked = (it for it in case.measures.get((DISPUTED, held.system), ()) if it[0] == tag)
    known = case.measured.keys() | case.by_hand.keys()
    return all((RECTIFICATION, it) in known for it in marked) and not _disputes(case, held)


def _disputes(case: Case, held: Held) -> bool:
    rows = ((held.tag, it) for it in held.categories)
    return case.wants(RECTIFICATION) and any(is_disputed(case, it) for it in rows)


def _is_told(case: Case, row: Row) -> bool:
    """Whether a claim tells of it that its mark could not be taken off."""
    rights = (it for it in (RESTRICTION, OBJECTION_TO_USE) if case.wants(it))
    return any((it, row) in case.measured for it in rights)


def _stays(case: Case, held: Held) -> bool:
    """Whether a claim wants it marked, or the mark is not ours."""
    rows = [(held.tag, it) for it in held.categories]
    if case.wants(ERASURE) and any(is_kept(case, it) for it in rows):
        return True
    if case.wants(RESTRICTION) and not is_ended(case, RESTRICTION):
        return True
    if _disputes(case, held):
        return True
    objects = case.wants(OBJECTION_TO_USE) and not is_ended(case, OBJECTION_TO_USE)
    if objects and any(is_used(case, it) for it in rows):
        return True
    said = [case.measured.get((of, it)) for of in MARKING for it in rows]
    known = [it for it in said if it is not None]
    return bool(known) and all(it.reason == ALREADY or it.kind == UNMARKED for it in known)
