"""The rules of `[[retention]]`: what is kept although its erasure is asked for, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .anchors import ANCHORS, needed

LEGAL_OBLIGATION: Final = re.compile(r"17\s*\(3\)(\s*,?\s*\([a-e]\))*?\s*,?\s*\(b\)")
"""GDPR Art. 17(3)(b), as an article is cited."""
REQUIRED: Final = "eu-gdpr:A17LegallyRequired"
"""The same, as a reason."""
UNION: Final = frozenset(
    {
        *("EU", "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR"),
        *("HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    }
)
"""Whose law may oblige a controller to keep something (Art. 17(3)(b)): ISO 3166, and `EU`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A sentence about a rule that runs as a test."""

    why: str
    row: Mapping[str, str]
    facts: Mapping[str, str]
    gives: str
    until: str | None = None
    reason: str | None = None
    """Why what is kept has no date, as a code."""
    on: str = "2026-03-02"
    """The day that is decided as of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A rule under which something is kept although its erasure is asked for."""

    id: str
    says: str
    source: str
    article: str
    reason: str
    statute: str = ""
    """The law that obliges to keep it, or that sets the time within which claims can be made."""
    jurisdiction: str = ""
    """Whose law that is: `EU`, a country by ISO 3166, `US-FL`."""
    years: int = 0
    anchors: tuple[str, ...] = ()
    """What the years run from: the later of these. None: no date ever, only a reason."""
    needs: frozenset[str] = frozenset()
    """Facts without which the rule can neither apply nor not apply."""
    rows: frozenset[tuple[str, str, str]] = frozenset()
    """(system, kind, category) it covers."""
    examples: tuple[Example, ...] = ()

    @property
    def reckoned_from(self) -> frozenset[str]:
        """The facts that say from when it runs."""
        return needed(self.anchors)


def read(row: Mapping[str, Any]) -> Retention:
    """A rule as its file has it; earlier ones name one `anchor`.

    Raises `KeyError` or `TypeError` of what is missing or misspelt.
    """
    rest = {name: value for name, value in row.items() if name not in _OF_THEIR_OWN}
    anchors = tuple(row.get("anchors", (row["anchor"],) if row.get("anchor") else ()))
    for it in anchors:
        ANCHORS[it]
    covered = {(it["system"], it["kind"], c) for it in row["rows"] for c in it["categories"]}
    return Retention(
        **rest,
        anchors=anchors,
        needs=frozenset(row["needs"]),
        rows=frozenset(covered),
        examples=tuple(Example(**it) for it in row.get("examples", ())),
    )


_OF_THEIR_OWN: Final = frozenset({"anchor", "anchors", "needs", "rows", "examples"})


def contradictions(rule: Retention) -> Iterator[tuple[str, str]]:
    """What a rule claims and cannot, and what to do about it."""
    if bool(rule.statute) != bool(rule.jurisdiction):
        yield "a statute without whose law it is, or the reverse", "Name both, or neither"
    is_obliged = LEGAL_OBLIGATION.search(rule.article) or rule.reason == REQUIRED
    if is_obliged and rule.jurisdiction not in UNION:
        yield (
            "it claims GDPR Art. 17(3)(b) without a law of the Union or of a Member State",
            "Name that law, or say for which claims the data are needed (Art. 17(3)(e))",
        )
    if bool(rule.years) != bool(rule.anchors):
        yield "years without what they run from, or the reverse", "Name both, or neither"
