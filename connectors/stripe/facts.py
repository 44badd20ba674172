"""What Stripe's objects come to: facts, told of what was read and is surely the subject's.

A no, and a date, are told only if nothing was found that might be theirs as well: an object beside
whose asked identifier another one stands, a purchase of a customer who was not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from connectors.sdk.belonging import is_theirs
from connectors.sdk.interface import Fact, Holding, Subject
from connectors.sdk.pages import Row

from .active import ENDED
from .kinds import day, ended, is_bought, paid

_PAID: Final = frozenset({"charge", "invoice"})
NAMES: Final = frozenset(
    {
        *("customer", "customer_since", "purchase", "open_dispute", "subscription_open"),
        *("last_charge", "last_invoice", "subscription_ended"),
    }
)
CREATED: Final = "created"


class Facts:
    """Of one person, from one search. Told at its end: what owns an object may be read after it."""

    def __init__(self, subject: Subject, *, searched: bool) -> None:
        """`searched` says whether every identifier was asked for that an object could bear."""
        self._subject = subject
        self._found: dict[Holding, Holding] = {}  # those that a fact can rest on, by kind and id
        self._bought: dict[Holding, date] = {}
        self._settled: dict[Holding, date | None] = {}  # invoices that were paid: when
        self._subscribed: dict[Holding, date | None] = {}  # to what goes on: None
        self._paid: set[Holding] = set()  # who paid: a customer, or a guest's checkout
        self._marked: list[Holding] = []  # charges that had a dispute
        self._disputed = False
        self._is_whole = searched

    def take(self, it: Holding, row: Row) -> None:
        """An object that was found."""
        if it.kind in _PAID and is_bought(it.kind, row):
            self._found[it] = it
            self._bought[it] = day(row, CREATED)
        if it.kind == "invoice" and row.get("status") == "paid":
            self._settled[it] = paid(row)
        if it.kind == "subscription":
            self._take_subscription(it, row)
        if it.kind in {"customer", "checkout_session"}:
            self._found[it] = it
        if it.kind == "checkout_session" and row.get("payment_status") == "paid":
            self._paid.add(it.part_of or it)
        if it.kind == "charge" and row.get("disputed"):
            self._marked.append(it)

    def _take_subscription(self, it: Holding, row: Row) -> None:
        """One that never began ended nothing."""
        if row.get("status") != "incomplete_expired":
            self._found[it] = it
            self._subscribed[it] = ended(row) if row.get("status") in ENDED else None

    def miss(self) -> None:
        """Something could not be read that is theirs, or might be."""
        self._is_whole = False

    def marked(self) -> Iterator[Holding]:
        """Their charges that had a dispute, until one is open."""
        for it in self._marked:
            if not self._disputed and self._is_theirs(it):
                yield it

    def dispute(self, *, is_open: bool | None) -> None:
        """Whether a charge of theirs is in dispute; None if that could not be read."""
        self._disputed = self._disputed or is_open is True
        self._is_whole = self._is_whole and is_open is not None

    def told(self) -> tuple[Fact, ...]:
        """A charge or an invoice makes a customer."""
        dates = {it: day for it, day in self._bought.items() if self._is_theirs(it)}
        is_sure = self._is_whole and all(map(self._is_theirs, filter(self._counts, self._found)))
        is_sure = is_sure and self._paid <= {it.part_of or it for it in self._bought}
        runs = any(end is None and self._is_theirs(it) for it, end in self._subscribed.items())
        yes_or_no = {
            "customer": bool(dates),
            "purchase": bool(dates),
            "open_dispute": self._disputed,
            "subscription_open": runs,
        }
        told = [Fact(name, value) for name, value in yes_or_no.items() if value or is_sure]
        return (*told, *self._dates(dates)) if is_sure else tuple(told)

    def _dates(self, bought: dict[Holding, date]) -> Iterator[Fact]:
        """Told only where everything is read that might be theirs."""
        if bought:
            yield Fact("customer_since", min(bought.values()), CREATED)
        charged = [day for it, day in bought.items() if it.kind == "charge"]
        yield _last("last_charge", charged, "charge.created")
        settled = self._settled.values()
        if None not in settled:
            yield _last("last_invoice", settled, "invoice.status_transitions.paid_at")
        ends = [end for end in self._subscribed.values() if end is not None]
        yield _last("subscription_ended", ends, "subscription.ended_at")

    def _counts(self, it: Holding) -> bool:
        """Whether it may change a fact: the checkout of a customer who was read adds none."""
        return it.kind != "checkout_session" or it.part_of not in self._found

    def _is_theirs(self, it: Holding) -> bool:
        return is_theirs(self._subject, self._found, it)


def _last(name: str, days: Iterable[date | None], read: str) -> Fact:
    """The latest of some days; no, if there is none."""
    found = max((it for it in days if it is not None), default=None)
    return Fact(name, value=False, read=read) if found is None else Fact(name, found, read)
