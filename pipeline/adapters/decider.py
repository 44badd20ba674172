"""Take a batch of records of one topic through one transaction: decide, journal, owe.

In it the batch's cases are locked in one order for all, events already in the ledger are dropped,
the rest applied, they and what they cause numbered and appended to ledger and outbox, and the
partitions' next offsets stored. Then the outbox is published; then the batch may be acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid5

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipeline import broke, crash, flow
from pipeline.case.brake import Brake
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
from .behind import WHAT_TO_DO, RegisterBehindError
from .braking import Braking
from .dead_letters import InARow, refused
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
    NewKey,
    destroy,
    expire,
    expired_keys,
    new_key,
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


@dataclass(frozen=True, slots=True)
class OpenCases:
    """The cases of one transaction: read at once at its start, written at once at its end."""

    cases: dict[UUID, Case]
    heads: dict[UUID, bytes]
    aside: dict[UUID, str] = field(default_factory=dict)
    """Those about which nothing new is decided, and why."""
    opened: dict[UUID, sealing.Opened] = field(default_factory=dict)
    entries: dict[UUID, list[LedgerEntry]] = field(default_factory=dict)
    new_keys: list[NewKey] = field(default_factory=list)
    delivered: set[UUID] = field(default_factory=set)
    """Package keys of which the time begins."""

    def of(self, case: UUID) -> sealing.Opened:
        """The keys of a case, and what was opened with them."""
        return self.opened.setdefault(case, sealing.Opened({}))


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
        observe: bool,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._codec = codec
        self._rules = rules
        self._way_in = way_in
        self._keys = keys
        self._files = files
        self._publisher = publisher
        self._observe = observe
        self._clock = clock
        self._cases: OrderedDict[UUID, tuple[bytes, Case]] = OrderedDict()
        self._one = asyncio.Lock()  # SQLite has one writer; elsewhere batches are short
        self._host_keys: dict[str, tuple[str, bytes]] = {}
        self._in_a_row: dict[str, InARow] = {}
        self._stored: dict[tuple[str, int], int] = {}
        """How far this process has seen the register: it does not go back."""

    async def take(self, batch: Sequence[Incoming]) -> None:
        """Decide a batch of one topic and publish what follows.

        Raises `UnknownEventError`, `DeadLetterLimitError` and `RegisterBehindError`, and then has
        done nothing of it: stop, do not skip.
        """
        inputs, refusals = self._read(batch)
        async with self._one, self._engine.begin() as connection:
            await self._refuse_older(connection)
            open_cases = await self._open(connection, {it.event.case for it in inputs})
            inputs, misplaced = await self._admit(connection, open_cases, inputs)
            refusals = await self._unheard(connection, refusals)
            braking = await self._braking(connection)
            owed, undecidable = await self._decide(connection, open_cases, inputs, braking)
            refusals += [*misplaced, *undecidable]
            in_a_row = self._counted(batch, refusals)
            owed += [self._refused(it) for it in refusals]
            await store.save_offsets(connection, batch)
            rows = await store.owe(connection, owed, self._clock())
            crash.passing("decider.before-commit")
        self._in_a_row[in_a_row.topic] = in_a_row
        crash.passing("decider.after-commit")
        await self._publisher.publish(rows)
        crash.passing("decider.after-publish")

    async def tick(self, found: Mapping[UUID, Sequence[Due]]) -> None:
        """Decide what the clock found due, unless overtaken. Raises `RegisterBehindError`."""
        async with self._one, self._engine.begin() as connection:
            await self._refuse_older(connection)
            open_cases = await self._open(connection, found)
            cases = open_cases.cases
            braking = await self._braking(connection)
            inputs = [
                Input(event_of(case, due), store.due_id(case, due), None, wire.new_trace())
                for case, rows in found.items()
                for due in rows
                if case in cases and is_still_due(cases[case], due, self._rules, braking.brake)
            ]
            inputs = await _news(connection, inputs)
            owed, _ = await self._decide(connection, open_cases, inputs, braking)
            rows = await store.owe(connection, owed, self._clock())
            crash.passing("clock.in-sweep")
        crash.passing("clock.after-commit")
        await self._publisher.publish(rows)

    async def expire_keys(self, now: datetime) -> None:
        """Destroy the keys whose time is up, and say so in the ledgers of their cases."""
        async with self._engine.connect() as connection:
            expired = await expired_keys(connection, now)
        if not expired:
            return
        async with self._one, self._engine.begin() as connection:
            await self._refuse_older(connection)
            open_cases = await self._open(connection, {it.owner for it in expired})
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
            inputs = await _news(connection, inputs)
            braking = await self._braking(connection)
            owed, _ = await self._decide(connection, open_cases, inputs, braking)
            for it in expired:
                await destroy(connection, it.id, now)
            rows = await store.owe(connection, owed, now)
        await self._publisher.publish(rows)

    async def _refuse_older(self, connection: AsyncConnection) -> None:
        """Raise `RegisterBehindError` if the register was exchanged while we run."""
        stored = await store.offsets(connection)
        for place, at in self._stored.items():
            if stored.get(place, 0) < at:
                raise RegisterBehindError(f"the register went back while this ran. {WHAT_TO_DO}")
        self._stored = stored

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

    async def _open(self, connection: AsyncConnection, ids: Collection[UUID]) -> OpenCases:
        """Lock these cases and read what deciding on them takes."""
        await store.lock(connection, ids)
        ends = await store.last_of(connection, ids)
        keys = await self._keys.of(connection, ids)
        found = OpenCases(
            cases=await self._load(connection, ends),
            heads={it: end.head for it, end in ends.items()},
            aside=await store.set_aside(connection, *ids) if ids else {},
        )
        for (owner, purpose), key in keys.items():
            found.of(owner).keys[purpose] = key
        openings = await store.events_at(connection, ends.keys(), sealing.CASE_OPENED)
        for case, event in openings.items():
            found.of(case).case_opened = event
        return found

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
        self, connection: AsyncConnection, open_cases: OpenCases, inputs: Sequence[Input]
    ) -> tuple[list[Input], list[Refusal]]:
        """Drop what the ledger has; refuse what has no order or contradicts what was said."""
        known = await store.known_events(connection, [it.id for it in inputs])
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
                        record=open_cases.of(it.event.case).keys.get(RECORD),
                    )
                    reason = "" if same else "case_id_taken"
            elif it.event.case in open_cases.aside:
                reason = "case_set_aside"
            else:
                reason = self._misplaced(open_cases, it)
            if reason and it.record is not None:
                refusals.append(Refusal(it.record, reason))
            elif it.id not in seen:
                seen.add(it.id)
                admitted.append(it)
        return admitted, refusals

    def _misplaced(self, open_cases: OpenCases, it: Input) -> str:
        event = it.event
        case = open_cases.cases.get(event.case)
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
            opened = open_cases.of(case.id)
            try:
                opened.answers[it.id] = sealing.unseal(self._codec, event, opened.keys)
            except (SealError, CodecError, KeyError):
                return "does_not_open"
        return ""

    def _counted(self, batch: Sequence[Incoming], refusals: Sequence[Refusal]) -> InARow:
        """The refusals in a row after this batch. Raises `DeadLetterLimitError`."""
        topic = batch[0].topic
        before = self._in_a_row.get(topic)
        limit = self._rules.settings.dead_letter_limit
        after = InARow(topic, limit) if before is None else replace(before)
        reasons = {(it.record.partition, it.record.offset): it.reason for it in refusals}
        for it in batch:
            reason = reasons.get((it.partition, it.offset))
            if reason is None:
                after.was_read()
            else:
                after.was_refused(reason)
        return after

    async def brake(self, connection: AsyncConnection) -> Brake:
        """What is held now."""
        return (await self._braking(connection)).brake

    async def _braking(self, connection: AsyncConnection) -> Braking:
        """The brake for one transaction; its cases are locked by now."""
        return await Braking.begin(connection, self._rules, self._clock(), observe=self._observe)

    async def _decide(
        self,
        connection: AsyncConnection,
        open_cases: OpenCases,
        inputs: Sequence[Input],
        braking: Braking,
    ) -> tuple[list[wire.Record], list[Refusal]]:
        """What is owed after these, and those that break the decider."""
        self._host_keys.clear()  # a batch is short: keys turn between two
        owed: list[wire.Record] = []
        refusals: list[Refusal] = []
        undecidable: set[UUID] = set()
        for it in inputs:
            try:
                owed += await self._decided(connection, open_cases, it, braking)
            except (UnknownEventError, SQLAlchemyError):
                raise
            except Exception as error:  # noqa: BLE001  one case must not hold all the others
                refusals += self._undecidable(it, error)
                undecidable.add(it.event.case)
                open_cases.of(it.event.case).sealed.clear()
        await self._save(connection, open_cases, undecidable, {it.event.case for it in inputs})
        return owed, refusals

    async def _decided(
        self, connection: AsyncConnection, open_cases: OpenCases, it: Input, braking: Braking
    ) -> list[wire.Record]:
        """What one input says; nothing of it is kept if it cannot be decided."""
        known = it.event.case
        opened = open_cases.of(known)
        head = open_cases.heads.get(known, b"")
        made: list[NewKey] = []
        if isinstance(it.event, e.RequestReceived) and known not in open_cases.cases:
            made = self._first_keys(known)
            opened.keys.update({new.key.purpose: new.key for new in made})
        before = open_cases.cases.get(known)
        decided = await braking.decided(partial(self._one_decision, before, it, opened))
        if decided is None:
            return []
        case, said = decided
        said, more = await self._seal(connection, case, said, opened, head)
        entries, head = store.chained(said, head, self._clock())
        records = self._records(case, said, entries, it.trace, opened.keys)
        await braking.journal(before, case, said)
        open_cases.cases[known] = case
        open_cases.heads[known] = head
        open_cases.entries.setdefault(known, []).extend(entries)
        open_cases.new_keys.extend([*made, *more])
        if isinstance(it.event, e.ResponseSigned) and PACKAGE in opened.keys:
            open_cases.delivered.add(opened.keys[PACKAGE].id)
        return records

    async def _save(
        self,
        connection: AsyncConnection,
        open_cases: OpenCases,
        undecidable: Collection[UUID],
        touched: Collection[UUID],
    ) -> None:
        """Write what was decided, a statement a table."""
        await store.append(connection, open_cases.entries)
        await self._keys.save(connection, open_cases.new_keys)
        lives = self._rules.settings.package_key_lives
        await expire(connection, open_cases.delivered, self._clock() + lives)
        lines = []
        for case in (open_cases.cases[it] for it in touched if it in open_cases.cases):
            wrong = open_cases.aside.get(case.id) or broken(case, self._rules)
            if case.id in undecidable:
                wrong = wrong or "an event could not be decided; it is a dead letter"
            due = () if case.id in open_cases.aside else tuple(dues(case, self._rules))
            lines.append(store.Line(case, open_cases.heads[case.id], wrong, due))
            self._remember(case, open_cases.heads[case.id])
        await store.save_cases(connection, lines)

    def _undecidable(self, it: Input, error: Exception) -> list[Refusal]:
        """The refusal of an event that breaks the decider, such as one too large to say."""
        log.error(
            "decision.broke",
            case=str(it.event.case),
            what=type(it.event).__name__,
            error=type(error).__name__,
            at=broke.at(error),
        )
        return [] if it.record is None else [Refusal(it.record, "undecidable")]

    def _one_decision(
        self, case: Case | None, it: Input, opened: sealing.Opened, brake: Brake
    ) -> tuple[Case, list[Said]] | None:
        given = Given(now=self._clock(), brake=brake)
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
    ) -> tuple[list[Said], list[NewKey]]:
        """Fill in what only the register knows: sealed parts, and the head of the chain.

        With the keys of the obligations that were opened.
        """
        sealed: list[Said] = []
        made: list[NewKey] = []
        for it in said:
            event = it.event
            if hasattr(event, "head"):
                head_now = store.head_after(head, sealed)
                event = replace(event, head=head_now)  # type: ignore[call-arg]
            if it.cause is not None and type(event).SEALS is not None and _ours(event):
                keys = dict(opened.keys)
                if isinstance(event, e.ObligationOpened):
                    keys[OBLIGATION] = new_key(event.obligation, OBLIGATION)
                    made.append(NewKey(keys[OBLIGATION], self._clock()))
                event = await self._sealed(connection, case, event, opened, keys)
            elif isinstance(event, e.HoldingsLocated | e.TaskCompleted):
                found = opened.answers.get(it.id)
                opened.sealed[it.number] = found or sealing.unseal(self._codec, event, opened.keys)
            sealed.append(replace(it, event=event))
        return sealed, made

    async def _sealed(
        self,
        connection: AsyncConnection,
        case: Case,
        event: Event,
        opened: sealing.Opened,
        keys: Mapping[str, CaseKey],
    ) -> Event:
        if isinstance(event, e.CaseOpened):
            what = opened.sealed[sealing.CASE_OPENED]
            return sealing.seal(self._codec, event, what, keys)
        needed = sealing.needed(case, event)
        await sealing.load(connection, self._codec, case.id, needed, opened)
        token = store.token(opened.tag_key(), event)
        what = sealing.content(case, event, opened.sealed, token)
        return sealing.seal(self._codec, event, what, keys)

    def _first_keys(self, case: UUID) -> list[NewKey]:
        now = self._clock()
        ends = {RECORD: now + self._rules.settings.record_key_lives, PACKAGE: None}
        return [NewKey(new_key(case, purpose), now, end) for purpose, end in ends.items()]

    def _records(
        self,
        case: Case,
        said: Sequence[Said],
        entries: Sequence[LedgerEntry],
        trace: str,
        keys: Mapping[str, CaseKey],
    ) -> list[wire.Record]:
        """What is to be published, the ledger's records first: a sweep keeps the order."""
        found = []
        for part in store.portions(entries):
            journal = e.LedgerAppended(case=case.id, entries=part)
            found.append(self._record(flow.LEDGER, journal, part[0].id, None, trace, {}))
        for it in said:
            topic = flow.topic_of(it.event) if it.cause is not None else None
            if topic is not None:
                found.append(self._record(topic, it.event, it.id, it.cause, trace, keys))
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

    async def _load(
        self, connection: AsyncConnection, ends: Mapping[UUID, store.Last]
    ) -> dict[UUID, Case]:
        """The cases, from memory where it is current, else folded from the ledger."""
        found = {}
        for case_id, end in ends.items():
            head, case = self._cases.get(case_id, (b"", None))
            if head != end.head:
                case = fold(await store.events_of(connection, case_id), self._rules)
            if case is not None:
                found[case_id] = case
        return found

    def _remember(self, case: Case, head: bytes) -> None:
        """Keep a case for the next batch. The head tells whether the ledger still ends so."""
        self._cases[case.id] = head, case
        self._cases.move_to_end(case.id)
        while len(self._cases) > CACHED:
            self._cases.popitem(last=False)


async def _news(connection: AsyncConnection, inputs: Sequence[Input]) -> list[Input]:
    """Those that are not in the ledger yet."""
    known = await store.known_events(connection, [it.id for it in inputs])
    return [it for it in inputs if it.id not in known]


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
