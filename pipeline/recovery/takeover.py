"""Take over what the register lacks of each case; or leave the case alone, and say why."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import flow
from pipeline.case import lost as lost_cases
from pipeline.case.case import Case
from pipeline.case.dues import dues
from pipeline.case.fold import fold
from pipeline.case.lost import KEY_ENDED, KEY_LOST, LostCase
from pipeline.case.rules import Rules
from pipeline.faults import broke
from pipeline.intake.envelopes import Envelopes
from pipeline.intake.refused import UnauthenticatedError
from pipeline.kafka import wire
from pipeline.register import store
from pipeline.register.case_keys import OF_RECORD
from pipeline.register.gathered import Gathered
from pipeline.stages.plan import POLICY
from pipeline.stages.report import broken
from schemas import events as e
from schemas.codec import Codec, UnknownEventError, from_body
from schemas.derive import event_name, event_types
from schemas.records import LedgerEntry

from . import register_rows
from .chain_merge import NotOneChainError, following, readable

ENCLOSED = {
    name
    for name, event in event_types().items()
    if "signature" in {it.name for it in fields(event)}
}
"""Events that came in from outside, signed."""
SIGNED, REPORTED = event_name(e.ResponseSigned), event_name(e.CaseReported)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenCase:
    """A case of which register and topic do not make one chain: it is left alone."""

    case: UUID
    why: str


@dataclass(slots=True)
class Taken:
    """What came of it, over all cases."""

    cases: int = 0
    events: int = 0
    lost: list[LostCase] = field(default_factory=list)
    broken: list[BrokenCase] = field(default_factory=list)
    newly_aside: int = 0


class Takeover:
    """Takes over what was gathered, in the transaction of `connection`.

    `keyed` are the cases whose record key is at hand, or was destroyed as it should be; `behind`
    says that more was decided than the register knows.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        told: Gathered,
        *,
        keyed: AbstractSet[UUID],
        behind: bool,
        rules: Rules,
        codec: Codec,
        envelopes: Envelopes,
        now: datetime,
    ) -> None:
        self._connection = connection
        self._told = told
        self._keyed = keyed
        self._behind = behind or bool(told.missing or told.differing)
        self._rules = rules
        self._codec = codec
        self._envelopes = envelopes
        self._now = now
        self._taken = Taken()

    async def every(self) -> Taken:
        """Take over every case, and set aside those that nothing more can be decided about.

        If the register is not behind, a topic that lacks something harms nobody: it is only said.
        """
        numbers = await register_rows.case_numbers(self._connection)
        before = await store.set_aside(self._connection)
        for case in sorted(numbers.keys() | self._told.seen.keys()):
            try:
                await self._case(case, numbers.get(case, 0), anew=case in before)
            except NotOneChainError as error:
                self._taken.broken.append(BrokenCase(case=case, why=str(error)))
        aside = {
            it.case: KEY_ENDED if self._is_over(it.case) else KEY_LOST for it in self._taken.lost
        }
        for it in self._taken.broken:
            if self._behind or it.case in before or it.case not in self._keyed:
                aside[it.case] = it.why
        self._taken.newly_aside = await register_rows.set_aside(self._connection, aside, self._now)
        return self._taken

    async def _case(self, case: UUID, number: int, *, anew: bool) -> None:
        """One case. `anew` writes its row and due rows also if nothing of it is missing."""
        is_lost = case not in self._keyed
        self._refuse_differing(case, number)
        missing = self._told.missing.get(case, {})
        if not (missing or is_lost or anew):
            return
        ours = await store.entries(self._connection, case)
        last = (await store.last_of(self._connection, [case])).get(case)
        head = b"" if last is None else last.head
        before = {it.number: it for it in await store.unchained(self._connection, case)}
        found = following(ours, head, before | missing)
        joined = readable(found)
        rest = found[len(joined) :]
        self._refuse_forged(joined)
        known = self._folded([*ours, *joined])
        if known is None and not rest:
            raise NotOneChainError("it has no event")
        if rest:
            self._taken.lost.append(
                lost_cases.unread(case, known, rest, is_over=self._is_over(case))
            )
        elif is_lost and known is not None:
            self._taken.lost.append(lost_cases.lost(known))
        await store.append(self._connection, {case: joined})
        await store.set_unchained(self._connection, case, rest)
        if known is not None:
            await self._save(known, store.chain(joined, head), goes_on=not (is_lost or rest))
        await self._follow_up(case, found)
        self._taken.cases += bool(missing)
        self._taken.events += len(missing)

    def _is_over(self, case: UUID) -> bool:
        """Whether its record key was destroyed, when its time was up."""
        return any(it.purpose in OF_RECORD for it in self._told.destroyed.get(case, ()))

    async def _save(self, case: Case, head: bytes, *, goes_on: bool) -> None:
        due = tuple(dues(case, self._rules)) if goes_on else ()
        line = store.Line(case, head, broken(case, self._rules), due)
        await store.save_cases(self._connection, [line])

    def _refuse_differing(self, case: UUID, number: int) -> None:
        if case in self._told.differing:
            raise NotOneChainError("one number, or one id, stands for two events")
        if gap := self._told.lacks(case, number):
            raise NotOneChainError(f"event {gap} is here and not on the topic")

    def _refuse_forged(self, found: Sequence[LedgerEntry]) -> None:
        """Requests and decisions bear their senders' own signatures, whoever wrote the ledger."""
        for it in found:
            if it.type not in ENCLOSED:
                continue
            event = from_body(it.type, it.version, it.body)
            if isinstance(event, e.PlanApproved) and event.by == POLICY:
                continue  # the decider itself approved it: no console has that name
            if isinstance(event, e.IncidentOpened) and not event.by:
                continue  # the pipeline found it in itself: no console is without a name
            try:
                self._envelopes.authenticate(event, it.at)
            except UnauthenticatedError as error:
                raise NotOneChainError(
                    f"event {it.number}, {it.type}, bears no signature of a registered sender"
                    f" ({error})"
                ) from None

    def _folded(self, entries: list[LedgerEntry]) -> Case | None:
        try:
            return fold((from_body(it.type, it.version, it.body) for it in entries), self._rules)
        except UnknownEventError:
            raise
        except Exception as error:  # noqa: BLE001  one case must not hold all the others
            why = f"it does not fold: {type(error).__name__} at {broke.at(error)}"
            raise NotOneChainError(why) from None

    async def _follow_up(self, case: UUID, found: tuple[LedgerEntry, ...]) -> None:
        """What the decider did beside appending: a package's time, and the report that goes out."""
        reports = [it for it in found if it.type == REPORTED and it.body]
        for it in found:
            if it.type == SIGNED:
                ends = it.at + self._rules.settings.package_key_lives
                await register_rows.expire_package(self._connection, case, ends)
        if reports:  # it may never have left; a reader that has it writes the same once more
            await store.owe(self._connection, [self._report(reports[-1])], self._now)

    def _report(self, entry: LedgerEntry) -> wire.Record:
        event = from_body(entry.type, entry.version, entry.body)
        told = wire.headers(
            event,
            event_id=entry.id,
            cause=None,
            source="recover",
            at=self._now,
            trace=wire.new_trace(),
        )
        return wire.Record(
            topic=flow.REPORTS,
            key=str(event.case).encode(),
            value=self._codec.encode(event),
            headers=told,
        )
