"""Objects in a folder are written once and whole, and stay inside it. Host keys beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipeline.ports import ObjectExistsError, ObjectMissingError, Objects
from pipeline.storage.objects import FolderObjects, ObjectNameError


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for it in chunks:
        yield it


async def read(objects: Objects, name: str) -> bytes:
    return b"".join([it async for it in objects.get(name)])


def files(folder: Path) -> set[str]:
    return {str(it.relative_to(folder)) for it in folder.rglob("*") if it.is_file()}


async def test_an_object_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    objects = FolderObjects(tmp_path / "objects")
    large = bytes(700_000)
    await objects.put("case/order/run-1", stream(b"a", large))
    assert await read(objects, "case/order/run-1") == b"a" + large
    assert files(tmp_path) == {"objects/case/order/run-1"}
    assert (tmp_path / "objects/case/order/run-1").stat().st_mode & 0o077 == 0


async def test_an_object_is_written_once(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    await objects.put("a/1", stream(b"first"))
    with pytest.raises(ObjectExistsError):
        await objects.put("a/1", stream(b"second"))
    assert await read(objects, "a/1") == b"first"
    assert files(tmp_path) == {"a/1"}


async def test_of_two_writers_one_wins(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    writes = (objects.put("a/1", stream(it)) for it in (b"one", b"two", b"three"))
    ended = await asyncio.gather(*writes, return_exceptions=True)
    assert sorted(type(it).__name__ for it in ended) == [
        "NoneType",
        "ObjectExistsError",
        "ObjectExistsError",
    ]


async def test_a_write_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError

    objects = FolderObjects(tmp_path)
    with pytest.raises(RuntimeError):
        await objects.put("a/1", broken())
    assert files(tmp_path) == set()
    with pytest.raises(ObjectMissingError):
        await read(objects, "a/1")


@pytest.mark.parametrize("name", ["missing", "a", "a/1/2"])
async def test_what_is_not_there_is_missing(tmp_path: Path, name: str) -> None:
    objects = FolderObjects(tmp_path)
    await objects.put("a/1", stream(b"there"))
    with pytest.raises(ObjectMissingError):
        await read(objects, name)


@pytest.mark.parametrize(
    "name", ["", "/", "/etc/x", "..", "../x", "a/../../x", "a//b", "a/", "a/./b", "a\\b", "a\x00"]
)
async def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "objects").mkdir()
    objects = FolderObjects(tmp_path / "objects")
    with pytest.raises(ObjectNameError):
        await objects.put(name, stream(b"x"))
    with pytest.raises(ObjectNameError):
        await read(objects, name)
    assert files(tmp_path) == set()
