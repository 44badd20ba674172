"""Commands as people give them, and roles as operators start them, each in a process of its own,
but without loading everything anew.

A server that has loaded the command line forks for each: two seconds of work less, some thousand
times.
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
from subprocess import TimeoutExpired
from threading import Lock

LOADED = ("cli", "orchestrator.orchestrator", "host.host", "web.server")
VENDORS = ("aws", "freshdesk", "mailgun", "salesforce", "stripe")
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [*(f"pipeline.{it}" for it in LOADED), *(f"connectors.{it}" for it in VENDORS)]
)


class Running:
    """`habeas ARGUMENTS` while it runs, with its output at the end of a log; as `Popen` is used."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        log.touch(0o600)
        self._process = FORKS.Process(
            target=_run, args=(tuple(arguments), _plain(environ), log, log), daemon=True
        )
        self._process.start()
        self._asking = Lock()  # only one may ask how it ended
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended: a signal is negative. None while it runs."""
        with self._asking:
            self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises `TimeoutExpired`."""
        with self._asking:
            self._process.join(timeout)
            self.returncode = self._process.exitcode
        if self.returncode is None:
            raise TimeoutExpired(str(self.pid), timeout or 0)
        return self.returncode

    def terminate(self) -> None:
        """Tell it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


async def give(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
    """`habeas ARGUMENTS` under an environment: its exit code, what it printed, and its errors."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = FORKS.Process(target=_run, args=(arguments, _plain(environ), out, err))
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


def _plain(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: str(value) for name, value in environ.items()}  # an address brings its TLS


def _run(arguments: Sequence[str], environ: Mapping[str, str], out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environ)
    sys.path[:0] = filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))
    for stream, path in ((sys.stdout, out), (sys.stderr, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, stream.fileno())
    from pipeline.cli import main  # noqa: PLC0415  the server has it; the tests' process need not

    main(list(arguments), prog_name="habeas")


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
