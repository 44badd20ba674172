"""Put the parts together: the only place where rooms meet stages and settings."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import registry, wall_clock
from connectors.sdk.calls import Caller
from connectors.sdk.interface import Capabilities, Connector
from schemas.codec import Codec, locked
from schemas.events import Event, MeasureOrdered, PeopleOrdered, SearchOrdered

from . import disk, flow, modes, own_records, policy
from .case.planned import OBSERVE_MODE
from .case.rules import Rules
from .crypto.grants import Grants
from .host.caller import HostCaller
from .host.host import run_host
from .host.report_reader import read_reports
from .intake import senders, senders_file
from .intake.edge import Edge
from .intake.envelopes import Envelopes
from .intake.roles import Role
from .intake.senders_file import SendersFile
from .kafka import acls, cluster, connection, positions, registry_ids, topics
from .kafka.acls import Acl
from .kafka.connection import Broker
from .kafka.kafka_jars import no_progress
from .kafka.kept_broker import kept
from .kafka.producer import producer
from .kafka.topics import Replication
from .keys.key_files import KeyFiles
from .keys.key_folder import KEYS
from .orchestrator.decider import Decider
from .orchestrator.publisher import Publisher
from .orchestrator.rotation import Rotation
from .policy import brake, check
from .policy.preferences import REFUSALS
from .ports import LaterError, Webhook, Work
from .recovery import remembered
from .recovery.recovery import Recovered, Recovery
from .recovery.stale_register import forget_recreated, refuse_if_behind
from .register import case_keys, opening, policies, wrapping
from .register.case_keys import CaseKeys
from .register.engine import connect, is_of_disk, migrate, refuse_earlier, url_of
from .register.opening import OpenedResponse
from .register.own_records import OwnRecords
from .response.answer import BEYOND
from .settings import Settings
from .stages.apply import Apply
from .stages.assemble import Assemble
from .stages.deliver import Deliver
from .stages.enumerate import Enumerate
from .stages.locate import Locate
from .stages.perform import Perform
from .stages.publish_report import publish
from .stages.send import Send
from .storage.mailer import FolderMailer, prune_for_ever
from .storage.objects import OBJECTS, FolderObjects
from .storage.webhooks import Webhooks

DATA, REGISTER = "data", "register"
"""What errors call the stores."""
LOCAL, CONSOLE = "cli", "dpo"
"""The intake and the console of this machine's command line: two senders, with a key each."""
LOCAL_LEVEL = 2
VOUCHED_HERE = frozenset({"email", "user_id"})
"""What whoever uses this machine's command line may vouch for: they see who is logged in."""
ONE_CLICK = "one-click"
"""The intake that says what people say by the links that end mail, and nothing else."""
WEB = "web"
"""The role that serves the pages, and the console that signs what people say there."""
GROUP = flow.group(flow.ORCHESTRATOR)
PUT_OFF = timedelta(hours=1)
"""How long a host that observes puts off what it is told to erase."""
NO_CASE = UUID(int=0)
GARBAGE = (10_000, 10, 10)
"""Thresholds of Python's collector. A case makes thousands of objects and hardly a cycle: looking
at the young ones after each 700, the default, was a tenth of what a case costs.
"""
Progress = Callable[[int, int], None]
Above = Mapping[str, Callable[[Settings, str], Awaitable[None]]]
"""Roles that stand above us, each with what runs it on (settings, broker) until cancelled."""


class SetupError(Exception):
    """Something is missing that a person must set. The message says what."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything lies in the data folder."""

    root: Path

    @property
    def keys(self) -> KeyFiles:
        return KeyFiles(self.root / "keys")

    @property
    def intakes(self) -> Path:
        return self.root / "intakes.toml"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    @property
    def instructions(self) -> Path:
        """Mails to recipients: for them alone, and apart from those to people."""
        return self.root / "instructions"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def running(self) -> Path:
        """Holds the address of the local broker while it runs."""
        return self.root / "broker"

    @property
    def cluster(self) -> Path:
        """Holds the id of the cluster that this folder belongs to."""
        return self.root / "cluster"

    @property
    def pages(self) -> Path:
        """Holds the address of the web role while it serves."""
        return self.root / "web"

    @property
    def public_key(self) -> Path:
        """Of the signing key that is in force."""
        return self.keys.signing().current_public


def objects_of(settings: Settings) -> Path:
    """Where sealed objects lie: every host of a pipeline, and the response's, share it."""
    return Path(settings.objects) if settings.objects else settings.data / "objects"


def objects(settings: Settings) -> FolderObjects:
    """The sealed objects; their folder is made, unless it is named and so somebody's to mount.

    Raises `SetupError`, and `DiskError`.
    """
    folder = objects_of(settings)
    if settings.objects and not folder.is_dir():
        raise SetupError(f"HABEAS_OBJECTS: {folder} is not there: mount it, or make it")
    with disk.writing(OBJECTS, folder):
        modes.make_folder(folder)
    return FolderObjects(folder)


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Have the data folder for a whole pipeline, and no other. Raises `TakenError`, `DiskError`."""
    with disk.writing(DATA, settings.data):
        modes.make_folder(settings.data)
    with disk.alone(settings.data):
        yield


async def refuse_lost_objects(settings: Settings) -> None:
    """Raise `SetupError` if of the last answers given out none is in the folder of objects."""
    folder = objects_of(settings)
    async with register(settings, reading=True) as engine, engine.connect() as connection:
        cases = await case_keys.answered(connection)
    if cases and not any((folder / str(it)).is_dir() for it in cases):
        raise SetupError(
            f"{folder} has none of the answers that were given lately: mount it, bring it back from"
            " its backup, or correct HABEAS_OBJECTS or HABEAS_DATA. Nothing was changed. If they"
            f" are lost for good: mkdir -p {folder / str(cases[0])}"
        )


async def is_at_work(bootstrap: str) -> bool:
    """Whether orchestrators of some pipeline decide, or have decided, on this broker."""
    at_work = await positions.members(bootstrap, GROUP)
    return bool(at_work or await positions.committed(bootstrap, GROUP))


def systems(settings: Settings) -> tuple[str, ...]:
    """The systems to ask: as set, or every installed connector."""
    named = tuple(it.strip() for it in settings.systems.split(",") if it.strip())
    return named or registry.systems()


def capabilities(settings: Settings) -> dict[str, Capabilities]:
    """What each system's connector declares. Raises `SetupError` if one cannot be had."""
    try:
        return {it: registry.connector(it).capabilities for it in systems(settings)}
    except registry.NotInstalledError as error:
        raise SetupError(f"{error}. HABEAS_SYSTEMS names the systems to ask.") from None


def catalogue(settings: Settings) -> dict[str, dict[str, str]]:
    """By system: what its codes mean, those of what no search finds included."""
    return {
        system: {**able.reasons, **{BEYOND + code: says for code, says in able.beyond.items()}}
        for system, able in capabilities(settings).items()
    }


def check_policy(settings: Settings) -> None:
    """Raise `SetupError` if the policy is contradictory, or does not say what some system holds,
    and as whom; if a limit is of no system; or if our own records go on another day than it says.

    Without a row nothing would be copied for anybody, and nothing kept.
    """
    known = rules(settings)
    wrong = [*map(str, check.faults(known.policy, known.systems))]
    if own_records.SYSTEM in known.systems:
        wrong += own_records.periods_that_differ(known.policy, settings)
    if wrong:
        raise SetupError("\n".join(wrong))
    limited = {*known.limits.records, *known.limits.per_hour}
    installed = registry.systems()
    for it in sorted(limited.difference(installed)):  # it would limit nothing
        raise SetupError(f"{settings.brake}: no system {it!r}; there are {', '.join(installed)}")


def check_environment(
    settings: Settings, environ: Mapping[str, str] = os.environ, *alone: str
) -> None:
    """Raise `SetupError` naming the first variable that a system's connector lacks.

    Nor does it take a live credential beside a sandbox's address, or the reverse.
    """
    for system in alone or capabilities(settings):
        if system == own_records.SYSTEM:
            continue  # it reads the register, and its settings are the pipeline's
        try:
            registry.settings_of(registry.connector(system), environ)
        except registry.SettingsError as error:
            raise SetupError(
                f"{error}. Set it, or name only the systems you have in HABEAS_SYSTEMS;"
                " `habeas demo` shows everything without any."
            ) from None
        if settings.clock_ahead and not registry.is_sandbox(system, environ):
            raise SetupError(
                f"HABEAS_CLOCK_AHEAD is set, and {system} is no sandbox: what falls due in years"
                " would be erased there now. Unset it"
            )


def observes(settings: Settings, environ: Mapping[str, str] = os.environ, *alone: str) -> bool:
    """Whether nothing may be erased: as `HABEAS_MODE` says, else unless all are sandboxes here.

    Raises `SetupError` if it says anything else.
    """
    if settings.mode not in {"", "observe", "act"}:
        raise SetupError(f"HABEAS_MODE is {settings.mode!r}: it is `observe` or `act`")
    if settings.mode:
        return settings.mode == "observe"
    vendors = (it for it in alone or systems(settings) if it != own_records.SYSTEM)
    return not all(registry.is_sandbox(it, environ) for it in vendors)


def policy_of(settings: Settings) -> policy.Policy:
    """The policy in force. Raises `PolicyError`."""
    return policy.load(Path(settings.policy) if settings.policy else None)


def rules(settings: Settings) -> Rules:
    """What decisions rest on, without what the register has: `rules_of` knows that too."""
    return Rules(
        policy=policy_of(settings),
        systems=capabilities(settings),
        settings=settings,
        earlier=policy.earlier(map(Path, filter(None, settings.earlier_policies.split(",")))),
        limits=brake.load(Path(settings.brake) if settings.brake else None),
    )


async def rules_of(settings: Settings, engine: AsyncEngine) -> Rules:
    """What decisions rest on, with every policy that the register has."""
    known = rules(settings)
    async with engine.connect() as connection:
        known.earlier.update(await policies.read(connection))
    return known


async def codec(settings: Settings) -> Codec:
    """The codec, with ids from the registry if one is set, else from the committed lock."""
    if not settings.schema_registry:
        return locked()
    return Codec(await registry_ids.ids(settings.schema_registry, registry_ids.access(settings)))


def replication(settings: Settings) -> Replication:
    """What is asked of the cluster."""
    return Replication(settings.replication, settings.min_isr)


def acls_of(settings: Settings, principal: str = acls.PRINCIPAL) -> list[Acl]:
    """What every role, every intake and every console may do at the broker."""
    known = senders.load(Place(settings.data).intakes)
    named: dict[str, list[str]] = {flow.INTAKE: [], flow.BOUND: [], flow.CONSOLE: [*known.consoles]}
    for name, it in known.intakes.items():
        named[flow.INTAKE if it.says is None else flow.BOUND].append(name)
    return acls.of_route(flow.topics(systems(settings), settings), named, principal)


def check_modes(settings: Settings) -> None:
    """Raise `ModesError` if others on this machine could read or change what is ours."""
    place = Place(settings.data)
    public = place.keys.public()
    secret = (it for it in place.keys.files() if it not in public)
    register = settings.data.glob("register.db*")
    modes.refuse_open(
        (settings.data, place.intakes, *register, *secret),
        (*place.keys.folders(), *public),
        group_may_read=settings.group_may_read,
    )


async def prepare(settings: Settings, bootstrap: str) -> None:
    """Make what is missing: data folder, keys, senders of this machine, register, topics.

    Raises `OtherClusterError` before anything is made, and `DiskError`: what was made until then is
    whole, and the next start goes on from there.
    """
    place = Place(settings.data)
    await refuse_other_cluster(settings, bootstrap)
    with disk.writing(DATA, settings.data):
        modes.make_folder(settings.data)
        check_modes(settings)
        files = place.keys
        disk.refuse_read_only(KEYS, files.folders())
        async with register(settings) as engine:
            await migrate(engine)
            hosts = (*systems(settings), *flow.OURS)
            await Rotation(engine, files, settings).begin(hosts)
            async with engine.begin() as connection:
                await wrapping.lock(connection)  # of processes that start at once, one makes them
                register_local(place)
    await topics.create(bootstrap, flow.topics(systems(settings), settings), replication(settings))
    with disk.writing(DATA, settings.data):
        await cluster.remember(bootstrap, place.cluster)


async def refuse_other_cluster(settings: Settings, bootstrap: str) -> None:
    """Raise `OtherClusterError` if the broker is not of the cluster of this data folder."""
    await cluster.refuse_other(bootstrap, Place(settings.data).cluster)


def register_local(place: Place) -> None:
    """Register this machine's intake, console and pages, with new keys if it has none.

    Until there were roles both had the intake's name. A console of then keeps working, and the new
    one has its key: with two keys one person at this machine would be two.
    """
    files = place.keys
    files.copy_signer(f"console-{LOCAL}", f"console-{CONSOLE}")
    intake, console = files.signer(f"intake-{LOCAL}"), files.signer(f"console-{CONSOLE}")
    page, click = files.signer(f"console-{WEB}"), files.signer(f"intake-{ONE_CLICK}")
    add = partial(senders_file.register, place.intakes)
    kinds = sorted(VOUCHED_HERE)
    add("intakes", LOCAL, intake.public_key(), level=LOCAL_LEVEL, vouches_for=kinds)
    refusals = sorted(REFUSALS)
    add("intakes", ONE_CLICK, click.public_key(), level=LOCAL_LEVEL, says=refusals)
    add("consoles", CONSOLE, console.public_key(), level=LOCAL_LEVEL, roles=[Role.DPO.value])
    add("consoles", WEB, page.public_key(), level=LOCAL_LEVEL, roles=[Role.LINK.value])


@asynccontextmanager
async def register(settings: Settings, *, reading: bool = False) -> AsyncIterator[AsyncEngine]:
    """The register's engine, closed afterwards; one for `reading` can write nothing.

    Raises `DiskError` where that of its file has no room.
    """
    url = url_of(settings.register, settings.data)
    engine = await connect(
        url,
        reading=reading,
        allow_plaintext=settings.allow_plaintext,
        group_may_read=settings.group_may_read,
    )
    try:
        yield engine
    except DBAPIError as error:
        if settings.register or not is_of_disk(error, settings.data):
            raise
        raise disk.full(REGISTER, settings.data) from None
    finally:
        await engine.dispose()


async def open_response(
    settings: Settings, engine: AsyncEngine, case: UUID, n: int | None, out: Path
) -> OpenedResponse:
    """Write a response to a file, as its subject receives it; None is the latest."""
    files, found = Place(settings.data).keys, FolderObjects(objects_of(settings))
    return await opening.open_response(engine, files, found, case=case, n=n, out=out)


@asynccontextmanager
async def broker(settings: Settings, progress: Progress = no_progress) -> AsyncIterator[Broker]:
    """The broker: as set, or a local Apache Kafka that ends with us, and that is started again if
    it dies. Raises `SettingsError`, and as `kept`.
    """
    if settings.broker:
        yield connection.of(settings)
        return
    place = Place(settings.data)
    async with kept(place.kafka, progress) as bootstrap:
        tell(place.running, bootstrap)
        try:
            yield bootstrap
        finally:
            place.running.unlink(missing_ok=True)


def tell(path: Path, address: str) -> None:
    """Have other processes on this data folder find an address. Raises `DiskError`."""
    with disk.writing(DATA, path.parent):
        disk.write(path, f"{address}\n".encode())


def broker_address(settings: Settings) -> Broker:
    """The broker to talk to: as set, or the local one that runs on this data folder.

    Raises `SettingsError`.
    """
    if settings.broker:
        return connection.of(settings)
    running = Place(settings.data).running
    if not running.exists():
        raise SetupError(
            f"no broker: start `habeas up` on the data folder {settings.data}, or set HABEAS_BROKER"
        )
    return Broker(running.read_text().strip())


@asynccontextmanager
async def local_edge(
    settings: Settings, name: str = LOCAL, signer: Ed25519PrivateKey | None = None
) -> AsyncIterator[Edge]:
    """This machine's intake, or with `CONSOLE` its console, connected to the broker; with a
    `signer` the console of that name, whose key it is.

    Raises as `local_signer`.
    """
    place = Place(settings.data)
    if signer is None:
        local_signer(place, name)
    else:
        refuse_unknown_console(place, name, signer)
    bootstrap = broker_address(settings)
    await refuse_other_cluster(settings, bootstrap)
    async with producer(bootstrap) as out:
        wire_codec = await codec(settings)
        yield Edge(name=name, files=place.keys, codec=wire_codec, producer=out, signer=signer)


def refuse_unknown_console(place: Place, name: str, signer: Ed25519PrivateKey) -> None:
    """Raise `SetupError` if a key is not that of the console: what it signs would be refused."""
    known, key = senders.load(place.intakes).consoles.get(name), signer.public_key()
    if known is None or key.public_bytes_raw() not in {it.raw for it in known.keys}:
        raise SetupError(
            f"that key is not the one of [consoles.{name}] of {place.intakes}:"
            " `habeas keys senders` lists them"
        )


def local_signer(place: Place, name: str) -> Ed25519PrivateKey:
    """The key of this machine's intake or, with `CONSOLE`, its console.

    Raises `SetupError` if `intakes.toml` does not know it: what it signs would be refused unseen.
    """
    place.keys.pipeline().public(wall_clock.now())  # says what to do if nothing was set up yet
    section, kind = ("consoles", "console") if name == CONSOLE else ("intakes", "intake")
    known = getattr(senders.load(place.intakes), section).get(name)
    key = place.keys.signer(f"{kind}-{name}") if known else None
    if key is None or key.public_key().public_bytes_raw() not in {it.raw for it in known.keys}:
        raise SetupError(
            f"[{section}.{name}] of {place.intakes} is not this machine's command line. Start"
            " `habeas up` or `habeas run orchestrator`, which registers it; if somebody else has"
            " that name there, give them another one first"
        )
    return key


async def run_orchestrator(
    settings: Settings, bootstrap: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Decide until cancelled. Raises `RegisterBehindError` before anything is decided."""
    from .orchestrator.orchestrator import Orchestrator  # noqa: PLC0415  no other role needs Faust

    place = Place(settings.data)
    wire_codec = await codec(settings)
    out_of = producer(bootstrap, settings.give_up_after / 2)
    async with register(settings) as engine, out_of as out:
        signing = place.keys.orchestrator()
        await refuse_if_behind(engine, bootstrap, wire_codec, signing)
        await forget_recreated(engine, bootstrap)
        publisher = Publisher(engine, out, signing)
        files = place.keys
        known = await rules_of(settings, engine)
        async with engine.begin() as connection:  # before any case is opened under it
            await policies.keep(connection, known.policy, wall_clock.now())
        await remembered.begin(engine, wire_codec, known, files.wrapping(), wall_clock.now())
        decider = decider_of(
            settings, engine, publisher, wire_codec, known, observe=observes(settings, environ)
        )
        await Orchestrator(
            decider=decider,
            publisher=publisher,
            rotation=Rotation(engine, files, settings),
            engine=engine,
            settings=settings,
            bootstrap=bootstrap,
            folder=settings.data / "faust",
        ).run()


def decider_of(
    settings: Settings,
    engine: AsyncEngine,
    publisher: Publisher,
    codec: Codec,
    known: Rules,
    *,
    observe: bool,
) -> Decider:
    """What decides on this register, with the keys of the data folder."""
    place = Place(settings.data)
    files = place.keys
    return Decider(
        engine=engine,
        codec=codec,
        rules=known,
        envelopes=Envelopes(codec, SendersFile(place.intakes), files.pipeline()),
        keys=CaseKeys(files.wrapping()),
        files=files,
        publisher=publisher,
        observe=observe,
    )


async def recover(
    settings: Settings,
    bootstrap: str,
    progress: Progress = no_progress,
    *,
    dry_run: bool = False,
    trust_unsigned: bool | None = None,
) -> Recovered:
    """Bring a register that was restored from a backup up to what was decided since.

    Raises `UnsignedLedgerError` if that is to be decided by a person, who did not.
    """
    place = Place(settings.data)
    await refuse_other_cluster(settings, bootstrap)
    async with register(settings) as engine:
        await (refuse_earlier(engine) if dry_run else migrate(engine))
        recovery = Recovery(
            engine=engine,
            bootstrap=bootstrap,
            group=GROUP,
            codec=await codec(settings),
            rules=await rules_of(settings, engine),
            wrapping=place.keys.wrapping(),
            keys=place.keys.orchestrator(),
            envelopes=Envelopes(
                await codec(settings), SendersFile(place.intakes), place.keys.pipeline()
            ),
            trust_unsigned=trust_unsigned,
        )
        return await recovery.run(progress, dry_run=dry_run)


class ConnectorWork:
    """What the host of a connector does: locate for a search, perform for a task.

    One that observes puts every task off: whoever orders it, nothing is erased. To list whom the
    system holds changes nothing.
    """

    def __init__(
        self,
        connector: Connector,
        locate: Locate,
        perform: Perform,
        apply: Apply,
        people: Enumerate,
        *,
        observe: bool,
    ) -> None:
        self.system = connector.capabilities.system
        self._locate = locate
        self._perform = perform
        self._apply = apply
        self._people = people
        self._observe = observe

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        if isinstance(order, SearchOrdered):
            return await self._locate(order, grants)
        if isinstance(order, PeopleOrdered):
            return await self._people(order, grants)
        if self._observe:
            raise LaterError(wall_clock.now() + PUT_OFF, OBSERVE_MODE)
        stage = self._apply if isinstance(order, MeasureOrdered) else self._perform
        return await stage(order, grants)


async def run_connector(
    system: str, settings: Settings, bootstrap: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Be the host of a connector until cancelled."""
    if system == own_records.SYSTEM:
        await _run_own_records(settings, bootstrap, environ)
        return
    wire_codec = await codec(settings)
    observe = observes(settings, environ, system)
    async with registry.connect(system, environ) as connector:
        caller = HostCaller(connector.capabilities, settings)
        work = connector_work(connector, settings, wire_codec, caller, observe=observe)
        await _host(work, settings, bootstrap, caller.share)


def connector_work(
    connector: Connector, settings: Settings, codec: Codec, caller: Caller, *, observe: bool
) -> ConnectorWork:
    """What the host of a connector does with its orders."""
    return ConnectorWork(
        connector,
        Locate(connector, objects(settings), codec, caller),
        Perform(connector, codec, caller),
        Apply(connector, objects(settings), codec, caller),
        Enumerate(connector, codec, caller),
        observe=observe,
    )


@asynccontextmanager
async def own_records_of(settings: Settings, codec: Codec) -> AsyncIterator[OwnRecords]:
    """What Habeas itself holds, read from the register without a lock that who decides waits for.

    Raises `SetupError` where the register's wrapping keys are not at hand, as on a lone host.
    """
    wrapping = Place(settings.data).keys.wrapping()
    if not wrapping:
        raise SetupError(
            f"there are no wrapping keys in {wrapping.root}: the host of {own_records.SYSTEM} reads"
            " the register, so that it runs where an orchestrator could: give it HABEAS_REGISTER,"
            " and HABEAS_DATA with that one's keys"
        )
    async with register(settings, reading=True) as engine:
        yield OwnRecords(engine, codec, await rules_of(settings, engine), wrapping)


@asynccontextmanager
async def connected(
    system: str, settings: Settings, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Connector]:
    """A system's connector, to try it. Raises `SetupError`, and as `registry.connect`."""
    if system != own_records.SYSTEM:
        async with registry.connect(system, environ) as made:
            yield made
        return
    async with own_records_of(settings, await codec(settings)) as records:
        yield own_records.OwnRecordsConnector(records, NO_CASE)


async def _run_own_records(settings: Settings, bootstrap: str, environ: Mapping[str, str]) -> None:
    """Be the host of what Habeas itself holds."""
    wire_codec = await codec(settings)
    observe = observes(settings, environ, own_records.SYSTEM)
    caller = HostCaller(own_records.OwnRecordsConnector.capabilities, settings)
    async with own_records_of(settings, wire_codec) as records:
        work = own_records_work(records, settings, wire_codec, caller, observe=observe)
        await _host(work, settings, bootstrap, caller.share)


def own_records_work(
    records: OwnRecords, settings: Settings, codec: Codec, caller: Caller, *, observe: bool
) -> own_records.OwnRecordsWork:
    """What the host of Habeas' own records does with its orders."""
    work = partial(connector_work, settings=settings, codec=codec, caller=caller, observe=observe)
    return own_records.OwnRecordsWork(records, work)


def response_work(settings: Settings, codec: Codec) -> Assemble:
    """What the host of responses does."""
    known = rules(settings)
    return Assemble(
        objects(settings),
        Place(settings.data).keys.signing(),
        known.at_hand(),
        codec,
        catalogue=catalogue(settings),
        today=known.policy,
        tables={it: registry.connector(it).capabilities.fields for it in registry.systems()},
    )


def notice_work(settings: Settings, codec: Codec) -> Send:
    """What the host of notices does."""
    place, ours = Place(settings.data), policy_of(settings)
    return Send(
        FolderMailer(place.mail),
        codec,
        controller=ours.controller,
        sender=ours.dpo,
        customers={it.id: it.contact for it in ours.documents},
        pages=lambda: pages_address(settings),
    )


def recipients_work(settings: Settings, codec: Codec, webhook: Webhook) -> Deliver:
    """What the host of recipients does: mails of a folder of its own, and webhooks."""
    place = Place(settings.data)
    return Deliver(
        FolderMailer(place.instructions),
        webhook,
        place.keys.signing(),
        codec,
        policy_of(settings),
        pages=lambda: pages_address(settings),
    )


async def run_role(
    role: str, settings: Settings, bootstrap: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Run one role until cancelled: orchestrator, reports, one of `flow.OURS`, a system's host."""
    place = Place(settings.data)
    match role:
        case "orchestrator":
            await run_orchestrator(settings, bootstrap, environ)
        case "response":
            await _host(response_work(settings, await codec(settings)), settings, bootstrap)
        case "notice":
            await _run_notice(settings, bootstrap)
        case "recipients":
            await _run_recipients(settings, bootstrap)
        case "reports":
            out = partial(publish, signer=place.keys.signing(), folder=place.reports)
            letters = _letters(place.keys)
            await read_reports(
                bootstrap,
                await codec(settings),
                publish=out,
                pipeline_public=letters,
                settings=settings,
                keys=place.keys.orchestrator(),
            )
        case _:
            await run_connector(role, settings, bootstrap, environ)


async def _run_notice(settings: Settings, bootstrap: str) -> None:
    """Send mail, and keep no mail longer than its time."""
    mailer = FolderMailer(Place(settings.data).mail)
    kept = min(settings.mail_kept, settings.package_key_lives)
    async with asyncio.TaskGroup() as group:
        group.create_task(prune_for_ever(mailer, kept))
        group.create_task(_host(notice_work(settings, await codec(settings)), settings, bootstrap))


async def _run_recipients(settings: Settings, bootstrap: str) -> None:
    """Tell recipients, and keep no mail to them longer than its time."""
    mailer = FolderMailer(Place(settings.data).instructions)
    async with Webhooks() as webhooks, asyncio.TaskGroup() as group:
        deliver = recipients_work(settings, await codec(settings), webhooks)
        group.create_task(prune_for_ever(mailer, settings.mail_kept))
        group.create_task(_host(deliver, settings, bootstrap))


def pages_address(settings: Settings) -> str:
    """Where people reach the pages: as set, or as a web role here says; empty if nobody knows."""
    return settings.web_url or _read_address(Place(settings.data).pages)


def _read_address(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def roles(settings: Settings) -> tuple[str, ...]:
    """Every role that a whole pipeline has."""
    return ("orchestrator", *systems(settings), *flow.OURS, "reports", WEB)


async def run_everything(
    settings: Settings,
    bootstrap: str,
    environ: Mapping[str, str] = os.environ,
    *,
    above: Above,
) -> None:
    """Run every role in this process until cancelled; one that fails stops all."""
    await run_roles(roles(settings), settings, bootstrap, environ, above=above)


async def run_roles(
    which: Sequence[str],
    settings: Settings,
    bootstrap: str,
    environ: Mapping[str, str] = os.environ,
    *,
    above: Above,
) -> None:
    """Run these roles in this process until cancelled; one that fails stops all.

    Raises `OtherClusterError` before any begins.
    """
    check_modes(settings)
    await cluster.remember(bootstrap, Place(settings.data).cluster)
    gc.set_threshold(*GARBAGE)
    async with asyncio.TaskGroup() as group:
        for role in which:
            group.create_task(_run(role, settings, bootstrap, environ, above), name=role)


async def _run(
    role: str, settings: Settings, bootstrap: str, environ: Mapping[str, str], above: Above
) -> None:
    """Run a role until cancelled. Raises `SetupError` if it ends in another way, without a word."""
    task = asyncio.current_task()
    with suppress(asyncio.CancelledError):
        if role in above:
            await above[role](settings, bootstrap)
        else:
            await run_role(role, settings, bootstrap, environ)
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    raise SetupError(f"{role} ended by itself, and nothing says why: start it again")


def _letters(files: KeyFiles) -> Callable[[], tuple[str, X25519PublicKey]]:
    """What dead letters are sealed to, whenever one is asked for."""
    return lambda: files.letters().public(wall_clock.now())


async def _host(
    work: Work, settings: Settings, bootstrap: str, share: Callable[[float], None] = lambda _: None
) -> None:
    files = Place(settings.data).keys
    await run_host(
        work,
        settings=settings,
        bootstrap=bootstrap,
        host_keys=files.hosts(work.system),
        codec=await codec(settings),
        pipeline_public=_letters(files),
        share=share,
    )
