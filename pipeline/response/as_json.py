"""Values as the JSON that people and programs are given."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson


def as_json(value: Any, *, indented: bool = True) -> bytes:
    """JSON in UTF-8, and a line feed: dataclasses as objects, bytes as hex, moments as ISO 8601."""
    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    if indented:
        options |= orjson.OPT_INDENT_2
    return orjson.dumps(value, default=_plainer, option=options)


def _plainer(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, UUID):  # a database's own, which orjson does not take for one
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"no JSON is made of a {type(value).__name__}")
