"""Take a batch of records of one topic through one transaction: decide, journal, owe.

In it the batch's cases are locked in one order for all, events already in the ledger are dropped,
the rest applied, they and what they cause numbered and appended to ledger and outbox, and the
partitions' next offsets stored. Then the outbox is published; then the batch may be acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipeline import broke, crash, flow
from pipeline.case.case import Case
from pipeline.case.decide import Said, StaleError, decide
from pipeline.case.dues import Due, dues, event_of, is_still_due
from pipeline.case.fold import fold
from pipeline.case.rules import Given, Rules
from pipeline.grants import HEADER, wrap
from pipeline.stages.report import broken
from schemas import events as e
from schemas.codec import Codec, CodecError, UnknownEventError
from schemas.events import Event
from schemas.records import LedgerEntry
from schemas.sealed import SealError

from . import key_dates, repetition, wire
from .dead_letters import refused
from .incoming import Incoming, Input, read
from .key_files import KeyFiles
from .key_folder import KeyFolder
from .publisher import Publisher
from .register import sealing, store
from .register.case_keys import (
    OBLIGATION,
    PACKAGE,
    RECORD,
    CaseKey,
    CaseKeys,
    destroy,
    expire,
    expired_keys,
)
from .way_in import RefusedError, UnknownKeyError, WayIn

CACHED = 5000
log = structlog.get_logger()
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that becomes a dead letter, and why."""

    record: Incoming
    reason: str
    event: Event | None = None
    """What is in it, if only its key is missing: the ledger may have it."""


class Decider:
    """The decider's one transaction. Safe to run in any number of processes on one register."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        codec: Codec,
        rules: Rules,
        way_in: WayIn,
        keys: CaseKeys,
        files: KeyFiles,
        publisher: Publisher,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._codec = codec
        self._rules = rules
        self._way_in = way_in
        self._keys = keys
        self._files = files
        self._publisher = publisher
        self._clock = clock
        self._cases: OrderedDict[UUID, Case] = OrderedDict()
        self._one = asyncio.Lock()  # SQLite has one writer; elsewhere batches are short
        self._host_keys: dict[str, tuple[str, bytes]] = {}

    async def take(self, batch: Sequence[Incoming]) -> None:
        """Decide a batch and publish what follows. Raises `UnknownEventError`: stop, not skip."""
        inputs, refusals = self._read(batch)
        async with self._one, self._engine.begin() as connection:
            inputs, more = await self._admit(connection, inputs)
            refusals = await self._unheard(connection, refusals)
            owed = [self._refused(it) for it in (*refusals, *more)]
            owed += await self._decide(connection, inputs)
            await store.save_offsets(connection, batch)
            rows = await store.owe(connection, owed, self._clock())
            crash.passing("decider.before-commit")
        crash.passing("decider.after-commit")
        await self._publisher.publish(rows)
        crash.passing("decider.after-publish")

    async def tick(self, found: Mapping[UUID, Sequence[Due]]) -> None:
        """Decide what the clock found due, unless it was overtaken."""
        async with self._one, self._engine.begin() as connection:
            await store.lock(connection, found)
            cases = await self._load(connection, found)
            inputs = [
                Input(event_of(case, due), store.due_id(case, due), None, wire.new_trace())
                for case, rows in found.items()
                for due in rows
                if case in cases and is_still_due(cases[case], due, self._rules)
            ]
            known = await store.known_events(connection, [it.id for it in inputs])
            inputs = [it for it in inputs if it.id not in known]
            owed = await self._decide(connection, inputs)
            rows = await store.owe(connection, owed, self._clock())
            crash.passing("clock.in-sweep")
        await self._publisher.publish(rows)

    async def expire_keys(self, now: datetime) -> None:
        """Destroy the keys whose time is up, and say so in the ledgers of their cases."""
        async with self._engine.connect() as connection:
            expired = await expired_keys(connection, now)
        if not expired:
            return
        async with self._one, self._engine.begin() as connection:
            await store.lock(connection, {it.owner for it in expired})
            settings = self._rules.settings
            inputs = [
                Input(
                    await key_dates.destroyed(connection, self._files, settings, it, now),
                    uuid5(it.owner, f"key_destroyed/{it.id}"),
                    None,
                    wire.new_trace(),
                )
                for it in expired
            ]
            known = await store.known_events(connection, [it.id for it in inputs])
            owed = await self._decide(connection, [it for it in inputs if it.id not in known])
            for it in expired:
                await destroy(connection, it.id, now)
            rows = await store.owe(connection, owed, now)
        await self._publisher.publish(rows)

    def _read(self, batch: Sequence[Incoming]) -> tuple[list[Input], list[Refusal]]:
        inputs, refusals = [], []
        for record in batch:
            try:
                inputs.append(read(record, self._codec, self._way_in))
                self._warn_of_old_key(inputs[-1].event)
            except UnknownKeyError as error:
                refusals.append(Refusal(record, str(error), error.event))
            except (CodecError, RefusedError) as error:
                refusals.append(Refusal(record, str(error)))
        return inputs, refusals

    def _warn_of_old_key(self, event: Event) -> None:
        """An intake that does not take the new key is refused once the old one is dead."""
        if isinstance(event, e.RequestReceived):
            current = self._files.pipeline().current(self._clock())
            if event.key < current:
                log.warning("intake.old_key", intake=event.intake, key=event.key, in_force=current)

    async def _unheard(
        self, connection: AsyncConnection, refusals: Sequence[Refusal]
    ) -> list[Refusal]:
        """Refusals, without those of what the ledger has."""
        return [
            it
            for it in refusals
            if it.event is None or not await repetition.is_known(connection, it.event)
        ]

    async def _admit(
        self, connection: AsyncConnection, inputs: Sequence[Input]
    ) -> tuple[list[Input], list[Refusal]]:
        """Drop what the ledger has; refuse what has no order or contradicts what was said."""
        await store.lock(connection, {it.event.case for it in inputs})
        known = await store.known_events(connection, [it.id for it in inputs])
        cases = await self._load(connection, {it.event.case for it in inputs})
        keys = await self._keys.of(connection, cases)
        admitted: list[Input] = []
        refusals, seen = [], set(known)
        for it in inputs:
            reason = ""
            if it.id in seen:
                if isinstance(it.event, e.RequestReceived):
                    same = await repetition.is_same_submission(
                        connection,
                        self._codec,
                        it,
                        before=[other for other in admitted if other.id == it.id],
                        record=keys.get((it.event.case, RECORD)),
                    )
                    reason = "" if same else "case_id_taken"
            else:
                reason = self._misplaced(cases.get(it.event.case), it, keys)
            if reason and it.record is not None:
                refusals.append(Refusal(it.record, reason))
            elif it.id not in seen:
                seen.add(it.id)
                admitted.append(it)
        return admitted, refusals

    def _misplaced(
        self, case: Case | None, it: Input, keys: Mapping[tuple[UUID, str], CaseKey]
    ) -> str:
        event = it.event
        if isinstance(event, e.RequestReceived):
            return "" if case is None else "case_id_taken"
        if case is None:
            return "unknown_case"
        if it.record is None or it.record.topic != flow.RESULTS:
            return ""
        order = case.order_of(event.order) if hasattr(event, "order") else None
        if order is None or order.slot[1] != getattr(event, "system", ""):
            return "unknown_order"
        if getattr(event, "sealed", b""):
            record = keys.get((case.id, RECORD))
            try:
                sealing.unseal(self._codec, event, {} if record is None else {RECORD: record})
            except (SealError, CodecError, KeyError):
                return "does_not_open"
        return ""

    async def _decide(
        self, connection: AsyncConnection, inputs: Sequence[Input]
    ) -> list[wire.Record]:
        self._host_keys.clear()  # a batch is short: keys turn between two
        cases = await self._load(connection, {it.event.case for it in inputs})
        keys = await self._keys.of(connection, {it.event.case for it in inputs})
        heads = await store.heads(connection, {it.event.case for it in inputs})
        opened: dict[UUID, sealing.Opened] = {}
        owed: list[wire.Record] = []
        undecidable: set[UUID] = set()
        for it in inputs:
            known = it.event.case
            if known not in cases and isinstance(it.event, e.RequestReceived):
                keys.update(await self._first_keys(connection, known))
            mine = {purpose: key for (owner, purpose), key in keys.items() if owner == known}
            opening = opened.setdefault(known, sealing.Opened(mine))
            try:
                decided = self._one_decision(cases.get(known), it, opening)
                if decided is None:
                    continue
                case, said = decided
                said = await self._seal(connection, case, said, opening, heads.get(known, b""))
                entries, head = store.chained(said, heads.get(known, b""), self._clock())
                records = self._records(case, said, entries, it.trace, mine)
            except (UnknownEventError, SQLAlchemyError):
                raise
            except Exception as error:  # noqa: BLE001  one case must not hold all the others
                owed += self._undecidable(it, error)
                undecidable.add(known)
                continue
            await store.append(connection, known, entries)
            heads[known] = head
            owed += records
            if isinstance(it.event, e.ResponseSigned) and PACKAGE in mine:
                until = self._clock() + self._rules.settings.package_key_lives
                await expire(connection, mine[PACKAGE].id, until)
            cases[known] = case
        for case in cases.values():
            wrong = broken(case, self._rules)
            if case.id in undecidable:
                wrong = wrong or "an event could not be decided; it is a dead letter"
            await store.save_case(connection, case, heads[case.id], wrong, dues(case, self._rules))
            self._remember(case)
        return owed

    def _undecidable(self, it: Input, error: Exception) -> list[wire.Record]:
        """The dead letter of an event that breaks the decider, such as one too large to say."""
        log.error(
            "decision.broke",
            case=str(it.event.case),
            what=type(it.event).__name__,
            error=type(error).__name__,
            at=broke.at(error),
        )
        return [] if it.record is None else [self._refused(Refusal(it.record, "undecidable"))]

    def _one_decision(
        self, case: Case | None, it: Input, opened: sealing.Opened
    ) -> tuple[Case, list[Said]] | None:
        given = Given(now=self._clock())
        if it.person is not None:
            who = sealing.of_person(it.person, opened.tag_key())
            opened.sealed[sealing.CASE_OPENED] = who
            given = replace(given, identifiers=sealing.rows_of(who), received_at=it.received_at)
        try:
            return decide(case, it.event, it.id, stages=flow.STAGES, rules=self._rules, given=given)
        except StaleError as error:
            log.warning("decision.stale", case=str(it.event.case), reason=str(error))
            return None

    async def _seal(
        self,
        connection: AsyncConnection,
        case: Case,
        said: Sequence[Said],
        opened: sealing.Opened,
        head: bytes,
    ) -> list[Said]:
        """Fill in what only the register knows: sealed parts, and the head of the chain."""
        sealed: list[Said] = []
        for it in said:
            event = it.event
            if hasattr(event, "head"):
                head_now = store.head_after(head, sealed)
                event = replace(event, head=head_now)  # type: ignore[call-arg]
            if it.cause is not None and type(event).SEALS is not None and _ours(event):
                event = await self._sealed(connection, case, event, opened)
            elif isinstance(event, e.HoldingsLocated | e.TaskCompleted):
                opened.sealed[it.number] = sealing.unseal(self._codec, event, opened.keys)
            sealed.append(replace(it, event=event))
        return sealed

    async def _sealed(
        self, connection: AsyncConnection, case: Case, event: Event, opened: sealing.Opened
    ) -> Event:
        if isinstance(event, e.CaseOpened):
            what = opened.sealed[sealing.CASE_OPENED]
            return sealing.seal(self._codec, event, what, opened.keys)
        needed = sealing.needed(case, event)
        await sealing.load(connection, self._codec, case.id, needed, opened)
        token = store.token(opened.tag_key(), event)
        what = sealing.content(case, event, opened.sealed, token)
        keys = dict(opened.keys)
        if isinstance(event, e.ObligationOpened):
            keys[OBLIGATION] = await self._keys.create(
                connection, event.obligation, OBLIGATION, self._clock()
            )
        return sealing.seal(self._codec, event, what, keys)

    async def _first_keys(
        self, connection: AsyncConnection, case: UUID
    ) -> dict[tuple[UUID, str], CaseKey]:
        now = self._clock()
        ends = {RECORD: now + self._rules.settings.record_key_lives, PACKAGE: None}
        return {
            (case, purpose): await self._keys.create(connection, case, purpose, now, end)
            for purpose, end in ends.items()
        }

    def _records(
        self,
        case: Case,
        said: Sequence[Said],
        entries: Sequence[LedgerEntry],
        trace: str,
        keys: Mapping[str, CaseKey],
    ) -> list[wire.Record]:
        found = []
        for it in said:
            topic = flow.topic_of(it.event) if it.cause is not None else None
            if topic is not None:
                found.append(self._record(topic, it.event, it.id, it.cause, trace, keys))
        for part in store.portions(entries):
            journal = e.LedgerAppended(case=case.id, entries=part)
            found.append(self._record(flow.LEDGER, journal, part[0].id, None, trace, {}))
        return found

    def _record(  # noqa: PLR0917  one record's whole frame
        self,
        topic: str,
        event: Event,
        event_id: UUID,
        cause: UUID | None,
        trace: str,
        keys: Mapping[str, CaseKey],
    ) -> wire.Record:
        told = wire.headers(
            event,
            event_id=event_id,
            cause=cause,
            source="orchestrator",
            at=self._clock(),
            trace=trace,
        )
        if topic.startswith(flow.work("")):
            named, host_key = self._host_key(topic.removeprefix(flow.work("")))
            granted = wrap(sealing.order_grants(event, keys), host_key, named)
            told = (*told, (HEADER, granted))
        return wire.Record(
            topic=topic,
            key=str(event.case).encode(),
            value=self._codec.encode(event),
            headers=told,
        )

    def _host_key(self, system: str) -> tuple[str, bytes]:
        if system not in self._host_keys:
            folder = KeyFolder(self._files.hosts(system))
            named = folder.current(self._clock())
            self._host_keys[system] = (named, folder[named])
        return self._host_keys[system]

    def _refused(self, it: Refusal) -> wire.Record:
        log.warning("record.refused", topic=it.record.topic, reason=it.reason)
        return refused(
            it.record, it.reason, self._codec, self._files.letters().public(self._clock())
        )

    async def _load(self, connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Case]:
        """The cases, from memory where it is current, else folded from the ledger."""
        numbers = await store.numbers(connection, ids)
        found = {}
        for case_id, number in numbers.items():
            case = self._cases.get(case_id)
            if case is None or case.number != number:
                case = fold(await store.events_of(connection, case_id), self._rules)
            if case is not None:
                found[case_id] = case
        return found

    def _remember(self, case: Case) -> None:
        self._cases[case.id] = case
        self._cases.move_to_end(case.id)
        while len(self._cases) > CACHED:
            self._cases.popitem(last=False)


def _ours(event: Event) -> bool:
    """Whether the pipeline itself seals this event; answers and envelopes come sealed."""
    return isinstance(
        event,
        e.CaseOpened
        | e.SearchOrdered
        | e.TaskOrdered
        | e.ObligationOpened
        | e.ResponseOrdered
        | e.NoticeOrdered,
    )
