"""Texts that are nowhere else: what of a person is in a copy, and what is left in a vendor."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..interface import Category, Record

NUMBER = "8808{:06d}088"
"""Digits are spelt the same in every case, encoding and quoting, and fit into a phone's number.
What tells two apart is inside: at the ends, base64 mixes it with what stands beside.
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """One text that a world planted."""

    number: str
    category: Category

    @classmethod
    def of(cls, n: int, category: Category) -> Mark:
        """The n-th."""
        return cls(NUMBER.format(n), category)

    def is_in(self, content: bytes) -> bool:
        """Whether it is there: as it is, in base64, or broken over lines."""
        flat = content.replace(b"\n", b"").replace(b"\r", b"").replace(b"\\n", b"")
        spelt = self.number.encode()
        return spelt in content or any(it in flat for it in (spelt, *_encoded(spelt)))


def _encoded(text: bytes) -> Iterable[bytes]:
    """What every base64 of something with `text` in it has, wherever it begins there."""
    for before in range(3):
        whole = b64encode(b"\0" * before + text)
        first, end = -(-before * 8 // 6), (before + len(text)) * 8 // 6
        yield whole[first:end]


def in_state(marks: Iterable[Mark], state: Mapping[str, Any]) -> set[Mark]:
    """Those that a vendor has."""
    content = json.dumps(state, ensure_ascii=False, default=str).encode()
    return {it for it in marks if it.is_in(content)}


def in_records(marks: Iterable[Mark], records: Iterable[Record]) -> set[Mark]:
    """Those in a copy. A file that comes in pieces is put together."""
    found = list(marks)
    return {it for body in bodies(records) for it in found if it.is_in(body)}


def bodies(records: Iterable[Record]) -> list[bytes]:
    """Documents and whole files, each by what it is of and what it is called."""
    named = groupby(records, key=lambda it: (it.holding, it.name, it.content_type))
    return [b"".join(it.body for it in pieces) for _, pieces in named]
