"""Values as the JSON that people and programs are given."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson


def as_json(value: Any) -> bytes:
    """Indented JSON in UTF-8: dataclasses as objects, bytes as hex, moments in ISO 8601."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(value, default=_plainer, option=options)


def _plainer(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, UUID):  # a database's own, which orjson does not take for one
        return str(value)
    raise TypeError(f"no JSON is made of a {type(value).__name__}")
