"""Records as JSON has them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


def plain(value: Any) -> Any:
    """A value for JSON: dataclasses as objects, bytes as hex, moments in ISO 8601."""
    if is_dataclass(value):
        return {it.name: plain(getattr(value, it.name)) for it in fields(value)}
    if isinstance(value, tuple):
        return [plain(it) for it in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
