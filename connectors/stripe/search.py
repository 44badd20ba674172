"""One search of Stripe: what was found already, and the facts that it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

from connectors.sdk.interface import Fact, Holding, Identifier, Page, Record, Subject, lower

from .client import Row
from .kinds import filled, holding

LONGEST = 500
"""Characters of what Stripe can be asked for."""
_PAID = frozenset({"charge", "invoice"})


class Search:
    """What was looked for and found so far. Nothing is said twice."""

    def __init__(self, subject: Subject, user_id_key: str, *, has_search: bool) -> None:
        """`user_id_key` is empty if Stripe holds none of our ids; without search it finds none."""
        strong = Subject(tuple(it for it in subject.identifiers if it.strong))
        self._user_id_key = user_id_key
        self.emails = tuple(it for it in map(str.strip, strong.of("email")) if _is_askable(it))
        ids = strong.of("user_id") if user_id_key else ()
        self.user_ids = tuple(it for it in ids if _is_askable(it))
        self._finds_all = has_search or not self.user_ids
        self._known = frozenset(lower(it) for it in self.emails)
        self._seen: set[Holding] = set()
        self._dates: dict[str, set[date]] = {kind: set() for kind in _PAID}
        self.disputed = False
        """Whether a dispute is open."""
        self.customers: dict[str, None] = {}
        """The ids of customers, in the order found."""

    def spellings(self) -> Iterator[str]:
        """E-mail addresses as given and in lower case: Stripe's lists tell the two apart."""
        yield from dict.fromkeys(form for it in self.emails for form in (it, lower(it)))

    def is_theirs(self, email: object) -> bool:
        """Whether an address is one of those looked for."""
        return lower(str(email or "").strip()) in self._known

    def is_known_by(self, customer: Row) -> bool:
        """Whether a customer bears an identifier that was looked for."""
        metadata = customer.get("metadata") or {}
        by_id = metadata.get(self._user_id_key) in self.user_ids
        return by_id or self.is_theirs(customer.get("email"))

    def page(self, kind: str, rows: Iterable[Row]) -> Page:
        """The rows that are new, each with its record if the row is the whole of it."""
        fresh = {holding(kind, row, self._user_id_key): row for row in rows}
        fresh = {it: row for it, row in fresh.items() if it not in self._seen}
        self._seen.update(fresh)
        if kind in _PAID:
            bought = (row for row in fresh.values() if is_bought(kind, row))
            self._dates[kind].update(_day(row["created"]) for row in bought)
        if kind == "customer":
            self.customers.update(dict.fromkeys(it.id for it in fresh))
        return Page(
            holdings=tuple(fresh),
            identifiers=tuple(
                it for row in fresh.values() if kind == "customer" for it in self._identifiers(row)
            ),
            records=tuple(Record.of(it, row) for it, row in fresh.items() if has_its_lists(row)),
        )

    def facts(self) -> tuple[Fact, ...]:
        """A charge or an invoice makes a customer. Nobody is none if not all could be searched."""
        dates = sorted(day for days in self._dates.values() for day in days)
        yes_or_no = {"customer": bool(dates), "open_dispute": self.disputed}
        searched = self._finds_all and bool(self.emails or self.user_ids)
        told = [Fact(name, value) for name, value in yes_or_no.items() if value or searched]
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


def is_bought(kind: str, row: Row) -> bool:
    """Whether a charge or an invoice is more than an attempt or a draft."""
    if kind == "charge":
        return row.get("status") in {"pending", "succeeded"}
    return row.get("status") not in {"draft", "void"}


def has_its_lists(row: Row) -> bool:
    """Whether no list inside goes on elsewhere (an invoice's lines)."""
    return not any(isinstance(it, dict) and it.get("has_more") for it in row.values())


def _is_askable(text: str) -> bool:
    """No customer of Stripe's is known by anything else, and a search for it is refused."""
    return filled(text.strip()) and text.isprintable() and len(text) <= LONGEST


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
