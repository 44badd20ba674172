"""How requests come in, cross each other, and what becomes of what they leave (Art. 12, 15, 17)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.app import CONSOLE
from pipeline.register.reading import NoCaseError
from schemas import events as e

from .people import ANN, customer, ticket
from .world import BEGINS, World


async def test_the_month_runs_from_the_arrival_at_any_channel(world: World) -> None:
    """Art. 12(2), 12(3): it came by mail on a Friday, and somebody passed it on on Monday."""
    await world.submit("access", email=ANN, at=BEGINS - timedelta(days=3))
    text = (await world.answer()).text
    assert "On 27 February 2026 you asked us" in text
    assert "Due by law 27 March 2026" in text


async def test_what_was_passed_on_too_late_is_worked_on_and_the_dpo_is_told(world: World) -> None:
    """Art. 12(3): late is said, not hidden; the date stays what it was."""
    await world.submit("access", email=ANN, at=BEGINS - timedelta(days=40))
    (late,) = world.mails(to="info@bizxpert.com")
    assert "A request came in after its answer was due" in late.subject
    assert "21 February 2026" in late.text
    assert (await world.answer()).text


async def test_a_copy_and_an_erasure_at_once_the_copy_is_made_first(world: World) -> None:
    """Art. 15, 17: what is to go is in the copy, word for word."""
    held = customer(world)
    await world.submit("access", "erasure", email=ANN)
    copy = await world.answer(1)
    assert {it["kind"] for it in copy.records("freshdesk")} == {"contact", "ticket"}
    assert world.row("freshdesk", held.contact) is None
    assert world.effects("freshdesk", held.contact)


async def test_after_an_erasure_a_copy_has_what_is_still_held(world: World) -> None:
    """Art. 15(1): what is there is told, and where nothing is left, that."""
    held = customer(world)
    await world.submit("erasure", email=ANN)
    await world.later(days=20)
    await world.submit("access", email=ANN)
    answer = await world.answer()
    assert answer.records("salesforce")[0]["id"] == held.record.partition("/")[2]
    assert "data/freshdesk.json" not in answer.files or answer.records("freshdesk") == []
    assert "Plays the cello" not in answer.html


async def test_a_copy_has_what_was_there_when_the_search_was_made(world: World) -> None:
    """Art. 15(3): as it is at the request; what comes later is another copy's, and is not lost."""
    contact = world.holds("freshdesk", "contact", name="Ann", email=ANN)
    await world.submit("access", email=ANN)
    row = world.vendors["freshdesk"].table("contact")[contact.partition("/")[2]]
    row["name"] = "Ann Other"
    (first,) = (await world.answer()).records("freshdesk")
    assert first["data"]["name"] == "Ann"
    await world.submit("access", email=ANN)
    (second,) = (await world.answer()).records("freshdesk")
    assert second["data"]["name"] == "Ann Other"


async def test_whoever_became_a_customer_since_the_plan_keeps_what_customers_keep(
    world: World,
) -> None:
    """Art. 17(3), 5(2): a plan is carried out on the world that it was made for, or made anew."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    for n in range(30):
        ticket(world, contact, f"Question {n}")
    payer = world.holds("stripe", "customer", email=ANN, name="Ann")
    await world.submit("erasure", email=ANN)
    of = {"customer": payer.partition("/")[2], "created": "2026-03-02"}
    charge = world.holds("stripe", "charge", **of, receipt_email=ANN)
    await world.approve()
    row = world.row("stripe", payer)
    assert row is not None
    assert row["email"] == ANN
    assert world.row("stripe", charge) is not None


async def test_a_request_that_is_withdrawn_erases_nothing_more(world: World) -> None:
    """Art. 12(2): whoever may ask may take it back, before it is carried out."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    for n in range(30):
        ticket(world, contact, f"Question {n}")
    case = await world.submit("erasure", email=ANN)
    await world.decide(e.ClaimWithdrawn(case=case, by=CONSOLE, right="erasure"))
    await world.later(days=60)
    assert world.row("freshdesk", contact) is not None
    assert world.effects("freshdesk") == []


async def test_who_unsubscribed_still_gets_the_answer(world: World) -> None:
    """Art. 21(3), 12(3): no marketing is no reason not to be answered."""
    wish = {"domain": "mail.example.com", "address": ANN}
    world.holds("mailgun", "unsubscribe", **wish)
    world.holds("salesforce", "lead", LastName="A", Email=ANN, Company="E", HasOptedOutOfEmail=True)
    await world.submit("access", email=ANN)
    *_, mail = world.mails(to=ANN)
    assert "The answer to your request is ready" in mail.subject
    assert (await world.answer()).records("mailgun")


async def test_where_somebody_lives_changes_nothing(world: World) -> None:
    """Art. 3, policy "Your Legal Rights": promised to everyone, inside the Union or not."""
    held = world.holds(
        "freshdesk", "contact", email=ANN, address="Rua Augusta 1, Sao Paulo, Brazil"
    )
    await world.submit("erasure", email=ANN)
    assert world.row("freshdesk", held) is None


async def test_what_the_request_itself_left_is_out_of_reach_in_time(world: World) -> None:
    """Art. 5(1)(e): the last answer after a month, all that names the person after three years."""
    customer(world)
    case = await world.submit("access", email=ANN)
    stored = [it for it in world.place.root.rglob("*") if it.is_file()]
    sealed = [it.read_bytes() for it in stored if it.suffix != ".eml"]  # those are mail: 30 days
    for personal in (ANN, "Plays the cello"):
        assert not [it for it in sealed if personal.encode() in it]
    assert (await world.answer()).records("salesforce")
    await world.later(days=120)  # a recipient who never said anything made one more answer
    with pytest.raises(NoCaseError, match="the package key of case"):
        await world.answer()
    await world.later(days=4 * 365)
    assert {it.purpose for it in await world.said(e.KeyDestroyed, case)} == {"package", "record"}
