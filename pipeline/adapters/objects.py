"""Objects in a folder: each written once, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from pipeline.ports import ObjectExistsError, ObjectMissingError

_CHUNK = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class ObjectNameError(ValueError):
    """A name that could lead out of the folder."""


class FolderObjects:
    """Implements `ports.Objects` with files that only their owner can read.

    Names are words of letters, digits, `.`, `_` and `-`, none starting with a dot, joined by `/`;
    any other raises `ObjectNameError`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, name: str, content: AsyncIterator[bytes]) -> None:
        """Write an object once, and have it on the disk. Raises `ObjectExistsError`."""
        path = self._path(name)
        draft = path.with_name(f".{uuid4().hex}.part")
        waiting = bytearray()
        file = await asyncio.to_thread(_create, draft)
        try:
            async for chunk in content:
                waiting += chunk
                if len(waiting) >= _CHUNK:
                    await asyncio.to_thread(file.write, bytes(waiting))
                    waiting.clear()
            await asyncio.to_thread(_publish, file, bytes(waiting), draft, path)
        finally:
            await asyncio.to_thread(_discard, file, draft)

    async def get(self, name: str) -> AsyncIterator[bytes]:
        """An object's bytes, in chunks. Raises `ObjectMissingError`."""
        path = self._path(name)
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ObjectMissingError(name) from None
        try:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk
        finally:
            file.close()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ObjectNameError("not the name of an object")
        return self._root / name


def _create(draft: Path) -> BinaryIO:
    draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _discard(file: BinaryIO, draft: Path) -> None:
    file.close()
    draft.unlink()


def _publish(file: BinaryIO, rest: bytes, draft: Path, path: Path) -> None:
    """Give the draft its name, unless another has it: a link is never made over a file."""
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise ObjectExistsError(path.name) from None
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
