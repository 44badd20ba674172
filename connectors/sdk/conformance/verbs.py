"""`restrict`, `rectify` and `object_to` alike: what is said to be done is read from the vendor."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from ..calls import witnessed
from ..interface import ConnectorError, Failed, Right, Subject
from .cast import namesakes
from .changing import (
    LIFT,
    OBJECT,
    RECTIFY,
    RESTRICT,
    VERBS,
    Said,
    Target,
    Verb,
    bare,
    did,
    is_open,
    is_read,
    one_of_each,
    outcomes,
    targets,
)
from .discretion import names_somebody
from .looking import complaint, counted, erase, in_order, look, needs, person, reasons, total
from .routes import Trouble, break_route, calls_of
from .world import World

TROUBLES = (Trouble(status=403), Trouble(status=500), Trouble(mode="html"))
OF_READS = (Trouble(status=403), Trouble(mode="other"))
FEW = 8
"""Holdings of each person whom a route fails for."""


def _named(verb: Verb) -> str:
    return verb.name


each_verb = pytest.mark.parametrize("verb", VERBS, ids=_named)


class Verbs:
    """Every verb that changes something and keeps it."""

    @each_verb
    async def test_what_is_said_to_be_done_is_read_from_the_vendor(
        self, world: World, verb: Verb
    ) -> None:
        """Say that it is done, and `standing` or `objected` of a new connector shows it.

        What cannot be done is said with a code, changes nothing, and shows in no reading.
        Twice says the same, and has no further effect.
        """
        found, done = await targets(world, "ann", verb), 0
        for at in found:
            what = f"{verb.name} of a {at.holding.kind}"
            async with world.connector() as it:
                if not await verb.prepared(it, at):
                    continue
                before = await bare(world)
                said = await verb.act(it, at)
                effects = await world.effects()
                assert await verb.act(it, at) == said, f"{what}: twice says the same"
                assert await world.effects() == effects, f"{what}: was done twice"
                catalogue = it.capabilities.reasons
            assert reasons(outcomes(said)) <= catalogue.keys(), f"{what}: add it to `reasons`"
            if did(said, verb.done):
                assert await is_read(world, verb, at), f"{what}: is said to be done, and not read"
                done += 1
            elif not is_open(said):
                assert await bare(world) == before, f"{what}: is said not to be done, and changed"
                assert not await is_read(world, verb, at), f"{what}: is read, and not said"
        is_needed = verb is not LIFT  # a vendor may not tell our mark from their own word
        assert done or not is_needed, f"{verb.name} does nothing: do not declare {verb.right}"

    @each_verb
    async def test_what_the_vendor_only_said_is_not_read(self, world: World, verb: Verb) -> None:
        """`standing` and `objected` ask the vendor anew: remember nothing of what was done.

        If the connector does: by which method does it change something? See `changes_by`.
        """
        for at in one_of_each(await targets(world, "ann", verb)):
            async with world.connector() as it:
                if not await verb.prepared(it, at):
                    continue
                was = await verb.holds(it, at)
                await world.lie()
                await complaint(verb.act(it, at))
                await world.calm()
                assert await verb.holds(it, at) == was, f"{verb.name} of a {at.holding.kind}"

    @each_verb
    async def test_nobody_else_is_changed(self, world: World, verb: Verb) -> None:
        """If this fails, stop: the connector changes people who did not ask."""
        others = [person(world, "bob"), *namesakes(person(world, "ann"))]
        for other in others:
            await world.seed(other, holdings=3)
        async with world.connector() as it:
            needs(it, verb.right)
            theirs = [
                Target(one, held) for one in others for held in (await look(it, one)).holdings
            ]
            before = await bare(world)
            for at in await targets(world, "ann", verb):
                await verb.prepared(it, at)
                await verb.act(it, at)
            for other in others:
                held = (await look(it, other)).holdings
                assert {at.holding for at in theirs if at.subject == other} == set(held)
        after = await bare(world)
        touched = [it for it, row in before.items() if after.get(it) != row]
        assert not touched, f"{verb.name}: {len(touched)} objects of other people"
        for at in theirs if verb in (RESTRICT, OBJECT) else ():
            assert not await is_read(world, verb, at), (
                f"{verb.name}: a stranger's {at.holding.kind}"
            )

    async def test_what_is_gone_is_not_changed(self, world: World) -> None:
        """A holding that the vendor does not have has no standing: say `Failed`, make nothing."""
        async with world.connector() as it:
            rights = it.capabilities.rights & {Right.RESTRICTION, Right.RECTIFICATION}
        verbs = [verb for verb in VERBS if verb.right in rights]
        if not verbs:
            pytest.skip("restricts and rectifies nothing")
        found = await targets(world, "ann", verbs[0])
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            for one in in_order(it, [at.holding for at in found]):
                await erase(it, one)
            await world.settle()
            gone = set((await look(it, Subject(()), [at.holding for at in found])).gone)
            before = await world.effects(), await world.state()
            for at in (at for at in found if at.holding in gone):
                what = f"a {at.holding.kind} that is gone"
                assert await it.standing(at.holding) is None, what
                for verb in verbs if at.data else [it for it in verbs if it is not RECTIFY]:
                    assert not did(await verb.act(it, at), verb.done), f"{verb.name} of {what}"
            assert (await world.effects(), await world.state()) == before

    # While the vendor fails.

    @each_verb
    async def test_a_refused_key_is_never_an_answer(self, world: World, verb: Verb) -> None:
        """A 401 is a `TerminalError`, unless nothing had to be asked to say that it cannot be."""
        for at in one_of_each(await targets(world, "ann", verb)):
            async with world.connector() as it:
                await verb.prepared(it, at)
                before = await bare(world)
                await world.fail(401, times=None)
                for ask in (verb.act, verb.holds):
                    said, error = await _tried(ask(it, at))
                    is_no = ask is verb.act and error is None and _is_no(said, verb)
                    is_refused = getattr(error, "reason", "") == "unauthorised"
                    assert is_no or is_refused, f"{verb.name} of a {at.holding.kind}"
                await world.calm()
            assert await bare(world) == before

    @each_verb
    @pytest.mark.parametrize("status", [429, 503])
    async def test_a_busy_vendor_is_asked_later(
        self, world: World, verb: Verb, status: int
    ) -> None:
        """Raise `RetryableError` with the vendor's Retry-After: it is not `Failed`."""
        for at in one_of_each(await targets(world, "ann", verb)):
            async with world.connector() as it:
                await verb.prepared(it, at)
                await world.fail(status, retry_after=7)
                said, error = await _tried(verb.act(it, at))
                is_no = error is None and _is_no(said, verb)
                is_later = getattr(error, "retry_after", None) == timedelta(seconds=7)
                assert is_no or is_later, f"{verb.name} of a {at.holding.kind}"
                await world.calm()

    @each_verb
    async def test_a_verb_whose_route_fails_is_not_done(self, world: World, verb: Verb) -> None:
        """What a call was refused did not happen: `Failed`, or raise. The kit reads it anew."""
        wrong = []
        async with calls_of(world) as made, world.connector() as it:
            for at in await targets(world, "all-is-well", verb, holdings=FEW):
                if await verb.prepared(it, at):
                    await verb.act(it, at)
        for n, call in enumerate(made):
            for m, trouble in enumerate(OF_READS if call.startswith("GET ") else TROUBLES):
                found = await targets(world, f"no-{n}-{m}", verb, holdings=FEW)
                for at in one_of_each(found):
                    if await _is_said_in_trouble(world, verb, at, call, trouble):
                        is_so = await is_read(world, verb, at)
                        wrong += [] if is_so else [f"{verb.name}, {call} answers {trouble}"]
        assert not wrong, "\n".join(dict.fromkeys(wrong))

    # Discretion.

    @each_verb
    async def test_every_call_of_a_verb_goes_through_the_host(
        self, world: World, verb: Verb
    ) -> None:
        """Use `Http`, or `http.call`: the host limits, repeats and counts calls there."""
        found = await targets(world, "ann", verb)
        before = await total(world)
        with counted() as made, witnessed() as calls:
            async with world.connector() as it:
                for at in found:
                    await verb.act(it, at)
                    await verb.holds(it, at)
        sent = await total(world) - before
        assert (made, len(calls)) == ([sent], sent), "calls that the host was not asked to make"

    @each_verb
    async def test_a_verb_names_nobody(
        self, world: World, verb: Verb, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Log no identifier and no value, raise none, and show none in a `repr`."""
        found = one_of_each(await targets(world, "ann", verb))
        said: list[object] = []
        with caplog.at_level("DEBUG"), capture_logs() as logs:
            async with world.connector() as it:
                for at in found:
                    await verb.prepared(it, at)
                    for status in (500, 401, 403, 400):
                        await world.fail(status, times=None)
                        said += [await complaint(verb.act(it, at))]
                        said += [await complaint(verb.holds(it, at))]
                        await world.calm()
                    said += [await verb.act(it, at)]
                    if verb is not OBJECT:
                        said += [repr(await it.standing(it.refiled(at.holding, at.data)))]
        text = f"{said} {logs} {caplog.text}"
        given = [one for at in found for one in at.data.values()]
        assert not names_somebody(text, person(world, "ann"), world.marks)
        assert not any(it in text for it in given), "a value that was written is shown"


async def _tried(asked: Awaitable[Any]) -> tuple[Any, ConnectorError | None]:
    """What was said, or what was raised."""
    try:
        return await asked, None
    except ConnectorError as error:
        return None, error


def _is_no(said: Said, verb: Verb) -> bool:
    """Whether it can never be done, for which nobody has to be asked."""
    is_failed = any(isinstance(it, Failed) for it in outcomes(said))
    return not did(said, verb.done) and not is_failed


async def _is_said_in_trouble(
    world: World, verb: Verb, at: Target, call: str, trouble: Trouble
) -> bool:
    """Whether it is said to be done while one route fails."""
    async with world.connector() as it:
        if not await verb.prepared(it, at):
            return False
        await break_route(world, call, trouble)
        try:
            return did(await verb.act(it, at), verb.done)
        except ConnectorError:
            return False
        finally:
            await world.calm()
