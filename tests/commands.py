"""Commands as people give them, each in a process of its own, but without loading everything anew.

A server that has loaded the command line forks for each: a second of work less, some hundred times.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pipeline.cli"])


async def give(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
    """`habeas ARGUMENTS` under an environment: its exit code, what it printed, and its errors."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        plain = {name: str(value) for name, value in environ.items()}  # an address brings its TLS
        process = FORKS.Process(target=_run, args=(arguments, plain, out, err))
        process.start()
        try:
            await _end_of(process)
        finally:
            process.kill()
            process.join()
        code = process.exitcode
        process.close()
        return code or 0, _read(out), _read(err)


async def _end_of(process: BaseProcess) -> None:
    """Wait for it without a thread: only one may ask how it ended."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)


def _run(arguments: Sequence[str], environ: Mapping[str, str], out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environ)
    sys.path[:0] = filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), stream.fileno())
    from pipeline.cli import main  # noqa: PLC0415  the server has it; the tests' process need not

    main(list(arguments), prog_name="habeas")


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
