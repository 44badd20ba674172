"""What an answer says of each right: its sentences, and what the states of its items are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.case.erased import GONE
from pipeline.case.rights import (
    ACCESS,
    AUTOMATED_DECISION,
    COPYING,
    ERASURE,
    OBJECTION,
    OBJECTION_TO_USE,
    PORTABILITY,
    RECTIFICATION,
    RESTRICTION,
    searches,
)
from pipeline.policy import Policy
from schemas.events import ResponseOrdered
from schemas.records import ClaimRow, CoverageRow, OutcomeRow

from . import kept, words
from .copies import Copy

Catalogue = Mapping[str, Mapping[str, str]]
"""By system: what the codes in its outcomes mean."""

STATES = ("proved", "attested", "kept", "dated", "open")
NAMES = {
    "proved": "Done and proved",
    "attested": "Done by hand",
    "kept": "Kept",
    "dated": "Goes by itself",
    "open": "Open",
}
"""What the states are called, unless a right calls them otherwise."""
SYSTEM = "system"
"""The kind of the row that stands for a whole system."""
REQUEST, REMEMBERED = "request", "erasure"
"""What our own systems keep of every request, and of every erasure."""
NOTHING_IN_THEM = "There is nothing about you in them."


@dataclass(frozen=True, slots=True)
class Line:
    """So many items of one sort, and what became of them."""

    where: str
    what: str
    """The categories; empty for a whole system."""
    count: int
    """0 where a system could not be searched: nobody knows."""
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
        return names(self.right)

    @property
    def is_copy(self) -> bool:
        """Whether it brings a copy, which has a section of its own on the page."""
        return self.right in COPYING

    @property
    def proof(self) -> str:
        """How what is done was proved."""
        return _OF.get(self.right, _ERASURE).proof


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of one claim when its sentences are made."""

    counts: Counter[str]
    found: int
    """Records, in every system."""
    where: str
    """The systems that have them."""
    lines: Mapping[str, tuple[Line, ...]]
    order: ResponseOrdered
    policy: Policy
    whole: bool
    """Whether nothing is open, or missing from a copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """A right's own words."""

    says: Callable[[_Told], Iterator[str]]
    done: tuple[str, str] = ("is done, and proved so", "are done, and proved so")
    """Of one item, of several."""
    names: Mapping[str, str] | None = None
    proof: str = "We did not take the systems' word for it: afterwards, we read each item again."


def names(right: str) -> Mapping[str, str]:
    """What the states of a right's items are called."""
    return _OF.get(right, _ERASURE).names or NAMES


def reply(
    claim: ClaimRow,
    order: ResponseOrdered,
    policy: Policy,
    catalogue: Catalogue,
    copies: Sequence[Copy],
) -> Reply:
    """The answer to one claim of an order."""
    rows = [it for it in order.coverage if it.right in {claim.right, ""}]
    counts = Counter(dict.fromkeys(STATES, 0))
    for it in rows:
        counts[it.state] += 0 if _is_unknown(it, claim.right) else it.count
    unknown = [words.system(it.system) for it in order.systems if it.searched not in words.SEARCHED]
    whole = not counts["open"] and not any(it.refused or it.lacking for it in copies)
    lines = {it: tuple(_lines(claim.right, rows, it, policy, catalogue)) for it in STATES}
    told = _Told(
        counts=counts,
        found=sum(it.found for it in order.systems),
        where=words.joined(words.system(it.system) for it in order.systems if it.found),
        lines=lines,
        order=order,
        policy=policy,
        whole=whole,
    )
    return Reply(
        right=claim.right,
        title=words.title(claim.right),
        article=words.article(claim.right),
        says=" ".join(_sentences(claim, told, unknown)),
        counts=counts,
        unknown=len(unknown),
        lines=lines,
    )


def outcome(row: OutcomeRow, policy: Policy | None, catalogue: Mapping[str, str]) -> str:
    """What became of something, in words."""
    if row.kind == "retained":
        return kept.says(row, policy)
    if row.kind == "unaffected" and row.reason:
        return words.reason(row.reason, catalogue)
    if row.kind in words.PROVED:
        return words.PROVED[row.kind]
    why = words.reason(row.reason, catalogue) if row.reason else ""
    marked = words.DISPUTED.get(row.restricted, words.NOT_MARKED) if row.restricted else ""
    said = (words.UNPROVED.get(row.kind, words.UNPROVED["failed"]), why, marked)
    return " ".join(filter(None, said))


def _is_unknown(row: CoverageRow, right: str) -> bool:
    """Whether it stands for a system that could not be searched."""
    return row.kind == SYSTEM and searches(right)


def _lines(
    right: str, rows: list[CoverageRow], state: str, policy: Policy, catalogue: Catalogue
) -> Iterator[Line]:
    """One line for all categories of a kind that ended alike."""
    alike: dict[tuple[str, str, OutcomeRow], list[CoverageRow]] = {}
    for it in rows:
        if it.state == state:
            alike.setdefault((it.system, it.kind, it.outcome), []).append(it)
    for (system, kind, ended), those in alike.items():
        whole, unknown = kind == SYSTEM, _is_unknown(those[0], right)
        says = outcome(ended, policy, catalogue.get(system, {}))
        yield Line(
            where=words.system(system) + ("" if whole else f" {words.label(kind).lower()}"),
            what=words.joined(words.category(it.category) for it in those) if not whole else "",
            count=0 if unknown else sum(it.count for it in those),
            says=says.replace("Not done.", "Not searched.", 1) if unknown else says,
            until=words.day(ended.until) if ended.until else "",
        )


def _sentences(claim: ClaimRow, told: _Told, unknown: list[str]) -> Iterator[str]:
    if claim.settled_at is None:
        yield "This is not finished yet; what is done so far is shown below."
    if not searches(claim.right):
        yield from _OF[claim.right].says(told)
        return
    if not told.found:
        yield "We found no personal data about you in the systems that we could search."
    else:
        yield f"We found {words.counted(told.found, 'record')} about you, in {told.where}."
    if told.found or (claim.right == OBJECTION_TO_USE and told.order.weighed):
        yield from _OF.get(claim.right, _ERASURE).says(told)
    yield from _looks(told.order)
    if claim.right == ERASURE and claim.settled_at is not None:
        yield from _of_ourselves(told)
    if unknown:
        yield f"{words.joined(unknown)} could not be searched: what is held there is unknown."


def _looks(order: ResponseOrdered) -> Iterator[str]:
    """When what stays is looked at again."""
    dates = sorted(
        {it.look_at.date(): it.look_at for it in order.obligations if it.look_at}.items()
    )
    if dates:
        days = words.joined(words.day(at) for _, at in dates)
        yield f"What stays is looked at again, by itself: on {days}. You hear what became of it."


def _of_ourselves(told: _Told) -> Iterator[str]:
    """What we keep of this request itself, and that something was erased for it."""
    mine = [it.outcome.kind for it in told.order.coverage if it.right == ERASURE]
    is_remembered = bool(GONE.intersection(mine)) or not (mine or told.order.follows)
    for rule in told.policy.retention:
        kinds = {kind for system, kind, _ in rule.rows if system in told.policy.own}
        if REQUEST in kinds or (REMEMBERED in kinds and is_remembered):
            yield f"{rule.says} ({kept.law(rule)})"


def _became(told: _Told, right: str) -> str:
    """Of so many items, so many ended so."""
    said = {
        "proved": _OF[right].done,
        "attested": ("is done by hand, as a person says", "are done by hand, as a person says"),
        "kept": ("is kept because a rule requires it", "are kept because a rule requires it"),
        "dated": ("goes by itself on a known date", "go by themselves on a known date"),
        "open": ("is still open", "are still open"),
    }
    counts = told.counts
    some = [f"{counts[it]:,} {said[it][counts[it] != 1]}" for it in STATES if counts[it]]
    return words.joined(some)


def _of_access(told: _Told) -> Iterator[str]:
    brought = "everything that we found" if told.whole else "what could be copied"
    yield f"This package brings you a copy of {brought}."


def _of_portability(told: _Told) -> Iterator[str]:
    if not told.counts.total():
        yield (
            "None of it is what you provided to us and we use by your consent or by a contract with"
            " you, so there is nothing that you could take along (Art. 20(1))."
        )
        return
    brought = "This" if told.whole else "As much of this as could be copied"
    yield (
        "What you provided to us, or we observed of what you did, and use by your consent or by a"
        f" contract with you, you may take along: {words.counted(told.counts.total(), 'item')}."
        f" {brought} is in the folder portability, as JSON with its schema and as tables (CSV)."
        " What we worked out ourselves is not among it; to have that, ask for a copy."
    )


def _of_erasure(told: _Told) -> Iterator[str]:
    items = words.counted(told.counts.total(), "item")
    became = _became(told, ERASURE)
    yield f"Of the {items} in them, {became}." if told.counts.total() else NOTHING_IN_THEM


def _of_restriction(told: _Told) -> Iterator[str]:
    items = words.counted(told.counts.total(), "item")
    if not told.counts.total():
        yield NOTHING_IN_THEM
        return
    mine = [it for it in told.order.coverage if it.right == RESTRICTION]
    lifted = sum(it.count for it in mine if it.outcome.kind == "lifted")
    if lifted:
        yield (
            "The restriction ends, as we told you before. Of the"
            f" {items}, {lifted:,} {'is' if lifted == 1 else 'are'} restricted no longer; what"
            " became of each stands below."
        )
        return
    yield f"Of the {items} in them, {_became(told, RESTRICTION)}."
    yield (
        "What is restricted we only store; a subscription that you have goes on until you end it."
        " Anything else we do with it only if you agree, for legal"
        " claims, to protect the rights of another person, or for an important public interest"
        " (Art. 18(2)). Before it is lifted we tell you (Art. 18(3))."
    )


def _of_rectification(told: _Told) -> Iterator[str]:
    items = words.counted(told.counts.total(), "item")
    if not told.counts.total():
        yield NOTHING_IN_THEM
        return
    mine = [it for it in told.order.coverage if it.right == RECTIFICATION]
    changed = sum(it.count for it in mine if it.outcome.kind == "rectified")
    yield f"Of the {items} in them, {_became(told, RECTIFICATION)}."
    if not changed:
        yield (
            "So nothing was corrected: no system has what you say is wrong. If something is missing"
            " somewhere, tell us where it should stand."
        )


def _of_objection(told: _Told) -> Iterator[str]:
    proved, rest = told.lines["proved"], [*told.lines["attested"], *told.lines["open"]]
    if proved:
        where = words.joined(it.where for it in proved)
        yield (
            f"In {where} nothing under an address of yours that we know is used for direct"
            " marketing any more, nor to profile you for it (Art. 21(2), (3)). Messages that you"
            " need (receipts, answers to your questions) still come."
        )
    if rest:
        yield f"{words.joined(it.where for it in rest)}: what became of it is told below."


def _of_objection_to_use(told: _Told) -> Iterator[str]:
    order, use = told.order, told.policy.purposes.get(told.order.purpose)
    what = f"the use that you object to ({use.says})" if use is not None else "that use"
    if told.counts.total():
        items = words.counted(told.counts.total(), "item")
        yield f"Of this, {items} {'is' if told.counts.total() == 1 else 'are'} held for {what}."
    elif told.found:
        yield f"None of it is held for {what}."
    match order.weighed:
        case "upheld":
            yield (
                "A person has decided: that use ends (Art. 21(1)). What is marked there is used for"
                " it no more. Where nothing else needs the data, you may ask for their erasure"
                " (Art. 17(1)(c))."
            )
        case "":
            yield (
                "Until a person has decided whether our grounds for it weigh more than yours, we"
                " restrict the data (Art. 18(1)(d)), and you hear before that ends."
            )
        case _:
            yield (
                "A person has weighed it, and you have the reasons: the use goes on (Art. 21(1))."
                " What was restricted for it alone is restricted no more. You may complain of that,"
                " as said below."
            )
    rest = [it.says for it in (use.bases if use else ()) if not it.may_be_objected_to]
    if rest:
        yield (
            f"As far as it also rests on {words.joined(rest)}, it cannot be objected to and goes"
            " on. A consent you may take back, and of data you may ask for erasure or restriction."
        )


def _of_automated(told: _Told) -> Iterator[str]:
    if not told.policy.automated:
        yield (
            "We take no decision about you by a machine alone that has legal effects for you, or"
            " affects you as much (Art. 22(1)). So there is none that a person could review."
        )
        return
    mine = [it for it in told.order.coverage if it.right == AUTOMATED_DECISION]
    undone = sum(it.outcome.kind == "not_possible" for it in mine)
    if sum(it.state == "open" for it in mine) > undone:
        yield "These decisions are taken by a machine alone, and a person now reviews them for you."
    else:
        stay = sum(it.outcome.reason == "review_confirmed" for it in mine)
        yield (
            "These decisions are taken by a machine alone. A person has reviewed each for you, and"
            f" written to you why (Art. 22(3)): {stay} stay, {len(mine) - stay - undone} are"
            " changed, and that is carried out."
        )
        if undone:
            yield f"Of {undone} the change cannot be carried out, as told above."
    for it in told.policy.automated:
        yield f"{it.says} {it.logic} {it.meaning}"


_COPIED = {**NAMES, "proved": "Copied", "open": "Not copied"}
_ERASURE = _Words(
    says=_of_erasure,
    done=("is erased or blanked, and proved so", "are erased or blanked, and proved so"),
    proof="We did not take the systems' word for it: after erasing, we looked for each item again.",
)
_OF: Mapping[str, _Words] = {
    ACCESS: _Words(says=_of_access, names=_COPIED),
    PORTABILITY: _Words(says=_of_portability, names=_COPIED),
    AUTOMATED_DECISION: _Words(says=_of_automated),
    RECTIFICATION: _Words(
        says=_of_rectification,
        done=(
            "is right now, or has nothing of this that could be changed",
            "are right now, or have nothing of this that could be changed",
        ),
    ),
    RESTRICTION: _Words(
        says=_of_restriction,
        done=("is marked as not to be used", "are marked as not to be used"),
    ),
    OBJECTION: _Words(says=_of_objection),
    OBJECTION_TO_USE: _Words(
        says=_of_objection_to_use,
        done=("is marked as not to be used", "are marked as not to be used"),
    ),
    ERASURE: _ERASURE,
}
