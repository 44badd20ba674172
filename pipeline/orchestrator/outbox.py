"""What was decided, ready to be written and sent: sealed, chained, framed for its topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import flow
from pipeline.case.case import Case
from pipeline.case.decide import Said
from pipeline.case.rules import Rules
from pipeline.crypto.grants import HEADER, Grant, wrap
from pipeline.crypto.proofs import Slot
from pipeline.kafka import wire
from pipeline.kafka.authentication import proved
from pipeline.keys.key_files import KeyFiles
from pipeline.keys.key_folder import KeyFolder
from pipeline.register import breaches, links, sealing, store
from pipeline.register.case_keys import OBLIGATION, CaseKey, NewKey, new_key
from schemas import events as e
from schemas.codec import Codec
from schemas.derive import event_name
from schemas.events import Event
from schemas.records import LedgerEntry, Sealed


class Outbox:
    """Seals under the case's keys, and wraps the grants of orders under the hosts'."""

    def __init__(
        self, codec: Codec, files: KeyFiles, rules: Rules, clock: Callable[[], datetime]
    ) -> None:
        self._codec = codec
        self._files = files
        self._rules = rules
        self._clock = clock
        self._host_keys: dict[str, tuple[str, bytes]] = {}

    def begin(self) -> None:
        """A batch begins. It is short: keys turn between two."""
        self._host_keys.clear()

    async def seal(
        self,
        connection: AsyncConnection,
        case: Case,
        said: Sequence[Said],
        opened: sealing.Opened,
        head: bytes,
    ) -> tuple[list[Said], list[NewKey]]:
        """Fill in what only the register knows: sealed parts, and the head of the chain.

        With the keys of the obligations that were opened: one for all that one case will look at.
        """
        sealed: list[Said] = []
        made: dict[UUID, NewKey] = {}
        for it in said:
            event = it.event
            if hasattr(event, "head"):
                head_now = store.head_after(head, sealed)
                event = replace(event, head=head_now)  # type: ignore[call-arg]
            if it.cause is not None and type(event).SEALS is not None and _ours(event):
                keys = dict(opened.keys)
                if isinstance(event, e.ObligationOpened):
                    owner = event.follow_up or event.obligation
                    new = NewKey(new_key(owner, OBLIGATION), self._clock())
                    keys[OBLIGATION] = made.setdefault(owner, new).key
                event = await self._sealed(connection, case, event, opened, keys)
                if isinstance(event, e.CaseOpened):
                    opened.case_opened = event
                if isinstance(event, e.DecisionRecorded) and opened.actor is not None:
                    opened.actors[it.number] = opened.actor
            elif isinstance(event, sealing.Identifying):
                found = opened.answers.get(it.id)
                opened.sealed[it.number] = found or sealing.unseal(self._codec, event, opened.keys)
            sealed.append(replace(it, event=event))
        return sealed, list(made.values())

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
        if isinstance(event, e.DecisionRecorded) and opened.actor is not None:
            return sealing.seal(self._codec, event, opened.actor, keys)
        if case.incident is not None:
            said = await breaches.content(connection, self._codec, case, event, opened)
            return sealing.seal(self._codec, event, said, keys)
        if isinstance(event, e.PeopleOrdered):  # it names nobody
            return sealing.seal(self._codec, event, Sealed(), keys)
        await sealing.load_reasons(connection, self._codec, case, event, opened)
        needed = sealing.needed(case, event)
        await sealing.load(connection, self._codec, case.id, needed, opened)
        token = links.token(opened.token_key(), event)
        await links.remember(connection, event, token, self._clock())
        what = sealing.content(case, event, opened, token, self._rules)
        return sealing.seal(self._codec, event, what, keys)

    def records(
        self, said: Sequence[Said], trace: str, keys: Mapping[str, CaseKey]
    ) -> list[wire.Record]:
        """What is to be published of what one decision said, but for the ledger."""
        return [
            self._record(topic, it.event, it.id, it.cause, trace, keys)
            for it in said
            if it.cause is not None and (topic := flow.topic_of(it.event)) is not None
        ]

    def journal(
        self,
        case: UUID,
        entries: Sequence[LedgerEntry],
        trace: str,
        keys: Mapping[str, CaseKey],
    ) -> Iterator[wire.Record]:
        """What a transaction adds to a case's ledger: one record, or several if it is very much."""
        for part in store.portions(entries):
            appended = sealing.appended(self._codec, case, part, keys)
            yield self._record(flow.LEDGER, appended, part[0].id, None, trace, {})

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
        record = wire.Record(
            topic=topic,
            key=str(event.case).encode(),
            value=self._codec.encode(event),
            headers=told,
        )
        if not topic.startswith(flow.work("")):
            return record
        return self._granted(record, event, sealing.order_grants(event, keys))

    def _granted(self, record: wire.Record, event: Event, brought: Sequence[Grant]) -> wire.Record:
        """The order with what it grants, and the proof that who granted it says it."""
        system = record.topic.removeprefix(flow.work(""))
        named, host_key = self._host_key(system)
        granted = (HEADER, wrap(brought, host_key, named))
        slot = Slot(
            case=event.case,
            order=event.order,  # type: ignore[attr-defined]  # every order has one
            system=system,
            event=event_name(type(event)),
        )
        record = replace(record, headers=(*record.headers, granted))
        return proved(record, brought[0], slot)

    def _host_key(self, system: str) -> tuple[str, bytes]:
        if system not in self._host_keys:
            folder = KeyFolder(self._files.hosts(system))
            named = folder.current(self._clock())
            self._host_keys[system] = (named, folder[named])
        return self._host_keys[system]


def _ours(event: Event) -> bool:
    """Whether the pipeline itself seals this event; answers and envelopes come sealed."""
    return isinstance(
        event,
        e.CaseOpened
        | e.SearchOrdered
        | e.TaskOrdered
        | e.MeasureOrdered
        | e.PeopleOrdered
        | e.ObligationOpened
        | e.ResponseOrdered
        | e.NoticeOrdered
        | e.DecisionRecorded
        | e.IncidentDescribed
        | e.AffectedAdded
        | e.InstructionOrdered,
    )
