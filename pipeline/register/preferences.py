"""What people want to be sent: every word of theirs, found by keyed hashes of who they are.

One key makes the hashes, another one than the erasure memory's. What shows a word lies sealed,
under a key of the month in which it is to be forgotten, and goes with that.
"""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from hashlib import sha256
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.case import Case
from pipeline.case.deadline import plus_months
from pipeline.case.preferences import kept_until
from pipeline.policy import Policy
from pipeline.policy.preferences import OBJECTED, REFUSALS, Said
from schemas import sealed
from schemas.codec import Codec, before_sealed
from schemas.events import PreferenceReceived
from schemas.records import Preference

from . import store, subjects
from . import tables as t
from .case_keys import EVIDENCE, RECORD, CaseKeys, destroy
from .own_key import OwnKey
from .sealing import Opened

AT_ONCE = 1000
"""Hashes that are looked up at once."""
PREFERENCES = "preferences"
"""Purpose of the one key."""
OWNER = UUID("5ab1ec75-0000-4000-8000-000000000003")
"""Who owns it, and its id."""


@dataclass(frozen=True, slots=True)
class Word:
    """What came in from an intake, ready to be kept."""

    said: Said
    intake: str
    told: Preference
    hash: bytes
    digest: bytes
    """Keyed, of all that was said: another one under the same id is another word."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A record with what shows it; None once that is forgotten."""

    said: Said
    intake: str
    told: Preference | None


class Preferences:
    """Keeps words, in the transaction that takes them in."""

    def __init__(self, codec: Codec, keys: CaseKeys, policy: Policy) -> None:
        self._codec = codec
        self._keys = keys
        self._key = preferences_key(keys)
        self._evidence: dict[UUID, OwnKey] = {}
        self._policy = policy

    async def word(
        self,
        connection: AsyncConnection,
        event: PreferenceReceived,
        told: Preference,
        said: Said,
        now: datetime,
    ) -> Word:
        """A word as it is kept."""
        key = await self._key.get(connection, now)
        plain = self._codec.encode_sealed(PreferenceReceived, told)
        clear = before_sealed(replace(event, key="", sealed=b"", signature=b""))
        digest = hmac.digest(key, clear + plain, sha256)
        hashed = subjects.hashed(key, told.kind, told.value)
        return Word(said, event.intake, told, hashed, digest)

    async def keep(self, connection: AsyncConnection, words: Sequence[Word], now: datetime) -> None:
        """Keep words; one that is there stays as it is."""
        rows = [await self._row(connection, it, now) for it in words]
        await _insert(connection, rows)

    async def objected(
        self, connection: AsyncConnection, case: Case, opened: Opened, now: datetime
    ) -> None:
        """Keep that who asks in a case objects, for every identifier that is known to be theirs.

        What shows it is the case. Raises `SealError` if they do not open.
        """
        if RECORD not in opened.keys:
            return  # it was kept when it was shown
        key, tags = await self._key.get(connection, now), case.usable().keys()
        found = await subjects.hashes_of(connection, self._codec, case, opened, key, tags)
        rows = [
            {
                "hash": it,
                "id": case.id,
                "says": OBJECTED,
                "purpose": case.purpose,
                "at": case.received_at,
                "level": case.level,
                "country": "",
                "intake": "",
                "digest": b"",
                "sealed": b"",
                "forget_at": kept_until(self._policy, now),
            }
            for it in sorted(found)
        ]
        await _insert(connection, rows)

    async def _row(self, connection: AsyncConnection, it: Word, now: datetime) -> dict[str, object]:
        end = kept_until(self._policy, now)
        plain = self._codec.encode_sealed(PreferenceReceived, it.told)
        named, key = await self._evidence_key(connection, end, now)
        return {
            "hash": it.hash,
            "id": it.said.record,
            "says": it.said.says,
            "purpose": it.said.purpose,
            "at": it.said.at,
            "level": it.said.level,
            "country": it.said.country,
            "intake": it.intake,
            "digest": it.digest,
            "sealed": sealed.seal(key, named, plain, _place(it.said.record)),
            "forget_at": end,
        }

    async def _evidence_key(
        self, connection: AsyncConnection, end: datetime, now: datetime
    ) -> tuple[UUID, bytes]:
        """The key of the month in which something is forgotten; it goes when that is over."""
        named = uuid5(OWNER, f"{end:%Y-%m}")
        over = datetime.combine(plus_months(end.date().replace(day=1), 1), time(), UTC)
        own = self._evidence.setdefault(named, OwnKey(self._keys, named, EVIDENCE, over))
        return named, await own.get(connection, now)


def preferences_key(keys: CaseKeys) -> OwnKey:
    """The key that hashes who said something."""
    return OwnKey(keys, OWNER, PREFERENCES)


async def find(
    connection: AsyncConnection, hashes: Iterable[bytes]
) -> dict[bytes, tuple[Said, ...]]:
    """Everything that was said by whoever these hashes stand for."""
    found, waiting = defaultdict[bytes, list[Said]](list), iter(hashes)
    while some := list(islice(waiting, AT_ONCE)):
        chosen = select(t.preferences).where(t.preferences.c.hash.in_(some))
        for it in await connection.execute(chosen):
            found[it.hash].append(_said(it))
    return {it: tuple(said) for it, said in found.items()}


async def digests(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, bytes]:
    """The digest of each of these records that is kept; not of what a case says."""
    table, found, waiting = t.preferences, dict[UUID, bytes](), iter(ids)
    while some := list(islice(waiting, AT_ONCE)):
        chosen = select(table.c.id, table.c.digest).where(table.c.id.in_(some))
        rows = await connection.execute(chosen.where(table.c.intake != ""))
        found |= {it.id: it.digest for it in rows}
    return found


async def is_known(connection: AsyncConnection, event: PreferenceReceived) -> bool:
    """Whether a record with these clear fields is kept: it needs no key."""
    chosen = select(t.preferences).where(t.preferences.c.id == event.case)
    rows = (await connection.execute(chosen)).all()
    said = (event.says, event.purpose, event.intake)
    return any((it.says, it.purpose, it.intake) == said for it in rows)


async def shown(
    connection: AsyncConnection, codec: Codec, keys: CaseKeys, hashed: bytes
) -> list[Shown]:
    """Everything that somebody said with what shows it, the oldest first."""
    chosen = select(t.preferences).where(t.preferences.c.hash == hashed)
    rows = list(await connection.execute(chosen.order_by(t.preferences.c.at, t.preferences.c.id)))
    named = {sealed.key_id(it.sealed) for it in rows if it.sealed}
    found = await keys.of(connection, named)
    evidence = {owner: key.key for (owner, _), key in found.items()}
    return [Shown(_said(it), it.intake, _told(codec, it, evidence)) for it in rows]


def _told(codec: Codec, row: Row[Any], keys: Mapping[UUID, bytes]) -> Preference | None:
    key = keys.get(sealed.key_id(row.sealed)) if row.sealed else None
    if key is None:
        return None
    plain = sealed.unseal(key, row.sealed, _place(row.id))
    found = codec.decode_sealed(PreferenceReceived, plain)
    return found if isinstance(found, Preference) else None


async def forget_expired(connection: AsyncConnection, now: datetime) -> None:
    """Forget what shows a word whose time is over, and the word; of a refusal the word stays."""
    table = t.preferences
    over, refused = table.c.forget_at <= now, table.c.says.in_(sorted(REFUSALS))
    await connection.execute(delete(table).where(over, ~refused))
    is_shown = table.c.sealed != b""
    await connection.execute(update(table).where(over, refused, is_shown).values(sealed=b""))
    ended = select(t.keys.c.id).where(
        t.keys.c.purpose == EVIDENCE, t.keys.c.destroy_at <= now, t.keys.c.destroyed_at.is_(None)
    )
    for key in (await connection.execute(ended)).scalars().all():
        await destroy(connection, key, now)


def _place(record: UUID) -> bytes:
    """What binds what shows a word to its record."""
    return f"preference/{record}".encode()


def _said(row: Row[Any]) -> Said:
    return Said(
        record=row.id,
        says=row.says,
        purpose=row.purpose,
        at=row.at,
        level=row.level,
        country=row.country,
    )


async def _insert(connection: AsyncConnection, rows: Iterable[dict[str, object]]) -> None:
    if found := list(rows):
        statement = store.inserted(connection, t.preferences).on_conflict_do_nothing()
        await connection.execute(statement, found)
