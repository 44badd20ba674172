"""What people want to be sent: how their words count, how long they are kept, and where a sale is
enough for mail of one's own (`[preferences]` and `[[soft_opt_in]]`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

GIVEN, WITHDRAWN, OBJECTED = "given", "withdrawn", "objected"
BOUGHT, ASKED, ONLY, SERVED = "bought", "asked", "only", "served"
SAYS = frozenset({GIVEN, WITHDRAWN, OBJECTED, BOUGHT, ASKED, ONLY, SERVED})
"""What a record of a preference may say."""
OVERRULED = "overruled"
"""What an objection is once a person has shown that the use may go on (Art. 21(1)): no refusal."""
REFUSALS = frozenset({WITHDRAWN, OBJECTED})
"""They count however surely the person is known: to send less harms nobody (Art. 7(3), 21(3))."""
CLAIMED = frozenset({GIVEN, BOUGHT, ASKED})
"""They count only if the address was shown to be theirs: anybody can type another one's."""
MOST_YEARS = 100
"""Longer is for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One record, without whom it is about. `record` is its id, or that of the case it is from."""

    record: UUID
    says: str
    purpose: str
    """Empty, of a refusal: all direct marketing."""
    at: datetime
    level: int = 0
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A sentence about what may be sent that runs as a test."""

    why: str
    purpose: str
    gives: str
    """`yes` or `no`."""
    reason: str
    history: tuple[Mapping[str, Any], ...] = ()
    erased: str = ""
    """The day as of which they are in the erasure memory; empty: they are not."""
    on: str = "2026-03-02"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftOptIn:
    """Where whoever bought, or asked, may be sent marketing of one's own until they object
    (Directive 2002/58/EC Art. 13(2), as a country has it).
    """

    country: str
    """ISO 3166-1."""
    after: frozenset[str]
    """`bought`, `asked` (where talks about a sale are enough), or nothing: never."""
    article: str
    months: int = 0
    """How long after that; 0: as long as they do not object."""
    condition: str = ""
    """What else must be so, for whoever writes the mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How words count. Files of earlier releases have none of this: then no sale is enough."""

    level: int = 2
    """How surely an address must be shown to be theirs for a yes to count."""
    years: int = 6
    """How long what shows a record, and a record that is no refusal, are kept."""
    unserved: int = 12
    """Months after which whoever wanted one thing alone, and did not get it, is let go."""
    soft_opt_in: Mapping[str, SoftOptIn] = field(default_factory=dict)
    """By country. One that is not here: consent is needed."""
    examples: tuple[Example, ...] = ()


def read(row: Mapping[str, Any], soft: Iterable[Mapping[str, Any]]) -> Preferences:
    """The table and the rows as a file has them.

    Raises `KeyError`, `TypeError` or `ValueError` of what is missing or misspelt.
    """
    rest = {name: it for name, it in row.items() if name != "examples"}
    rows = [SoftOptIn(**{**it, "after": frozenset(it["after"])}) for it in soft]
    for it in rows:
        if not it.after <= {BOUGHT, ASKED}:
            raise ValueError(f"[[soft_opt_in]] {it.country}: `after` is {BOUGHT} or {ASKED}")
    made = Preferences(
        **rest,
        soft_opt_in={it.country: it for it in rows},
        examples=tuple(_example(it) for it in row.get("examples", ())),
    )
    if len(made.soft_opt_in) != len(rows):
        raise ValueError("[[soft_opt_in]]: a country stands there twice")
    if not 0 < made.years <= MOST_YEARS or made.level < 0 or made.unserved < 0:
        raise ValueError("[preferences]: a level, years or months that cannot be")
    return made


def _example(row: Mapping[str, Any]) -> Example:
    return Example(**{**row, "history": tuple(row.get("history", ()))})
