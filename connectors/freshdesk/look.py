"""One search of Freshdesk, and when we were last in touch with whom it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Final

from connectors.sdk import kinds
from connectors.sdk.belonging import is_theirs
from connectors.sdk.fields import at
from connectors.sdk.interface import Fact, Holding, Page, RetryableError, Subject
from connectors.sdk.kinds import Kind, Reads
from connectors.sdk.pages import Row

from .kinds import CONTACT

LAST_CONTACT: Final = "last_contact"
TOUCHED: Final = ("created_at", "stats.requester_responded_at", "stats.agent_responded_at")
"""When a ticket was opened, and when either side last wrote. Machines set `updated_at` too."""


class Look(kinds.Look):
    """A search that tells the last contact."""

    def __init__(self, reads: Reads, asked: Subject, subject: Subject) -> None:
        """`subject` is the person by all that they are known by, `asked` by what is asked."""
        super().__init__(reads, asked)
        self._subject = subject
        self._touched: dict[Holding, tuple[date, str]] = {}  # by tickets: when, and its field

    def page(
        self,
        kind: Kind,
        rows: Iterable[Row],
        owner: Holding | None = None,
        *,
        is_known: bool = False,
        is_whole: bool = True,
    ) -> Page:
        """The same, with the dates of each ticket; a list has more of them than the ticket."""
        found = list(rows)
        for row in found:
            if kind.name == "ticket" and isinstance(row.get("stats"), dict):
                self._touched[kind.holding(row, owner)] = _touched(row)
        return super().page(kind, found, owner, is_known=is_known, is_whole=is_whole)

    def facts(self) -> Iterator[Fact]:
        """Told where all that was found is surely theirs, and every ticket has its dates.

        Whoever has no contact never wrote. Of a contact without a ticket in the lists nothing is
        told: Freshdesk lists none that it has archived.
        """
        tickets = {it for it in self.found if it.kind == "ticket"}
        is_sure = self.asked.identifiers and all(
            is_theirs(self._subject, self.found, it) for it in self.found
        )
        if not is_sure or tickets != self._touched.keys():
            return
        if tickets:
            day, field = max(self._touched[it] for it in tickets)
            yield Fact(LAST_CONTACT, day, f"ticket.{field}")
        elif not self.found:
            yield Fact(LAST_CONTACT, value=False, read="contact")


class Contacts(kinds.Look):
    """Contacts that bear an identifier, each as its own page shows it."""

    def __init__(self, reads: Reads, asked: Subject) -> None:
        super().__init__(reads, asked)
        self.rows: dict[Holding, Row] = {}

    def take(self, it: Holding, row: Row) -> None:
        self.rows[it] = row

    async def read(self) -> Mapping[Holding, Row]:
        """All of them, in every state."""
        async for _ in self.asked_by(CONTACT):
            pass
        return self.rows


def _touched(row: Row) -> tuple[date, str]:
    found = [(moment, field) for field in TOUCHED if (moment := at(row, field))]
    try:
        days = [(datetime.fromisoformat(it).astimezone(UTC).date(), name) for it, name in found]
        return max(days)
    except (TypeError, ValueError, OverflowError):
        raise RetryableError("Freshdesk: a ticket without its date") from None
