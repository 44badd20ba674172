"""Automated decisions: there are none, and the answer says so (Art. 22)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline import policy
from pipeline.app import CONSOLE
from pipeline.case.inbox import Item, waiting
from schemas import events as e

from .people import ANN, customer
from .world import World

CREDIT = """
[[automated]]
id = "credit"
says = "Whether you may pay after delivery."
logic = "A score is reckoned from what you paid before."
meaning = "Below a limit you pay in advance."
inputs = [{ system = "stripe", kind = "charge" }]
carried_out_by = "accounts"
"""
WHY = "You paid each invoice of the last three years."


@pytest.fixture
async def asked(world: World, tmp_path: Path) -> World:
    """A policy by which a machine decides something alone, and somebody who contests that."""
    folder = tmp_path / "policy"
    folder.mkdir()
    for name in policy.FILES:
        shutil.copy(Path(policy.__file__).parent / name, folder / name)
    ours = folder / policy.FILES[0]
    ours.write_text(ours.read_text() + CREDIT)
    await world.restart(policy=str(folder))
    customer(world)
    await world.submit("automated_decision", email=ANN)
    return world


async def items(world: World) -> list[Item]:
    return list(waiting(await world.case(), world.rules))


async def reviewed(world: World, result: str) -> None:
    event = e.DecisionReviewed(case=world.cases[0], by=CONSOLE, decision="credit", result=result)
    await world.decide(event, says=WHY, evidence="Invoices of 2023 to 2025, in Stripe.")


async def test_that_there_are_none_is_said_plainly(world: World) -> None:
    """Art. 22(1), 15(1)(h): the policy names none; nobody is searched for to say so."""
    customer(world)
    await world.submit("automated_decision", email=ANN)
    text = (await world.answer()).text
    assert "We take no decision about you by a machine alone" in text
    assert not await world.said(e.SearchOrdered)
    assert (await world.case()).state == "answered"


async def test_a_person_intervenes_who_sees_what_the_machine_saw(asked: World) -> None:
    """Art. 22(3): human intervention on the part of the controller, before anything is answered."""
    (item,) = await items(asked)
    assert item.says.startswith("a machine decided credit alone by stripe charge (")
    assert not await asked.said(e.ResponseOrdered)


async def test_a_review_is_none_without_reasons_and_what_was_looked_at(asked: World) -> None:
    """Art. 22(3): to contest the decision; nobody is told of a review that nobody made."""
    asked.puts_aside = True
    event = e.DecisionReviewed(
        case=asked.cases[0], by=CONSOLE, decision="credit", result="confirmed"
    )
    await asked.decide(event, says=WHY)
    await asked.decide(event, evidence="Invoices.")
    assert asked.put_aside == ["incident: reviewed_without_reasons_and_evidence"] * 2
    assert await items(asked)


async def test_they_read_the_result_and_the_reasons(asked: World) -> None:
    """Art. 22(3), 12(4): also that they may complain, where it stands."""
    await reviewed(asked, "confirmed")
    (mail,) = (it for it in asked.mails(ANN) if "decided anew" in it.subject)
    assert WHY in mail.text
    assert "so it stands" in mail.text
    assert "supervisory authority" in mail.text
    assert not any(WHY.encode() in it for it in asked.on_topics)
    text = (await asked.answer()).text
    assert "Whether you may pay after delivery." in text
    assert "1 stay, 0 are changed" in text
    assert (await asked.case()).state == "answered"


async def test_another_result_has_its_effect_before_it_is_answered(asked: World) -> None:
    """Art. 22(3), 12(3): information on action taken, once it is taken."""
    await reviewed(asked, "changed")
    assert not await asked.said(e.ResponseOrdered)
    (item,) = await items(asked)
    assert item.says == "the decision credit is changed: have that carried out by accounts"
    about = item.about
    assert about is not None
    await asked.decide(
        e.ItemSettled(
            case=asked.cases[0],
            by=CONSOLE,
            at=asked.now,
            right=about.right,
            system=about.system,
            kind=about.kind,
            was=about.was,
            how="done",
        ),
        evidence="Limit set by accounts on 3 March.",
    )
    assert "0 stay, 1 are changed" in (await asked.answer()).text
    assert (await asked.case()).state == "answered"
