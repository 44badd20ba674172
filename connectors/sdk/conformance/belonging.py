"""Whose a holding is, is told, and nobody is asked about by what is not theirs."""

from __future__ import annotations

import pytest

from ..interface import Borne, Holding, Identifier, Subject
from ..spelling import normal
from .cast import ALIKE, KISS, MIXED, PEOPLE, SPELT, TOLD_APART_BY
from .looking import Seen, line, look, person, total
from .world import World

BORNE = frozenset({"email", "phone", "user_id", "name"})


class Belonging:
    """`Holding.bears`, `Holding.part_of` and `usable`."""

    async def test_a_holding_tells_whose_it_is(self, world: World) -> None:
        """Give it `bears` or `part_of`: what tells neither is left to a person, each time."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            kinds = it.capabilities.kinds
        for holding in held:
            assert holding.bears or holding.part_of, f"a {holding.kind} is nobody's"
            assert {borne.kind for borne in holding.bears} <= BORNE
            assert all(borne.field and borne.value.strip() for borne in holding.bears)
            owner = holding.part_of
            assert owner is None or owner.kind in kinds, f"a {holding.kind} hangs on no holding"
            assert owner != holding

    async def test_a_holding_bears_what_it_was_found_by(self, world: World) -> None:
        """In `bears`, its own or its owner's: give back what is in the record, as it is spelt."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            for given in person(world, "ann").identifiers:
                subject = Subject((given,))
                held = (await look(it, subject)).holdings
                for holding in held:
                    borne = [it for one in line(holding, held) for it in one.bears]
                    assert any(subject.bears(it.kind, it.value) for it in borne), (
                        f"a {holding.kind} was found by {given.kind}, and does not say so"
                    )

    async def test_what_is_known_tells_the_same_again(self, world: World) -> None:
        """Read whose it is from the record, not from the search: `known` are asked for by id."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            again = (await look(it, Subject(()), held)).holdings
        assert {it: _told(it) for it in again} == {it: _told(it) for it in held}

    @pytest.mark.parametrize("kind", TOLD_APART_BY)
    async def test_a_record_tells_what_it_bears_beside(self, world: World, kind: str) -> None:
        """Everything that it says of who it is, asked for or not: in it may lie a stranger's data.

        From such a record tell no fact: it may not be the subject's.
        """
        ann = person(world, "ann")
        other = Identifier(kind, PEOPLE["bob"].get(kind, ("bob-user-1",))[0])
        if not await world.beside(ann, other):
            pytest.skip(f"no record bears another {kind}")
        async with world.connector() as it:
            seen = await look(it, ann)
        assert len(seen.holdings) == 1, "a record that bears more is the subject's or not: tell it"
        bears = seen.holdings[0].bears
        assert any(ann.bears(it.kind, it.value) for it in bears)
        told = {normal(kind, it.value) for it in bears if it.kind == kind}
        assert normal(kind, other.value) in told, (
            f"it bears somebody else's {kind}, and does not say so"
        )
        assert seen.facts == []

    async def test_what_it_can_be_asked_by_is_of_the_subject(self, world: World) -> None:
        """`usable`: what was not asked is not «nothing», and the answer says what was asked by."""
        ann = person(world, "ann")
        async with world.connector() as it:
            assert set(it.usable(ann)) == set(ann.identifiers)
            first = Subject(ann.identifiers[:1])
            assert it.usable(first) == first.identifiers
            assert it.usable(_useless(ann)) == ()

    async def test_without_anything_to_ask_by_nobody_is_asked_about(self, world: World) -> None:
        """Ask by what is `usable`, and make no call where nothing is."""
        await world.seed(person(world, "ann"), holdings=12)
        before = await total(world)
        async with world.connector() as it:
            seen = await look(it, _useless(person(world, "ann")))
        assert seen == Seen()
        assert await total(world) == before

    @pytest.mark.parametrize("spelt", SPELT)
    async def test_an_address_is_found_however_it_is_spelt(self, world: World, spelt: str) -> None:
        """Ask with `subject.forms`, compare with `subject.bears`."""
        if "email" not in world.searched_by:
            pytest.skip("not searched by e-mail")
        stored, asked = (Subject((Identifier("email", it),)) for it in SPELT[spelt])
        await world.seed(stored, holdings=1)
        async with world.connector() as it:
            held = (await look(it, asked)).holdings
        assert len(held) == 1, "it is there in another spelling, and was not found"
        assert any(asked.bears(it.kind, it.value) for it in held[0].bears)

    async def test_an_address_is_found_however_the_vendor_has_it(self, world: World) -> None:
        """Stored in upper case, asked for in lower. If your vendor cannot, say so in `beyond`.

        Then let the world say `tells_case_apart`.
        """
        if "email" not in world.searched_by:
            pytest.skip("not searched by e-mail")
        stored, asked = (Subject((Identifier("email", it),)) for it in MIXED)
        await world.seed(stored, holdings=1)
        async with world.connector() as it:
            if world.tells_case_apart:
                assert it.capabilities.beyond, "what is spelt otherwise is beyond every search"
                return
            assert len((await look(it, asked)).holdings) == 1

    @pytest.mark.parametrize("address", ALIKE, ids=range(len(ALIKE)))
    @pytest.mark.parametrize("backwards", [False, True])
    async def test_an_address_that_looks_alike_finds_nobody(
        self, world: World, address: str, *, backwards: bool
    ) -> None:
        """Fold nothing that `spelling` does not: two people's addresses would become one."""
        if "email" not in world.searched_by:
            pytest.skip("not searched by e-mail")
        one, other = (Subject((Identifier("email", it),)) for it in (KISS, address))
        await world.seed(other if backwards else one, holdings=1)
        async with world.connector() as it:
            assert (await look(it, one if backwards else other)).holdings == []


def _told(holding: Holding) -> tuple[frozenset[Borne], Holding | None]:
    return frozenset(holding.bears), holding.part_of


def _useless(subject: Subject) -> Subject:
    """The same, known by nothing strong, and by what no system is asked by."""
    weak = (Identifier(it.kind, it.value, strong=False) for it in subject.identifiers)
    return Subject((*weak, Identifier("shoe_size", "42")))
