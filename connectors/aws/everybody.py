"""Everybody who has a file in the folders of people: whose each is, the folder's own name says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from connectors.sdk.interface import Holding, Subject
from connectors.sdk.people import People, is_until

from .client import Row
from .files import Files
from .places import Template, bears

MADE = {"upload": "Initiated"}
"""When something was made, of all else `LastModified`."""


class Everybody:
    """Of the configured prefixes, in one go. What lies in nobody's folder is nobody's here."""

    def __init__(self, files: Files, templates: Sequence[Template]) -> None:
        self._files = files
        self._templates = templates
        self._people = People("aws")

    async def pages(
        self, kinds: frozenset[str], until: datetime | None
    ) -> AsyncIterator[Sequence[Subject]]:
        """See `Connector.people`."""
        for bucket, head in dict.fromkeys((it.bucket, it.head) for it in self._templates):
            async for listed in self._files.under(bucket, head):
                held = [
                    Holding(kind, place.handle(kind), bears=borne)
                    for kind, place, row in listed
                    if (not kinds or kind in kinds) and is_until(_made(kind, row), until)
                    if (borne := bears(self._templates, place))
                ]
                yield await self._people.of(held)


def _made(kind: str, row: Row) -> object:
    return row.get(MADE.get(kind, "LastModified"))
