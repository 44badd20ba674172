"""Who was erased is not let in again: lists are screened by real processes, the DPO hears it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.rig import Rig, plant

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def erased(up: Rig, who: str) -> tuple[UUID, str]:
    """Somebody is erased; the case, and the day."""
    case = await up.settled(await up.submit("erasure", email=plant(up, who).email))
    at = case.claims["erasure"].settled_at
    assert at is not None
    return case.id, f"{at:%Y-%m-%d}"


async def piped(up: Rig, rows: bytes, *arguments: str) -> tuple[int, bytes, str]:
    """`habeas screen -` with rows on its stdin."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipeline.cli", "screen", "-", *arguments),
        env={**os.environ, **{name: str(it) for name, it in up.environ.items()}},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(rows)
    assert process.returncode is not None
    return process.returncode, out, err.decode()


async def back(up: Rig, case: UUID) -> list[dict[str, Any]]:
    """What `habeas inbox` tells of a person who is there again."""
    code, out, err = await up.habeas("inbox", str(case), "--json")
    assert code == 0, err
    return [it for it in json.loads(out)["items"] if it["kind"] == "reappeared"]


async def test_a_restored_list_is_marked_and_who_is_on_it_stands_on_the_inbox(
    up: Rig, tmp_path: Path
) -> None:
    case, day = await erased(up, "comes.back")
    file, out = tmp_path / "crm.csv", tmp_path / "marked.csv"
    file.write_text(
        "id;E-Mail;phone\n1;Comes.Back@Example.ORG;+1 555\n2;stays@example.org;\n"
        '3;"comes.back@example.org";\n'
    )
    screen = ("screen", str(file), "--feed", "crm-import", "--out", str(out))
    for _ in "12":  # what is screened twice is said once
        code, said, err = await up.habeas(*screen)
        assert (code, said) == (3, ""), err
        assert "rows of who was erased: 2, of others: 1" in err
    assert out.read_text() == (
        f"id;E-Mail;phone;habeas_erased\n1;Comes.Back@Example.ORG;+1 555;{day}\n"
        f'2;stays@example.org;;\n3;"comes.back@example.org";;{day}\n'
    )
    await up.until(case, lambda it: it.reappeared)
    (item,) = await back(up, case)
    assert "2 rows are of the person in crm-import again" in item["says"]
    code, shown, err = await up.habeas("case", str(case))
    assert code == 0, err
    assert "there again in crm-import" in shown
    settle = ("decide", "settle", str(case), item["id"], "--done", "--evidence", "taken out")
    code, _, err = await up.habeas(*settle)
    assert code == 0, err
    await up.until(case, lambda it: any(row[1].startswith("crm-import/") for _, row in it.by_hand))
    assert await back(up, case) == []
    entries = [it.type for it in await up.entries(case)]
    assert entries.count("person_reappeared") == 1


async def test_a_stream_is_screened_as_it_comes(up: Rig) -> None:
    _, day = await erased(up, "streamed")
    lines = [json.dumps({"n": n, "who": {"email": f"s{n}@example.org"}}) for n in range(2000)]
    lines[1500] = json.dumps({"n": 1500, "who": {"email": "STREAMED@example.org"}})
    rows = "".join(f"{it}\n" for it in lines).encode()
    code, out, err = await piped(up, rows, "--only")
    assert code == 3, err
    assert [json.loads(it) for it in out.splitlines()] == [
        {"n": 1500, "who": {"email": "STREAMED@example.org"}, "habeas_erased": day}
    ]
    code, out, err = await piped(up, rows, "--clean")
    assert code == 3, err
    assert out == "".join(f"{it}\n" for n, it in enumerate(lines) if n != 1500).encode()
    assert "example.org" not in err


async def test_a_feed_that_is_no_code_is_refused_before_anything_is_read(up: Rig) -> None:
    code, out, err = await piped(up, b"email\n", "--feed", "List of Ann")
    assert (code, out) == (2, b"")
    assert "--feed is a code" in err
