"""Instruct: have recipients without a connector told what a request asks of them (GDPR Art. 19)."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import (
    ClaimSettled,
    ErasureReleased,
    Event,
    HoldingsLocated,
    IdentityProved,
    IdentityVerified,
    InstructionOrdered,
    OrderDue,
    PlanApproved,
    RecipientOverdue,
    RequestsCompared,
    TaskCompleted,
    WhoseDecided,
)

from ..case.brake import Brake
from ..case.case import INSTRUCTION, RECIPIENTS, Case
from ..case.orders import order_id, reissued
from ..case.recipients import ERASE, Telling, to_remind, to_tell
from ..case.rules import Given, Rules

_CAUSES = (
    IdentityVerified,
    IdentityProved,
    WhoseDecided,
    HoldingsLocated,
    TaskCompleted,
    PlanApproved,
    ClaimSettled,
    RecipientOverdue,
    RequestsCompared,
    ErasureReleased,
)


def instruct(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order an instruction to each recipient who is to be told, or reminded.

    A hold stops those to erase, as it stops erasing here: they go out once it is lifted.
    """
    if isinstance(event, OrderDue):
        yield from reissued(case, event.order, InstructionOrdered, given.now, rules)
    if not isinstance(event, _CAUSES):
        return
    tellings = list(to_tell(case, rules))
    n = case.next_n(INSTRUCTION, RECIPIENTS)
    for it in tellings:
        if not _is_stopped(it, given.brake):
            yield _ordered(case, it, n, 0, rules, given)
            n += 1
    if isinstance(event, RecipientOverdue) and not any(_is_about(it, event) for it in tellings):
        key = event.recipient, event.right
        again = to_remind(case, key, rules, given.now)
        if again is not None and not _is_stopped(again, given.brake):
            yield _ordered(case, again, n, case.told[key].reminders + 1, rules, given)


def _is_stopped(it: Telling, brake: Brake) -> bool:
    return it.asks == ERASE and brake.stops(it.recipient)


def _is_about(it: Telling, event: RecipientOverdue) -> bool:
    return (it.recipient, it.right) == (event.recipient, event.right)


def _ordered(  # noqa: PLR0917  an order's whole content
    case: Case, it: Telling, n: int, reminder: int, rules: Rules, given: Given
) -> InstructionOrdered:
    settings = rules.settings
    return InstructionOrdered(
        case=case.id,
        order=order_id(case.id, (INSTRUCTION, RECIPIENTS, n), 1),
        n=n,
        attempt=1,
        recipient=it.recipient,
        right=it.right,
        asks=it.asks,
        not_after=given.now + settings.not_after_act,
        run_limit=int(settings.run_limit.total_seconds()),
        at=given.now,
        answer_by=given.now + 2**reminder * settings.recipient_wait,
        expires_at=given.now + settings.recipient_link_lives,
        reminder=reminder,
        copy_first=it.asks == ERASE and case.copies,
        identifiers=it.identifiers,
    )
