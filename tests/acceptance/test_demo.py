"""`habeas demo`, as a newcomer runs it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path


def _files(folder: str, kind: str) -> list[Path]:
    return list(Path(folder).glob(kind))


async def _demo(out: Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline.cli", "demo", "--json", "--out", str(out)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, err = await process.communicate()
    return process.returncode or 0, said.decode(), err.decode()


async def test_the_demo_ends_as_it_must_and_can_be_run_again(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    await _demo(out)
    code, said, err = await _demo(out)
    assert code == 0, err
    ended = json.loads(said.splitlines()[-1])
    assert ended["submitted"] >= 8
    assert ended["settled"] + ended["waiting"] == ended["submitted"]
    assert ended["waiting"] == 1
    assert ended["systems"] == ["aws", "freshdesk", "mailgun", "salesforce", "stripe"]
    packages = _files(ended["responses"], "*.zip")
    assert len(packages) == ended["responses_made"]
    assert ended["verified"] == len(packages) + ended["settled"]
    assert len(_files(ended["reports"], "*.html")) >= ended["settled"]
    assert "habeas approve" in err
    assert "0 differences" in err


async def test_somebody_elses_folder_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, _, err = await _demo(tmp_path)
    assert code == 1
    assert "--out" in err
    assert (tmp_path / "mine.txt").exists()
