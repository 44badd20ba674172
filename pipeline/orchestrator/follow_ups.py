"""What the clock says of an obligation, or of what is erased again, to two cases at once: who owes
it, and who looks.

Both are locked in one transaction, so neither is told without the other, and what was said before
is not said again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case import follow_up
from pipeline.case.case import Case
from pipeline.case.dues import OF_TWO, Due, event_of
from pipeline.kafka import wire
from pipeline.register import store
from pipeline.register.case_keys import OBLIGATION, RECORD, NewKey, new_key
from pipeline.register.put_off import TakenOver, brought_back, taken_over
from schemas import events as e
from schemas.codec import Codec
from schemas.sealed import SealError

from .case_cache import OpenCases
from .inputs import Input

Obligations = Mapping[UUID, e.ObligationOpened]
"""By obligation."""
log = structlog.get_logger()


def others(found: Mapping[UUID, Iterable[Due]]) -> Iterator[UUID]:
    """The other cases that due rows are about."""
    return (UUID(due.ref) for rows in found.values() for due in rows if due.kind in OF_TWO)


class FollowUps:
    """Turns due rows into what is decided on."""

    def __init__(self, codec: Codec, clock: Callable[[], datetime]) -> None:
        self._codec = codec
        self._clock = clock

    async def inputs(
        self, connection: AsyncConnection, open_cases: OpenCases, case: Case, due: Due
    ) -> Sequence[Input]:
        """What a due row of a case says, and before it what it says of another one."""
        event = event_of(case.id, due)
        said = Input(event, store.due_id(case.id, due), None, wire.new_trace(), due=due)
        match event:
            case e.ObligationDue():
                if event.follow_up in case.replays:
                    found = await self._brought_back(connection, open_cases, case, event.follow_up)
                    return self._opening(case, said, found, {})
                owed = await _obligations(connection, case, event.follow_up)
                found = self._taken_over(open_cases, event.follow_up, owed)
                return self._opening(case, said, found, owed)
            case e.ObligationClosed():
                return _closing(open_cases, case, said, event)
            case _:
                return [said]

    def _opening(
        self, case: Case, said: Input, found: TakenOver | None, owed: Obligations
    ) -> Sequence[Input]:
        """A case that looks begins; or, if its key is gone, its parent learns that none can."""
        event = said.event
        assert isinstance(event, e.ObligationDue)  # noqa: S101  `inputs` saw to it
        looks = event.follow_up
        if found is None:
            log.error("obligation.unreadable", case=str(case.id), follow_up=str(looks))
            closed = follow_up.unreadable(case, looks)
            at = self._clock()
            lost = e.ObligationClosed(case=case.id, follow_up=looks, at=at, closed=closed)
            return [replace(said, event=lost)]
        opened = follow_up.opened(case, looks, found.tags, owed, self._clock())
        named = uuid5(looks, "follow_up_opened")
        return [Input(opened, named, None, said.trace, who=found.who), replace(said, needs=looks)]

    def _taken_over(
        self, open_cases: OpenCases, looks: UUID, owed: Obligations
    ) -> TakenOver | None:
        opened = open_cases.of(looks)
        if RECORD not in opened.keys:
            return None
        try:
            return taken_over(self._codec, opened, owed.values())
        except SealError:
            return None

    async def _brought_back(
        self, connection: AsyncConnection, open_cases: OpenCases, case: Case, looks: UUID
    ) -> TakenOver | None:
        """Who a case erased for, under a new key of the one that looks for them again."""
        mine, theirs = open_cases.of(case.id), open_cases.of(looks)
        if RECORD not in mine.keys:
            return None
        if RECORD not in theirs.keys:
            made = new_key(looks, OBLIGATION)
            theirs.keys[RECORD] = made
            open_cases.new_keys.append(NewKey(made, self._clock()))
        try:
            return await brought_back(connection, self._codec, case, mine, theirs)
        except SealError:
            return None


def _closing(
    open_cases: OpenCases, case: Case, said: Input, event: e.ObligationClosed
) -> Sequence[Input]:
    """A follow-up came to its end: its parent is told how, unless nothing is decided about it."""
    if case.follow_up is None or follow_up.ended(case) is None:
        return []  # overtaken by what came since
    parent = case.follow_up.parent
    if parent not in open_cases.cases or parent in open_cases.aside:
        return [said]
    closed = follow_up.closed(case)
    told = e.ObligationClosed(case=parent, follow_up=case.id, at=event.at, closed=closed)
    named = uuid5(parent, f"obligation_closed/{case.id}")
    return [Input(told, named, None, said.trace), replace(said, needs=parent)]


async def _obligations(connection: AsyncConnection, case: Case, looks: UUID) -> Obligations:
    """The events that opened what a case is to look at."""
    numbers = [it.source for it in case.obligations if it.follow_up == looks]
    found = [await store.event_of(connection, case.id, it) for it in numbers]
    return {it.obligation: it for it in found if isinstance(it, e.ObligationOpened)}
