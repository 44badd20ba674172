"""Reviews: what a machine decided alone a person decides anew, and what is decided is carried out.

Nothing is answered before each was reviewed (GDPR Art. 22(3)) and, where a person came to another
result, somebody says that this has its effect by now. The person reads the result and the reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas import events as e
from schemas.derive import event_name
from schemas.records import OutcomeRow

from ..policy.clauses import Automated
from .case import Case, Review
from .rights import AUTOMATED_DECISION
from .rules import Rules
from .values import replace

CONFIRMED, CHANGED = "confirmed", "changed"
HOW_REVIEWED = frozenset({CONFIRMED, CHANGED})
REVIEWED = "reviewed"
"""The kind of the notice that says how, and why."""
TO_REVIEW = OutcomeRow(kind="needs_human", reason="human_review")
TO_CARRY_OUT = OutcomeRow(kind="needs_human", reason="carry_out")
"""It is changed, and nobody has said that this has its effect."""
STANDS = OutcomeRow(kind="attested", reason="review_confirmed")


def rows(case: Case, rules: Rules) -> Mapping[str, OutcomeRow]:
    """What became of each decision, by its id in the policy."""
    return {it.id: _became(case.reviews.get(it.id)) for it in _automated(case, rules)}


def to_review(case: Case, rules: Rules) -> Iterator[Automated]:
    """What nobody has reviewed yet."""
    if _asks(case):
        yield from (it for it in _automated(case, rules) if it.id not in case.reviews)


def to_carry_out(case: Case, rules: Rules) -> Iterator[Automated]:
    """What is changed, and has no effect yet as far as anybody says."""
    for it in _automated(case, rules) if _asks(case) else ():
        is_said = (AUTOMATED_DECISION, (b"", it.id)) in case.by_hand
        if _became(case.reviews.get(it.id)) == TO_CARRY_OUT and not is_said:
            yield it


def is_answered(case: Case, rules: Rules) -> bool:
    """Whether nothing is left for people to do of it."""
    return not any(to_review(case, rules)) and not any(to_carry_out(case, rules))


def objection(case: Case, event: e.DecisionReviewed, rules: Rules) -> str:
    """Why it cannot be reviewed now; empty if it can."""
    if event.decision not in {it.id for it in _automated(case, rules)}:
        return "the policy of the case names no such decision of a machine"
    waiting = {it.id for it in to_review(case, rules)}
    return "" if event.decision in waiting else "nobody waits for its review, or not any more"


def untold(case: Case) -> Iterator[str]:
    """The results that no letter has told yet, as `confirmed:credit`; one decision brings one."""
    letters = (it.ordered for it in case.orders.values() if isinstance(it.ordered, e.NoticeOrdered))
    told = {it.reason for it in letters if it.kind == REVIEWED}
    for decision, it in case.reviews.items():
        said = f"{it.result}:{decision}"
        if it.recorded and said not in told:
            yield said


# What events change.


def reviewed(case: Case, event: e.DecisionReviewed, _: Rules) -> Case:
    review = Review(result=event.result, by=event.by)
    return replace(case, reviews={**case.reviews, event.decision: review})


def recorded(case: Case, event: e.DecisionRecorded) -> Case:
    """Where the reasons are sealed that the person is to read."""
    if event.name != event_name(e.DecisionReviewed):
        return case
    reviews = {
        it: review if review.recorded else replace(review, recorded=case.number)
        for it, review in case.reviews.items()
    }
    return replace(case, reviews=reviews)


def _asks(case: Case) -> bool:
    claim = case.claims.get(AUTOMATED_DECISION)
    return claim is not None and claim.active and case.verified and not case.keyless


def _automated(case: Case, rules: Rules) -> tuple[Automated, ...]:
    return rules.policy_of(case.policy).automated


def _became(review: Review | None) -> OutcomeRow:
    if review is None:
        return TO_REVIEW
    return TO_CARRY_OUT if review.result == CHANGED else STANDS
