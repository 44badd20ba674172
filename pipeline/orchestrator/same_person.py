"""What is decided of two open cases of one person: they are found as something is proved in one.

Both are locked in one transaction, so neither is told without the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.case import Case
from pipeline.case.dues import COMPARE, OF_PERSON, Due, dues
from pipeline.case.fold import apply
from pipeline.case.rights import level
from pipeline.case.rules import Rules
from pipeline.case.same_person import Side, compared
from pipeline.case.whose import WEAK
from pipeline.kafka import wire
from pipeline.keys.key_folder import KeyFileError
from pipeline.register import subjects
from pipeline.register.case_keys import RECORD, CaseKeys
from pipeline.register.subjects import SubjectsKey
from schemas import events as e
from schemas.codec import Codec, CodecError, UnknownEventError
from schemas.derive import event_name
from schemas.events import Event
from schemas.sealed import SealError

from .case_cache import OpenCases
from .inputs import Input

PROVING = e.RequestReceived | e.IdentityProved | e.WhoseDecided
"""What may prove that an identifier is somebody's."""
log = structlog.get_logger()


def in_order(open_cases: OpenCases, found: Iterable[tuple[UUID, Due]]) -> list[tuple[UUID, Due]]:
    """The rows that are about two cases of one person: what may be joined comes first.

    That is the oldest, and none that may itself join another one yet. Nobody is released before all
    are compared.
    """

    def key(row: tuple[UUID, Due]) -> tuple[bool, bool, datetime]:
        _, due = row
        other = open_cases.cases.get(UUID(due.ref))
        later = due.kind != COMPARE, other is None or bool(other.comparing)
        return (*later, due.at if other is None else other.received_at)

    return sorted((it for it in found if it[1].kind in OF_PERSON), key=key)


class SamePerson:
    """Finds the other open cases of a person, and turns due rows into what is said of two."""

    def __init__(
        self, codec: Codec, rules: Rules, keys: CaseKeys, clock: Callable[[], datetime]
    ) -> None:
        self._codec = codec
        self._rules = rules
        self._key = SubjectsKey(keys)
        self._clock = clock

    async def look(
        self, connection: AsyncConnection, open_cases: OpenCases, inputs: Sequence[Input]
    ) -> None:
        """Know, before these are decided, the other open cases in which the same is proved."""
        hashes: dict[UUID, frozenset[bytes]] = {}
        for it in inputs:
            if isinstance(it.event, PROVING):
                try:
                    hashes[it.id] = await self._hashes(connection, open_cases, it)
                except (UnknownEventError, SQLAlchemyError, KeyFileError, OSError):
                    raise
                except Exception:  # noqa: BLE001, S112  its decision says what is wrong with it
                    continue
        open_cases.proving = await subjects.look(connection, hashes)

    async def _hashes(
        self, connection: AsyncConnection, open_cases: OpenCases, it: Input
    ) -> frozenset[bytes]:
        """What stands for the identifiers that an input would prove."""
        key = await self._key.get(connection, self._clock())
        if it.person is not None:
            needed = level(getattr(it.event, "claims", ()), self._rules.policy)
            return frozenset(
                subjects.hashed(key, of.kind, of.value)
                for of, level in zip(it.person.identifiers, it.levels, strict=True)
                if level >= needed and of.kind not in WEAK
            )
        case = open_cases.cases[it.event.case]
        opened = open_cases.of(case.id)
        if not case.is_request or RECORD not in opened.keys:
            return frozenset()
        after = apply(case, it.event, self._rules)
        new = subjects.proofs(after) - subjects.proofs(case)
        return await subjects.hashes_of(connection, self._codec, case, opened, key, new)

    async def inputs(
        self,
        connection: AsyncConnection,
        open_cases: OpenCases,
        named: UUID,
        due: Due,
    ) -> Sequence[Input]:
        """What a due row of a case says of it and another one, as both are by now."""
        case, other = open_cases.cases[named], UUID(due.ref)
        if due not in dues(case, self._rules):
            return []
        if due.kind == COMPARE:
            return _in_turn(await self._compared(connection, open_cases, named, other), case, due)
        is_here = other in open_cases.cases and other not in open_cases.aside
        released = (
            e.ErasureReleased(case=it, erasing=other, copying=named)
            for it in ((other, named) if is_here else (named,))
        )
        return _in_turn(tuple(released), case, due)

    async def _compared(
        self, connection: AsyncConnection, open_cases: OpenCases, one: UUID, other: UUID
    ) -> tuple[Event, ...]:
        """What comes of comparing two. One that is set aside, or opens no more, holds up nobody."""
        now = self._clock()
        mine = await self._side(connection, open_cases, one)
        theirs = await self._side(connection, open_cases, other)
        if mine is None or theirs is None:
            return (e.RequestsCompared(case=one, other=other, at=now),)
        return compared(mine, theirs, now, self._rules)

    async def _side(
        self, connection: AsyncConnection, open_cases: OpenCases, named: UUID
    ) -> Side | None:
        case, opened = open_cases.cases.get(named), open_cases.of(named)
        if case is None or named in open_cases.aside or RECORD not in opened.keys:
            return None
        key = await self._key.get(connection, self._clock())
        try:
            return await subjects.side(connection, self._codec, case, opened, key)
        except (SealError, CodecError) as error:
            log.warning("case.not_compared", case=str(named), error=type(error).__name__)
            return None


def _in_turn(events: tuple[Event, ...], case: Case, due: Due) -> list[Input]:
    """Inputs of which the clock's own case comes last, and only if the other one was decided."""
    trace, inputs = wire.new_trace(), list[Input]()
    for event in events:
        named = uuid5(event.case, f"{event_name(type(event))}/{due.ref}/{case.id}/{case.number}")
        mine = event.case == case.id
        inputs.append(
            Input(
                event,
                named,
                None,
                trace,
                due=due if mine else None,
                needs=inputs[-1].event.case if inputs else None,
            )
        )
    return inputs
