"""Links in the register, on both databases: made with the order, and gone when they must be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app, flow
from pipeline.app import WEB, Place, register_local
from pipeline.case.case import Case, Known
from pipeline.case.decide import Said
from pipeline.intake.edge import Edge
from pipeline.orchestrator.clock import sweep
from pipeline.orchestrator.outbox import Outbox
from pipeline.orchestrator.publisher import Publisher
from pipeline.register import links, reading, sealing, store, tables
from pipeline.register.case_keys import PACKAGE, RECORD, CaseKeys, destroy, new_key
from pipeline.register.engine import connect, migrate, url_of
from pipeline.register.links import Link
from pipeline.settings import Settings
from schemas.events import IdentityProved, NoticeOrdered
from schemas.records import Sealed, SealedIdentifier
from tests.fakes.deciders import CODEC, NOW, OFFSETS, Sent, arrived, decider, requests, set_up
from tests.fakes.pages import notice
from tests.unit.worlds import rules

UNTIL = NOW + timedelta(days=14)
TAG, OTHER = b"t" * 16, b"o" * 16


@pytest.fixture
def settings(tmp_path: Path, register: str) -> Settings:
    made = set_up(tmp_path, register)
    register_local(Place(tmp_path))
    return made


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    made = await connect(url_of(settings.register, settings.data))
    await migrate(made)
    yield made
    await made.dispose()


def opened_case(case: UUID) -> tuple[Case, sealing.Opened]:
    """A case of one address, as a transaction of the decider has it open."""
    known = {TAG: Known(tag=TAG, kind="email", strong=True, source=sealing.CASE_OPENED)}
    made = Case(id=case, number=5, received_at=NOW, due_at=UNTIL, known=known)
    opened = sealing.Opened({it: new_key(case, it) for it in (RECORD, PACKAGE)})
    address = SealedIdentifier(tag=TAG, kind="email", value="ann@example.org")
    opened.sealed[sealing.CASE_OPENED] = Sealed(identifiers=(address,))
    return made, opened


async def sealed(
    settings: Settings,
    engine: AsyncEngine,
    opened: tuple[Case, sealing.Opened],
    *orders: NoticeOrdered,
) -> list[str]:
    """The tokens that the orders bring, once the decider has sealed and committed them."""
    outbox = Outbox(CODEC, Place(settings.data).keys, rules(), lambda: NOW)
    case, keys = opened
    said = [Said(6 + n, uuid4(), uuid4(), it) for n, it in enumerate(orders)]
    async with engine.begin() as connection:
        done, _ = await outbox.seal(connection, case, said, keys, b"")
    return [sealing.unseal(CODEC, it.event, keys.keys).token for it in done]


async def found(engine: AsyncEngine, token: str) -> Link | None:
    async with engine.connect() as connection:
        return await links.find(connection, token, NOW)


async def remembered(engine: AsyncEngine, case: UUID, tag: bytes = TAG, n: int = 1) -> str:
    ordered = notice(case, tag, UNTIL, n=n)
    async with engine.begin() as connection:
        token = links.token(b"k" * 32, ordered)
        await links.remember(connection, ordered, token, NOW)
    return token


async def test_a_link_is_known_once_its_order_is_decided_and_a_repeat_brings_the_same(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    opened = opened_case(case)
    first = notice(case, TAG, UNTIL)
    (token,) = await sealed(settings, engine, opened, first)
    (again,) = await sealed(settings, engine, opened, replace(first, order=uuid4(), attempt=2))
    assert again == token
    assert await found(engine, token) == Link(case, TAG, UNTIL)
    async with engine.connect() as connection:
        rows = list(await connection.execute(select(tables.links)))
    assert [it.digest for it in rows] == [sha256(token.encode()).digest()]
    assert token.encode() not in repr(rows).encode()


async def test_a_token_is_of_one_case_one_order_and_one_address(
    settings: Settings, engine: AsyncEngine
) -> None:
    case, other = uuid4(), uuid4()
    opened = opened_case(case)
    orders = [notice(case, TAG, UNTIL), notice(case, TAG, UNTIL, n=2)]
    made = await sealed(settings, engine, opened, *orders)
    made += await sealed(settings, engine, opened_case(case), orders[0])
    made += await sealed(settings, engine, opened_case(other), notice(other, TAG, UNTIL))
    made.append(links.token(opened[1].token_key(), notice(case, OTHER, UNTIL)))
    assert len(set(made)) == len(made)
    assert all(len(bytes.fromhex(it)) * 8 >= 128 for it in made)


async def test_only_a_notice_that_asks_to_confirm_has_a_link(
    settings: Settings, engine: AsyncEngine
) -> None:
    case = uuid4()
    orders = [notice(case, b"", UNTIL, kind=it) for it in ("response_ready", "identity_asked")]
    for token in await sealed(settings, engine, opened_case(case), *orders):
        assert await found(engine, token) is None


def test_what_a_host_is_granted_makes_no_token() -> None:
    case = uuid4()
    _, opened = opened_case(case)
    ordered = notice(case, TAG, UNTIL)
    token = links.token(opened.token_key(), ordered)
    for it in sealing.order_grants(ordered, opened.keys):
        assert links.token(it.key, ordered) != token
    assert links.token(opened.tag_key(), ordered) != token


async def test_a_link_whose_time_is_over_is_not_found_and_the_clock_removes_it(
    settings: Settings, engine: AsyncEngine
) -> None:
    token = await remembered(engine, uuid4())
    async with engine.connect() as connection:
        assert await links.find(connection, token, UNTIL - timedelta(seconds=1))
        assert await links.find(connection, token, UNTIL) is None
    one, publisher = (
        decider(settings, engine, Sent()),
        Publisher(engine, Sent(), Place(settings.data).keys.orchestrator()),
    )
    await sweep(one, publisher, engine, UNTIL - timedelta(seconds=1))
    assert await found(engine, token)
    await sweep(one, publisher, engine, UNTIL)
    assert await found(engine, token) is None


async def test_a_case_s_links_go_with_its_record_key(
    settings: Settings, engine: AsyncEngine
) -> None:
    case, other = uuid4(), uuid4()
    one = decider(settings, engine, Sent())
    await one.take(await requests(settings, case))
    tokens = [await remembered(engine, it) for it in (case, other)]
    async with engine.connect() as connection:
        keys = await CaseKeys(Place(settings.data).keys.wrapping()).of(connection, [case])
    for purpose, left in ((PACKAGE, True), (RECORD, False)):
        async with engine.begin() as connection:
            await destroy(connection, keys[case, purpose].id, NOW)
        assert (await found(engine, tokens[0]) is not None) == left
    assert await found(engine, tokens[1])


async def test_a_proof_that_was_decided_on_uses_up_its_links_and_no_other(
    settings: Settings, engine: AsyncEngine
) -> None:
    case, sent = uuid4(), Sent()
    one = decider(settings, engine, sent)
    await one.take(await requests(settings, case))
    used = [await remembered(engine, case), await remembered(engine, case, n=2)]
    kept = [await remembered(engine, case, OTHER), await remembered(engine, uuid4())]
    out = Sent()
    edge = Edge(name=WEB, files=Place(settings.data).keys, codec=CODEC, producer=out)
    proved = IdentityProved(case=case, by=WEB, level=2, method="link", tag=TAG)
    for _ in range(2):  # pressed twice
        await edge.decision(proved, login="link")
    await one.take([arrived(it, next(OFFSETS)) for it in out.records])
    assert not [it for it in sent.records if it.topic == flow.DEAD_LETTERS]
    types = [it.type for it in await reading.entries(engine, case)]
    assert types.count("identity_proved") == 1
    assert [await found(engine, it) for it in used] == [None, None]
    assert None not in [await found(engine, it) for it in kept]


async def test_a_recovery_knows_the_links_again_that_a_backup_did_not(
    settings: Settings, engine: AsyncEngine
) -> None:
    """Those that are out and of use: not the expired, the used, or a case's whose key is gone."""
    case, gone = uuid4(), uuid4()
    await decider(settings, engine, Sent()).take(await requests(settings, case, gone))
    keys = CaseKeys(Place(settings.data).keys.wrapping())
    orders = {
        "out": notice(case, TAG, UNTIL),
        "expired": notice(case, TAG, NOW, n=2),
        "used": notice(case, OTHER, UNTIL, n=3),
        "no link": notice(case, b"", UNTIL, n=4, kind="response_ready"),
        "its key is gone": notice(gone, TAG, UNTIL),
    }
    used = IdentityProved(case=case, by=WEB, level=2, method="link", tag=OTHER)
    async with engine.begin() as connection:
        living = await keys.of(connection, [case, gone])
        await destroy(connection, living[gone, RECORD].id, NOW)
        for n, event in enumerate((*orders.values(), used), start=100):
            entries, _ = store.chained([Said(n, uuid4(), None, event)], b"", NOW)
            await store.append(connection, {event.case: entries})
        await links.remember_again(connection, keys, {case, gone}, NOW)
        await links.remember_again(connection, keys, {case, gone}, NOW)
    tokens = {
        name: links.token(sealing.Opened({RECORD: living[it.case, RECORD]}).token_key(), it)
        for name, it in orders.items()
    }
    assert [name for name, it in tokens.items() if await found(engine, it)] == ["out"]


async def test_the_web_role_reads_and_can_write_nothing(
    settings: Settings, engine: AsyncEngine
) -> None:
    """Nor does it wait for who writes, or keep them waiting."""
    token = await remembered(engine, uuid4())
    async with app.register(settings, reading=True) as readers, engine.begin() as writing:
        await links.forget_expired(writing, NOW)
        async with readers.connect() as connection:
            assert await links.find(connection, token, NOW)
            with pytest.raises(DBAPIError):
                await links.forget_expired(connection, UNTIL)
    assert await found(engine, token)
