"""Whoever is held is listed, for notices of a breach: none is lost, and nothing is no answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from .. import wall_clock
from ..interface import (
    NOT_OFFERED,
    Connector,
    ConnectorError,
    Identifier,
    Subject,
    TerminalError,
)
from .cast import HUNDREDS
from .looking import counted, listed, look, person, total
from .world import World

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
"""Nothing that `seed` plants is as old."""
ENDLESS = 5000
"""Calls for as many people: whoever makes more does not notice that a page repeats."""


class Enumerating:
    """`people`."""

    async def test_what_lists_nobody_says_so(self, world: World) -> None:
        """Leave `people` alone where `lists_people` is false: an empty list says «nobody»."""
        async with world.connector() as it:
            if it.capabilities.lists_people:
                return
            with pytest.raises(TerminalError) as caught:
                await listed(it)
        assert caught.value.reason == NOT_OFFERED

    async def test_whoever_is_held_is_listed(self, world: World) -> None:
        """Go through every list of each kind, those of what is blocked, spam or deleted too."""
        names = ("ann", "bob", "cat")
        for name in names:
            await world.seed(person(world, name), holdings=14)
        async with world.connector() as it:
            _needs(it)
            people = await listed(it)
        for name in names:
            for one in person(world, name).identifiers:
                assert _are_known(Subject((one,)), people), f"not listed by a {one.kind}"
        assert not _are_known(person(world, "stranger"), people)

    async def test_whoever_is_held_in_a_kind_is_listed_by_that_kind(self, world: World) -> None:
        """What is part of another record is of whoever that one is of.

        Each is told by all that records of this kind bear, in whichever list they are.
        """
        await world.seed(person(world, "ann"), holdings=14)
        async with world.connector() as it:
            _needs(it)
            held = (await look(it, person(world, "ann"))).holdings
            for kind in {holding.kind for holding in held}:
                people = await listed(it, frozenset({kind}))
                assert _are_known(person(world, "ann"), people), f"not among those with a {kind}"
                bears = [of for holding in held if holding.kind == kind for of in holding.bears]
                for of in bears:
                    if person(world, "ann").bears(of.kind, of.value):
                        borne = Subject((Identifier(of.kind, of.value),))
                        assert _are_known(borne, people), f"not by the {of.field} of a {kind}"

    async def test_who_is_listed_is_held(self, world: World) -> None:
        """Tell of each by what records bear, as `locate` asks by it."""
        await world.seed(person(world, "ann"), holdings=14)
        async with world.connector() as it:
            _needs(it)
            asked = [who for who in await listed(it) if it.usable(who)]
            assert asked, "nobody can be asked for by what they are listed by"
            usable = {Subject(it.usable(who)) for who in asked}
            known = {one.value for one in person(world, "ann").identifiers}
            theirs = [who for who in usable if known & {one.value for one in who.identifiers}]
            for who in theirs:
                assert (await look(it, who)).holdings

    async def test_everybody_is_listed_across_pages(self, world: World) -> None:
        """Follow the vendor's next page to the last one, whoever is on it."""
        await _crowd(world)
        async with world.connector() as it:
            _needs(it)
            people = await listed(it)
        lost = [name for name in HUNDREDS if not _are_known(person(world, name), people)]
        assert not lost, f"{len(lost)} of {len(HUNDREDS)} are not listed"

    async def test_a_page_of_people_has_an_end(self, world: World) -> None:
        """Give each page of the vendor's on as it comes: gather nothing, however many they are."""
        await _crowd(world)
        async with world.connector() as it:
            _needs(it)
            sizes = [len(page) async for page in it.people()]
        assert max(sizes) < len(HUNDREDS), "all in one page"

    async def test_nobody_is_lost_when_a_page_comes_again(self, world: World) -> None:
        """A cursor that died gives the first page once more: raise, those after it were not seen.

        If the connector does: does the sandbox say `cursor`?
        """
        await _crowd(world)
        await world.spoil("repeat")
        with counted(ENDLESS):
            async with world.connector() as it:
                _needs(it)
                with pytest.raises(ConnectorError):
                    await listed(it)

    @pytest.mark.parametrize("status", [401, 403])
    async def test_a_refused_list_is_never_nobody(self, world: World, status: int) -> None:
        """A refusal is a `TerminalError`, on whichever page it comes."""
        await world.seed(person(world, "ann"), holdings=14)
        async with world.connector() as it:
            _needs(it)
            before = await total(world)
            await listed(it)
            made = await total(world) - before
        for after in range(made):
            await world.fail(status, times=None, after=after)
            async with world.connector() as it:
                with pytest.raises(ConnectorError):
                    await listed(it)
            await world.calm()

    async def test_whoever_has_no_address_is_not_forgotten(self, world: World) -> None:
        """Tell of them by the vendor's own id: somebody has to find another way to tell them."""
        async with world.connector() as it:
            _needs(it)
            if not await world.nameless():
                pytest.skip(f"{it.capabilities.system} has nothing without an address")
            people = await listed(it)
        own = f"{it.capabilities.system}."
        assert any(one.kind.startswith(own) for who in people for one in who.identifiers)

    async def test_what_came_later_was_not_there(self, world: World) -> None:
        """Compare with `is_until`. What does not tell when it was made counts: say `undated`."""
        await world.seed(person(world, "ann"), holdings=14)
        async with world.connector() as it:
            _needs(it)
            for kind in it.capabilities.kinds.keys() - set(world.undated):
                early = await listed(it, frozenset({kind}), LONG_AGO)
                assert not early, f"a {kind} of today was there in {LONG_AGO.year}"
            soon = wall_clock.now() + timedelta(days=1)
            assert set(await listed(it, until=soon)) == set(await listed(it))


async def _crowd(world: World) -> None:
    for name in HUNDREDS:
        await world.seed(person(world, name), holdings=1)


def _are_known(whom: Subject, people: Iterable[Subject]) -> bool:
    """Whether somebody is listed by what a record of theirs bears, however that is spelt."""
    return any(whom.bears(one.kind, one.value) for who in people for one in who.identifiers)


def _needs(it: Connector) -> None:
    if not it.capabilities.lists_people:
        pytest.skip(f"{it.capabilities.system} lists nobody")
