"""A vendor that fails has said nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from ..ceilings import TOO_LARGE
from ..interface import ConnectorError, RetryableError, TerminalError
from ..sandbox import Mode
from .looking import ALL, READS, Operation, counted, look, named, one_of_each, person
from .world import World

ENDLESS = 2000
"""Calls for a person with 250 holdings: whoever makes more does not notice that a page repeats."""
PATIENCE = 45
"""Seconds for an answer without an end: `Http` waits 30 unless told otherwise."""


class Failures:
    """Every verb, while the vendor fails."""

    @pytest.mark.parametrize("operation", ALL, ids=named)
    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_a_busy_vendor_is_retryable(
        self, world: World, status: int, operation: Operation
    ) -> None:
        """Carry the vendor's Retry-After; the host waits, the connector does not."""
        for holding in await one_of_each(world):
            await world.fail(status, retry_after=7)
            async with world.connector() as it:
                with pytest.raises(RetryableError) as caught:
                    await operation(it, person(world, "ann"), holding)
            assert caught.value.retry_after == timedelta(seconds=7)

    @pytest.mark.parametrize("operation", ALL, ids=named)
    async def test_a_refused_key_is_never_absence(self, world: World, operation: Operation) -> None:
        """A 401 is a `TerminalError`: not «nothing held», not «gone», not «erased already»."""
        for holding in await one_of_each(world):
            await world.fail(401, times=None)
            async with world.connector() as it:
                with pytest.raises(TerminalError) as caught:
                    await operation(it, person(world, "ann"), holding)
            assert caught.value.reason == "unauthorised"
            await world.calm()

    @pytest.mark.parametrize("operation", READS, ids=named)
    async def test_a_forbidden_read_is_never_absence(
        self, world: World, operation: Operation
    ) -> None:
        """A 403 is a `TerminalError`: not «nothing held», not «gone»."""
        for holding in await one_of_each(world):
            await world.fail(403, times=None)
            async with world.connector() as it:
                with pytest.raises(ConnectorError):
                    await operation(it, person(world, "ann"), holding)
            await world.calm()

    @pytest.mark.parametrize("operation", READS, ids=named)
    @pytest.mark.parametrize("mode", ["html", "half", "empty", "reset"])
    async def test_an_unreadable_answer_is_retryable(
        self, world: World, mode: Mode, operation: Operation
    ) -> None:
        """A page of HTML, half a body or none, a dropped connection: the answer may come later."""
        for holding in await one_of_each(world):
            await world.spoil(mode)
            async with world.connector() as it:
                with pytest.raises(RetryableError):
                    await operation(it, person(world, "ann"), holding)
            await world.calm()

    @pytest.mark.parametrize("operation", READS, ids=named)
    async def test_an_answer_of_another_shape_is_an_error(
        self, world: World, operation: Operation
    ) -> None:
        """JSON that is not what is due: look at its shape first, and raise one of the two."""
        for holding in await one_of_each(world):
            await world.spoil("other")
            async with world.connector() as it:
                with pytest.raises(ConnectorError):
                    await operation(it, person(world, "ann"), holding)
            await world.calm()

    @pytest.mark.parametrize("operation", READS, ids=named)
    async def test_an_answer_that_is_too_large_is_given_up(
        self, world: World, operation: Operation
    ) -> None:
        """Use `Http`: it reads so far and no further. Else raise `TerminalError` with `TOO_LARGE`.

        With another client, stop while it is read and decoded, not when it is there.
        """
        for holding in await one_of_each(world):
            await world.spoil("large")
            async with world.connector() as it:
                with pytest.raises(TerminalError) as caught:
                    await operation(it, person(world, "ann"), holding)
            assert caught.value.reason == TOO_LARGE
            await world.calm()

    @pytest.mark.parametrize("operation", READS, ids=named)
    async def test_an_answer_that_is_too_deep_is_an_error(
        self, world: World, operation: Operation
    ) -> None:
        """Use `Http`: a parser that runs out of stack raises neither of the two."""
        for holding in await one_of_each(world):
            await world.spoil("deep")
            async with world.connector() as it:
                with pytest.raises(ConnectorError):
                    await operation(it, person(world, "ann"), holding)
            await world.calm()

    async def test_an_answer_without_an_end_is_retryable(self, world: World) -> None:
        """Bound the whole answer, not the time between two bytes of it. `Http` does."""
        await world.seed(person(world, "ann"), holdings=3)
        await world.spoil("drip")
        async with world.connector() as it, asyncio.timeout(PATIENCE):
            with pytest.raises(RetryableError):
                await look(it, person(world, "ann"))

    async def test_a_page_that_comes_again_is_not_the_end(self, world: World) -> None:
        """Compare a page, or its way on, with those before: what is due was never seen.

        If the connector does: does the sandbox say `cursor`?
        """
        await world.seed(person(world, "ann"), holdings=250)
        await world.spoil("repeat")
        with counted(ENDLESS):
            async with world.connector() as it:
                with pytest.raises(ConnectorError):
                    await look(it, person(world, "ann"))
