"""Consent, objection and the wish for one thing alone: whoever sends asks before, and is told."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid5

import pytest

from pipeline.app import CONSOLE
from pipeline.case.case import Case
from schemas import events as e

from .people import ANN, BOB, Customer, customer, lead
from .world import World

OFFERS, OTHERS, DEMO = "offers", "third-party-marketing", "single-notice"
WEIGHED = "expert-contact"


@pytest.fixture
def held(world: World) -> Customer:
    return customer(world)


def subscribed(world: World, held: Customer) -> bool:
    row = world.row("mailgun", held.member)
    assert row is not None
    return bool(row["subscribed"])


async def test_nobody_is_sent_marketing_on_no_ones_word(world: World) -> None:
    """Directive 2002/58/EC Art. 13(1): only who has given their prior consent."""
    answer = await world.may(OFFERS, ANN)
    assert (answer.may, answer.reason) == (False, "no_consent")


async def test_a_consent_can_be_shown_with_what_it_was_given_to(world: World) -> None:
    """GDPR Art. 7(1): the controller shall be able to demonstrate it."""
    record = await world.says("given", OTHERS, ANN, third_parties=("Acme",))
    answer = await world.may(OTHERS, ANN)
    assert answer.may
    assert answer.evidence is not None
    assert answer.evidence.record == record
    assert not (await world.may(OTHERS, BOB)).may


async def test_a_consent_to_one_use_is_none_to_another(world: World) -> None:
    """GDPR Art. 6(1)(a), recital 32: for one or more specific purposes."""
    await world.says("given", OFFERS, ANN)
    assert (await world.may(OFFERS, ANN)).may
    assert not (await world.may(OTHERS, ANN)).may


async def test_an_address_that_a_stranger_typed_consents_to_nothing(world: World) -> None:
    """GDPR Art. 4(11), 7(1): the data subject's wishes, and nobody else's."""
    await world.says("given", OFFERS, ANN, level=0)
    assert not (await world.may(OFFERS, ANN)).may


async def test_to_withdraw_is_as_easy_as_to_give_and_ends_it_everywhere(
    world: World, held: Customer
) -> None:
    """GDPR Art. 7(3): at any time, as easily; the same event, and no question asked."""
    await world.says("given", OFFERS, ANN)
    assert subscribed(world, held)
    case = await world.says("withdrawn", OFFERS, ANN)
    assert (await world.may(OFFERS, ANN)).reason == "refused"
    assert not subscribed(world, held)
    record = world.row("salesforce", held.record)
    assert record is not None
    assert record["HasOptedOutOfEmail"] is True
    assert (await world.case(case)).claims["objection"].state == "fulfilled"
    assert world.mails(ANN, case)
    assert not await world.said(e.SearchOrdered)


async def test_one_click_in_a_mail_is_the_same_as_any_withdrawal(
    world: World, held: Customer
) -> None:
    """GDPR Art. 7(3), 21(2)-(4), RFC 8058: no login, no question, and no other word than that."""
    await world.says("given", OFFERS, ANN)
    case = await world.clicks(OFFERS, ANN)
    assert (await world.may(OFFERS, ANN)).reason == "refused"
    assert not subscribed(world, held)
    assert (await world.case(case)).claims["objection"].state == "fulfilled"
    assert not await world.said(e.IdentityAsked)


async def test_recipients_who_advertise_for_us_hear_of_a_withdrawal(
    world: World, held: Customer
) -> None:
    """GDPR Art. 7(3), 19, 28(3)(a)."""
    del held
    await world.says("withdrawn", OTHERS, ANN)
    told = {it.to for it in world.instructions()}
    assert told == {"privacy@twilio.com", "data-protection-office@google.com"}


async def test_a_refusal_by_nobody_known_stops_mail_at_once_and_the_rest_once_confirmed(
    world: World, held: Customer
) -> None:
    """GDPR Art. 12(2), 21(3): to send less harms nobody; to change records takes the channel."""
    await world.says("given", OFFERS, ANN)
    await world.says("withdrawn", OFFERS, ANN, level=0)
    assert not (await world.may(OFFERS, ANN)).may
    assert subscribed(world, held)
    (asking,) = (it for it in world.mails(ANN) if it.link)
    await world.press(asking)
    assert not subscribed(world, held)


async def test_an_objection_to_direct_marketing_is_to_all_of_it(world: World) -> None:
    """GDPR Art. 21(2), 21(3): no longer be processed for such purposes."""
    await world.says("bought", "order", ANN, country="DE")
    await world.says("given", OTHERS, ANN)
    assert (await world.may(OFFERS, ANN)).may
    await world.says("objected", "", ANN)
    for use in (OFFERS, OTHERS, "advertising"):
        assert (await world.may(use, ANN)).reason == "refused"


@pytest.mark.parametrize(("how", "reason"), [("upheld", "refused"), ("overridden", None)])
async def test_a_use_that_is_objected_to_rests_until_a_person_has_weighed_it(
    world: World, how: str, reason: str | None
) -> None:
    """GDPR Art. 21(1): whichever way it came in; if grounds weigh more, it may go on."""
    lead(world)
    before = await world.may(WEIGHED, ANN)
    await world.says("objected", WEIGHED, ANN)
    assert (await world.may(WEIGHED, ANN)).reason == "refused"
    assert (await world.case()).claims.keys() == {"objection_to_use"}
    decided = e.ObjectionDecided(case=world.cases[0], by=CONSOLE, how=how)
    await world.decide(decided, says="Fraud would go unseen.", evidence="Balancing of 3 March.")
    assert not (await world.case()).claims["objection_to_use"].active
    assert (await world.may(WEIGHED, ANN)).reason == (reason or before.reason)
    assert before.reason != "refused"


async def test_what_was_asked_for_as_a_request_counts_for_who_sends(
    world: World, held: Customer
) -> None:
    """GDPR Art. 21(3), policy "Opting Out": whichever way it came in."""
    del held
    await world.says("given", OFFERS, ANN)
    await world.submit("objection", email=ANN, level=0)
    assert (await world.may(OFFERS, ANN)).may, "nobody has shown that it is they who ask"
    (asking,) = (it for it in world.mails(ANN) if it.link)
    await world.press(asking)
    assert (await world.may(OFFERS, ANN)).reason == "refused"


async def test_messages_that_a_contract_asks_for_still_come(world: World) -> None:
    """Art. 21(3), policy "Opting Out": it does not extend to transactional or service purposes."""
    await world.says("objected", "", ANN)
    for use in ("order", "contract", "legal-obligations", "relationship"):
        assert (await world.may(use, ANN)).may


async def test_only_a_later_consent_to_this_very_use_begins_it_anew(world: World) -> None:
    """GDPR Art. 7(3), 21(3): neither an older word nor another purchase does."""
    await world.says("objected", "", ANN)
    await world.says("bought", "order", ANN, country="DE")
    await world.says("given", OFFERS, ANN, at=world.now - timedelta(days=3))
    assert not (await world.may(OFFERS, ANN)).may
    await world.later(days=1)
    await world.says("given", OFFERS, ANN)
    assert (await world.may(OFFERS, ANN)).may
    assert not (await world.may("advertising", ANN)).may


async def test_a_customer_is_written_to_where_their_law_lets_us(world: World) -> None:
    """Directive 2002/58/EC Art. 13(2), policy "Promotional offers from us"."""
    await world.says("bought", "order", ANN, country="DE")
    await world.says("bought", "order", BOB, country="PL")
    answer = await world.may(OFFERS, ANN)
    assert (answer.may, answer.article) == (True, "§ 7(3) UWG")
    assert "similar products or services of ours" in answer.condition
    assert "how to object" in answer.condition
    assert not (await world.may(OFFERS, BOB)).may


async def test_who_wanted_one_thing_alone_gets_that_and_nothing_else(world: World) -> None:
    """GDPR Art. 5(1)(b), policy: "We will not send you any promotion, only the demo access"."""
    await world.says("bought", "order", ANN, country="DE", at=world.now - timedelta(days=9))
    await world.says("only", DEMO, ANN, level=0)
    assert (await world.may(DEMO, ANN)).may
    assert (await world.may(OFFERS, ANN)).reason == "only_something_else"
    assert (await world.may("expert-contact", ANN)).reason == "only_something_else"
    assert not (await world.may(DEMO, BOB)).may


async def test_who_was_erased_is_sent_no_marketing_until_they_consent_again(world: World) -> None:
    """GDPR Art. 17(1), 21(3)."""
    customer(world)
    await world.says("given", OFFERS, ANN)
    await world.later(hours=1)
    await world.submit("erasure", email=ANN)
    assert (await world.may(OFFERS, ANN)).reason == "erased"
    await world.later(days=1)
    await world.says("given", OFFERS, ANN)
    assert (await world.may(OFFERS, ANN)).may


async def only_a_contact(world: World, email: str) -> tuple[str, str]:
    """Somebody of whom there is nothing but what they gave to get one thing."""
    member = world.holds("mailgun", "member", list="demo@lists.example.com", address=email)
    record = world.holds("salesforce", "lead", Email=email, LastName="Nobody", Company="Example")
    return member, record


async def lapsed(world: World, record: UUID) -> Case:
    """The case that lets somebody go."""
    return await world.case(uuid5(record, "contact_lapsed"))


async def test_who_got_the_one_thing_is_let_go_once_the_dpo_agrees(world: World) -> None:
    """Art. 5(1)(b), 5(1)(e): no longer than is necessary for the purpose; and no further mail."""
    member, lead = await only_a_contact(world, ANN)
    await world.says("only", DEMO, ANN)
    served = await world.says("served", DEMO, ANN)
    case = await lapsed(world, served)
    assert case.state == "approval_asked"
    assert world.row("mailgun", member) is not None
    await world.approve(case.id)
    assert world.row("mailgun", member) is None
    binned = world.row("salesforce", lead)
    assert binned is not None
    assert binned["IsDeleted"] is True
    await world.later(days=20)
    case = await lapsed(world, served)
    assert not case.claims["erasure"].active
    assert not case.obligations or all(it.closed_at for it in case.obligations)
    assert world.mails(ANN) == [], "nor when it is looked whether the bin is empty"
    assert not (await world.may(DEMO, ANN)).may
    assert not (await world.may(OFFERS, ANN)).may


async def test_who_never_got_it_is_let_go_as_well(world: World) -> None:
    """Art. 5(1)(e): on the policy's own clock."""
    await only_a_contact(world, ANN)
    record = await world.says("only", DEMO, ANN)
    await world.later(days=364)
    assert not await world.said(e.ContactLapsed, uuid5(record, "contact_lapsed"))
    await world.later(days=2)
    assert (await lapsed(world, record)).state == "approval_asked"
    assert world.mails(ANN) == []


@pytest.mark.parametrize("says", ["bought", "given", "asked"])
async def test_who_is_more_than_a_contact_for_one_thing_stays(world: World, says: str) -> None:
    """Art. 5(1)(b): what else they are there for goes on."""
    await world.says(says, OFFERS if says == "given" else "order", ANN)
    await world.says("only", DEMO, ANN)
    served = await world.says("served", DEMO, ANN)
    assert not await world.said(e.ContactLapsed, uuid5(served, "contact_lapsed"))
    await world.later(days=400)
    assert not await world.said(e.ContactLapsed, uuid5(served, "contact_lapsed"))


async def test_who_asked_once_more_is_not_let_go_before_they_got_it(world: World) -> None:
    """Art. 5(1)(b): the latest word counts."""
    await world.says("only", DEMO, ANN)
    await world.later(days=2)
    await world.says("only", DEMO, ANN)
    early = await world.says("served", DEMO, ANN, at=world.now - timedelta(days=1))
    assert not await world.said(e.ContactLapsed, uuid5(early, "contact_lapsed"))
    assert (await world.may(DEMO, ANN)).may
