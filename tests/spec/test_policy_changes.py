"""A policy changes: open cases keep theirs, and people see what another would decide."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline import policy
from pipeline.cli import main

from .world import World

ANN, BOB = "ann@example.org", "bob@example.org"
CHARGES = '  { system = "stripe", kind = "charge", categories = ["transaction"] },\n'
UPLOAD = 'kind = "upload"\ncategories = ["profile", "usage"]\nrole = "processor"'
SAYS = "To help you if you have questions or you need technical support"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped policy, in a folder of its own."""
    made = tmp_path / "policy"
    made.mkdir()
    for name in policy.FILES:
        shutil.copy(Path(policy.__file__).parent / name, made / name)
    return made


def change(folder: Path, old: str, new: str) -> None:
    """Write other words into the policy."""
    file = folder / policy.FILES[0]
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def a_customer(world: World, email: str) -> None:
    """Somebody who paid once."""
    key = world.holds(
        "stripe", "customer", email=email, name="A Customer", description="Likes maps"
    )
    world.holds("stripe", "charge", customer=key.partition("/")[2], receipt_email=email)


def habeas(world: World, *arguments: str) -> Result:
    """The command, on the world's data."""
    environ = {"HABEAS_DATA": str(world.settings.data), "HABEAS_SYSTEMS": world.settings.systems}
    return CliRunner().invoke(main, arguments, env=environ)


def said(world: World, *arguments: str) -> Any:
    """What it prints as JSON."""
    result = habeas(world, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_dpo_sees_why_and_what_a_changed_policy_would_decide(
    tmp_path: Path, folder: Path
) -> None:
    """GDPR Art. 5(2), 24(2): each decision is explained, and a change is weighed before it acts."""

    async def play() -> World:
        async with World(tmp_path, systems=("stripe",)) as world:
            a_customer(world, ANN)
            await world.submit("erasure", email=ANN)
            return world

    world = asyncio.run(play())
    case = str(world.cases[0])
    (line,) = said(world, "policy", "list")
    assert (line["cases"], line["open"], line["in_force"]) == (1, 0, True)
    explained = {
        (it["kind"], it["category"]): it for it in said(world, "policy", "explain", case)["rows"]
    }
    charge = explained["charge", "transaction"]
    assert charge["decision"]["rule"] == "bizxpert.payments"
    assert "purchase is true." in charge["why"]
    assert "(stripe: charge.created)" in charge["why"]
    assert "GDPR Art. 17(3)" in charge["why"]
    assert explained["customer", "profile"]["decision"]["action"] == "erase"
    assert "No rule keeps such data." in explained["customer", "profile"]["why"]
    before = dump(world)
    assert said(world, "policy", "diff", str(folder))["changes"] == []
    change(folder, CHARGES, "")
    (changed,) = said(world, "policy", "diff", str(folder))["changes"]
    assert (changed["kind"], changed["rows"], changed["cases"]) == ("charge", 1, 1)
    assert (changed["before"]["action"], changed["after"]["action"]) == ("keep", "erase")
    assert dump(world) == before
    assert "items would be decided otherwise" in habeas(world, "policy", "diff", str(folder)).output


def dump(world: World) -> list[str]:
    """All that the register has."""
    with sqlite3.connect(world.settings.data / "register.db") as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize(
    ("old", "new", "row", "do"),
    [
        (
            'system = "stripe"\nkind = "charge"\n',
            'system = "stripe"\nkind = "refund"\n',
            "no [[data]] row for charge",
            "Add them",
        ),
        ('role = "controller"', 'role = "owner"', "the role 'owner' is none", "It is controller"),
        ('sources = ["you"]', "sources = []", "it is not said whence it comes", "Name `sources`"),
        ('purposes = ["order"]', 'purposes = ["fun"]', "'fun' is none of the purposes", "Mend it"),
        (
            'purposes = ["order"]',
            'purposes = ["single-notice"]',
            "held for no purpose that uses identity",
            "Name the purpose, or stop holding it",
        ),
        ('purposes = ["contract"]', "purposes = []", "for no purpose that uses", "Name the"),
        (UPLOAD, UPLOAD.replace("processor", "controller"), "as a processor's", "Give it"),
        ('kind = "upload"\ncustomer', 'kind = ""\ncustomer', "neither a kind", "Name one"),
        (CHARGES, CHARGES.replace("charge", "card"), "the data map does not have", "take it out"),
        ('id = "paypal"', 'id = "PayPal Inc"', "the id is no code", "Make it one word"),
        ('id = "paypal"', 'id = "stripe"', "[[recipients]] stripe: it stands there twice", "Leave"),
    ],
)
def test_a_contradiction_is_refused_with_its_row_and_what_to_do(
    folder: Path, old: str, new: str, row: str, do: str
) -> None:
    """GDPR Art. 24(1): what nobody could be held to is no policy."""
    change(folder, old, new)
    result = CliRunner().invoke(main, ["policy", "check", str(folder)])
    assert result.exit_code == 1
    assert row in result.output
    assert do in result.output


def test_the_shipped_policy_has_no_fault_and_tells_the_dpo_its_gaps() -> None:
    """Art. 39(1)(b): what the policy lacks is the DPO's to mend, and no reason not to start."""
    result = CliRunner().invoke(main, ["policy", "check"])
    assert result.exit_code == 0, result.output
    assert "note: 2026-11-29: It does not say that one may complain" in result.output
    assert "the DPO finds out by hand: there is no `contact`" in result.output


async def test_an_open_case_goes_on_under_its_policy_and_a_new_one_under_the_new(
    tmp_path: Path, folder: Path
) -> None:
    """GDPR Art. 13(3), policy section 8: across a change of files and of every process."""
    was = tmp_path / "was"
    shutil.copytree(folder, was)
    change(was, SAYS, "To help you, as we said last year")
    async with World(tmp_path, systems=("freshdesk",), options={"policy": str(was)}) as world:
        for it in (ANN, BOB):
            world.holds("freshdesk", "contact", email=it, name="Somebody")
        first = await world.submit("access", email=ANN, level=0)  # waits for their confirmation
        (mail,) = world.mails(to=ANN)
        shutil.rmtree(was)
        await world.restart(policy=str(folder))
        second = await world.submit("access", email=BOB)
        await world.press(mail)
        assert "To help you, as we said last year" in (await world.answer(case=first)).text
        assert not any(b"as we said last year" in it for it in world.on_topics)
        assert SAYS in (await world.answer(case=second)).text
