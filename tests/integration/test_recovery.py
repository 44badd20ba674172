"""Taking over from the ledger's topic, on both databases: whole, forked, or not all there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app, flow
from pipeline.adapters import ledger_topic, wire
from pipeline.adapters.incoming import Incoming
from pipeline.adapters.ledger_topic import Told
from pipeline.adapters.register import reading, recovering, store, tables
from pipeline.adapters.register.gathered import Gathered
from pipeline.adapters.taking_over import Taken, TakingOver
from pipeline.app import Place
from pipeline.case.brake import Brake
from pipeline.case.lost import KEY_LOST
from pipeline.settings import Settings
from schemas.events import RecordRefused, SearchFailed, SearchOrdered
from tests.fakes.deciders import CODEC, NOW, Sent, again, arrived, decider, of_topic, requests

from .test_register import engine, settings

__all__ = ["engine", "settings"]


def told(records: Sequence[wire.Record]) -> list[Told]:
    """What these records tell, as the ledger's topic has them."""
    found = [
        entry
        for n, it in enumerate(of_topic(records, flow.LEDGER))
        for entry in ledger_topic.entries(arrived(it, n), CODEC)
    ]
    assert all(isinstance(it, Told) for it in found)
    return [it for it in found if isinstance(it, Told)]


async def take_over(
    settings: Settings, engine: AsyncEngine, *runs: Sequence[Told], behind: bool = True
) -> Taken:
    """As a recovery does, without a broker."""
    async with engine.begin() as connection:
        gathered = Gathered()
        for it in runs:
            await gathered.add(connection, it)
        keyed = (await connection.execute(select(tables.keys.c.owner))).scalars()
        taking = TakingOver(
            connection,
            gathered,
            keyed=frozenset(keyed),
            behind=behind,
            rules=app.rules(settings),
            codec=CODEC,
            now=NOW,
        )
        return await taking.every()


async def decided(settings: Settings, engine: AsyncEngine, case: UUID) -> list[Told]:
    """Open a case; what the topic tells of it."""
    sent = Sent()
    await decider(settings, engine, sent).take(await requests(settings, case))
    return told(sent.records)


async def cut(engine: AsyncEngine, case: UUID, number: int) -> None:
    """The register as it was when this case had so many events."""
    entries = await reading.ledger(engine, case)
    kept = [it for it in entries if it.number <= number]
    async with engine.begin() as connection:
        mine = tables.ledger.c.case_id == case
        await connection.execute(delete(tables.ledger).where(mine, tables.ledger.c.number > number))
        row = {"number": number, "head": store.chain(kept)}
        chosen = update(tables.cases).where(tables.cases.c.id == case)
        await connection.execute(chosen.values(**row))


async def aside(engine: AsyncEngine) -> dict[UUID, str]:
    async with engine.connect() as connection:
        return await store.set_aside(connection)


async def row_of(engine: AsyncEngine, case: UUID) -> tuple[object, ...]:
    """A case's row and due rows."""
    async with engine.connect() as connection:
        (row,) = await connection.execute(select(tables.cases).where(tables.cases.c.id == case))
        dues = select(tables.dues).where(tables.dues.c.case_id == case).order_by(tables.dues.c.ref)
        return (*row, *(it.ref for it in await connection.execute(dues)))


async def test_what_comes_twice_and_in_any_order_is_taken_over_once(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    entries = await decided(settings, engine, case)
    whole, row = await reading.ledger(engine, case), await row_of(engine, case)
    await cut(engine, case, 2)
    taken = await take_over(settings, engine, entries[::-1], entries)
    assert (taken.cases, taken.events) == (1, len(entries) - 2)
    assert await reading.ledger(engine, case) == whole
    assert await row_of(engine, case) == row
    again = await take_over(settings, engine, entries)
    assert (again.events, again.broken, await aside(engine)) == (0, [], {})


async def test_a_gap_leaves_the_case_alone_and_the_others_go_on(
    settings: Settings, engine: AsyncEngine
) -> None:
    good, bad = uuid4(), uuid4()
    entries = await decided(settings, engine, good) + await decided(settings, engine, bad)
    for case in (good, bad):
        await cut(engine, case, 2)
    holed = [it for it in entries if (it.case, it.entry.number) != (bad, 3)]
    taken = await take_over(settings, engine, holed)
    assert [(it.case, it.why) for it in taken.broken] == [
        (bad, "event 3 is neither here nor on the topic")
    ]
    assert taken.cases == 1
    assert len(await reading.ledger(engine, bad)) == 2
    assert (await aside(engine)).keys() == {bad}
    # What was missing turns up: the case is whole, and decided again.
    taken = await take_over(settings, engine, entries)
    assert (taken.cases, taken.broken, await aside(engine)) == (1, [], {})
    assert (await row_of(engine, bad))[0] == bad


async def test_what_was_decided_on_a_restored_register_is_a_fork_and_nothing_is_guessed(
    settings: Settings, engine: AsyncEngine
) -> None:
    """The same request, decided again: equal ids, other keys, hence other bodies."""
    case = uuid4()
    entries = await decided(settings, engine, case)
    async with engine.begin() as connection:
        for it in (tables.ledger, tables.cases, tables.dues, tables.keys):
            await connection.execute(delete(it))
    await decided(settings, engine, case)
    ours = await reading.ledger(engine, case)
    taken = await take_over(settings, engine, entries)
    assert [it.case for it in taken.broken] == [case]
    assert await reading.ledger(engine, case) == ours
    sent = Sent()
    await decider(settings, engine, sent).take(
        await requests(settings, case, email="b@example.org")
    )
    assert {it.topic for it in sent.records} == {flow.DEAD_LETTERS}


async def test_a_topic_that_lacks_something_harms_only_who_needs_it(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    entries = await decided(settings, engine, case)
    taken = await take_over(settings, engine, entries[1:], behind=False)
    assert [it.why for it in taken.broken] == ["event 1 is here and not on the topic"]
    assert await aside(engine) == {}
    await take_over(settings, engine, entries[1:], behind=True)
    assert (await aside(engine)).keys() == {case}


async def test_a_case_whose_key_is_lost_is_set_aside_though_the_topic_lacks_it_too(
    settings: Settings, engine: AsyncEngine
) -> None:
    """Or an orchestrator would miss its wrapping key for ever, and not start."""
    case = uuid4()
    entries = await decided(settings, engine, case)
    async with engine.begin() as connection:
        await connection.execute(delete(tables.keys))
    await take_over(settings, engine, entries[1:], behind=False)
    assert (await aside(engine)).keys() == {case}


async def test_nothing_is_decided_about_a_case_whose_key_is_lost(
    settings: Settings, engine: AsyncEngine
) -> None:
    case, first, sent = uuid4(), Sent(), Sent()
    request = await requests(settings, case)
    await decider(settings, engine, first).take(request)
    entries = told(first.records)
    async with engine.begin() as connection:
        for it in (tables.ledger, tables.cases, tables.dues, tables.keys):
            await connection.execute(delete(it))
    taken = await take_over(settings, engine, entries)
    assert [it.case for it in taken.lost] == [case]
    assert await aside(engine) == {case: KEY_LOST}
    deciding = decider(settings, engine, sent)
    await deciding.take(again(request))  # as it is read again from the topic
    async with engine.begin() as connection:
        assert await store.claim_dues(connection, NOW + timedelta(days=90), Brake()) == {}
    assert sent.records == []
    await deciding.take([_failed(first)])
    (letter,) = sent.records
    assert letter.topic == flow.DEAD_LETTERS
    event = CODEC.decode(letter.value)
    assert isinstance(event, RecordRefused)
    assert event.reason == "case_set_aside"
    assert len(await reading.ledger(engine, case)) == len(entries)


async def test_a_case_that_was_set_aside_for_want_of_its_wrapping_key_stops_nobody(
    settings: Settings, engine: AsyncEngine
) -> None:
    case, other, first, sent = uuid4(), uuid4(), Sent(), Sent()
    await decider(settings, engine, first).take(await requests(settings, case))
    wrapping = Place(settings.data).keys.wrapping()
    (old,) = wrapping
    wrapping.create(NOW + timedelta(days=1))
    wrapping.destroy(old)
    async with engine.begin() as connection:
        await recovering.set_aside(connection, {case: KEY_LOST}, NOW)
    deciding = decider(settings, engine, sent)
    await deciding.take([_failed(first)])
    (letter,) = sent.records
    assert getattr(CODEC.decode(letter.value), "reason", "") == "case_set_aside"
    await deciding.take(await requests(settings, other))
    assert await reading.ledger(engine, other)
    await deciding.expire_keys(datetime.now(UTC) + settings.record_key_lives + timedelta(days=1))
    ended = {(it.owner, it.destroyed_at is not None) for it in await reading.keys(engine)}
    assert {(case, True), (other, True)} <= ended


def _failed(sent: Sent) -> Incoming:
    """A host's answer to the search that was ordered."""
    (record,) = of_topic(sent.records, flow.work("freshdesk"))
    order = CODEC.decode(record.value)
    assert isinstance(order, SearchOrdered)
    answer = SearchFailed(
        case=order.case, order=order.order, system=order.system, reason="forbidden"
    )
    framed = wire.Record(topic=flow.RESULTS, key=record.key, value=CODEC.encode(answer))
    return arrived(framed, 0)
