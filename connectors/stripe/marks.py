"""Marks in the metadata of Stripe's objects: not to be used, not to be sent any marketing.

https://docs.stripe.com/api/metadata. Stripe itself heeds neither, and sends no marketing: whoever
works with the objects has to look. Subscriptions are not paused: that would change what was agreed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.sdk.http import UnauthorisedError
from connectors.sdk.interface import Failed, NotSupported, Outcome, TerminalError
from connectors.sdk.kinds import reference
from connectors.sdk.pages import Row

from .client import Client
from .kinds import ROUTES

GONE: Final = Failed("not_found")
SET: Final = "true"
MOST_KEYS: Final = 50
"""In the metadata of one object."""


def is_marked(row: Row, mark: str) -> bool:
    """Whether an object bears a mark."""
    return _metadata(row).get(mark) == SET


class Marks:
    """Sets marks, and takes them off. All else in the metadata stays as it is."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def write(
        self, kind: str, row: Row, mark: str, *, is_set: bool, done: Outcome
    ) -> Outcome:
        """`done` once an object bears the mark, or does not; else why it cannot."""
        notes, said = _metadata(row), SET if is_set else ""
        if notes.get(mark, "") == said:
            return done
        if is_set and mark not in notes and len(notes) >= MOST_KEYS:
            return NotSupported("metadata_full")
        if kind == "payment_method" and not reference(row.get("customer")):
            return NotSupported("card_stays")
        change = {f"metadata[{mark}]": said}
        try:
            is_there = await self._client.post(ROUTES[kind], str(row["id"]), change)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)
        return done if is_there else GONE


def _metadata(row: Row) -> Mapping[str, object]:
    metadata = row.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}
