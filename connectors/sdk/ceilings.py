"""How much of a vendor's answer is taken: bytes, depth and time.

A connector's `Settings` that has `Ceilings` for its base can be told otherwise by variables:
`HABEAS_ACME_ANSWER_BYTES`, `HABEAS_ACME_ANSWER_DEPTH`, `HABEAS_ACME_ANSWER_SECONDS`,
`HABEAS_ACME_FILE_BYTES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

TOO_LARGE: Final = "answer_too_large"
"""The reason of a `TerminalError`: the answer passed the ceiling on bytes, or the one on depth."""
_CONTAINERS: Final = frozenset({dict, list})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """Of one answer. Each is at least 1."""

    answer_bytes: int = 32 * 1024 * 1024
    """Of its body, after decompression. In memory, JSON can be many times as large."""
    answer_depth: int = 100
    """Objects and arrays that lie in one another."""
    answer_seconds: int = 30
    """For the whole of it, from connecting to the last byte; of a file, for each piece."""
    file_bytes: int = 1024 * 1024 * 1024
    """Of one file, which is read piece by piece and never in memory as a whole."""


def is_deeper(body: Any, content: bytes, levels: int) -> bool:
    """Whether the objects and arrays of `body`, read from `content`, lie in one another so deep."""
    if content.count(b"[") + content.count(b"{") <= levels:  # most answers: nothing to walk
        return False
    level = [body]
    for _ in range(levels):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return False
    return True
