"""What is corrected is what was asked for, as it was asked, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..interface import Datum, Outcome
from .changing import (
    RECTIFY,
    Said,
    Target,
    bare,
    beyond,
    did,
    is_open,
    one_of_each,
    targets,
    value,
)
from .looking import person
from .world import State, World

HOSTILE_TEXTS = (
    'O\'Hara "Ann" \\ --',
    "Robert'); DROP TABLE members;--",
    "' OR Name LIKE '%",
    '=HYPERLINK("https://example.org","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "&amp;&lt;b&gt;",
    "Ann\r\nBcc: bob-stranger@example.org",
    "Ann\x00Lee\x07",
    "{{7*7}} ${x} {id} %s",
    "Ann\u202eeel",
    "Ann \ud800",
    "null",
    "a,b;c\td&name=Bob",
    "Jo\u0308rg \u5f20\u4f1f",
    "A" * 10_240,
)
HOSTILE_ADDRESSES = (
    "bob-stranger@example.org",
    "no address",
    "ann@example.org,bob-stranger@example.org",
    "ann@example.org\r\nBcc: bob-stranger@example.org",
    "=cmd@example.org",
    "<script>alert(1)</script>@example.org",
    "o'hara\"x@example.org",
    "../bob-stranger@example.org",
    "ann\x00@example.org",
    "\ud800@example.org",
    "a" * 10_240 + "@example.org",
)


class Rectifying:
    """`rectify`, datum by datum."""

    async def test_only_what_is_named_is_corrected(self, world: World) -> None:
        """Write the field, and no other: the kit compares the vendor's state before and after."""
        for at in one_of_each(await targets(world, "ann", RECTIFY)):
            holding = at.holding
            for n, datum in enumerate(sorted(at.shown)):
                given = {datum: value(datum, n)}
                before = await bare(world)
                async with world.connector() as it:
                    said = await it.rectify(holding, given)
                    holding = it.refiled(holding, given) if did(said, RECTIFY.done) else holding
                await _is_as_said(world, Target(at.subject, holding), given, said, before)

    async def test_all_data_of_a_holding_are_answered_for(self, world: World) -> None:
        """One outcome for all of them, or a mapping that names each, and no other."""
        for at in one_of_each(await targets(world, "ann", RECTIFY)):
            given = {datum: value(datum) for datum in at.shown}
            async with world.connector() as it:
                said = await it.rectify(at.holding, given)
                spelt = _spelt(said, given)
                assert spelt.keys() == given.keys(), "an outcome for each datum"
                done = {
                    datum: given[datum] for datum, one in spelt.items() if did(one, RECTIFY.done)
                }
                now = await it.standing(it.refiled(at.holding, done))
            assert now is not None
            assert done.items() <= now.data.items(), "said to be corrected, and not read"

    async def test_one_value_that_is_refused_hides_no_other(self, world: World) -> None:
        """Each datum has its own outcome: what is said not to be corrected is not, beside it."""
        for at in one_of_each(await targets(world, "ann", RECTIFY)):
            given = {**{datum: value(datum) for datum in at.shown}, **_wrong(at)}
            async with world.connector() as it:
                spelt = _spelt(await it.rectify(at.holding, given), given)
                done = {datum for datum, one in spelt.items() if did(one, RECTIFY.done)}
                now = await it.standing(it.refiled(at.holding, {d: given[d] for d in done}))
            assert now is not None
            for datum in (d for d in given if not is_open(spelt[d])):
                is_so = now.data.get(datum) == given[datum]
                assert is_so is (datum in done), f"{datum} of a {at.holding.kind}"

    async def test_to_correct_nothing_is_to_do_nothing(self, world: World) -> None:
        """What is so already is `Rectified`, and is not written again."""
        found = one_of_each(await targets(world, "ann", RECTIFY))
        before = await world.effects(), await world.state()
        async with world.connector() as it:
            for at in found:
                told = {datum: now for datum, now in at.shown.items() if now}
                for datum, now in told.items():
                    await it.rectify(at.holding, {datum: now})
        assert (await world.effects(), await world.state()) == before

    async def test_a_hostile_value_is_carried_as_it_is_or_refused(self, world: World) -> None:
        """Quote what goes into a path, a query or a form; what cannot be carried is an outcome."""
        await world.seed(person(world, "bob"), holdings=3)
        for at in one_of_each(await targets(world, "ann", RECTIFY)):
            holding = at.holding
            for datum, text in _hostile(at):
                given = {datum: text}
                before = await bare(world)
                async with world.connector() as it:
                    said = await it.rectify(holding, given)
                    holding = it.refiled(holding, given) if did(said, RECTIFY.done) else holding
                await _is_as_said(world, Target(at.subject, holding), given, said, before)


async def _is_as_said(
    world: World, at: Target, given: Mapping[Datum, str], said: Said, before: State
) -> None:
    """`at` is how the holding is read now."""
    ((datum, text),) = given.items()
    what, after = f"{datum} of a {at.holding.kind}", await bare(world)
    if not did(said, RECTIFY.done):
        assert is_open(said) or after == before, f"{what}: is said not to be done, and changed"
        return
    assert after.keys() == before.keys(), f"{what}: an object came or went"
    assert not beyond(before, after, [text]), f"{what}: another field was written too"
    async with world.connector() as it:
        now = await it.standing(at.holding)
    assert now is not None, f"{what}: it is gone"
    assert now.data.get(datum) == text, f"{what}: is said to be corrected, and reads otherwise"


def _wrong(at: Target) -> Mapping[Datum, str]:
    """A value that hardly any vendor takes, of one datum."""
    datum = Datum.EMAIL if Datum.EMAIL in at.shown else max(at.shown)
    return {datum: "\x00"}


def _spelt(said: Said, given: Mapping[Datum, str]) -> Mapping[Datum, Outcome]:
    return said if isinstance(said, Mapping) else dict.fromkeys(given, said)


def _hostile(at: Target) -> Iterator[tuple[Datum, str]]:
    """Of what a holding has, one text, and the address."""
    texts = [datum for datum in sorted(at.shown) if datum not in (Datum.EMAIL, Datum.DATE_OF_BIRTH)]
    yield from ((datum, text) for datum in texts[:1] for text in HOSTILE_TEXTS)
    if Datum.EMAIL in at.shown:
        yield from ((Datum.EMAIL, text) for text in HOSTILE_ADDRESSES)
