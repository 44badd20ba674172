"""The whole pipeline in this process, without Kafka: vendors' sandboxes, a clock that is moved.

    person = world.holds("freshdesk", "contact", email=ANN)
    await world.submit("erasure", email=ANN)
    await world.later(days=29)
    assert world.row("freshdesk", person) is None
    assert "erased" in (await world.answer()).text

Real: the envelopes of intake and console, the decider on a register of its own, what hosts do with
sealed orders, connectors over HTTP, packages, mails and reports in folders, keys and how they turn.
Only the broker is not there: records are carried from one to the other here.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID, uuid4
from zipfile import ZipFile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import registry, wall_clock
from connectors.sdk.interface import Connector
from connectors.sdk.sandbox import Sandbox
from pipeline import app, flow, modes, own_records
from pipeline.app import CONSOLE, LOCAL, ONE_CLICK, WEB, Place
from pipeline.case.case import Case
from pipeline.case.may_send import Answer as MaySend
from pipeline.case.rules import Rules
from pipeline.cli.may_send import Asked
from pipeline.crypto import one_click
from pipeline.host.order_handler import OrderHandler
from pipeline.host.report_reader import ReportDesk
from pipeline.intake import senders_file
from pipeline.intake.edge import Edge
from pipeline.intake.roles import Role
from pipeline.intake.senders import CONSOLES
from pipeline.kafka import wire
from pipeline.kafka.incoming import Incoming
from pipeline.orchestrator.clock import sweep
from pipeline.orchestrator.decider import Decider
from pipeline.orchestrator.publisher import Publisher
from pipeline.orchestrator.rotation import Rotation
from pipeline.ports import Work
from pipeline.register import policies, reading
from pipeline.register.decisions import Taken, taken
from pipeline.register.engine import migrate
from pipeline.register.own_records import OwnRecords
from pipeline.register.tables import dues, keys
from pipeline.response.verify import verify
from pipeline.settings import Settings
from pipeline.stages.publish_report import publish
from pipeline.storage.webhooks import Webhooks
from pipeline.web.confirm import Confirmation
from pipeline.web.unsubscribe import Unsubscription
from schemas import events as e
from schemas.codec import locked
from schemas.events import Event
from schemas.records import (
    COMPLETE,
    Actor,
    Person,
    Preference,
    SealedChange,
    SealedIdentifier,
)
from tests.fakes.deciders import Sent
from tests.rig import FIVE, mails_of, text_of

T = TypeVar("T")
Said = TypeVar("Said", bound=Event)

CODEC = locked()
BEGINS = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday."""
PAGES = "https://rights.example.com"
SOON = timedelta(hours=1)
"""What pauses for no longer than this is waited for by `run`: a vendor's queue, another attempt."""
SELDOM = timedelta(days=365)
"""How often the clock looks where nothing is due: keys turn."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page as people see it."""

    html: str

    @property
    def text(self) -> str:
        """Its words, in one line."""
        reader = _Words()
        reader.feed(self.html)
        return " ".join(" ".join(reader.words).split())


@dataclass(frozen=True, slots=True)
class Answer(Page):
    """A package, unpacked. Its signature holds, and no file is missing or was added."""

    files: Mapping[str, bytes]

    def records(self, system: str) -> list[dict[str, Any]]:
        """What it has of a system, as its data file says it."""
        found: list[dict[str, Any]] = json.loads(self.files[f"data/{system}.json"])
        return found

    @property
    def manifest(self) -> dict[str, Any]:
        """What is signed."""
        found: dict[str, Any] = json.loads(self.files["manifest.json"])
        return found


@dataclass(frozen=True, slots=True)
class Report(Page):
    """A completion report, as its page and as its document."""

    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was handed over."""

    to: str
    subject: str
    text: str
    """In one line."""

    @property
    def link(self) -> str:
        """The page that it asks to open; empty if there is none."""
        found = [it for it in self.text.split() if it.startswith(f"{PAGES}/")]
        return found[0] if found else ""


@dataclass
class World:
    """Everything on one folder. `options` are settings, by their names in `Settings`."""

    folder: Path
    systems: tuple[str, ...] = FIVE
    register: str = ""
    """As `HABEAS_REGISTER` says it."""
    begins: datetime = BEGINS
    options: Mapping[str, Any] = field(default_factory=dict)
    vendors: dict[str, Sandbox] = field(default_factory=dict)
    cases: list[UUID] = field(default_factory=list)
    """In the order in which they were submitted."""
    puts_aside: bool = False
    """Whether a record may be refused; else that ends the test."""
    put_aside: list[str] = field(default_factory=list)
    """Why records were refused."""
    on_topics: list[bytes] = field(default_factory=list)
    """What was written to any topic."""
    _colleagues: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    _sent: Sent = field(default_factory=Sent)
    _offsets: count[int] = field(default_factory=count)
    _connectors: dict[str, Connector] = field(default_factory=dict)
    _hosts: dict[str, OrderHandler] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    # How it begins and ends.

    async def __aenter__(self) -> Self:
        self._stack.callback(wall_clock.set_ahead, wall_clock.ahead())
        self._go_to(self.begins)
        self.settings = Settings(
            data=self.folder / "data",
            systems=",".join(self.systems),
            register=self.register,
            web_url=PAGES,
            mode="act",
            **self.options,
        )
        modes.make_folder(self.settings.data)
        self.place = Place(self.settings.data)
        self._engine = await self._stack.enter_async_context(app.register(self.settings))
        await migrate(self._engine)
        for system in (it for it in self.systems if it != own_records.SYSTEM):
            sandbox = registry.load(registry.SANDBOXES, system)()
            self.vendors[system] = await self._stack.enter_async_context(sandbox)
            connector = registry.connect(system, sandbox.environ())
            self._connectors[system] = await self._stack.enter_async_context(connector)
        self._webhooks = await self._stack.enter_async_context(Webhooks())
        await self.restart()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def restart(self, **changed: Any) -> None:
        """Replace every process, perhaps under other settings: only what is stored is left."""
        self.settings = replace(self.settings, **changed)
        files = self.place.keys
        self._rotation = Rotation(self._engine, files, self.settings)
        await self._rotation.begin((*self.systems, *flow.OURS))
        app.register_local(self.place)
        self._publisher = Publisher(self._engine, self._sent, files.orchestrator())
        known = await app.rules_of(self.settings, self._engine)
        async with self._engine.begin() as connection:
            await policies.keep(connection, known.policy, self.now)
        self._decider = app.decider_of(
            self.settings, self._engine, self._publisher, CODEC, known, observe=False
        )
        records = OwnRecords(self._engine, CODEC, known, files.wrapping())
        works: tuple[Work, ...] = (
            app.own_records_work(records, self.settings, CODEC, _at_once, observe=False),
            *(
                app.connector_work(it, self.settings, CODEC, _at_once, observe=False)
                for it in self._connectors.values()
            ),
            app.response_work(self.settings, CODEC),
            app.notice_work(self.settings, CODEC),
            app.recipients_work(self.settings, CODEC, self._webhooks),
        )
        self._hosts = {
            flow.work(it.system): OrderHandler(it, codec=CODEC, host_keys=files.hosts(it.system))
            for it in works
            if it.system in {*self.systems, *flow.OURS}
        }
        self._reports = ReportDesk(
            CODEC,
            partial(publish, signer=files.signing(), folder=self.place.reports),
            lambda: files.letters().public(self.now),
            files.orchestrator(),
            limit=1,
        )

    # What people do.

    def holds(self, system: str, kind: str, **fields: Any) -> str:
        """Have a vendor hold an object; its key, `kind/id`."""
        (key,) = self.vendors[system].seed([{"kind": kind, **fields}])
        return key

    async def submit(
        self,
        *claims: str,
        email: str,
        further: Sequence[str] = (),
        claimed: Sequence[str] = (),
        name: str = "",
        level: int = 2,
        at: datetime | None = None,
        changes: Mapping[str, tuple[str, str]] | None = None,
        additions: Mapping[str, str] | None = None,
        purpose: str = "",
    ) -> UUID:
        """A request comes in; its case. At level 2 the intake vouches for `email` and `further`,
        and never for what is only `claimed`. `at` is when it arrived, if earlier; `changes` are
        what is wrong and what is right, `additions` what is missing.
        """
        case = uuid4()
        given = (email, *further, *claimed)
        person = Person(
            name=name,
            identifiers=tuple(SealedIdentifier(tag=b"", kind="email", value=it) for it in given),
            levels=(*(level,) * (1 + len(further)), *(0,) * len(claimed)),
            changes=(
                *(
                    SealedChange(datum=datum, was=was, to=to)
                    for datum, (was, to) in (changes or {}).items()
                ),
                *(
                    SealedChange(datum=datum, to=to, how=COMPLETE)
                    for datum, to in (additions or {}).items()
                ),
            ),
        )
        await self._edge(LOCAL).request(
            case, claims, person, level=level, received_at=at or self.now, purpose=purpose
        )
        self.cases.append(case)
        await self.run()
        return case

    async def says(
        self,
        says: str,
        purpose: str,
        email: str,
        *,
        level: int = 2,
        at: datetime | None = None,
        country: str = "",
        third_parties: tuple[str, ...] = (),
    ) -> UUID:
        """Somebody says what they want to be sent, or no longer; the record, and its case if one
        follows.
        """
        record = uuid4()
        told = Preference(kind="email", value=email, country=country, third_parties=third_parties)
        await self._edge(LOCAL).preference(
            record, says, purpose, told, level=level, at=at or self.now
        )
        self.cases.append(record)
        await self.run()
        return record

    async def clicks(self, purpose: str, email: str) -> UUID:
        """Somebody, or their mail program, uses the link that ends mail; the case that follows."""
        signer = self.place.keys.signer(f"intake-{ONE_CLICK}")
        pages = Unsubscription(one_click.key_of(signer), self._edge(ONE_CLICK))
        token = one_click.token(one_click.key_of(signer), purpose, email)
        found = pages.find(token)
        assert found is not None
        record = await pages.say(token, *found)
        self.cases.append(record)
        await self.run()
        return record

    async def may(self, purpose: str, email: str) -> MaySend:
        """What a mailing system is told when it asks whether it may send."""
        asked = await Asked.of(self._engine, self.settings, purpose)
        (answer,) = await asked.answers([[("email", email)]])
        assert answer is not None
        return answer

    async def decide(
        self, event: Event, login: str = "the-dpo", *, says: str = "", evidence: str = ""
    ) -> None:
        """Somebody decides, from the console that the event names: the DPO's, or a colleague's."""
        await self.decided(event, Actor(login=login, says=says, evidence=evidence))

    async def decided(self, event: Event, actor: Actor) -> None:
        """As `decide`, with all that is sealed in it."""
        by: str = getattr(event, "by", CONSOLE)
        await self._edge(by, self._colleagues.get(by)).decided(event, actor)
        await self.run()

    def colleague(self, name: str, role: Role = Role.DPO) -> str:
        """Somebody else gets a console with a key of their own; its name."""
        key = self._colleagues[name] = Ed25519PrivateKey.generate()
        senders_file.register(
            self.place.intakes, CONSOLES, name, key.public_key(), level=2, roles=[role.value]
        )
        return name

    async def approve(self, case: UUID | None = None) -> None:
        """The DPO approves the plan that waits."""
        known = await self.case(case)
        assert known.plan is not None
        assert known.plan.state == "asked"
        await self.decide(e.PlanApproved(case=known.id, by=CONSOLE, digest=known.plan.digest))

    async def press(self, mail: Mail) -> None:
        """Whoever has the mail opens its link and presses the button there."""
        pages = Confirmation(self._engine, self._edge(WEB))
        link = await pages.find(mail.link.rpartition("/")[2])
        assert link is not None, "the link is of no use any more"
        await (pages.acknowledge(link) if link.recipient else pages.prove(link))
        await self.run()

    def by_hand(self, system: str, key: str) -> None:
        """Somebody deletes an object at a vendor, in the vendor's own console."""
        kind, _, id_ = key.partition("/")
        del self.vendors[system].tables[kind][id_]

    def stops(self, system: str) -> None:
        """The host of a system, or of `response`, is down until the next restart."""
        del self._hosts[flow.work(system)]

    # What time does.

    @property
    def now(self) -> datetime:
        """What time it is here."""
        return wall_clock.now()

    async def run(self) -> None:
        """Let everything happen that does without waiting for somebody, or for long."""
        end = self.now + SOON
        while True:
            await self._settle()
            following = await self._next_due()
            if following is None or following > end:
                return
            self._go_to(following)

    async def later(self, **how_long: float) -> None:
        """Let time pass, as `timedelta` takes it: what falls due meanwhile happens on its day."""
        end = self.now + timedelta(**how_long)
        await self._settle()
        while self.now < end:
            following = await self._next_due() or end
            self._go_to(min(following, self.now + SELDOM, end))
            await self._settle()
        await self.run()

    # What is seen from outside.

    def calls(self, system: str) -> Counter[str]:
        """What a vendor was asked so far: `GET /api/v2/contacts/{id}`, and how often."""
        return self.vendors[system].calls

    def effects(self, system: str, key: str = "") -> list[str]:
        """What was done to what at a vendor, `hard_delete contact/1`; to one object, if named."""
        done = self.vendors[system].ledger
        return [f"{it.operation} {it.key}" for it in done if key in {"", it.key}]

    def row(self, system: str, key: str) -> dict[str, Any] | None:
        """An object as a vendor has it now; None if it is gone."""
        return self.vendors[system].state().get(key)

    def mails(self, to: str = "", case: UUID | None = None) -> list[Mail]:
        """The mails so far, the oldest first: those to an address, or about a case."""
        found = map(_mail, mails_of(self.place.mail, case))
        return [it for it in found if to in {"", it.to}]

    def instructions(self, to: str = "", case: UUID | None = None) -> list[Mail]:
        """The mails to recipients so far, the oldest first: those to an address, or of a case."""
        found = map(_mail, mails_of(self.place.instructions, case))
        return [it for it in found if to in {"", it.to}]

    async def answer(self, n: int | None = None, case: UUID | None = None) -> Answer:
        """The latest answer (or the n-th), as whom it is for opens it; of the latest case."""
        named = case or self.cases[-1]
        out = self.folder / f"{named}-{n or 'latest'}.zip"
        await app.open_response(self.settings, self._engine, named, n, out)
        verify(out, self.place.public_key)
        with ZipFile(out) as package:
            files = {name: package.read(name) for name in package.namelist()}
        return Answer(files["index.html"].decode(), files)

    def report(self, n: int | None = None, case: UUID | None = None) -> Report:
        """The latest completion report (or the n-th) of the latest case."""
        named = case or self.cases[-1]
        numbers = {
            int(it.stem.rpartition("-")[2]) for it in self.place.reports.glob(f"{named}-*.html")
        }
        stem = self.place.reports / f"{named}-{n or max(numbers)}"
        verify(stem.with_name(f"{stem.name}.json"), self.place.public_key)
        return Report(
            stem.with_name(f"{stem.name}.html").read_text(),
            json.loads(stem.with_name(f"{stem.name}.json").read_text()),
        )

    async def case(self, case: UUID | None = None) -> Case:
        """The latest case, or one of them, as its ledger tells it."""
        found = await reading.entries(self._engine, case or self.cases[-1])
        return reading.folded(found, self.rules)

    async def said(self, of: type[Said], case: UUID | None = None) -> list[Said]:
        """The events of a kind in a case's ledger."""
        found = await reading.entries(self._engine, case or self.cases[-1])
        return [it.event for it in found if isinstance(it.event, of)]

    async def decisions(self, case: UUID | None = None) -> list[Taken]:
        """What people decided of a case, and why, as `habeas decide list` shows it."""
        named = case or self.cases[-1]
        found = await reading.entries(self._engine, named)
        made = await taken(self._engine, CODEC, self.place.keys, named, found)
        assert made is not None, "the case's key is destroyed"
        return made

    @property
    def rules(self) -> Rules:
        """What is decided by."""
        return app.rules(self.settings)

    @property
    def engine(self) -> AsyncEngine:
        """The register."""
        return self._engine

    @property
    def decider(self) -> Decider:
        return self._decider

    # How the records get about.

    def _edge(self, name: str, signer: Ed25519PrivateKey | None = None) -> Edge:
        files = self.place.keys
        return Edge(name=name, files=files, codec=CODEC, producer=self._sent, signer=signer)

    def _go_to(self, moment: datetime) -> None:
        wall_clock.set_ahead(moment - datetime.now(UTC))

    async def _next_due(self) -> datetime | None:
        """When the clock must come back, after what it could do by now; None: it need not."""
        comes_back = select(func.min(dues.c.at)).where(dues.c.at > self.now)
        dies = select(func.min(keys.c.destroy_at)).where(
            keys.c.destroy_at > self.now, keys.c.destroyed_at.is_(None)
        )
        async with self._engine.connect() as connection:
            found = [(await connection.execute(it)).scalar() for it in (comes_back, dies)]
        return min((it for it in found if it is not None), default=None)

    async def _settle(self) -> None:
        """Carry records, and look what is due, until there is nothing more to carry."""
        await self._rotation.turn()
        while True:
            while self._sent.records:
                await self._carry()
            await sweep(self._decider, self._publisher, self._engine, self.now)
            if not self._sent.records:
                return

    async def _carry(self) -> None:
        by_topic: dict[str, list[Incoming]] = defaultdict(list)
        sent, self._sent.records = self._sent.records, []
        for record in sent:
            by_topic[record.topic].append(self._arrived(record))
        letters = by_topic[flow.DEAD_LETTERS]
        assert not letters or self.puts_aside, "somebody could not read a record"
        self.put_aside += [_refused(it).reason for it in letters]
        for topic in flow.DECIDED:
            if topic in by_topic:
                await self._decider.take(by_topic[topic])
        for topic, host in self._hosts.items():
            for it in by_topic[topic]:
                await self._work(host, it)
        for it in by_topic[flow.REPORTS]:
            assert not await self._reports.take(it)

    async def _work(self, host: OrderHandler, record: Incoming) -> None:
        opened = await host.open(record)
        await self._sent.publish(host.beginning(opened))
        await self._sent.publish(await host.answer(opened))

    def _arrived(self, it: wire.Record) -> Incoming:
        self.on_topics.append(it.value or b"")
        return Incoming(
            topic=it.topic,
            partition=0,
            offset=next(self._offsets),
            key=it.key,
            value=it.value,
            headers=it.headers,
            at=self.now,
        )


async def _at_once(attempt: Callable[[], Awaitable[T]]) -> T:
    """A host that keeps no vendor's limit, and tries nothing twice: its order is issued again."""
    return await attempt()


def _refused(letter: Incoming) -> e.RecordRefused:
    event = CODEC.decode(letter.value or b"")
    assert isinstance(event, e.RecordRefused)
    return event


def _mail(found: EmailMessage) -> Mail:
    return Mail(str(found["To"]), str(found["Subject"]), text_of(found))


class _Words(HTMLParser):
    """The words of a page, without its style."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self._hidden += tag in {"style", "script", "title"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "script", "title"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)
