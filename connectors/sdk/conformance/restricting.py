"""What is restricted is lifted again, and is then as it was."""

from __future__ import annotations

import pytest

from ..interface import MARKETING, Connector, Right
from .changing import LIFT, RESTRICT, Target, bare, did, is_read, is_restricted, targets
from .looking import Planted, look, needs, person, planted
from .routes import tried
from .world import World


class Restricting:
    """`restrict`, and `standing` after it."""

    @pytest.mark.parametrize("backwards", [False, True])
    async def test_lifting_gives_back_what_was_there(
        self, world: World, *, backwards: bool
    ) -> None:
        """Set a mark of your own, keep what it stands in place of, and take off that alone."""
        kinds = await _lifted(world)
        found = [at for at in await targets(world, "ann", RESTRICT) if at.holding.kind in kinds]
        async with world.connector() as it:
            before = await bare(world)
            for at in found:
                assert not await is_restricted(it, at), f"nobody restricted this {at.holding.kind}"
            marked = [at for at in found if did(await RESTRICT.act(it, at), RESTRICT.done)]
            assert not marked or await bare(world) != before, "nothing was marked"
        async with world.connector() as it:
            for at in marked:
                assert await is_restricted(it, at), f"a {at.holding.kind}"
            again = [*reversed(marked)] if backwards else marked
            for at in again:  # a part may stand through what it is part of, until that is lifted
                await LIFT.act(it, at)
            for at in again:
                assert did(await LIFT.act(it, at), LIFT.done), f"a {at.holding.kind}"
        async with world.connector() as it:
            for at in marked:
                assert not await is_restricted(it, at), f"a {at.holding.kind} is still restricted"
        assert await bare(world) == before, "the vendor has something else than before"

    async def test_a_mark_is_nothing_of_theirs(self, world: World) -> None:
        """What is restricted has the categories that it had, and no holding comes of it.

        A mark lies inside the record, and is no content: what was erased would be found again.
        """
        found = await targets(world, "ann", RESTRICT)
        async with world.connector() as it:
            before = await look(it, found[0].subject)
            for at in found:
                await RESTRICT.act(it, at)
            after = await look(it, found[0].subject)
        assert set(after.holdings) == set(before.holdings), "a holding came, or went"
        had = {one: one.categories for one in before.holdings}
        assert {one: one.categories for one in after.holdings} == had

    async def test_to_lift_what_is_not_restricted_is_to_do_nothing(self, world: World) -> None:
        """Take off no mark but that of `restrict`: the person may have said no themselves."""
        found = await targets(world, "ann", RESTRICT)
        before = await world.effects(), await world.state()
        async with world.connector() as it:
            for at in found:
                await LIFT.act(it, at)
        assert (await world.effects(), await world.state()) == before

    async def test_what_others_have_a_part_in_is_not_marked_for_one(self, world: World) -> None:
        """A mark on what is shared is everybody's: leave it to a person, mark what is theirs."""
        ann, bob = person(world, "ann"), person(world, "bob")
        async with world.connector() as it:
            needs(it, Right.RESTRICTION)
            if not await world.share(ann, bob):
                pytest.skip("nothing is shared")
            mine, theirs = [(await look(it, who)).holdings for who in (ann, bob)]
            for holding in mine:
                await it.restrict(holding)
        for holding in (one for one in theirs if one not in mine):
            is_free = await is_read(world, LIFT, Target(bob, holding))
            assert is_free, f"somebody else's {holding.kind} is marked"

    async def test_a_standing_is_read_anew(self, world: World) -> None:
        """Another connector restricts it meanwhile: keep nothing of a holding on `self`."""
        found = await targets(world, "ann", RESTRICT)
        async with world.connector() as reader, world.connector() as it:
            for at in found:
                assert not await is_restricted(reader, at)
                if did(await RESTRICT.act(it, at), RESTRICT.done):
                    assert await is_restricted(reader, at), f"a {at.holding.kind}"
                    await LIFT.act(it, at)

    async def test_a_standing_that_cannot_be_read_is_none(self, world: World) -> None:
        """Raise, or say the same as ever: a mark that was not seen may be there."""
        ann = await planted(world, "ann")
        async with world.connector() as it:
            rights = it.capabilities.rights
            if not rights & {Right.RESTRICTION, Right.RECTIFICATION}:
                needs(it, Right.RESTRICTION)
            for holding in ann.seen.holdings if Right.RESTRICTION in rights else ():
                await it.restrict(holding)
        wrong = await tried(world, ann, _standings)
        assert not wrong, "\n".join(wrong)

    async def test_an_objection_that_cannot_be_read_is_none(self, world: World) -> None:
        """Raise, or say the same as ever: what was not seen may still be used."""
        ann = await planted(world, "ann")
        async with world.connector() as it:
            needs(it, Right.OBJECTION)
        wrong = await tried(world, ann, _objected)
        assert not wrong, "\n".join(wrong)
        async with world.connector() as it:
            await it.object_to(ann.subject, MARKETING)
        wrong = await tried(world, ann, _objected)
        assert not wrong, "\n".join(wrong)


async def _lifted(world: World) -> set[str]:
    """The kinds that are marked themselves, and that a connector can always lift by itself."""
    kinds, left = set[str](), set[str]()
    for at in await targets(world, "trial", RESTRICT):
        async with world.connector() as it:
            is_marked = did(await RESTRICT.act(it, at), RESTRICT.done)
            is_lifted = is_marked and did(await LIFT.act(it, at), LIFT.done)
        (kinds if is_lifted else left).add(at.holding.kind)
    return kinds - left


async def _standings(it: Connector, of: Planted) -> object:
    return tuple([await it.standing(holding) for holding in of.seen.holdings])


async def _objected(it: Connector, of: Planted) -> object:
    return await it.objected(of.subject, MARKETING)
