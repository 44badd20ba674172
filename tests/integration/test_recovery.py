"""Taking over from the ledger's topic, on both databases: whole, forked, or not all there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app, flow
from pipeline.app import Place
from pipeline.case.brake import Brake
from pipeline.case.lost import KEY_ENDED, KEY_LOST
from pipeline.intake.envelopes import Envelopes
from pipeline.intake.senders_file import SendersFile
from pipeline.kafka import ledger_topic, wire
from pipeline.kafka.incoming import Incoming
from pipeline.kafka.ledger_topic import RecordKey, Told
from pipeline.recovery import register_rows, whose
from pipeline.recovery.takeover import Taken, Takeover
from pipeline.register import reading, store, tables
from pipeline.register.case_keys import PACKAGE, RECORD, CaseKeys
from pipeline.register.gathered import Gathered
from pipeline.settings import Settings
from schemas.events import RecordRefused, SearchFailed, SearchOrdered
from tests.fakes.deciders import CODEC, NOW, Sent, again, arrived, decider, of_topic, requests
from tests.fakes.proofs import answer

from .test_register import engine, settings

__all__ = ["engine", "settings"]


Keys = Mapping[UUID, RecordKey]


async def record_keys(settings: Settings, engine: AsyncEngine, *cases: UUID) -> Keys:
    """The keys that the ledger's topic is read with: of these cases, as the register has them."""
    keys = CaseKeys(Place(settings.data).keys.wrapping())
    async with engine.connect() as connection:
        return await register_rows.record_keys(connection, keys, cases)


def told(records: Sequence[wire.Record], keys: Keys) -> list[Told]:
    """What these records tell to who has these keys, as the ledger's topic has them."""
    found = [
        entry
        for n, it in enumerate(of_topic(records, flow.LEDGER))
        for entry in ledger_topic.entries(arrived(it, n), CODEC, keys=keys)
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
        wrapping = Place(settings.data).keys.wrapping()
        keyed = await register_rows.key_owners(connection, wrapping, {RECORD}, PACKAGE)
        taking = Takeover(
            connection,
            gathered,
            keyed=keyed,
            behind=behind,
            rules=app.rules(settings),
            codec=CODEC,
            envelopes=envelopes(settings),
            now=NOW,
        )
        return await taking.every()


def envelopes(settings: Settings) -> Envelopes:
    place = Place(settings.data)
    return Envelopes(CODEC, SendersFile(place.intakes), place.keys.pipeline())


async def decided(settings: Settings, engine: AsyncEngine, case: UUID) -> list[Told]:
    """Open a case; what the topic tells of it."""
    sent = Sent()
    await decider(settings, engine, sent).take(await requests(settings, case))
    return told(sent.records, await record_keys(settings, engine, case))


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


async def forget_all(engine: AsyncEngine) -> None:
    """The register as it was before it heard of any case."""
    async with engine.begin() as connection:
        for it in (tables.ledger, tables.cases, tables.dues, tables.keys):
            await connection.execute(delete(it))


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
    case, first = uuid4(), Sent()
    await decider(settings, engine, first).take(await requests(settings, case))
    await forget_all(engine)
    await decided(settings, engine, case)
    ours = await reading.ledger(engine, case)
    entries = told(first.records, await record_keys(settings, engine, case))
    assert all(it.is_foreign for it in entries)
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
    await forget_all(engine)
    entries = told(first.records, {})
    taken = await take_over(settings, engine, entries)
    assert [(it.case, it.state) for it in taken.lost] == [(case, "unread")]
    assert (taken.cases, taken.events) == (1, len(entries))
    assert await aside(engine) == {case: KEY_LOST}
    deciding = decider(settings, engine, sent)
    await deciding.take(again(request))  # as it is read again from the topic
    async with engine.begin() as connection:
        assert await store.claim_dues(connection, NOW + timedelta(days=90), Brake()) == {}
    await deciding.take([_failed(settings, first)])
    letters = [CODEC.decode(it.value) for it in sent.records]
    assert {it.topic for it in sent.records} == {flow.DEAD_LETTERS}
    asked, answered = (it.reason for it in letters if isinstance(it, RecordRefused))
    # Whether it repeats the first cannot be read any more: it is not dropped.
    assert asked == "incident: case_set_aside"
    assert answered.startswith("not authenticated: case_set_aside")
    assert await reading.ledger(engine, case) == []
    (line,) = await reading.cases(engine)
    assert (line.id, line.state, line.broken) == (case, "unread", KEY_LOST)
    again_taken = await take_over(settings, engine, entries, behind=False)
    assert (again_taken.events, again_taken.newly_aside) == (0, 0)
    assert again_taken.lost == taken.lost


async def test_what_nobody_could_read_is_taken_over_once_the_key_is_back(
    settings: Settings, engine: AsyncEngine
) -> None:
    case, sent = uuid4(), Sent()
    await decider(settings, engine, sent).take(await requests(settings, case))
    whole, row = await reading.ledger(engine, case), await row_of(engine, case)
    async with engine.begin() as connection:
        keys = [dict(it._mapping) for it in await connection.execute(select(tables.keys))]
    await forget_all(engine)
    await take_over(settings, engine, told(sent.records, {}))
    assert await reading.ledger(engine, case) == []
    async with engine.begin() as connection:
        kept = await store.unchained(connection, case)
        await connection.execute(insert(tables.keys), keys)
    assert [(it.number, it.id, it.type) for it in kept] == [
        (it.number, it.id, it.type) for it in whole
    ]
    entries = told(sent.records, await record_keys(settings, engine, case))
    taken = await take_over(settings, engine, entries)
    assert (taken.cases, taken.events, taken.lost) == (1, len(whole), [])
    assert await reading.ledger(engine, case) == whole
    assert await row_of(engine, case) == row
    assert await aside(engine) == {}
    async with engine.begin() as connection:
        assert await store.unchained(connection, case) == []


async def test_of_a_case_whose_key_was_destroyed_the_topic_tells_only_that(
    settings: Settings, engine: AsyncEngine
) -> None:
    case, sent = uuid4(), Sent()
    deciding = decider(settings, engine, sent)
    await deciding.take(await requests(settings, case))
    await deciding.expire_keys(datetime.now(UTC) + settings.record_key_lives + timedelta(days=1))
    whole = await reading.ledger(engine, case)
    assert whole[-1].type == "key_destroyed"
    at_its_end = await record_keys(settings, engine, case)
    read = [it for it in told(sent.records, at_its_end) if it.entry.body]
    assert [it.entry for it in read] == [it for it in whole if it.type == "key_destroyed"]
    # A register that has it all knows it as it was.
    again_told = told(sent.records, at_its_end)
    assert (await take_over(settings, engine, again_told, behind=False)).events == 0
    assert await aside(engine) == {}
    # One that has nothing of it can only know that it is over.
    await forget_all(engine)
    taken = await take_over(settings, engine, told(sent.records, {}))
    (over,) = taken.lost
    assert over.do == ("nothing: its time was up, and its key was destroyed as it should be",)
    assert await aside(engine) == {case: KEY_ENDED}


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
        await register_rows.set_aside(connection, {case: KEY_LOST}, NOW)
        rules = app.rules(settings)
        await whose.known_again(connection, CODEC, rules, wrapping, frozenset(), NOW)
    deciding = decider(settings, engine, sent)
    await deciding.take([_failed(settings, first)])
    (letter,) = sent.records
    assert "case_set_aside" in getattr(CODEC.decode(letter.value), "reason", "")
    await deciding.take(await requests(settings, other))
    assert await reading.ledger(engine, other)
    await deciding.expire_keys(datetime.now(UTC) + settings.record_key_lives + timedelta(days=1))
    ended = {(it.owner, it.destroyed_at is not None) for it in await reading.keys(engine)}
    assert {(case, True), (other, True)} <= ended


def _failed(settings: Settings, sent: Sent) -> Incoming:
    """A host's answer to the search that was ordered."""
    (record,) = of_topic(sent.records, flow.work("freshdesk"))
    order = CODEC.decode(record.value)
    assert isinstance(order, SearchOrdered)
    failed = SearchFailed(
        case=order.case, order=order.order, system=order.system, reason="forbidden"
    )
    return arrived(answer(Place(settings.data).keys, record, failed), 0)
