"""Take a batch of records of one topic through one transaction: decide, journal, owe.

In it the batch's cases are locked in one order for all, events already in the ledger are dropped,
the rest applied, they and what they cause numbered and appended to ledger and outbox, and the
partitions' next offsets stored. Then the outbox is published; then the batch may be acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID, uuid5

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connectors.sdk import wall_clock
from pipeline import flow
from pipeline.case.brake import Brake
from pipeline.case.case import Case
from pipeline.case.decide import Said, StaleError, decide
from pipeline.case.dues import OF_PERSON, SUSPICION, Due, is_still_due
from pipeline.case.preferences import overruled, shows
from pipeline.case.rules import Given, Rules
from pipeline.faults import broke, crash
from pipeline.intake.envelopes import Envelopes
from pipeline.intake.roles import Role
from pipeline.kafka import wire
from pipeline.kafka.authentication import case_of
from pipeline.kafka.incoming import Incoming
from pipeline.keys.key_files import KeyFiles
from pipeline.keys.key_folder import KeyFileError
from pipeline.register import breaches, links, sealing, store, subjects
from pipeline.register.case_keys import (
    PACKAGE,
    RECORD,
    CaseKey,
    CaseKeys,
    NewKey,
    destroy,
    expired_keys,
    new_key,
)
from pipeline.register.engine import WHAT_TO_DO, RegisterBehindError
from pipeline.register.memory import Memory
from pipeline.register.preferences import Preferences, looked, put_off, to_look_at
from schemas import events as e
from schemas.codec import Codec, UnknownEventError
from schemas.records import SealedAffected

from . import follow_ups, incidents, key_dates, preferences, same_person
from .admission import Admission
from .braking import Braking
from .case_cache import CaseCache, OpenCases
from .follow_ups import FollowUps
from .inputs import Input
from .outbox import Outbox
from .publisher import Publisher
from .refusals import Refusal, Refusals
from .same_person import SamePerson

log = structlog.get_logger()
Clock = Callable[[], datetime]


class Decider:
    """The decider's one transaction. Safe to run in any number of processes on one register."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        codec: Codec,
        rules: Rules,
        envelopes: Envelopes,
        keys: CaseKeys,
        files: KeyFiles,
        publisher: Publisher,
        observe: bool,
        clock: Clock = wall_clock.now,
    ) -> None:
        self._engine = engine
        self._rules = rules
        self._codec = codec
        self._keys = keys
        self._files = files
        self._publisher = publisher
        self._observe = observe
        self._clock = clock
        self._cases = CaseCache(rules, keys)
        self._admission = Admission(codec, envelopes, files.pipeline(), clock)
        self._saying = Outbox(codec, files, rules, clock)
        self._follow_ups = FollowUps(codec, clock)
        self._same_person = SamePerson(codec, rules, keys, clock)
        self._memory = Memory(codec, keys, rules.settings.erasure_memory)
        self._preferences = Preferences(codec, keys, rules.policy)
        self._wanted = preferences.Intake(codec, self._preferences, rules.policy, clock)
        self._one = asyncio.Lock()  # SQLite has one writer; elsewhere batches are short
        self._refusals = Refusals(codec, files, rules.settings.dead_letter_limit, clock)
        self._stored: dict[tuple[str, int], int] = {}
        """How far this process has seen the register: it does not go back."""

    async def take(self, batch: Sequence[Incoming]) -> None:
        """Decide a batch of one topic and publish what follows; what was taken before is passed by.

        Raises `UnknownEventError`, `DeadLetterLimitError` and `RegisterBehindError`, and then has
        done nothing of it: stop, do not skip.
        """
        async with self._one, self._engine.begin() as connection:
            await self._refuse_older(connection)
            batch = [it for it in batch if it.offset >= self._stored.get(it.place, 0)]
            if not batch:
                return
            open_cases, inputs, refusals = await self._read(connection, batch)
            admission = self._wanted if batch[0].topic == flow.PREFERENCES else self._admission
            inputs, misplaced = await admission.admit(connection, open_cases, inputs)
            refusals = await self._admission.unheard(connection, refusals)
            await self._same_person.look(connection, open_cases, inputs)
            braking = await self._braking(connection)
            owed, undecidable = await self._decide(connection, open_cases, inputs, braking)
            owed = [*await self._close(connection, open_cases), *owed]
            refusals += [*misplaced, *undecidable]
            in_a_row = self._refusals.after(batch, refusals)
            owed += self._refusals.letters(refusals)
            await store.save_offsets(connection, batch)
            rows = await store.owe(connection, owed, self._clock())
            crash.passing("decider.before-commit")
        self._refusals.keep(in_a_row)
        crash.passing("decider.after-commit")
        await self._publisher.publish(rows)
        crash.passing("decider.after-publish")

    async def _read(
        self, connection: AsyncConnection, batch: Sequence[Incoming]
    ) -> tuple[OpenCases, list[Input], list[Refusal]]:
        """What is in a batch, and its cases. Answers are proved under their keys before anything.

        Raises `UnknownEventError`.
        """
        if batch[0].topic == flow.RESULTS:
            named = {case for it in batch if (case := case_of(it)) is not None}
            open_cases = await self._cases.open(connection, named)
            return (open_cases, *self._admission.read_answers(batch, open_cases))
        inputs, refusals = self._admission.read(batch)
        open_cases = await self._cases.open(connection, {it.event.case for it in inputs})
        return open_cases, inputs, refusals

    async def tick(self, found: Mapping[UUID, Sequence[Due]]) -> None:
        """Decide what the clock found due, unless overtaken. Raises `RegisterBehindError`."""
        async with self._one, self._engine.begin() as connection:
            await self._refuse_older(connection)
            both = {*found, *follow_ups.others(found)}
            open_cases = await self._cases.open(connection, both)
            open_cases.decided.update(open_cases.cases.keys() & found)  # overtaken rows go
            braking = await self._braking(connection)
            every = [
                (case, due)
                for case, rows in found.items()
                if case in open_cases.cases
                for due in rows
            ]
            inputs = [
                it
                for case, due in every
                if due.kind == SUSPICION
                for it in incidents.raised(open_cases.cases[case], due)
            ]
            inputs += [
                it
                for case, due in every
                if due.kind not in {*OF_PERSON, SUSPICION}
                for it in await self._follow_ups.inputs(
                    connection, open_cases, open_cases.cases[case], due
                )
            ]
            inputs = await _news(connection, inputs)
            owed, _ = await self._decide(connection, open_cases, inputs, braking)
            # One after the other: what is said of two may change what a third can join.
            for case, due in same_person.in_order(open_cases, every):
                of_both = await self._same_person.inputs(connection, open_cases, case, due)
                of_both = await _news(connection, of_both)
                owed += (await self._decide(connection, open_cases, of_both, braking))[0]
            owed = [*await self._close(connection, open_cases), *owed]
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
            open_cases = await self._cases.open(connection, {it.owner for it in expired})
            still = await expired_keys(connection, now)  # a later response may have moved its end
            expired = [it for it in expired if it in still]
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
            owed = [*await self._close(connection, open_cases), *owed]
            for it in expired:
                await destroy(connection, it.id, now)
            rows = await store.owe(connection, owed, now)
        await self._publisher.publish(rows)

    async def let_go(self, now: datetime) -> None:
        """Let go whom we have for one thing alone, once they got it or it never came."""
        keys, codec, policy = self._keys, self._codec, self._rules.policy
        async with self._engine.connect() as connection:
            found = await to_look_at(connection, codec, keys, now)
        if not found:
            return
        async with self._one, self._engine.begin() as connection:
            await self._refuse_older(connection)
            open_cases = await self._cases.open(connection, map(preferences.case_of, found))
            still = await to_look_at(connection, codec, keys, now)  # others may have been faster
            locked = {it.said.record for it in found}
            looks = [
                (it, preferences.letting_go(it, policy, now))
                for it in still
                if it.said.record in locked
            ]
            inputs = await _news(connection, [goes for _, goes in looks if goes is not None])
            braking = await self._braking(connection)
            owed, _ = await self._decide(connection, open_cases, inputs, braking)
            failed = {it.event.case for it in inputs} - open_cases.decided
            for it, goes in looks:
                if goes is not None and goes.event.case in failed:
                    await put_off(connection, it, now)
                else:
                    await looked(connection, it, let_go=goes is not None)
            owed = [*await self._close(connection, open_cases), *owed]
            rows = await store.owe(connection, owed, now)
        await self._publisher.publish(rows)

    async def _refuse_older(self, connection: AsyncConnection) -> None:
        """Raise `RegisterBehindError` if the register was exchanged while we run."""
        stored = await store.offsets(connection)
        for place, at in self._stored.items():
            if stored.get(place, 0) < at:
                raise RegisterBehindError(f"the register went back while this ran. {WHAT_TO_DO}")
        self._stored = stored

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
        """What is owed after these, but for the ledger's, and those that break the decider."""
        self._saying.begin()
        owed: list[wire.Record] = []
        refusals: list[Refusal] = []
        for it in inputs:
            try:
                owed += await self._decided(connection, open_cases, it, braking)
            except (UnknownEventError, SQLAlchemyError, KeyFileError, OSError):
                raise  # nothing is wrong with the event: stop, or try all of it again
            except Exception as error:  # noqa: BLE001  one case must not hold all the others
                refusals += self._undecidable(it, error)
                open_cases.could_not(it.event.case)
            else:
                open_cases.traces[it.event.case] = it.trace
        return owed, refusals

    async def _close(self, connection: AsyncConnection, open_cases: OpenCases) -> list[wire.Record]:
        """Write all that was decided; what is owed of it on the ledger's topic, and goes first."""
        journal = [
            record
            for case, entries in open_cases.entries.items()
            for record in self._saying.journal(
                case, entries, open_cases.traces[case], open_cases.of(case).keys
            )
        ]
        await self._cases.close(connection, open_cases)
        await subjects.remember(connection, open_cases.proving.rows, self._clock())
        return journal

    async def _decided(
        self, connection: AsyncConnection, open_cases: OpenCases, it: Input, braking: Braking
    ) -> list[wire.Record]:
        """What one input says; nothing of it is kept if it cannot be decided."""
        known = it.event.case
        if it.needs is not None and not open_cases.could(it.needs):
            open_cases.could_not(known)
            return []
        opened = open_cases.of(known)
        head = open_cases.heads.get(known, b"")
        made: list[NewKey] = []
        if it.person is not None and known not in open_cases.cases:
            lets_go = isinstance(it.event, e.ContactLapsed)
            made = self._first_keys(known)[: 1 if lets_go else None]  # of that nobody gets a copy
        elif isinstance(it.event, e.FollowUpOpened):  # it has the obligation's key
            made = [NewKey(new_key(known, PACKAGE), self._clock())]
        elif isinstance(it.event, e.IncidentOpened) and known not in open_cases.cases:
            made = self._first_keys(known)[:1]  # nothing is copied
        opened.keys.update({new.key.purpose: new.key for new in made})
        before = open_cases.cases.get(known)
        others = open_cases.proving.others(it.id, known)
        decided = await braking.decided(partial(self._one_decision, before, it, opened, others))
        if decided is None:
            return []
        case, said = decided
        said, more = await self._saying.seal(connection, case, said, opened, head)
        entries, head = store.chained(said, head, self._clock())
        records = self._saying.records(said, it.trace, opened.keys)
        await braking.journal(before, case, said)
        await self._remember(connection, case, said, opened)
        open_cases.decided.add(known)
        open_cases.proving.proved(it.id, known)
        open_cases.cases[known] = case
        open_cases.heads[known] = head
        open_cases.entries.setdefault(known, []).extend(entries)
        open_cases.new_keys.extend([*made, *more])
        if isinstance(it.event, e.IdentityProved):
            await links.forget(connection, known, it.event.tag)
        if isinstance(it.event, e.RecipientAcknowledged):
            await links.forget_of(connection, known, it.event.recipient, it.event.right)
        open_cases.ends.update(self._ends(case, it.event, opened.keys))
        return records

    async def _remember(
        self, connection: AsyncConnection, case: Case, said: Sequence[Said], opened: sealing.Opened
    ) -> None:
        """Keep what outlives the case: for whom something was erased, and who objects."""
        if any(isinstance(it.event, e.ClaimSettled) for it in said):
            await self._memory.remember(connection, case, opened, self._clock())
        if any(shows(case, it.event) for it in said):
            await self._preferences.objected(connection, case, opened, self._clock())
        if any(overruled(case, it.event) for it in said):
            await self._preferences.overruled(connection, case.id, self._clock())

    def _ends(
        self, case: Case, event: e.Event, keys: Mapping[str, CaseKey]
    ) -> dict[UUID, datetime]:
        """When keys of a case are to be destroyed, after an event that says so."""
        now, settings = self._clock(), self._rules.settings
        is_over = not case.is_open and not case.responses
        match event:
            case e.ResponseSigned() if PACKAGE in keys:
                return {keys[PACKAGE].id: now + settings.package_key_lives}
            case e.FollowUpOpened():
                return {keys[RECORD].id: now + settings.record_key_lives}
            case e.RequestJoined() | e.RequestRefused() | e.ClaimWithdrawn() if (
                is_over and PACKAGE in keys  # nobody will get anything from here
            ):
                return {keys[PACKAGE].id: now + settings.incoming_kept}
            case e.IdentityOverdue() | e.IdentityRejected() if is_over and PACKAGE in keys:
                return {keys[PACKAGE].id: now + settings.record_key_lives}  # who asks may be proved
            case e.ObligationClosed() if event.follow_up == event.case and RECORD in keys:
                return {keys[RECORD].id: now + settings.incoming_kept}  # answers may come twice
            case _:
                return {}

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
        self,
        case: Case | None,
        it: Input,
        opened: sealing.Opened,
        others: tuple[UUID, ...],
        brake: Brake,
    ) -> tuple[Case, list[Said]] | None:
        if case and it.due and not is_still_due(case, it.due, self._rules, brake):
            return None  # overtaken: by what came since, or by a hold
        given = Given(now=self._clock(), brake=brake, others=others)
        if it.person is not None:
            who = sealing.of_person(it.person, opened.tag_key())
            opened.sealed[sealing.CASE_OPENED] = replace(who, purpose=self._unnamed(it.event))
            rows = sealing.rows_of(who, it.levels, opened.tag_key())
            data = tuple(change.datum for change in who.changes)
            given = replace(given, identifiers=rows, data=data, received_at=it.received_at)
        elif it.who is not None:
            opened.sealed[sealing.CASE_OPENED] = it.who
            levels = (0,) * len(it.who.identifiers)  # how each was proved is said beside them
            rows = sealing.rows_of(it.who, levels, opened.tag_key())
            given = replace(given, identifiers=rows)
        elif isinstance(it.actor, SealedAffected):
            given = replace(given, identifiers=breaches.rows_of(it.actor, opened.tag_key()))
        opened.actor = it.actor
        if it.actor is not None and it.roles != (Role.LINK,) and RECORD in opened.keys:
            login = sealing.login_tag(it.actor, opened)
            given = replace(given, roles=it.roles, level=it.level, login=login)
        try:
            return decide(case, it.event, it.id, stages=flow.STAGES, rules=self._rules, given=given)
        except StaleError as error:
            log.warning("decision.stale", case=str(it.event.case), reason=str(error))
            return None

    def _unnamed(self, event: e.Event) -> str:
        """The use that a request objects to, where the policy does not name it."""
        purpose: str = getattr(event, "purpose", "")
        return "" if purpose in self._rules.policy.purposes else purpose

    def _first_keys(self, case: UUID) -> list[NewKey]:
        now = self._clock()
        ends = {RECORD: now + self._rules.settings.record_key_lives, PACKAGE: None}
        return [NewKey(new_key(case, purpose), now, end) for purpose, end in ends.items()]


async def _news(connection: AsyncConnection, inputs: Sequence[Input]) -> list[Input]:
    """Those that are not in the ledger yet."""
    known = await store.known_events(connection, [it.id for it in inputs])
    return [it for it in inputs if it.id not in known]
