"""Open a response for the person it is for: with the case's package key, while it lives."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline.crypto import grants
from pipeline.crypto.segments import open_stream
from pipeline.keys.key_files import KeyFiles
from pipeline.ports import Objects
from schemas.events import ResponseSigned

from . import reading
from .case_keys import PACKAGE, CaseKeys
from .reading import NoCaseError


@dataclass(frozen=True, slots=True)
class OpenedResponse:
    """A response that was written to a file."""

    n: int
    digest: bytes


async def open_response(
    engine: AsyncEngine,
    files: KeyFiles,
    objects: Objects,
    *,
    case: UUID,
    n: int | None,
    out: Path,
) -> OpenedResponse:
    """Write response `n` (default: the latest) to `out`. Raises `NoCaseError` if there is none."""
    entries = await reading.entries(engine, case)
    signed = [it.event for it in entries if isinstance(it.event, ResponseSigned)]
    chosen = [it for it in signed if n in {None, it.n}]
    if not chosen:
        raise NoCaseError(f"case {case} has no response {n or ''} yet: see `habeas case {case}`")
    response = chosen[-1]
    async with engine.connect() as connection:
        keys = await CaseKeys(files.wrapping()).of(connection, [case])
    if (case, PACKAGE) not in keys:
        raise NoCaseError(f"the package key of case {case} is gone: nobody can open it")
    key = keys[case, PACKAGE]
    granted = grants.grant(grants.PACKAGE, key.key, key.id, "response")
    sealed = objects.get(response.name)
    digest = await _write(open_stream(granted.key, response.name, sealed), out)
    if digest != response.digest:
        _emptied(out).close()
        raise NoCaseError(f"response {response.n} is not the one that was signed")
    return OpenedResponse(response.n, digest)


async def _write(content: AsyncIterator[bytes], out: Path) -> bytes:
    digest = sha256()
    with _emptied(out) as file:
        async for chunk in content:
            digest.update(chunk)
            file.write(chunk)
    return digest.digest()


def _emptied(out: Path) -> BinaryIO:
    """A file without content that its owner alone can read, also if others could before."""
    file = os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe or a terminal stays what it is
        os.fchmod(file.fileno(), 0o600)
    return file
