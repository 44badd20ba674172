"""Tell: write to the person what came of a decision, and to the DPO what waits for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schemas.events import (
    ClaimWithdrawn,
    Event,
    FeeAsked,
    NoticeOrdered,
    PeopleNeeded,
    RequestJoined,
    TaskCompleted,
    TaskDeclined,
)

from ..case import inbox, lifecycle, recipients
from ..case.case import TASK, Case
from ..case.orders import CALLED_BACK
from ..case.outcome import CHANGED
from ..case.rights import ACCESS, ERASURE
from ..case.rules import Given, Rules
from .notify import DPO, SUBJECT, notice


def tell(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order a notice of a fee, of a withdrawal and what it came too late for, of where a request is
    answered that was made before, or of the inbox.
    """
    match event:
        case FeeAsked() if case.proposal is not None:
            fee = case.proposal
            ordered = notice(case, "fee_asked", SUBJECT, rules, given)
            yield replace(ordered, reason=fee.reason, fee=fee.fee, currency=fee.currency)
        case ClaimWithdrawn() if not any(_is_open(case, it) for it in event.together):
            yield _withdrawn(case, rules, given)
        case TaskCompleted() | TaskDeclined() if ERASURE in _taken_back(case):
            more = _withdrawn(case, rules, given)
            if not _is_under_way(case) and more.acted != _acted_as_told(case):
                yield more
        case RequestJoined():
            ordered = replace(notice(case, "joined", SUBJECT, rules, given), due_at=event.due_at)
            yield replace(ordered, follows=event.into, asked_at=event.asked_at)
        case PeopleNeeded():
            yield from _inbox(case, event, rules, given)
        case _:
            return


def _withdrawn(case: Case, rules: Rules, given: Given) -> NoticeOrdered:
    """What was withdrawn, what had been done for it by then and where, and what goes on."""
    rights = _taken_back(case)
    kind = "withdrawn" if case.state == lifecycle.WITHDRAWN else "withdrawn_part"
    return replace(
        notice(case, kind, SUBJECT, rules, given),
        rights=rights,
        goes_on=tuple(it for it in case.claims if _is_open(case, it)),
        copied=_copied(case) if ACCESS in rights else (),
        acted=_acted(case) if ERASURE in rights else (),
        told=_awaited(case) if ERASURE in rights else (),
        recipients=_told(case, rights, rules),
    )


def _is_open(case: Case, right: str) -> bool:
    return right in case.claims and case.claims[right].active


def _taken_back(case: Case) -> tuple[str, ...]:
    return tuple(it.right for it in case.claims.values() if it.state == "withdrawn")


def _copied(case: Case) -> tuple[str, ...]:
    return tuple(sorted({it.system for it in case.held.values() if it.exported}))


def _told(case: Case, rights: tuple[str, ...], rules: Rules) -> tuple[str, ...]:
    """The recipients who were told of it, or are being told: that is not called back."""
    rows = (row for right in rights for row in recipients.rows(case, right, rules))
    reached = (it.name for it in rows if it.state not in {recipients.NOT_TOLD, recipients.FAILED})
    return tuple(dict.fromkeys(reached))


def _acted(case: Case) -> tuple[str, ...]:
    """The systems where something was erased, or is going to be."""
    done = {case.held[tag].system for (tag, _), it in case.outcomes.items() if it.kind in CHANGED}
    return tuple(sorted(done))


def _acted_as_told(case: Case) -> tuple[str, ...]:
    """The systems that the latest letter about a withdrawal names."""
    letters = (it.ordered for it in case.orders.values() if isinstance(it.ordered, NoticeOrdered))
    said = [it for it in letters if it.kind in {"withdrawn", "withdrawn_part"}]
    return max(said, key=lambda it: it.n).acted if said else ()


def _awaited(case: Case) -> tuple[str, ...]:
    """The systems that were told to erase and have not answered: an order is not called back."""
    told = (it.slot for it in case.orders.values() if it.answered is None)
    return tuple(sorted({system for kind, system, _ in told if kind == TASK}))


def _is_under_way(case: Case) -> bool:
    """Whether a system may still be erasing. What was put off is not issued again."""
    tasks = [it for it in case.orders.values() if it.slot[0] == TASK and it.answered is None]
    return any(it.reason != CALLED_BACK for it in tasks)


def _inbox(case: Case, event: PeopleNeeded, rules: Rules, given: Given) -> Iterator[NoticeOrdered]:
    items = list(inbox.waiting(case, rules))
    if items:
        untaken = sum(it.taken is None for it in items)
        again = "people_untaken" if untaken else "people_again"
        ordered = notice(case, again if event.again else "people", DPO, rules, given)
        yield replace(
            ordered,
            items=len(items),
            untaken=untaken,
            takers=inbox.takers(items),
            expires_at=min(it.due for it in items),
            reason="" if case.incident is None else "incident",
        )
