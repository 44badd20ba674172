"""Measures: when they are ordered, what counts as proved, how a restriction ends."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid5

import pytest

from connectors.sdk.interface import Right
from pipeline.case import measures
from pipeline.case.brake import Brake
from pipeline.case.decide import StaleError
from pipeline.case.inbox import waiting
from schemas import events as e
from schemas.events import Event
from schemas.records import DoneRow, OutcomeRow
from tests.unit.worlds import CASE, Run, Thing, World, small_world, tag, told_nobody


def run(*claims: str, **given: object) -> Run:
    made = Run(small_world(), rules=told_nobody(), **given)  # type: ignore[arg-type]
    made.go(*claims)
    return made


def ordered(made: Run) -> list[tuple[str, str, str]]:
    """(verb, right, system) of every measure, in their order."""
    found = (it for it in made.of(e.MeasureOrdered) if isinstance(it, e.MeasureOrdered))
    return [(it.verb, it.right, it.system) for it in found]


def test_an_objection_to_marketing_takes_no_search_and_no_approval() -> None:
    """GDPR Art. 21(3), 12(2): at once, and in every system that has anything for it."""
    made = run("objection")
    assert ordered(made) == [("object_to", "objection", "salesforce")]
    assert not made.of(e.SearchOrdered)
    assert not made.of(e.PlanMade)


def test_a_word_for_another_thing_proves_nothing() -> None:
    """A host that says `erased` of a restriction has not shown that anything is restricted."""
    made = Run(small_world(), rules=told_nobody())
    orders = made.start("restriction")
    while orders:
        order = orders.pop(0)
        for event, event_id in made.answers(order):
            said = event
            if isinstance(event, e.MeasureTaken):
                rows = (replace(it, outcome=OutcomeRow(kind="erased")) for it in event.done)
                said = replace(event, done=tuple(rows))
            orders += made.take(said, event_id)
    assert made.case is not None
    states = {it.outcome.reason for it in made.case.claims["restriction"].coverage}
    assert states == {"not_proved"}


def test_a_row_that_the_host_does_not_speak_of_is_open() -> None:
    made = Run(small_world(), rules=told_nobody())
    orders = made.start("restriction")
    while orders:
        for event, event_id in made.answers(orders.pop(0)):
            said = replace(event, done=()) if isinstance(event, e.MeasureTaken) else event
            orders += made.take(said, event_id)
    assert made.case is not None
    rows = made.case.claims["restriction"].coverage
    assert {(it.state, it.outcome.reason) for it in rows} == {("open", "no_outcome")}


def test_what_may_be_somebody_elses_is_not_touched() -> None:
    things = [Thing("shared", "contact", {"contact"}, frozenset({"first"}), named=False)]
    made = Run(World(things={"freshdesk": things}), rules=told_nobody())
    made.world.failing = {"salesforce": "forbidden"}
    case = made.go("restriction", "rectification")
    assert ordered(made) == []
    assert not things[0].marks
    assert {it.outcome.reason for it in case.claims["restriction"].coverage} == {
        "whose_is_it",
        "forbidden",
    }


def test_a_pipeline_that_observes_changes_nothing_and_says_so() -> None:
    made = run("restriction", "objection", "rectification", brake=Brake(observe=True))
    assert ordered(made) == []
    assert made.case is not None
    reasons = {it.outcome.reason for claim in made.case.claims.values() for it in claim.coverage}
    assert reasons == {"observe_mode"}


def test_no_hold_stops_what_can_be_taken_back() -> None:
    """A hold is about erasing. An objection is carried out at once (GDPR Art. 21(3))."""
    made = run("restriction", "objection", brake=Brake(held=frozenset({"freshdesk", "salesforce"})))
    assert {verb for verb, _, _ in ordered(made)} == {"restrict", "object_to"}


def test_it_is_lifted_only_once_the_person_was_told() -> None:
    """GDPR Art. 18(3)."""
    made = run("restriction")
    marked = [it for things in made.world.things.values() for it in things if it.marks]
    assert marked
    orders = made.take(e.LiftDecided(case=CASE, by="dpo"), uuid5(CASE, "lift"))
    assert orders == [], "the reasons are recorded first"
    recorded = e.DecisionRecorded(
        case=CASE, name="lift_decided", by="dpo", roles=("dpo",), login=tag("login")
    )
    (notice,) = made.take(recorded, uuid5(CASE, "recorded"))
    assert isinstance(notice, e.NoticeOrdered)
    assert (notice.kind, notice.to) == ("lifting", "subject")
    assert all(it.marks for it in marked), "nobody was told yet"
    failed = e.NoticeFailed(case=CASE, order=notice.order, system="notice", reason="bounced")
    assert made.take(failed, uuid5(CASE, "failed")) == [], "nor by a letter that did not arrive"


def test_what_was_lifted_is_said_in_a_further_answer() -> None:
    made = run("restriction")
    made.take(e.LiftDecided(case=CASE, by="dpo"), uuid5(CASE, "lift"))
    recorded = e.DecisionRecorded(
        case=CASE, name="lift_decided", by="dpo", roles=("dpo",), login=tag("login")
    )
    made.settle(made.take(recorded, uuid5(CASE, "recorded")))
    assert made.case is not None
    assert {it.outcome.kind for it in made.case.claims["restriction"].coverage} == {"lifted"}
    assert not any(it.marks for things in made.world.things.values() for it in things)
    kinds = [it.kind for it in made.of(e.ResponseOrdered) if isinstance(it, e.ResponseOrdered)]
    assert kinds == ["final", "supplement"]


def test_nobody_lifts_what_is_not_restricted() -> None:
    made = run("access")
    with pytest.raises(StaleError, match="no restriction is asked for"):
        made.take(e.LiftDecided(case=CASE, by="dpo"), uuid5(CASE, "lift"))


def test_what_an_erasure_keeps_is_marked() -> None:
    """GDPR Art. 18(1)(c), 18(2): it is used for nothing but what it is kept for."""
    made = run("erasure")
    assert made.case is not None
    kept = [it for it in made.case.claims["erasure"].coverage if it.state == "kept"]
    assert kept
    assert {it.outcome.restricted for it in kept} == {"restricted"}
    assert ordered(made) == [("restrict", "erasure", "salesforce")]


def test_what_a_system_cannot_mark_is_said() -> None:
    known = told_nobody()
    able = {
        it: replace(of, rights=frozenset({Right.ACCESS, Right.ERASURE}))
        for it, of in known.systems.items()
    }
    made = Run(small_world(), rules=replace(known, systems=able))
    case = made.go("erasure", "restriction")
    kept = [it for it in case.claims["erasure"].coverage if it.state == "kept"]
    assert {it.outcome.restricted for it in kept} == {"not_offered"}
    assert {it.outcome.reason for it in case.claims["restriction"].coverage} == {"not_offered"}
    assert ordered(made) == []


def test_what_a_person_did_by_hand_is_read_anew() -> None:
    """Their word proves nothing that the pipeline can see for itself."""
    made = Run(small_world(), rules=told_nobody())
    orders, silent = made.start("objection"), True
    while orders:
        for event, event_id in made.answers(orders.pop(0)):
            said = event
            if isinstance(event, e.MeasureTaken) and event.part == 1 and silent:
                said, silent = replace(event, parts=1, done=()), False
            orders += made.take(said, event_id)
    assert made.case is not None
    (row,) = made.case.claims["objection"].coverage
    assert (row.state, row.outcome.reason) == ("open", "no_outcome")
    made.roles = ("reviewer",)
    by_hand = e.ItemSettled(
        case=CASE,
        by="dpo",
        at=made.now,
        right="objection",
        system=row.system,
        kind=row.kind,
        was=row.outcome,
        how="done",
    )
    made.settle(made.take(by_hand, uuid5(CASE, "by hand")))
    assert [verb for verb, _, _ in ordered(made)] == ["object_to", "object_to"]
    (row,) = made.case.claims["objection"].coverage
    assert (row.state, row.outcome.kind) == ("proved", "suppressed")


USE = "relationship"
"""A use on a contract, a law and our interest; of the small world, Salesforce holds data for it."""


def objecting(**given: object) -> Run:
    made = Run(small_world(), rules=told_nobody(), **given)  # type: ignore[arg-type]
    made.go("objection", purpose=USE)
    return made


def marked(made: Run) -> set[str]:
    things = (it for held in made.world.things.values() for it in held)
    return {it.name for it in things if "restrict" in it.marks}


def weigh(made: Run, how: str) -> list[Event]:
    return made.decide(e.ObjectionDecided(case=CASE, by="dpo", how=how))


def test_what_is_held_for_a_use_is_restricted_until_a_person_has_weighed_it() -> None:
    """GDPR Art. 21(1), 18(1)(d): searched, marked, read; then it waits, and is not settled."""
    made = objecting()
    assert made.of(e.SearchOrdered)
    assert {verb for verb, _, _ in ordered(made)} == {"restrict"}
    assert marked(made) == {"sf-record"}
    assert made.case is not None
    assert made.case.claims["objection_to_use"].active
    assert [it.kind for it in waiting(made.case, made.rules)] == ["objection"]


def test_a_use_that_is_objected_to_in_vain_goes_on_once_the_person_was_told_why() -> None:
    """GDPR Art. 21(1), 18(3), 12(4)."""
    made = objecting()
    before = marked(made)
    (notice,) = weigh(made, "overridden")
    assert isinstance(notice, e.NoticeOrdered)
    assert (notice.kind, notice.to, notice.reason) == ("overriding", "subject", "overridden")
    assert marked(made) == before
    assert made.case is not None
    assert made.case.claims["objection_to_use"].active
    made.settle([notice])
    assert not marked(made)
    claim = made.case.claims["objection_to_use"]
    assert {it.outcome.reason for it in claim.coverage} == {"compelling_grounds"}
    assert claim.state == "partially_fulfilled"
    assert not list(waiting(made.case, made.rules))


def test_what_is_upheld_stays_restricted() -> None:
    made = objecting()
    before = marked(made)
    made.settle(weigh(made, "upheld"))
    assert marked(made) == before
    assert made.case is not None
    assert made.case.claims["objection_to_use"].state == "fulfilled"


def test_a_letter_that_does_not_arrive_lifts_nothing_and_lets_it_be_weighed_anew() -> None:
    made = objecting()
    before = marked(made)
    (notice,) = weigh(made, "claims")
    assert isinstance(notice, e.NoticeOrdered)
    with pytest.raises(StaleError, match="decided already"):
        weigh(made, "upheld")
    failed = e.NoticeFailed(case=CASE, order=notice.order, system="notice", reason="bounced")
    made.settle(made.take(failed, uuid5(CASE, "failed")))
    assert marked(made) == before
    made.settle(weigh(made, "upheld"))
    assert marked(made) == before
    assert made.case is not None
    assert made.case.claims["objection_to_use"].state == "fulfilled"


def test_what_another_claim_wants_marked_stays_so() -> None:
    """A restriction (Art. 18) does not end because the use of something goes on."""
    made = Run(small_world(), rules=told_nobody())
    made.go("objection", "restriction", purpose=USE)
    before = marked(made)
    made.settle(weigh(made, "overridden"))
    assert marked(made) == before
    assert made.case is not None
    assert made.case.claims["restriction"].state == "fulfilled"
    made.settle(made.decide(e.LiftDecided(case=CASE, by="dpo")))
    assert not marked(made)


def test_an_objection_that_is_taken_back_ends_its_marks_at_once() -> None:
    made = objecting()
    assert marked(made)
    right = "objection_to_use"
    made.settle(made.decide(e.ClaimWithdrawn(case=CASE, by="dpo", right=right, together=(right,))))
    assert not marked(made)


def test_where_nothing_is_held_for_the_use_nobody_has_to_decide() -> None:
    made = Run(World(things={}), rules=told_nobody())
    case = made.go("objection", purpose=USE)
    assert case.claims["objection_to_use"].state == "no_data"
    assert not list(waiting(case, made.rules))


def test_a_use_that_the_policy_does_not_name_is_in_no_event_of_ours() -> None:
    """A person may have typed anything there."""
    made = Run(small_world(), rules=told_nobody())
    made.go("objection", purpose="ann.example")
    said = [it.event for it in made.said if not isinstance(it.event, e.RequestReceived)]
    assert not any("ann.example" in repr(it) for it in said)
    (opened,) = made.of(e.CaseOpened)
    assert isinstance(opened, e.CaseOpened)
    assert opened.purpose == "unknown_purpose"


def test_a_mark_that_an_earlier_order_of_the_case_has_set_is_its_own() -> None:
    """A record that came to carry more is told of again, and bears the mark by then."""
    made = run("restriction")
    assert made.case is not None
    order = next(it for it in made.of(e.MeasureOrdered) if isinstance(it, e.MeasureOrdered))
    bore = OutcomeRow(kind="restricted", reason="already")
    done = [
        DoneRow(tag=it.tag, category=category, outcome=bore)
        for it in order.rows
        for category in it.categories
    ]
    rows = {("restriction", (it.tag, it.category)) for it in done}
    fresh = replace(made.case, measured={})
    for case, reason in ((made.case, None), (fresh, "already")):
        said = measures.taken(case, order, done).measured
        assert rows
        assert {said[it].reason for it in rows} == {reason}
