"""Weighing: an objection to a use that rests on our own interest, until a person has decided it.

What is held for the use is restricted meanwhile (GDPR Art. 18(1)(d)), and stays so if the objection
is upheld: the use ends. It goes on only if compelling grounds are shown, or legal claims need it
(Art. 21(1)); who objects is told which, and why, before the restriction is lifted (Art. 18(3)).
"""

from __future__ import annotations

from schemas import events as e

from . import marks
from .case import Case, Lifting
from .rights import OBJECTION_TO_USE
from .rules import Rules
from .values import replace

UNKNOWN = "unknown_purpose"
"""What stands for a use that the policy does not name."""
UPHELD, OVERRIDDEN, CLAIMS = "upheld", "overridden", "claims"
HOW_WEIGHED = frozenset({UPHELD, OVERRIDDEN, CLAIMS})


def is_answered(case: Case) -> bool:
    """Whether a person decided it and, if the use goes on, who objects knows why."""
    return case.weighed == UPHELD or marks.is_ended(case, OBJECTION_TO_USE)


def waits(case: Case) -> bool:
    """Whether it waits for a person's decision."""
    asked = case.verified and case.wants(OBJECTION_TO_USE) and not case.keyless
    return asked and not case.weighed and case.searched()


def objection(case: Case) -> str:
    """Why it cannot be decided now; empty if it can."""
    if not case.wants(OBJECTION_TO_USE):
        return "no use that is to be weighed is objected to, or not any more"
    if case.keyless:
        return "the case's key is destroyed: nothing more is said of it"
    if not case.verified:
        return "it is not known yet who objects"
    ending = case.lifting.get(OBJECTION_TO_USE)
    is_unsent = ending is not None and ending.unsent
    return "that was decided already" if case.weighed and not is_unsent else ""


# What events change.


def decided(case: Case, event: e.ObjectionDecided, _: Rules) -> Case:
    lifting = {it: of for it, of in case.lifting.items() if it != OBJECTION_TO_USE}
    if event.how != UPHELD:
        lifting[OBJECTION_TO_USE] = Lifting(by=event.by)
    return replace(case, weighed=event.how, lifting=lifting)
