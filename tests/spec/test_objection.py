"""Objection: direct marketing ends at once; other uses are weighed (Art. 21)."""

from __future__ import annotations

import pytest

from pipeline.case.inbox import waiting
from schemas import events as e

from .people import ANN, BOB, Customer, customer, lead
from .world import World


@pytest.fixture
async def asked(world: World) -> tuple[World, Customer]:
    """A customer with the newsletter who wants none, and a stranger who does."""
    held = customer(world)
    lead(world, BOB, "Stranger")
    world.holds("mailgun", "member", list="news@lists.example.com", address=BOB, name="Bob")
    await world.submit("objection", email=ANN)
    return world, held


async def test_marketing_ends_in_every_system_that_has_anything_for_it(
    asked: tuple[World, Customer],
) -> None:
    """Art. 21(3): the data shall no longer be processed for such purposes."""
    world, held = asked
    case = await world.case()
    rows = case.claims["objection"].coverage
    assert {(it.system, it.state, it.outcome.kind) for it in rows} == {
        ("mailgun", "proved", "suppressed"),
        ("salesforce", "proved", "suppressed"),
    }
    member = world.row("mailgun", held.member)
    record = world.row("salesforce", held.record)
    assert member is not None
    assert record is not None
    assert member["subscribed"] is False
    assert record["HasOptedOutOfEmail"] is True
    assert record["DoNotCall"] is True


async def test_it_takes_no_reason_no_search_and_no_approval(asked: tuple[World, Customer]) -> None:
    """Art. 21(2), 12(2): at any time; control of the channel is enough, and nobody decides."""
    world, _ = asked
    assert not await world.said(e.SearchOrdered)
    assert not await world.said(e.ApprovalAsked)
    assert (await world.case()).state == "answered"


async def test_who_is_not_known_objects_by_confirming_the_address(world: World) -> None:
    """Art. 12(6): nothing is done for an address that nobody has shown to be theirs."""
    held = customer(world)
    await world.submit("objection", email=ANN, level=0)
    row = world.row("mailgun", held.member)
    assert row is not None
    assert row["subscribed"] is True
    (asking,) = (it for it in world.mails(ANN) if it.link)
    await world.press(asking)
    row = world.row("mailgun", held.member)
    assert row is not None
    assert row["subscribed"] is False


async def test_an_address_that_nobody_has_yet_gets_nothing_later(world: World) -> None:
    """Art. 21(3): noted where it can be, so that a list that comes later cannot begin anew."""
    world.holds("mailgun", "bounce", domain="mg.example.com", address=BOB)
    await world.submit("objection", email=ANN)
    noted = [it for it in world.vendors["mailgun"].state().values() if ANN in str(it)]
    assert noted
    assert (await world.case()).claims["objection"].state == "fulfilled"


async def test_it_says_what_still_comes(asked: tuple[World, Customer]) -> None:
    """Art. 21(4), policy "Opting Out": messages about what was bought go on."""
    world, _ = asked
    text = (await world.answer()).text
    assert "nothing under an address of yours that we know is used for direct marketing" in text
    assert "Messages that you need (receipts, answers to your questions) still come." in text
    assert "Where we looked for you" not in text


async def test_nobody_else_is_opted_out(asked: tuple[World, Customer]) -> None:
    """Art. 21: the data subject, and no other."""
    world, _ = asked
    for row in world.vendors["mailgun"].state().values():
        if row.get("address") == BOB:
            assert row["subscribed"] is True
    for row in world.vendors["salesforce"].state().values():
        if row.get("Email") == BOB:
            assert not row.get("HasOptedOutOfEmail")


async def test_who_advertises_for_us_hears_of_it(asked: tuple[World, Customer]) -> None:
    """Art. 21(3), 28(3)(a): Segment is instructed, Google Ads is informed, PayPal is neither."""
    world, _ = asked
    told = {it.to: it.text for it in world.instructions()}
    assert told.keys() == {"privacy@twilio.com", "data-protection-office@google.com"}
    assert "use nothing of theirs for it" in told["privacy@twilio.com"]
    assert "decide for yourselves" in told["data-protection-office@google.com"]


async def test_a_use_that_rests_on_a_contract_cannot_be_objected_to(world: World) -> None:
    """Art. 21(1), 12(4): said, with the right that there is instead."""
    customer(world)
    await world.submit("objection", email=ANN, purpose="contract")
    text = (await world.answer()).text
    assert "cannot be objected to (GDPR Art. 21(1))" in text
    assert "you may ask for erasure or restriction" in text
    assert (await world.case()).claims["objection"].state == "partially_fulfilled"


async def test_other_uses_are_for_a_person_to_weigh(world: World) -> None:
    """Art. 21(1): unless compelling legitimate grounds are demonstrated, by a person."""
    customer(world)
    await world.submit("objection", email=ANN, purpose="analytics")
    assert "it ends (GDPR Art. 21(1))" in (await world.answer()).text
    assert any("grounds_to_weigh" in it.says for it in waiting(await world.case(), world.rules))


async def test_a_use_that_the_policy_does_not_name_is_asked_about(world: World) -> None:
    """Art. 12(2): never read as another one, and never as nothing."""
    await world.submit("objection", email=ANN, purpose="horoscopes")
    assert "Our privacy policy does not name this use" in (await world.answer()).text
