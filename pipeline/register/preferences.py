"""What people want to be sent: every word of theirs, found by keyed hashes of who they are.

One key makes the hashes, another one than the erasure memory's. What shows a word lies sealed,
under a key of the month in which it is to be forgotten, and goes with that.
"""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

import structlog
from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.case import Case
from pipeline.case.deadline import plus_months
from pipeline.case.preferences import kept_until, let_go_at
from pipeline.policy import Policy
from pipeline.policy.preferences import OBJECTED, ONLY, OVERRULED, REFUSALS, SERVED, Said
from schemas import sealed
from schemas.codec import Codec, CodecError, before_sealed
from schemas.events import PreferenceReceived
from schemas.records import Preference
from schemas.sealed import SealError

from . import own_key, store, subjects
from . import tables as t
from .case_keys import EVIDENCE, RECORD, CaseKeys, destroy
from .own_key import OwnKey
from .sealing import Opened

log = structlog.get_logger()
AT_ONCE = 1000
"""Hashes that are looked up at once."""
PREFERENCES = "preferences"
"""Purpose of the one key."""
OWNER = UUID("5ab1ec75-0000-4000-8000-000000000003")
"""Who owns it, and its id."""
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When a refusal is forgotten that nothing shows, or nothing but a case."""
AGAIN = timedelta(days=1)
"""When it is looked again whether somebody is let go, where that could not be decided."""


@dataclass(frozen=True, slots=True)
class Word:
    """What came in from an intake, ready to be kept."""

    said: Said
    intake: str
    told: Preference
    hash: bytes
    digest: bytes
    """Keyed, of all that was said: another one under the same id is another word. Of one that was
    hashed anew it is empty, and whatever has its id counts as the same.
    """


@dataclass(frozen=True, slots=True)
class Shown:
    """A record with what shows it; None once that is forgotten."""

    said: Said
    intake: str
    told: Preference | None
    until: datetime
    """When it is forgotten; of a refusal, what shows it."""


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
                "forget_at": NEVER,
            }
            for it in sorted(found)
        ]
        await _insert(connection, rows)

    async def overruled(self, connection: AsyncConnection, case: UUID, now: datetime) -> None:
        """An objection was weighed, and the use goes on: it refuses nothing any more."""
        kept = {"says": OVERRULED, "forget_at": kept_until(self._policy, now)}
        said = (t.preferences.c.id == case) & (t.preferences.c.says == OBJECTED)
        await connection.execute(update(t.preferences).where(said).values(kept))

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
            "look_at": let_go_at(self._policy, it.said),
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


async def rehashed(
    connection: AsyncConnection,
    codec: Codec,
    keys: CaseKeys,
    wrapping: Container[str],
    now: datetime,
) -> tuple[int, int] | None:
    """Hash anew by what shows each word, if what wraps the key of the hashes is not there: how many
    words could be, and how many are lost; None if it is there.
    """
    rows = [it._asdict() for it in await connection.execute(select(t.preferences))]
    evidence = await _living(connection, keys, wrapping)
    if not await own_key.forget_if_lost(connection, OWNER, wrapping, t.preferences):
        return None
    key, kept = await preferences_key(keys).get(connection, now), list[dict[str, object]]()
    for it in rows:
        named = sealed.key_id(it["sealed"]) if it["sealed"] else None
        told = None
        if named in evidence:
            told = _opened(codec, evidence[named], it["sealed"], it["id"])
        if told is not None:
            hashed = subjects.hashed(key, told.kind, told.value)
            kept.append({**it, "hash": hashed, "digest": b""})
    await _insert(connection, kept)
    return len(kept), len(rows) - len(kept)


async def _living(
    connection: AsyncConnection, keys: CaseKeys, wrapping: Container[str]
) -> dict[UUID, bytes]:
    """The keys of what shows words, of which what wraps them is there."""
    chosen = select(t.keys).where(t.keys.c.purpose == EVIDENCE, t.keys.c.destroyed_at.is_(None))
    rows = list(await connection.execute(chosen))
    names = [it.owner for it in rows if it.wrapping in wrapping]
    lost = [it.id for it in rows if it.wrapping not in wrapping]  # others are made in their place
    await connection.execute(delete(t.keys).where(t.keys.c.id.in_(lost)))
    return {owner: key.key for (owner, _), key in (await keys.of(connection, names)).items()}


async def find(
    connection: AsyncConnection, hashes: Iterable[bytes]
) -> dict[bytes, tuple[Said, ...]]:
    """Everything that was said by whoever these hashes stand for."""
    found, waiting = defaultdict[bytes, list[Said]](list), iter(hashes)
    while some := list(islice(waiting, AT_ONCE)):
        chosen = select(t.preferences.c.hash, *_OF_WORD).where(t.preferences.c.hash.in_(some))
        for it in await connection.execute(chosen):
            found[it.hash].append(_said(it))
    return {it: tuple(said) for it, said in found.items()}


@dataclass(frozen=True, slots=True)
class Lapsing:
    """A word after which somebody may be let go, and what they said besides."""

    said: Said
    hash: bytes
    history: tuple[Said, ...]
    told: Preference | None
    """None if nobody can tell any more who it is."""


async def to_look_at(
    connection: AsyncConnection, codec: Codec, keys: CaseKeys, now: datetime, most: int = 100
) -> list[Lapsing]:
    """The words after which it is time to look whether somebody is let go."""
    chosen = select(t.preferences).where(t.preferences.c.look_at <= now)
    rows = list(await connection.execute(chosen.order_by(t.preferences.c.look_at).limit(most)))
    said = await find(connection, {it.hash for it in rows})
    evidence = await _evidence_of(connection, keys, rows)
    return [
        Lapsing(_said(it), it.hash, said.get(it.hash, ()), _told(codec, it, evidence))
        for it in rows
    ]


async def put_off(connection: AsyncConnection, it: Lapsing, now: datetime) -> None:
    """They could not be let go: it is looked again later, and nothing of them is forgotten."""
    mine = (t.preferences.c.hash == it.hash) & (t.preferences.c.id == it.said.record)
    await connection.execute(update(t.preferences).where(mine).values(look_at=now + AGAIN))


async def looked(connection: AsyncConnection, it: Lapsing, *, let_go: bool) -> None:
    """It was looked whether they are let go. Of the one thing that whoever is wanted, only hashes
    stay: nothing is sent them.
    """
    mine = t.preferences.c.hash == it.hash
    this = mine & (t.preferences.c.id == it.said.record)
    await connection.execute(update(t.preferences).where(this).values(look_at=None))
    if let_go:
        contact = mine & t.preferences.c.says.in_([ONLY, SERVED])
        await connection.execute(update(t.preferences).where(contact).values(sealed=b""))


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
    evidence = await _evidence_of(connection, keys, rows)
    return [Shown(_said(it), it.intake, _told(codec, it, evidence), it.forget_at) for it in rows]


async def hash_of(connection: AsyncConnection, record: UUID) -> bytes | None:
    """One of those whom a record is about; None if it is forgotten."""
    chosen = select(t.preferences.c.hash).where(t.preferences.c.id == record).limit(1)
    found: bytes | None = (await connection.execute(chosen)).scalar()
    return found


async def _evidence_of(
    connection: AsyncConnection, keys: CaseKeys, rows: Sequence[Row[Any]]
) -> dict[UUID, bytes]:
    """The keys of what shows these, where they are not destroyed."""
    found = await keys.of(connection, {sealed.key_id(it.sealed) for it in rows if it.sealed})
    return {owner: key.key for (owner, _), key in found.items()}


def _told(codec: Codec, row: Row[Any], keys: Mapping[UUID, bytes]) -> Preference | None:
    key = keys.get(sealed.key_id(row.sealed)) if row.sealed else None
    if key is None:
        return None
    return _opened(codec, key, row.sealed, row.id)


def _opened(codec: Codec, key: bytes, field: bytes, record: UUID) -> Preference | None:
    """What shows a word; None if it does not open, as under a key of another one's place."""
    try:
        found = codec.decode_sealed(PreferenceReceived, sealed.unseal(key, field, _place(record)))
    except (SealError, CodecError) as error:
        log.warning("preference.not_opened", record=str(record), error=type(error).__name__)
        return None
    return found if isinstance(found, Preference) else None


async def forget_expired(connection: AsyncConnection, now: datetime) -> None:
    """Forget what shows a word whose time is over, and the word; of a refusal the word stays."""
    table = t.preferences
    over, refused = table.c.forget_at <= now, table.c.says.in_(sorted(REFUSALS))
    await connection.execute(delete(table).where(over, ~refused))
    emptied = update(table).where(over, refused).values(sealed=b"", forget_at=NEVER)
    await connection.execute(emptied)
    ended = select(t.keys.c.id).where(
        t.keys.c.purpose == EVIDENCE, t.keys.c.destroy_at <= now, t.keys.c.destroyed_at.is_(None)
    )
    for key in (await connection.execute(ended)).scalars().all():
        await destroy(connection, key, now)


def _place(record: UUID) -> bytes:
    """What binds what shows a word to its record."""
    return f"preference/{record}".encode()


_OF_WORD = tuple(t.preferences.c[it] for it in ("id", "says", "purpose", "at", "level", "country"))
"""What a word is made of, without what shows it."""


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
