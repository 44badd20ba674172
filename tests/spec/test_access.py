"""Access: a whole copy, and what the law wants told beside it, of this person (Art. 15)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.policy import load

from .people import ANN, BOB, Customer, customer, lead, ticket
from .world import World

POLICY = load(None)


@pytest.fixture
async def asked(world: World) -> tuple[World, Customer]:
    """A customer who asks for a copy, and a stranger who does not."""
    held = customer(world)
    world.holds("freshdesk", "contact", name="Bob Stranger", email=BOB)
    lead(world, BOB, "Stranger")
    await world.submit("access", email=ANN)
    return world, held


Asked = tuple[World, Customer]


def kinds(records: list[dict[str, Any]]) -> set[str]:
    return {it["kind"] for it in records}


async def test_the_copy_is_faithful_word_for_word_and_of_nobody_else(asked: Asked) -> None:
    """Art. 15(3): a faithful, intelligible reproduction of all the data of this person alone."""
    world, held = asked
    answer = await world.answer()
    (person,) = [it for it in answer.records("freshdesk") if it["kind"] == "contact"]
    row = world.row("freshdesk", held.contact)
    assert row is not None
    assert {name: person["data"][name] for name in ("name", "email", "phone")} == {
        name: row[name] for name in ("name", "email", "phone")
    }
    (talk,) = [it for it in answer.records("freshdesk") if it["kind"] == "ticket"]
    said = [it["body_text"] for it in talk["data"]["conversations"]]
    assert said == ["Which browser do you use?", "Firefox. There is no hurry."]
    assert "Plays the cello." in json.dumps(answer.records("salesforce"))
    assert all(
        "Stranger" not in content.decode("utf-8", "replace") for content in answer.files.values()
    )
    assert all(BOB not in content.decode("utf-8", "replace") for content in answer.files.values())


async def test_payments_are_copied_without_the_number_of_a_card(asked: Asked) -> None:
    """Art. 15(3), policy "Transaction Data": what was paid, and when."""
    world, _ = asked
    answer = await world.answer()
    assert {"customer", "subscription", "invoice", "charge"} <= kinds(answer.records("stripe"))
    assert "Transaction" in answer.text


async def test_each_category_that_is_held_is_named_as_the_policy_names_it(asked: Asked) -> None:
    """Art. 15(1)(b): the categories of these data, and none that are not held."""
    world, _ = asked
    categories = _categories((await world.answer()).text)
    for it in ("Identity", "Contact", "Transaction", "Profile", "Usage", "Marketing"):
        assert it in categories
    await world.submit("access", email=BOB)
    of_another = _categories((await world.answer()).text)
    assert "Identity" in of_another
    assert "Transaction" not in of_another


def _categories(text: str) -> str:
    return text.partition("Categories of data")[2].partition("Who receives them")[0]


async def test_an_answer_names_its_controller_and_whom_to_write_to(asked: Asked) -> None:
    """Art. 4(7), 12(2), 38(4): the controller by name, and its DPO's address, in every letter."""
    world, _ = asked
    text = (await world.answer()).text
    assert f"{POLICY.controller} is the controller" in text
    assert POLICY.dpo in text
    assert "supervisory authority" in world.mails(to=ANN)[-1].text


async def test_each_purpose_stands_beside_the_ground_it_rests_on(asked: Asked) -> None:
    """Art. 15(1)(a), 6(1), 13(1)(d): of these data; a legitimate interest is named."""
    world, _ = asked
    text = (await world.answer()).text
    used = text.partition("Purposes")[2].partition("Categories of data")[0]
    assert "legitimate interest (GDPR Art. 6(1)(f)): to deal with any issues you have" in used
    assert "GDPR Art. 6(1)(b)" in used
    await world.submit("access", email=BOB)
    of_another = (await world.answer()).text.partition("Purposes")[2].partition("Who receives")[0]
    assert "To process and deliver your order" in used
    assert "To process and deliver your order" not in of_another


async def test_those_who_have_the_data_are_named(asked: Asked) -> None:
    """Art. 15(1)(c), C-154/21: recipients by name, those of this person."""
    world, _ = asked
    text = (await world.answer()).text
    recipients = text.partition("Who receives them")[2].partition("How long they are kept")[0]
    for it in ("Freshworks (Freshdesk)", "Salesforce", "Sinch (Mailgun)", "Stripe"):
        assert it in recipients


async def test_where_the_data_come_from_is_said_with_third_parties_by_name(asked: Asked) -> None:
    """Art. 15(1)(g): any available information as to their source."""
    world, _ = asked
    sources = (await world.answer()).text.partition("Where they come from")[2]
    for it in ("You:", "Your devices:", "Stripe", "Data brokers", "Companies House", "Segment"):
        assert it in sources
    assert "Of Salesforce contacts we do not know for sure" in sources


async def test_that_no_machine_decides_alone_is_said(asked: Asked) -> None:
    """Art. 15(1)(h), 22: the existence of automated decisions, here of none."""
    world, _ = asked
    text = (await world.answer()).text
    assert "names no decision about you that a machine takes alone" in text


async def test_complaint_and_court_are_named(asked: Asked) -> None:
    """Art. 15(1)(f), 12(4), 77, 79."""
    world, _ = asked
    text = (await world.answer()).text
    assert "data protection supervisory authority" in text
    assert "go to court (GDPR Art. 79)" in text


async def test_who_is_not_found_is_told_where_we_looked_and_with_what(world: World) -> None:
    """Art. 12(3), 15(1): "we hold nothing" is an answer, with its searches; it is no refusal."""
    customer(world, BOB)
    await world.submit("access", "erasure", email=ANN)
    for n in (1, 2):
        answer = await world.answer(n)
        assert "Used to search." in answer.text
        assert ANN in answer.text
        assert answer.text.count("Searched; nothing found") == len(world.systems)
    assert "no data" in world.report().text.replace("_", " ")
    assert all(world.effects(it) == [] for it in world.systems)


async def test_a_companys_contact_is_a_person(world: World) -> None:
    """Recital 14, Art. 4(1): the company has no rights here; whoever is named at it has."""
    held = customer(world, name="Ann Example")
    await world.submit("access", email=ANN)
    records = (await world.answer()).records("salesforce")
    assert "Managing director" in json.dumps(records)
    assert f"contact/{records[0]['id']}" == held.record


async def test_colleagues_questions_to_support_are_not_in_the_copy(world: World) -> None:
    """Art. 15(4): a copy must not adversely affect others, of the same company included."""
    mine = world.holds("freshdesk", "contact", name="Ann", email=ANN, company_id=7)
    colleague = world.holds("freshdesk", "contact", name="Bob", email=BOB, company_id=7)
    ticket(world, mine, "Mine")
    ticket(world, colleague, "A colleague's")
    await world.submit("access", email=ANN)
    answer = await world.answer()
    subjects = [it["data"].get("subject") for it in answer.records("freshdesk")]
    assert [it for it in subjects if it] == ["Mine"]


async def test_a_policy_is_pinned_when_the_request_comes_in(asked: Asked) -> None:
    """Art. 13(3), 5(2): every answer and report names the policy that it was decided under."""
    world, _ = asked
    digest = POLICY.digest.hex()
    assert digest in json.dumps((await world.answer()).manifest)
    assert digest in world.report().text
