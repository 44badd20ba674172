"""How long a case takes, and what it costs, beside a floor measured in the same run.

    make bench    500 access and 300 erasure cases over five systems that answer at once

The pipeline runs in two processes: one decides, one works on orders.

The floor is what no pipeline on this machine can beat: raw aiokafka producing and consuming as many
records of the same size, and aiohttp making as many calls to the same server. Rows go to the screen
and to `tests/bench/results.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from uuid import UUID, uuid4

import aiohttp
from aiokafka import AIOKafkaConsumer
from sqlalchemy import func, select

from pipeline import app, flow, settings
from pipeline.adapters import local_kafka, topics
from pipeline.adapters.incoming import Incoming, read_to_end
from pipeline.adapters.producer import producer
from pipeline.adapters.register import reading, tables
from pipeline.flow import Topic
from pipeline.settings import Settings
from schemas.records import Person, SealedIdentifier

from .systems import SYSTEMS

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PROCESSES = (("orchestrator", "reports"), ("response", "notice", "host", *SYSTEMS))
"""Roles of each process."""
AT_ONCE = 64
"""Calls that the floor makes at the same time."""


@dataclass(frozen=True)
class Row:
    """One line of the table. `of_floor` is how much of the floor's speed is reached."""

    name: str
    cases_per_second: float
    cpu_ms_per_case: float
    p50_s: float
    p95_s: float
    of_floor: float
    records_per_case: float
    calls_per_case: float


@dataclass(frozen=True)
class Bench:
    """A broker, the trivial server, and a pipeline in processes of its own."""

    settings: Settings
    bootstrap: str
    server: str
    pids: tuple[int, ...]

    async def run(self, name: str, claims: Sequence[str], count: int) -> Row:
        """Submit cases all at once; wait until each is reported."""
        cases = [uuid4() for _ in range(count)]
        cpu, calls, began = _cpu(self.pids), await self._calls(), time.monotonic()
        await self._submit(cases, claims)
        await self._settled(cases)
        seconds = time.monotonic() - began
        cpu, calls = _cpu(self.pids) - cpu, await self._calls() - calls
        records = await self._records(cases)
        floor = await self._floor(records, calls)
        waits = quantiles(await self._waits(cases), n=20)
        return Row(
            name=name,
            cases_per_second=round(count / seconds, 1),
            cpu_ms_per_case=round(1000 * cpu / count, 1),
            p50_s=round(waits[9], 2),
            p95_s=round(waits[18], 2),
            of_floor=round(floor / seconds, 3),
            records_per_case=round(len(records) / count, 1),
            calls_per_case=round(calls / count, 1),
        )

    async def _submit(self, cases: Sequence[UUID], claims: Sequence[str]) -> None:
        async with app.local_edge(self.settings) as edge:
            for it in cases:
                email = SealedIdentifier(tag=b"", kind="email", value=f"{it}@example.org")
                person = Person(identifiers=(email,))
                await edge.request(it, claims, person, level=2, received_at=datetime.now(UTC))

    async def _settled(self, cases: Sequence[UUID]) -> None:
        wanted = select(func.count()).where(
            tables.ledger.c.type == "case_reported", tables.ledger.c.case_id.in_(cases)
        )
        async with app.register(self.settings) as engine:
            while True:
                async with engine.connect() as connection:
                    if (await connection.execute(wanted)).scalar_one() >= len(cases):
                        return
                await asyncio.sleep(0.1)

    async def _waits(self, cases: Sequence[UUID]) -> list[float]:
        """Seconds from the request's decision to the report, for each case."""
        async with app.register(self.settings) as engine:
            ledgers = [await reading.entries(engine, it) for it in cases]
        return [(it[-1].at - it[0].at).total_seconds() for it in ledgers]

    async def _records(self, cases: Sequence[UUID]) -> list[Incoming]:
        names = (it.name for it in flow.topics(SYSTEMS, self.settings))
        keys = {str(it).encode() for it in cases}
        return [it async for it in read_to_end(self.bootstrap, *names) if it.key in keys]

    async def _calls(self) -> int:
        async with aiohttp.ClientSession() as session, session.get(f"{self.server}/count") as said:
            return int((await said.json())["calls"])

    async def _floor(self, records: Sequence[Incoming], calls: int) -> float:
        """Seconds that the same records and calls take with nothing in between."""
        topic = f"floor-{uuid4()}"
        made = Topic(name=topic, partitions=12, retention=timedelta(days=1), about="the floor")
        await topics.create(self.bootstrap, [made])
        async with producer(self.bootstrap) as out:
            began = time.monotonic()
            sent = [
                await out.send(topic, it.value, key=it.key, headers=list(it.headers))
                for it in records
            ]
            await asyncio.gather(*sent)
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=self.bootstrap, auto_offset_reset="earliest"
        )
        await consumer.start()
        got = 0
        while got < len(records):
            got += sum(map(len, (await consumer.getmany(timeout_ms=1000)).values()))
        await consumer.stop()
        room = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession() as session:

            async def call(n: int) -> None:
                async with room, session.get(f"{self.server}/things/floor/{n}") as said:
                    await said.json()

            await asyncio.gather(*(call(n) for n in range(calls)))
        return time.monotonic() - began


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    """Everything started, and stopped afterwards."""
    kafka = await local_kafka.start(folder / "kafka")
    served = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "tests.bench.systems"], stdout=subprocess.PIPE
    )
    assert served.stdout is not None
    url = json.loads(await asyncio.to_thread(served.stdout.readline))["url"]
    environ = {
        "HABEAS_BROKER": kafka.bootstrap,
        "HABEAS_DATA": str(folder / "data"),
        "HABEAS_SYSTEMS": ",".join(SYSTEMS),
        "HABEAS_POLICY": str(HERE / "policy"),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
        **{f"HABEAS_{it.upper()}_URL": url for it in SYSTEMS},
    }
    made = settings.load(environ)
    made.data.mkdir()
    pipeline = []
    try:
        await app.prepare(made, kafka.bootstrap)
        for n, roles in enumerate(PROCESSES):
            with (folder / f"habeas-{n}.log").open("wb") as log:
                pipeline.append(
                    subprocess.Popen(  # noqa: ASYNC220, S603
                        [sys.executable, "-m", "pipeline.cli", "run", *roles],
                        env={**os.environ, **environ},
                        stderr=log,
                    )
                )
        yield Bench(made, kafka.bootstrap, url, tuple(it.pid for it in pipeline))
    finally:
        for it in (*pipeline, served):
            it.terminate()
            await asyncio.to_thread(it.wait)
        await kafka.stop()


def _cpu(pids: Sequence[int]) -> float:
    """CPU seconds of processes so far (Linux: proc(5), fields 14 and 15 of `stat`)."""
    stats = [Path(f"/proc/{it}/stat").read_text().rpartition(")")[2].split() for it in pids]
    return sum(int(it[11]) + int(it[12]) for it in stats) / os.sysconf("SC_CLK_TCK")


async def measure(access: int, erasure: int) -> list[Row]:
    """Warm up, then both kinds of cases."""
    with tempfile.TemporaryDirectory() as folder:
        async with bench(Path(folder)) as it:
            await it.run("warm-up", ("access", "erasure"), 10)
            return [
                await it.run(f"{access} access cases", ("access",), access),
                await it.run(f"{erasure} erasure cases", ("erasure",), erasure),
            ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the pipeline beside its floor.")
    parser.add_argument("--access", type=int, default=500)
    parser.add_argument("--erasure", type=int, default=300)
    asked = parser.parse_args()
    rows = [asdict(it) for it in asyncio.run(measure(asked.access, asked.erasure))]
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        sys.stdout.write("  ".join(f"{name}={value}" for name, value in row.items()) + "\n")


if __name__ == "__main__":
    main()
