"""The broker that `habeas up` brought dies, or finds no room: it comes back, and cases go on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiokafka.errors import KafkaError

from pipeline.app import SetupError
from pipeline.keys.key_folder import KeyFileError
from tests.chaos.disks import Disk, disk
from tests.rig import PATIENCE, Rig, plant

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def full(folder: Path) -> Iterator[Disk]:
    (folder / "data").mkdir(mode=0o700)
    with disk(folder / "data" / "kafka", 48) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rig(folder: Path, full: Disk) -> AsyncIterator[Rig]:
    options = {"HABEAS_PARTITIONS": "1"}
    async with Rig(folder, systems=("freshdesk",), options=options, own_broker=True) as made:
        yield made


def lines(rig: Rig, event: str) -> list[dict[str, Any]]:
    told = [it for it in rig.roles[0].log.read_text().splitlines() if f'"{event}"' in it]
    return [json.loads(it) for it in told]


def broker_of(rig: Rig) -> int:
    """The process."""
    pid, _ = (rig.settings.data / "kafka" / "broker.pid").read_text().split()
    return int(pid)


async def asked(rig: Rig, who: str) -> UUID:
    """A request, sent until the broker has it: the same one each time."""
    case, email = uuid4(), plant(rig, who, tickets=1).email
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with asyncio.timeout(5):
                    return await rig.submit("access", email=email, case=case)
            except (KafkaError, KeyFileError, OSError, SetupError):
                await asyncio.sleep(0.5)


async def test_a_broker_comes_back_as_long_as_there_is_hope(rig: Rig, full: Disk) -> None:
    await _first_start_without_room(rig, full)
    await _killed(rig)
    await _without_room(rig, full)
    await _given_up(rig)


async def _first_start_without_room(rig: Rig, full: Disk) -> None:
    full.fill()
    code, _, err = await rig.habeas("up")
    said = " ".join(err.split())
    assert code == 1
    assert said.endswith(f"kafka: {full.folder} has no room left: make some"), said
    full.free()
    rig.run("up")
    await rig.settled(await asked(rig, "first"))


async def _killed(rig: Rig) -> None:
    waits = await asked(rig, "waits")
    os.kill(broker_of(rig), signal.SIGKILL)
    await rig.wait_for(lambda: lines(rig, "kafka.started_again"))
    await rig.settled(waits)
    await rig.settled(await asked(rig, "after"))


async def _without_room(rig: Rig, full: Disk) -> None:
    before = len(lines(rig, "kafka.started_again"))
    waits = await asked(rig, "before")
    full.fill()
    asking = asyncio.create_task(asked(rig, "meanwhile"))
    await rig.wait_for(lambda: lines(rig, "kafka.ended")[-1]["disk_full"])
    await rig.wait_for(lambda: lines(rig, "kafka.not_started"))
    (said, *_) = lines(rig, "kafka.not_started")
    assert said["reason"] == f"kafka: {full.folder} has no room left: make some"
    full.free()
    await rig.wait_for(lambda: len(lines(rig, "kafka.started_again")) > before)
    for case in (waits, await asking):
        await rig.settled(case)
    assert rig.roles[0].died == 0


async def _given_up(rig: Rig) -> None:
    role = rig.roles[0]
    # One whose data are gone cannot be started.
    (rig.settings.data / "kafka" / "data" / "meta.properties").write_text("version=x\n")
    os.kill(broker_of(rig), signal.SIGKILL)
    assert role.process is not None
    await rig.wait_for(lambda: role.process and role.process.poll() is not None)
    rig.roles.remove(role)
    assert role.process.returncode == 1
    said = role.log.read_text()
    assert '"event": "kafka.given_up", "level": "critical"' in said
    assert "It was given up after 3 times" in said
