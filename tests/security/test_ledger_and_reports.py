"""Somebody who can write on `rights.ledger` and `rights.reports`, and is no orchestrator.

What they have: every record that lies there, signatures and all, and a signing key of their own.
What they try: to give the DPO another report; to make a restored register believe what was never
decided, destroy keys, or not start; to read what the ledger says of a case.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app, flow
from pipeline.app import Place
from pipeline.crypto import grants
from pipeline.crypto.proofs import SIGNATURE
from pipeline.host.report_reader import read_reports
from pipeline.kafka import local_kafka, topics, wire
from pipeline.kafka.authentication import signed
from pipeline.kafka.incoming import read_to_end
from pipeline.kafka.producer import producer, send
from pipeline.keys.key_folder import KeyFolder
from pipeline.keys.orchestrator_keys import OrchestratorKeys
from pipeline.keys.signer import KeySigner
from pipeline.orchestrator.orchestrator import GROUP
from pipeline.recovery.recovery import Recovered, Recovery, UnsignedLedgerError
from pipeline.recovery.stale_register import TAIL, refuse_if_behind
from pipeline.register import reading
from pipeline.register.case_keys import PACKAGE, RECORD
from pipeline.register.engine import RegisterBehindError, connect, migrate, url_of
from pipeline.settings import Settings
from pipeline.stages.publish_report import publish
from schemas import events as e
from schemas.codec import before_sealed, body
from schemas.derive import event_name
from schemas.events import Event
from schemas.records import LedgerEntry, SealedEntries
from schemas.sealed import SealError, seal_event, unseal_event
from tests.fakes.deciders import CODEC, NOW, Sent, decider, of_topic, requests, set_up
from tests.integration.test_recovery import cut, envelopes

LATER = NOW + timedelta(days=365)


@dataclass
class Stage:
    """A register, its keys, and a broker of its own."""

    settings: Settings
    engine: AsyncEngine
    bootstrap: str
    sent: Sent = field(default_factory=Sent)

    @property
    def keys(self) -> OrchestratorKeys:
        return Place(self.settings.data).keys.orchestrator()

    async def case(self) -> UUID:
        """A case that was opened; what the ledger's topic is told of it is in `ledger_of`."""
        case = uuid4()
        await decider(self.settings, self.engine, self.sent).take(
            await requests(self.settings, case)
        )
        return case

    def ledger_of(self, case: UUID) -> list[wire.Record]:
        key = str(case).encode()
        return [it for it in of_topic(self.sent.records, flow.LEDGER) if it.key == key]

    async def publish(self, *records: wire.Record) -> None:
        async with producer(self.bootstrap) as out:
            await send(out, records)

    def signed(self, record: wire.Record) -> wire.Record:
        """As the orchestrator signs it."""
        named = self.keys.current(datetime.now(UTC))
        return signed(record, named, self.keys[named])

    def by_a_stranger(self, record: wire.Record) -> wire.Record:
        """As somebody signs it who claims to be the orchestrator."""
        return signed(record, self.keys.current(datetime.now(UTC)), Ed25519PrivateKey.generate())

    async def recover(self, *, trust_unsigned: bool | None = None) -> Recovered:
        recovery = Recovery(
            engine=self.engine,
            bootstrap=self.bootstrap,
            group=GROUP,
            codec=CODEC,
            rules=app.rules(self.settings),
            wrapping=Place(self.settings.data).keys.wrapping(),
            keys=self.keys,
            envelopes=envelopes(self.settings),
            trust_unsigned=trust_unsigned,
        )
        return await recovery.run(lambda _, __: None, dry_run=False)

    async def check(self) -> None:
        """As an orchestrator does before it starts."""
        await refuse_if_behind(self.engine, self.bootstrap, CODEC, self.keys)

    async def living(self, case: UUID) -> set[str]:
        """The purposes of a case's keys that are not destroyed."""
        found = await reading.keys(self.engine)
        return {it.purpose for it in found if it.owner == case and it.destroyed_at is None}

    async def key_of(self, case: UUID, purpose: str) -> UUID:
        found = await reading.keys(self.engine)
        return next(it.id for it in found if (it.owner, it.purpose) == (case, purpose))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = replace(set_up(tmp_path, ""), partitions=1, dead_letter_limit=3)
    engine = await connect(url_of("", tmp_path))
    await migrate(engine)
    kafka = await local_kafka.start(tmp_path / "kafka")
    await topics.create(kafka.bootstrap, flow.topics((), settings))
    yield Stage(settings, engine, kafka.bootstrap)
    await kafka.stop()
    await engine.dispose()


def unsigned(record: wire.Record) -> wire.Record:
    return replace(record, headers=tuple(it for it in record.headers if it[0] != SIGNATURE))


def framed(topic: str, event: Any) -> wire.Record:
    """A record of this event, as anybody can write it."""
    told = wire.headers(
        event,
        event_id=uuid4(),
        cause=None,
        source="orchestrator",
        at=datetime.now(UTC),
        trace=wire.new_trace(),
    )
    key = str(event.case).encode()
    return wire.Record(topic=topic, key=key, value=CODEC.encode(event), headers=told)


def appended(case: UUID, number: int, event: Event) -> wire.Record:
    """A record that adds one event to a case's ledger."""
    entry = LedgerEntry(
        number=number,
        id=uuid4(),
        type=event_name(type(event)),
        version=event.VERSION,
        body=body(event),
        at=NOW,
    )
    return framed(flow.LEDGER, e.LedgerAppended(case=case, entries=(entry,)))


def appended_in(record: wire.Record) -> e.LedgerAppended:
    """What a record of the ledger says to everybody."""
    event = CODEC.decode(record.value)
    assert isinstance(event, e.LedgerAppended)
    return event


def destroyed(case: UUID, key: UUID, purpose: str = RECORD) -> e.KeyDestroyed:
    return e.KeyDestroyed(
        case=case,
        key=key,
        purpose=purpose,
        unreadable_from=LATER,
        unreadable_in_backups_from=LATER,
    )


async def test_a_topics_word_alone_destroys_no_key_and_adds_nothing(stage: Stage) -> None:
    case, other = await stage.case(), await stage.case()
    honest = [*stage.ledger_of(case), *stage.ledger_of(other)]
    whole = await reading.ledger(stage.engine, case)
    last = len(whole)
    await stage.publish(*honest)
    word = appended(case, last + 1, destroyed(case, await stage.key_of(case, RECORD)))
    signature = dict(honest[0].headers)[SIGNATURE]
    forged = [
        word,
        stage.by_a_stranger(word),
        replace(word, headers=(*word.headers, (SIGNATURE, signature))),
        replace(word, headers=(*word.headers, (SIGNATURE, b"1 no-such-key " + b"0" * 128))),
        replace(word, headers=(*word.headers, (SIGNATURE, b"\x1b[2J"))),
        replace(unsigned(honest[0]), value=b"rubbish"),
        # Signed for another topic, another case's key: it says nothing here.
        replace(stage.signed(replace(word, topic=flow.REPORTS)), topic=flow.LEDGER),
        replace(stage.signed(word), key=str(other).encode()),
        replace(word, headers=(("ce_type", b"habeas.ledger_appended.v99"),)),
    ]
    await stage.publish(*forged)
    await stage.check()  # what strangers wrote does not keep an orchestrator from starting
    await cut(stage.engine, case, 2)
    done = await stage.recover()
    assert await reading.ledger(stage.engine, case) == whole
    assert (done.events, done.keys_destroyed, done.broken) == (last - 2, 0, ())
    assert await stage.living(case) == {RECORD, PACKAGE}
    assert sum(done.doubted.values()) == len(forged)
    assert done.doubted["unknown_key:no-such-key"] == 1
    assert done.doubted["unsigned"] == 2
    assert done.doubted["unreadable_and_unsigned"] == 1


async def test_what_strangers_wrote_last_does_not_hide_that_the_register_is_behind(
    stage: Stage,
) -> None:
    case = await stage.case()
    await stage.publish(*stage.ledger_of(case))
    word = appended(case, 99, destroyed(case, uuid4()))
    await stage.publish(*[word] * (TAIL * 3))
    await stage.check()
    await cut(stage.engine, case, 2)
    with pytest.raises(RegisterBehindError, match=r"rights\.ledger has"):
        await stage.check()


async def test_a_signed_word_destroys_only_its_own_cases_key_and_only_in_its_chain(
    stage: Stage,
) -> None:
    """As after a fork, or by an orchestrator that was taken over: its key signs, its chain parts"""
    good, gap, thief = [await stage.case() for _ in range(3)]
    for it in (good, gap, thief):
        await stage.publish(*stage.ledger_of(it))
    last = {it: len(await reading.ledger(stage.engine, it)) for it in (good, gap, thief)}
    package = await stage.key_of(good, PACKAGE)
    words = [
        appended(good, last[good] + 1, destroyed(good, package, PACKAGE)),
        appended(gap, last[gap] + 5, destroyed(gap, await stage.key_of(gap, RECORD))),
        appended(thief, last[thief] + 1, destroyed(thief, await stage.key_of(good, RECORD))),
    ]
    await stage.publish(*map(stage.signed, words))
    done = await stage.recover()
    assert await stage.living(good) == {RECORD}
    assert await stage.living(gap) == await stage.living(thief) == {RECORD, PACKAGE}
    assert done.keys_destroyed == 1
    assert [it.case for it in done.broken] == [gap]
    assert done.keys_kept == (gap,)


async def test_a_decision_that_no_console_signed_is_not_taken_over(stage: Stage) -> None:
    """Whoever has the orchestrator's key can write a ledger, and approve nothing in it."""
    case = await stage.case()
    await stage.publish(*stage.ledger_of(case))
    last = len(await reading.ledger(stage.engine, case))
    refusal = e.RequestRefused(case=case, by="cli", reason="excessive", signature=b"s" * 64)
    await stage.publish(stage.signed(appended(case, last + 1, refusal)))
    done = await stage.recover()
    assert [it.case for it in done.broken] == [case]
    assert "request_refused, bears no signature of a registered sender" in done.broken[0].why
    assert len(await reading.ledger(stage.engine, case)) == last


async def test_a_host_reads_nothing_of_the_ledger_with_all_that_it_was_ever_granted(
    stage: Stage,
) -> None:
    """It has every record of the topic, its orders and its keys, and tries each at its place."""
    case = await stage.case()
    (record,) = stage.ledger_of(case)
    event = appended_in(record)
    assert event.entries == ()
    clear = b"".join((*(value for _, value in record.headers), before_sealed(event)))
    assert not [it for it in (b"erasure", b"freshdesk", b"vouched") if it in clear]
    for system in ("freshdesk", "salesforce"):
        (order,) = of_topic(stage.sent.records, flow.work(system))
        held = KeyFolder(Place(stage.settings.data).keys.hosts(system))
        every = grants.unwrap(dict(order.headers)[grants.HEADER], held).every
        for it, place in product(every, (grants.LEDGER, grants.PIPELINE, system)):
            with pytest.raises(SealError):
                unseal_event(CODEC, event, it.key, place)


async def test_whoever_has_the_orchestrators_key_changes_nothing_that_is_sealed(
    stage: Stage,
) -> None:
    """They can sign what they like; without the case's record key it does not open."""
    renamed, moved, resealed = [await stage.case() for _ in range(3)]
    events = {it: appended_in(*stage.ledger_of(it)) for it in (renamed, moved, resealed)}
    *before, last = events[renamed].rows
    forged = {
        renamed: replace(events[renamed], rows=(*before, replace(last, type="identity_refused"))),
        moved: replace(events[moved], sealed=events[renamed].sealed),
        resealed: seal_event(
            CODEC,
            replace(events[resealed], sealed=b""),
            SealedEntries(),
            os.urandom(32),
            await stage.key_of(resealed, RECORD),
            grants.LEDGER,
        ),
    }
    await stage.publish(*(stage.signed(framed(flow.LEDGER, it)) for it in forged.values()))
    for case in forged:
        await cut(stage.engine, case, 2)
    done = await stage.recover()
    assert {it.case for it in done.broken} == forged.keys()
    assert (done.events, done.lost) == (0, ())
    for case in forged:
        assert len(await reading.ledger(stage.engine, case)) == 2
        assert await stage.living(case) == {RECORD, PACKAGE}


async def test_what_a_release_before_signatures_wrote_is_believed_only_at_a_persons_word(
    stage: Stage,
) -> None:
    case, since = await stage.case(), await stage.case()
    whole = await reading.ledger(stage.engine, case)
    await stage.publish(*map(unsigned, stage.ledger_of(case)), *stage.ledger_of(since))
    late = appended(case, len(whole) + 1, destroyed(case, await stage.key_of(case, RECORD)))
    await stage.publish(late)  # it is unsigned as well, and no earlier release's
    assert not (await stage.recover()).was_behind  # the register knows it, and confirms it
    await cut(stage.engine, case, 2)
    with pytest.raises(UnsignedLedgerError, match="--trust-unsigned"):
        await stage.recover()
    assert len(await reading.ledger(stage.engine, case)) == 2
    ignored = await stage.recover(trust_unsigned=False)
    assert ignored.events == 0
    done = await stage.recover(trust_unsigned=True)
    assert await reading.ledger(stage.engine, case) == whole
    assert done.doubted == {"unsigned": 1}
    assert await stage.living(case) == {RECORD, PACKAGE}


async def test_only_a_signed_report_is_published_and_none_is_replaced(stage: Stage) -> None:
    folder, case = stage.settings.data / "reports", uuid4()
    first = e.CaseReported(
        case=case,
        n=1,
        state="closed",
        received_at=NOW,
        due_at=LATER,
        reported_at=NOW,
        intake="web",
        level=2,
        method="vouched",
        policy=b"policy",
    )
    records = {
        "unsigned": framed(flow.REPORTS, replace(first, n=2)),
        "a stranger's": stage.by_a_stranger(framed(flow.REPORTS, replace(first, n=2))),
        "another topic's": replace(
            stage.signed(framed(flow.LEDGER, replace(first, n=2))), topic=flow.REPORTS
        ),
    }
    signer = KeySigner(Ed25519PrivateKey.generate())
    task = asyncio.create_task(
        read_reports(
            stage.bootstrap,
            CODEC,
            publish=partial(publish, signer=signer, folder=folder),
            pipeline_public=lambda: ("1", X25519PrivateKey.generate().public_key()),
            settings=stage.settings,
            keys=stage.keys,
        )
    )
    honest = stage.signed(framed(flow.REPORTS, first))
    try:
        await stage.publish(honest, *records.values(), *[records["unsigned"]] * 10)
        another = stage.signed(framed(flow.REPORTS, replace(first, state="closed by hand")))
        third = stage.signed(framed(flow.REPORTS, replace(first, n=3)))
        await stage.publish(another, honest, third)
        await _until((folder / f"{case}-3.dsse.json").exists)
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert not (folder / f"{case}-2.json").exists()
    assert b"closed by hand" not in (folder / f"{case}-1.json").read_bytes()
    found = [it async for it in read_to_end(stage.bootstrap, flow.DEAD_LETTERS)]
    reasons = [getattr(CODEC.decode(it.value or b""), "reason", "") for it in found]
    assert reasons.count("another_report_of_this_number") == 1
    assert len(reasons) == 1 + len(records) + 10


async def _until(done: Any) -> None:
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
