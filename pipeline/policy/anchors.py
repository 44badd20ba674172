"""What a retention period runs from: a day that is reckoned from facts, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

TRUE, FALSE = "true", "false"
SUBSCRIPTION = "subscription_open"
PAYMENTS: Final = ("last_charge", "last_invoice")
ENDS: Final = ("subscription_ended", *PAYMENTS)
CONTACT = "last_contact"
REQUEST, ERASURE = "last_request", "last_erasure"
"""Of what Habeas itself holds: the last request before this one, and the last erasure."""
DECEMBER, LAST = 12, 31


class Undated(StrEnum):
    """Why a period has no end yet: a code that is told in words."""

    LASTS = "relationship_lasts"
    UNKNOWN = "anchor_unknown"
    NOTHING = "anchor_missing"
    """Everything was read, and there was nothing that it could run from."""
    AHEAD = "anchor_ahead"
    """It is dated so far in the future that nobody can have read it of what has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """The period runs from `day`, which follows from the date of one fact."""

    anchor: str
    fact: str
    told: date
    day: date


Facts = Mapping[str, str]
"""What is known, by name: `true`, `false` or an ISO date. A name that is missing is unknown."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """How an anchor is reckoned, and the facts it needs for that."""

    needs: tuple[str, ...]
    reckoned: Callable[[Facts], Began | Undated]


def reckoned(names: Iterable[str], facts: Facts) -> Began | Undated:
    """The later of several anchors.

    There is no day while one of them is still to come, or is unknown: it might be the later one.
    """
    found = [ANCHORS[it].reckoned(facts) for it in names]
    for why in (Undated.LASTS, Undated.UNKNOWN):
        if why in found:
            return why
    days = [it for it in found if isinstance(it, Began)]
    return max(days, key=lambda it: it.day) if days else Undated.NOTHING


def needed(names: Iterable[str]) -> frozenset[str]:
    """The facts that anchors are reckoned from."""
    return frozenset(fact for it in names for fact in ANCHORS[it].needs)


def _relationship_end(facts: Facts) -> Began | Undated:
    """The end of the last subscription or the last payment, whichever is later."""
    if SUBSCRIPTION not in facts:
        return Undated.UNKNOWN
    if facts[SUBSCRIPTION] == TRUE:
        return Undated.LASTS
    return _latest("relationship_end", ENDS, facts)


def _last_contact(facts: Facts) -> Began | Undated:
    return _latest("last_contact", (CONTACT,), facts)


def _last_request(facts: Facts) -> Began | Undated:
    return _latest("last_request", (REQUEST,), facts)


def _last_erasure(facts: Facts) -> Began | Undated:
    return _latest("last_erasure", (ERASURE,), facts)


def _tax_year_end(facts: Facts) -> Began | Undated:
    """The end of the calendar year of the last payment."""
    found = _latest("tax_year_end", PAYMENTS, facts)
    if isinstance(found, Undated):
        return found
    day = date(found.told.year, DECEMBER, LAST)
    return Began(anchor=found.anchor, fact=found.fact, told=found.told, day=day)


def _latest(anchor: str, names: tuple[str, ...], facts: Facts) -> Began | Undated:
    if not facts.keys() >= {*names}:
        return Undated.UNKNOWN
    told = {it: date.fromisoformat(facts[it]) for it in names if facts[it] != FALSE}
    if not told:
        return Undated.NOTHING
    fact = max(told, key=lambda it: told[it])
    return Began(anchor=anchor, fact=fact, told=told[fact], day=told[fact])


ANCHORS: Final[Mapping[str, Anchor]] = {
    "relationship_end": Anchor((SUBSCRIPTION, *ENDS), _relationship_end),
    "last_contact": Anchor((CONTACT,), _last_contact),
    "last_request": Anchor((REQUEST,), _last_request),
    "last_erasure": Anchor((ERASURE,), _last_erasure),
    "tax_year_end": Anchor(PAYMENTS, _tax_year_end),
}
