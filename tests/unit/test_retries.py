"""What an orchestrator tries again: who is cancelled by somebody else's library goes on."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from pipeline.faults.patience import GaveUpError, Patience
from pipeline.orchestrator.retries import tried_again

PATIENCE = timedelta(minutes=1)


async def test_a_future_that_a_client_gave_up_is_waited_for_anew() -> None:
    given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    given_up.cancel()
    reached = []
    with tried_again("test.retried", Patience("testing", PATIENCE)):
        await given_up
        reached.append("never")
    assert reached == []


async def test_who_is_ended_ends() -> None:
    async def works() -> None:
        while True:
            with tried_again("test.retried", Patience("testing", PATIENCE)):
                await asyncio.sleep(60)

    task = asyncio.create_task(works())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("code", "waits"),
    [("SQLITE_FULL", True), ("SQLITE_IOERR_WRITE", True), ("SQLITE_BUSY", False)],
)
async def test_a_register_without_room_is_waited_for_and_a_busy_one_is_given_up(
    code: str, *, waits: bool
) -> None:
    met = sqlite3.OperationalError()
    met.sqlite_errorname = code
    hours = iter((0.0, 3600.0, 7200.0))
    patience = Patience("testing", PATIENCE, lambda: next(hours))
    ended = 0
    for _ in range(2):
        try:
            with tried_again("test.retried", patience):
                raise OperationalError("", None, met)
        except GaveUpError:
            ended += 1
    assert ended == (0 if waits else 1)
