"""What was withdrawn or refused: what was put off does not leave, and letters say what did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest

from pipeline.case.decisions import UNFOUNDED
from schemas import events as e
from schemas.events import Event

from .worlds import CASE, Run, World, many_tickets, rules, small_world, told_nobody

BOTH = ("access", "erasure")


@dataclass
class Away(World):
    """Hosts of ours put everything off; vendors say nothing to what they are to erase."""

    away: tuple[type[Event], ...] = ()
    silent: bool = False

    def answer(self, order: Event) -> Iterator[Event]:
        if isinstance(order, self.away):
            assert isinstance(order, e.InstructionOrdered | e.ResponseOrdered)
            yield e.OrderDeferred(
                case=CASE,
                order=order.order,
                system="recipients" if isinstance(order, e.InstructionOrdered) else "response",
                until=self.now,
                reason="unavailable",
            )
        elif not (self.silent and isinstance(order, e.TaskOrdered)):
            yield from super().answer(order)


def away(world: World, *what: type[Event], silent: bool = False) -> Away:
    made = Away(things=world.things, facts=world.facts, away=what, silent=silent)
    made.leads_to = world.leads_to
    return made


def withdrawn(run: Run, *rights: str) -> None:
    for right in rights:
        event = e.ClaimWithdrawn(case=CASE, by="dpo", right=right, together=rights)
        run.settle(run.take(event, uuid4()))


def refused(run: Run) -> None:
    run.take(e.RefusalProposed(case=CASE, by="dpo", at=run.now, reason=UNFOUNDED), uuid4())
    assert run.case is not None
    assert run.case.proposal is not None
    recorded = replace(run.case.proposal, recorded=run.case.number)  # as its record would have it
    run.case = replace(run.case, proposal=recorded)
    confirmed = e.RequestRefused(case=CASE, by="ann", reason=UNFOUNDED, proposal=recorded.digest)
    run.settle(run.take(confirmed, uuid4()))


@pytest.mark.parametrize("how", ["withdrawn", "refused"])
def test_recipients_whom_no_instruction_reached_are_told_nothing_more(how: str) -> None:
    """GDPR Art. 19: there is nothing to tell them of."""
    world = away(small_world(customer=False), e.InstructionOrdered, silent=True)
    run = Run(world, rules=rules())
    run.go(*BOTH)
    before = run.of(e.InstructionOrdered)
    assert before
    if how == "withdrawn":
        withdrawn(run, *BOTH)
    else:
        refused(run)
    world.away = ()
    for _ in range(12):
        run.settle(run.wait(timedelta(hours=1)))
    assert run.of(e.InstructionOrdered) == before
    letters = [it for it in run.of(e.NoticeOrdered) if getattr(it, "kind", "") == "withdrawn"]
    assert [it.recipients for it in letters] == [()] * len(letters)  # type: ignore[attr-defined]
    assert len(letters) == (how == "withdrawn")


def test_an_interim_answer_that_was_put_off_does_not_leave_after_a_withdrawal() -> None:
    world = away(many_tickets(60), e.ResponseOrdered)
    run = Run(world, rules=told_nobody())
    run.go("erasure")
    while not run.of(e.ResponseOrdered):
        run.settle(run.wait(timedelta(hours=6)))
    withdrawn(run, "erasure")
    world.away = ()
    for _ in range(12):
        run.settle(run.wait(timedelta(hours=1)))
    assert not run.of(e.ResponseSigned)
    kinds = [it.kind for it in run.of(e.NoticeOrdered)]  # type: ignore[attr-defined]
    assert kinds[-1] == "withdrawn"


def test_what_was_erased_after_a_withdrawal_is_told_once_however_often_it_is_answered() -> None:
    world = away(small_world(customer=False), silent=True)
    run = Run(world, rules=told_nobody())
    run.go("erasure")
    tasks = [it for it in run.of(e.TaskOrdered) if isinstance(it, e.TaskOrdered)]
    assert tasks
    again = [it for it in run.wait(timedelta(minutes=30)) if isinstance(it, e.TaskOrdered)]
    withdrawn(run, "erasure")
    world.silent = False
    for order in (*tasks, *again):
        for event, event_id in run.answers(order):
            run.settle(run.take(event, event_id))
    letters = [
        it
        for it in run.of(e.NoticeOrdered)
        if isinstance(it, e.NoticeOrdered) and it.kind == "withdrawn"
    ]
    systems = tuple(sorted({it.system for it in tasks}))
    assert [(it.acted, it.told) for it in letters] == [((), systems), (systems, ())]
