"""`habeas demo`, as a newcomer runs it."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest


def _files(folder: str, kind: str) -> list[Path]:
    return list(Path(folder).glob(kind))


async def _begun(out: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline.cli", "demo", "--json", "--out", str(out)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _killed(out: Path) -> None:
    """A run that was killed in its middle, with answers made."""
    process = await _begun(out)
    reading = asyncio.create_task(process.communicate())
    async with asyncio.timeout(300):
        while not _files(str(out / "objects"), "*/*"):
            assert process.returncode is None
            await asyncio.sleep(0.2)
    process.kill()
    await reading


async def _demo(out: Path) -> tuple[int, str, str]:
    process = await _begun(out)
    said, err = await process.communicate()
    return process.returncode or 0, said.decode(), err.decode()


@pytest.mark.timeout(900)
async def test_the_demo_ends_as_it_must_and_can_be_run_again(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    await _killed(out)
    code, said, err = await _demo(out)
    assert code == 0, err
    ended = json.loads(said.splitlines()[-1])
    assert ended["submitted"] >= 8
    assert ended["settled"] + ended["refused"] + ended["waiting"] == ended["submitted"]
    assert (ended["refused"], ended["waiting"]) == (1, 1)
    assert ended["systems"] == ["aws", "freshdesk", "mailgun", "salesforce", "stripe"]
    packages = _files(ended["responses"], "*.zip")
    assert len(packages) == ended["responses_made"]
    assert ended["verified"] == len(packages) + ended["settled"]
    assert len(_files(ended["reports"], "*.html")) >= ended["settled"]
    assert "habeas approve" in err
    assert {word for word in ("--same", "--other") if f" {word} " in err} == {"--same", "--other"}
    assert "pressed the button in the mail to a second address" in err
    assert "needs_human whose_is_it" in err
    assert "0 differences" in err
    assert f"records in {len(packages)} answers, all of the person who asked" in err
    said_of = re.findall(r"habeas decide (\w+)", err)
    assert sorted(said_of) == ["extend", "refuse", "refuse", "settle", "uphold"]
    told = " ".join(err.split())  # lines are as long as a terminal is wide
    assert re.search(r"[1-9]\d* files, byte for byte as the vendors hold them", told)
    assert re.search(r"by a job of 2 seconds: [1-9]\d* cases waited for it, told it once", told)
    assert "1 extended, 1 refused, 1 by hand, 1 silent, 0 wrong" in told


async def test_somebody_elses_folder_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, _, err = await _demo(tmp_path)
    assert code == 1
    assert "--out" in err
    assert (tmp_path / "mine.txt").exists()
