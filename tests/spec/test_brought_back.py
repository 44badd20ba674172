"""A vendor restored a backup: what was erased there is erased again (Art. 17(1), 32(1)(c))."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from pipeline.case import replays
from pipeline.case.case import Case
from pipeline.intake.roles import Role
from schemas import events as e

from .people import BOB
from .test_open_items import ANN
from .world import World

BACK = "Something of yours was there again"


def lead(world: World) -> str:
    """A lead of theirs; its key."""
    return world.holds("salesforce", "lead", LastName="Lee", Company="Ex", Email=ANN)


async def erased(world: World) -> UUID:
    """Somebody is erased everywhere; the case."""
    world.holds("freshdesk", "contact", email=ANN, name="Ann Lee")
    lead(world)
    return await world.submit("erasure", email=ANN, name="Ann Lee")


async def replayed(world: World, case: UUID, *systems: str, by: str = "dpo") -> Case | None:
    """The DPO has it erased again, as `habeas replay` says it; the case that looks, if one does."""
    event = e.ErasureReplayed(case=case, by=by, at=world.now, systems=systems)
    await world.decide(event)
    opened = await world.said(e.FollowUpOpened, replays.follow_up_of(event))
    return await world.case(opened[0].case) if opened else None


async def test_what_a_backup_brought_back_is_erased_again_once_somebody_approved(
    world: World,
) -> None:
    """Art. 17(1): it is looked for with what was proved then, erased, proved, and told."""
    case = await erased(world)
    await world.later(days=10)
    before = len(world.mails(to=ANN))
    contact = world.holds("freshdesk", "contact", email=ANN.upper(), name="Ann Lee")
    stranger = world.holds("freshdesk", "contact", email=BOB, name="Bob Roe")
    looks = await replayed(world, case, "freshdesk")
    assert looks is not None
    assert looks.plan is not None
    assert looks.plan.state == "asked"
    assert world.row("freshdesk", contact) is not None
    await world.approve(looks.id)
    assert world.row("freshdesk", contact) is None
    assert world.row("freshdesk", stranger) is not None
    after = await world.case(looks.id)
    assert (after.state, after.claims["erasure"].state) == ("answered", "fulfilled")
    (letter,) = world.mails(to=ANN)[before:]
    assert letter.subject.startswith(BACK)
    assert str(case) in letter.text
    answer = await world.answer(case=looks.id)
    assert "a system had brought it back" in answer.text
    assert (await world.case(case)).replays == {}
    closed = await world.said(e.ObligationClosed, looks.id)
    assert len(closed) == 1


async def test_only_the_named_system_is_searched_for_them_and_nothing_else_is_touched(
    world: World,
) -> None:
    """Art. 5(1)(c): what is elsewhere is not looked for because one vendor restored something."""
    case = await erased(world)
    elsewhere = lead(world)
    contact = world.holds("freshdesk", "contact", email=ANN, name="Ann Lee")
    looks = await replayed(world, case, "freshdesk")
    assert looks is not None
    await world.approve(looks.id)
    assert world.row("freshdesk", contact) is None
    assert world.row("salesforce", elsewhere) is not None


async def test_where_nothing_was_brought_back_nobody_is_written_to(world: World) -> None:
    """Art. 5(1)(c): the case ends by itself, and its key with it."""
    case = await erased(world)
    before = len(world.mails(to=ANN))
    looks = await replayed(world, case, "freshdesk")
    assert looks is not None
    await world.later(days=1)
    assert (await world.case(looks.id)).state == "answered"
    assert (await world.case(looks.id)).responses == ()
    assert len(world.mails(to=ANN)) == before
    await world.later(days=9)
    assert (await world.case(looks.id)).keyless


async def test_what_is_said_twice_on_a_day_is_looked_into_once(world: World) -> None:
    """Art. 5(2): the command may be given again."""
    case = await erased(world)
    for _ in "12":
        assert await replayed(world, case, "freshdesk") is not None
    assert len(await world.said(e.ErasureReplayed, case)) == 1
    await world.later(days=1)
    again = await replayed(world, case, "freshdesk")
    assert again is not None
    assert len(await world.said(e.ErasureReplayed, case)) == 2


async def test_it_takes_the_dpo_a_system_where_something_was_erased_and_a_key(world: World) -> None:
    """Art. 5(2), 38: no reviewer, nowhere else, and never of somebody whom nobody can tell."""
    case = await erased(world)
    world.puts_aside = True
    assert (
        await replayed(world, case, "freshdesk", by=world.colleague("rae", Role.REVIEWER)) is None
    )
    for systems in ((), ("acme",), ("aws",), ("freshdesk", "acme")):
        assert await replayed(world, case, *systems) is None, systems
    asked = await world.submit("access", email=BOB)
    assert await replayed(world, asked, "freshdesk") is None
    await world.later(days=(timedelta(days=3 * 365) + timedelta(days=60)).days)
    assert (await world.case(case)).keyless
    assert await replayed(world, case, "freshdesk") is None
