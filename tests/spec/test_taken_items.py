"""Whose is it to see to? Each item of the inbox is somebody's, or is asked for until it is."""

from __future__ import annotations

from pipeline.case.inbox import Item
from pipeline.intake.roles import Role
from schemas import events as e

from .test_open_items import ANN, DPO, items, left_open, settled
from .world import Mail, World


async def take(world: World, item: Item, by: str, login: str = "somebody") -> None:
    """Somebody takes an item, as `habeas inbox take` does."""
    await world.decide(e.ItemTaken(case=item.case, by=by, at=world.now, item=item.id), login)


async def takers(world: World) -> list[str]:
    """Who has taken what waits in the latest case."""
    return [it.taken.by if it.taken else "" for it in await items(world)]


async def one_thing_waits(world: World) -> Item:
    """A vendor does not let us delete; and whoever is told of the request says so."""
    await left_open(world)
    for it in world.instructions():
        await world.press(it)
    (item,) = await items(world)
    return item


def again(world: World) -> list[Mail]:
    """What the DPO was told since the first mail."""
    about = ("Urgent: nobody has taken", "Something still waits")
    return [it for it in world.mails(to=DPO) if it.subject.startswith(about)]


async def test_what_waits_is_whose_who_takes_it_or_takes_it_over(world: World) -> None:
    """Art. 5(2), 24: who sees to it is known, under which login, and for how long."""
    await left_open(world)
    rae, bo = (world.colleague(it, Role.REVIEWER) for it in ("rae", "bo"))
    assert await takers(world) == [""]
    for by in (rae, bo):
        (item,) = await items(world)
        await take(world, item, by, f"{by}-at-work")
        assert await takers(world) == [by]
    kept = [(it.name, it.console, it.login) for it in await world.decisions()]
    assert kept == [("item_taken", it, f"{it}-at-work") for it in (rae, bo)]


async def test_who_has_it_already_or_has_not_the_role_takes_nothing(world: World) -> None:
    """Art. 38: what waits for the DPO is no reviewer's to take."""
    world.holds("freshdesk", "contact", email=ANN, name="Ann Lee")
    world.holds("stripe", "customer", email=ANN, name="Bea Roth")
    await world.submit("access", email=ANN, name="Ann Lee")
    (item,) = await items(world)
    await take(world, item, world.colleague("rae", Role.REVIEWER))
    await take(world, item, world.colleague("aud", Role.DPO))
    await take(world, item, "aud")
    assert await takers(world) == ["aud"]
    assert len(await world.said(e.ItemTaken)) == 1


async def test_what_ended_and_waits_once_more_is_nobodys(world: World) -> None:
    """Art. 5(2): who took it the last time may not know that it waits again."""
    await left_open(world)
    (item,) = await items(world)
    await take(world, item, "dpo")
    await settled(world, item)  # and it is found again
    assert await takers(world) == [""]


async def test_what_nobody_takes_is_asked_for_until_somebody_does(world: World) -> None:
    """Art. 12(3): a first mail, one before its date, and from then on with growing pauses."""
    item = await one_thing_waits(world)
    await world.later(days=27)
    assert again(world) == []
    await world.later(days=24)
    assert [it.subject.partition(" [")[0] for it in again(world)] == [
        "Urgent: nobody has taken what waits for you"
    ] * 3
    assert "Nobody has taken it." in again(world)[-1].text
    assert "answer is due" not in again(world)[-1].text, "it is answered"
    assert f"habeas inbox take {world.cases[-1]} ITEM" in again(world)[-1].text
    await take(world, item, world.colleague("rae", Role.REVIEWER))
    await world.later(days=60)
    assert len(again(world)) == 3


async def test_what_somebody_has_taken_is_reminded_of_once(world: World) -> None:
    """Art. 12(3): by the name of the console that has it."""
    item = await one_thing_waits(world)
    await take(world, item, world.colleague("rae", Role.REVIEWER))
    await world.later(days=90)
    (mail,) = again(world)
    assert mail.subject.startswith("Something still waits for you")
    assert "rae has taken it." in mail.text


async def test_a_reminder_of_an_answer_says_who_sees_to_what_it_waits_for(world: World) -> None:
    """Art. 12(3): while a plan waits, the date of the answer reminds."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    number = int(contact.partition("/")[2])
    for n in range(30):
        world.holds("freshdesk", "ticket", requester_id=number, subject=f"Question {n}")
    await world.submit("erasure", email=ANN)
    await world.later(days=24)
    reminder = next(it for it in world.mails(to=DPO) if it.subject.startswith("An answer is due"))
    assert "1 thing waits for people. Nobody has taken it." in reminder.text
