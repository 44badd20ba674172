"""Portability: what they provided, by consent or contract, as machines read it (Art. 20)."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipeline.policy import load
from pipeline.policy.applicable import portable

from .people import ANN, BOB, Customer, customer, lead
from .world import Answer, World

POLICY = load(None)
DATA, SCHEMA = "portability/data.json", "portability/schema.json"


@pytest.fixture
async def asked(world: World) -> tuple[World, Customer]:
    """A customer who asks for what they may take along, and a stranger who does not."""
    held = customer(world)
    lead(world, BOB, "Stranger")
    await world.submit("portability", email=ANN)
    return world, held


def taken(answer: Answer) -> list[dict[str, Any]]:
    """The records that may be taken along."""
    found: list[dict[str, Any]] = json.loads(answer.files[DATA])["records"]
    return found


def of(answer: Answer, system: str, kind: str) -> dict[str, Any]:
    """The only record of a kind, as it may be taken along."""
    (found,) = (it for it in taken(answer) if (it["system"], it["kind"]) == (system, kind))
    data: dict[str, Any] = found["data"]
    return data


async def test_it_is_structured_and_in_a_common_form(asked: tuple[World, Customer]) -> None:
    """Art. 20(1): structured, commonly used, machine-readable; with its schema, and as tables."""
    world, _ = asked
    answer = await world.answer()
    schema = json.loads(answer.files[SCHEMA])
    Draft202012Validator.check_schema(schema)
    whole = json.loads(answer.files[DATA])
    Draft202012Validator(schema).validate(whole)
    assert whole["case"] == str(world.cases[0])
    rows = list(csv.DictReader(StringIO(answer.files["portability/stripe-customer.csv"].decode())))
    assert [(it["email"], it["address.city"]) for it in rows] == [(ANN, "Leeds")]


async def test_only_what_rests_on_consent_or_a_contract(asked: tuple[World, Customer]) -> None:
    """Art. 20(1)(a): not what is held for a legitimate interest, as requests for help are."""
    world, _ = asked
    answer = await world.answer()
    kinds = {(it["system"], it["kind"]) for it in taken(answer)}
    assert kinds == {
        ("stripe", "customer"),
        ("stripe", "charge"),
        ("salesforce", "contact"),
    }
    assert kinds <= {(system, kind) for system, kind, _ in portable(POLICY)}
    assert not any(it.startswith("data/") for it in answer.files), "no access copy was asked for"


async def test_of_a_record_only_what_is_known_to_be_of_these_categories(
    asked: tuple[World, Customer],
) -> None:
    """Art. 20(1), WP 242: field by field; the vendor's own keys and dates are not the person's."""
    world, _ = asked
    contact = of(await world.answer(), "salesforce", "contact")
    assert contact["Email"] == ANN
    assert "Description" not in contact, "what our staff noted"
    assert "SystemModstamp" not in contact
    payer = of(await world.answer(), "stripe", "customer")
    assert payer["address"] == {"line1": "4 Quay Street", "city": "Leeds", "country": "GB"}
    assert "created" not in payer


async def test_nothing_of_others_is_in_it(asked: tuple[World, Customer]) -> None:
    """Art. 20(4): the rights and freedoms of others."""
    world, _ = asked
    answer = await world.answer()
    assert all(BOB not in content.decode("utf-8", "replace") for content in answer.files.values())


async def test_it_stands_beside_the_copy_and_not_instead_of_it(world: World) -> None:
    """Art. 15(3), 20: both are asked for, and each has its own answer."""
    customer(world)
    await world.submit("access", "portability", email=ANN)
    answers = [await world.answer(n) for n in (1, 2)]
    (copy,) = (it for it in answers if DATA not in it.files)
    (portion,) = (it for it in answers if DATA in it.files)
    assert copy.records("freshdesk")
    assert not any(it.startswith("data/") for it in portion.files)


async def test_what_is_taken_along_stays_until_it_is_erased(world: World) -> None:
    """Art. 20(3): without prejudice to Art. 17; asked for with it, it is handed out first."""
    held = customer(world)
    await world.submit("portability", "erasure", email=ANN)
    answer = await world.answer(1)
    assert of(answer, "salesforce", "contact")["Email"] == ANN
    assert world.row("freshdesk", held.contact) is None
    assert world.row("mailgun", held.member) is None


async def test_nothing_to_take_along_is_said(world: World) -> None:
    """Art. 12(4): whoever only wrote to support hears why there is nothing."""
    world.holds("freshdesk", "contact", name="Ann Example", email=ANN)
    await world.submit("portability", email=ANN)
    answer = await world.answer()
    assert "there is nothing that you could take along" in answer.text
    assert taken(answer) == []
