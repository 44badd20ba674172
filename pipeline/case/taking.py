"""Who sees to an item of the inbox: whoever took it last, until it ends."""

from __future__ import annotations

from schemas import events as e
from schemas.derive import event_name

from .case import Case, Taken
from .rules import Rules
from .values import replace


def taken(case: Case, event: e.ItemTaken, _: Rules) -> Case:
    """The item is theirs, whoever had it before."""
    return replace(case, taken={**case.taken, event.item: Taken(by=event.by, since=event.at)})


def recorded(case: Case, event: e.DecisionRecorded) -> Case:
    """Under which login it was taken, and where that is sealed."""
    if event.name != event_name(e.ItemTaken):
        return case
    return replace(
        case,
        taken={
            item: it if it.recorded else replace(it, recorded=case.number, login=event.login)
            for item, it in case.taken.items()
        },
    )
