"""What the page says: an order's counts and codes, turned into sentences and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.policy import Policy, Retention
from schemas.events import ResponseOrdered
from schemas.records import ClaimRow, CoverageRow, OutcomeRow, Sealed, SystemRow

from . import words
from .information import Information, information

Catalogue = Mapping[str, Mapping[str, str]]
"""By system: what the codes in its outcomes mean."""

STATES = ("proved", "kept", "dated", "open")
DONE = {
    "proved": "Done and proved",
    "kept": "Kept",
    "dated": "Goes by itself",
    "open": "Open",
}
COPIED = {**DONE, "proved": "Copied", "open": "Not copied"}
SYSTEM = "system"
"""The kind of the row that stands for a whole system that could not be searched."""
SEARCHED = frozenset({"found", "nothing"})
KINDS = {
    "final": "This is our final answer.",
    "supplement": "This adds to an answer that you have received before.",
    "interim": "This is an interim answer: the month is almost over, and not everything is done."
    " The final answer follows.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One system: what the search there gave."""

    system: str
    name: str
    who: str
    state: str
    """found, nothing or unknown."""
    says: str
    records: int


@dataclass(frozen=True, slots=True)
class Line:
    """So many items of one sort, and what became of them."""

    where: str
    what: str
    """The categories; empty for a whole system that could not be searched."""
    count: int
    says: str
    until: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one claim."""

    right: str
    title: str
    article: str
    says: str
    counts: Mapping[str, int]
    unknown: int
    """Systems that could not be searched: not counted among the items."""
    lines: Mapping[str, tuple[Line, ...]]

    @property
    def total(self) -> int:
        """How many items were found, whatever became of them."""
        return sum(self.counts.values())

    @property
    def names(self) -> Mapping[str, str]:
        """What the states are called in this answer."""
        return COPIED if self.right == "access" else DONE


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything on the first page but the records themselves."""

    case: str
    n: int
    kind: str
    name: str
    controller: str
    dpo: str
    asked: str
    received: str
    due: str
    made: str
    identifiers: tuple[tuple[str, str], ...]
    replies: tuple[Reply, ...]
    places: tuple[Place, ...]
    records: int
    information: Information
    copied: bool
    """Whether this answer brings a copy of the data."""


def answer(
    order: ResponseOrdered, person: Sealed, policy: Policy, catalogue: Catalogue, made: datetime
) -> Answer:
    """What a response says to the person it is for."""
    rights = [words.right(it.right) for it in order.claims]
    return Answer(
        case=str(order.case),
        n=order.n,
        kind=KINDS.get(order.kind, ""),
        name=person.name,
        controller=policy.controller,
        dpo=policy.dpo,
        asked=words.joined(rights),
        received=words.day(order.received_at),
        due=words.day(order.due_at),
        made=words.day(made),
        identifiers=tuple((words.identifier(it.kind), it.value) for it in person.identifiers),
        replies=tuple(_reply(it, order, policy, catalogue) for it in order.claims),
        places=tuple(_place(it, policy, catalogue) for it in order.systems),
        records=sum(it.records for it in order.exports),
        information=information(policy, order.found),
        copied=any(it.right == "access" for it in order.claims),
    )


def _reply(claim: ClaimRow, order: ResponseOrdered, policy: Policy, catalogue: Catalogue) -> Reply:
    rows = [it for it in order.coverage if it.right in {claim.right, ""}]
    counts = Counter(dict.fromkeys(STATES, 0))
    for it in rows:
        counts[it.state] += it.count if it.kind != SYSTEM else 0
    unknown = [words.system(it.system) for it in order.systems if it.searched not in SEARCHED]
    return Reply(
        right=claim.right,
        title=words.title(claim.right),
        article=words.article(claim.right),
        says=" ".join(_sentences(claim, counts, unknown, order)),
        counts=counts,
        unknown=len(unknown),
        lines={it: tuple(_lines(rows, it, policy, catalogue)) for it in STATES},
    )


def _sentences(
    claim: ClaimRow, counts: Counter[str], unknown: list[str], order: ResponseOrdered
) -> Iterator[str]:
    held = sum(it.found for it in order.systems)
    where = words.joined(words.system(it.system) for it in order.systems if it.found)
    if claim.settled_at is None:
        yield "This is not finished yet; what is done so far is shown below."
    if not held:
        yield "We found no personal data about you in the systems that we could search."
    elif claim.right == "access":
        whole = "what could be copied" if counts["open"] else "everything that we found"
        yield f"We found {words.counted(held, 'record')} about you, in {where}."
        yield f"This package brings you a copy of {whole}."
    else:
        yield f"We found {words.counted(held, 'record')} about you, in {where}."
        yield f"Of the {words.counted(counts.total(), 'item')} in them, {_done(counts)}."
    if unknown:
        yield f"{words.joined(unknown)} could not be searched: what is held there is unknown."


def _done(counts: Counter[str]) -> str:
    told = {
        "proved": ("is erased or blanked, and proved so", "are erased or blanked, and proved so"),
        "kept": ("is kept because a rule requires it", "are kept because a rule requires it"),
        "dated": ("goes by itself on a known date", "go by themselves on a known date"),
        "open": ("is still open", "are still open"),
    }
    some = [f"{counts[it]:,} {told[it][counts[it] != 1]}" for it in STATES if counts[it]]
    return words.joined(some)


def _lines(
    rows: list[CoverageRow], state: str, policy: Policy, catalogue: Catalogue
) -> Iterator[Line]:
    """One line for all categories of a kind that ended alike."""
    alike: dict[tuple[str, str, OutcomeRow], list[CoverageRow]] = {}
    for it in rows:
        if it.state == state:
            alike.setdefault((it.system, it.kind, it.outcome), []).append(it)
    for (system, kind, ended), those in alike.items():
        whole = kind == SYSTEM
        says = outcome(ended, policy, catalogue.get(system, {}))
        yield Line(
            where=words.system(system) + ("" if whole else f" {words.label(kind).lower()}"),
            what=words.joined(words.category(it.category) for it in those) if not whole else "",
            count=0 if whole else sum(it.count for it in those),
            says=says.replace("Not done.", "Not searched.", 1) if whole else says,
            until=words.day(ended.until) if ended.until else "",
        )


def outcome(row: OutcomeRow, policy: Policy | None, catalogue: Mapping[str, str]) -> str:
    """What became of something, in words."""
    if row.kind == "retained":
        return _kept(row, policy)
    if row.kind in words.PROVED:
        return words.PROVED[row.kind]
    why = words.reason(row.reason, catalogue) if row.reason else ""
    return f"{words.UNPROVED.get(row.kind, words.UNPROVED['failed'])} {why}".strip()


def _kept(row: OutcomeRow, policy: Policy | None) -> str:
    rules: dict[str, Retention] = {it.id: it for it in policy.retention} if policy else {}
    rule = rules.get(row.rule or "")
    if rule is None:
        undated = "" if row.until else ", without a date as yet"
        return f"Kept under the rule {row.rule or 'of our policy'}{undated}."
    since = " The period has not begun yet." if rule.years and not row.until else ""
    return f"{rule.says}{since} ({rule.source}; {rule.article})"


def _place(row: SystemRow, policy: Policy, catalogue: Catalogue) -> Place:
    who = next((it["name"] for it in policy.recipients if it["system"] == row.system), "")
    status, _, code = row.searched.partition(": ")
    known = status if status in SEARCHED else "unknown"
    says = {
        "found": f"{words.counted(row.found, 'record')} found",
        "nothing": "Searched; nothing found",
    }.get(known) or f"Not searched. {words.reason(code or status, catalogue.get(row.system, {}))}"
    return Place(row.system, words.system(row.system), who, known, says, row.found)
