"""Who is asked what, by mail: each address for itself, and nobody twice."""

from __future__ import annotations

from datetime import timedelta

from pipeline.case.case import NOTICE, Case, Known
from pipeline.case.fold import apply
from pipeline.case.rules import Given
from pipeline.stages.notify import notify
from schemas import events as e

from .worlds import CASE, START, rules, tag

UNTIL = START + timedelta(days=14)


def case_of(*kinds: str) -> Case:
    known = {tag(kind): Known(tag=tag(kind), kind=kind, strong=True, source=2) for kind in kinds}
    return Case(id=CASE, number=2, received_at=START, due_at=START, known=known)


def ordered(case: Case, event: e.Event) -> list[e.NoticeOrdered]:
    said = notify(case, event, rules(), Given(now=START))
    return [it for it in said if isinstance(it, e.NoticeOrdered)]


def asked(*names: str) -> e.ConfirmationAsked:
    tags = tuple(tag(it) for it in names)
    return e.ConfirmationAsked(case=CASE, tags=tags, expires_at=UNTIL)


def test_every_address_gets_a_notice_of_its_own() -> None:
    found = ordered(case_of("email"), asked("one", "two", "three"))
    assert [(it.kind, it.to, it.expires_at) for it in found] == [("confirm", "subject", UNTIL)] * 3
    assert [it.identifier for it in found] == [tag("one"), tag("two"), tag("three")]
    assert [it.n for it in found] == [1, 2, 3]
    assert len({it.order for it in found}) == 3


def test_numbers_go_on_where_earlier_notices_ended() -> None:
    case = case_of("email")
    for it in ordered(case, asked("one", "two")):
        case = apply(case, it, rules())
    (third,) = ordered(case, asked("three"))
    assert third.n == 3
    assert len(case.under_way(NOTICE)) == 2


def test_who_has_an_address_is_asked_by_a_link_alone() -> None:
    event = e.IdentityAsked(case=CASE, level=2, expires_at=UNTIL)
    assert ordered(case_of("email", "phone"), event) == []
    (notice,) = ordered(case_of("phone", "user_id"), event)
    assert (notice.kind, notice.identifier) == ("identity_asked", b"")


def test_an_attempt_that_comes_again_goes_to_the_same_address() -> None:
    case = case_of("email")
    for it in ordered(case, asked("one", "two")):
        case = apply(case, it, rules())
    first = case.under_way(NOTICE)[1].ordered
    assert isinstance(first, e.NoticeOrdered)
    (again,) = ordered(case, e.OrderDue(case=CASE, order=first.order))
    assert again.order != first.order
    assert (again.identifier, again.n, again.attempt) == (tag("two"), 2, 2)
