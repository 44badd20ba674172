"""Record: keep who took a decision, in which role and why, for as long as the case's key lives.

What a console sent is sealed to a key of the pipeline's that dies much sooner.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.derive import event_name
from schemas.events import DecisionRecorded, Event

from ..case.case import Case
from ..case.rules import Given, Rules


def record(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `decision_recorded` of what a person at a console decides."""
    del rules
    if given.roles:
        yield DecisionRecorded(
            case=case.id,
            name=event_name(type(event)),
            by=getattr(event, "by", ""),
            roles=given.roles,
            login=given.login,
        )
