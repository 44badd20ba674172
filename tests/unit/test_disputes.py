"""What is said to be wrong, and is for a person to correct: restricted until they have."""

from __future__ import annotations

from uuid import uuid5

from pipeline.case.inbox import About, waiting
from schemas import events as e
from schemas.events import Event
from tests.unit.worlds import CASE, Run, small_world, told_nobody


def disputing(*claims: str) -> Run:
    """Salesforce has something else than what is said to be wrong; Freshdesk has that."""
    world = small_world()
    (record,) = world.things["salesforce"]
    record.differs = True
    made = Run(world, rules=told_nobody())
    made.go("rectification", *claims)
    return made


def marked(made: Run) -> set[str]:
    things = (it for held in made.world.things.values() for it in held)
    return {it.name for it in things if "restrict" in it.marks}


def about(made: Run) -> About:
    assert made.case is not None
    items = (it.about for it in waiting(made.case, made.rules) if it.about is not None)
    (found,) = (it for it in items if it.right == "rectification")
    return found


def settle(made: Run, how: str) -> list[Event]:
    item = about(made)
    event = e.ItemSettled(
        case=CASE,
        by="dpo",
        at=made.now,
        right=item.right,
        system=item.system,
        kind=item.kind,
        was=item.was,
        how=how,
        reason="" if how == "done" else "others_rights",
    )
    return made.decide(event)


def letters(orders: list[Event]) -> list[e.NoticeOrdered]:
    found = (it for it in orders if isinstance(it, e.NoticeOrdered))
    return [it for it in found if it.kind == "resolved"]


def test_what_a_person_has_to_compare_is_restricted_meanwhile_and_nothing_else() -> None:
    """GDPR Art. 18(1)(a)."""
    made = disputing()
    assert marked(made) == {"sf-record"}
    assert about(made).was.restricted == "restricted"
    orders = (it for it in made.of(e.MeasureOrdered) if isinstance(it, e.MeasureOrdered))
    assert [(it.verb, it.system) for it in orders][-1] == ("restrict", "salesforce")


def test_it_ends_once_it_is_decided_and_the_person_knows() -> None:
    """GDPR Art. 18(3)."""
    made = disputing()
    orders = settle(made, "not_possible")
    (letter,) = letters(orders)
    assert letter.to == "subject"
    assert marked(made) == {"sf-record"}, "they do not know yet"
    made.settle(orders)
    assert not marked(made)


def test_what_a_person_corrected_is_read_anew_before_it_ends() -> None:
    made = disputing()
    orders = settle(made, "done")
    assert not letters(orders), "it may still be wrong"
    made.settle(orders)
    assert marked(made) == {"sf-record"}
    assert about(made).was.reason == "other_value"
    made.world.things["salesforce"][0].differs = False
    made.settle(settle(made, "done"))
    assert not marked(made)
    assert made.case is not None
    assert {it.outcome.kind for it in made.case.claims["rectification"].coverage} == {"rectified"}


def test_what_is_restricted_for_another_reason_stays_so() -> None:
    made = disputing("restriction")
    before = marked(made)
    assert "sf-record" in before
    orders = settle(made, "not_possible")
    assert not letters(orders), "their restriction does not end"
    made.settle(orders)
    assert marked(made) == before
    made.settle(made.decide(e.LiftDecided(case=CASE, by="dpo")))
    assert not marked(made)


def test_a_letter_that_does_not_arrive_lifts_nothing() -> None:
    made = disputing()
    orders = settle(made, "not_possible")
    (letter,) = letters(orders)
    bounced = e.NoticeFailed(case=CASE, order=letter.order, system="notice", reason="bounced")
    orders = [it for it in orders if it is not letter]
    made.settle(orders + made.take(bounced, uuid5(CASE, "bounced")))
    assert marked(made) == {"sf-record"}
    assert made.case is not None
    (item,) = waiting(made.case, made.rules)
    assert item.about is not None
    reached = e.ItemSettled(
        case=CASE,
        by="dpo",
        at=made.now,
        right="",
        system=item.about.system,
        kind=item.about.kind,
        was=item.about.was,
        how="done",
    )
    made.settle(made.decide(reached))
    assert not marked(made)


def test_a_correction_that_is_taken_back_leaves_no_mark() -> None:
    world = small_world()
    (record,) = world.things["salesforce"]
    record.differs = True
    made = Run(world, rules=told_nobody())
    orders = made.start("rectification", "access")
    right = "rectification"
    while orders:
        order = orders.pop(0)
        if isinstance(order, e.MeasureOrdered) and order.verb == "restrict":
            taken_back = e.ClaimWithdrawn(case=CASE, by="dpo", right=right, together=(right,))
            orders += made.decide(taken_back)
        for event, event_id in made.answers(order):
            orders += made.take(event, event_id)
    assert not marked(made)
