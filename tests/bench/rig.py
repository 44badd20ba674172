"""A pipeline over five trivial systems, in processes of its own, and the hands to measure it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp
from sqlalchemy import func, select

from pipeline import app, flow, settings
from pipeline.kafka import local_kafka
from pipeline.kafka.incoming import Incoming, read_to_end
from pipeline.register import reading, tables
from pipeline.settings import Settings
from tests.fakes.person import with_email

from .systems import SYSTEMS, Behaviour

HERE = Path(__file__).parent
PROCESSES = (("orchestrator", "reports"), ("host", *SYSTEMS), ("response", "notice", "recipients"))
"""Roles of each process."""
PATIENCE = 300.0
"""Seconds that the cases of a run may take together; more means that something stands still."""
LOOK_EVERY = 0.1
STARTS_WITHIN = STOPS_WITHIN = 30.0

Told = Callable[[str, int, int], None]
"""Told what is under way, and how much of how much is done."""


def quietly(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


class BenchError(Exception):
    """Nothing can be measured: the message says why."""


@dataclass(frozen=True)
class Bench:
    """A broker, the trivial server, and a pipeline in processes of its own."""

    settings: Settings
    bootstrap: str
    server: str
    pipeline: tuple[subprocess.Popen[bytes], ...]
    folder: Path
    told: Told = quietly

    async def submit(
        self, cases: Sequence[UUID], claims: Sequence[str], *, every: float = 0.0
    ) -> dict[UUID, datetime]:
        """Ask for these cases, `every` so many seconds; when each was asked for."""
        asked = {}
        async with app.local_edge(self.settings) as edge:
            for it in cases:
                who = with_email(f"{it}@example.org")
                asked[it] = datetime.now(UTC)
                await edge.request(it, claims, who, level=2, received_at=asked[it])
                if every:
                    await asyncio.sleep(every)
        return asked

    async def run(
        self, what: str, claims: Sequence[str], count: int
    ) -> tuple[list[UUID], datetime]:
        """Submit cases all at once and wait until each is reported; when that began."""
        cases = [uuid4() for _ in range(count)]
        asked = await self.submit(cases, claims)
        await self.settled(cases, what)
        return cases, min(asked.values())

    async def settled(self, cases: Sequence[UUID], what: str) -> None:
        """Wait until each of these cases is reported."""
        await self.count("case_reported", cases, len(cases), what)

    async def count(self, type_: str, cases: Sequence[UUID], wanted: int, what: str) -> None:
        """Wait until the ledgers of these cases have so many events of a type together."""
        chosen = select(func.count()).where(
            tables.ledger.c.type == type_, tables.ledger.c.case_id.in_(cases)
        )
        async with app.register(self.settings) as engine, asyncio.timeout(PATIENCE):
            while True:
                async with engine.connect() as connection:
                    done = (await connection.execute(chosen)).scalar_one()
                self.told(what, min(done, wanted), wanted)
                self._check_runs()
                if done >= wanted:
                    return
                await asyncio.sleep(LOOK_EVERY)

    async def ledgers(self, cases: Sequence[UUID]) -> list[list[reading.Entry]]:
        """The ledger of each of these cases."""
        async with app.register(self.settings) as engine:
            return [await reading.entries(engine, it) for it in cases]

    async def records(self, cases: Sequence[UUID]) -> list[Incoming]:
        """Every record about these cases on any topic."""
        names = (it.name for it in flow.topics(SYSTEMS, self.settings))
        keys = {str(it).encode() for it in cases}
        return [it async for it in read_to_end(self.bootstrap, *names) if it.key in keys]

    async def calls(self) -> int:
        """How many calls were made to the systems so far."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.server}/count") as said:
            return int((await said.json())["calls"])

    async def behave(self, *systems: str, latency: float = 0.0, refused: float = 0.0) -> None:
        """Have systems answer so late (seconds), and refuse this share of calls (429)."""
        async with aiohttp.ClientSession() as session:
            for it in systems:
                said = Behaviour(latency=latency, refused=refused).json()
                async with session.put(f"{self.server}/behaviour/{it}", json=said) as answer:
                    answer.raise_for_status()

    def cpu(self) -> float:
        """CPU seconds of the pipeline's processes so far (Linux: proc(5), `stat` 14 and 15)."""
        read = [Path(f"/proc/{it.pid}/stat").read_text() for it in self.pipeline]
        stats = [it.rpartition(")")[2].split() for it in read]
        return sum(int(it[11]) + int(it[12]) for it in stats) / os.sysconf("SC_CLK_TCK")

    def _check_runs(self) -> None:
        """Raise `BenchError` if a process of the pipeline has ended."""
        for n, it in enumerate(self.pipeline):
            if it.poll() is not None:
                tail = _log(self.folder, n).read_text()[-2000:]
                raise BenchError(f"the pipeline ended with {it.returncode}:\n{tail}")


@asynccontextmanager
async def started(folder: Path, told: Told = quietly) -> AsyncIterator[Bench]:
    """Everything started and warm, and stopped afterwards.

    The register is the one that `HABEAS_REGISTER` names, if it is set: an empty database.
    """
    told("Apache Kafka: starting", 0, 1)
    kafka = await local_kafka.start(folder / "kafka")
    processes: list[subprocess.Popen[bytes]] = []
    try:
        server = await _served(processes)
        environ = _environ(folder, kafka.bootstrap, server)
        made = settings.load(environ)
        made.data.mkdir(mode=0o700)
        await app.prepare(made, kafka.bootstrap)
        pipeline = [_run(_log(folder, n), it, environ) for n, it in enumerate(PROCESSES)]
        processes += pipeline
        bench = Bench(made, kafka.bootstrap, server, tuple(pipeline), folder, told)
        await bench.run("warming up", ("access", "erasure"), 10)
        yield bench
    finally:
        await asyncio.to_thread(_stop, processes)
        await kafka.stop()


def _environ(folder: Path, bootstrap: str, server: str) -> dict[str, str]:
    return {
        "HABEAS_BROKER": bootstrap,
        "HABEAS_DATA": str(folder / "data"),
        "HABEAS_REGISTER": os.environ.get("HABEAS_REGISTER", ""),
        "HABEAS_SYSTEMS": ",".join(SYSTEMS),
        "HABEAS_POLICY": str(HERE / "policy"),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
        **{f"HABEAS_{it.upper()}_URL": server for it in SYSTEMS},
    }


async def _served(processes: list[subprocess.Popen[bytes]]) -> str:
    """Start the trivial server; its address."""
    served = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "tests.bench.systems"], stdout=subprocess.PIPE, cwd=HERE.parents[1]
    )
    processes.append(served)
    assert served.stdout is not None
    first = asyncio.to_thread(served.stdout.readline)
    said = await asyncio.wait_for(first, STARTS_WITHIN)
    if not said:
        raise BenchError("the trivial server did not start: run `python -m tests.bench.systems`")
    return str(json.loads(said)["url"])


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End them with SIGTERM, as an operator does; those that do not end are killed."""
    for it in processes:
        it.terminate()
    for it in processes:
        try:
            it.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            it.kill()
            it.wait()


def _log(folder: Path, n: int) -> Path:
    return folder / f"habeas-{n}.log"


def _run(log: Path, roles: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "pipeline.cli", "run", *roles],
            env={**os.environ, **environ},
            stderr=out,
        )
