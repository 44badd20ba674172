"""Which open cases are one person's? Found by keyed hashes of what is proved, and by nothing else.

One key for all cases makes the hashes: it is wrapped as case keys are, and travels nowhere. A row
goes with its case's record key.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.sdk.spelling import normal
from pipeline.case import lifecycle
from pipeline.case.case import Case
from pipeline.case.same_person import Side
from pipeline.case.whose import NAMES
from pipeline.crypto.grants import identifier_tag
from schemas.codec import Codec, CodecError
from schemas.records import SealedIdentifier
from schemas.sealed import SealError

from . import own_key, store
from . import tables as t
from .case_keys import RECORD, CaseKeys
from .own_key import OwnKey
from .sealing import CASE_OPENED, Opened, load

log = structlog.get_logger()
SUBJECTS = "subjects"
"""Purpose of the one key."""
OWNER = UUID("5ab1ec75-0000-4000-8000-000000000001")
"""Who owns it, and its id."""
OVER = frozenset({*lifecycle.TERMINAL, lifecycle.ANSWERED})
"""States of cases that nothing is to be compared with."""


@dataclass(slots=True)
class Proving:
    """What a transaction's inputs may prove, and the other open cases in which it is proved."""

    hashes: Mapping[UUID, frozenset[bytes]] = field(default_factory=dict)
    """By an input's event id."""
    cases: dict[bytes, set[UUID]] = field(default_factory=dict)
    rows: list[tuple[bytes, UUID]] = field(default_factory=list)
    """What was proved, and is in nobody's table yet."""

    def others(self, event: UUID, case: UUID) -> tuple[UUID, ...]:
        """The other cases of whoever an input is about."""
        found = (self.cases.get(it, set()) for it in self.hashes.get(event, ()))
        return tuple(sorted(set[UUID]().union(*found) - {case}))

    def proved(self, event: UUID, case: UUID) -> None:
        """An input has proved what it may: others find the case by it from here on."""
        for it in self.hashes.get(event, ()):
            self.cases.setdefault(it, set()).add(case)
            self.rows.append((it, case))


class SubjectsKey(OwnKey):
    """The key that hashes identifiers; made when it is used first."""

    def __init__(self, keys: CaseKeys) -> None:
        super().__init__(keys, OWNER, SUBJECTS)


def hashed(key: bytes, kind: str, value: str) -> bytes:
    """What stands for an identifier in every case: the same for every spelling of it."""
    return identifier_tag(key, kind, value)


async def look(connection: AsyncConnection, hashes: Mapping[UUID, frozenset[bytes]]) -> Proving:
    """The open cases by these hashes, and nobody else decides on one of them until we have ended.

    So of two processes that prove the same at once, the later one finds the other's case. They are
    locked after the transaction's cases, and in one order for all.
    """
    every = sorted(set[bytes]().union(*hashes.values()))
    if not every:
        return Proving()
    await store.lock(connection, (UUID(bytes=it) for it in every))
    chosen = (
        select(t.subjects.c.hash, t.subjects.c.case_id)
        .join(t.cases, t.cases.c.id == t.subjects.c.case_id)
        .where(t.subjects.c.hash.in_(every), t.cases.c.state.not_in(sorted(OVER)))
    )
    cases: dict[bytes, set[UUID]] = {}
    for it in await connection.execute(chosen):
        cases.setdefault(it.hash, set()).add(it.case_id)
    return Proving(hashes=hashes, cases=cases)


async def remember(
    connection: AsyncConnection, rows: Iterable[tuple[bytes, UUID]], now: datetime
) -> None:
    """Know whose cases these are from here on; what is known already stays."""
    found = [{"hash": it, "case_id": case, "created_at": now} for it, case in rows]
    if found:
        statement = store.inserted(connection, t.subjects).on_conflict_do_nothing()
        await connection.execute(statement, found)


async def forget_if_lost(connection: AsyncConnection, wrapping: Container[str]) -> bool:
    """Begin anew if what wraps the key is not there. Whether that was so."""
    return await own_key.forget_if_lost(connection, OWNER, wrapping, t.subjects)


async def open_now(connection: AsyncConnection) -> frozenset[UUID]:
    """The cases that others are compared with; not those about which nothing is decided."""
    aside = select(t.set_aside.c.case_id)
    chosen = select(t.cases.c.id).where(
        t.cases.c.state.not_in(sorted(OVER)), t.cases.c.id.not_in(aside)
    )
    return frozenset((await connection.execute(chosen)).scalars())


async def remember_again(
    connection: AsyncConnection,
    codec: Codec,
    keys: CaseKeys,
    cases: Iterable[Case],
    now: datetime,
) -> None:
    """Know whose cases these are, where a backup did not. One that does not open is left out."""
    key = await SubjectsKey(keys).get(connection, now)
    for case in cases:
        living = await keys.of(connection, [case.id])
        opened = Opened({purpose: it for (_, purpose), it in living.items()})
        if case.is_request and RECORD in opened.keys:
            try:
                found = await hashes_of(connection, codec, case, opened, key, proofs(case))
            except (SealError, CodecError) as error:  # as the decider does not compare it
                log.warning("case.not_compared", case=str(case.id), error=type(error).__name__)
                continue
            await remember(connection, ((it, case.id) for it in found), now)


async def hashes_of(  # noqa: PLR0917  what it takes to open a case
    connection: AsyncConnection,
    codec: Codec,
    case: Case,
    opened: Opened,
    key: bytes,
    tags: Collection[bytes],
) -> frozenset[bytes]:
    """The hashes of some of a case's identifiers. Raises `SealError` if they do not open."""
    found = await identifiers_of(connection, codec, case, opened, tags)
    return frozenset(hashed(key, it.kind, it.value) for it in found)


async def identifiers_of(
    connection: AsyncConnection, codec: Codec, case: Case, opened: Opened, tags: Collection[bytes]
) -> tuple[SealedIdentifier, ...]:
    """Some of a case's identifiers, as they are spelt. Raises `SealError` if they do not open."""
    sources = {case.known[it].source for it in tags}
    await load(connection, codec, case.id, sources, opened)
    return tuple(
        it
        for source in sorted(sources)
        for it in opened.sealed[source].identifiers
        if it.tag in tags
    )


async def side(
    connection: AsyncConnection, codec: Codec, case: Case, opened: Opened, key: bytes
) -> Side:
    """A case with what tells whose it is. Raises `SealError` if it does not open."""
    await load(connection, codec, case.id, [CASE_OPENED], opened)
    name = opened.sealed[CASE_OPENED].name
    given = [it for it in case.known.values() if it.given]
    weak = frozenset(it.tag for it in given if not it.strong)
    return Side(
        case=case,
        proved=await hashes_of(connection, codec, case, opened, key, proofs(case)),
        shown=await hashes_of(connection, codec, case, opened, key, weak),
        names=frozenset(hashed(key, kind, name) for kind in NAMES if normal(kind, name)),
    )


def proofs(case: Case) -> frozenset[bytes]:
    """Tags of the identifiers that were proved to be the person's: people are found by them."""
    return frozenset(it for it in case.usable() if it in case.proofs)
