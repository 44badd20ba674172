"""The last act: years later, every process is another, and what was put off falls due.

The clock of this process goes ahead, and with it the sandboxes'. Nobody submits anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case.case import Case
from pipeline.case.follow_up import LOOKING, WAITING
from pipeline.register import obligations, reading
from pipeline.register.obligations import OVERDUE, Owed
from pipeline.response import words
from pipeline.settings import Settings

from .dpo import Dpo

AHEAD = timedelta(days=6 * 365 + 90)
"""So much later: what was kept for six years, or from the end of this year, is over."""
PATIENCE = 300.0
LOOK_EVERY = 0.25
UNDER_WAY = frozenset({WAITING, OVERDUE, LOOKING})
GONE, BINNED, SAME = "gone", "binned", "same"
Expected = Mapping[str, Mapping[str, Mapping[str, Any]]]


@contextmanager
def later(settings: Settings) -> Iterator[Settings]:
    """Live that much later meanwhile, under these settings."""
    then = replace(settings, clock_ahead=settings.clock_ahead + AHEAD)
    wall_clock.set_ahead(then.clock_ahead)
    try:
        yield then
    finally:
        wall_clock.set_ahead(settings.clock_ahead)


async def looked_at(engine: AsyncEngine, settings: Settings, dpo: Dpo) -> list[Owed]:
    """Everything that has fallen due, once it was looked at; what waits for the DPO is approved.

    Raises `TimeoutError`.
    """
    until, approved = time.monotonic() + PATIENCE, set[str]()
    while True:
        now = wall_clock.now()
        due = [it for it in await obligations.every(engine, now) if it.look_at <= now]
        if not any(it.state in UNDER_WAY for it in due):
            return due
        for case in {it.follow_up for it in due if it.state == LOOKING}:
            plan = (await _case(engine, settings, case)).plan
            if plan and plan.state == "asked" and plan.digest.hex() not in approved:
                approved.add(plan.digest.hex())
                await dpo.approve(case, plan.digest.hex())
        if time.monotonic() > until:
            raise TimeoutError("what falls due is not looked at: see `habeas obligations`")
        await asyncio.sleep(LOOK_EVERY)


async def supplements(engine: AsyncEngine, settings: Settings, due: list[Owed]) -> list[Path]:
    """Open what the people receive who are told of it. Names hold no person."""
    folder = settings.data / "year-six"
    folder.mkdir(exist_ok=True)
    made = []
    for case in sorted({it.follow_up for it in due}):
        for it in (await _case(engine, settings, case)).responses:
            path = folder / f"{case}-{it.n}.zip"
            await app.open_response(settings, engine, case, it.n, path)
            made.append(path)
    return made


async def _case(engine: AsyncEngine, settings: Settings, case: UUID) -> Case:
    return reading.folded(await reading.entries(engine, case), app.rules(settings))


def expected(planted: Expected, before: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What must become of all that was there before: `later` of the cast, or nothing.

    What was thrown into a vendor's bin is gone by then.
    """
    return {
        system: {
            key: {
                **it.get("later", {"then": GONE if it["then"] == BINNED else SAME}),
                **{name: said for name, said in it.items() if name == "now"},
            }
            for key, it in planted[system].items()
            if key in table
        }
        for system, table in before["states"].items()
    }


def since(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """A snapshot with what was done after another one alone."""
    ledger = {
        system: {**it, "mutations": it["mutations"][len(before["ledger"][system]["mutations"]) :]}
        for system, it in after["ledger"].items()
    }
    return {**after, "ledger": ledger}


def told(due: list[Owed], made: int) -> str:
    """What came of it, in a line."""
    states = {it: sum(of.state == it for of in due) for it in sorted({of.state for of in due})}
    said = words.joined(f"{count} {state}" for state, count in states.items())
    cases = words.counted(len({it.follow_up for it in due}), "case")
    return (
        f"{AHEAD.days // 365} years later {words.counted(len(due), 'obligation')} fell due, looked"
        f" at by {cases}: {said}; {words.counted(made, 'supplement')} signed. The record keys"
        " of then are destroyed"
    )
