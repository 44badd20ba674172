"""Nobody is named, nothing is left open, and every call is the host's to make."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import product

import pytest
from structlog.testing import capture_logs

from ..calls import witnessed
from ..interface import Identifier, Right, Subject, TerminalError
from .cast import HOSTILE, ODD
from .looking import (
    ALL,
    complaint,
    counted,
    exported,
    in_order,
    look,
    one_of_each,
    person,
    planted,
    total,
)
from .marks import Mark
from .world import World

CLOSING = 5
"""Seconds that sockets may take to close."""


class Discretion:
    """What a connector does not do."""

    async def test_every_call_goes_through_the_host(self, world: World) -> None:
        """Use `Http`, or `http.call`: the host limits, repeats and counts calls there."""
        ann = await planted(world, "ann")
        before = await total(world)
        with counted() as made, witnessed() as calls:
            async with world.connector() as it:
                await it.check()
                held = (await look(it, ann.subject)).holdings
                await exported(it, held)
                if Right.ERASURE in it.capabilities.rights:
                    for holding in in_order(it, held):
                        await it.erase(holding)
                await look(it, Subject(()), held)
        sent = await total(world) - before
        assert sent > 0
        assert made == [sent], "calls that the host was not asked to make"
        assert len(calls) == sent, "calls that were not witnessed"

    async def test_sockets_are_closed_at_the_end(self, world: World) -> None:
        """In `__aexit__`, close the session: `await self._http.__aexit__()`."""
        await world.seed(person(world, "ann"), holdings=3)
        before = await world.connections()
        async with world.connector() as it:
            for holding in (await look(it, person(world, "ann"))).holdings:
                await exported(it, [holding])
        async with asyncio.timeout(CLOSING):
            while await world.connections() > before:  # noqa: ASYNC110  the vendor tells nobody
                await asyncio.sleep(0.01)

    async def test_a_redirect_takes_no_credentials_along(self, world: World) -> None:
        """Follow none, as `Http` does: whoever answers there is not the vendor."""
        holdings = await one_of_each(world)
        await world.spoil("redirect", times=None)
        async with world.connector() as it:
            for operation, held in product(ALL, holdings):
                await complaint(operation(it, person(world, "ann"), held))
        assert await world.leaks() == 0

    # Hostile input, and silence.

    async def test_hostile_identifiers_find_nobody(self, world: World) -> None:
        """Quote or escape what goes into a path or a query; skip what is empty."""
        await world.seed(person(world, "ann"), holdings=3)
        await world.seed(person(world, "bob"), holdings=3)
        before = await world.state()
        async with world.connector() as it:
            for kind in world.searched_by:
                for n, value in enumerate(HOSTILE):
                    try:
                        seen = await look(it, Subject((Identifier(kind, value),)))
                    except TerminalError:
                        continue  # refused with a clear error
                    assert seen.holdings == [], f"{kind} {n} found somebody"
        assert await world.state() == before

    @pytest.mark.parametrize("address", ODD, ids=range(len(ODD)))
    async def test_odd_addresses_find_their_owner(self, world: World, address: str) -> None:
        """Quote `+`, `/`, `%`, apostrophes and umlauts exactly once on the way out."""
        if "email" not in world.searched_by:
            pytest.skip("not searched by e-mail")
        odd = Subject((Identifier("email", address),))
        await world.seed(odd, holdings=1)
        await world.seed(person(world, "bob"), holdings=1)
        async with world.connector() as it:
            assert len((await look(it, odd)).holdings) == 1

    async def test_no_identifier_reaches_a_log_or_an_error(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Name the operation, never the person; `raise ... from None`, a cause names the URL."""
        ann = person(world, "ann")
        holdings = await one_of_each(world)
        said = []
        with caplog.at_level("DEBUG"), capture_logs() as logs:
            async with world.connector() as it:
                for operation, status in product(ALL, (500, 401, 403, 400)):
                    await world.fail(status, times=None)
                    said += [await complaint(operation(it, ann, held)) for held in holdings]
                    await world.calm()
                await world.spoil("reset")
                said.append(await complaint(look(it, ann)))
        assert any(said), "nothing was raised"
        assert not names_somebody(f"{said} {logs} {caplog.text}", ann, world.marks)

    async def test_no_identifier_is_logged_or_shown_when_all_is_well(
        self,
        world: World,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """Log no identifier, no id of a holding and no content, and show none in a `repr`."""
        ann = await planted(world, "ann")
        shown = []
        with caplog.at_level("DEBUG"), capture_logs() as logs:
            async with world.connector() as it:
                await it.check()
                shown += [repr(page) async for page in it.locate(ann.subject)]
                shown += [repr(await exported(it, ann.seen.holdings)), repr(it)]
                if Right.ERASURE in it.capabilities.rights:
                    held = in_order(it, ann.seen.holdings)
                    shown += [repr((holding, await it.erase(holding))) for holding in held]
        printed = "".join(capfd.readouterr())
        assert not names_somebody(f"{shown} {logs} {caplog.text} {printed}", ann.subject, ann.marks)


def names_somebody(text: str, subject: Subject, marks: Iterable[Mark]) -> bool:
    """Whether a text says who somebody is, or what there is about them."""
    text = text.lower()
    told = (*(it.value for it in subject.identifiers), *(it.number for it in marks))
    return any(it.lower() in text for it in told)
