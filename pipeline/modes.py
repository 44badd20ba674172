"""Who else on this machine could read or change what is ours? Modes of files, before a start."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

UMASK = 0o077
"""Of every process of ours: what it makes is its owner's alone."""
_WRITE = stat.S_IWGRP | stat.S_IWOTH
_GROUP_READ = stat.S_IRGRP | stat.S_IXGRP
_NAMED = 10
"""Paths that an error names at most."""


class ModesError(Exception):
    """Others can read or change what is ours. The message names the paths and the command."""


def refuse_open(
    private: Iterable[Path], public: Iterable[Path] = (), *, group_may_read: str = ""
) -> None:
    """Raise `ModesError` if group or others may read or write what is private, write the public.

    A symbolic link has its target's mode; what is not there is left out. In the files and folders
    that `group_may_read` names (separated by commas) the group may read what is private: a
    secret that Kubernetes mounts is root's, and its reader of a group.
    """
    shared = [Path(it.strip()).absolute() for it in group_may_read.split(",") if it.strip()]
    asked = [*((it, UMASK) for it in private), *((it, _WRITE) for it in public)]
    wrong = [path for path, mask in asked if _is_open(path, mask, shared)]
    if wrong:
        names = shlex.join(map(str, wrong[:_NAMED])) + (" ..." if len(wrong) > _NAMED else "")
        raise ModesError(
            "others on this machine could read or change what is ours. Was it for long, turn the"
            f" keys (`habeas keys rotate`). Then start again after: chmod go= {names}"
        )


def make_folder(path: Path) -> None:
    """Make a folder, and what is missing above it: their owner's alone."""
    if not path.parent.exists():
        make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def read_secret(path: Path, *, group_may_read: str = "") -> str:
    """The first line of a file that is its owner's alone. Raises `ModesError`, `OSError`."""
    refuse_open([path], group_may_read=group_may_read)
    return (path.read_text().splitlines() or [""])[0]


def _is_open(path: Path, mask: int, shared: list[Path]) -> bool:
    with suppress(FileNotFoundError):  # such as a key that was destroyed meanwhile
        if any(path.absolute().is_relative_to(it) for it in shared):
            mask &= ~_GROUP_READ
        if path.stat().st_mode & mask & _WRITE and _is_read_only(path):
            mask &= ~_WRITE
        return bool(path.stat().st_mode & mask)
    return False


def _is_read_only(path: Path) -> bool:
    """Whether it lies on a file system that nobody can write, such as a mounted secret."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
