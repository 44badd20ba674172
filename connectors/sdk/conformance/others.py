"""Other people: who is nearly called so, who is served at the same time, who has a part in it."""

from __future__ import annotations

import asyncio

import pytest

from ..interface import Connector, ConnectorError, Holding, Identifier, Record, Right, Subject
from .cast import PEOPLE, TOLD_APART_BY, namesakes
from .looking import Seen, copied, erase, in_order, left, look, needs, person, planted, proved
from .marks import in_records
from .world import World


class Others:
    """Everybody but the subject."""

    async def test_a_namesake_is_somebody_else(self, world: World) -> None:
        """Compare whole identifiers with `subject.bears`: no prefix, no part, not the first hit."""
        ann, nobody = person(world, "ann"), await world.state()
        for other in namesakes(ann):
            await world.seed(other, holdings=3)
        theirs, marks = await world.state(), list(world.marks)
        await world.seed(ann, holdings=12)
        async with world.connector() as it:
            seen = await look(it, ann)
            assert len(seen.holdings) == 12, "of 12, with others about who are nearly called so"
            records = [one for of in (await copied(it, seen)).values() for one in of]
            assert not in_records(marks, records), "somebody else's data is in the copy"
            for holding in in_order(it, seen.holdings):
                if Right.ERASURE in it.capabilities.rights:
                    await it.erase(holding)
        now = await world.state()
        touched = {key for key in theirs if key not in nobody and now.get(key) != theirs[key]}
        assert not touched, "somebody else's data was changed"

    async def test_a_filter_that_is_ignored_finds_nobody_else(self, world: World) -> None:
        """Look at each row (`subject.bears`): a vendor that does not know a filter lists all."""
        ann = person(world, "ann")
        await world.seed(person(world, "bob"), holdings=3)
        await world.seed(ann, holdings=3)
        async with world.connector() as it:
            usual = (await look(it, ann)).holdings
            await world.ignore(it.value for it in ann.identifiers)
            try:
                seen = await look(it, ann)
            except ConnectorError:
                return
        assert set(seen.holdings) <= set(usual), "somebody else's data is in the answer"

    @pytest.mark.parametrize("kind", TOLD_APART_BY[1:])
    async def test_an_id_in_another_case_is_somebody_elses(self, world: World, kind: str) -> None:
        """Only addresses are one in upper case and in lower: an id is as it is."""
        if kind not in world.searched_by:
            pytest.skip(f"not searched by {kind}")
        one, other = (Subject((Identifier(kind, it),)) for it in ("Qf-7A", "qf-7a"))
        await world.seed(one, holdings=1)
        async with world.connector() as it:
            assert len((await look(it, one)).holdings) == 1
            assert (await look(it, other)).holdings == []

    @pytest.mark.parametrize("kind", TOLD_APART_BY)
    async def test_each_strong_identifier_finds_the_same_record(
        self, world: World, kind: str
    ) -> None:
        """A record that bears two of the subject's identifiers is found by either, and whole."""
        others = [it for it in person(world, "ann").identifiers if it.kind == kind]
        if kind == "email" or not others or "email" not in world.searched_by:
            pytest.skip(f"not searched by an address and {kind}")
        address = Subject(
            tuple(it for it in person(world, "ann").identifiers if it.kind == "email")
        )
        if not await world.beside(address, others[0]):
            pytest.skip(f"no record bears an address and {kind}")
        async with world.connector() as it:
            by_address = await look(it, address)
            by_other = await look(it, Subject((others[0],)))
            by_both = await look(it, Subject((*address.identifiers, others[0])))
        assert len(by_address.holdings) == 1
        assert by_other.holdings == by_address.holdings == by_both.holdings
        assert by_other.records == by_address.records == by_both.records

    async def test_two_people_at_once_are_two_people(self, world: World) -> None:
        """One instance serves many cases at once: keep nothing of a person on `self`."""
        alone = [await planted(world, name) for name in PEOPLE]
        async with world.connector() as it:
            both = await asyncio.gather(*(_served(it, one.subject) for one in alone))
            for one, (seen, records) in zip(alone, both, strict=True):
                assert set(seen.holdings) == set(one.seen.holdings)
                assert records == one.records, "another copy than when nobody else was served"
            if Right.ERASURE not in it.capabilities.rights:
                return
            said = await asyncio.gather(*(_erased(it, seen) for seen, _ in both))
        remain = await left(world, world.marks)
        for one, outcomes in zip(alone, said, strict=True):
            for holding, gone in outcomes.items():
                there = {it.category for it in one.of(holding) & remain} & gone
                assert not there, f"{sorted(there)} of a {holding.kind}: said to be gone, and there"

    async def test_what_others_have_a_part_in_stays_theirs(self, world: World) -> None:
        """Take the subject out of what is shared, and leave it to the others."""
        ann, bob = person(world, "ann"), person(world, "bob")
        if not await world.share(ann, bob):
            pytest.skip("nothing is shared")
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            before = await copied(it, await look(it, bob))
            theirs = in_records(world.marks, [one for of in before.values() for one in of])
            for holding in in_order(it, (await look(it, ann)).holdings):
                await it.erase(holding)
            after = await copied(it, await look(it, bob))
        assert theirs, "let `share` plant a `mark` in what the other has"
        assert theirs <= await left(world, theirs), "what the other had was erased"
        assert after.keys() == before.keys()


async def _served(it: Connector, subject: Subject) -> tuple[Seen, dict[Holding, list[Record]]]:
    seen = await look(it, subject)
    return seen, await copied(it, seen)


async def _erased(it: Connector, seen: Seen) -> dict[Holding, set[str]]:
    return {
        holding: set(proved(await erase(it, holding))) for holding in in_order(it, seen.holdings)
    }
