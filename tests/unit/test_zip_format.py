"""Our zip is what Python's own writer would make of the same: any program opens it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from random import Random
from shutil import which
from typing import Any
from zipfile import ZipFile

import pytest

from pipeline.response import zip_format as form
from pipeline.response.archive import Archive
from pipeline.response.archive_reader import ArchiveError, ArchiveReader
from pipeline.response.zip_format import Entry
from tests.fakes.zips import Pipe, info
from tests.unit import answers

AT = answers.RECEIVED
CONTENT = b"A page, and again a page. " * 9_000


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def ours(*names: str, large: bool = False) -> bytes:
    archive = Archive(AT)
    written = [piece for it in names async for piece in archive.add(it, once(CONTENT), large=large)]
    return b"".join(written) + archive.close()


@pytest.mark.parametrize("large", [False, True])
async def test_it_is_the_same_bytes_as_pythons_writer_makes(*, large: bool) -> None:
    pipe: Any = Pipe()
    with ZipFile(pipe, "w") as opened:
        for name in ("index.html", "data/aws.json"):
            with opened.open(info(name), "w", force_zip64=large) as entry:
                entry.write(CONTENT)
    assert bytes(pipe.written) == await ours("index.html", "data/aws.json", large=large)


@pytest.mark.parametrize(
    ("size", "offset"), [(1, 1), (form.LIMIT + 1, 1), (7, form.LIMIT + 9), (2**33, 2**34)]
)
@pytest.mark.parametrize("count", [1, form.MOST + 1])
def test_the_end_of_a_huge_archive_is_as_pythons_writer_makes_it(
    size: int, offset: int, count: int
) -> None:
    pipe: Any = Pipe()
    whole: Any = ZipFile(pipe, "w")
    large = size > form.LIMIT
    made = info("data/aws.json")
    made.file_size, made.compress_size, made.header_offset, made.CRC = size, size // 2, offset, 17
    made.flag_bits, made.extract_version = form.STREAMED, form.ZIP64 if large else form.PLAIN
    made.create_version = made.extract_version
    whole.filelist = [made] * count
    whole.start_dir = offset + size
    whole.fp.offset = whole.start_dir  # as if that much were written
    whole._didModify = True
    whole.close()

    entry = Entry(
        name=b"data/aws.json",
        crc=17,
        packed=size // 2,
        size=size,
        offset=offset,
        at=form.dos_time(AT),
        large=large,
    )
    directory = form.central(entry) * count
    assert bytes(pipe.written) == directory + form.end(count, len(directory), offset + size)


@pytest.mark.parametrize("large", [False, True])
async def test_other_programs_open_it(tmp_path: Path, *, large: bool) -> None:
    path = tmp_path / "whole.zip"
    path.write_bytes(await ours("index.html", "data/aws.json", large=large))
    with ZipFile(path) as opened:
        assert opened.testzip() is None
        assert opened.read("index.html") == CONTENT
    if (unzip := which("unzip")) is None:
        pytest.skip("Info-ZIP's unzip is not here")
    tested = await asyncio.create_subprocess_exec(unzip, "-t", path, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(tested.communicate(), 60)
    assert tested.returncode == 0, said
    assert b"No errors detected" in said


@pytest.mark.parametrize("large", [False, True])
async def test_what_is_written_is_read(*, large: bool) -> None:
    reader = ArchiveReader(BytesIO(await ours("index.html", "data/aws.json", large=large)))
    assert [it.name for it in reader.files] == ["index.html", "data/aws.json"]
    assert reader.content(reader.files[1], len(CONTENT)) == CONTENT
    with pytest.raises(ArchiveError, match="too large"):
        reader.content(reader.files[1], len(CONTENT) - 1)


@pytest.mark.parametrize("name", ["../up", "data/Ann.json", "notes.txt", "more/aws-0.html", ""])
async def test_no_other_name_is_written(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        await ours(name)
    with pytest.raises(ValueError, match="there is one already"):
        await ours("index.html", "index.html")


@pytest.mark.parametrize("year", [1970, 2107, 2400])
def test_a_date_that_no_archive_can_hold_becomes_the_nearest_year(year: int) -> None:
    at = datetime(year, 2, 28, 23, 59, 59, tzinfo=UTC)
    held = 1980 + (form.dos_time(at) >> 25)
    assert held == min(max(year, 1980), 2107)


async def test_whatever_the_bytes_only_an_error_that_says_so_comes() -> None:
    """Sizes and places from 0 to the largest, alone and together, in every field there is."""
    whole, random = await ours("index.html", "data/aws.json", large=True), Random(7)
    wide = whole[: -form.END.size] + form.end(2**17, 2**17, form.LIMIT + 1)
    for original in (whole, wide):
        for _ in range(300):
            raw = bytearray(original)
            for _ in range(random.randint(1, 4)):
                at = random.randrange(max(len(raw) - 330, 0), len(raw) - 8)
                size = random.choice((1, 2, 4, 8))
                raw[at : at + size] = random.choice((b"\0", b"\x7f", b"\xff")) * size
            with suppress(ArchiveError):
                reader = ArchiveReader(BytesIO(raw))
                assert [reader.content(it, len(CONTENT)) for it in reader.files] == [CONTENT] * 2
                assert bytes(raw) == whole


@pytest.mark.parametrize("start", [2**64 - 1, 2**63, 2**62])
def test_places_beyond_what_a_file_can_have_are_refused(start: int) -> None:
    end64 = form.END64.pack(b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 2**64 - 1, start)
    locator = form.LOCATOR.pack(b"PK\6\7", 0, 0, 1)
    end = form.END.pack(b"PK\5\6", 0, 0, 1, 1, form.FULL32, form.FULL32, 0)
    with pytest.raises(ArchiveError, match="damaged"):
        ArchiveReader(BytesIO(b"PK\3\4" + end64 + locator + end))
