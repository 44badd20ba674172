"""A role runs until it is told to end: one that ends in another way is an error, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pipeline import app
from pipeline.app import SetupError
from pipeline.settings import Settings


async def returns(*_: object) -> None:
    return


async def ends_as_if_told(*_: object) -> None:
    """As a library does that cancels a task of its own while another waits for it."""
    raise asyncio.CancelledError


async def runs(*_: object) -> None:
    await asyncio.Event().wait()


def role(what: Callable[..., Awaitable[None]]) -> asyncio.Task[None]:
    return asyncio.create_task(app._run("web", Settings(), "", {}, {"web": what}))


@pytest.mark.parametrize("what", [returns, ends_as_if_told])
async def test_a_role_that_ends_by_itself_is_an_error(
    what: Callable[..., Awaitable[None]],
) -> None:
    with pytest.raises(SetupError, match="web ended by itself"):
        await role(what)


async def test_a_role_that_is_told_to_end_does() -> None:
    running = role(runs)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
