"""Which systems' records a response brings, which not, and why: never a gap that is not told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.case.rights import COPYING
from schemas.events import ResponseOrdered
from schemas.records import ClaimRow, CoverageRow, OutcomeRow


@dataclass(frozen=True, slots=True)
class Lacking:
    """A file that a system has and could not hand over."""

    name: str
    """As it is shown."""
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One system's part of a copy."""

    system: str
    expected: int
    """Records that its host listed, but for those withheld."""
    withheld: int = 0
    """Records of which it is not known whose they are: none of them is in the copy."""
    lacking: int = 0
    """Files that could not be copied: what they belong to is not copied whole."""
    named: tuple[Lacking, ...] = ()
    """The first of them."""
    refused: str = ""
    """A code, if what was listed is not there as it was listed: nothing of it is in the copy."""


def as_copied(order: ResponseOrdered, copies: Sequence[Copy]) -> ResponseOrdered:
    """The order with what its copy can bring: what is refused was not copied, whoever said so.

    Nor is a copy complete that lacks a file.
    """
    refused = {it.system: it.refused for it in copies if it.refused}
    coverage = tuple(_row(it, refused) for it in order.coverage)
    fewer = coverage != order.coverage or any(it.lacking for it in copies)
    return replace(
        order,
        exports=tuple(it for it in order.exports if it.system in _brought(copies)),
        coverage=coverage,
        claims=tuple(_claim(it) if fewer else it for it in order.claims),
    )


def _brought(copies: Sequence[Copy]) -> frozenset[str]:
    return frozenset(it.system for it in copies if not it.refused)


def _row(row: CoverageRow, refused: Mapping[str, str]) -> CoverageRow:
    if row.right not in COPYING or row.state != "proved" or row.system not in refused:
        return row
    failed = OutcomeRow(kind="failed", reason=refused[row.system])
    return replace(row, state="open", outcome=failed)


def _claim(claim: ClaimRow) -> ClaimRow:
    if claim.right in COPYING and claim.state == "fulfilled":
        return replace(claim, state="partially_fulfilled")
    return claim
