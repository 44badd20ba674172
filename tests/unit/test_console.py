"""How a command ends."""

from __future__ import annotations

import subprocess
import sys

STUBBORN = """
import asyncio
from contextlib import suppress
from pipeline.cli import console

console.LEFT_FOR = 0.1

async def stubborn():
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

@console.command
async def command():
    global kept
    kept = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    print("done")

command()
"""


def test_a_task_that_a_library_never_ends_does_not_hold_the_process() -> None:
    ended = subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-c", STUBBORN], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n")
