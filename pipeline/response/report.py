"""The completion report: a page for the DPO, and the same as JSON. No personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.events import CaseReported
from schemas.records import CoverageRow, FoundRow, RegardedRow

from . import dates, words
from .as_json import as_json
from .pages import rendered
from .recipients import heard
from .replies import STATES, SYSTEM, names, outcome


@dataclass(frozen=True, slots=True)
class Cell:
    """One system in the matrix of one claim."""

    system: str
    searched: str
    """found, nothing or unknown."""
    why: str
    found: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Detail:
    """So many items that ended alike."""

    where: str
    what: str
    state: str
    count: int
    """0 for a whole system that could not be searched: nobody knows."""
    says: str
    code: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    """One claim: its matrix, its sums, and what is behind them."""

    right: str
    title: str
    article: str
    state: str
    settled_at: datetime | None
    names: Mapping[str, str]
    cells: tuple[Cell, ...]
    sums: Mapping[str, int]
    found: int
    unknown: int
    """Systems that could not be searched: what they hold is in no sum."""
    details: tuple[Detail, ...]


def page(report: CaseReported) -> bytes:
    """The report as a page."""
    days = (report.due_at - report.reported_at).days
    return rendered(
        "report.html",
        report=report,
        parts=tuple(_parts(report)),
        told=heard(report.recipients),
        states=STATES,
        counted=dates.counted(report.steps),
        days=days,
        late=report.reported_at > report.due_at,
        moment=lambda at: f"{at:%Y-%m-%d %H:%M} UTC",
        date=lambda at: f"{at:%Y-%m-%d}",
    )


def document(report: CaseReported) -> bytes:
    """The report as JSON: every field of `case_reported`."""
    return as_json(report)


def regarded(report: CaseReported, right: str) -> tuple[FoundRow | RegardedRow, ...]:
    """What was found that a claim is about: what its coverage sums up to. Reports of before say
    only what was found in all.
    """
    if not report.regarded and any(
        it.right == right and it.kind != SYSTEM for it in report.coverage
    ):
        return report.found
    return tuple(it for it in report.regarded if it.right == right)


def said(report: CaseReported) -> dict[str, Any]:
    """What is signed of a report beside its files."""
    return {
        "case": str(report.case),
        "n": report.n,
        "kind": report.state,
        "claims": report.claims,
        "reported_at": report.reported_at,
        "policy": {"sha256": report.policy.hex()},
        "ledger": {"head": report.head.hex()},
    }


def _parts(report: CaseReported) -> Iterator[Part]:
    for claim in report.claims:
        rows = [it for it in report.coverage if it.right == claim.right]
        sums = Counter[str]()
        for it in rows:
            sums[it.state] += it.count if it.kind != SYSTEM else 0
        cells = tuple(_cells(report, claim.right, rows))
        yield Part(
            right=claim.right,
            title=words.label(claim.right),
            article=words.article(claim.right),
            state=claim.state,
            settled_at=claim.settled_at,
            names=names(claim.right),
            cells=cells,
            sums=sums,
            found=sum(it.found for it in cells),
            unknown=sum(it.searched == "unknown" for it in cells),
            details=tuple(_detail(it) for it in rows if it.state != "proved"),
        )


def _cells(report: CaseReported, right: str, rows: list[CoverageRow]) -> Iterator[Cell]:
    about = regarded(report, right)
    for it in report.systems:
        counts = Counter[str]()
        for row in rows:
            if row.system == it.system and row.kind != SYSTEM:
                counts[row.state] += row.count
        status, _, code = it.searched.partition(": ")
        known = status in {"found", "nothing"}
        yield Cell(
            system=it.system,
            searched=status if known else "unknown",
            why="" if known else f"{status}: {words.reason(code or status, {})} ({code or status})",
            found=sum(row.count for row in about if row.system == it.system),
            counts=counts,
        )


def _detail(row: CoverageRow) -> Detail:
    whole = row.kind == SYSTEM
    return Detail(
        where=row.system,
        what="whole system" if whole else f"{row.kind}: {row.category}",
        state=row.state,
        count=0 if whole else row.count,
        says=outcome(row.outcome, None, {}),
        code=row.outcome.rule or row.outcome.reason or row.outcome.kind,
        until=row.outcome.until,
    )
