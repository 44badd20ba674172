"""The register on both databases: migrations, one decision each, due rows, keys that are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipeline import flow
from pipeline.app import Place
from pipeline.case.brake import Brake
from pipeline.case.case import Case
from pipeline.case.decide import Said, decide
from pipeline.case.dues import Due
from pipeline.kafka import wire
from pipeline.kafka.authentication import check_signature
from pipeline.kafka.incoming import Incoming
from pipeline.keys.key_folder import KeyFileError
from pipeline.orchestrator.clock import sweep
from pipeline.orchestrator.publisher import Publisher
from pipeline.register import reading, store, tables
from pipeline.register.case_keys import PACKAGE, RECORD, CaseKeys, destroy
from pipeline.register.engine import RegisterBehindError, connect, migrate, url_of
from pipeline.settings import Settings
from schemas import events as e
from schemas.codec import CodecError
from tests.fakes.deciders import (
    CODEC,
    NOW,
    OFFSETS,
    Broken,
    Sent,
    again,
    arrived,
    decider,
    of_topic,
    requests,
    set_up,
)
from tests.fakes.proofs import answer

SQLITE_ALONE = pytest.mark.parametrize("register", ["sqlite"], indirect=True)


@pytest.fixture
def settings(tmp_path: Path, register: str) -> Settings:
    return set_up(tmp_path, register)


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    made = await connect(url_of(settings.register, settings.data))
    await migrate(made)
    yield made
    await made.dispose()


@SQLITE_ALONE
async def test_what_is_deleted_is_overwritten_and_readers_do_not_wait(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        told = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "secure_delete")
        }
    assert told == {"journal_mode": "wal", "secure_delete": 1}


async def test_a_batch_that_comes_twice_is_decided_once(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent, case = Sent(), uuid4()
    batch = await requests(settings, case)
    one, another = decider(settings, engine, sent), decider(settings, engine, sent)
    await one.take(batch)
    first = len(sent.records)
    await one.take(batch)
    await another.take([*batch, *batch])
    last = again(batch)  # as an intake repeats it
    await one.take([*last, *last])
    assert len(sent.records) == first
    assert len(of_topic(sent.records, flow.work("freshdesk"))) == 1
    entries = await reading.ledger(engine, case)
    assert [it.number for it in entries] == list(range(1, len(entries) + 1))
    async with engine.connect() as connection:
        heads = {it: end.head for it, end in (await store.last_of(connection, [case])).items()}
        offsets = list(await connection.execute(select(tables.offsets)))
        owed = list(await connection.execute(select(tables.outbox)))
    assert heads[case] == store.chain(entries)
    assert [(it.topic, it.partition, it.next) for it in offsets] == [
        (flow.REQUESTS, 0, last[0].offset + 1)
    ]
    assert owed == []


async def test_two_processes_that_take_the_same_batch_decide_it_once(
    settings: Settings, engine: AsyncEngine
) -> None:
    """A partition changes hands in the middle of a batch: also of cases that are not there yet."""
    cases = [uuid4() for _ in range(10)]
    batch = await requests(settings, *cases)
    other = await connect(url_of(settings.register, settings.data))
    sent = [Sent(), Sent(), Sent(), Sent()]
    deciders = [decider(settings, of, it) for of, it in zip((engine, other) * 2, sent, strict=True)]
    orders = (batch, batch[::-1], batch[5:] + batch[:5], batch)
    await asyncio.gather(*(it.take(order) for it, order in zip(deciders, orders, strict=True)))
    await other.dispose()
    for case in cases:
        numbers = [it.number for it in await reading.ledger(engine, case)]
        assert numbers == list(range(1, len(numbers) + 1))
    orders_out = [it for out in sent for it in of_topic(out.records, flow.work("freshdesk"))]
    assert len(orders_out) == len(cases)


async def test_what_a_batch_says_of_a_case_is_one_record_of_its_ledger(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent, case = Sent(), uuid4()
    one = decider(settings, engine, sent)
    await one.take(await requests(settings, case))
    orders = [
        it
        for system in ("freshdesk", "salesforce")
        for it in of_topic(sent.records, flow.work(system))
    ]
    sent.records.clear()
    await one.take([_put_off(settings, it) for it in orders])
    (record,) = of_topic(sent.records, flow.LEDGER)
    appended = CODEC.decode(record.value)
    assert isinstance(appended, e.LedgerAppended)
    assert [it.type for it in appended.rows] == ["order_deferred"] * 2
    assert appended.entries == ()
    entries = await reading.ledger(engine, case)
    assert [it.number for it in appended.rows] == [it.number for it in entries[-2:]]


def _put_off(settings: Settings, record: wire.Record) -> Incoming:
    """What a host says to an order that it cannot work on now."""
    order: Any = CODEC.decode(record.value)
    said = e.OrderDeferred(
        case=order.case, order=order.order, system=order.system, until=NOW, reason="run_limit"
    )
    return arrived(answer(Place(settings.data).keys, record, said), next(OFFSETS))


def _raises(_: Any) -> Any:
    raise CodecError("too large")


def _says_too_much(decided: tuple[Case, list[Said]]) -> Any:
    case, said = decided
    event: Any = next(it.event for it in said if isinstance(it.event, e.IdentityVerified))
    much = replace(event, method="x" * store.LARGEST)
    return case, [replace(it, event=much) if it.event is event else it for it in said]


@pytest.mark.parametrize("how", [_raises, _says_too_much])
async def test_an_event_that_breaks_the_decider_is_put_aside_and_the_others_go_on(
    settings: Settings, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, how: Any
) -> None:
    """Such as one that says more than a record can hold: it must not stop every other case."""
    good, bad, sent = uuid4(), uuid4(), Sent()

    def breaking(case: Any, event: Any, *rest: Any, **more: Any) -> Any:
        decided = decide(case, event, *rest, **more)
        return how(decided) if event.case == bad else decided

    one = decider(settings, engine, sent)
    batch = await requests(settings, bad, good)
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.orchestrator.decider.decide", breaking)
        await one.take(batch)
    (letter,) = of_topic(sent.records, flow.DEAD_LETTERS)
    assert CODEC.decode(letter.value).reason == "incident: undecidable"  # type: ignore[attr-defined]
    assert await reading.ledger(engine, bad) == []
    assert await reading.ledger(engine, good)
    await one.take(again(batch))  # when it can be decided
    assert await reading.ledger(engine, bad)


async def test_a_host_key_that_cannot_be_read_makes_nothing_a_dead_letter(
    settings: Settings, engine: AsyncEngine
) -> None:
    """Such as one whose folder is not mounted yet: the batch is tried again."""
    sent, case = Sent(), uuid4()
    folder = Place(settings.data).keys.hosts("freshdesk")
    batch, away = await requests(settings, case), folder.with_name("away")
    folder.rename(away)
    one = decider(settings, engine, sent)
    with pytest.raises(KeyFileError):
        await one.take(batch)
    assert sent.records == []
    away.rename(folder)
    await one.take(batch)
    assert await reading.ledger(engine, case)
    assert not of_topic(sent.records, flow.DEAD_LETTERS)


async def test_what_is_refused_is_put_aside_once_though_publishing_fails(
    settings: Settings, engine: AsyncEngine
) -> None:
    rubbish = wire.Record(topic=flow.REQUESTS, key=b"", value=b"rubbish")
    batch = [arrived(rubbish, next(OFFSETS)) for _ in range(60)]  # twice that is past the limit
    one = decider(settings, engine, Broken())
    with pytest.raises(ConnectionError):
        await one.take(batch)
    for _ in range(3):
        await one.take(batch)
    sent, later = Sent(), datetime.now(UTC) + timedelta(minutes=1)
    keys = Place(settings.data).keys.orchestrator()
    assert await Publisher(engine, sent, keys, lambda: later).sweep() == len(batch)
    assert len(of_topic(sent.records, flow.DEAD_LETTERS)) == len(batch)


async def test_a_key_whose_end_has_moved_meanwhile_is_not_destroyed(
    settings: Settings, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supplement was signed after the sweep had looked, and before it had its locks."""
    case, late = uuid4(), datetime.now(UTC) + settings.record_key_lives + timedelta(days=1)
    one = decider(settings, engine, Sent())
    await one.take(await requests(settings, case))

    async def moved(connection: AsyncConnection, cases: Collection[UUID]) -> None:
        await locked_(connection, cases)
        await connection.execute(update(tables.keys).values(destroy_at=late + timedelta(days=1)))

    locked_ = store.lock
    monkeypatch.setattr("pipeline.orchestrator.case_cache.store.lock", moved)
    await one.expire_keys(late)
    assert {it.destroyed_at for it in await reading.keys(engine)} == {None}


async def test_another_person_under_a_known_case_is_refused(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent, case = Sent(), uuid4()
    one = decider(settings, engine, sent)
    await one.take(await requests(settings, case))
    await one.take(await requests(settings, case))  # sealed anew: the same submission
    assert not of_topic(sent.records, flow.DEAD_LETTERS)
    await one.take(await requests(settings, case, email="b@example.org"))
    (letter,) = of_topic(sent.records, flow.DEAD_LETTERS)
    assert CODEC.decode(letter.value).reason == "incident: case_id_taken"  # type: ignore[attr-defined]


async def test_a_later_process_folds_what_an_earlier_one_wrote(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent, case = Sent(), uuid4()
    await decider(settings, engine, sent).take(await requests(settings, case))
    later = decider(settings, engine, sent)
    due = Due(NOW + timedelta(days=900), "deadline")
    await later.tick({case: [due]})  # overtaken: nothing is said
    entries = await reading.entries(engine, case)
    budget = next(it for it in await _dues(engine, case) if it.kind == "search")
    await later.tick({case: [budget]})
    after = await reading.entries(engine, case)
    assert after[len(entries)].type == "search_overdue"


async def test_a_due_row_is_claimed_by_one(settings: Settings, engine: AsyncEngine) -> None:
    cases = [uuid4() for _ in range(20)]
    await decider(settings, engine, Sent()).take(await requests(settings, *cases))
    other = await connect(url_of(settings.register, settings.data))
    now = NOW + timedelta(days=3650)

    async def claim(of: AsyncEngine) -> dict[UUID, list[Due]]:
        async with of.begin() as connection:
            return await store.claim_dues(connection, now, Brake())

    claims = await asyncio.gather(*(claim(it) for it in (engine, other) * 4))
    await other.dispose()
    rows = [(case, due) for it in claims for case, dues in it.items() for due in dues]
    assert {case for case, _ in rows} == set(cases)
    assert len(rows) == len(set(rows))


@SQLITE_ALONE
async def test_a_destroyed_key_is_gone_from_the_file(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    await decider(settings, engine, Sent()).take(await requests(settings, case))
    keys = CaseKeys(Place(settings.data).keys.wrapping())
    async with engine.begin() as connection:
        found = await keys.of(connection, [case])
        wrapped = {it.id: it.wrapped for it in await connection.execute(select(tables.keys))}
        gone = found[case, RECORD].id
        await destroy(connection, gone, NOW)
    async with engine.connect() as connection:
        assert (await keys.of(connection, [case])).keys() == {(case, PACKAGE)}
    await engine.dispose()
    async with engine.connect() as connection:
        await connection.commit()
    content = _bytes(settings.data)
    assert wrapped[gone] not in content
    assert wrapped[found[case, PACKAGE].id] in content


async def test_a_key_whose_time_is_up_is_destroyed_and_the_ledger_says_so(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent, case = Sent(), uuid4()
    one = decider(settings, engine, sent)
    await one.take(await requests(settings, case))
    later = datetime.now(UTC) + settings.record_key_lives + timedelta(days=1)
    await one.expire_keys(later)
    await one.expire_keys(later)
    types = [it.type for it in await reading.entries(engine, case)]
    assert types.count("key_destroyed") == 1
    async with engine.connect() as connection:
        keys = await CaseKeys(Place(settings.data).keys.wrapping()).of(connection, [case])
    assert (case, RECORD) not in keys


async def test_what_a_dead_process_owed_is_published_by_another(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent = Sent()
    record = wire.Record(topic=flow.LEDGER, key=b"k", value=b"v", headers=(("a", b"b"),))
    old = datetime.now(UTC) - timedelta(minutes=1)
    async with engine.begin() as connection:
        await store.owe(connection, [record], old)
    keys = Place(settings.data).keys.orchestrator()
    assert await Publisher(engine, sent, keys).sweep() == 1
    (published,) = sent.records
    assert replace(published, headers=published.headers[:1]) == record
    check_signature(arrived(published, 0), keys)  # by the key that is in force as it leaves
    assert await Publisher(engine, sent, keys).sweep() == 0


async def test_no_question_of_the_decider_or_the_clock_reads_a_whole_table(
    settings: Settings, engine: AsyncEngine
) -> None:
    """So that what a case costs does not grow with the cases that are closed."""
    asked: dict[str, Any] = {}

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            asked[statement] = parameters

    one, case = decider(settings, engine, Sent()), uuid4()
    event.listen(engine.sync_engine, "before_cursor_execute", note)
    came = await requests(settings, case)
    await one.take(came)
    await decider(settings, engine, Sent()).take(again(came))  # has nothing in memory
    publisher = Publisher(engine, Sent(), Place(settings.data).keys.orchestrator())
    await sweep(one, publisher, engine, NOW + settings.record_key_lives + timedelta(days=1))
    await reading.find(engine, str(case)[:8])
    await reading.entries(engine, case)
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    plans = {it: await _plan(engine, it, given) for it, given in asked.items()}
    large = ("cases", "ledger", "keys", "dues", "erased")
    assert all(
        any(f"FROM {name} " in f"{it} ".replace("\n", " ") for it in asked) for name in large
    )
    assert [it for it, plan in plans.items() if _scans(plan, large)] == []


async def test_a_case_is_found_by_the_beginning_of_its_id(
    settings: Settings, engine: AsyncEngine
) -> None:
    first, second, other = (UUID(it.ljust(32, "0")) for it in ("ab1", "ab2f", "ac"))
    await decider(settings, engine, Sent()).take(await requests(settings, first, second, other))
    assert await reading.find(engine, "AB2") == second
    assert await reading.find(engine, str(first)) == first
    assert await reading.find(engine, str(first)[:9]) == first
    for wrong in ("ab", "ad", "", "-", "abx", str(first) + "0"):
        with pytest.raises(reading.NoCaseError):
            await reading.find(engine, wrong)


async def _plan(engine: AsyncEngine, statement: str, given: Any) -> str:
    """How the database would answer. It reads a whole table only for want of an index."""
    async with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            return "\n".join(it.detail for it in rows)
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", given)
        return "\n".join(it[0] for it in rows)


def _scans(plan: str, large: Sequence[str]) -> bool:
    return any(f"SCAN {it}" in plan or f"Seq Scan on {it}" in plan for it in large)


async def _dues(engine: AsyncEngine, case: UUID) -> list[Due]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(tables.dues).where(tables.dues.c.case_id == case))
        return [Due(it.at, it.kind, it.ref) for it in rows]


def _bytes(folder: Path) -> bytes:
    return b"".join(it.read_bytes() for it in sorted(folder.glob("register.db*")))


async def test_what_is_ordered_is_in_the_ledgers_topic_before_it_leaves(
    settings: Settings, engine: AsyncEngine
) -> None:
    """Also of many cases in one batch: a host never knows of an order that only a register knew."""
    sent = Sent()
    await decider(settings, engine, sent).take(await requests(settings, *(uuid4() for _ in "123")))
    topics = [it.topic for it in sent.records]
    assert topics.count(flow.LEDGER) == 3
    assert set(topics[:3]) == {flow.LEDGER}
    assert flow.work("freshdesk") in topics[3:]


async def test_a_stored_offset_never_goes_back(settings: Settings, engine: AsyncEngine) -> None:
    """A process that lost its partitions may still finish an old batch, after a newer one."""
    batch = await requests(settings, uuid4(), uuid4())
    await decider(settings, engine, Sent()).take(batch)
    async with engine.begin() as connection:
        await store.save_offsets(connection, batch[:1])
    async with engine.connect() as connection:
        offsets = list(await connection.execute(select(tables.offsets)))
    assert [(it.topic, it.partition, it.next) for it in offsets] == [
        (flow.REQUESTS, 0, batch[1].offset + 1)
    ]


async def test_a_register_that_goes_back_under_a_running_process_is_not_decided_on(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent, first = Sent(), uuid4()
    deciding = decider(settings, engine, sent)
    batch = await requests(settings, first, uuid4(), uuid4())
    await deciding.take(batch[:1])
    await deciding.take(batch[1:2])
    before = len(sent.records)
    async with engine.begin() as connection:
        await connection.execute(update(tables.offsets).values(next=0))
    with pytest.raises(RegisterBehindError, match="habeas recover"):
        await deciding.take(batch[2:])
    with pytest.raises(RegisterBehindError):
        await deciding.tick({first: [Due(NOW, "deadline")]})
    assert len(sent.records) == before
