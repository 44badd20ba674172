"""A whole pipeline as real processes on a real Kafka, and the hands to work it in a test."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

from connectors.sdk import registry
from connectors.sdk.sandbox import Sandbox
from pipeline import app, flow, own_records
from pipeline.case.case import Case
from pipeline.cli.console import GAVE_UP, NO_BROKER
from pipeline.kafka import local_kafka
from pipeline.kafka.incoming import Incoming, read_to_end
from pipeline.register import reading
from pipeline.settings import Settings
from schemas.records import SealedChange
from tests.commands import Running, give
from tests.fakes.cluster import Cluster
from tests.fakes.person import with_email, with_emails
from tests.fakes.proxy import Proxy

FIVE = ("aws", "freshdesk", "mailgun", "salesforce", "stripe")
PATIENCE = 100.0
LOOK_EVERY = 0.1
GRACE = 45
"""Seconds that a process gets to end on SIGTERM: a batch, then ten for Faust, on a busy machine."""
SESSION = timedelta(seconds=6)
"""The shortest that a broker allows: a killed worker's partitions come back soon."""


@dataclass
class Role:
    """A process of the pipeline; started again when it dies, while it is wanted."""

    arguments: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    process: Running | None = None
    died: int = 0
    """How often it was killed (SIGKILL)."""

    def start(self) -> None:
        self.process = Running(self.arguments, {**os.environ, **self.environ}, self.log)

    def again(self) -> None:
        """Start it again if it was killed, gave up, or met no broker; other ends are errors."""
        if self.process is None or self.process.poll() is None:
            return
        tail = self.log.read_text()[-3000:]
        met_none = self.process.returncode == 1 and tail.rstrip().endswith(NO_BROKER)
        if met_none or self.process.returncode == GAVE_UP:
            self.start()
            return
        if self.process.returncode != -signal.SIGKILL:
            raise AssertionError(f"{self.arguments} ended with {self.process.returncode}: {tail}")
        self.died += 1
        self.start()

    def assigned(self) -> list[tuple[datetime, int]]:
        """When it was given how many partitions, each time, as its log tells."""
        told = [json.loads(it) for it in self.log.read_text().splitlines() if '.assigned"' in it]
        return [(datetime.fromisoformat(it["timestamp"]), it["partitions"]) for it in told]

    def tell(self) -> None:
        """Tell it to end (SIGTERM), as an operator does."""
        if self.process is not None:
            self.process.terminate()

    def stop(self) -> int:
        """End it with SIGTERM, and wait for that; its exit code."""
        if self.process is None:
            return 0
        self.tell()
        try:
            return self.process.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@dataclass
class Rig:
    """Kafka, a sandbox of every system, a data folder, and the roles that run on them."""

    folder: Path
    systems: tuple[str, ...] = ("freshdesk", "salesforce")
    restricted: tuple[str, ...] = ()
    """Systems whose connector has a key that may not read everything."""
    register: str = ""
    """As `HABEAS_REGISTER` says it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """More `HABEAS_*` variables."""
    own_broker: bool = False
    """No Kafka is started, and nothing prepared: `habeas up` has its own."""
    way: Proxy | None = None
    """What stands between the roles and the broker; None: nothing."""
    cluster: Cluster | None = None
    """Brokers that run; None starts one for this pipeline."""
    sandboxes: dict[str, Sandbox] = field(default_factory=dict)
    roles: list[Role] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        self.bootstrap = self.cluster.bootstrap if self.cluster is not None else ""
        if self.cluster is None and not self.own_broker:
            self.kafka = await self._start_kafka()
            self.bootstrap = self.kafka.bootstrap
            self._stack.push_async_callback(self._stop_kafka)
        environ: dict[str, str] = {
            "HABEAS_DATA": str(self.folder / "data"),
            "HABEAS_BROKER": self.bootstrap,
            "HABEAS_SYSTEMS": ",".join(self.systems),
            "HABEAS_PARTITIONS": "3",
            "HABEAS_REGISTER": self.register,
            "HABEAS_SWEEP": "0.2",
            "HABEAS_WEB_LISTEN": "127.0.0.1:0",
            "HABEAS_SESSION_TIMEOUT": str(SESSION.total_seconds()),
            "TMPDIR": str(self.folder / "tmp"),
            **self.options,
        }
        (self.folder / "data").mkdir(mode=0o700, exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        for system in (it for it in self.systems if it != own_records.SYSTEM):
            made = registry.load(registry.SANDBOXES, system)()
            self.sandboxes[system] = await self._stack.enter_async_context(made)
            environ.update(made.environ(restricted=system in self.restricted))
        self.environ = environ
        self.settings = replace(
            Settings(),
            data=self.folder / "data",
            broker=self.bootstrap,
            register=self.register,
            systems=",".join(self.systems),
            partitions=int(environ["HABEAS_PARTITIONS"]),
            replication=int(environ.get("HABEAS_REPLICATION", "0")),
            min_isr=int(environ.get("HABEAS_MIN_ISR", "0")),
        )
        if not self.own_broker:
            await app.prepare(self.settings, self.bootstrap)
        return self

    async def __aexit__(self, *_: object) -> None:
        for it in self.roles:
            it.tell()  # they end side by side
        for it in self.roles:
            await asyncio.to_thread(it.stop)
        await self._stack.aclose()

    async def _start_kafka(self, port: int | None = None) -> local_kafka.LocalKafka:
        folder = self.folder / "kafka"
        if self.way is None:
            return await local_kafka.start(folder, port=port)
        return await local_kafka.start(folder, port=self.way.target, demands=self.way.demands)

    async def _stop_kafka(self) -> None:
        await self.kafka.stop()

    async def lose_broker(self, seconds: float) -> None:
        """Kill the broker (SIGKILL), and start it again on its folder and port a while later."""
        os.kill(self.kafka.pid, signal.SIGKILL)
        await asyncio.sleep(seconds)
        port = int(self.bootstrap.rpartition(":")[2])
        self.kafka = await self._start_kafka(port)

    def run(self, *arguments: str, **environ: str) -> Role:
        """Start a role: `up`, or `run freshdesk`."""
        role = Role(
            arguments or ("up",),
            {**self.environ, **environ},
            self.folder / f"{len(self.roles)}-{'-'.join(arguments or ('up',))}.log",
        )
        role.start()
        self.roles.append(role)
        return role

    async def habeas(self, *arguments: str, **environ: str) -> tuple[int, str, str]:
        """A command, as a person gives it: its exit code, what it printed, and its errors."""
        return await give(arguments, {**os.environ, **self.environ, **environ})

    async def hold(self, *arguments: str) -> Any:
        """`habeas hold`: what it printed."""
        code, out, err = await self.habeas("hold", *arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    async def lift(self, system: str) -> None:
        """This machine's key, then somebody's own; either of them alone changes nothing."""
        key = str(self.folder / "ann.key")
        code, _, err = await self.habeas("keys", "console", "ann", "--out", key)
        assert code == 0, err
        (first,) = await self.hold("lift", system)
        assert first["lifted"] is False
        code, out, err = await self.habeas("hold", "lift", system)
        assert code == 1
        assert "it takes another person" in out + err
        assert (await self.hold("list"))[0]["lifted_at"] is None
        (second,) = await self.hold("lift", system, "--as", "ann", "--key", key)
        assert second["lifted"] is True

    async def submit(
        self,
        *claims: str,
        email: str,
        name: str = "",
        further: str = "",
        level: int = 2,
        case: UUID | None = None,
        at: datetime | None = None,
        changes: Mapping[str, tuple[str, str]] | None = None,
    ) -> UUID:
        """Publish a request as an intake does; it vouches for a further address as well. `changes`
        are what is wrong and what is right.
        """
        case = case or uuid4()
        one = replace(
            with_email(email, name),
            changes=tuple(
                SealedChange(datum=datum, was=was, to=to)
                for datum, (was, to) in (changes or {}).items()
            ),
        )
        async with app.local_edge(self.settings) as edge:
            await edge.request(
                case,
                claims,
                with_emails(email, further, level=level) if further else one,
                level=level,
                received_at=at or datetime.now(UTC),
            )
        return case

    async def entries(self, case: UUID) -> list[reading.Entry]:
        async with app.register(self.settings) as engine:
            return await reading.entries(engine, case)

    async def look(self, case: UUID) -> Case | None:
        """The case as its ledger tells it now; None before the first event."""
        entries = await self.entries(case)
        return reading.folded(entries, app.rules(self.settings)) if entries else None

    async def until(
        self, case: UUID, holds: Callable[[Case], Any], patience: float = PATIENCE
    ) -> Case:
        """Wait until something holds of a case, starting again what was killed meanwhile."""
        until = time.monotonic() + patience
        seen: Case | None = None
        while time.monotonic() < until:
            for it in self.roles:
                it.again()
            seen = await self.look(case)
            if seen is not None and holds(seen):
                return seen
            await asyncio.sleep(LOOK_EVERY)
        what = [it.type for it in await self.entries(case)]
        raise AssertionError(f"{seen} after {patience} s; its ledger: {what}; {self.tail()}")

    async def wait_for(self, holds: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(patience):
            while not holds():  # noqa: ASYNC110  other processes make it so
                await asyncio.sleep(LOOK_EVERY)

    def mails(self, case: UUID) -> list[EmailMessage]:
        """The mails that name a case in their text: no file's name tells whose it is."""
        return mails_of(self.settings.data / "mail", case)

    async def settled(self, case: UUID | str, patience: float = PATIENCE) -> Case:
        """Wait until every claim is answered and reported, with nothing under way."""
        return await self.until(UUID(str(case)), is_settled, patience)

    async def records(self) -> list[Incoming]:
        """Every record on every topic of the route."""
        topics = (it.name for it in flow.topics(self.systems, self.settings))
        return [it async for it in read_to_end(self.bootstrap, *topics)]

    def clear_faults(self) -> None:
        for it in self.sandboxes.values():
            it.faults.clear()

    def effects(self, *keys: str) -> dict[str, list[str]]:
        """What was done to objects, by `kind/id`, as the sandboxes' own ledgers tell."""
        every = [it for sandbox in self.sandboxes.values() for it in sandbox.ledger]
        return {key: [it.operation for it in every if it.key == key] for key in keys}

    def tail(self) -> str:
        """The end of every log."""
        return "\n".join(f"{it.log.name}: {it.log.read_text()[-1500:]}" for it in self.roles)


def mails_of(folder: Path, case: UUID | None = None) -> list[EmailMessage]:
    """The mails in a folder, the oldest first; those that name a case in their text."""
    paths = sorted(folder.glob("*.eml"), key=lambda it: it.stat().st_mtime_ns)
    found = (message_from_bytes(it.read_bytes(), policy=policy.default) for it in paths)
    mails = [it for it in found if isinstance(it, EmailMessage)]
    return [it for it in mails if case is None or str(case) in text_of(it)]


def text_of(mail: EmailMessage) -> str:
    """What a mail says in plain text, in one line."""
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


@dataclass(frozen=True)
class Planted:
    """Somebody in the sandboxes: a Freshdesk contact with tickets, a Salesforce record."""

    email: str
    contact: str
    tickets: tuple[str, ...]
    record: str

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.contact, *self.tickets, self.record)


def plant(rig: Rig, who: str, *, tickets: int = 2, customer: bool = False) -> Planted:
    """Put somebody there, a customer or a lead, with an address made of `who`."""
    email = f"{who}@example.org"
    freshdesk, salesforce = rig.sandboxes["freshdesk"], rig.sandboxes.get("salesforce")
    (contact,) = freshdesk.seed([{"kind": "contact", "name": f"Some {who}", "email": email}])
    number = int(contact.partition("/")[2])
    said = [
        {
            "kind": "ticket",
            "requester_id": number,
            "subject": f"Question {n} of {who}",
            "description_text": "How do I export?",
            "conversations": ["It worked, thanks."],
        }
        for n in range(tickets)
    ]
    record = ""
    if salesforce is not None:
        (record,) = salesforce.seed(
            [
                {
                    "kind": "contact" if customer else "lead",
                    "LastName": f"Some {who}",
                    "Email": email,
                    "Marketing_Interests__c": "Webinars",
                    **({} if customer else {"Company": "Example"}),
                }
            ]
        )
    return Planted(email, contact, tuple(freshdesk.seed(said)), record)


def is_settled(case: Case) -> bool:
    """Whether nothing more happens to a case by itself."""
    return bool(
        case.claims
        and all(not it.active for it in case.claims.values())
        and case.reports
        and not case.under_way()
    )


def states(case: Case, right: str) -> dict[tuple[str, str], set[str]]:
    """How a claim was settled: (system, kind) -> states."""
    found: dict[tuple[str, str], set[str]] = {}
    for it in case.claims[right].coverage:
        found.setdefault((it.system, it.kind), set()).add(it.state)
    return found
