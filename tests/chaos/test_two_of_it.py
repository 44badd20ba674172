"""What belongs together is not together: a sentence says what is wrong, and nothing is changed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from pipeline import app
from pipeline.app import Place
from pipeline.demo.play import MARK
from pipeline.keys.key_files import KeyFiles
from tests.chaos.disks import disk
from tests.rig import LOOK_EVERY, PATIENCE, Rig, plant

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def copy(up: Rig, tmp_path: Path) -> Path:
    """The data folder as a backup of a moment ago has it, when something had been decided."""
    await answered(up, f"before-{tmp_path.name}")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    for it in ("keys", "objects"):
        if (up.settings.data / it).exists():
            shutil.copytree(up.settings.data / it, data / it)
    for it in ("intakes.toml", "cluster"):
        shutil.copy(up.settings.data / it, data)
    backup(up.settings.data / "register.db", data / "register.db")
    return data


def backup(register: Path, to: Path) -> None:
    """As SQLite makes one of a register in use."""
    with closing(sqlite3.connect(register)) as ours, closing(sqlite3.connect(to)) as theirs:
        ours.backup(theirs)
    to.chmod(0o600)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file, but for what SQLite and locks leave beside theirs."""
    return {
        str(it.relative_to(folder)): it.read_bytes()
        for it in folder.rglob("*")
        if it.is_file() and not it.name.endswith((".lock", "-wal", "-shm"))
    }


async def refused(rig: Rig, *command: str, **environ: str) -> str:
    """What a command said that could do nothing."""
    code, _, err = await rig.habeas(*command, **environ)
    said = " ".join(err.split())
    assert (code, "Traceback" in said) == (1, False), said
    return said.partition("Error: ")[2]


async def answered(rig: Rig, who: str) -> str:
    case = await rig.submit("access", email=plant(rig, who).email)
    await rig.settled(case)
    return str(case)


async def test_a_second_pipeline_on_the_folder_is_refused(up: Rig) -> None:
    await answered(up, "first")
    said = await refused(up, "up")
    assert said.startswith("a whole pipeline (`habeas up`, or a demo) runs on the folder")
    assert str(up.settings.data) in said


async def test_a_demo_neither_joins_a_broker_at_work_nor_empties_its_folder(
    up: Rig, tmp_path: Path
) -> None:
    await answered(up, "beside-a-demo")
    out = tmp_path / "demo"
    said = await refused(up, "demo", "--out", str(out))
    assert f"decides, or has decided, on the broker {up.bootstrap}" in said
    assert not (out / "keys").exists()
    (up.settings.data / MARK).touch(mode=0o600)  # as if it was an earlier demo's
    assert "runs on the folder" in await refused(up, "demo", "--out", str(up.settings.data))
    (up.settings.data / MARK).unlink()
    await answered(up, "after-a-demo")


async def test_keys_that_may_only_be_read_are_not_started_with(up: Rig, copy: Path) -> None:
    keys = copy / "keys"
    keys.rename(copy / "before")
    with disk(keys, 2) as theirs:
        shutil.copytree(copy / "before", keys, dirs_exist_ok=True)
        theirs.remount("ro")
        before = tree(copy)
        said = await refused(up, "run", "orchestrator", HABEAS_DATA=str(copy))
        assert said.startswith(f"keys: {keys} may only be read: mount it for writing")
        assert tree(copy) == before


async def test_keys_of_another_installation_are_not_decided_with(up: Rig, copy: Path) -> None:
    await answered(up, "keys")
    shutil.rmtree(copy / "keys")
    KeyFiles(copy / "keys").create(datetime.now(UTC), up.systems)
    before = tree(copy)
    said = await refused(up, "run", "orchestrator", HABEAS_DATA=str(copy))
    assert f"is not in {copy / 'keys' / 'wrapping'}: bring it back" in said
    assert "is another installation's: correct HABEAS_REGISTER or HABEAS_DATA" in said
    assert tree(copy) == before


async def test_a_register_of_another_installation_is_not_decided_with(
    up: Rig, copy: Path, tmp_path: Path
) -> None:
    await answered(up, "register")
    other = replace(up.settings, data=tmp_path / "other")
    await app.prepare(other, up.bootstrap)
    (copy / "register.db").unlink()
    backup(other.data / "register.db", copy / "register.db")
    before = tree(copy)
    said = await refused(up, "run", "orchestrator", HABEAS_DATA=str(copy))
    assert "is this another register?" in said
    assert tree(copy) == before


@pytest.mark.parametrize("how", ["missing", "emptied"])
async def test_objects_that_are_gone_are_not_started_without(up: Rig, copy: Path, how: str) -> None:
    case = await answered(up, f"objects-{how}")
    shutil.rmtree(copy / "objects", ignore_errors=True)
    backup(up.settings.data / "register.db", copy / "register.db")
    if how == "emptied":
        (copy / "objects").mkdir(mode=0o700)
    before = tree(copy)
    said = await refused(up, "up", HABEAS_DATA=str(copy))
    assert said.startswith(f"{copy / 'objects'} has none of the answers that were given lately")
    assert said.endswith(f"mkdir -p {copy / 'objects' / case}")
    assert tree(copy) == before


async def test_objects_that_are_named_and_not_there_are_not_made(up: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "not-mounted"
    said = await refused(up, "run", "response", HABEAS_OBJECTS=str(folder))
    assert said == f"HABEAS_OBJECTS: {folder} is not there: mount it, or make it"


async def test_objects_that_go_while_it_runs_are_waited_for(up: Rig) -> None:
    await answered(up, "stays")
    folder = app.objects_of(up.settings)
    away = folder.rename(folder.with_name("away"))
    case = await up.submit("access", email=plant(up, "goes").email)
    async with asyncio.timeout(PATIENCE):
        while "objects_gone" not in {  # noqa: ASYNC110  other processes make it so
            getattr(it.event, "reason", "") for it in await up.entries(case)
        }:
            await asyncio.sleep(LOOK_EVERY)
    assert f"objects: {folder} is not there any more" in up.roles[0].log.read_text()
    assert not folder.exists()
    away.rename(folder)
    await up.settled(case)
    assert (folder / str(case)).is_dir()
    assert Place(up.settings.data).intakes.exists()
