"""One search of Stripe: what was found already, and the facts that it comes to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

from connectors.sdk.interface import Fact, Holding, Identifier, Page, Record, Subject

from .client import Row
from .kinds import filled, holding

LONGEST = 500
"""Characters of what Stripe can be asked for."""
_PAID = frozenset({"charge", "invoice"})


class Search:
    """What was looked for and found so far. Nothing is said twice."""

    def __init__(self, subject: Subject, user_id_key: str) -> None:
        strong = Subject(tuple(it for it in subject.identifiers if it.strong))
        self._user_id_key = user_id_key
        self.emails = tuple(it for it in map(str.strip, strong.of("email")) if _is_askable(it))
        self.user_ids = tuple(it for it in strong.of("user_id") if _is_askable(it))
        self._known = frozenset(it.casefold() for it in self.emails)
        self._seen: set[Holding] = set()
        self._dates: dict[str, set[date]] = {kind: set() for kind in _PAID}
        self.disputed = False
        """Whether a dispute is open."""
        self.customers: dict[str, None] = {}
        """The ids of customers, in the order found."""

    def spellings(self) -> Iterator[str]:
        """E-mail addresses as given and in lower case: Stripe's lists tell the two apart."""
        yield from dict.fromkeys(form for it in self.emails for form in (it, it.lower()))

    def is_theirs(self, email: object) -> bool:
        """Whether an address is one of those looked for."""
        return str(email or "").strip().casefold() in self._known

    def is_known_by(self, customer: Row) -> bool:
        """Whether a customer bears an identifier that was looked for."""
        metadata = customer.get("metadata") or {}
        by_id = self._user_id_key and metadata.get(self._user_id_key) in self.user_ids
        return bool(by_id) or self.is_theirs(customer.get("email"))

    def page(self, kind: str, rows: Iterable[Row]) -> Page:
        """The rows that are new, each with its record if the row is the whole of it."""
        fresh = {holding(kind, row, self._user_id_key): row for row in rows}
        fresh = {it: row for it, row in fresh.items() if it not in self._seen}
        self._seen.update(fresh)
        if kind in _PAID:
            self._dates[kind].update(_day(row["created"]) for row in fresh.values())
        if kind == "customer":
            self.customers.update(dict.fromkeys(it.id for it in fresh))
        return Page(
            holdings=tuple(fresh),
            identifiers=tuple(
                it for row in fresh.values() if kind == "customer" for it in self._identifiers(row)
            ),
            records=tuple(record(it, row) for it, row in fresh.items() if is_whole(row)),
        )

    def facts(self) -> tuple[Fact, ...]:
        """A charge or an invoice makes a customer. Unknown if there was nothing to search by."""
        dates = sorted(day for days in self._dates.values() for day in days)
        if not (dates or self.emails or self.user_ids):
            return ()
        told = [Fact("customer", bool(dates)), Fact("open_dispute", self.disputed)]
        if dates:
            told.append(Fact("customer_since", dates[0]))
        if self._dates["charge"]:
            told.append(Fact("last_charge", max(self._dates["charge"])))
        return tuple(told)

    def _identifiers(self, row: Row) -> Iterator[Identifier]:
        """What the person is not known by yet. An e-mail found by our user id is not verified."""
        email, phone = row.get("email"), row.get("phone")
        user_id = (row.get("metadata") or {}).get(self._user_id_key)
        if email and not self.is_theirs(email):
            yield Identifier("email", email, strong=False)
        if user_id and user_id not in self.user_ids:
            yield Identifier("user_id", user_id, strong=self.is_theirs(email))
        if phone:
            yield Identifier("phone", phone, strong=False)


def record(of: Holding, row: Row) -> Record:
    """An object as Stripe gave it."""
    return Record(of, json.dumps(row, ensure_ascii=False, sort_keys=True).encode())


def is_whole(row: Row) -> bool:
    """Whether no list inside goes on elsewhere (an invoice's lines)."""
    return not any(isinstance(it, dict) and it.get("has_more") for it in row.values())


def _is_askable(text: str) -> bool:
    """No customer of Stripe's is known by anything else, and a search for it is refused."""
    return filled(text.strip()) and text.isprintable() and len(text) <= LONGEST


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
