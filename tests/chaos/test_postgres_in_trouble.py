"""PostgreSQL in trouble while cases are under way: they wait, and go on without anybody's hand."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from tests.chaos.disks import Disk, disk
from tests.postgres import Postgres, room, started
from tests.rig import SESSION, Planted, Rig, plant, states
from tests.soak import SOAK

pytestmark = pytest.mark.asyncio(loop_scope="module")

CASES = 60 if SOAK else 4
LONG = 60.0 if SOAK else 3.0
"""Seconds that trouble lasts."""
MOST = 24
"""Connections that the server takes."""
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    " AND pid <> pg_backend_pid()"
)
TABLES = "cases, ledger, outbox, offsets, dues, keys"


@pytest.fixture(scope="module")
def full() -> Iterator[Disk]:
    """What the server's files lie on; skips all of this where no disk can be mounted."""
    with room() as folder, disk(folder, 200, 0o755) as made:
        yield made


@pytest.fixture(scope="module")
def server(full: Disk) -> Iterator[Postgres]:
    with started(full.folder, f"max_connections = {MOST}") as made:
        made.kill()  # how many it takes is read at the start
        made.start()
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory, server: Postgres) -> AsyncIterator[Rig]:
    register = await server.database()
    folder = tmp_path_factory.mktemp("trouble")
    async with Rig(folder, register=register, options={"HABEAS_PARTITIONS": "2"}) as made:
        made.run("up")
        await made.settled(await made.submit("access", email=plant(made, "before").email))
        yield made


Trouble = Callable[[Rig, Postgres, Disk], Awaitable[None]]


def database(rig: Rig) -> str:
    return str(make_url(rig.register).database)


def reasons(rig: Rig) -> list[str]:
    """Why something was tried again so far, as the log tells."""
    lines = [it for it in rig.roles[0].log.read_text().splitlines() if '.retried"' in it]
    return [said for it in map(json.loads, lines) for said in (it["error"], it.get("reason", ""))]


async def felt(rig: Rig, *wanted: str) -> None:
    """Wait until the pipeline says that it met this."""
    before = len(reasons(rig))
    await rig.wait_for(lambda: set(wanted) & set(reasons(rig)[before:]))


async def end_sessions(rig: Rig, server: Postgres) -> None:
    connection = await server.connect()
    await connection.execute(END_SESSIONS, database(rig))
    await connection.close()


async def killed(rig: Rig, server: Postgres, full: Disk) -> None:
    server.kill()
    await felt(rig, "UnreachableError")
    await asyncio.sleep(LONG)
    server.start()


async def sessions_ended(rig: Rig, server: Postgres, full: Disk) -> None:
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        await end_sessions(rig, server)
        await asyncio.sleep(0.1)


async def connections_used_up(rig: Rig, server: Postgres, full: Disk) -> None:
    taken = []
    watched = asyncio.create_task(felt(rig, "TooManyConnectionsError"))
    ending = await server.connect()
    while not watched.done():
        await ending.execute(END_SESSIONS, database(rig))
        with suppress(asyncpg.TooManyConnectionsError):
            while not watched.done():
                taken.append(await server.connect())
    await asyncio.sleep(LONG)
    for it in (ending, *taken):
        await it.close()
    await watched


async def tables_locked(rig: Rig, server: Postgres, full: Disk) -> None:
    connection = await server.connect(database(rig))
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(LONG)
    await connection.close()


async def deadlocked(rig: Rig, server: Postgres, full: Disk) -> None:
    """Lock what a decision writes last, then what it wrote first: it looks for deadlocks sooner."""
    watched = asyncio.create_task(felt(rig, "DeadlockDetectedError"))
    connection = await server.connect(database(rig))
    await connection.execute("SET deadlock_timeout = '1min'")
    while not watched.done():
        async with connection.transaction():
            await connection.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(0.4)
            await connection.execute("LOCK TABLE cases, ledger, offsets IN ACCESS EXCLUSIVE MODE")
        await rig.submit("access", email="deadlock@example.org")
    await watched
    await connection.close()


async def disk_full(rig: Rig, server: Postgres, full: Disk) -> None:
    watched = asyncio.create_task(felt(rig, "DiskFullError"))
    full.fill()
    while not watched.done():
        await rig.submit("access", email="no-room@example.org")
        await asyncio.sleep(0.1)
    await watched
    full.free()


async def read_only(rig: Rig, server: Postgres, full: Disk) -> None:
    connection = await server.connect()
    named = database(rig)
    await connection.execute(f"ALTER DATABASE {named} SET default_transaction_read_only = on")
    await end_sessions(rig, server)
    await felt(rig, "ReadOnlySQLTransactionError")
    await asyncio.sleep(LONG)
    await connection.execute(f"ALTER DATABASE {named} RESET default_transaction_read_only")
    await connection.close()


async def frozen(rig: Rig, server: Postgres, full: Disk) -> None:
    server.signal(signal.SIGSTOP)
    await asyncio.sleep(SESSION.total_seconds() + LONG)
    server.signal(signal.SIGCONT)


@pytest.mark.parametrize(
    "trouble",
    [
        killed,
        sessions_ended,
        connections_used_up,
        tables_locked,
        deadlocked,
        disk_full,
        read_only,
        frozen,
    ],
)
async def test_cases_wait_and_go_on_by_themselves(
    rig: Rig, server: Postgres, full: Disk, trouble: Trouble
) -> None:
    name = getattr(trouble, "__name__", "").replace("_", "-")
    people = [plant(rig, f"{name}-{n}", tickets=1) for n in range(CASES)]
    cases = [await rig.submit("access", "erasure", email=it.email) for it in people]
    await trouble(rig, server, full)
    after = plant(rig, f"{name}-after", tickets=1)
    cases.append(await rig.submit("access", "erasure", email=after.email))
    for who, case in zip([*people, after], cases, strict=True):
        await _is_whole(rig, who, case)


async def _is_whole(rig: Rig, who: Planted, case: UUID) -> None:
    done = await rig.settled(case)
    assert states(done, "erasure")["freshdesk", "contact"] == {"proved"}
    assert {len(it) for it in rig.effects(*who.keys).values()} == {1}
    (process,) = rig.roles
    assert process.died == 0
