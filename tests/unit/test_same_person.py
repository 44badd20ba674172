"""Two open cases of one person: who joins, who waits, and that a wait ends and loses nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from random import Random
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.case.case import Case, Known, Proposal
from pipeline.case.dues import COMPARE, COPY, dues
from pipeline.case.fold import apply
from pipeline.case.reminders import reminders, waits
from pipeline.case.same_person import Side, compared, has_copy
from schemas import events as e
from schemas.events import Event
from schemas.records import OutcomeRow

from .worlds import (
    CASE,
    START,
    Run,
    World,
    many_tickets,
    rows,
    rules,
    small_world,
    tag,
    told_nobody,
)

OTHER = UUID("0b1d6a52-77c0-4f0e-8a3e-0d1f4c9b2e55")
IDS = CASE, OTHER
BOTH = ("access", "erasure")
LATER = START + timedelta(days=3)
DAY = timedelta(days=1)
ANN = frozenset({tag("whole name")})
RULES = rules()


def opened(*claims: str, case: UUID = CASE, at: int = 0) -> Case:
    """A case that was just opened, at some day, and is searched for."""
    run = Run(small_world())
    run.start(*claims)
    assert run.case is not None
    when = START + timedelta(days=at)
    due = when + timedelta(days=31)
    no_orders = {slot: it for slot, it in run.case.orders.items() if slot[0] != "instruction"}
    return replace(run.case, id=case, received_at=when, due_at=due, orders=no_orders)


def older(*claims: str) -> Side:
    return side(opened(*claims))


def younger(*claims: str) -> Side:
    return side(opened(*claims, case=OTHER, at=3))


def side(case: Case, *proved: str, shown: str = "", names: frozenset[bytes] = ANN) -> Side:
    found = frozenset(map(tag, proved or ("ann",)))
    return Side(
        case=case, proved=found, shown=frozenset({tag(shown)} if shown else ()), names=names
    )


def joined(one: Side, other: Side) -> bool:
    """Whether the other joins the one, whoever is compared with whom."""
    there, back = compared(other, one, LATER, RULES), compared(one, other, LATER, RULES)
    assert [it for it in there if isinstance(it, e.RequestJoined)] == [
        it for it in back if isinstance(it, e.RequestJoined)
    ]
    assert there[-1].case == other.case.id
    assert back[-1].case == one.case.id
    return isinstance(there[0], e.RequestJoined)


@pytest.mark.parametrize(
    ("first", "second"),
    [(("access",), ("access",)), (("erasure",), ("erasure",)), (BOTH, BOTH), (BOTH, ("access",))],
)
def test_the_same_or_less_joins_the_older_one(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    (said,) = compared(younger(*second), older(*first), LATER, RULES)
    assert said == e.RequestJoined(
        case=OTHER, into=CASE, asked_at=START, due_at=START + timedelta(days=31)
    )
    assert joined(older(*first), younger(*second))


@pytest.mark.parametrize(
    ("first", "second"), [(("access",), ("erasure",)), (("erasure",), BOTH), (("access",), BOTH)]
)
def test_what_asks_for_anything_else_joins_nothing(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    assert not joined(older(*first), younger(*second))


def test_only_the_younger_one_joins_so_no_date_is_lost() -> None:
    for mine, other in permutations((older("access"), younger("access"))):
        said = compared(mine, other, LATER, RULES)[0]
        assert isinstance(said, e.RequestJoined)
        assert said.case == OTHER
    assert not joined(older("access"), younger(*BOTH))


def test_whoever_may_be_somebody_else_joins_nothing() -> None:
    first, second = older("access"), younger("access")
    assert not joined(first, replace(second, names=frozenset({tag("another name")})))
    assert not joined(first, replace(second, names=frozenset()))
    assert not joined(first, replace(second, shown=frozenset({tag("another phone")})))
    assert not joined(first, replace(second, proved=frozenset({tag("ann"), tag("more")})))
    assert not joined(first, replace(second, proved=frozenset({tag("bob")})))
    assert joined(replace(first, proved=frozenset({tag("ann"), tag("more")})), second)
    assert joined(replace(first, shown=frozenset({tag("a phone")})), second)


def test_what_is_not_proved_yet_keeps_a_request_for_itself() -> None:
    second = younger("access")
    named = Known(tag=tag("2nd"), kind="email", strong=True, source=2, given=True)
    case = replace(second.case, known={**second.case.known, tag("2nd"): named})
    assert not joined(older("access"), replace(second, case=case))
    found = replace(named, given=False)  # a record told of it, and nobody asked for it
    case = replace(case, known={**second.case.known, tag("2nd"): found})
    assert joined(older("access"), replace(second, case=case))


def test_nothing_joins_what_is_answered_or_may_be_refused() -> None:
    first, second = older("access"), younger("access")
    for state in ("fulfilled", "withdrawn", "refused", "joined"):
        claim = replace(first.case.claims["access"], state=state)
        assert not joined(side(replace(first.case, claims={"access": claim})), second)
    proposal = Proposal(digest=b"1", by="dpo", reason="eu-gdpr:A12ManifestlyExcessive")
    assert not joined(side(replace(first.case, proposal=proposal)), second)
    assert not joined(first, side(replace(second.case, proposal=proposal)))


def test_what_has_done_anything_outside_goes_on_by_itself() -> None:
    run = Run(small_world())
    run.start("access")
    assert run.case is not None
    assert any(slot[0] == "instruction" for slot in run.case.orders)
    told = replace(run.case, id=OTHER, received_at=LATER)
    assert not joined(older("access"), side(told))
    answered = replace(Run(small_world()).go("erasure"), id=OTHER, received_at=LATER)
    assert not joined(older(*BOTH), side(answered))


@pytest.mark.parametrize("turned", [False, True])
def test_an_erasure_waits_for_a_copy_whichever_was_asked_for_first(*, turned: bool) -> None:
    erasing, copying = older("erasure"), younger("access")
    if turned:
        erasing, copying = younger("erasure"), older("access")
    for mine, other in permutations((erasing, copying)):
        there, here = compared(mine, other, LATER, RULES)
        assert isinstance(here, e.RequestsCompared)
        assert isinstance(there, e.RequestsCompared)
        assert (there.case, here.case) == (other.case.id, mine.case.id)
        assert there.waits == here.waits == (erasing.case.id,)


def test_two_who_want_both_wait_for_each_others_copy_alone() -> None:
    first, second = older(*BOTH), replace(younger(*BOTH), names=frozenset())
    told, _ = compared(second, first, LATER, RULES)
    assert isinstance(told, e.RequestsCompared)
    assert set(told.waits) == {CASE, OTHER}


def test_who_shares_nothing_or_wants_no_copy_waits_for_nothing() -> None:
    (said,) = compared(younger("erasure"), older("erasure", "access"), LATER, RULES)
    assert isinstance(said, e.RequestJoined)
    stranger = replace(older("access"), proved=frozenset({tag("bob")}))
    done = e.RequestsCompared(case=OTHER, other=CASE, at=LATER)
    assert compared(younger("erasure"), stranger, LATER, RULES) == (done,)
    another = replace(older("access"), names=frozenset())
    assert compared(younger("access"), another, LATER, RULES) == (done,)


def test_what_is_copied_or_erased_whole_waits_for_nothing_and_all_else_does() -> None:
    done = e.RequestsCompared(case=OTHER, other=CASE, at=LATER)
    copied = side(Run(small_world()).go("access"))
    assert has_copy(copied.case)
    assert compared(younger("erasure"), copied, LATER, RULES) == (done,)
    whole = Run(small_world(customer=False), rules=told_nobody()).go("erasure")
    assert whole.claims["erasure"].state == "fulfilled"
    erased = side(replace(whole, id=OTHER, received_at=LATER))
    assert compared(erased, older("access"), LATER, RULES) == (done,)
    run = Run(small_world())
    orders = run.start("erasure")
    while not run.of(e.TaskOrdered):
        for event, event_id in run.answers(orders.pop(0)):
            orders += run.take(event, event_id)
    assert run.case is not None
    assert run.case.claims["erasure"].active
    told = side(replace(run.case, id=OTHER, received_at=LATER))
    _, here = compared(told, older("access"), LATER, RULES)
    assert isinstance(here, e.RequestsCompared)
    assert here.waits == (OTHER,)


def test_a_wait_ends_before_the_date_of_who_waits_and_where_a_fee_holds_the_copy_up() -> None:
    erasing, copying = younger("erasure"), older("access")
    late = erasing.case.due_at - RULES.settings.deadline_near
    for now, waiting in ((late - timedelta(seconds=1), (OTHER,)), (late, ())):
        here = compared(erasing, copying, now, RULES)[-1]
        assert isinstance(here, e.RequestsCompared)
        assert here.waits == waiting
    unpaid = replace(copying, case=replace(copying.case, fee_awaited=b"proposal"))
    assert has_copy(unpaid.case)


def test_a_copy_that_lacks_a_system_is_waited_for() -> None:
    world = small_world()
    world.failing["freshdesk"] = "forbidden"
    assert not has_copy(Run(world).go("access"))


def test_what_waits_for_its_own_copy_waits_for_another_ones_as_well() -> None:
    run = Run(small_world())
    orders = run.start(*BOTH)
    while any(isinstance(it, e.SearchOrdered) for it in orders):
        order = next(it for it in orders if isinstance(it, e.SearchOrdered))
        orders.remove(order)
        for event, event_id in run.answers(order):
            orders += run.take(event, event_id)
    assert run.case is not None
    assert run.case.plan is not None
    assert run.case.plan.state == "approved"
    another = replace(younger("access"), names=frozenset())
    told, _ = compared(another, side(run.case), LATER, RULES)
    assert isinstance(told, e.RequestsCompared)
    assert told.waits == (CASE,)


def test_a_copy_that_a_person_made_up_for_is_waited_for_no_more() -> None:
    case = Run(small_world()).go("access")
    (answer,) = case.responses
    lacking = replace(case, responses=(replace(answer, digest=b"", name=""),))
    assert not has_copy(lacking)
    row = ("", (b"", f"response/response {answer.n}"))
    done = OutcomeRow(kind="attested")
    assert has_copy(replace(lacking, by_hand={row: done}))
    interim = replace(case, responses=(replace(answer, kind="interim"),))
    assert not has_copy(interim)


def test_before_it_is_compared_a_case_asks_nobody_and_tells_nobody() -> None:
    run = Run(small_world(), others=(OTHER,))
    assert [it.kind for it in run.start(*BOTH) if isinstance(it, e.NoticeOrdered)] == ["received"]
    assert run.case is not None
    assert run.case.comparing == {OTHER: START}
    assert not run.of(e.SearchOrdered)
    assert not run.of(e.InstructionOrdered)
    assert [it.at for it in dues(run.case, rules()) if it.kind == COMPARE] == [START]
    done = e.RequestsCompared(case=CASE, other=OTHER, at=START)
    assert run.take(done, uuid4())
    assert run.of(e.SearchOrdered)
    assert run.of(e.InstructionOrdered)
    assert not run.case.comparing


def test_whoever_has_joined_does_nothing_more_whatever_comes_late() -> None:
    run = Run(many_tickets(30))
    late = [it for order in run.start(*BOTH) for it in run.answers(order)]
    said = e.RequestJoined(case=CASE, into=OTHER, asked_at=START, due_at=LATER)
    (letter,) = run.take(said, uuid4())
    assert isinstance(letter, e.NoticeOrdered)
    assert (letter.kind, letter.follows, letter.due_at) == ("joined", OTHER, LATER)
    before = len(run.said)
    for event, event_id in late:
        if not isinstance(event, e.InstructionSent):
            assert run.take(event, event_id) == []
    assert all(it.cause is None for it in run.said[before:])
    assert run.case is not None
    assert (run.case.state, run.case.joined) == ("joined", OTHER)
    assert {it.state for it in run.case.claims.values()} == {"joined"}
    run.wait(timedelta(days=90))
    assert not run.of(e.TaskOrdered)
    assert not run.of(e.ResponseOrdered)
    assert not run.of(e.DeadlineNear)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), claims=st.sampled_from([("erasure",), BOTH]))
def test_whenever_a_wait_begins_nothing_is_erased_until_it_ends_and_then_all_is(
    seed: int, claims: tuple[str, ...]
) -> None:
    random = Random(seed)
    plain = Run(small_world()).go(*claims)
    run = Run(small_world())
    waiting: list[tuple[Event, UUID]] = []
    orders, begins, ordered = run.start(*claims), random.randrange(12), None
    for step in range(1000):
        if step == begins:
            orders += run.take(waits_for(OTHER), uuid5(CASE, "compared"))
            ordered = len(run.of(e.TaskOrdered))
        if orders:
            waiting += run.answers(orders.pop(random.randrange(len(orders))))
        elif waiting:
            orders += run.take(*waiting.pop(random.randrange(len(waiting))))
        elif ordered is not None:
            break
    assert run.case is not None
    assert run.case.awaits == {OTHER: LATER}
    assert len(run.of(e.TaskOrdered)) == ordered
    run.settle(run.take(e.ErasureReleased(case=CASE, erasing=CASE, copying=OTHER), uuid4()))
    assert not run.case.awaits
    assert {it: rows(run.case, it) for it in claims} == {it: rows(plain, it) for it in claims}
    assert len(run.world.erased) == len(set(run.world.erased))


def test_a_case_that_waits_says_so_and_is_reminded_of() -> None:
    run = Run(small_world())
    orders = run.start("erasure")
    run.settle([*run.take(waits_for(OTHER), uuid4()), *orders])
    assert run.case is not None
    assert run.case.claims["erasure"].active
    assert [it.what for it in waits(run.case, rules())] == ["copy"]
    assert list(reminders(run.case, rules()))
    (again,) = [it for it in dues(run.case, rules()) if it.kind == COMPARE]
    assert (again.ref, again.at) == (str(OTHER), run.case.due_at - rules().settings.deadline_near)


def test_where_nothing_is_to_be_erased_recipients_are_told_after_the_copy_and_answered_once() -> (
    None
):
    run = Run(World(things={}))
    orders = run.start("erasure")
    run.settle([*run.take(waits_for(OTHER), uuid4()), *orders])
    assert not run.of(e.InstructionOrdered)
    assert not run.of(e.ClaimSettled)
    run.settle(run.take(e.ErasureReleased(case=CASE, erasing=CASE, copying=OTHER), uuid4()))
    assert run.of(e.InstructionOrdered)
    assert len(run.of(e.ResponseSigned)) == 1


def test_a_wait_for_a_case_that_nobody_decides_about_ends_before_the_date() -> None:
    case = apply(opened("erasure"), waits_for(OTHER), rules())
    assert case.awaits
    gone = e.RequestsCompared(case=CASE, other=OTHER, at=LATER)
    assert not apply(case, gone, rules()).awaits


def test_who_is_waited_for_says_when_the_copy_is_there_or_will_never_be() -> None:
    waited = waits_for(CASE, case=CASE, other=OTHER)
    run = Run(small_world())
    orders = run.start("access")
    run.take(replace(waited, waits=(OTHER,)), uuid4())
    assert run.case is not None
    assert COPY not in {it.kind for it in dues(run.case, rules())}
    over = e.RequestJoined(case=CASE, into=uuid4(), asked_at=START, due_at=LATER)
    for ends in (over, e.ClaimWithdrawn(case=CASE, by="dpo", right="access")):
        ended = apply(run.case, ends, rules())
        assert [it.ref for it in dues(ended, rules()) if it.kind == COPY] == [str(OTHER)]
    run.settle(orders)
    assert [it.ref for it in dues(run.case, rules()) if it.kind == COPY] == [str(OTHER)]
    told = e.ErasureReleased(case=CASE, erasing=OTHER, copying=CASE)
    assert COPY not in {it.kind for it in dues(apply(run.case, told, rules()), rules())}


@given(st.permutations(range(4)))
def test_the_same_said_twice_is_as_said_once(order: list[int]) -> None:
    said: list[Event] = [
        e.SamePersonFound(case=CASE, others=(OTHER,), at=START),
        waits_for(OTHER),
        e.ErasureReleased(case=CASE, erasing=CASE, copying=OTHER),
        e.RequestJoined(case=CASE, into=OTHER, asked_at=START, due_at=LATER),
    ]
    case = opened(*BOTH)
    for n in order:
        case = apply(case, said[n], rules())
        assert replace(apply(case, said[n], rules()), number=case.number) == case


def on_the_way(random: Random, case: UUID) -> Case:
    """A case that asks for something, and has come some way."""
    run = Run(random.choice([small_world, lambda: many_tickets(30)])())
    orders = run.start(*random.choice([("access",), ("erasure",), BOTH]))
    for _ in range(random.randrange(14)):
        if orders:
            for event, event_id in run.answers(orders.pop(random.randrange(len(orders)))):
                orders += run.take(event, event_id)
    assert run.case is not None
    return replace(run.case, id=case, received_at=START + random.randrange(2) * DAY)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_whoever_is_compared_with_whom_it_comes_to_the_same(seed: int) -> None:
    random = Random(seed)
    one, other = side(on_the_way(random, CASE)), side(on_the_way(random, OTHER))
    ends = []
    for mine, theirs in permutations((one, other)):
        cases = {it.case.id: it.case for it in (mine, theirs)}
        for event in compared(mine, theirs, LATER, RULES):
            cases[event.case] = apply(cases[event.case], event, rules())
        ends.append([(it.joined, {*it.awaits}, it.awaited_by) for it in map(cases.get, IDS) if it])
        first, second = (cases[it] for it in IDS)
        assert (OTHER in first.awaits, CASE in second.awaits) == (
            CASE in second.awaited_by,
            OTHER in first.awaited_by,
        )
        for it, elsewhere in ((first, second), (second, first)):
            if it.joined:
                assert elsewhere.joined is None
                assert not it.responses
                assert all(elsewhere.claims[right].active for right in it.claims)
                assert elsewhere.received_at <= it.received_at
            if elsewhere.id in it.awaits:
                assert not has_copy(elsewhere)
    assert ends[0] == ends[1]


def waits_for(copying: UUID, *, case: UUID = CASE, other: UUID | None = None) -> e.RequestsCompared:
    return e.RequestsCompared(case=case, other=other or copying, at=LATER, waits=(case,))
