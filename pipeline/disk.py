"""Files that are whole or not there, and disks that take none for now: that is late, not broken."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_FULL, _READ_ONLY, _GONE = "full", "read_only", "gone"
_SAYS = {
    _FULL: "has no room left: make some",
    _READ_ONLY: "may only be read: mount it for writing, or give it to the user of this process",
    _GONE: "is not there any more: mount it, or bring it back",
}
_STATES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
}
_ERRNO = {_FULL: errno.ENOSPC, _READ_ONLY: errno.EROFS, _GONE: errno.ENOENT}
LOCK = ".lock"
"""Lies in a folder that one process has for itself."""
LITTLE = 1024 * 1024
"""Bytes of room with which nothing of ours can run."""


class TakenError(Exception):
    """Another process has a folder for itself. The message names it, and says what to do."""


class DiskError(OSError):
    """Nothing can be written to a store for now. The message names its folder, and what to do."""

    def __init__(self, store: str, folder: Path, state: str) -> None:
        super().__init__(_ERRNO[state], f"{store}: {folder} {_SAYS[state]}")
        self.code = f"{store}_{state}"
        """Such as `objects_full`: for records, which name no folder."""

    def __str__(self) -> str:
        return str(self.strerror)


@contextmanager
def writing(store: str, folder: Path) -> Iterator[None]:
    """Raise `DiskError` where `folder` has no room or may only be read; what else fails, fails."""
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        if error.errno not in _STATES:
            raise
        raise DiskError(store, folder, _STATES[error.errno]) from None


def is_full(folder: Path) -> bool:
    """Whether there is no room worth speaking of where a folder lies, or would."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free < LITTLE


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have a folder for oneself meanwhile; a process that dies leaves it. Raises `TakenError`."""
    with (folder / LOCK).open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TakenError(
                f"a whole pipeline (`habeas up`, or a demo) runs on the folder {folder} already:"
                " stop it, or choose another folder. `habeas run` adds processes to it. Nothing"
                " was changed."
            ) from None
        yield


def refuse_read_only(store: str, folders: Iterable[Path]) -> None:
    """Raise `DiskError` naming the first of these folders that we cannot write in."""
    for it in folders:
        if not os.access(it, os.W_OK):
            raise DiskError(store, it, _READ_ONLY)


def refuse_gone(store: str, folder: Path) -> None:
    """Raise `DiskError` if a folder is not there: what is made anew may lie on another disk."""
    if not folder.is_dir():
        raise DiskError(store, folder, _GONE)


def full(store: str, folder: Path) -> DiskError:
    """The error that a store's disk is full, where somebody else's program met it."""
    return DiskError(store, folder, _FULL)


def write(path: Path, content: bytes, *, mode: int = 0o600, again: bool = True) -> None:
    """Write a file, whole or not at all, and have it on the disk; its folder is there already.

    Without `again` one that has the name is left, and `FileExistsError` raised.
    """
    with drafted(path, mode=mode, again=again) as file:
        file.write(content)


@contextmanager
def drafted(path: Path, *, mode: int = 0o600, again: bool = True) -> Iterator[BinaryIO]:
    """Write a file bit by bit, as `write` does: it has its name once all of it is written."""
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if again:
            draft.replace(path)
        else:
            os.link(draft, path)
    finally:
        with suppress(FileNotFoundError):  # it has its name
            draft.unlink()
    flush(path.parent)


def flush(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
