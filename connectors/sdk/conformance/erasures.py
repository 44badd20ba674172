"""What is said to be gone is gone, and nothing else is."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from ..interface import (
    Accepted,
    Blocked,
    ConnectorError,
    Erased,
    Expires,
    Outcome,
    Queued,
    Right,
)
from .looking import (
    erase,
    in_order,
    left,
    look,
    needs,
    outcomes_of,
    person,
    planted,
    proved,
    reasons,
)
from .world import World


class Erasures:
    """`erase`."""

    async def test_what_is_erased_is_no_longer_located(self, world: World) -> None:
        """Say a proved outcome only of what a second look will not find."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            held = (await look(it, person(world, "ann"))).holdings
            said = {holding: await erase(it, holding) for holding in in_order(it, held)}
            settled = await world.settle()
            there = {it: it for it in (await look(it, person(world, "ann"), held)).holdings}
            lags = bool(it.capabilities.settles_within) and not settled
        for holding, outcomes in said.items():
            assert outcomes.keys() == holding.categories, "an outcome for every category"
            remains = there[holding].categories if holding in there else frozenset()
            seen = sorted(proved(outcomes) & remains)
            assert lags or not seen, f"{seen} of a {holding.kind}: said to be gone, and still there"
            is_erased = any(isinstance(it, Erased) for it in outcomes.values())
            assert lags or not (is_erased and holding in there), (
                f"a {holding.kind} is still there: say `Redacted` of what is blank"
            )

    @pytest.mark.parametrize("backwards", [False, True])
    async def test_what_is_said_to_be_gone_is_gone_from_the_vendor(
        self, world: World, *, backwards: bool
    ) -> None:
        """Say a proved outcome only of what the vendor no longer has: the kit looks into its state.

        What waits for a job is `Queued`, what lies in a bin `Expires`.
        """
        ann = await planted(world, "ann")
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            held = in_order(it, ann.seen.holdings)
            order = reversed(held) if backwards else held
            said = {holding: proved(await erase(it, holding)) for holding in order}
        remain = await left(world, ann.marks)
        for holding, gone in said.items():
            there = sorted({it.category for it in ann.of(holding) & remain} & gone)
            assert not there, f"{there} of a {holding.kind}: said to be gone, and still there"

    async def test_the_order_of_kinds_leaves_the_least(self, world: World) -> None:
        """Declare `kinds` so that most is erased: with a parent gone, its children may be lost."""
        remains = []
        for backwards in (False, True):
            before = await world.state()
            one = await planted(world, f"ordered-{backwards}".lower())
            async with world.connector() as it:
                needs(it, Right.ERASURE)
                held = in_order(it, one.seen.holdings)
                for holding in reversed(held) if backwards else held:
                    await it.erase(holding)
            marks = Counter(str(it.category) for it in await left(world, one.marks))
            objects = {"objects": len((await world.state()).keys() - before.keys())}
            remains.append(marks + Counter(objects))
        more = remains[0] - remains[1]
        assert not more, f"the other way round, less is left: {dict(more)}"

    @pytest.mark.parametrize("backwards", [False, True])
    async def test_erasing_twice_says_the_same(self, world: World, *, backwards: bool) -> None:
        """Gone already is `Erased`; a date is the vendor's, not counted from now."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            held = in_order(it, (await look(it, person(world, "ann"))).holdings)
            for holding in reversed(held) if backwards else held:
                said, effects = await it.erase(holding), await world.effects()
                assert await it.erase(holding) == said
                assert await world.effects() == effects, f"a {holding.kind} was changed twice"

    async def test_nobody_else_is_touched(self, world: World) -> None:
        """If this fails, stop: the connector erases people who did not ask."""
        before = await world.state()
        await world.seed(person(world, "bob"), holdings=3)
        others = {k: v for k, v in (await world.state()).items() if k not in before}
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            for holding in in_order(it, (await look(it, person(world, "ann"))).holdings):
                await it.erase(holding)
        after = await world.state()
        assert {key: after.get(key) for key in others} == others

    async def test_a_lie_is_found_out_by_looking_again(self, world: World) -> None:
        """`locate` asks the vendor anew: never remember what was erased."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            held = (await look(it, person(world, "ann"))).holdings
            await world.lie()
            for holding in in_order(it, held):
                await it.erase(holding)
            again = await look(it, person(world, "ann"), held)
        assert (set(again.holdings), again.gone) == (set(held), [])

    async def test_a_forbidden_erasure_is_not_proved(self, world: World) -> None:
        """A 403 is `Failed`, or raised; what the vendor refuses did not happen."""
        await world.seed(person(world, "ann"), holdings=3)
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            for holding in (await look(it, person(world, "ann"))).holdings:
                await world.fail(403, times=None)
                try:
                    outcomes = await erase(it, holding)
                except ConnectorError:
                    continue
                finally:
                    await world.calm()
                assert not proved(outcomes)

    async def test_every_reason_is_in_the_catalogue(self, world: World) -> None:
        """Add the code and a plain sentence to `capabilities.reasons`."""
        await world.seed(person(world, "ann"), holdings=12)
        said: list[Outcome] = []
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            held = (await look(it, person(world, "ann"))).holdings
            for holding in held:
                for keep in sorted(holding.categories):
                    said += (await erase(it, holding, frozenset({keep}))).values()
            for status in (400, 403, 405, 409):
                for holding in {it.kind: it for it in held}.values():
                    await world.fail(status, times=None)
                    said += await outcomes_of(it, holding)
                    await world.calm()
            for holding in reversed(in_order(it, held)):
                said += await outcomes_of(it, holding)
            catalogue = it.capabilities.reasons
        assert reasons(said) <= catalogue.keys()
        assert all(sentence.endswith(".") for sentence in catalogue.values()), "plain sentences"
        assert all(it.tzinfo for it in map(_date, said) if it), "a date without a time zone"


def _date(outcome: Outcome) -> datetime | None:
    match outcome:
        case Expires(at) | Accepted(at) | Blocked(at, _) | Queued(at):
            return at
        case _:
            return None
