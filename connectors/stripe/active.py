"""What is under way with a customer: kinds of money and of promises that deleting would end.

https://docs.stripe.com/api/customers/delete
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.sdk.fields import at
from connectors.sdk.pages import Row

from .client import Client, Owner

ENDED: Final = ("canceled", "incomplete_expired")
"""Subscriptions that nothing comes of any more."""


def _any(_: Row) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Promise:
    """A list of a customer's in which something may be that is not over."""

    reason: str
    """The catalogue code for a person who has to end it first."""
    route: str
    query: Mapping[str, str] = field(default_factory=dict)
    is_open: Callable[[Row], bool] = _any


def _has_status(*statuses: str) -> Callable[[Row], bool]:
    return lambda row: row.get("status") in statuses


SUBSCRIBED: Final = (
    Promise(
        "subscription_active",
        "/v1/subscriptions",
        {"status": "all"},
        lambda row: row.get("status") not in ENDED,
    ),
    Promise(
        "schedule_active",
        "/v1/subscription_schedules",
        {},
        _has_status("not_started", "active"),
    ),
)
"""What goes on by itself, and is paid with a payment method."""
_PROMISES: Final = (
    *SUBSCRIBED,
    Promise("items_pending", "/v1/invoiceitems", {"pending": "true"}),
    Promise("invoice_open", "/v1/invoices", {"status": "open"}),
    Promise("invoice_open", "/v1/invoices", {"status": "draft"}),
    Promise(
        "payment_open",
        "/v1/payment_intents",
        {},
        _has_status("requires_capture", "processing"),
    ),
)
_MONEY: Final = ("balance", "invoice_credit_balance")
CASH: Final = "/v1/customers/{id}/cash_balance"


async def subscribed(client: Client, customer: str) -> str:
    """Why no means of payment may be taken from a customer: a catalogue code, or nothing."""
    return await _first(client, customer, SUBSCRIBED)


async def active(client: Client, row: Row) -> str:
    """Why a customer may not be deleted: a catalogue code, or nothing."""
    customer = str(row["id"])
    cash = await client.part(CASH, customer) or {}
    if any(_is_money(at(row, name)) for name in _MONEY) or _is_money(cash.get("available")):
        return "balance_left"
    return await _first(client, customer, _PROMISES)


async def _first(client: Client, customer: str, promises: tuple[Promise, ...]) -> str:
    of = Owner("/v1/customers", customer)
    for it in promises:
        async for rows in client.pages(it.route, {**it.query, "customer": customer}, of):
            if any(it.is_open(row) for row in rows):
                return it.reason
    return ""


def _is_money(value: Any) -> bool:
    """Whether an amount, or one of those by currency, is not nought."""
    amounts = value.values() if isinstance(value, Mapping) else (value,)
    return any(it not in (None, 0) for it in amounts)
