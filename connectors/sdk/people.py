"""Whom records are of, for `Connector.people`: by what they bear, or by what they are part of."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from .fields import at
from .interface import Borne, Holding, Identifier, Subject
from .kinds import STRONG, Kind, Reads
from .pages import Row
from .spelling import cleaned, is_mailbox

Read = Callable[[Sequence[Holding]], Awaitable[Iterable[Holding]]]
"""From the ids of some records to those of them that are there."""
_ADDRESS: Final = re.compile(r"""[^\s<>()\[\],;:"]+@[^\s<>()\[\],;:"]+""")
"""In a field of several: one that is malformed hides no other."""
_NAMES: Final = frozenset({"name", "whole_name"})


async def _nothing(_: Sequence[Holding]) -> Iterable[Holding]:
    return ()


class People:
    """Tells whom the records of one system are of, page by page. Nobody is left out.

    What owns a record is told of as well: once, however much it owns.
    """

    def __init__(self, system: str, read: Read = _nothing) -> None:
        """`read` is for systems of which some records are part of others."""
        self._system = system
        self._read = read
        self._told: set[Holding] = set()
        """What stands for itself, or was read because it owns something."""

    async def of(self, found: Iterable[Holding]) -> tuple[Subject, ...]:
        """Whom the records of a page are of."""
        people, due = [], list(found)
        while due:
            owners = await self._owners(due)
            for it in due:
                has_owner = it.part_of is not None and it.part_of in self._told
                if is_written_to(it.bears) or not has_owner:
                    people.append(self._whom(it))
            due = owners
        return tuple(people)

    async def _owners(self, found: Sequence[Holding]) -> list[Holding]:
        """What owns these, where it was not told of yet."""
        self._told.update(_bare(it) for it in found if it.part_of is None)
        due = (it.part_of for it in found if it.part_of is not None)
        unread = [it for it in dict.fromkeys(due) if it not in self._told]
        owners = list(await self._read(unread)) if unread else []
        self._told.update(map(_bare, owners))
        return owners

    def _whom(self, it: Holding) -> Subject:
        known = tuple(
            Identifier(of.kind, of.value, strong=of.kind in STRONG)
            for of in it.bears
            if of.kind not in _NAMES and cleaned(of.value)
        )
        own = Identifier(f"{self._system}.{it.kind}", it.id)
        return Subject(known if is_written_to(it.bears) else (*known, own))


async def everybody(
    system: str, reads: Reads, kinds: frozenset[str], until: datetime | None
) -> AsyncIterator[tuple[Subject, ...]]:
    """`Connector.people` of kinds that are declared, each with a list: its own, or its owner's."""

    async def read(owners: Sequence[Holding]) -> Iterable[Holding]:
        rows = [(it.kind, await reads.row(it)) for it in owners if it.kind in reads.kinds]
        return [reads.kinds[kind].holding(row) for kind, row in rows if row is not None]

    people = People(system, read)
    for kind in reads.kinds.values():
        if kinds and kind.name not in kinds:
            continue
        async for rows, owner in _lists(reads, kind):
            whole = [await _whole(reads, kind, row, owner) for row in rows]
            there = (row for row in whole if is_until(at(row, kind.made), until))
            yield await people.of(kind.holding(row, owner) for row in there)


async def _lists(reads: Reads, kind: Kind) -> AsyncIterator[tuple[list[Row], Holding | None]]:
    """Everything of a kind: from each of its lists; if it has none, from those of its owners."""
    by_itself = [it for it in kind.lists if "{" not in it.route]
    for listing in by_itself:
        async for rows in reads.listed(listing):
            yield rows, None
    for listing in kind.lists if not by_itself else ():
        of = reads.kinds[listing.of]
        async for owners, above in _lists(reads, of):
            for it in (of.holding(row, above) for row in owners):
                async for rows in reads.listed(listing, it.id):
                    yield rows, it


async def _whole(reads: Reads, kind: Kind, row: Row, owner: Holding | None) -> Row:
    """A row of a list, or where that says no more than an id, the record itself."""
    now = await reads.row(kind.holding(row, owner)) if kind.listed == "id" else None
    return row if now is None else now


def in_copy(texts: Iterable[object]) -> Iterator[Subject]:
    """Whoever stands in fields of addresses as mails have them: `Ann <ann@example.org>, ...`.

    No search may find them by it, and a list shows them.
    """
    for text in texts:
        for address in _ADDRESS.findall(text) if isinstance(text, str) else ():
            if is_mailbox("email", address):
                yield Subject((Identifier("email", address),))


def is_written_to(bears: Iterable[Borne]) -> bool:
    """Whether one of these is an address that a mail can go to."""
    return any(is_mailbox(it.kind, it.value) for it in bears)


def is_until(made: object, until: datetime | None) -> bool:
    """Whether something made then counts: what does not tell when it was made does.

    A moment is told as vendors do: in ISO 8601, as mails have it, or in seconds since 1970.
    """
    at = None if until is None else _moment(made)
    return until is None or at is None or at <= until


def _moment(made: object) -> datetime | None:
    try:
        if isinstance(made, datetime):
            at = made
        elif isinstance(made, int | float) and not isinstance(made, bool):
            at = datetime.fromtimestamp(made, UTC)
        else:
            at = _read(str(made))
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _read(text: str) -> datetime:
    """Raises `ValueError`."""
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    return parsedate_to_datetime(text)


def _bare(it: Holding) -> Holding:
    return Holding(it.kind, it.id)
