"""How a command ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import click
import pytest

from pipeline.cli import console
from pipeline.kafka import wire

STUBBORN = """
import asyncio
from contextlib import suppress
from pipeline.cli import console

console.LEFT_FOR = 0.1

async def stubborn():
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

async def leaves_another():
    global kept
    try:
        await asyncio.sleep(3600)
    finally:
        kept = asyncio.create_task(stubborn())

@console.command
async def command():
    global first
    first = asyncio.create_task({left}())
    await asyncio.sleep(0)
    print("done")

command()
"""


@pytest.mark.parametrize("left", ["stubborn", "leaves_another"])
def test_a_task_that_a_library_never_ends_does_not_hold_the_process(left: str) -> None:
    words = STUBBORN.replace("{left}", left)
    ended = subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n")


@console.command
async def _stopped_by_a_later_release() -> None:
    wire.refuse_later({"ce_type": "habeas.holdings_located.v99"})


@console.command
async def _broken_among_others() -> None:
    async with asyncio.TaskGroup() as roles:
        roles.create_task(_broken())


async def _broken() -> None:
    raise ValueError("someone@example.org")


def test_what_was_foreseen_is_told_in_its_own_words() -> None:
    with pytest.raises(click.ClickException, match=r"holdings_located\.v99 .*update this process"):
        _stopped_by_a_later_release()


def test_what_was_not_foreseen_is_told_by_its_place() -> None:
    with pytest.raises(click.ClickException) as told:
        _broken_among_others()
    assert told.value.message.startswith("ValueError at ")
    assert "example.org" not in told.value.message
