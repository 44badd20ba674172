"""One thing that Habeas itself holds of somebody, and what reads a sort of these."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

from connectors.sdk.interface import Category, Holding, Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A holding, and what it says."""

    holding: Holding
    says: Mapping[str, Any]
    since: datetime
    """From when its period runs."""
    kept_until: datetime | None
    """When it goes by itself; None if nobody has said."""


class Shelf(Protocol):
    """A sort of what is held. A further one is a class of these, a row of the data map, and a rule.

    Nothing is ever told of the case that asks.
    """

    kinds: ClassVar[Mapping[str, frozenset[Category]]]
    """The kinds of its holdings, and what each carries."""
    fact: ClassVar[str]
    """The name of what the rules reckon from: the day of the latest."""

    def of(self, whom: Sequence[Identifier]) -> AsyncIterator[Sequence[Entry]]:
        """Everything that is known by one of these, page by page."""
        ...

    async def one(self, holding: Holding, whom: Sequence[Identifier]) -> Entry | None:
        """A holding by its own id; None if it is gone."""
        ...


def moment(at: datetime | None) -> str:
    """A time as records say it; empty if there is none."""
    return "" if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
