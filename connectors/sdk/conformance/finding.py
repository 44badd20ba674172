"""Everything is found, nobody else is, and what is known is read again."""

from __future__ import annotations

import re

import pytest

from ..interface import Identifier, Subject, TerminalError
from .looking import in_order, look, person
from .world import World

CODE = re.compile("[a-z][a-z0-9_]*")


class Finding:
    """`check` and `locate`."""

    async def test_a_good_key_passes_the_check(self, world: World) -> None:
        """`check` must not need anybody to be there."""
        async with world.connector() as it:
            await it.check()

    async def test_a_key_that_may_not_read_fails_the_check(self, world: World) -> None:
        """In `check`, read one of every kind: an empty `locate` counts only after it.

        If the connector does: does the sandbox say `unreadable`?
        """
        async with world.connector(restricted=True) as it:
            with pytest.raises(TerminalError):
                await it.check()

    async def test_a_stranger_is_held_nowhere(self, world: World) -> None:
        """`locate` gives no holdings for an unknown person; it does not raise.

        Of facts it may tell a no: everything was looked for, and nothing is there.
        """
        await world.seed(person(world, "ann"), holdings=3)
        async with world.connector() as it:
            seen = await look(it, person(world, "bob"))
        assert (seen.holdings, seen.records) == ([], [])
        assert all(fact.value is False for fact in seen.facts), "a fact about nobody"

    async def test_everything_is_located_across_pages(self, world: World) -> None:
        """Follow the vendor's next page to the last one, and name each holding once."""
        await world.seed(person(world, "ann"), holdings=250)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
        assert (len(held), len(set(held))) == (250, 250)

    async def test_a_page_has_an_end(self, world: World) -> None:
        """Give each page of the vendor's on as it comes: gather nothing, whoever has how much."""
        await world.seed(person(world, "ann"), holdings=250)
        async with world.connector() as it:
            sizes = [
                max(len(page.holdings), len(page.records))
                async for page in it.locate(person(world, "ann"))
            ]
        assert max(sizes) < 250, "all in one page"

    async def test_every_identifier_is_searched_with(self, world: World) -> None:
        """Search with each strong identifier, and with every value of each kind."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            for n, identifier in enumerate(person(world, "ann").identifiers):
                held = (await look(it, Subject((identifier,)))).holdings
                assert held, f"nothing found by identifier {n}, a {identifier.kind}"

    async def test_a_weak_identifier_is_not_searched_with(self, world: World) -> None:
        """Those with `strong=False` are for the DPO to see: they find other people."""
        await world.seed(person(world, "ann"), holdings=12)
        weak = tuple(
            Identifier(given.kind, given.value, strong=False)
            for given in person(world, "ann").identifiers
        )
        async with world.connector() as it:
            assert (await look(it, Subject(weak))).holdings == []

    async def test_looking_twice_finds_the_same(self, world: World) -> None:
        """Orders are delivered more than once."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            first, again = [await look(it, person(world, "ann")) for _ in range(2)]
        assert first == again
        assert [it.categories for it in first.holdings] == [it.categories for it in again.holdings]

    async def test_what_is_located_was_declared(self, world: World) -> None:
        """Name every kind, its categories and every fact in `capabilities`: plans use them."""
        await world.seed(person(world, "ann"), holdings=14)
        async with world.connector() as it:
            seen = await look(it, person(world, "ann"))
            kinds = it.capabilities.kinds
            for held in seen.holdings:
                assert held.kind in kinds
                assert held.categories <= kinds[held.kind]
            assert {fact.name for fact in seen.facts} <= it.capabilities.facts
            dates = [fact for fact in seen.facts if not isinstance(fact.value, bool)]
            assert all(fact.read for fact in dates), "a date, and not where it was read"
            for kind in {held.kind for held in seen.holdings}:
                some = any(held.categories for held in seen.holdings if held.kind == kind)
                assert some, f"every {kind} is of no category: such can never be planned for"

    async def test_what_no_search_finds_is_said_in_plain_words(self, world: World) -> None:
        """In `capabilities.beyond`: a code, and a sentence that the person reads in the answer."""
        async with world.connector() as it:
            for code, sentence in it.capabilities.beyond.items():
                assert CODE.fullmatch(code)
                assert sentence[:1].isupper()
                assert sentence.endswith(".")

    # The second look.

    async def test_what_is_known_is_read_by_its_own_id(self, world: World) -> None:
        """Read each of `known` by its id: a search by a person who has moved finds nothing."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            again = await look(it, Subject(()), held)
        assert (set(again.holdings), again.gone) == (set(held), [])
        assert not any(it.value is False for it in again.facts), "a no, and nobody was looked for"
        assert {it: it.categories for it in again.holdings} == {it: it.categories for it in held}

    async def test_a_child_is_seen_when_its_parent_is_gone(self, world: World) -> None:
        """Read a known child by its own id, not through its parent: what is left must show."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            if not await world.orphan():
                pytest.skip(f"{it.capabilities.system} has no parents")
            again = await look(it, person(world, "ann"), held)
        assert again.gone, "the parents are gone, and it was not said"
        assert set(again.holdings) | set(again.gone) == set(held)
        assert again.holdings, "the children are there, and were not seen"

    async def test_every_known_holding_is_answered_for(self, world: World) -> None:
        """After erasing, each of `known` is in `holdings` or in `gone`, and in one of them only."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            for holding in in_order(it, held):
                await it.erase(holding)
            again = await look(it, person(world, "ann"), held)
        assert set(again.holdings) | set(again.gone) == set(held)
        assert set(again.holdings).isdisjoint(again.gone)
