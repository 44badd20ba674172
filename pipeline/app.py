"""Put the parts together: the only place where adapters meet stages and settings."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import registry
from connectors.sdk.interface import Capabilities, Connector
from schemas.codec import Codec, locked
from schemas.events import Event, SearchOrdered

from . import flow, policy
from .adapters import local_kafka, opening, registry_ids, topics, way_in
from .adapters.behind import forget_recreated, refuse_if_behind
from .adapters.caller import HostCaller
from .adapters.decider import Decider
from .adapters.edge import Edge
from .adapters.host import run_host
from .adapters.kafka_jars import no_progress
from .adapters.key_files import KeyFiles
from .adapters.mailer import FolderMailer
from .adapters.objects import FolderObjects
from .adapters.opening import OpenedResponse
from .adapters.orchestrator import GROUP, Orchestrator
from .adapters.producer import producer
from .adapters.publisher import Publisher
from .adapters.recovery import Recovered, Recovery
from .adapters.register import wrapping
from .adapters.register.case_keys import CaseKeys
from .adapters.register.engine import connect, migrate, refuse_earlier, url_of
from .adapters.report_reader import read_reports
from .adapters.rotation import Rotation
from .adapters.signer import FileSigner
from .case.planned import OBSERVE_MODE
from .case.rules import Rules
from .grants import Grants
from .policy import brake
from .ports import LaterError, Work
from .settings import Settings
from .stages.assemble import Assemble
from .stages.locate import Locate
from .stages.perform import Perform
from .stages.publish_report import publish
from .stages.send import Send

LOCAL = "cli"
"""The intake and the console of this machine's command line."""
LOCAL_LEVEL = 2
PUT_OFF = timedelta(hours=1)
"""How long a host that observes puts off what it is told to erase."""
GARBAGE = (10_000, 10, 10)
"""Thresholds of Python's collector. A case makes thousands of objects and hardly a cycle: looking
at the young ones after each 700, the default, was a tenth of what a case costs.
"""
Progress = Callable[[int, int], None]


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
    def signing_key(self) -> Path:
        return self.root / "keys" / "signing.key"

    @property
    def public_key(self) -> Path:
        return self.root / "keys" / "signing.pem"


def objects_of(settings: Settings) -> Path:
    """Where sealed objects lie: every host of a pipeline, and the response's, share it."""
    return Path(settings.objects) if settings.objects else settings.data / "objects"


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


def check_policy(settings: Settings) -> None:
    """Raise `SetupError` if the policy does not say what some system holds, and as whom, or if a
    limit is of no system.

    Without a row nothing would be copied for anybody, and nothing kept.
    """
    known = rules(settings)
    named = {it["system"] for it in known.policy.recipients}
    for system, able in known.systems.items():
        unmapped = ", ".join(known.policy.unmapped(able))
        if unmapped:
            raise SetupError(
                f"{system}: the policy has no [[data]] row for {unmapped}. Add them to"
                f" {policy.FILES[0]} in the folder that HABEAS_POLICY names (connectors/README.md)."
            )
        if system not in named:
            raise SetupError(f"{system}: the policy does not name it in [[recipients]].")
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
        try:
            registry.settings_of(registry.connector(system), environ)
        except registry.SettingsError as error:
            raise SetupError(
                f"{error}. Set it, or name only the systems you have in HABEAS_SYSTEMS;"
                " `habeas demo` shows everything without any."
            ) from None


def observes(settings: Settings, environ: Mapping[str, str] = os.environ, *alone: str) -> bool:
    """Whether nothing may be erased: as `HABEAS_MODE` says, else unless all are sandboxes here.

    Raises `SetupError` if it says anything else.
    """
    if settings.mode not in {"", "observe", "act"}:
        raise SetupError(f"HABEAS_MODE is {settings.mode!r}: it is `observe` or `act`")
    if settings.mode:
        return settings.mode == "observe"
    return not all(registry.is_sandbox(it, environ) for it in alone or systems(settings))


def policy_of(settings: Settings) -> policy.Policy:
    """The policy in force. Raises `PolicyError`."""
    return policy.load(Path(settings.policy) if settings.policy else None)


def rules(settings: Settings) -> Rules:
    """What decisions rest on."""
    return Rules(
        policy=policy_of(settings),
        systems=capabilities(settings),
        settings=settings,
        earlier={},
        limits=brake.load(Path(settings.brake) if settings.brake else None),
    )


async def codec(settings: Settings) -> Codec:
    """The codec, with ids from the registry if one is set, else from the committed lock."""
    if not settings.schema_registry:
        return locked()
    return Codec(await registry_ids.ids(settings.schema_registry))


async def prepare(settings: Settings, bootstrap: str) -> None:
    """Make what is missing: data folder, keys, senders of this machine, register, topics."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = Place(settings.data)
    files = place.keys
    async with register(settings) as engine:
        await migrate(engine)
        hosts = (*systems(settings), flow.RESPONSE, flow.NOTICE)
        await Rotation(engine, files, settings).begin(hosts)
        async with engine.begin() as connection:
            await wrapping.lock(connection)  # of processes that start at once, one makes them
            FileSigner(place.signing_key, place.public_key)
            intake, console = files.signer(f"intake-{LOCAL}"), files.signer(f"console-{LOCAL}")
            way_in.register(place.intakes, "intakes", LOCAL, intake.public_key(), LOCAL_LEVEL)
            way_in.register(place.intakes, "consoles", LOCAL, console.public_key())
    await topics.create(bootstrap, flow.topics(systems(settings), settings))


@asynccontextmanager
async def register(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The register's engine, closed afterwards."""
    engine = await connect(url_of(settings.register, settings.data))
    try:
        yield engine
    finally:
        await engine.dispose()


async def open_response(
    settings: Settings, engine: AsyncEngine, case: UUID, n: int | None, out: Path
) -> OpenedResponse:
    """Write a response to a file, as its subject receives it; None is the latest."""
    files, objects = Place(settings.data).keys, FolderObjects(objects_of(settings))
    return await opening.open_response(engine, files, objects, case=case, n=n, out=out)


@asynccontextmanager
async def broker(settings: Settings, progress: Progress = no_progress) -> AsyncIterator[str]:
    """The broker's address: as set, or a local Apache Kafka that ends with us."""
    if settings.broker:
        yield settings.broker
        return
    place = Place(settings.data)
    started = await local_kafka.start(place.kafka, progress=progress)
    place.running.write_text(started.bootstrap + "\n")
    try:
        yield started.bootstrap
    finally:
        place.running.unlink(missing_ok=True)
        await started.stop()


def broker_address(settings: Settings) -> str:
    """The broker to talk to: as set, or the local one that runs on this data folder."""
    if settings.broker:
        return settings.broker
    running = Place(settings.data).running
    if not running.exists():
        raise SetupError(
            f"no broker: start `habeas up` on the data folder {settings.data}, or set HABEAS_BROKER"
        )
    return running.read_text().strip()


@asynccontextmanager
async def local_edge(settings: Settings) -> AsyncIterator[Edge]:
    """This machine's intake and console, connected to the broker."""
    place = Place(settings.data)
    place.keys.pipeline().public(datetime.now(UTC))  # says what to do if nothing was set up yet
    async with producer(broker_address(settings)) as out:
        yield Edge(name=LOCAL, files=place.keys, codec=await codec(settings), producer=out)


async def run_orchestrator(
    settings: Settings, bootstrap: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Decide until cancelled. Raises `RegisterBehindError` before anything is decided."""
    place = Place(settings.data)
    wire_codec = await codec(settings)
    async with register(settings) as engine, producer(bootstrap) as out:
        await refuse_if_behind(engine, bootstrap, wire_codec, GROUP)
        await forget_recreated(engine, bootstrap)
        publisher = Publisher(engine, out)
        files = place.keys
        decider = Decider(
            engine=engine,
            codec=wire_codec,
            rules=rules(settings),
            way_in=way_in.WayIn(wire_codec, way_in.load(place.intakes), files.pipeline()),
            keys=CaseKeys(files.wrapping()),
            files=files,
            publisher=publisher,
            observe=observes(settings, environ),
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


async def recover(
    settings: Settings, bootstrap: str, progress: Progress = no_progress, *, dry_run: bool = False
) -> Recovered:
    """Bring a register that was restored from a backup up to what was decided since."""
    async with register(settings) as engine:
        await (refuse_earlier(engine) if dry_run else migrate(engine))
        recovery = Recovery(
            engine=engine,
            bootstrap=bootstrap,
            group=GROUP,
            codec=await codec(settings),
            rules=rules(settings),
            wrapping=Place(settings.data).keys.wrapping(),
        )
        return await recovery.run(progress, dry_run=dry_run)


class ConnectorWork:
    """What the host of a connector does: locate for a search, perform for a task.

    One that observes puts every task off: whoever orders it, nothing is erased.
    """

    def __init__(
        self, connector: Connector, locate: Locate, perform: Perform, *, observe: bool
    ) -> None:
        self.system = connector.capabilities.system
        self._locate = locate
        self._perform = perform
        self._observe = observe

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        stage: Locate | Perform = self._perform
        if isinstance(order, SearchOrdered):
            stage = self._locate
        elif self._observe:
            raise LaterError(datetime.now(UTC) + PUT_OFF, OBSERVE_MODE)
        return await stage(order, grants)


async def run_connector(
    system: str, settings: Settings, bootstrap: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Be the host of a connector until cancelled."""
    wire_codec = await codec(settings)
    objects = FolderObjects(objects_of(settings))
    async with registry.connect(system, environ) as connector:
        caller = HostCaller(connector.capabilities, settings)
        work = ConnectorWork(
            connector,
            Locate(connector, objects, wire_codec, caller),
            Perform(connector, wire_codec, caller),
            observe=observes(settings, environ, system),
        )
        await _host(work, settings, bootstrap, caller.share)


async def run_role(
    role: str, settings: Settings, bootstrap: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Run one role until cancelled: orchestrator, response, notice, reports, or a system's host."""
    place = Place(settings.data)
    match role:
        case "orchestrator":
            await run_orchestrator(settings, bootstrap, environ)
        case "response":
            work = Assemble(
                FolderObjects(objects_of(settings)),
                FileSigner(place.signing_key, place.public_key),
                rules(settings).policy,
                await codec(settings),
                catalogue={it: of.reasons for it, of in capabilities(settings).items()},
            )
            await _host(work, settings, bootstrap)
        case "notice":
            sender = rules(settings).policy.dpo
            send = Send(FolderMailer(place.mail), await codec(settings), sender=sender)
            await _host(send, settings, bootstrap)
        case "reports":
            signer = FileSigner(place.signing_key, place.public_key)
            out = partial(publish, signer=signer, folder=place.reports)
            letters = _letters(place.keys)
            await read_reports(bootstrap, await codec(settings), out, letters, settings)
        case _:
            await run_connector(role, settings, bootstrap, environ)


def roles(settings: Settings) -> tuple[str, ...]:
    """Every role that a whole pipeline has."""
    return ("orchestrator", *systems(settings), flow.RESPONSE, flow.NOTICE, "reports")


async def run_everything(
    settings: Settings, bootstrap: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Run every role in this process until cancelled; one that fails stops all."""
    await run_roles(roles(settings), settings, bootstrap, environ)


async def run_roles(
    which: Sequence[str],
    settings: Settings,
    bootstrap: str,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Run these roles in this process until cancelled; one that fails stops all."""
    gc.set_threshold(*GARBAGE)
    async with asyncio.TaskGroup() as group:
        for role in which:
            group.create_task(run_role(role, settings, bootstrap, environ), name=role)


def _letters(files: KeyFiles) -> Callable[[], tuple[str, X25519PublicKey]]:
    """What dead letters are sealed to, whenever one is asked for."""
    return lambda: files.letters().public(datetime.now(UTC))


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
