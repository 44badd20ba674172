"""What lies in the recycle bin: it goes by itself, on a day that is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from connectors.sdk.interface import Erased, Expires, Failed, RetryableError

from .schema import Row

IN_BIN: Final = timedelta(days=16)
"""The recycle bin is emptied after 15 days, and shows what was in it for about one more."""


def gone(row: Row | None) -> Erased | Expires:
    """What became of a row that is deleted: its last change was the deletion."""
    if row is None:
        return Erased()
    try:
        return Expires(datetime.fromisoformat(row["SystemModstamp"]) + IN_BIN)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise RetryableError("GET /queryAll: no date of a deletion") from None


def unchangeable(row: Row | None) -> Failed | Expires:
    """Why a row that is deleted cannot be changed."""
    said = gone(row)
    return said if isinstance(said, Expires) else Failed("not_found")
