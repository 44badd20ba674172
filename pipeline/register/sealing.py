"""Move what is sealed: a decision names it by (event number, tag), this opens and re-seals it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.sdk.spelling import cleaned, normal
from pipeline.case.case import Case
from pipeline.case.marks import DECIDED, ENDS
from pipeline.case.reviews import REVIEWED
from pipeline.case.rights import RECTIFICATION, Verb
from pipeline.case.rules import Rules
from pipeline.case.whose import NAMES, POLICY, WEAK
from pipeline.crypto import grants
from pipeline.crypto.grants import Grant
from schemas import events as e
from schemas.codec import Codec, from_body
from schemas.derive import event_name
from schemas.events import Event
from schemas.records import (
    Actor,
    EntryRow,
    HoldingRow,
    IdentifierRow,
    LedgerEntry,
    Person,
    Sealed,
    SealedBody,
    SealedChange,
    SealedEntries,
    SealedHolding,
    SealedIdentifier,
    SealedMeasure,
    SealedNotice,
    SealedRequest,
    SealedResponse,
)
from schemas.sealed import SealError, seal_event, unseal_event

from .case_keys import OBLIGATION, PACKAGE, RECORD, CaseKey
from .tables import ledger

CASE_OPENED = 2
"""Number of the event that seals the person."""
CLEAR = frozenset(map(event_name, (e.KeyDestroyed, e.ObligationDue, e.ObligationClosed)))
"""What stays readable on the ledger's topic: a restored register must learn it without the key."""
REASONED = frozenset({"refused", "fee_asked", REVIEWED, *DECIDED.values()})
"""Notices that bring the reasons which a person wrote down."""


Located = e.HoldingsLocated | e.TaskCompleted
"""Answers that tell what holdings bear."""
Identifying = Located | e.PeopleListed
"""Answers that bring identifiers."""


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
    actor: Actor | None = None
    """Who takes the decision at hand."""
    actors: dict[int, Actor] = field(default_factory=dict)
    """By the number of the event that records a decision."""

    def record(self, system: str) -> Grant:
        """The record grant of a system."""
        return _grant(self.keys[RECORD], system)

    def tag_key(self) -> bytes:
        """What this case's tags are made with."""
        return grants.tag_grant(self.keys[RECORD].key, self.keys[RECORD].id).key

    def token_key(self) -> bytes:
        """What the secrets in this case's mails are made with."""
        return grants.token_key(self.keys[RECORD].key, self.keys[RECORD].id)


def system_of(event: Event) -> str:
    """The system whose grant seals an event."""
    match event:
        case e.ResponseOrdered():
            return "response"
        case e.NoticeOrdered() | e.NoticeSent():
            return "notice"
        case e.InstructionOrdered():
            return "recipients"
        case e.LedgerAppended():
            return grants.LEDGER
        case _:
            return getattr(event, "system", grants.PIPELINE)


def login_tag(actor: Actor, opened: Opened) -> bytes:
    """What tells in a case that two decisions were taken under one login."""
    return grants.identifier_tag(opened.tag_key(), "login", actor.login.casefold())


def of_person(person: Person, tag_key: bytes) -> SealedRequest:
    """The person of a request as the case keeps them: identifiers with their tags."""
    return SealedRequest(
        name=cleaned(person.name),
        language=person.language,
        identifiers=tuple(
            SealedIdentifier(
                tag=grants.identifier_tag(tag_key, it.kind, it.value),
                kind=it.kind,
                value=cleaned(it.value),
            )
            for it in person.identifiers
        ),
        changes=person.changes,
        says=person.evidence,
    )


def rows_of(who: Sealed, levels: Sequence[int], tag_key: bytes) -> tuple[IdentifierRow, ...]:
    """The person's identifiers without their values, each with the level vouched for it.

    Phones are shared: nobody is found by one. The name, if there is one, is told last.
    """
    rows: dict[bytes, IdentifierRow] = {}
    for it, level in zip(who.identifiers, levels, strict=True):
        spelling = grants.spelling_tag(tag_key, it.kind, it.value)
        strong = it.kind not in WEAK
        before = rows.get(spelling)
        surest = level if before is None else max(level, before.level or 0)
        rows[spelling] = IdentifierRow(
            tag=it.tag, kind=it.kind, strong=strong, level=surest, spelling=spelling
        )
    names = (
        IdentifierRow(tag=grants.identifier_tag(tag_key, it, who.name), kind=it, strong=False)
        for it in sorted(NAMES)
        if normal(it, who.name)
    )
    return (*rows.values(), *names)


def brought(event: Identifying) -> tuple[IdentifierRow, ...]:
    """The identifiers that an answer brings."""
    return event.people if isinstance(event, e.PeopleListed) else event.identifiers


def refuse_unsealed(event: Identifying, sealed: Sealed) -> None:
    """Raise `SealError` unless every identifier that an answer brings is sealed in it."""
    if [it.tag for it in brought(event)] != [it.tag for it in sealed.identifiers]:
        raise SealError("the identifiers are not those that are sealed")


def retagged(
    codec: Codec, event: Identifying, sealed: Sealed, keys: Mapping[str, CaseKey]
) -> tuple[Identifying, Sealed]:
    """An answer and what it seals, with the case's own tags for the identifiers that it brings.

    A host tags under a key of its own system: it cannot tell what other systems found.
    """
    rows = brought(event)
    tag_key = grants.tag_grant(keys[RECORD].key, keys[RECORD].id).key
    ours = {it.tag: grants.identifier_tag(tag_key, it.kind, it.value) for it in sealed.identifiers}
    spelt = [
        grants.spelling_tag(tag_key, it.kind, it.value) if row.spelling else b""
        for row, it in zip(rows, sealed.identifiers, strict=True)
    ]
    retold = tuple(
        replace(row, tag=ours[row.tag], spelling=spelling)
        for row, spelling in zip(rows, spelt, strict=True)
    )
    changed: dict[str, Any]
    match event:
        case e.PeopleListed():
            changed = {"people": retold}
        case e.HoldingsLocated():
            held = tuple(_bearing(it, ours) for it in event.holdings)
            changed = {"identifiers": retold, "holdings": held}
        case e.TaskCompleted():
            looked = tuple(_bearing(it, ours) for it in event.looked)
            changed = {"identifiers": retold, "looked": looked}
    identifiers = tuple(replace(it, tag=ours[it.tag]) for it in sealed.identifiers)
    found = replace(sealed, identifiers=identifiers)
    return cast("Identifying", seal(codec, replace(event, **changed), found, keys)), found


def _bearing(row: HoldingRow, ours: Mapping[bytes, bytes]) -> HoldingRow:
    if not any(it.tag in ours for it in row.bears):
        return row
    return replace(row, bears=tuple(replace(it, tag=ours.get(it.tag, it.tag)) for it in row.bears))


def needed(case: Case, event: Event) -> frozenset[int]:
    """Numbers of the events whose sealed parts an event needs."""
    match event:
        case e.SearchOrdered():
            rows, held = event.identifiers, [it.tag for it in event.known]
        case e.TaskOrdered() | e.MeasureOrdered():
            rows, held = event.identifiers, [it.tag for it in event.rows]
        case e.ObligationOpened():
            rows, held = case.spellings(), [it.tag for it in event.rows]
        case e.InstructionOrdered():
            rows, held = event.identifiers, []
        case e.NoticeOrdered() if event.identifier:
            rows, held = _spellings(case, event.identifier)[:1], []
        case e.NoticeOrdered() | e.ResponseOrdered():
            rows, held = (), []
        case _:
            return frozenset()
    sources = {case.held[tag].source for tag in held if tag in case.held}
    return frozenset({CASE_OPENED, *sources, *(_source(case, row) for row in rows)})


def content(case: Case, event: Event, opened: Opened, token: str, rules: Rules) -> Sealed:
    """What an event seals, out of what was opened."""
    person = opened.sealed[CASE_OPENED]
    match event:
        case e.SearchOrdered() | e.TaskOrdered() | e.MeasureOrdered():
            return _of_work(case, event, opened)
        case e.ObligationOpened():
            held = [it.tag for it in event.rows]
            what = _sealed(case, opened, case.spellings(), held)
            return replace(what, language=person.language)
        case e.ResponseOrdered():
            return SealedResponse(
                name=person.name,
                language=person.language,
                identifiers=person.identifiers,
                policy_files=rules.brought(case.policy),
            )
        case e.NoticeOrdered():
            return _of_notice(case, event, opened, token)
        case e.InstructionOrdered():  # what they need to know, and no more
            only = tuple(_identifier(case, opened, row) for row in event.identifiers)
            return SealedMeasure(
                language=person.language,
                identifiers=only,
                token=token,
                changes=_changes(event.right, opened),
            )
        case _:
            return replace(person, identifiers=_proved(case, person), token=token)


def _of_work(
    case: Case, event: e.SearchOrdered | e.TaskOrdered | e.MeasureOrdered, opened: Opened
) -> Sealed:
    """What a host is to look for or act on, with the values of what it is to correct."""
    named = event.known if isinstance(event, e.SearchOrdered) else event.rows
    what = _sealed(case, opened, event.identifiers, [it.tag for it in named])
    if not isinstance(event, e.MeasureOrdered):
        return what
    return SealedMeasure(
        identifiers=what.identifiers,
        holdings=what.holdings,
        changes=_changes(event.right, opened) if event.verb == Verb.RECTIFY else (),
    )


def _changes(right: str, opened: Opened) -> tuple[SealedChange, ...]:
    """What is right, for those who are to correct it."""
    person = opened.sealed[CASE_OPENED]
    return person.changes if right == RECTIFICATION and isinstance(person, SealedRequest) else ()


def _of_notice(case: Case, event: e.NoticeOrdered, opened: Opened, token: str) -> SealedNotice:
    person = opened.sealed[CASE_OPENED]
    if event.identifier:  # it may be a stranger's: nothing of who asks
        rows = _spellings(case, event.identifier)[:1]
        to = tuple(_identifier(case, opened, row) for row in rows)
        return SealedNotice(language=person.language, identifiers=to, token=token)
    return SealedNotice(
        name=person.name,
        language=person.language,
        identifiers=_proved(case, person),
        token=token,
        says=_reasons(case, event, opened),
    )


def _reasons(case: Case, event: e.NoticeOrdered, opened: Opened) -> str:
    """Why a request is refused or costs something, in the words of who proposed it."""
    recorded = _recorded(case, event)
    return opened.actors[recorded].says if recorded else ""


def _recorded(case: Case, event: e.NoticeOrdered) -> int:
    """The number of the event that seals the reasons which a notice brings; 0 if it brings none."""
    if event.kind in ENDS:
        ending = case.lifting.get(ENDS[event.kind])
        return 0 if ending is None else ending.recorded
    if event.kind == REVIEWED:
        return case.reviews[event.reason.partition(":")[2]].recorded
    if event.kind not in REASONED or case.proposal is None:
        return 0
    return case.proposal.recorded


async def load_reasons(
    connection: AsyncConnection, codec: Codec, case: Case, event: Event, opened: Opened
) -> None:
    """Open the words that a notice brings, unless they are open."""
    if not isinstance(event, e.NoticeOrdered) or event.kind not in REASONED:
        return
    if number := _recorded(case, event):
        await load_actor(connection, codec, case.id, number, opened)


async def load_actor(
    connection: AsyncConnection, codec: Codec, case: UUID, number: int, opened: Opened
) -> None:
    """Open the words that the event with this number seals, unless they are open."""
    if number in opened.actors:
        return
    chosen = select(ledger).where(ledger.c.case_id == case, ledger.c.number == number)
    row = (await connection.execute(chosen)).one()
    recorded = from_body(row.type, row.version, row.body)
    opened.actors[number] = unsealed_actor(codec, recorded, opened.keys)


def unsealed_actor(codec: Codec, event: Event, keys: Mapping[str, CaseKey]) -> Actor:
    """Who took a decision and why, as the event that records it seals them. Raises `SealError`."""
    system = system_of(event)
    found = unseal_event(codec, event, _grant(keys[RECORD], system).key, system)
    if not isinstance(found, Actor):
        raise TypeError("only what records a decision seals who took it")
    return found


def order_grants(event: Event, keys: Mapping[str, CaseKey]) -> tuple[Grant, ...]:
    """The grants that an order brings: this case, this system, nothing else. The record's first."""
    record, package = keys[RECORD], keys.get(PACKAGE)
    system = system_of(event)
    tag = grants.tag_grant(record.key, record.id, system)
    found = [_grant(record, system)]
    match event:
        case e.SearchOrdered() if event.export_kinds and package is not None:
            found += [tag, _grant(package, system)]
        case e.SearchOrdered() | e.TaskOrdered() | e.MeasureOrdered() | e.PeopleOrdered():
            found.append(tag)
        case e.ResponseOrdered() if package is not None:
            systems = sorted({"response", *(it.system for it in event.exports)})
            found += [_grant(package, it) for it in systems]
            withheld = sorted({it.system for it in event.withheld})
            found += [grants.tag_grant(record.key, record.id, it) for it in withheld]
        case _:
            pass
    return tuple(found)


def seal(codec: Codec, event: Event, what: Sealed | Actor, keys: Mapping[str, CaseKey]) -> Event:
    """The event with its sealed part in place."""
    purpose = OBLIGATION if isinstance(event, e.ObligationOpened) else RECORD
    key, system = keys[purpose], system_of(event)
    grant = _grant(key, system)
    return seal_event(codec, event, what, grant.key, key.id, system)


def appended(
    codec: Codec, case: UUID, entries: Sequence[LedgerEntry], keys: Mapping[str, CaseKey]
) -> e.LedgerAppended:
    """Entries as the ledger's topic has them: sealed under the case's record key.

    What is said of keys and of obligations, mere ids and dates, stays readable (`CLEAR`). If the
    record key is not at hand, because it is gone, nobody will read what is said after it.
    """
    clear = tuple(it for it in entries if it.type in CLEAR)
    rest = [it for it in entries if it.type not in CLEAR]
    rows = tuple(
        EntryRow(number=it.number, id=it.id, type=it.type, version=it.version) for it in rest
    )
    event = e.LedgerAppended(case=case, entries=clear, rows=rows)
    if not rest or RECORD not in keys:
        return event
    what = SealedEntries(bodies=tuple(SealedBody(body=it.body, at=it.at) for it in rest))
    grant = _grant(keys[RECORD], grants.LEDGER)
    return seal_event(codec, event, what, grant.key, grant.key_id, grants.LEDGER)


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


def _sealed(case: Case, opened: Opened, rows: Sequence[IdentifierRow], held: list[bytes]) -> Sealed:
    return Sealed(
        name=opened.sealed[CASE_OPENED].name,
        identifiers=tuple(_identifier(case, opened, row) for row in rows),
        holdings=tuple(_holding(case, opened, tag) for tag in held),
    )


def _spellings(case: Case, tag: bytes) -> tuple[IdentifierRow, ...]:
    known = case.known[tag]
    return tuple(IdentifierRow(tag=tag, kind=known.kind, spelling=it) for it in known.spellings)


def _source(case: Case, row: IdentifierRow) -> int:
    """The number of the event that seals an identifier in this spelling."""
    known = case.known[row.tag]
    return known.spellings.get(row.spelling, known.source)


def _identifier(case: Case, opened: Opened, row: IdentifierRow) -> SealedIdentifier:
    """An identifier as it is spelt."""
    same = [it for it in opened.sealed[_source(case, row)].identifiers if it.tag == row.tag]
    key = opened.tag_key()
    spelt = (it for it in same if grants.spelling_tag(key, it.kind, it.value) == row.spelling)
    return next(spelt, same[0])


def _proved(case: Case, person: Sealed) -> tuple[SealedIdentifier, ...]:
    """Whom to write to: addresses that are proved; all of them while none is."""
    proved = tuple(it for it in person.identifiers if case.proofs.get(it.tag, POLICY) != POLICY)
    return proved or person.identifiers


def _holding(case: Case, opened: Opened, tag: bytes) -> SealedHolding:
    source = opened.sealed[case.held[tag].source]
    return next(it for it in source.holdings if it.tag == tag)
