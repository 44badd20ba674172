"""Objects in a folder: each written once, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from pipeline import disk
from pipeline.modes import make_folder
from pipeline.ports import ObjectExistsError, ObjectMissingError

OBJECTS = "objects"
"""What errors call the store."""
_CHUNK = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class ObjectNameError(ValueError):
    """A name that could lead out of the folder."""


class FolderObjects:
    """Implements `ports.Objects` with files that only their owner can read, in a folder that is
    there.

    Names are words of letters, digits, `.`, `_` and `-`, none starting with a dot, joined by `/`;
    any other raises `ObjectNameError`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, name: str, content: AsyncIterator[bytes]) -> None:
        """Write an object once, onto the disk. Raises `ObjectExistsError`, `DiskError`."""
        draft = _Draft(self._root, self._path(name))
        waiting = bytearray()
        try:
            async for chunk in content:
                waiting += chunk
                if len(waiting) >= _CHUNK:
                    await asyncio.to_thread(draft.write, bytes(waiting))
                    waiting.clear()
            await asyncio.to_thread(draft.publish, bytes(waiting))
        except BaseException:
            await asyncio.to_thread(draft.discard)
            raise

    async def get(self, name: str) -> AsyncIterator[bytes]:
        """An object's bytes, in chunks. Raises `ObjectMissingError`."""
        try:
            file, chunk = await asyncio.to_thread(_opened, self._path(name))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ObjectMissingError(name) from None
        try:
            while chunk:
                yield chunk
                chunk = await asyncio.to_thread(file.read, _CHUNK) if len(chunk) == _CHUNK else b""
        finally:
            file.close()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ObjectNameError("not the name of an object")
        return self._root / name


class _Draft:
    """A file under a name that nobody looks for, until it is whole. Its methods block."""

    def __init__(self, root: Path, path: Path) -> None:
        self._root = root
        self._path = path
        self._draft = path.with_name(f".{uuid4().hex}.part")
        self._file: BinaryIO | None = None

    def write(self, chunk: bytes) -> None:
        with disk.writing(OBJECTS, self._root):
            if self._file is None:
                self._file = _made(self._root, self._draft)
            self._file.write(chunk)

    def publish(self, rest: bytes) -> None:
        """Give the draft its name, unless another has it: a link is never made over a file."""
        self.write(rest)
        assert self._file is not None  # noqa: S101  it was just written to
        with disk.writing(OBJECTS, self._root):
            self._file.flush()
            os.fsync(self._file.fileno())
            try:
                os.link(self._draft, self._path)
            except FileExistsError:
                raise ObjectExistsError(self._path.name) from None
            self.discard()
            disk.flush(self._path.parent)

    def discard(self) -> None:
        """Leave nothing of it but what was published."""
        if self._file is not None:
            with suppress(OSError):  # what is left to be written finds no room either
                self._file.close()
            self._draft.unlink()
            self._file = None


def _made(root: Path, path: Path) -> BinaryIO:
    """A new file, and its folder if there is none; `root` itself is never made anew."""
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileNotFoundError:
        disk.refuse_gone(OBJECTS, root)
        make_folder(path.parent)
        disk.flush(path.parent.parent)
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(made, "wb")


def _opened(path: Path) -> tuple[BinaryIO, bytes]:
    """A file and its first chunk."""
    file = path.open("rb")
    try:
        return file, file.read(_CHUNK)
    except BaseException:
        file.close()
        raise
