"""Weeks in which no recipient says a word: they are reminded twice, then a person sees to it.

The clock of this process goes on from pause to pause while the pipeline runs. Only what was asked
for years later is told to anybody then: of all else the keys are destroyed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case.recipients import ASKED, REMINDERS, UNANSWERED
from pipeline.case.rules import Rules
from pipeline.settings import Settings

from .actors import Seat, look

PATIENCE = 120.0
"""Seconds for each pause."""
LOOK_EVERY = 0.25
LATE = timedelta(hours=1)


async def lasts(engine: AsyncEngine, settings: Settings, seats: Sequence[Seat]) -> str:
    """Let the time go by until nobody is waited for any longer; what came of it, in a line.

    Raises `TimeoutError`.
    """
    rules, ahead = app.rules(settings), settings.clock_ahead
    await _until(engine, rules, seats, ASKED, 0)
    for reminders in range(REMINDERS + 1):
        ahead += 2**reminders * settings.recipient_wait + LATE
        wall_clock.set_ahead(ahead)
        is_last = reminders == REMINDERS
        state, said = (UNANSWERED, reminders) if is_last else (ASKED, reminders + 1)
        await _until(engine, rules, seats, state, said)
    days = (ahead - settings.clock_ahead).days
    silent = len({recipient for it in seats if it.case for recipient, _ in it.case.told})
    return (
        f"asked again then, {silent} recipients were told, reminded {REMINDERS} times and said"
        f" nothing for {days} days: the DPO has it on the list, the person in an answer"
    )


async def _until(
    engine: AsyncEngine, rules: Rules, seats: Sequence[Seat], state: str, reminders: int
) -> None:
    """Until all were told so often, stand so, and nothing is under way."""
    until = time.monotonic() + PATIENCE
    while not all(_stands(it, state, reminders) for it in seats):
        if time.monotonic() > until:
            raise TimeoutError("recipients are not reminded: see `habeas recipients`")
        await asyncio.sleep(LOOK_EVERY)
        await look(engine, rules, seats)


def _stands(seat: Seat, state: str, reminders: int) -> bool:
    told = list(seat.case.told.values()) if seat.case else []
    as_told = all((it.state, it.reminders) == (state, reminders) for it in told)
    rows = seat.report.recipients if seat.report else ()
    reported = state != UNANSWERED or all(it.state == state for it in rows if it.asks)
    return bool(told) and as_told and reported and seat.at_rest
