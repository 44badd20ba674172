"""Holds on both databases: who lifts them, what counts against a limit, what the clock leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import flow
from pipeline.case.brake import EVERY, Brake
from pipeline.intake.roles import Role
from pipeline.intake.senders import Sender, SenderKey, Senders
from pipeline.orchestrator.braking import BY_ITSELF, OBSERVED, Braking
from pipeline.register import holds, reading, store, tables
from pipeline.register.engine import connect, migrate, url_of
from pipeline.register.holds import Hold, HoldError
from pipeline.settings import Settings
from tests.fakes.by_hand import by_hand
from tests.unit.worlds import rules

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ANN, BOB = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
DPO = frozenset({Role.DPO})
PEOPLE = Senders(
    {},
    {
        "ann": Sender((SenderKey(ANN.public_key()),), roles=DPO),
        "bob": Sender((SenderKey(BOB.public_key()),), roles=DPO),
        "ann-again": Sender((SenderKey(ANN.public_key()),), roles=DPO),
    },
)


@pytest.fixture
async def engine(tmp_path: Path, register: str) -> AsyncIterator[AsyncEngine]:
    made = await connect(url_of(register, tmp_path))
    await migrate(made)
    yield made
    await made.dispose()


async def engaged(engine: AsyncEngine, system: str = "stripe") -> Hold:
    async with engine.begin() as connection:
        return await holds.engage(connection, system, reason="why", by="somebody", at=NOW)


async def agree(
    engine: AsyncEngine, hold: Hold, name: str, key: Ed25519PrivateKey, senders: Senders = PEOPLE
) -> bool:
    later = NOW + timedelta(minutes=30)
    async with engine.begin() as connection:
        lift = holds.signed(hold, name, key, name, later)
        return await holds.agree(connection, hold, lift, senders)


async def test_a_hold_is_lifted_by_two_people_and_kept_for_audit(engine: AsyncEngine) -> None:
    hold, other = await engaged(engine), await engaged(engine, "mailgun")
    assert not await agree(engine, hold, "ann", ANN)
    async with engine.connect() as connection:
        assert await holds.held(connection) == {"stripe", "mailgun"}
    assert await agree(engine, hold, "bob", BOB)
    async with engine.connect() as connection:
        assert await holds.held(connection) == {"mailgun"}
        assert [it.id for it in await holds.listed(connection)] == [other.id]
        (was,) = (it for it in await holds.listed(connection, lifted=True) if it.id == hold.id)
    assert was.lifted_at == NOW + timedelta(minutes=30)
    assert [(it.console, it.login) for it in was.lifts] == [("ann", "ann"), ("bob", "bob")]
    for it, key in zip(was.lifts, (ANN, BOB), strict=True):
        said = holds.statement(hold, it.console, it.login, it.at)
        key.public_key().verify(it.signature, said)


@pytest.mark.parametrize(
    ("name", "key", "says"),
    [
        ("ann", ANN, "ann agreed before: it takes another person"),
        ("ann-again", ANN, "ann-again agreed before: it takes another person"),
        ("bob", ANN, r"not the one of \[consoles.bob\]"),
        ("carl", BOB, r"not the one of \[consoles.carl\]"),
    ],
    ids=["twice", "under two names", "with another's key", "unregistered key"],
)
async def test_one_person_is_not_two(
    engine: AsyncEngine, name: str, key: Ed25519PrivateKey, says: str
) -> None:
    hold = await engaged(engine)
    assert not await agree(engine, hold, "ann", ANN)
    with pytest.raises(HoldError, match=says):
        await agree(engine, hold, name, key)
    async with engine.connect() as connection:
        assert await holds.held(connection) == {"stripe"}


async def test_an_agreement_is_to_one_hold_and_ends_with_its_console(engine: AsyncEngine) -> None:
    first, second = await engaged(engine), await engaged(engine)
    lift = holds.signed(first, "ann", ANN, "ann", NOW)
    async with engine.begin() as connection:
        with pytest.raises(HoldError):
            await holds.agree(connection, second, lift, PEOPLE)
    assert not await agree(engine, first, "ann", ANN)
    without = Senders({}, {"bob": PEOPLE.consoles["bob"]})
    assert not await agree(engine, first, "bob", BOB, without)


async def test_two_who_agree_at_once_lift_it_once(engine: AsyncEngine) -> None:
    hold = await engaged(engine)
    lifted = await asyncio.gather(agree(engine, hold, "ann", ANN), agree(engine, hold, "bob", BOB))
    assert sorted(lifted) == [False, True]
    async with engine.connect() as connection:
        assert await holds.held(connection) == frozenset()


async def test_what_was_ordered_lately_is_counted_by_hour_and_day(engine: AsyncEngine) -> None:
    ago = [timedelta(minutes=5), timedelta(minutes=59), timedelta(hours=2), timedelta(hours=23)]
    async with engine.begin() as connection:
        for n, it in enumerate(sorted(ago, reverse=True)):
            await holds.record(connection, uuid4(), "stripe", n, 10, NOW - it)
        await holds.record(connection, uuid4(), "mailgun", 1, 3, NOW)
        assert await holds.ordered(connection, NOW) == {"stripe": (20, 40), "mailgun": (3, 3)}
        tomorrow = NOW + timedelta(hours=23, minutes=30)
        assert await holds.ordered(connection, tomorrow) == {"stripe": (0, 10), "mailgun": (0, 3)}
        assert await holds.ordered(connection, NOW + timedelta(days=2)) == {}


@pytest.mark.parametrize("system", ["stripe", EVERY])
async def test_counting_begins_anew_when_a_hold_is_lifted(engine: AsyncEngine, system: str) -> None:
    hold = await engaged(engine, system)
    async with engine.begin() as connection:
        await holds.record(connection, uuid4(), "stripe", 1, 10, NOW)
    await agree(engine, hold, "ann", ANN)
    await agree(engine, hold, "bob", BOB)
    later = NOW + timedelta(minutes=40)
    async with engine.begin() as connection:
        assert await holds.ordered(connection, later) == {}
        await holds.record(connection, uuid4(), "stripe", 1, 4, later)
        assert await holds.ordered(connection, later) == {"stripe": (4, 4)}


async def test_two_processes_do_not_pass_a_limit_together(
    engine: AsyncEngine, tmp_path: Path, register: str
) -> None:
    """Each counts, then orders: whoever comes second sees what the first ordered."""
    most, tries = 5, 12
    other = await connect(url_of(register, tmp_path))

    async def order(of: AsyncEngine) -> None:
        async with of.begin() as connection:
            await holds.held(connection)  # a snapshot, if there were one
            await holds.count_alone(connection, NOW)
            hour, _ = (await holds.ordered(connection, NOW)).get("stripe", (0, 0))
            if hour < most:
                await holds.record(connection, uuid4(), "stripe", 1, 1, NOW)

    await asyncio.gather(*(order(it) for it in (engine, other) * (tries // 2)))
    await other.dispose()
    async with engine.connect() as connection:
        assert await holds.ordered(connection, NOW) == {"stripe": (most, most)}


async def test_a_hold_that_is_committed_is_seen_by_the_next_decision(
    engine: AsyncEngine, tmp_path: Path, register: str
) -> None:
    """Also by one whose transaction began before, as long as it has not decided yet."""
    known = rules()
    if register:  # SQLite has one writer: a hold waits until the transaction has ended
        async with engine.begin() as connection:
            await store.lock(connection, [uuid4()])
            await engaged(engine, "salesforce")
            braking = await Braking.begin(connection, known, NOW, observe=False)
            assert braking.brake.stops("salesforce")
    await engaged(engine, "freshdesk")
    async with engine.begin() as connection:
        braking = await Braking.begin(connection, known, NOW, observe=False)
    assert braking.brake.stops("freshdesk")
    assert not braking.brake.stops("stripe")


@pytest.mark.parametrize(
    ("brake", "left"),
    [
        (Brake(), []),
        (Brake(held=frozenset({"stripe"})), ["stripe"]),
        (Brake(held=frozenset({EVERY})), ["mailgun", "stripe"]),
        (Brake(observe=True), ["mailgun", "stripe"]),
    ],
    ids=["free", "one", "every", "observe"],
)
async def test_the_clock_leaves_what_is_held_where_it_is(
    engine: AsyncEngine, brake: Brake, left: Sequence[str]
) -> None:
    case = await _waiting(engine, "", "mailgun", "stripe")
    async with engine.begin() as connection:
        claimed = (await store.claim_dues(connection, NOW, brake))[case]
    assert {it.system for it in claimed} == {"", "mailgun", "stripe"} - set(left)
    async with engine.begin() as connection:  # it is claimed as soon as nothing holds it
        freed = (await store.claim_dues(connection, NOW, Brake())).get(case, [])
    assert sorted(it.system for it in freed) == left


async def test_a_case_says_where_it_waits_and_why(engine: AsyncEngine) -> None:
    case, other = await _waiting(engine, "stripe", ""), await _waiting(engine, "mailgun")
    await _waiting(engine, "")
    await engaged(engine)
    assert [(it.system, it.reason) for it in await reading.held(engine, case)] == [
        ("stripe", "why")
    ]
    assert await reading.held(engine, other) == ()
    await engaged(engine, EVERY)
    assert [it.system for it in await reading.held(engine, other)] == ["mailgun"]
    async with engine.connect() as connection:
        waiting = {it.system: it.waiting for it in await holds.listed(connection)}
    assert waiting == {"stripe": 1, EVERY: 2}


async def _waiting(engine: AsyncEngine, *systems: str) -> UUID:
    """A case with a due row for each system; empty is a row that no hold stops."""
    case = uuid4()
    common = {"case_id": case, "kind": "order", "at": NOW, "claimed_until": NOW}
    rows = [{**common, "ref": str(uuid4()), "system": it} for it in systems]
    async with engine.begin() as connection:
        await connection.execute(insert(tables.dues), rows)
    return case


async def test_what_observing_kept_back_waits_for_two_people_afterwards(
    tmp_path: Path, register: str
) -> None:
    """Approved before the mode went to `observe`, its turn came after: no limit saw it."""
    settings = Settings(data=tmp_path / "data", systems="freshdesk", register=register)
    settings.data.mkdir(mode=0o700)
    async with by_hand(settings) as it:
        it.sandbox.seed([{"kind": "contact", "name": "Some One", "email": "a@example.org"}])
        case = await it.ask("a@example.org")
        await it.go(before=flow.work(flow.RESPONSE))
        it.observe = True
        await it.go()
        async with it.engine.connect() as connection:
            (hold,) = await holds.listed(connection)
        assert (hold.system, hold.engaged_by, hold.reason) == ("freshdesk", BY_ITSELF, OBSERVED)
        it.observe = False
        await it.tick()
        types = [entry.type for entry in await reading.ledger(it.engine, case)]
        assert "plan_approved" in types
        assert "task_ordered" not in types
        for name, key in (("ann", ANN), ("bob", BOB)):
            await agree(it.engine, hold, name, key)
        await it.tick()
        types = [entry.type for entry in await reading.ledger(it.engine, case)]
        assert "task_completed" in types
