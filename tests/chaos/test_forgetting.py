"""A person is followed to the end of their record key: then nothing ties their case to a fact.

What a fact is, is not listed: it is every word, tag and date that the case's ledger told in the
clear. The register keeps those, beside a case id that nothing ties to a name any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from fastavro import schemaless_writer

from pipeline import app, flow
from pipeline.app import Place
from pipeline.kafka import ledger_topic
from pipeline.kafka.incoming import Incoming
from pipeline.kafka.ledger_topic import Told
from pipeline.recovery import register_rows
from pipeline.register import reading
from pipeline.register.case_keys import PACKAGE, RECORD, CaseKeys, expire
from pipeline.register.sealing import CLEAR
from pipeline.storage.mailer import FolderMailer
from schemas.derive import event_types
from schemas.events import KeyDestroyed, LedgerAppended
from schemas.records import LedgerEntry
from tests.fakes.deciders import CODEC
from tests.rig import PATIENCE, Rig

from . import test_canary
from .test_canary import rig

__all__ = ["rig"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = "event"
"""A word that every line of a log has, and a kind of Salesforce's."""
LEAST = 5
"""Bytes of what is looked for among ciphertext, at least."""


async def test_at_the_end_of_their_key_nothing_tells_a_fact_of_their_case(rig: Rig) -> None:
    """What is kept longer names the case, and beside it ids, numbers and types of events alone."""
    lives = rig.settings.record_key_lives
    assert rig.settings.mail_kept <= rig.settings.package_key_lives < lives
    every = flow.topics(rig.systems, rig.settings)
    longer = {it.name for it in every if it.retention is None or it.retention >= lives}
    assert longer == {flow.LEDGER}
    mine = [it for it in await test_canary.cases(rig) if await test_canary.is_canarys(rig, it)]
    others = set(await test_canary.cases(rig)) - set(mine)
    entries = {case: await rig.entries(case) for case in (*mine, *others)}
    facts = {case: _facts(entries[case]) for case in entries}
    assert any(b"ticket" in it for it in facts.values())
    await _end_record_keys(rig, mine)
    await FolderMailer(rig.settings.data / "mail").prune(timedelta(0))  # as by then it has

    records = [it for it in await rig.records() if it.topic in longer]
    for record in records:
        case = UUID((record.key or b"").decode())
        said = b"\0".join((*test_canary.flat(record.headers), record.value or b""))
        assert not [it for it in facts[case] if it in said]
    assert not await _read(rig, records, mine)
    assert others
    for other in others:
        assert len(await _read(rig, records, [other])) == len(entries[other])
    # Every system is asked about everybody: that one was is no fact, and a log may tell it.
    told = {case: facts[case] - {it.encode() for it in (*_topics(rig), KEY)} for case in mine}
    assert not [it for it in _left(rig) for case in mine if _tells(it[1], case, told[case])]
    # What a release wrote that sealed nothing is found.
    async with app.register(rig.settings) as engine:
        whole = await reading.ledger(engine, other)
    clear = CODEC.encode(LedgerAppended(case=other, entries=tuple(whole[:1])))
    assert _tells(clear, other, facts[other])


def _facts(entries: Sequence[reading.Entry]) -> set[bytes]:
    """All that a case's ledger tells in the clear, as it would lie on a topic.

    Short words are left out, which chance would find; those that are part of an event's type; and
    an object's name, which begins with the case's id.
    """
    events = [it.event for it in entries if not isinstance(it.event, KeyDestroyed)]
    values = {it for event in events for it in _leaves(event)} | {it.at for it in entries}
    types = " ".join((*event_types(), RECORD, PACKAGE)).encode()
    found = {_as_written(it) for it in values}
    (case,) = {str(event.case).encode() for event in events}
    return {it for it in found if len(it) >= LEAST and it not in types and case not in it}


def _leaves(value: Any) -> Iterator[Any]:
    """Every word, tag and date in an event, but not its ids."""
    if isinstance(value, str | bytes | datetime):
        yield value
    elif isinstance(value, tuple):
        yield from (leaf for item in value for leaf in _leaves(item))
    elif is_dataclass(value):
        yield from (leaf for it in fields(value) for leaf in _leaves(getattr(value, it.name)))


def _as_written(value: str | bytes | datetime) -> bytes:
    if isinstance(value, datetime):
        out = BytesIO()
        moment = {"type": "long", "logicalType": "timestamp-micros"}
        schemaless_writer(out, moment, value)
        return out.getvalue()
    return value.encode() if isinstance(value, str) else value


def _tells(said: bytes, case: UUID, facts: set[bytes]) -> bool:
    names = (str(case).encode(), case.hex.encode(), case.bytes)
    return any(it in said for it in names) and any(it in said for it in facts)


def _left(rig: Rig) -> Iterator[tuple[str, bytes]]:
    """Where it lies and what it is: every line of logs and mails, and every object."""
    logs = [(str(it), it.read_bytes()) for it in rig.folder.glob("*.log")]
    for path, content in [*logs, *test_canary.files(rig.settings.data / "mail")]:
        yield from ((path, line) for line in content.splitlines())
    yield from test_canary.files(app.objects_of(rig.settings))


def _topics(rig: Rig) -> tuple[str, ...]:
    return (*rig.systems, *flow.OURS)


async def _end_record_keys(rig: Rig, cases: Sequence[UUID]) -> None:
    """Let the time of these cases' keys be up, and wait until they are destroyed."""
    async with app.register(rig.settings) as engine:
        every = [it for it in await reading.keys(engine) if it.owner in cases]
        async with engine.begin() as connection:
            for it in every:
                await expire(connection, {it.id: it.created_at})
        async with asyncio.timeout(PATIENCE):
            while any(it.owner in cases and it.destroyed_at is None for it in every):
                await asyncio.sleep(0.2)
                every = await reading.keys(engine)


async def _read(rig: Rig, records: Sequence[Incoming], cases: Sequence[UUID]) -> list[LedgerEntry]:
    """What of the ledger's topic is read with all keys that the register has, but for their end."""
    keys = CaseKeys(Place(rig.settings.data).keys.wrapping())
    async with app.register(rig.settings) as engine, engine.connect() as connection:
        having = await register_rows.record_keys(connection, keys, cases)
    told = (it for record in records for it in ledger_topic.entries(record, CODEC, keys=having))
    found = [it for it in told if isinstance(it, Told) and it.case in cases]
    return [it.entry for it in found if it.entry.body and it.entry.type not in CLEAR]
