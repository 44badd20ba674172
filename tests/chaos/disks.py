"""Disks of a few megabytes, which a test fills and frees: file systems in memory (tmpfs)."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BALLAST, PAGE = "ballast", 4096


@dataclass(frozen=True)
class Disk:
    """A file system of its own at `folder`."""

    folder: Path

    def fill(self) -> None:
        """Leave no room for another page."""
        (self.folder / BALLAST).touch(mode=0o600)
        with (self.folder / BALLAST).open("ab", buffering=0) as file:
            for size in (1024 * 1024, PAGE):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    assert error.errno == errno.ENOSPC  # noqa: PT017  how it is known to be full

    def free(self, pages: int | None = None) -> None:
        """Make room again: all of it, or for some pages more."""
        ballast = self.folder / BALLAST
        left = ballast.stat().st_size - pages * PAGE if pages is not None else 0
        os.truncate(ballast, max(left, 0))
        if left <= 0:
            ballast.unlink()

    def remount(self, how: str) -> None:
        """`ro` or `rw`."""
        _run("mount", "-o", f"remount,{how}", str(self.folder))

    def drafts(self) -> list[str]:
        """What lies here half written: files whose names nobody looks for."""
        return sorted(str(it) for it in self.folder.rglob(".*") if it.is_file())


@contextmanager
def disk(folder: Path, megabytes: int, mode: int = 0o700) -> Iterator[Disk]:
    """Have a folder be a disk of its own. Skips the test where nobody may mount one."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a disk that is small enough to fill")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = _run(
        "mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode={mode:o}", "none", str(folder)
    )
    if told:
        pytest.skip(f"no disk can be mounted here: {told}")
    try:
        yield Disk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> str:
    """What a command said against it; empty where it was done."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    return done.stderr.strip() or f"it ended with {done.returncode}" if done.returncode else ""
