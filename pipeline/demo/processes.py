"""Run a command, or a script, as a process of its own: exit code, and everything that it says."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence


async def run(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str]:
    """Run Python with these arguments, and these variables beside ours."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={**os.environ, **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
