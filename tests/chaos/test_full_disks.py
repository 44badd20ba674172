"""Each disk is full once: what would be written there waits, and goes on by itself with room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from pipeline import app
from pipeline.app import LOCAL, ONE_CLICK, Place
from pipeline.disk import DiskError
from pipeline.intake import senders
from pipeline.keys.key_folder import BYTES, KeyFolder
from pipeline.response.verify import verify
from pipeline.settings import Settings
from tests.chaos.disks import Disk, disk
from tests.rig import LOOK_EVERY, PATIENCE, Planted, Rig, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORES = {
    "data": 16,
    "data/objects": 4,
    "data/mail": 2,
    "data/reports": 2,
    "data/keys": 2,
    "tmp": 2,
}
"""Megabytes of each disk; the register lies on `data`."""
OPTIONS = {"HABEAS_PARTITIONS": "2", "HABEAS_HOST_KEY_PERIOD": "10", "HABEAS_KEY_LEAD": "2"}
"""Keys of hosts turn while the tests look on."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("full")


@pytest.fixture(scope="module")
def disks(folder: Path) -> Iterator[Mapping[str, Disk]]:
    with ExitStack() as stack:
        yield {it: stack.enter_context(disk(folder / it, size)) for it, size in STORES.items()}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rig(folder: Path, disks: Mapping[str, Disk]) -> AsyncIterator[Rig]:
    async with Rig(folder, options=OPTIONS) as made:
        made.run("up")
        yield made


def told(rig: Rig, event: str, reason: str) -> bool:
    """Whether the log has a line of this event that says this."""
    lines = [it for it in rig.roles[0].log.read_text().splitlines() if f'"{event}"' in it]
    return any(reason in json.loads(it).get("reason", "") for it in lines)


@pytest.mark.parametrize(
    ("name", "event", "deferred"),
    [
        ("data/objects", "store.refuses", "objects_full"),
        ("data/mail", "store.refuses", "mail_full"),
        ("data/reports", "report.retried", ""),
    ],
)
async def test_what_finds_no_room_waits_and_leaves_nothing_half_written(
    rig: Rig, disks: Mapping[str, Disk], name: str, event: str, deferred: str
) -> None:
    full = disks[name]
    full.fill()
    who = plant(rig, name.rpartition("/")[2])
    case = await rig.submit("access", "erasure", email=who.email)
    await rig.wait_for(lambda: told(rig, event, f"{full.folder} has no room left"))
    assert full.drafts() == []
    if deferred:
        await _is_deferred(rig, case, deferred)
    full.free()
    await _is_whole(rig, who, case)


async def test_a_register_without_room_is_tried_again(rig: Rig, disks: Mapping[str, Disk]) -> None:
    full = disks["data"]
    people: list[Planted] = []
    cases: list[UUID] = []
    full.fill()
    while not told(rig, "batch.retried", "SQLITE_"):  # it writes over what it has, to begin with
        people.append(plant(rig, f"register-{len(people)}"))
        cases.append(await rig.submit("access", "erasure", email=people[-1].email))
        await asyncio.sleep(0.2)
    full.free()
    for who, case in zip(people, cases, strict=True):
        await _is_whole(rig, who, case)


async def test_keys_that_find_no_room_turn_later_and_cases_go_on(
    rig: Rig, disks: Mapping[str, Disk]
) -> None:
    full, keys = disks["data/keys"], KeyFolder(rig.settings.data / "keys" / "hosts" / "freshdesk")
    full.fill()
    known = set(keys)
    await rig.wait_for(lambda: told(rig, "keys.not_turned", f"{keys.root} has no room left"))
    code, _, err = await rig.habeas("keys", "rotate", "host", "freshdesk")
    assert code == 1
    assert f"{keys.root} has no room left: make some" in " ".join(err.split())
    who = plant(rig, "keys")
    await _is_whole(rig, who, await rig.submit("access", "erasure", email=who.email))
    assert set(keys) <= known
    assert full.drafts() == []
    full.free()
    await rig.wait_for(lambda: set(keys) - known)


async def test_no_case_needs_room_for_temporary_files(rig: Rig, disks: Mapping[str, Disk]) -> None:
    full, who = disks["tmp"], plant(rig, "temporary")
    full.fill()
    await _is_whole(rig, who, await rig.submit("access", "erasure", email=who.email))
    full.free()


async def test_what_may_only_be_read_is_waited_for_as_well(
    rig: Rig, disks: Mapping[str, Disk]
) -> None:
    full, who = disks["data/objects"], plant(rig, "read-only")
    full.remount("ro")
    case = await rig.submit("access", "erasure", email=who.email)
    await rig.wait_for(lambda: told(rig, "store.refuses", f"{full.folder} may only be read"))
    await _is_deferred(rig, case, "objects_read_only")
    full.remount("rw")
    await _is_whole(rig, who, case)


async def test_a_first_start_that_finds_no_room_anywhere_goes_on_with_the_next(
    rig: Rig, tmp_path: Path
) -> None:
    """A page more each time: whatever it stops at, it says where, and what is there is whole."""
    settings = replace(rig.settings, data=tmp_path / "data")
    keys = Place(settings.data).keys
    with disk(settings.data, 8) as full, disk(keys.root, 1) as of_keys:
        for it in (full, of_keys):
            it.fill()
        assert await _prepared(settings) == f"register: {full.folder} has no room left: make some"
        full.free()
        said: list[str] = []
        while said[-1:] != [""]:
            said.append(await _prepared(settings))
            of_keys.free(pages=1)
        folders = {it.split()[1] for it in said[:-1]}
        kinds = ("wrapping", "pipeline", "letters", "orchestrator", "signing", "intakes")
        assert {str(keys.root / it) for it in kinds} <= folders
        assert {len(it) for it in keys.of_hosts()["freshdesk"].values()} == {BYTES}
        assert senders.load(Place(settings.data).intakes).intakes.keys() == {LOCAL, ONE_CLICK}
        app.local_signer(Place(settings.data), LOCAL)
        assert [it for it in full.drafts() if ".toml.lock" not in it] == []


async def _prepared(settings: Settings) -> str:
    try:
        await app.prepare(settings, settings.broker)
    except DiskError as error:
        return str(error)
    return ""


async def _is_deferred(rig: Rig, case: UUID, reason: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while reason not in {  # noqa: ASYNC110  other processes make it so
            getattr(it.event, "reason", "") for it in await rig.entries(case)
        }:
            await asyncio.sleep(LOOK_EVERY)


async def _is_whole(rig: Rig, who: Planted, case: UUID) -> None:
    """Every object was met once, and answer and report are there; nobody had to do anything."""
    done = await rig.settled(case)
    assert states(done, "erasure")["freshdesk", "contact"] == {"proved"}
    assert {len(it) for it in rig.effects(*who.keys).values()} == {1}
    document = rig.settings.data / "reports" / f"{case}-{done.reports}.json"
    await rig.wait_for(document.with_suffix(".dsse.json").exists)
    verify(document, Place(rig.settings.data).public_key)
    (process,) = rig.roles
    assert process.died == 0
