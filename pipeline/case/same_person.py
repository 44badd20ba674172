"""Two open cases of one person: one joins the other, one waits for the other, or each goes on.

How often somebody asks is never a reason to refuse: what is asked for once more while it is under
way is answered once, and what was answered is asked anew. Where a copy and an erasure meet, the
copy is made first, whichever was asked for first. Pure: who is who was found by keyed hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from schemas import events as e

from .case import NOTICE, RESPONSE, SEARCH, Case
from .orders import stopped
from .rights import ALWAYS_ALIKE, COPYING, ERASURE
from .rules import Given, Rules
from .values import replace

DAY = timedelta(days=1)
INTERIM = "interim"
"""The kind of a response that answers nothing yet."""
ERASED_ALL = frozenset({"fulfilled", "no_data"})
"""How an erasure settles after which nothing of it is left."""
HARMLESS = frozenset({SEARCH, NOTICE})
"""Orders after which a case may still join another one: nobody outside did anything for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A case, and what tells whose it is: hashes that are the same in every case."""

    case: Case
    proved: frozenset[bytes]
    """Identifiers by which people are found, and of which it is proved that they are theirs."""
    shown: frozenset[bytes]
    """What else came with the request: phones."""
    names: frozenset[bytes]


def found(case: Case, given: Given) -> Iterator[e.SamePersonFound]:
    """Say which other cases are the person's, where something was proved just now."""
    if given.others:
        yield e.SamePersonFound(case=case.id, others=given.others, at=given.now)


def compared(mine: Side, other: Side, now: datetime, rules: Rules) -> tuple[e.Event, ...]:
    """What is said of two cases, in this order: of the other one first, last of `mine`.

    Nothing is said of `mine` beside that it was compared if they share nothing, or each goes on.
    """
    one, another = mine.case, other.case
    done = e.RequestsCompared(case=one.id, other=another.id, at=now)
    if not mine.proved & other.proved:
        return (done,)
    for joining, into in _by_age(mine, other):
        if _joins(joining, into):
            there = into.case
            said = e.RequestJoined(
                case=joining.case.id,
                into=there.id,
                asked_at=there.received_at,
                due_at=there.due_at,
            )
            return (said,) if joining is mine else (said, done)
    pairs = ((one, another), (another, one))
    near = now + rules.settings.deadline_near
    waits = tuple(erasing.id for erasing, copying in pairs if _waits(erasing, copying, near))
    if not waits:
        return (done,)
    told = e.RequestsCompared(case=another.id, other=one.id, at=now, waits=waits)
    return told, replace(done, waits=waits)


def _by_age(one: Side, other: Side) -> Iterator[tuple[Side, Side]]:
    """Who may join whom: no date is to be lost. Both may where they came at the same moment."""
    older, younger = sorted((one, other), key=lambda it: (it.case.received_at, it.case.id))
    yield younger, older
    if older.case.received_at == younger.case.received_at:
        yield older, younger


def _joins(joining: Side, into: Side) -> bool:
    """Whether all that is asked for is asked for there, by the same person, and is not answered.

    Two people may share a mailbox: another name, another phone, or an address that is not proved
    stands for another person.
    """
    mine, theirs = joining.case, into.case
    asked = [right for right in mine.claims if mine.wants(right)]
    return (
        bool(asked)
        and ALWAYS_ALIKE.issuperset(asked)
        and mine.purpose == theirs.purpose
        and all(mine.claims[it].active for it in asked)
        and all(it in theirs.claims and theirs.claims[it].active for it in asked)
        and joining.proved <= into.proved
        and joining.shown <= into.shown
        and joining.names == into.names
        and all(it.tag in mine.proofs for it in mine.known.values() if it.given and it.strong)
        and mine.proposal is None
        and theirs.proposal is None
        and {slot[0] for slot in mine.orders} <= HARMLESS
    )


def _waits(erasing: Case, copying: Case, near: datetime) -> bool:
    """Whether anything may still be erased here, and a copy is to be made there before.

    Nobody waits past the own date for it, nor for one that waits for a fee.
    """
    if not erasing.wants(ERASURE) or erasing.claims[ERASURE].state in ERASED_ALL:
        return False
    return near < erasing.due_at and not has_copy(copying)


def has_copy(case: Case) -> bool:
    """Whether nobody waits for a copy any more: it is signed, or made up for, or not asked for.

    Of what could not be copied there may still be one, once the system is back.
    """
    wanted = [it for it in case.claims if it in COPYING and case.wants(it)]
    return bool(case.fee_awaited) or all(_has(case, it) for it in wanted)


def _has(case: Case, right: str) -> bool:
    claim = case.claims[right]
    if claim.active or any(it.outcome.kind == "failed" for it in claim.coverage):
        return False
    answers = [it for it in case.responses if right in it.claims and it.kind != INTERIM]
    by_hand = (("", (b"", f"{RESPONSE}/{RESPONSE} {it.n}")) in case.by_hand for it in answers)
    return any(it.digest for it in answers) or any(by_hand)


def to_compare(case: Case, rules: Rules) -> Iterator[tuple[UUID, datetime]]:
    """The cases to compare with, and when.

    One that is waited for is looked at again as the date of the answer comes near, and from then on
    each day: it may be one that nothing is decided about any more.
    """
    yield from case.comparing.items()
    near = case.due_at - rules.settings.deadline_near
    yield from ((it, max(since + DAY, near)) for it, since in case.awaits.items())


# What events change.


def person_found(case: Case, event: e.SamePersonFound, _: Rules) -> Case:
    return replace(case, comparing={**case.comparing, **dict.fromkeys(event.others, event.at)})


def requests_compared(case: Case, event: e.RequestsCompared, _: Rules) -> Case:
    """What was found of the two before counts no more."""
    other = event.other
    awaits = _without(case.awaits, other)
    return replace(
        case,
        comparing=_without(case.comparing, other),
        awaits={**awaits, other: event.at} if case.id in event.waits else awaits,
        awaited_by=(case.awaited_by - {other}) | ({other} & set(event.waits)),
    )


def joined(case: Case, event: e.RequestJoined, _: Rules) -> Case:
    """Nothing more is done here."""
    claims = {
        right: replace(it, state="joined") if it.active else it for right, it in case.claims.items()
    }
    return stopped(replace(case, claims=claims, comparing={}, joined=event.into))


def released(case: Case, event: e.ErasureReleased, _: Rules) -> Case:
    if case.id == event.erasing:
        return replace(case, awaits=_without(case.awaits, event.copying))
    return replace(case, awaited_by=case.awaited_by - {event.erasing})


def _without(cases: Mapping[UUID, datetime], one: UUID) -> dict[UUID, datetime]:
    return {it: since for it, since in cases.items() if it != one}
