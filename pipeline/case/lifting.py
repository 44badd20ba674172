"""Lifting a restriction: a person decides it, who it protects is told, and only then it is done.

GDPR Art. 18(3). What the person takes back by themselves is lifted at once: they know.
"""

from __future__ import annotations

from schemas import events as e
from schemas.derive import event_name

from .case import Case, Lifting
from .rights import RESTRICTION
from .rules import Rules
from .values import replace

LIFTING = "lifting"
"""The kind of the notice that says so."""
DECIDED = event_name(e.LiftDecided)


def decided(case: Case, event: e.LiftDecided, _: Rules) -> Case:
    return replace(case, lifting=Lifting(by=event.by))


def recorded(case: Case, event: e.DecisionRecorded) -> Case:
    """Where the reasons are sealed that the person is to read."""
    if event.name != DECIDED or case.lifting is None or case.lifting.recorded:
        return case
    return replace(case, lifting=replace(case.lifting, recorded=case.number))


def told(case: Case, order: e.NoticeOrdered) -> Case:
    """The person knows: now it may be lifted."""
    if order.kind != LIFTING or case.lifting is None:
        return case
    return replace(case, lifting=replace(case.lifting, told=True))


def may_lift(case: Case) -> bool:
    """Whether what was restricted is to be so no longer, and the person knows."""
    claim = case.claims.get(RESTRICTION)
    if claim is None:
        return False
    return claim.state == "withdrawn" or (case.lifting is not None and case.lifting.told)


def objection(case: Case) -> str:
    """Why a restriction cannot be lifted now; empty if it can."""
    claim = case.claims.get(RESTRICTION)
    if claim is None or not case.wants(RESTRICTION):
        return "no restriction is asked for, or not any more"
    if claim.settled_at is None:
        return "it is not carried out yet"
    return "" if case.lifting is None else "that was decided already"
