"""Restriction: kept, and used for nothing, until it is lifted (Art. 18)."""

from __future__ import annotations

from copy import deepcopy

import pytest

from connectors.salesforce.tables import PROCESSING, SOLICITED
from pipeline.app import CONSOLE
from pipeline.case.case import Case
from pipeline.register import reading
from schemas import events as e

from .people import ANN, BOB, Customer, customer
from .world import World


@pytest.fixture
async def asked(world: World) -> tuple[World, Customer]:
    """A customer who asks for it, and a stranger who does not."""
    held = customer(world)
    world.holds("freshdesk", "contact", name="Bob Stranger", email=BOB)
    world.holds("salesforce", "lead", FirstName="Bob", LastName="Stranger", Email=BOB)
    await world.submit("restriction", email=ANN)
    return world, held


def states(case: Case, right: str = "restriction") -> set[tuple[str, str, str]]:
    """(system, state, outcome) of what became of a claim."""
    return {(it.system, it.state, it.outcome.kind) for it in case.claims[right].coverage}


async def test_every_system_marks_what_it_holds_of_them(asked: tuple[World, Customer]) -> None:
    """Art. 18(1), 4(3): marked, with the aim of limiting its use; each read anew afterwards."""
    world, held = asked
    case = await world.case()
    proved = {system for system, state, _ in states(case) if state == "proved"}
    assert {"freshdesk", "salesforce", "stripe"} <= proved
    contact = world.row("freshdesk", held.contact)
    payer = world.row("stripe", held.payer)
    assert contact is not None
    assert payer is not None
    assert "processing-restricted" in contact["tags"]
    assert payer["metadata"]["habeas_restricted"] == "true"


async def test_nothing_is_erased_and_nothing_else_changes(asked: tuple[World, Customer]) -> None:
    """Art. 18(2): with the exception of storage."""
    world, held = asked
    row = world.row("freshdesk", held.contact)
    assert row is not None
    assert (row["name"], row["email"]) == ("Ann Example", ANN)
    assert not await world.said(e.TaskOrdered)


async def test_nobody_else_is_restricted(asked: tuple[World, Customer]) -> None:
    """Art. 18(1): the data subject, and no other."""
    world, _ = asked
    for sandbox in world.vendors.values():
        for row in sandbox.state().values():
            if BOB in str(row):
                assert "restricted" not in str(row)


@pytest.mark.parametrize("is_set", [False, True])
async def test_a_mark_that_somebody_else_shares_is_left_to_a_person(
    world: World, *, is_set: bool
) -> None:
    """Art. 18(1), 21(2): for the data subject alone, and not claimed where it is not."""
    flags = dict.fromkeys((PROCESSING, *SOLICITED), is_set)
    individual = world.holds("salesforce", "individual", LastName="Household", **flags)
    of = {"IndividualId": individual.split("/")[1]}
    mine = world.holds("salesforce", "contact", FirstName="Ann", Email=ANN, **of)
    theirs = world.holds("salesforce", "contact", FirstName="Bob", Email=BOB, **of)
    before = [deepcopy(world.row("salesforce", it)) for it in (individual, theirs)]
    await world.submit("restriction", "objection", email=ANN)
    case = await world.case()
    for right in ("restriction", "objection"):
        said = {it.outcome.reason for it in case.claims[right].coverage if it.state == "open"}
        assert "shared_individual" in said
        assert ("salesforce", "open", "needs_human") in states(case, right)
        assert not [it for it in states(case, right) if it[:2] == ("salesforce", "proved")]
    assert [world.row("salesforce", it) for it in (individual, theirs)] == before
    row = world.row("salesforce", mine)
    assert row is not None
    assert row["HasOptedOutOfEmail"] is True


async def test_the_answer_says_what_may_still_be_done_and_that_they_hear_first(
    asked: tuple[World, Customer],
) -> None:
    """Art. 18(2), 18(3): the allow-list, and the word before it is lifted."""
    world, _ = asked
    text = (await world.answer()).text
    assert "only if you agree, for legal claims, to protect the rights of another person" in text
    assert "Before it is lifted we tell you (Art. 18(3))." in text


async def test_recipients_hear_of_it(asked: tuple[World, Customer]) -> None:
    """Art. 19: each recipient to whom the data were disclosed."""
    world, _ = asked
    told = {it.to: it.text for it in world.instructions()}
    assert "restrict all that you hold for us" in told["privacy@twilio.com"]
    assert "We have restricted what we hold about them" in told["dpo@paypal.com"]


async def test_they_are_told_before_it_is_lifted(asked: tuple[World, Customer]) -> None:
    """Art. 18(3): informed by the controller before the restriction is lifted."""
    world, held = asked
    await world.decide(
        e.LiftDecided(case=world.cases[0], by=CONSOLE),
        says="The dispute about your address is settled: it was right.",
    )
    mails = [it for it in world.mails(ANN) if "restriction" in it.subject]
    assert len(mails) == 1
    assert "The dispute about your address is settled" in mails[0].text
    assert "supervisory authority" in mails[0].text
    (notice,) = (it for it in await world.said(e.NoticeOrdered) if it.kind == "lifting")
    said = [it.event for it in await reading.entries(world.engine, world.cases[0])]
    ordered = next(n for n, it in enumerate(said) if getattr(it, "order", None) == notice.order)
    told = next(n for n, it in enumerate(said) if n > ordered and isinstance(it, e.NoticeSent))
    assert told < next(n for n, it in enumerate(said) if getattr(it, "verb", "") == "lift")
    row = world.row("freshdesk", held.contact)
    assert row is not None
    assert "processing-restricted" not in row["tags"]
    assert "The restriction ends, as we told you before." in (await world.answer()).text


async def test_what_an_erasure_keeps_is_restricted(world: World) -> None:
    """Art. 18(1)(c), policy section 7: kept for claims, and used for nothing else."""
    held = customer(world)
    await world.submit("erasure", email=ANN)
    payer = world.row("stripe", held.payer)
    assert payer is not None
    assert payer["metadata"]["habeas_restricted"] == "true"
    answer = await world.answer()
    assert "It is marked there as not to be used." in answer.text
    assert "marked there" in world.report().text
