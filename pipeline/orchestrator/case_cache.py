"""The cases of one transaction: read at once at its start, written at once at its end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.case import Case
from pipeline.case.dues import dues
from pipeline.case.fold import fold
from pipeline.case.rules import Rules
from pipeline.register import policies, sealing, store
from pipeline.register.case_keys import CaseKeys, NewKey, expire
from pipeline.register.subjects import Proving
from pipeline.stages.report import broken
from schemas.events import CaseOpened, Event
from schemas.records import LedgerEntry

CACHED = 5000
UNDECIDABLE = "an event could not be decided: see the dead letters, and the log"


@dataclass(slots=True)
class OpenCases:
    """What a transaction knows of its cases, and what it has come to say of them."""

    cases: dict[UUID, Case]
    heads: dict[UUID, bytes]
    aside: dict[UUID, str]
    """Those about which nothing new is decided, and why."""
    decided: set[UUID] = field(default_factory=set)
    undecidable: set[UUID] = field(default_factory=set)
    opened: dict[UUID, sealing.Opened] = field(default_factory=dict)
    entries: dict[UUID, list[LedgerEntry]] = field(default_factory=dict)
    new_keys: list[NewKey] = field(default_factory=list)
    ends: dict[UUID, datetime] = field(default_factory=dict)
    """When keys are to be destroyed, of which that is known only now."""
    proving: Proving = field(default_factory=Proving)
    """What the inputs may prove, and in which other cases that is proved."""
    traces: dict[UUID, str] = field(default_factory=dict)
    """Of the last input that was decided of each case."""

    def of(self, case: UUID) -> sealing.Opened:
        """The keys of a case, and what was opened with them."""
        return self.opened.setdefault(case, sealing.Opened({}))

    def could(self, case: UUID) -> bool:
        """Whether a case is there, and all that was to be decided about it was."""
        return case in self.cases and case not in self.undecidable

    def could_not(self, case: UUID) -> None:
        """An event of this case could not be decided: what was opened for it is forgotten.

        What the transaction decided before stays; it is in nobody's table yet.
        """
        self.undecidable.add(case)
        last = self.cases[case].number if case in self.cases else 0
        opened = self.of(case)
        opened.sealed = {number: it for number, it in opened.sealed.items() if number <= last}
        if last < sealing.CASE_OPENED:
            opened.case_opened = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A case as of a head of its chain, and the event that seals its person."""

    head: bytes
    case: Case
    case_opened: Event | None


class CaseCache:
    """Opens cases and closes them. Those of late are kept, for as long as their ledger ends so."""

    def __init__(self, rules: Rules, keys: CaseKeys) -> None:
        self._rules = rules
        self._keys = keys
        self._cases: OrderedDict[UUID, Kept] = OrderedDict()

    async def open(self, connection: AsyncConnection, ids: Iterable[UUID]) -> OpenCases:
        """Lock these cases and read what deciding on them takes."""
        ids = frozenset(ids)
        await store.lock(connection, ids)
        ends = await store.last_of(connection, ids)
        aside = await store.set_aside(connection, *ids) if ids else {}
        keys = await self._keys.of(connection, ids - aside.keys())  # some can be opened by nobody
        kept = await self._load(connection, ends)
        found = OpenCases(
            cases={it: case.case for it, case in kept.items()},
            heads={it: end.head for it, end in ends.items()},
            aside=aside,
        )
        for (owner, purpose), key in keys.items():
            found.of(owner).keys[purpose] = key
        for case, it in kept.items():
            found.of(case).case_opened = it.case_opened
        return found

    async def close(self, connection: AsyncConnection, open_cases: OpenCases) -> None:
        """Write what was decided, a statement a table."""
        await store.append(connection, open_cases.entries)
        await self._keys.save(connection, open_cases.new_keys)
        await expire(connection, open_cases.ends)
        touched = open_cases.cases.keys() & (open_cases.decided | open_cases.undecidable)
        await store.save_cases(connection, [self._line(open_cases, it) for it in sorted(touched)])

    def _line(self, open_cases: OpenCases, case_id: UUID) -> store.Line:
        case, head = open_cases.cases[case_id], open_cases.heads[case_id]
        is_aside = case_id in open_cases.aside
        wrong = open_cases.aside.get(case_id) or broken(case, self._rules)
        if case_id in open_cases.undecidable:
            wrong = wrong or UNDECIDABLE
        self._remember(Kept(head, case, open_cases.of(case_id).case_opened))
        return store.Line(case, head, wrong, () if is_aside else tuple(dues(case, self._rules)))

    async def _load(
        self, connection: AsyncConnection, ends: Mapping[UUID, store.Last]
    ) -> dict[UUID, Kept]:
        """The cases, from memory where it is current, else folded from the ledger."""
        found, unknown = {}, []
        for case_id, end in ends.items():
            kept = self._cases.get(case_id)
            if kept is None or kept.head != end.head:
                unknown.append(case_id)
            else:
                found[case_id] = kept
        read = await store.events_of(connection, unknown)
        openings = {
            case_id: next((it for it in events if isinstance(it, CaseOpened)), None)
            for case_id, events in read.items()
        }
        await self._learn(connection, {it.policy for it in openings.values() if it is not None})
        for case_id, events in read.items():
            case = fold(events, self._rules)
            if case is not None:
                opened = openings[case_id]
                found[case_id] = Kept(ends[case_id].head, case, opened)
        return found

    async def _learn(self, connection: AsyncConnection, digests: Iterable[bytes]) -> None:
        """Read the policies that this process lacks: others may have opened cases under them."""
        lacking = [it for it in digests if not self._rules.knows(it)]
        if lacking:
            self._rules.earlier.update(await policies.read(connection, lacking))

    def _remember(self, kept: Kept) -> None:
        """Keep a case for the next batch. The head tells whether the ledger still ends so."""
        self._cases[kept.case.id] = kept
        self._cases.move_to_end(kept.case.id)
        while len(self._cases) > CACHED:
            self._cases.popitem(last=False)
