"""What Habeas itself holds of somebody: what they asked before, and that something was erased.

Found by keyed hashes of what is proved there, and by nothing else; a request whose record key is
destroyed is found by nobody any more. It only reads, a page of requests at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connectors.sdk.interface import Identifier
from pipeline.case.case import Case
from pipeline.case.fold import fold
from pipeline.case.rules import Rules
from pipeline.keys.key_folder import KeyFolder
from pipeline.policy import Policy, PolicyError
from schemas.codec import Codec, CodecError, from_body
from schemas.events import CaseOpened, Event, ResponseSigned
from schemas.records import SealedIdentifier
from schemas.sealed import SealError

from . import memory, policies, preferences, subjects
from . import tables as t
from .case_keys import RECORD, CaseKeys
from .preferences import Shown
from .sealing import CASE_OPENED, Opened, load

log = structlog.get_logger()
PAGE = 50
"""Requests that are read at once."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that was signed."""

    n: int
    kind: str
    claims: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, as long as its record can be read."""

    id: UUID
    state: str
    claims: Mapping[str, str]
    """By right, how it stands."""
    received_at: datetime
    due_at: datetime
    kept_from: datetime
    """When its record key was made."""
    kept_until: datetime | None
    """When that key is destroyed, and nothing of it can be read any more."""
    case: Case | None = None
    """None if it does not open."""
    name: str = ""
    """As it came with the request."""
    proved: tuple[SealedIdentifier, ...] = ()
    """What was proved in it to be the person's, as it was spelt."""
    answers: tuple[Answered, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An entry of the erasure memory: that, and when, not what."""

    case: UUID
    at: datetime
    kept_until: datetime
    known_by: tuple[Identifier, ...] = ()
    """Those of the identifiers asked for that it is known by: it has nothing else of anybody."""


class OwnRecords:
    """The register, as who answers for it reads it."""

    def __init__(
        self, engine: AsyncEngine, codec: Codec, rules: Rules, wrapping: KeyFolder
    ) -> None:
        self._engine = engine
        self._codec = codec
        self._rules = rules
        self._keys = CaseKeys(wrapping)

    async def check(self) -> None:
        """Read every table, and open the keys by which people are found.

        Raises `KeyFileError` if what wraps them is not there, `SQLAlchemyError`, and `OSError`.
        """
        async with self._engine.connect() as connection:
            for it in (t.cases, t.ledger, t.keys, t.subjects, t.erased, t.preferences):
                await connection.execute(select(it).limit(1))
            await self._own_keys(connection)
            await preferences.preferences_key(self._keys).find(connection)

    async def requests(
        self, of: Iterable[Identifier], without: UUID
    ) -> AsyncIterator[tuple[Request, ...]]:
        """The requests in which one of these is proved, page by page; never the one `without`."""
        last, wanted = UUID(int=0), tuple(of)
        while True:
            async with self._engine.connect() as connection:
                asked, _ = await self._own_keys(connection)
                hashes = _hashes(asked, wanted)
                ids = await _cases_by(connection, hashes, last)
                read = [await self._request(connection, it) for it in ids if it != without]
            yield tuple(it for it in read if it is not None and _is_of(it, asked, hashes))
            if len(ids) < PAGE:
                return
            last = ids[-1]

    async def request(self, named: UUID) -> Request | None:
        """One request, by its id; None if there is no record of it any more."""
        async with self._engine.connect() as connection:
            return await self._request(connection, named)

    async def erasures(
        self, of: Iterable[Identifier], without: UUID, now: datetime
    ) -> tuple[Erasure, ...]:
        """What the memory has by one of these; never what it has of the case `without`."""
        async with self._engine.connect() as connection:
            _, remembers = await self._own_keys(connection)
            by_hash = {it: at for at in of for it in _hashes(remembers, [at])}
            rows = await memory.entries(connection, by_hash, now)
        found: dict[UUID, Erasure] = {}
        for it in rows:
            before = found.get(it.case_id)
            found[it.case_id] = Erasure(
                case=it.case_id,
                at=max(it.erased_at, before.at) if before else it.erased_at,
                kept_until=max(it.forget_at, before.kept_until) if before else it.forget_at,
                known_by=(*(before.known_by if before else ()), by_hash[it.hash]),
            )
        found.pop(without, None)
        return tuple(found.values())

    async def remembered(self, case: UUID, now: datetime) -> Erasure | None:
        """What the memory has of one case, whoever it was; None if it has nothing any more."""
        async with self._engine.connect() as connection:
            rows = await memory.entries_of(connection, case, now)
        if not rows:
            return None
        at, until = max(it.erased_at for it in rows), max(it.forget_at for it in rows)
        return Erasure(case=case, at=at, kept_until=until)

    async def words(
        self, of: Iterable[Identifier], without: UUID
    ) -> tuple[tuple[Identifier, Shown], ...]:
        """What was said by one of these, each with that; never what the case `without` says."""
        async with self._engine.connect() as connection:
            key = await preferences.preferences_key(self._keys).find(connection)
            if key is None:
                return ()
            found = [
                (it, word)
                for it in of
                for word in await preferences.shown(
                    connection, self._codec, self._keys, subjects.hashed(key, it.kind, it.value)
                )
            ]
        return tuple(it for it in found if it[1].said.record != without)

    async def word(self, record: UUID) -> Shown | None:
        """One record, whoever said it; None if it is forgotten."""
        async with self._engine.connect() as connection:
            hashed = await preferences.hash_of(connection, record)
            if hashed is None:
                return None
            found = await preferences.shown(connection, self._codec, self._keys, hashed)
        return next((it for it in found if it.said.record == record), None)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._rules.policy

    async def _own_keys(self, connection: AsyncConnection) -> tuple[bytes | None, bytes | None]:
        """The keys that hash whose cases are whose, and whom erasures were for; None if unused."""
        return (
            await subjects.SubjectsKey(self._keys).find(connection),
            await memory.memory_key(self._keys).find(connection),
        )

    async def _request(self, connection: AsyncConnection, named: UUID) -> Request | None:
        row = await _row(connection, named)
        if row is None:
            return None
        found = Request(
            id=named,
            state=row.state,
            claims=dict(it.split("=", 1) for it in row.claims.split(",") if it),
            received_at=row.received_at,
            due_at=row.due_at,
            kept_from=row.created_at,
            kept_until=row.destroy_at,
        )
        try:
            return await self._opened(connection, found)
        except (SealError, CodecError, PolicyError, KeyError) as error:
            log.warning("own_record.not_opened", case=str(named), error=type(error).__name__)
            return found  # nobody knows whose it is: a person looks

    async def _opened(self, connection: AsyncConnection, found: Request) -> Request:
        """The request with what its ledger tells."""
        chosen = select(t.ledger).where(t.ledger.c.case_id == found.id).order_by(t.ledger.c.number)
        told = [
            (it.at, from_body(it.type, it.version, it.body))
            for it in await connection.execute(chosen)
        ]
        await self._learn(connection, [it for _, it in told])
        case = fold((it for _, it in told), self._rules)
        _, key = (await self._keys.record_keys(connection, [found.id]))[found.id]
        if case is None or key is None:
            raise SealError("it does not open")
        opened = Opened({RECORD: key})
        await load(connection, self._codec, found.id, [CASE_OPENED], opened)
        tags = subjects.proofs(case)
        proved = await subjects.identifiers_of(connection, self._codec, case, opened, tags)
        signed = [(at, it) for at, it in told if isinstance(it, ResponseSigned)]
        return replace(
            found,
            case=case,
            name=opened.sealed[CASE_OPENED].name,
            proved=proved,
            answers=tuple(_answered(case, at, it) for at, it in signed),
        )

    async def _learn(self, connection: AsyncConnection, told: Iterable[Event]) -> None:
        """Read the policies that are not at hand: the register has every one."""
        under = {it.policy for it in told if isinstance(it, CaseOpened)}
        lacking = [it for it in under if not self._rules.knows(it)]
        if lacking:
            self._rules.earlier.update(await policies.read(connection, lacking))


def _hashes(key: bytes | None, of: Iterable[Identifier]) -> frozenset[bytes]:
    """What stands for these where a key hashes them; nothing before it was used first."""
    if key is None:
        return frozenset()
    return frozenset(subjects.hashed(key, it.kind, it.value) for it in of)


async def _cases_by(
    connection: AsyncConnection, hashes: Collection[bytes], after: UUID
) -> list[UUID]:
    """The next cases, by id, that one of these leads to."""
    chosen = (
        select(t.subjects.c.case_id)
        .where(t.subjects.c.hash.in_(sorted(hashes)), t.subjects.c.case_id > after)
        .distinct()
        .order_by(t.subjects.c.case_id)
        .limit(PAGE)
    )
    return list((await connection.execute(chosen)).scalars())


async def _row(connection: AsyncConnection, named: UUID) -> Row[Any] | None:
    """A case's row beside its record key, as long as that is not destroyed."""
    chosen = (
        select(t.cases, t.keys.c.created_at, t.keys.c.destroy_at)
        .join(t.keys, t.keys.c.owner == t.cases.c.id)
        .where(t.cases.c.id == named, t.keys.c.purpose == RECORD, t.keys.c.destroyed_at.is_(None))
    )
    return (await connection.execute(chosen)).first()


def _is_of(it: Request, key: bytes | None, hashes: Collection[bytes]) -> bool:
    """Whether what was proved in it still is, by its own ledger; unknown of one that is closed."""
    if it.case is None or key is None:
        return it.case is None
    return any(subjects.hashed(key, of.kind, of.value) in hashes for of in it.proved)


def _answered(case: Case, at: datetime, it: ResponseSigned) -> Answered:
    made = next(of for of in case.responses if of.n == it.n)
    return Answered(it.n, made.kind, made.claims, at)
