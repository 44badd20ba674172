"""A case's keys, orders sealed under them as the register does it, and answers opened again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from connectors.sdk.interface import Holding, Identifier
from pipeline import flow
from pipeline.crypto import grants
from pipeline.crypto.grants import HEADER, PACKAGE, RECORD, Grants
from pipeline.crypto.proofs import Slot
from pipeline.crypto.segments import open_stream, unpack
from pipeline.kafka import wire
from pipeline.kafka.authentication import proved
from pipeline.storage.objects import FolderObjects
from schemas.codec import locked
from schemas.derive import event_name
from schemas.events import Event, HoldingsLocated, PeopleOrdered, SearchOrdered, TaskOrdered
from schemas.records import (
    FactRow,
    HoldingRow,
    IdentifierRow,
    Sealed,
    SealedHolding,
    SealedIdentifier,
    TaskRow,
)
from schemas.sealed import seal_event, unseal_event

CODEC = locked()
SOON = timedelta(minutes=10)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Order = TypeVar("Order", SearchOrdered, TaskOrdered, PeopleOrdered)


@dataclass(frozen=True, kw_only=True)
class CaseOf:
    """A case of one person in one system."""

    system: str
    who: tuple[Identifier, ...] = (Identifier("email", "ann@example.org"),)
    id: UUID = field(default_factory=uuid4)
    grants: Grants = field(init=False)

    def __post_init__(self) -> None:
        record, package, key_id = b"r" * 32, b"p" * 32, UUID(int=1)
        every = (
            grants.grant(RECORD, record, key_id, self.system),
            grants.tag_grant(record, key_id),
            grants.grant(PACKAGE, package, key_id, self.system),
        )
        object.__setattr__(self, "grants", Grants(every))

    def tag(self, holding: Holding) -> bytes:
        return grants.holding_tag(self.grants.tag_key(), self.system, holding.kind, holding.id)

    def search(
        self,
        *,
        export: Sequence[str] = (),
        known: Sequence[Holding] = (),
        exported: Sequence[Holding] = (),
        purpose: str = "find",
    ) -> SearchOrdered:
        """A search; `exported` are those of `known` that an earlier round exported."""
        order = SearchOrdered(
            case=self.id,
            order=uuid4(),
            system=self.system,
            n=1,
            attempt=1,
            purpose=purpose,
            not_after=datetime.now(UTC) + SOON,
            run_limit=600,
            answer_by=datetime.now(UTC) + SOON,
            export_kinds=tuple(export),
            identifiers=self._identifiers(),
            known=tuple(
                HoldingRow(
                    tag=self.tag(it),
                    kind=it.kind,
                    categories=tuple(sorted(it.categories)),
                    exported=it in exported,
                )
                for it in known
            ),
        )
        return self._sealed(order, known)

    def task(
        self,
        *rows: tuple[Holding, Sequence[str], Sequence[str]],
        facts: Sequence[FactRow] = (),
    ) -> TaskOrdered:
        """A task; a row is a holding, what to erase of it, and what to keep."""
        order = TaskOrdered(
            case=self.id,
            order=uuid4(),
            system=self.system,
            n=1,
            attempt=1,
            plan=b"plan",
            not_after=datetime.now(UTC) + SOON,
            run_limit=600,
            rows=tuple(
                TaskRow(tag=self.tag(it), kind=it.kind, erase=tuple(erase), keep=tuple(keep))
                for it, erase, keep in rows
            ),
            identifiers=self._identifiers(),
            facts=tuple(facts),
        )
        return self._sealed(order, [it for it, _, _ in rows])

    def people(self, *kinds: str, until: datetime | None = None) -> PeopleOrdered:
        """An order to list people. It names nobody."""
        order = PeopleOrdered(
            case=self.id,
            order=uuid4(),
            system=self.system,
            n=1,
            attempt=1,
            not_after=datetime.now(UTC) + SOON,
            run_limit=600,
            kinds=kinds,
            until=until,
        )
        key = self.grants.record()
        return seal_event(CODEC, order, Sealed(), key.key, key.key_id, self.system)

    def changed(self, order: SearchOrdered, **changes: object) -> SearchOrdered:
        """The same search otherwise; sealed anew, unless its sealed part is what is changed."""
        made = replace(order, **changes)  # type: ignore[arg-type]
        return made if "sealed" in changes else self._sealed(made, ())

    def opened(self, answer: Event) -> Sealed:
        """What an answer seals."""
        found: Sealed = unseal_event(CODEC, answer, self.grants.record().key, self.system)
        return found

    async def exported(
        self, objects: FolderObjects, answers: Sequence[Event]
    ) -> list[tuple[str, str, bytes]]:
        """The records in the objects that an answer lists: kind, id, body."""
        key = self.grants.package(self.system).key
        found = []
        for part in answers:
            assert isinstance(part, HoldingsLocated)
            for row in part.exports:
                records = unpack(open_stream(key, row.name, objects.get(row.name)))
                found += [(it.holding.kind, it.holding.id, it.body) async for it in records]
        return found

    def _identifiers(self) -> tuple[IdentifierRow, ...]:
        return tuple(
            IdentifierRow(tag=self._who(it), kind=it.kind, strong=it.strong) for it in self.who
        )

    def _who(self, it: Identifier) -> bytes:
        return grants.identifier_tag(self.grants.tag_key(), it.kind, it.value)

    def _sealed(self, order: Order, holdings: Sequence[Holding]) -> Order:
        content = Sealed(
            identifiers=tuple(
                SealedIdentifier(tag=self._who(it), kind=it.kind, value=it.value) for it in self.who
            ),
            holdings=tuple(
                SealedHolding(tag=self.tag(it), kind=it.kind, id=it.id) for it in holdings
            ),
        )
        key = self.grants.record()
        return seal_event(CODEC, order, content, key.key, key.key_id, self.system)


def framed(
    case: CaseOf, order: SearchOrdered | TaskOrdered | PeopleOrdered, named: str, host_key: bytes
) -> wire.Record:
    """An order's record as the orchestrator publishes it, for the host that has this key."""
    granted = grants.wrap(case.grants.every, host_key, named)
    told = wire.headers(
        order, event_id=uuid4(), cause=None, source="test", at=datetime.now(UTC), trace=TRACE
    )
    record = wire.Record(
        topic=flow.work(case.system),
        key=str(order.case).encode(),
        value=CODEC.encode(order),
        headers=(*told, (HEADER, granted)),
    )
    name = event_name(type(order))
    slot = Slot(case=order.case, order=order.order, system=order.system, event=name)
    return proved(record, case.grants.record(), slot)
