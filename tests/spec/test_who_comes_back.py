"""Whom we erased stays away: who is there again stands on somebody's list (Art. 17(1), 5(2))."""

from __future__ import annotations

from pipeline.intake.roles import Role
from schemas import events as e

from .test_open_items import ANN, DPO, items, settled
from .world import World

FEED = "crm-import"


async def erased(world: World) -> None:
    """Somebody is erased everywhere, whoever was told says so, and the case is answered."""
    world.holds("freshdesk", "contact", email=ANN)
    await world.submit("erasure", email=ANN)
    for it in world.instructions():
        await world.press(it)
    assert (await world.case()).state == "answered"


async def seen(world: World, *, feed: str = FEED, count: int = 3, by: str = "dpo") -> None:
    """A list was screened, and the person is on it, as `habeas screen --feed` says it."""
    case, now = world.cases[-1], world.now
    await world.decide(e.PersonReappeared(case=case, by=by, at=now, feed=feed, count=count))


async def says(world: World) -> list[str]:
    return [it.says for it in await items(world)]


async def test_who_is_there_again_waits_for_the_dpo_who_is_told(world: World) -> None:
    """Art. 17(1), 39: an item with its feed and count, a mail, and no word of who it is."""
    await erased(world)
    before = len(world.mails(to=DPO))
    await world.later(days=40)
    await seen(world)
    (item,) = await items(world)
    assert (item.kind, item.role, item.command) == (
        "reappeared",
        "dpo",
        f"habeas decide settle {item.case} {item.id}",
    )
    assert item.says == f"3 rows are of the person in crm-import again on {world.now:%Y-%m-%d}"
    assert (item.due - world.now).days in {6, 7}
    assert (await world.case()).state == "waits_for_people"
    told = world.mails(to=DPO)[before:]
    assert len(told) == 1
    assert ANN not in told[0].text
    (decision,) = await world.decisions()
    assert (decision.name, decision.login) == ("person_reappeared", "the-dpo")


async def test_what_a_person_settles_is_answered_again_until_the_person_is_seen_once_more(
    world: World,
) -> None:
    """Art. 5(2): it is settled with evidence, and a later day is another time."""
    await erased(world)
    await seen(world)
    (item,) = await items(world)
    await settled(world, item, evidence="taken out of the import, ticket 12")
    assert await items(world) == []
    assert (await world.case()).state == "answered"
    await world.later(days=1)
    await seen(world)
    (again,) = await items(world)
    assert again.id != item.id
    assert (await world.case()).state == "waits_for_people"


async def test_the_same_feed_is_said_once_a_day_and_another_one_beside_it(world: World) -> None:
    """Art. 5(2): a list that is screened again the same day says nothing new."""
    await erased(world)
    for count in (3, 3, 4):
        await seen(world, count=count)
    assert len(await world.said(e.PersonReappeared)) == 1
    await seen(world, feed="broker", count=1)
    assert [it.partition(" again on ")[0] for it in await says(world)] == [
        "1 row is of the person in broker",
        "3 rows are of the person in crm-import",
    ]
    before = await world.case()
    await world.later(days=1)
    await seen(world, count=5)
    assert len(before.reappeared) == len(await items(world)) == 2


async def test_a_case_that_erased_nothing_or_is_long_over_says_nothing(world: World) -> None:
    """Art. 5(1)(d): nobody is said to be back whom nobody erased, or of whom nobody can tell."""
    await world.submit("access", email=ANN)
    await seen(world)
    assert await world.said(e.PersonReappeared) == []
    await erased(world)
    await world.later(days=3 * 365 + 60)
    assert (await world.case()).keyless
    await seen(world)
    assert await world.said(e.PersonReappeared) == []


async def test_who_says_it_is_a_registered_person_and_the_feed_is_a_code(world: World) -> None:
    """Art. 24, 32: no auditor, no made-up console, and no name of anybody in the clear."""
    await erased(world)
    world.puts_aside = True
    await seen(world, by=world.colleague("aud", Role.AUDITOR))
    for feed, count in (
        ("List of Ann", 1),
        ("", 1),
        ("ann@example.org", 1),
        ("a" * 33, 1),
        ("x", 0),
    ):
        await seen(world, feed=feed, count=count)
    assert await world.said(e.PersonReappeared) == []
    reasons = sorted(it.rpartition(": ")[2] for it in world.put_aside)
    assert reasons == [
        *["no_code"] * 2,
        *["out_of_bounds:feed"] * 3,
        "role_may_not (claims to be from intake/aud)",
    ]
    await seen(world, by=world.colleague("rae", Role.REVIEWER))
    assert len(await items(world)) == 1
