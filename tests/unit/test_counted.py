"""Which decisions about the date come in time, and what they and the clock change in a case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from pipeline.case import inbox
from pipeline.case.case import FollowUp
from pipeline.case.decide import StaleError
from pipeline.case.dues import DEADLINE, PROGRESS, REMINDER, dues
from pipeline.case.reminders import waits
from pipeline.case.rules import Given
from pipeline.response.dates import WAITS
from pipeline.stages.inform import inform
from schemas import events as e
from schemas.events import Event
from tests.unit.worlds import CASE, START, Run, many_tickets, small_world

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def waiting_run() -> Run:
    """A case whose plan waits for a person, on the day on which it was received."""
    run = Run(many_tickets(30))
    run.go("erasure")
    return run


def paused(why: str = "clarification", after: timedelta = timedelta(0)) -> e.ClockPaused:
    return e.ClockPaused(case=CASE, by="cli", why=why, at=START + after)


def resumed(why: str = "clarification", after: timedelta = DAY) -> e.ClockResumed:
    return e.ClockResumed(case=CASE, by="cli", why=why, at=START + after)


def extended(reason: str = "eu-gdpr:A12Complexity") -> e.DeadlineExtended:
    return e.DeadlineExtended(case=CASE, by="cli", reason=reason)


def kinds(run: Run) -> set[str]:
    assert run.case is not None
    return {it.kind for it in dues(run.case, run.rules)}


@pytest.mark.parametrize(
    ("before", "refused", "why"),
    [
        ([], paused("mood"), "nobody is asked for 'mood'"),
        ([paused()], paused(after=SECOND), "already"),
        ([], paused(after=-SECOND), "before the request came"),
        ([], paused(after=3 * DAY), "is yet to be"),
        ([], resumed(), "does not stand still"),
        ([paused()], resumed("identity"), "does not stand still for identity"),
        ([paused(after=DAY)], resumed(after=DAY - SECOND), "before it was asked for"),
        ([paused()], resumed(after=3 * DAY), "is yet to be"),
        ([paused(), resumed()], resumed(), "does not stand still"),
        ([extended()], extended(), "extended already"),
        ([], extended(""), "needs a reason"),
        ([e.ClaimWithdrawn(case=CASE, by="cli", right="erasure")], extended(), "nothing of the"),
        ([e.ClaimWithdrawn(case=CASE, by="cli", right="erasure")], paused(), "nothing of the"),
    ],
)
def test_what_cannot_be_so_moves_no_date(before: list[Event], refused: Event, why: str) -> None:
    run = waiting_run()
    run.now += 2 * DAY
    for it in before:
        run.take(it, uuid4())
    was = run.case
    with pytest.raises(StaleError, match=why):
        run.take(refused, uuid4())
    assert run.case == was


def test_an_extension_comes_in_time_on_the_last_day_of_the_month_and_not_after_it() -> None:
    for late in (timedelta(0), SECOND):
        run = waiting_run()
        assert run.case is not None
        run.now = run.case.due_at + late
        if late:
            with pytest.raises(StaleError, match="had to hear of an extension by 2026-04-02"):
                run.take(extended(), uuid4())
        else:
            run.take(extended(), uuid4())
            assert run.case.due_at.date().isoformat() == "2026-06-02"


def test_while_the_time_stands_still_no_interim_answer_is_due_and_the_dpo_is_reminded() -> None:
    run = waiting_run()
    assert {DEADLINE, REMINDER} <= kinds(run)
    run.take(paused(), uuid4())
    assert DEADLINE not in kinds(run)
    assert REMINDER in kinds(run)
    run.now += 6 * DAY
    run.take(resumed(after=5 * DAY), uuid4())
    assert DEADLINE in kinds(run)
    assert run.case is not None
    assert run.case.due_at.date().isoformat() == "2026-04-07"


def test_a_new_date_is_reminded_of_anew() -> None:
    run = waiting_run()
    run.settle(run.wait(20 * DAY))
    assert run.case is not None
    assert run.case.reminded == {14}
    run.take(extended(), uuid4())
    assert run.case.reminded == frozenset()
    assert PROGRESS in kinds(run)


def test_of_reminders_that_are_due_at_once_the_nearest_is_mailed() -> None:
    run = waiting_run()
    orders = run.wait(30 * DAY)
    told = [it.kind for it in orders if isinstance(it, e.NoticeOrdered) and it.to == "dpo"]
    assert told.count("escalation") == 1
    assert "reminder" not in told
    assert run.case is not None
    assert run.case.reminded == {14, 7, 3}


def told(run: Run) -> list[tuple[str, str]]:
    assert run.case is not None
    return [(it.what, it.system) for it in waits(run.case, run.rules)]


def test_what_an_answer_waits_for_is_named_by_code_and_system() -> None:
    asked, searched, approving = Run(small_world()), Run(small_world()), waiting_run()
    asked.start("access", level=0)
    assert told(asked) == [("identity", "")]
    searched.start("access")
    assert told(searched) == [("search", "freshdesk"), ("search", "salesforce")]
    approving.take(paused(), uuid4())
    assert told(approving) == [("pause", ""), ("approval", "")]
    (said, _) = inbox.waiting(approving.case, approving.rules)  # type: ignore[arg-type]
    assert said.command == f"habeas decide resume {CASE} --for clarification"
    assert all(WAITS[what] for run in (asked, searched, approving) for what, _ in told(run))


def test_who_is_vouched_for_by_no_address_gets_no_acknowledgement_by_mail() -> None:
    run = Run(small_world())
    run.start("access", level=0)
    kinds_told = [it.kind for it in run.of(e.NoticeOrdered) if isinstance(it, e.NoticeOrdered)]
    assert kinds_told == ["confirm"]


def test_a_proof_is_waited_for_no_longer_than_a_refusal_would_be_in_time() -> None:
    run = Run(small_world())
    run.start("access", level=0)
    (asked,) = run.of(e.IdentityAsked)
    assert isinstance(asked, e.IdentityAsked)
    assert run.case is not None
    assert asked.expires_at < run.case.due_at - run.rules.settings.deadline_near


def test_what_falls_due_by_itself_gets_no_interim_answer_and_no_acknowledgement() -> None:
    """Nobody asked: only the DPO is told of its date."""
    run = waiting_run()
    assert run.case is not None
    told = FollowUp(parent=CASE, request=CASE, asked_at=START, rows={})
    run.case = replace(run.case, follow_up=told)
    assert DEADLINE not in kinds(run)
    assert REMINDER in kinds(run)
    opened = next(it.event for it in run.said if isinstance(it.event, e.CaseOpened))
    assert not list(inform(run.case, opened, run.rules, Given(now=START)))


@pytest.mark.parametrize("kind", inbox.KINDS)
def test_a_reminder_has_a_sentence_for_each_thing_that_may_be_on_the_list(kind: str) -> None:
    assert kind in WAITS
