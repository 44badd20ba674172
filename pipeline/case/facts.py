"""How what is told of one fact by several pages, rounds or systems comes to one thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from schemas.records import FactRow

SINCE = "_since"
"""What the names of facts end with that say when something began."""
TRUE, FALSE = "true", "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of a fact: its value, and which system has it in which of its fields."""

    value: str
    system: str = ""
    read: str = ""


def joined(name: str, one: str, other: str) -> str:
    """A yes rather than a no, and a date rather than that there is none.

    Of two dates the later, or the earlier of when something began.
    """
    if TRUE in {one, other}:
        return TRUE
    if FALSE in {one, other}:
        return other if one == FALSE else one
    return min(one, other) if name.endswith(SINCE) else max(one, other)


def merged(one: FactRow, other: FactRow) -> FactRow:
    """What one system told twice of a fact."""
    return one if joined(one.name, one.value, other.value) == one.value else other


def together(name: str, said: Iterable[Told | None]) -> Told | None:
    """What several systems say of a fact, None for each that does not know; None while unknown.

    One system's yes is enough. A no needs every one of them, and so does a date: of one that is
    silent nobody knows whether its date is later.
    """
    told = list(said)
    known = [it for it in told if it is not None]
    sure = [it for it in known if it.value == TRUE]
    if sure or not known or len(known) < len(told):
        return sure[0] if sure else None
    return reduce(lambda a, b: a if joined(name, a.value, b.value) == a.value else b, known)
