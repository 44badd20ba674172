"""Objection: direct marketing ends at once; other uses are weighed (Art. 21)."""

from __future__ import annotations

import pytest

from connectors.salesforce.tables import PROCESSING
from pipeline.app import CONSOLE
from pipeline.case.inbox import waiting
from pipeline.register import reading
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


async def test_profiling_for_marketing_ends_with_it(world: World) -> None:
    """Art. 21(2): which includes profiling to the extent that it is related to it."""
    person = world.holds("salesforce", "individual", LastName="Example")
    of = {"Email": ANN, "LastName": "Example", "IndividualId": person.partition("/")[2]}
    world.holds("salesforce", "contact", **of)
    await world.submit("objection", email=ANN)
    flags = world.row("salesforce", person)
    assert flags is not None
    assert flags["HasOptedOutProfiling"] is True
    assert flags["HasOptedOutSolicit"] is True


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


USE = "requested-information"
"""Rests on our interest alone."""
GROUNDS = "We answer what you asked us in March, and you still wait for it."


@pytest.fixture
async def weighed(world: World) -> tuple[World, str, str]:
    """A lead who objects to a use on our own interest, and a stranger who does not."""
    mine, other = lead(world), lead(world, BOB, "Stranger")
    await world.submit("objection", email=ANN, purpose=USE)
    return world, mine, other


def is_restricted(world: World, key: str) -> bool:
    row = world.row("salesforce", key)
    assert row is not None
    individual = row.get("IndividualId")
    marks = world.row("salesforce", f"individual/{individual}") if individual else None
    return marks is not None and marks[PROCESSING] is True


async def test_other_uses_stop_until_a_person_has_weighed_them(
    weighed: tuple[World, str, str],
) -> None:
    """Art. 21(1), 18(1)(d): no longer processed, unless compelling grounds are demonstrated;
    restricted pending the verification.
    """
    world, mine, other = weighed
    assert is_restricted(world, mine)
    assert not is_restricted(world, other)
    case = await world.case()
    assert case.claims["objection_to_use"].active
    (item,) = waiting(case, world.rules)
    assert (item.kind, item.role) == ("objection", "dpo")


async def test_they_hear_in_time_that_it_is_not_decided(weighed: tuple[World, str, str]) -> None:
    """Art. 12(3): what was done meanwhile, before the month is over."""
    world, _, _ = weighed
    await world.later(days=29)
    text = (await world.answer()).text
    assert "Until a person has decided whether our grounds for it weigh more than yours" in text
    assert "and you hear before that ends" in text


async def test_an_objection_that_is_upheld_ends_the_use(weighed: tuple[World, str, str]) -> None:
    """Art. 21(1), 17(1)(c): it stays restricted, and they may have it erased."""
    world, mine, _ = weighed
    event = e.ObjectionDecided(case=world.cases[0], by=CONSOLE, how="upheld")
    await world.decide(event, says="We can do without.")
    assert is_restricted(world, mine)
    text = (await world.answer()).text
    assert "A person has decided: that use ends (Art. 21(1))." in text
    assert "you may ask for their erasure (Art. 17(1)(c))" in text
    assert (await world.case()).claims["objection_to_use"].state == "fulfilled"


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("overridden", "compelling legitimate grounds for the use that weigh more"),
        ("claims", "to establish, exercise or defend legal claims"),
    ],
)
async def test_compelling_grounds_or_claims_let_it_go_on_and_they_read_why_before(
    weighed: tuple[World, str, str], how: str, says: str
) -> None:
    """Art. 21(1), 18(3), 12(4): told why, and where to complain, before it is lifted."""
    world, mine, _ = weighed
    event = e.ObjectionDecided(case=world.cases[0], by=CONSOLE, how=how)
    await world.decide(event, says=GROUNDS, evidence="Balancing of 3 March, signed by two.")
    (mail,) = (it for it in world.mails(ANN) if "objected" in it.subject)
    assert says in mail.text
    assert GROUNDS in mail.text
    assert "supervisory authority" in mail.text
    assert not is_restricted(world, mine)
    entries = [it.event for it in await reading.entries(world.engine, world.cases[0])]
    (notice,) = (it for it in await world.said(e.NoticeOrdered) if it.kind == "overriding")
    sent = next(
        n
        for n, it in enumerate(entries)
        if isinstance(it, e.NoticeSent) and it.order == notice.order
    )
    lifted = next(n for n, it in enumerate(entries) if getattr(it, "verb", "") == "lift")
    assert sent < lifted
    text = (await world.answer()).text
    assert "the use goes on (Art. 21(1))" in text
    assert not any(GROUNDS.encode() in it for it in world.on_topics)


async def test_grounds_without_reasons_or_a_balancing_are_none(
    weighed: tuple[World, str, str],
) -> None:
    """Art. 21(1): it is the controller who demonstrates them."""
    world, mine, _ = weighed
    world.puts_aside = True
    event = e.ObjectionDecided(case=world.cases[0], by=CONSOLE, how="overridden")
    await world.decide(event, says=GROUNDS)
    await world.decide(event, evidence="Balancing of 3 March.")
    assert world.put_aside == [
        "incident: overridden_without_balancing",
        "incident: decided_without_reasons",
    ]
    assert is_restricted(world, mine)


async def test_of_a_use_on_several_bases_what_cannot_be_objected_to_is_said(world: World) -> None:
    """Art. 21(1), 12(4): the part on our interest is weighed; the others are named."""
    customer(world)
    await world.submit("objection", email=ANN, purpose="relationship")
    event = e.ObjectionDecided(case=world.cases[0], by=CONSOLE, how="upheld")
    await world.decide(event, says="We can do without.")
    text = (await world.answer()).text
    assert "As far as it also rests on a contract with you (GDPR Art. 6(1)(b))" in text
    assert "it cannot be objected to and goes on" in text


async def test_who_has_it_for_that_use_hears_of_it(world: World) -> None:
    """Art. 19, 28(3)(a): those that the policy names for the use, and nobody else."""
    customer(world)
    await world.submit("objection", email=ANN, purpose="analytics")
    told = {it.to for it in world.instructions()}
    assert told == {"privacy@twilio.com", "data-protection-office@google.com"}
    assert [it.kind for it in waiting(await world.case(), world.rules)][:1] == ["objection"]


async def test_a_use_that_the_policy_does_not_name_is_asked_about(world: World) -> None:
    """Art. 12(2): never read as another one, and never as nothing."""
    case = await world.submit("objection", email=ANN, purpose="horoscopes")
    (opened,) = await world.said(e.CaseOpened)
    assert opened.purpose == "unknown_purpose"
    reports = (it for it in await world.said(e.CaseReported))
    assert not any("horoscopes" in repr(it) for it in reports)
    assert "horoscopes" not in repr(await world.case(case))
    assert "Our privacy policy does not name this use" in (await world.answer()).text
