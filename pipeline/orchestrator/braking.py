"""The brake within one transaction of the decider: what is held, what is counted, when it engages.

What was ordered lately is counted only once something is to be erased; from then on nobody else
counts until the transaction ends, so that two processes cannot pass a limit together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Self

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.brake import HELD, Brake
from pipeline.case.case import Case
from pipeline.case.decide import Said
from pipeline.case.planned import turn_id, turns
from pipeline.case.rules import Rules
from pipeline.faults import crash
from pipeline.register import holds
from pipeline.stages.fan_out import stopped
from schemas.events import OrderDue, TaskOrdered

BY_ITSELF = "the brake"
"""Who engaged a hold, where nobody did."""
OBSERVED = "an approved plan was not carried out, because HABEAS_MODE is observe"
log = structlog.get_logger()
Decided = tuple[Case, list[Said]] | None


class Braking:
    """One transaction's brake. `brake` is what decisions are given."""

    def __init__(
        self, connection: AsyncConnection, rules: Rules, brake: Brake, now: datetime
    ) -> None:
        self.brake = brake
        self._connection = connection
        self._rules = rules
        self._now = now
        self._counted = False

    @classmethod
    async def begin(
        cls, connection: AsyncConnection, rules: Rules, now: datetime, *, observe: bool
    ) -> Self:
        """Read the holds: one that was committed before is seen."""
        brake = Brake(held=await holds.held(connection), observe=observe)
        return cls(connection, rules, brake, now)

    async def decided(self, decide: Callable[[Brake], Decided]) -> Decided:
        """A decision; made once more, with what was ordered lately, where something is erased."""
        made = decide(self.brake)
        if made is None or self._counted or not self._erases(*made):
            return made
        await self._count()
        return decide(self.brake)

    async def journal(self, before: Case | None, case: Case, said: Sequence[Said]) -> None:
        """Count what a decision orders; engage where it would have passed a limit.

        What people let go by lifting a hold is not counted: it was seen.
        """
        due = {it.id for it in said if isinstance(it.event, OrderDue)}
        for it in said:
            event = it.event
            if isinstance(event, TaskOrdered) and event.attempt == 1 and it.cause not in due:
                count = len(event.rows)
                await holds.record(
                    self._connection, case.id, event.system, event.n, count, self._now
                )
                self.brake = self.brake.after(event.system, count)
        for system in _new_turns(before, case):
            why = stopped(case, system, self._rules, self.brake)
            if why == HELD and not await self._is_held(system):
                why = OBSERVED  # in `act` it would leave at once, and uncounted
            if why not in {"", HELD}:
                await self._engage(system, why)

    async def _is_held(self, system: str) -> bool:
        """Whether there is a hold on it, also one that another process engages just now."""
        if not self.brake.holds(system) and not self._counted:
            await self._count()
        return self.brake.holds(system)

    async def _count(self) -> None:
        """Read what is held and what was ordered lately; nobody else does until we have ended."""
        await holds.count_alone(self._connection, self._now)
        held = await holds.held(self._connection)
        ordered = await holds.ordered(self._connection, self._now)
        self.brake = Brake(held=held, ordered=ordered, observe=self.brake.observe)
        self._counted = True

    async def _engage(self, system: str, why: str) -> None:
        await holds.engage(self._connection, system, reason=why, by=BY_ITSELF, at=self._now)
        crash.passing("brake.engaged")
        self.brake = self.brake.engaged(system)
        log.error("brake.engaged", system=system, reason=why, then="habeas hold list")

    def _erases(self, case: Case, said: Sequence[Said]) -> bool:
        return any(isinstance(it.event, TaskOrdered) for it in said) or not all(
            self.brake.stops(it) for it in turns(case)
        )


def _new_turns(before: Case | None, case: Case) -> Iterator[str]:
    """The systems whose turn came just now. Whose it was before waits for nothing but the clock."""
    known = set() if before is None else {turn_id(before, it) for it in turns(before)}
    return (it for it in turns(case) if turn_id(case, it) not in known)
