"""Which signing keys there are or were, and as of when one is revoked: `keys/signing/keys.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.crypto import lifetimes

from .key_folder import KeyFileError, lay_out

_KEY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Known:
    """A line of the index."""

    named: str
    """The private key's id in the folder, as in `lifetimes`."""
    key: str
    """As `trusted_keys.key_id`."""
    revoked: datetime | None = None


def read(path: Path) -> list[Known]:
    """Every key, oldest first; none if there is no index yet. Raises `KeyFileError`."""
    try:
        found: Any = json.loads(path.read_bytes())
        return [_known(it) for it in found["keys"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise KeyFileError(f"cannot read {path}") from None


def write(path: Path, index: Sequence[Known]) -> None:
    """Write the index, with the moments that people look for beside what it is read for."""
    ids = [it.named for it in index]
    lines = [
        {
            "key": it.key,
            "file": it.named,
            "since": lifetimes.since(it.named).isoformat(),
            "until": _written(lifetimes.superseded(ids, it.named)),
            "revoked": _written(it.revoked),
        }
        for it in index
    ]
    lay_out(path, json.dumps({"keys": lines}, indent=2).encode() + b"\n")


def _known(line: Any) -> Known:
    revoked, named, key = line["revoked"], line["file"], line["key"]
    if not (isinstance(named, str) and _KEY.fullmatch(key)):  # it becomes the name of a file
        raise ValueError("no line of ours")
    return Known(
        named=named,
        key=key,
        revoked=None if revoked is None else datetime.fromisoformat(revoked).astimezone(UTC),
    )


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
