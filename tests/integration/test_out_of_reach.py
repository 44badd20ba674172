"""The named dates hold: with everything that an operator still has, a destroyed key opens nothing.

On both databases. Everything is: a backup of the register from before the key went, kept for ever;
every key file there is, and every one in a backup of the keys that may still be there; every record
ever published; every object. That all of it did open the case a moment earlier is part of the test.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap
from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app, flow
from pipeline.crypto import grants
from pipeline.crypto.grants import HEADER, GrantError
from pipeline.crypto.segments import open_stream
from pipeline.register import reading, tables
from pipeline.register.case_keys import PACKAGE, RECORD, expire
from pipeline.register.engine import connect, url_of
from pipeline.register.sealing import system_of
from pipeline.settings import Settings
from schemas.codec import from_body
from schemas.envelope import disclose
from schemas.events import Event, KeyDestroyed, LedgerAppended, RequestReceived
from schemas.sealed import SealError, key_id, unseal_event
from tests.fakes.by_hand import CODEC, ByHand, by_hand

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MAIL, OTHER = "somebody@example.org", "bystander@example.org"
SYSTEMS = ("freshdesk", *flow.OURS, grants.PIPELINE, grants.LEDGER)
EXPORTS, SEALED, ENVELOPE = "export or response", "sealed field", "request"


@pytest.fixture
async def hand(tmp_path: Path, register: str) -> AsyncIterator[ByHand]:
    settings = Settings(
        data=tmp_path / "data",
        systems="freshdesk",
        register=register,
        wrapping_key_period=4 * DAY,
        public_key_period=3 * DAY,
        incoming_kept=3 * DAY,
        backups_kept=2 * DAY,
    )
    settings.data.mkdir(mode=0o700)
    async with by_hand(settings) as made:
        for email in (MAIL, OTHER):
            made.sandbox.seed([{"kind": "contact", "name": "Some One", "email": email}])
        yield made


@dataclass
class Operator:
    """Who has everything, and forgets backups of keys only, when they are as old as is promised."""

    hand: ByHand
    copies: dict[datetime, dict[str, bytes]] = field(default_factory=dict)
    """Backups of the keys folder: its files by name."""
    restored: AsyncEngine | None = None
    """The register as it was before a key was destroyed."""

    def back_up_keys(self) -> None:
        kept = self.hand.settings.backups_kept
        self.copies = {at: it for at, it in self.copies.items() if self.hand.now - at < kept}
        self.copies[self.hand.now] = self._folder()

    def of(self, folder: str, *, backups: bool) -> dict[str, bytes]:
        """Every key that there is in a folder of the keys, and below."""
        copies = [self._folder(), *(self.copies.values() if backups else ())]
        every = {name: raw for copy in copies for name, raw in copy.items()}
        return {name: raw for name, raw in every.items() if name.startswith(folder)}

    def _folder(self) -> dict[str, bytes]:
        root = self.hand.place.keys.root
        return {
            str(it.relative_to(root)): bytes.fromhex(it.read_text())
            for kind in ("wrapping", "pipeline", "hosts")
            for it in (root / kind).rglob("*.key")
        }

    async def opens(self, case: UUID, *, backups: bool) -> set[str]:
        """What of a case can be read, with backups or with what is running alone."""
        events = [*await self._events(case, backups=backups)]
        granted = await self._granted(case, backups=backups)
        found = {SEALED for it in events if _opens(it, granted)}
        intakes = self.of("pipeline", backups=backups).values()
        found |= {ENVELOPE for it in events if _discloses(it, intakes)}
        for path in app.objects_of(self.hand.settings).rglob("*"):
            name = str(path.relative_to(app.objects_of(self.hand.settings)))
            if path.is_file() and case.hex in name.replace("-", ""):
                found |= {EXPORTS for it in granted.values() if await self._object(name, it)}
        return found

    async def _object(self, name: str, key: bytes) -> bool:
        with suppress(SealError):
            return bool([it async for it in open_stream(key, name, self.hand.objects.get(name))])
        return False

    def _engines(self, *, backups: bool) -> list[AsyncEngine]:
        restored = [self.restored] if backups and self.restored is not None else []
        return [self.hand.engine, *restored]

    async def _events(self, case: UUID, *, backups: bool) -> list[Event]:
        """Of the registers' ledgers and of every topic."""
        found = []
        for engine in self._engines(backups=backups):
            found += [it.event for it in await reading.entries(engine, case)]
        for record in self.hand.published:
            event = CODEC.decode(record.value)
            found.append(event)
            if isinstance(event, LedgerAppended):
                found += [from_body(it.type, it.version, it.body) for it in event.entries]
        return [it for it in found if it.case == case]

    async def _granted(self, case: UUID, *, backups: bool) -> dict[tuple[UUID, str], bytes]:
        """Every grant of the case: out of orders, and made of case keys."""
        found = {}
        hosts = {Path(name).stem: raw for name, raw in self.of("hosts", backups=backups).items()}
        for record in self.hand.published:
            header = dict(record.headers).get(HEADER)
            if header is not None and record.key == str(case).encode():
                with suppress(GrantError):
                    every = grants.unwrap(header, hosts).every
                    found.update({(it.key_id, it.system): it.key for it in every})
        wrapping = self.of("wrapping", backups=backups).values()
        for engine in self._engines(backups=backups):
            async with engine.connect() as connection:
                rows = await connection.execute(
                    select(tables.keys).where(tables.keys.c.owner == case)
                )
                for row in rows:
                    for key in _unwrapped(row.wrapped, wrapping):
                        for system in SYSTEMS:
                            made = grants.grant(row.purpose, key, row.id, system)
                            found[row.id, system] = made.key
        return found


def _unwrapped(wrapped: bytes, keys: Iterable[bytes]) -> Iterator[bytes]:
    for it in keys:
        with suppress(InvalidUnwrap, ValueError):
            yield aes_key_unwrap(it, wrapped)


def _opens(event: Event, granted: Mapping[tuple[UUID, str], bytes]) -> bool:
    sealed = getattr(event, "sealed", b"")
    with suppress(SealError, KeyError):
        system = system_of(event)
        return bool(unseal_event(CODEC, event, granted[key_id(sealed), system], system))
    return False


def _discloses(event: Event, keys: Iterable[bytes]) -> bool:
    if not isinstance(event, RequestReceived):
        return False
    for it in keys:
        with suppress(SealError):
            person = disclose(CODEC, event, X25519PrivateKey.from_private_bytes(it))
            return MAIL in {row.value for row in person.identifiers}
    return False


@asynccontextmanager
async def backup(hand: ByHand, folder: Path) -> AsyncIterator[AsyncEngine]:
    """The register as it is now, restored: a copy of the file, or of the database."""
    await hand.engine.dispose()
    settings = hand.settings
    if settings.register:
        url = make_url(settings.register)
        name = f"restored_{uuid4().hex}"
        asked = await asyncpg.connect(
            host=url.query["host"], user=url.username, database="postgres"
        )
        await asked.execute(f"CREATE DATABASE {name} TEMPLATE {url.database}")
        await asked.close()
        restored = url.set(database=name).render_as_string(hide_password=False)
    else:
        for it in settings.data.glob("register.db*"):
            shutil.copy(it, folder)
        restored = url_of("", folder)
    engine = await connect(restored)
    yield engine
    await engine.dispose()


async def test_from_the_named_dates_on_nobody_can_open_the_case(
    hand: ByHand, tmp_path: Path
) -> None:
    case, bystander = await hand.ask(MAIL), await hand.ask(OTHER)
    await hand.go()
    everything = {EXPORTS, SEALED, ENVELOPE}
    operator = Operator(hand)
    await _let_die(hand, case, {PACKAGE: hand.now + 2 * HOUR, RECORD: hand.now + 4 * HOUR})
    last = {who: dict.fromkeys(everything, hand.now) for who in ("living", "backups")}
    async with backup(hand, tmp_path) as operator.restored:
        assert await operator.opens(case, backups=False) == everything
        async for now in hand.wait(10 * DAY, every=HOUR):
            operator.back_up_keys()
            for it in await operator.opens(case, backups=False):
                last["living"][it] = now
            for it in await operator.opens(case, backups=True):
                last["backups"][it] = now
    gone = {it.purpose: it for it in await _destroyed(hand, case)}
    package, record = gone[PACKAGE], gone[RECORD]
    went = await _destroyed_at(hand, case)
    # A running host opened it after the key was destroyed, and a backup after that; then nobody.
    assert went[PACKAGE] < last["living"][EXPORTS] < package.unreadable_from
    assert went[RECORD] < last["living"][SEALED] < record.unreadable_from
    assert went[RECORD] < last["living"][ENVELOPE] < record.unreadable_from
    assert last["living"][EXPORTS] < last["backups"][EXPORTS] < package.unreadable_in_backups_from
    assert last["living"][SEALED] < last["backups"][SEALED] < record.unreadable_in_backups_from
    assert last["living"][ENVELOPE] < last["backups"][ENVELOPE] < record.unreadable_in_backups_from
    assert record.unreadable_in_backups_from < hand.now
    # Whose key nobody destroyed is read as ever, by the register alone.
    assert await operator.opens(bystander, backups=False) == {EXPORTS, SEALED}
    async with app.register(hand.settings) as engine:
        out = tmp_path / "response.zip"
        out.touch(mode=0o644)
        await app.open_response(hand.settings, engine, bystander, None, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_bytes()[:2] == b"PK"


async def _let_die(hand: ByHand, case: UUID, at: Mapping[str, datetime]) -> None:
    async with hand.engine.begin() as connection:
        rows = list(
            await connection.execute(select(tables.keys).where(tables.keys.c.owner == case))
        )
        for it in rows:
            await expire(connection, {it.id: at[it.purpose]})


async def _destroyed(hand: ByHand, case: UUID) -> list[KeyDestroyed]:
    entries = await reading.entries(hand.engine, case)
    return [it.event for it in entries if isinstance(it.event, KeyDestroyed)]


async def _destroyed_at(hand: ByHand, case: UUID) -> dict[str, datetime]:
    every = await reading.keys(hand.engine)
    return {it.purpose: it.destroyed_at for it in every if it.owner == case and it.destroyed_at}
