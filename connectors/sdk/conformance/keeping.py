"""What is to be kept is kept, the rest goes, and again does nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ..interface import Category, Connector, Erased, Holding, Right, Subject
from .looking import Planted, children_first, erase, left, look, needs, planted, proved
from .marks import Mark
from .world import World

Keep = frozenset[Category]


class Keeping:
    """`erase`, of every holding, with each part of it to be kept: none, each category, all."""

    async def test_what_is_kept_stays_and_the_rest_goes(self, world: World) -> None:
        """With `keep`, blank the fields of all other categories, or say why they stay.

        The kit looks for the marks in the vendor's state, and then at what the connector sees.
        """
        async with world.connector() as it:
            needs(it, Right.ERASURE)
        rounds, n = 1, 0
        while n < rounds:
            one = await planted(world, f"keeper-{n}")
            rounds = max(len(_keeps(holding)) for holding in one.seen.holdings)
            async with world.connector() as it:
                for holding, keep in _shares(one, n):
                    await _erased(world, it, one, holding, keep)
            n += 1

    async def test_to_keep_everything_is_to_do_nothing(self, world: World) -> None:
        """Where `keep` covers every category, change nothing, and say nothing of any."""
        ann = await planted(world, "ann")
        before = await world.effects(), await world.state()
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            for holding in ann.seen.holdings:
                for keep in (holding.categories, frozenset(Category)):
                    assert await erase(it, holding, keep) == {}
        assert (await world.effects(), await world.state()) == before


def _keeps(holding: Holding) -> list[Keep]:
    """None, each category by itself, and all."""
    each = [frozenset({it}) for it in sorted(holding.categories)]
    return list(dict.fromkeys((frozenset(), *each, holding.categories)))


def _shares(of: Planted, n: int) -> Iterator[tuple[Holding, Keep]]:
    """Holdings, each with what to keep of it: another in each round, and of each of a kind."""
    turns: dict[str, int] = {}
    for holding in children_first(of.seen.holdings):
        keeps = _keeps(holding)
        turn = turns[holding.kind] = turns.get(holding.kind, n - 1) + 1
        yield holding, keeps[turn % len(keeps)]


async def _erased(world: World, it: Connector, of: Planted, holding: Holding, keep: Keep) -> None:
    kept = f"to keep {'+'.join(sorted(keep)) or 'nothing'} of a {holding.kind}"
    said, effects = await erase(it, holding, keep), await world.effects()
    assert keep.isdisjoint(said), f"{kept}: nothing is said of what is kept"
    assert said.keys() == holding.categories - keep, f"{kept}: an outcome for each of the others"
    assert await erase(it, holding, keep) == said, f"{kept}: twice says the same"
    assert await world.effects() == effects, f"{kept}: was changed twice"
    gone = proved(said)
    ours = of.of(holding)
    remain = await left(world, ours)
    assert _of(ours, keep) <= remain, f"{kept}: it is no longer there"
    assert not _of(remain, gone), f"{kept}: {sorted(gone)} are said to be gone, and there"
    lags = bool(it.capabilities.settles_within) and not await world.settle()
    again = (await look(it, Subject(()), [holding])).holdings
    there = again[0].categories if again else frozenset()
    assert keep <= there, f"{kept}: it is no longer seen"
    if again and not lags:
        erased = any(isinstance(it, Erased) for it in said.values())
        assert not erased, f"{kept}: the record is there, say `Redacted` of what is blank"
    assert lags or gone.isdisjoint(there), f"{kept}: said to be gone, and still seen"


def _of(marks: set[Mark], categories: set[Category] | Keep) -> set[Mark]:
    return {it for it in marks if it.category in categories}
