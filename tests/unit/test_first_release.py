"""A ledger of the first release folds: what was done stays done, the rest waits for a person."""

from __future__ import annotations

from pipeline.case.coverage import WHOSE, coverage
from pipeline.case.fold import fold
from pipeline.case.whose import UNKNOWN_OWNER
from pipeline.stages.report import broken
from schemas.codec import body, from_body
from schemas.derive import event_name
from schemas.events import Event

from .worlds import Run, rules, small_world, tag, told_nobody

AFTER = frozenset({"plan_made", "plan_approved", "task_ordered"})
"""What follows once all is located."""


def first(event: Event) -> Event:
    """The event as the first release wrote it, read by this one."""
    return from_body(event_name(type(event)), 1, body(event, 1))


def test_the_first_address_of_a_request_has_its_level_and_no_other_one() -> None:
    run = Run(small_world())
    run.start("access")
    case = fold(map(first, (it.event for it in run.said)), rules())
    assert case is not None
    assert case.usable() == {tag("first"): "vouched"}


def test_what_was_erased_stays_so_and_what_told_nothing_of_whose_it_is_waits() -> None:
    run = Run(small_world(customer=False), rules=told_nobody())
    done = run.go("erasure")
    case = fold(map(first, (it.event for it in run.said)), rules())
    assert case is not None
    assert case.state == done.state
    assert case.outcomes == done.outcomes
    assert case.claims == done.claims
    assert set(case.whose.values()) == {UNKNOWN_OWNER}
    assert not broken(case, rules())
    assert coverage(case, "erasure", rules()) == coverage(done, "erasure", rules())


def test_a_case_under_way_is_neither_copied_nor_erased_any_further() -> None:
    run = Run(small_world(customer=False))
    waiting = run.start("erasure")
    for order in waiting:  # nothing of what follows is sent
        for event, event_id in run.answers(order):
            run.take(event, event_id)
    located = [it.event for it in run.said if event_name(type(it.event)) not in AFTER]
    case = fold(map(first, located), rules())
    assert case is not None
    assert case.held
    assert {it.outcome for it in coverage(case, "erasure", rules()) if it.category} == {WHOSE}
