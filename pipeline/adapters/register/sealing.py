"""Move what is sealed: a decision names it by (event number, tag), this opens and re-seals it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import grants
from pipeline.case.case import Case
from pipeline.grants import Grant
from schemas import events as e
from schemas.codec import Codec, from_body
from schemas.events import Event
from schemas.records import IdentifierRow, Person, Sealed, SealedHolding, SealedIdentifier
from schemas.sealed import seal_event, unseal_event

from .case_keys import OBLIGATION, PACKAGE, RECORD, CaseKey
from .tables import ledger

WEAK = frozenset({"phone"})
CASE_OPENED = 2
"""Number of the event that seals the person."""


@dataclass(slots=True)
class Opened:
    """What was opened of one case during one transaction."""

    keys: dict[str, CaseKey]
    """By purpose."""
    sealed: dict[int, Sealed] = field(default_factory=dict)
    """By event number."""
    answers: dict[UUID, Sealed] = field(default_factory=dict)
    """By event id, before an answer has a number."""
    case_opened: Event | None = None
    """The event that seals the person, which most decisions need."""

    def record(self, system: str) -> Grant:
        """The record grant of a system."""
        return _grant(self.keys[RECORD], system)

    def tag_key(self) -> bytes:
        """What this case's tags are made with."""
        return grants.tag_grant(self.keys[RECORD].key, self.keys[RECORD].id).key


def system_of(event: Event) -> str:
    """The system whose grant seals an event."""
    match event:
        case e.ResponseOrdered():
            return "response"
        case e.NoticeOrdered() | e.NoticeSent():
            return "notice"
        case _:
            return getattr(event, "system", grants.PIPELINE)


def of_person(person: Person, tag_key: bytes) -> Sealed:
    """The person of a request as the case keeps them: identifiers with their tags."""
    return Sealed(
        name=person.name,
        language=person.language,
        identifiers=tuple(
            SealedIdentifier(
                tag=grants.identifier_tag(tag_key, it.kind, it.value),
                kind=it.kind,
                value=it.value.strip(),
            )
            for it in person.identifiers
        ),
    )


def rows_of(who: Sealed) -> tuple[IdentifierRow, ...]:
    """The person's identifiers without their values. Phones are shared: nobody is found by one."""
    rows = {
        it.tag: IdentifierRow(tag=it.tag, kind=it.kind, strong=it.kind not in WEAK)
        for it in who.identifiers
    }
    return tuple(rows.values())


def needed(case: Case, event: Event) -> frozenset[int]:
    """Numbers of the events whose sealed parts an event needs."""
    match event:
        case e.SearchOrdered():
            tags = [it.tag for it in event.identifiers] + [it.tag for it in event.known]
        case e.TaskOrdered():
            tags = [it.tag for it in event.identifiers] + [it.tag for it in event.rows]
        case e.ObligationOpened():
            tags = [it.tag for it in event.rows] + list(case.known)
        case e.NoticeOrdered() | e.ResponseOrdered():
            tags = []
        case _:
            return frozenset()
    sources = (case.known.get(tag) or case.held.get(tag) for tag in tags)
    return frozenset({CASE_OPENED, *(it.source for it in sources if it is not None)})


def content(case: Case, event: Event, opened: Mapping[int, Sealed], token: str) -> Sealed:
    """What an event seals, out of what was opened."""
    person = opened[CASE_OPENED]
    match event:
        case e.SearchOrdered():
            held = [it.tag for it in event.known]
            return _sealed(case, opened, [it.tag for it in event.identifiers], held)
        case e.TaskOrdered():
            held = [it.tag for it in event.rows]
            return _sealed(case, opened, [it.tag for it in event.identifiers], held)
        case e.ObligationOpened():
            held = [it.tag for it in event.rows]
            return _sealed(case, opened, list(case.known), held)
        case e.ResponseOrdered():
            return person
        case _:
            return replace(person, token=token)


def order_grants(event: Event, keys: Mapping[str, CaseKey]) -> tuple[Grant, ...]:
    """The grants that an order brings: this case, this system, nothing else."""
    record, package = keys[RECORD], keys.get(PACKAGE)
    system = system_of(event)
    tag = grants.tag_grant(record.key, record.id)
    found = [_grant(record, system)]
    match event:
        case e.SearchOrdered() if event.export_kinds and package is not None:
            found += [tag, _grant(package, system)]
        case e.SearchOrdered() | e.TaskOrdered():
            found.append(tag)
        case e.ResponseOrdered() if package is not None:
            systems = sorted({"response", *(it.system for it in event.exports)})
            found += [_grant(package, it) for it in systems]
        case _:
            pass
    return tuple(found)


def seal(codec: Codec, event: Event, what: Sealed, keys: Mapping[str, CaseKey]) -> Event:
    """The event with its sealed part in place."""
    purpose = OBLIGATION if isinstance(event, e.ObligationOpened) else RECORD
    key, system = keys[purpose], system_of(event)
    grant = _grant(key, system)
    return seal_event(codec, event, what, grant.key, key.id, system)


def unseal(codec: Codec, event: Event, keys: Mapping[str, CaseKey]) -> Sealed:
    """What an event of the case's own ledger seals. Raises `SealError`."""
    system = system_of(event)
    found = unseal_event(codec, event, _grant(keys[RECORD], system).key, system)
    if not isinstance(found, Sealed):
        raise TypeError("only events that the pipeline seals are opened here")
    return found


async def load(
    connection: AsyncConnection, codec: Codec, case: UUID, numbers: Iterable[int], opened: Opened
) -> None:
    """Open the events with these numbers that are not open yet."""
    missing = sorted(set(numbers) - opened.sealed.keys())
    if CASE_OPENED in missing and opened.case_opened is not None:
        opened.sealed[CASE_OPENED] = unseal(codec, opened.case_opened, opened.keys)
        missing.remove(CASE_OPENED)
    if not missing:
        return
    rows = await connection.execute(
        select(ledger).where(ledger.c.case_id == case, ledger.c.number.in_(missing))
    )
    for row in rows:
        event = from_body(row.type, row.version, row.body)
        opened.sealed[row.number] = unseal(codec, event, opened.keys)


def _grant(key: CaseKey, system: str) -> Grant:
    purpose = grants.PACKAGE if key.purpose == PACKAGE else grants.RECORD
    return grants.grant(purpose, key.key, key.id, system)


def _sealed(
    case: Case, opened: Mapping[int, Sealed], identifiers: list[bytes], held: list[bytes]
) -> Sealed:
    return Sealed(
        identifiers=tuple(_identifier(case, opened, tag) for tag in identifiers),
        holdings=tuple(_holding(case, opened, tag) for tag in held),
    )


def _identifier(case: Case, opened: Mapping[int, Sealed], tag: bytes) -> SealedIdentifier:
    source = opened[case.known[tag].source]
    return next(it for it in source.identifiers if it.tag == tag)


def _holding(case: Case, opened: Mapping[int, Sealed], tag: bytes) -> SealedHolding:
    source = opened[case.held[tag].source]
    return next(it for it in source.holdings if it.tag == tag)
