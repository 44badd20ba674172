"""When somebody was last in touch with an org, by the dates of what was found of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Final

from connectors.sdk import wall_clock
from connectors.sdk.belonging import is_theirs
from connectors.sdk.interface import Fact, Holding, RetryableError, Subject

from .schema import Row
from .tables import CONVERTED

LAST_CONTACT: Final = "last_contact"
DATES: Final[Mapping[str, str]] = {
    "contact": "LastActivityDate",
    "lead": "LastActivityDate",
    "case": "CreatedDate",
    "comment": "CreatedDate",
    "email": "MessageDate",
}
"""By kind: the field that says it. Salesforce itself reckons the last of somebody's activities."""


class ContactDates:
    """Of one person, from one search."""

    def __init__(self) -> None:
        self._told: dict[Holding, tuple[date, str] | None] = {}
        self._became: set[Holding] = set()  # the contacts of converted leads
        self._is_whole = True

    def take(self, it: Holding, row: Row) -> None:
        """A record that was found: one without any activity has no date."""
        if row.get("IsConverted"):
            self._became.add(Holding("contact", str(row.get(CONVERTED) or "")))
        field = DATES.get(it.kind)
        if field is None:
            return
        if field not in row:  # hidden from us
            self._is_whole = False
            return
        self._told[it] = (_day(row[field]), f"{it.kind}.{field}") if row[field] else None

    def facts(self, subject: Subject, found: Mapping[Holding, Holding]) -> Iterator[Fact]:
        """Told where all that has a date is surely theirs. A day to come is a plan."""
        is_whole = self._is_whole and self._became <= found.keys()
        is_sure = is_whole and all(is_theirs(subject, found, it) for it in self._told)
        last = max(filter(None, self._told.values()), default=None)
        if not is_sure:
            return
        if last is None:
            yield Fact(LAST_CONTACT, value=False, read="contact.LastActivityDate")
        elif last[0] <= wall_clock.now().astimezone(UTC).date():
            yield Fact(LAST_CONTACT, *last)


def _day(moment: object) -> date:
    """Of a date, or of a moment: then in UTC."""
    try:
        read = datetime.fromisoformat(str(moment))
        return (read if read.tzinfo is None else read.astimezone(UTC)).date()
    except (ValueError, OverflowError):
        raise RetryableError("GET /query: a record without its date") from None
