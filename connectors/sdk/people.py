"""Whom records are of, for `Connector.people`: by what they bear, or by what they are part of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import getaddresses
from typing import Final

from .interface import Borne, Holding, Identifier, RetryableError, Subject
from .kinds import STRONG
from .spelling import cleaned, is_mailbox

Read = Callable[[Sequence[Holding]], Awaitable[Iterable[Holding]]]
"""From the ids of some records to those of them that are there."""
_NAMES: Final = frozenset({"name", "whole_name"})


class People:
    """Tells whom the records of one system are of, page by page. Nobody is left out.

    What owns a record is told of as well: once, however much it owns.
    """

    def __init__(self, system: str, read: Read) -> None:
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


def in_copy(texts: Iterable[object]) -> Iterator[Subject]:
    """Whoever stands in fields of addresses as mails have them: `Ann <ann@example.org>, ...`.

    No search may find them by it, and a list shows them.
    """
    for _, address in getaddresses([it for it in texts if isinstance(it, str)]):
        if is_mailbox("email", address):
            yield Subject((Identifier("email", address),))


def is_written_to(bears: Iterable[Borne]) -> bool:
    """Whether one of these is an address that a mail can go to."""
    return any(is_mailbox(it.kind, it.value) for it in bears)


def is_until(made: object, until: datetime | None) -> bool:
    """Whether something made then counts: what does not tell when it was made does.

    Raises `RetryableError` for what is no date.
    """
    if until is None or made in {None, ""}:
        return True
    if isinstance(made, datetime):
        at = made if made.tzinfo else made.replace(tzinfo=UTC)
        return at <= until
    try:
        return _moment(made) <= until
    except (TypeError, ValueError, OverflowError, OSError):
        raise RetryableError("a record without a date that can be read") from None


def _moment(made: object) -> datetime:
    """From ISO 8601, or seconds since 1970."""
    if isinstance(made, int | float) and not isinstance(made, bool):
        return datetime.fromtimestamp(made, UTC)
    found = datetime.fromisoformat(str(made))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _bare(it: Holding) -> Holding:
    return Holding(it.kind, it.id)
