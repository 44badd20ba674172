"""Whoever objects is not used any more, in whatever spelling they say so."""

from __future__ import annotations

from contextlib import suppress

import pytest

from ..interface import MARKETING, Identifier, Right, Subject, TerminalError
from .cast import ALIKE, HOSTILE, KISS, SPELT
from .changing import OBJECT, bare, did, targets
from .looking import needs, person, reasons
from .world import World

ANOTHER = "service"
"""A purpose that nobody can object to here."""


class Objecting:
    """`object_to` and `objected`."""

    async def test_an_objection_stops_all_of_it(self, world: World) -> None:
        """Every domain, list and record: the kit looks whom the vendor may still write to."""
        (at,) = await targets(world, "ann", OBJECT)
        assert await world.markets_to(at.subject), "let `seed` plant what is used for marketing"
        async with world.connector() as it:
            assert not await it.objected(at.subject, MARKETING), "nobody objected yet"
            said = await it.object_to(at.subject, MARKETING)
        still = await world.markets_to(at.subject)
        assert still is not did(said, OBJECT.done), "something of theirs is still used"

    @pytest.mark.parametrize("spelt", SPELT)
    async def test_an_objection_is_of_the_mailbox_however_it_is_spelt(
        self, world: World, spelt: str
    ) -> None:
        """Stop each of `subject.forms`: a vendor may have the address in another."""
        stored, asked = (Subject((Identifier("email", it),)) for it in SPELT[spelt])
        if "email" not in world.searched_by or (
            world.tells_case_apart and spelt == "in upper case"
        ):
            pytest.skip("not known by an address so spelt")
        await _is_stopped(world, stored, asked)

    async def test_an_address_that_looks_alike_is_somebody_elses(self, world: World) -> None:
        """Compare with `subject.bears`: of two that look alike one is a stranger's."""
        if "email" not in world.searched_by:
            pytest.skip("not known by an address")
        mine, *theirs = (Subject((Identifier("email", it),)) for it in (KISS, *ALIKE))
        async with world.connector() as it:
            needs(it, Right.OBJECTION)
            for one in theirs:
                await world.seed(one, holdings=1)
            before = await bare(world)
            await it.object_to(mine, MARKETING)
        after = await bare(world)
        assert {key: after.get(key) for key in before} == before

    async def test_whom_the_vendor_never_saw_can_object(self, world: World) -> None:
        """Note it where the vendor can, else say why not: nothing is used is an answer too."""
        stranger = person(world, "stranger")
        async with world.connector() as it:
            needs(it, Right.OBJECTION)
            said = await it.object_to(stranger, MARKETING)
            effects = await world.effects()
            assert await it.object_to(stranger, MARKETING) == said
            assert await world.effects() == effects, "was noted twice"
            assert reasons([said]) <= it.capabilities.reasons.keys()
        async with world.connector() as it:
            is_read = await it.objected(stranger, MARKETING)
        assert is_read or not did(said, OBJECT.done), "said to be stopped, and not read"

    async def test_another_purpose_is_not_stopped_by_it(self, world: World) -> None:
        """Marketing is all that this stops: say so of what else is asked, and change nothing."""
        (at,) = await targets(world, "ann", OBJECT)
        before = await world.effects()
        async with world.connector() as it:
            assert not did(await it.object_to(at.subject, ANOTHER), OBJECT.done)
        assert await world.effects() == before

    async def test_without_anything_to_be_known_by_nothing_is_stopped(self, world: World) -> None:
        """An empty address may name everybody: say why it cannot be done, and make no call."""
        async with world.connector() as it:
            needs(it, Right.OBJECTION)
            await world.seed(person(world, "bob"), holdings=3)
            before = await world.effects(), await world.state()
            for kind in world.searched_by:
                for nobody in (Subject(()), Subject((Identifier(kind, " "),))):
                    assert not did(await it.object_to(nobody, MARKETING), OBJECT.done)
        assert (await world.effects(), await world.state()) == before

    async def test_a_hostile_identifier_stops_nobody_else(self, world: World) -> None:
        """Quote or escape it: what is in it is no list, no pattern and no second address."""
        bob = person(world, "bob")
        await world.seed(bob, holdings=3)
        before = await bare(world)
        async with world.connector() as it:
            needs(it, Right.OBJECTION)
            for kind in world.searched_by:
                for text in HOSTILE:
                    with suppress(TerminalError):  # refused with a clear error
                        await it.object_to(Subject((Identifier(kind, text),)), MARKETING)
            assert not await it.objected(bob, MARKETING)
        after = await bare(world)
        assert {key: after.get(key) for key in before} == before


async def _is_stopped(world: World, stored: Subject, asked: Subject) -> None:
    async with world.connector() as it:
        needs(it, Right.OBJECTION)
    await world.seed(stored, holdings=3)
    async with world.connector() as it:
        said = await it.object_to(asked, MARKETING)
    if not did(said, OBJECT.done):
        return
    async with world.connector() as it:
        assert await it.objected(stored, MARKETING), "it is read in one spelling only"
    assert not await world.markets_to(stored), "what is stored in another spelling is still used"
