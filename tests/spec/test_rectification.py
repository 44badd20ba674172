"""Rectification: what is wrong is corrected wherever it stands, and others hear of it (Art. 16)."""

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
    """A customer who has another family name and lives in another town by now."""
    held = customer(world)
    lead(world, BOB, "Example")
    await world.submit(
        "rectification",
        email=ANN,
        changes={"family_name": ("Example", "Łuczak"), "city": ("", "Köln")},
    )
    return world, held


async def test_it_is_corrected_in_every_system_that_has_it(asked: tuple[World, Customer]) -> None:
    """Art. 16: without undue delay, wherever it stands; a fresh look shows it."""
    world, held = asked
    record, payer = world.row("salesforce", held.record), world.row("stripe", held.payer)
    assert record is not None
    assert payer is not None
    assert record["LastName"] == "Łuczak"
    assert payer["address"]["city"] == "Köln"
    rows = (await world.case()).claims["rectification"].coverage
    proved = {(it.system, it.outcome.kind) for it in rows if it.state == "proved"}
    assert {("salesforce", "rectified"), ("stripe", "rectified")} <= proved


async def test_nothing_else_of_theirs_changes(asked: tuple[World, Customer]) -> None:
    """Art. 5(1)(d): what nobody disputes stays as it is."""
    world, held = asked
    record, payer = world.row("salesforce", held.record), world.row("stripe", held.payer)
    assert record is not None
    assert payer is not None
    assert (record["FirstName"], record["Email"], record["Title"]) == (
        "Ann",
        ANN,
        "Managing director",
    )
    assert payer["address"]["line1"] == "4 Quay Street"


async def test_nobody_else_is_corrected(asked: tuple[World, Customer]) -> None:
    """Art. 16: personal data concerning him or her."""
    world, _ = asked
    others = [it for it in world.vendors["salesforce"].state().values() if it.get("Email") == BOB]
    assert [it["LastName"] for it in others] == ["Example"]


async def test_a_value_that_is_another_one_is_for_a_person(world: World) -> None:
    """Art. 16, 18(1)(a): what stands there is not what they say is wrong: it stays."""
    held = customer(world)
    await world.submit("rectification", email=ANN, changes={"family_name": ("Smith", "Łuczak")})
    record = world.row("salesforce", held.record)
    assert record is not None
    assert record["LastName"] == "Example"
    assert "Something else stands there than what you say is wrong" in (await world.answer()).text
    assert any("other_value" in it.says for it in waiting(await world.case(), world.rules))


async def test_what_is_disputed_is_restricted_until_a_person_has_decided(world: World) -> None:
    """Art. 18(1)(a), 18(3): for the time that it takes to verify it; told before that ends."""
    held = customer(world)
    await world.submit("rectification", email=ANN, changes={"family_name": ("Smith", "Łuczak")})
    assert is_restricted(world, held)
    assert "Until then it is marked there as not to be used" in (await world.answer()).text
    case = await world.case()
    for item in waiting(case, world.rules):
        about = item.about
        assert about is not None
        await world.decide(
            e.ItemSettled(
                case=case.id,
                by=CONSOLE,
                at=world.now,
                right=about.right,
                system=about.system,
                kind=about.kind,
                was=about.was,
                how="not_possible",
                reason="others_rights",
            ),
            says="Her passport says Example.",
        )
    mails = [it for it in world.mails(ANN) if "What you said was wrong" in it.subject]
    assert mails
    assert "supervisory authority" in mails[0].text
    assert not is_restricted(world, held)
    assert not list(waiting(await world.case(), world.rules))
    entries = [it.event for it in await reading.entries(world.engine, case.id)]
    told = [it for it in await world.said(e.NoticeOrdered) if it.kind == "resolved"]
    sent = {it.order: n for n, it in enumerate(entries) if isinstance(it, e.NoticeSent)}
    lifted = [n for n, it in enumerate(entries) if getattr(it, "verb", "") == "lift"]
    assert min(sent[it.order] for it in told) < min(lifted)


def is_restricted(world: World, held: Customer) -> bool:
    record = world.row("salesforce", held.record)
    assert record is not None
    individual = record.get("IndividualId")
    marks = world.row("salesforce", f"individual/{individual}") if individual else None
    return marks is not None and marks[PROCESSING] is True


async def test_what_is_corrected_at_once_is_not_restricted(world: World) -> None:
    """Art. 18(1)(a): nothing is left to verify."""
    held = customer(world)
    await world.submit("rectification", email=ANN, changes={"city": ("", "Köln")})
    assert not is_restricted(world, held)
    assert {it.verb for it in await world.said(e.MeasureOrdered)} == {"rectify"}


async def test_what_is_incomplete_is_completed(world: World) -> None:
    """Art. 16, sentence 2: filled in where it is missing, once, and read anew."""
    held = customer(world)
    await world.submit("rectification", email=ANN, additions={"phone": PHONE})
    record, payer = world.row("salesforce", held.record), world.row("stripe", held.payer)
    assert record is not None
    assert payer is not None
    assert (record["Phone"], payer["phone"]) == (PHONE, PHONE)
    rows = (await world.case()).claims["rectification"].coverage
    proved = {it.system for it in rows if it.outcome.kind == "rectified"}
    assert {"salesforce", "stripe"} <= proved


async def test_what_completes_overwrites_nothing(world: World) -> None:
    """Art. 16, sentence 2: what stands there otherwise is for a person to compare."""
    held = customer(world)
    await world.submit("rectification", email=ANN, additions={"phone": PHONE})
    contact = world.row("freshdesk", held.contact)
    assert contact is not None
    assert contact["phone"] == "+44 7700 900118"
    items = waiting(await world.case(), world.rules)
    assert ["other_value" in it.says for it in items] == [True]


async def test_nothing_is_entered_where_nothing_of_the_kind_is_held(world: World) -> None:
    """Art. 5(1)(c), 16: taking into account the purposes of the processing."""
    held = customer(world)
    await world.submit("rectification", email=ANN, additions={"date_of_birth": "1990-02-03"})
    member = world.row("mailgun", held.member)
    assert member is not None
    assert "1990-02-03" not in str(member)


STATEMENT = "I was never late: the bank held the payment back."


async def test_a_statement_stands_beside_what_is_held(world: World) -> None:
    """Art. 16, sentence 2: including by means of providing a supplementary statement."""
    key = lead(world)
    contact = world.holds("freshdesk", "contact", name="Ann Example", email=ANN)
    payer = world.holds("stripe", "customer", name="Ann Example", email=ANN)
    await world.submit("rectification", email=ANN, additions={"statement": STATEMENT})
    rows = [
        world.row(*it) for it in (("salesforce", key), ("freshdesk", contact), ("stripe", payer))
    ]
    texts = {str(row and (row.get("Description") or row.get("description"))) for row in rows}
    assert texts == {STATEMENT}
    coverage = (await world.case()).claims["rectification"].coverage
    proved = {it.system for it in coverage if it.outcome.kind == "rectified"}
    assert proved == {"salesforce", "freshdesk", "stripe"}
    assert not any(STATEMENT.encode() in it for it in world.on_topics)


async def test_a_statement_is_written_over_no_text_and_disputes_nothing(world: World) -> None:
    """Art. 16, 18(1)(a): what an agent wrote stays; a person puts the statement beside it."""
    held = customer(world)
    await world.submit("rectification", email=ANN, additions={"statement": STATEMENT})
    record = world.row("salesforce", held.record)
    assert record is not None
    assert record["Description"] == "Plays the cello."
    assert "a person puts your statement beside it" in (await world.answer()).text
    assert not is_restricted(world, held)


PHONE = "+44 20 7946 0018"


async def test_recipients_hear_what_is_right(asked: tuple[World, Customer]) -> None:
    """Art. 19: any rectification is communicated to each recipient, with what is right."""
    world, _ = asked
    told = {it.to: it.text for it in world.instructions()}
    assert {"dpo@paypal.com", "privacy@twilio.com"} <= told.keys()
    assert 'City: "Köln"' in told["privacy@twilio.com"]
    assert 'Family name: "Łuczak" (not "Example")' in told["dpo@paypal.com"]


async def test_no_value_is_on_any_topic_in_the_clear(asked: tuple[World, Customer]) -> None:
    """Art. 32(1)(a)."""
    world, _ = asked
    assert await world.said(e.MeasureOrdered)
    assert not any("Łuczak".encode() in it or "Köln".encode() in it for it in world.on_topics)


async def test_one_that_says_nothing_wrong_is_no_request(world: World) -> None:
    """Art. 12(6), 16: what is right has to be said; it is put aside with that reason."""
    world.puts_aside = True
    await world.submit("rectification", email=ANN)
    assert world.put_aside == ["incident: changes_without_rectification_or_none"]
