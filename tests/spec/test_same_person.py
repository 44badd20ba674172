"""Who asks again, or for something else, while a request of theirs is open (Art. 12(5), 15, 17)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert

from connectors.sdk.sandbox import Fault
from pipeline.app import CONSOLE
from pipeline.case.case import Case
from pipeline.orchestrator.decider import Decider
from pipeline.orchestrator.inputs import Input
from pipeline.register.reading import NoCaseError
from pipeline.register.tables import dues, set_aside
from schemas import events as e

from .people import ANN, BOB, ticket
from .world import BEGINS, World

DPO = "info@bizxpert.com"
OTHER = "ann.private@example.net"
JOINED = "You have asked for the same before"
READY = "The answer to your request is ready"


def much(world: World, email: str = ANN) -> str:
    """A contact with so many tickets that a plan to erase them waits for the DPO."""
    contact = world.holds("freshdesk", "contact", name="Ann Example", email=email)
    for n in range(30):
        ticket(world, contact, f"Question {n}")
    return contact


def is_away(world: World, system: str = "stripe") -> None:
    world.vendors[system].faults.append(Fault(status=503, times=None))


async def is_back(world: World, system: str = "stripe") -> None:
    world.vendors[system].faults.clear()
    await world.later(hours=2)


def subjects(world: World, case: UUID, to: str = ANN) -> list[str]:
    return [it.subject.partition(" [")[0] for it in world.mails(to=to, case=case)]


async def test_what_is_asked_twice_is_answered_once_under_the_first_reference(
    world: World,
) -> None:
    """Art. 12(5), 12(3): the same and open joins it; the person reads where it is answered."""
    contact = much(world)
    first = await world.submit("erasure", email=ANN, name="Ann Example")
    await world.later(days=3)
    before = {it: world.calls(it).copy() for it in world.systems}
    told = len(world.instructions())
    second = await world.submit("erasure", email=ANN, name="Example, Ann")
    assert (await world.case(second)).state == "joined"
    assert {it: world.calls(it) for it in world.systems} == before
    assert len(world.instructions()) == told
    *_, letter = world.mails(to=ANN)
    assert letter.subject.startswith(JOINED)
    assert str(first) in letter.text
    assert "on 2 March 2026" in letter.text
    assert "by 2 April 2026" in letter.text
    await world.approve(first)
    assert world.row("freshdesk", contact) is None
    await world.later(days=3)
    assert subjects(world, first).count(READY) == 1
    assert subjects(world, second) == ["We have received your request", JOINED]
    with pytest.raises(NoCaseError, match="has no response"):
        await world.answer(case=second)


async def test_what_was_answered_already_is_not_joined_but_asked_anew(world: World) -> None:
    """Art. 12(5), 15: a new copy is made, and what waits for approval is erased only after it."""
    contact = much(world)
    first = await world.submit("access", "erasure", email=ANN)
    await world.later(days=1)
    again = await world.submit("erasure", email=ANN)
    copying = await world.submit("access", "erasure", email=ANN)
    assert [(await world.case(it)).joined for it in (first, again, copying)] == [None, first, None]
    assert (await world.answer(1, case=copying)).records("freshdesk")
    await world.approve(first)
    assert world.row("freshdesk", contact) is None


async def test_how_often_somebody_asks_is_no_reason_to_refuse(world: World) -> None:
    """Art. 12(5), C-416/23: what was answered is asked anew, and answered anew."""
    world.holds("freshdesk", "contact", email=ANN)
    for _ in range(4):
        case = await world.submit("access", email=ANN)
        assert (await world.answer(case=case)).records("freshdesk")
        assert (await world.case(case)).refused_for == ""


async def test_a_copy_that_is_asked_for_meanwhile_comes_before_the_erasure(world: World) -> None:
    """Art. 15, 17: the erasure is approved, and waits until the copy is signed."""
    contact = much(world)
    erasing = await world.submit("erasure", email=ANN)
    await world.later(days=3)
    is_away(world)
    copying = await world.submit("access", email=ANN)
    await world.approve(erasing)
    assert world.effects("freshdesk") == []
    assert world.instructions(case=erasing) == []
    await is_back(world)
    copy = await world.answer(case=copying)
    assert len(copy.records("freshdesk")) == 31
    assert world.row("freshdesk", contact) is None
    assert (await world.case(erasing)).claims["erasure"].state != "open"


async def test_an_erasure_waits_for_a_copy_that_is_under_way(world: World) -> None:
    """Art. 15, 17: nothing is erased before."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    is_away(world)
    copying = await world.submit("access", email=ANN)
    erasing = await world.submit("erasure", email=ANN)
    world.vendors["stripe"].faults.clear()
    assert world.effects("freshdesk") == []
    assert (await world.case(erasing)).awaits.keys() == {copying}
    await world.later(hours=2)
    assert (await world.answer(case=copying)).records("freshdesk")
    assert world.row("freshdesk", contact) is None


async def test_nobody_waits_past_their_date_for_a_case_that_nothing_is_decided_about(
    world: World,
) -> None:
    """Art. 12(3), 17(1): people are told what it waits for, and have until shortly before it."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    is_away(world)
    copying = await world.submit("access", email=ANN)
    await world.submit("erasure", email=ANN)
    async with world.engine.begin() as connection:
        aside = insert(set_aside).values(case_id=copying, why="left alone", at=world.now)
        await connection.execute(aside)
        await connection.execute(delete(dues).where(dues.c.case_id == copying))
    world.vendors["stripe"].faults.clear()
    await world.later(days=20)
    assert world.row("freshdesk", contact) is not None
    (reminder,) = [it for it in world.mails(to=DPO) if "An answer is due soon" in it.subject]
    assert "another case of the person asks for a copy" in reminder.text
    await world.later(days=10)
    assert world.row("freshdesk", contact) is None
    assert world.now < BEGINS + timedelta(days=31)


async def test_what_could_not_be_copied_yet_is_not_erased_under_another_reference(
    world: World,
) -> None:
    """Art. 15, 17: Freshdesk is away longer than the search for the copy lasts."""
    contact = much(world)
    erasing = await world.submit("erasure", email=ANN, name="Ann Example")
    is_away(world, "freshdesk")
    copying = await world.submit("access", email=ANN, name="Ann Example")
    await world.later(hours=30)
    assert (await world.case(copying)).claims["access"].state == "partially_fulfilled"
    await is_back(world, "freshdesk")
    await world.approve(erasing)
    assert world.row("freshdesk", contact) is not None
    assert world.effects("freshdesk") == []


async def test_two_that_cannot_be_compared_hold_up_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Art. 12(3): whatever breaks about one case, the clock goes on for all others."""
    is_away(world)
    first = await world.submit("access", email=ANN, name="Ann Example")
    whole = Decider._one_decision

    def breaks(self: Decider, case: Case | None, it: Input, *more: Any) -> Any:
        if isinstance(it.event, e.RequestsCompared) and it.event.case != first:
            raise RuntimeError("an event that breaks the decider")
        return whole(self, case, it, *more)

    monkeypatch.setattr(Decider, "_one_decision", breaks)
    await world.submit("erasure", email=ANN, name="Ann Example")
    await world.later(hours=2)
    world.holds("freshdesk", "contact", name="Bob", email=BOB)
    other = await world.submit("access", email=BOB, name="Bob")
    await is_back(world)
    assert subjects(world, other, BOB)[-1] == READY


async def test_an_erasure_does_not_wait_for_a_copy_that_is_taken_back(world: World) -> None:
    """Art. 17(1): without undue delay."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    is_away(world)
    copying = await world.submit("access", email=ANN)
    await world.submit("erasure", email=ANN)
    assert world.effects("freshdesk") == []
    world.vendors["stripe"].faults.clear()
    await world.decide(e.ClaimWithdrawn(case=copying, by=CONSOLE, right="access"))
    assert world.row("freshdesk", contact) is None


async def test_somebody_else_at_the_same_mailbox_is_answered_for_themselves(world: World) -> None:
    """Art. 12(6), 15(4): another name is another person's, as far as anybody knows."""
    both = "office@example.org"
    is_away(world)
    hers = await world.submit("access", email=both, name="Ann Example")
    his = await world.submit("access", email=both, name="Bob Example")
    await is_back(world)
    for case in (hers, his):
        assert (await world.answer(case=case)).text
        assert READY in subjects(world, case, both)
        assert JOINED not in subjects(world, case, both)


async def test_who_does_not_show_who_they_are_learns_of_no_other_request(world: World) -> None:
    """Art. 12(6), 32: neither is told of the other before the second one is proved."""
    much(world)
    first = await world.submit("erasure", email=ANN)
    entries = (await world.case(first)).number
    second = await world.submit("erasure", email=ANN, level=0)
    (asked,) = world.mails(case=second)
    assert str(first) not in asked.text
    assert (await world.case(first)).number == entries
    await world.press(asked)
    assert subjects(world, second)[-1] == JOINED
    assert (await world.case(second)).joined == first


async def test_an_address_that_is_not_proved_keeps_two_requests_apart(world: World) -> None:
    """Art. 11(2), 12(6): what is asked for with another address as well is not the same."""
    much(world)
    await world.submit("erasure", email=ANN)
    second = await world.submit("erasure", email=ANN, claimed=[BOB])
    assert (await world.case(second)).joined is None
    third = await world.submit("erasure", email=ANN, further=[OTHER])
    assert (await world.case(third)).joined is None
