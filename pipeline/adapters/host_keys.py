"""A host's own keys: one file each, `<key id>.key`, that its owner alone can read."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from .key_files import KeyFileError, write_secret

_BYTES = 32


def load(folder: Path) -> dict[str, bytes]:
    """Every key by id, oldest first; empty without a folder. Raises `KeyFileError`."""
    return {it.stem: _read(it) for it in sorted(folder.glob("*.key"))}


def create(folder: Path) -> str:
    """Make a new key; its id, which sorts after every older one's."""
    named = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.urandom(4).hex()}"
    draft = folder / f".{named}"
    write_secret(draft, os.urandom(_BYTES))
    draft.rename(folder / f"{named}.key")  # at once: a host may be reading the folder
    return named


def current(folder: Path) -> str:
    """The id of the newest key. Raises `KeyFileError` if there is none."""
    ids = sorted(it.stem for it in folder.glob("*.key"))
    if not ids:
        raise KeyFileError(f"no host key in {folder}: start the pipeline once")
    return ids[-1]


def _read(path: Path) -> bytes:
    try:
        raw = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        raise KeyFileError(f"cannot read the key file {path}") from None
    if len(raw) != _BYTES:
        raise KeyFileError(f"the key file {path} does not hold {_BYTES} bytes")
    return raw
