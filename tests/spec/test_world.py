"""What the world of the spec tests is: a request goes through, and time passes as it is told to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.sdk import wall_clock
from connectors.sdk.sandbox import Fault
from pipeline.register.reading import NoCaseError

from .world import BEGINS, World

ANN = "ann@example.org"


async def test_a_request_goes_through_everything_to_answer_and_report(world: World) -> None:
    contact = world.holds("freshdesk", "contact", email=ANN, name="Ann")
    await world.submit("access", "erasure", email=ANN)
    assert world.row("freshdesk", contact) is None
    assert world.effects("freshdesk") == [f"hard_delete {contact}"]
    assert [it.subject[:35] for it in world.mails(to=ANN)] == [
        "We have received your request [" + str(world.cases[0])[:4],
        "The answer to your request is ready",
        "The answer to your request is ready",
    ]
    copy = await world.answer(1)
    assert [it["data"]["email"] for it in copy.records("freshdesk")] == [ANN]
    assert "Erased. We looked again afterwards, and it was gone." in (await world.answer(2)).text
    report = world.report()
    assert {it["right"]: it["state"] for it in report.document["claims"]} == {
        "access": "fulfilled",
        "erasure": "fulfilled",
    }
    assert "Erasure: fulfilled" in report.text
    assert ANN not in report.html


async def test_whoever_has_the_mail_presses_its_button(world: World) -> None:
    contact = world.holds("freshdesk", "contact", email=ANN)
    await world.submit("erasure", email=ANN, level=0)
    (mail,) = world.mails(to=ANN)
    assert not world.calls("freshdesk")
    await world.press(mail)
    assert world.row("freshdesk", contact) is None


async def test_what_waits_for_the_dpo_waits_until_they_decide(world: World) -> None:
    contact = world.holds("freshdesk", "contact", email=ANN)
    number = int(contact.partition("/")[2])
    for n in range(30):
        world.holds("freshdesk", "ticket", requester_id=number, subject=f"Question {n}")
    await world.submit("erasure", email=ANN)
    assert world.effects("freshdesk") == []
    (asked,) = (it for it in world.mails() if it.to != ANN)
    assert asked.subject.startswith("A plan waits for your approval ")
    await world.approve()
    assert world.row("freshdesk", contact) is None


async def test_what_falls_due_happens_on_its_day_whoever_runs_by_then(world: World) -> None:
    """A vendor is away for a day; the search budget ends, and every process is replaced."""
    world.holds("freshdesk", "contact", email=ANN)
    world.vendors["freshdesk"].faults.append(Fault(status=503, times=None))
    await world.submit("access", email=ANN)
    assert len(world.mails()) == 1, "that the request came"
    await world.restart()
    await world.later(hours=22)
    assert len(world.mails()) == 1
    await world.later(hours=2)
    assert len(world.mails(to=ANN)) == 2
    assert "Access: partially fulfilled" in world.report().text


async def test_six_years_later_the_keys_have_turned_and_a_new_request_is_answered(
    world: World,
) -> None:
    first = await world.submit("access", email=ANN)
    await world.later(days=6 * 365 + 2)
    with pytest.raises(NoCaseError, match="the package key of case"):
        await world.answer(case=first)
    await world.submit("access", email=ANN)
    assert "On 2 March 2032 you asked" in (await world.answer()).text


async def test_the_clock_is_put_right_afterwards(tmp_path: Path) -> None:
    before = wall_clock.ahead()
    async with World(tmp_path, systems=("freshdesk",)) as world:
        assert world.now.date() == BEGINS.date()
        await world.later(days=40)
        assert (world.now - BEGINS).days == 40
    assert wall_clock.ahead() == before
    assert abs(wall_clock.now() - before - datetime.now(UTC)).total_seconds() < 1
