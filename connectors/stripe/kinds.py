"""What Stripe's objects say of a person: kinds, routes, and which field is of which category.

https://docs.stripe.com/api
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.sdk.interface import Category, Holding

from .client import Row

KINDS: Final[Mapping[str, frozenset[Category]]] = {
    "payment_method": frozenset({Category.IDENTITY, Category.CONTACT, Category.TRANSACTION}),
    "checkout_session": frozenset(
        {Category.IDENTITY, Category.CONTACT, Category.TRANSACTION, Category.MARKETING}
    ),
    "subscription": frozenset({Category.TRANSACTION}),
    "invoice": frozenset({Category.TRANSACTION}),
    "charge": frozenset({Category.TRANSACTION}),
    "customer": frozenset({Category.IDENTITY, Category.CONTACT, Category.PROFILE}),
}
ROUTES: Final[Mapping[str, str]] = {
    "payment_method": "/v1/payment_methods",
    "checkout_session": "/v1/checkout/sessions",
    "subscription": "/v1/subscriptions",
    "invoice": "/v1/invoices",
    "charge": "/v1/charges",
    "customer": "/v1/customers",
}
CARDS: Final = "/v1/customers/{id}/payment_methods"
OF_CUSTOMER: Final[Mapping[str, Mapping[str, str]]] = {
    "checkout_session": {},
    "subscription": {"status": "all"},  # without it, those that have ended are left out
    "invoice": {},
    "charge": {},
}
"""The kinds that are listed by customer, and what else to say. Payment methods are at `CARDS`."""
INSIDE: Final[Mapping[str, tuple[str, str]]] = {
    "invoice": ("lines", "/v1/invoices/{id}/lines"),
    "charge": ("refunds", "/v1/charges/{id}/refunds"),
    "subscription": ("items", "/v1/subscription_items"),
}
"""Lists inside an object, of which it shows the first few, and where the rest is."""
ENDED: Final = frozenset({"canceled", "incomplete_expired"})
"""Subscriptions that nothing comes of any more."""
CLOSED: Final = frozenset({"lost", "prevented", "warning_closed", "won"})
"""Disputes that are over."""


def content(kind: str, row: Row, user_id_key: str) -> Mapping[Category, Mapping[str, Any]]:
    """Of each category of an object: its values, by the parameter that a change names them by."""
    match kind:
        case "customer":
            return _of_customer(row, user_id_key)
        case "payment_method":
            return _of_payment_method(row)
        case "checkout_session":
            return _of_checkout(row)
        case _:
            return {Category.TRANSACTION: {"id": row["id"]}}


def _of_customer(row: Row, user_id_key: str) -> Mapping[Category, Mapping[str, Any]]:
    metadata = {f"metadata[{name}]": value for name, value in _within(row, "metadata").items()}
    ours = f"metadata[{user_id_key}]"
    names = ("name", "individual_name", "business_name")
    fields = _within(row, "invoice_settings").get("custom_fields")
    return {
        Category.IDENTITY: {**_some(row, names), ours: metadata.pop(ours, None)},
        Category.CONTACT: _some(row, ("email", "phone", "address", "shipping")),
        Category.PROFILE: {
            "description": row.get("description"),
            "invoice_settings[custom_fields]": fields,
            **metadata,
        },
    }


def _of_payment_method(row: Row) -> Mapping[Category, Mapping[str, Any]]:
    details = {
        f"billing_details[{name}]": value for name, value in _within(row, "billing_details").items()
    }
    names = ("billing_details[name]", "billing_details[tax_id]")
    ways = ("billing_details[email]", "billing_details[phone]", "billing_details[address]")
    return {
        Category.IDENTITY: {**_some(details, names), "metadata": row.get("metadata")},
        Category.CONTACT: _some(details, ways),
        Category.TRANSACTION: {"type": row.get("type", "payment_method")},
    }


def _of_checkout(row: Row) -> Mapping[Category, Mapping[str, Any]]:
    details = _within(row, "customer_details")
    return {
        Category.IDENTITY: _some(details, ("name",)),
        Category.CONTACT: _some(details, ("email", "phone", "address")),
        Category.TRANSACTION: {"id": row["id"]},
        Category.MARKETING: {"promotions": _within(row, "consent").get("promotions")},
    }


def filled(value: Any) -> bool:
    """Whether anything is said, however deep."""
    if isinstance(value, dict):
        return any(filled(it) for it in value.values())
    if isinstance(value, list):
        return any(filled(it) for it in value)
    return value not in (None, "")


def holding(kind: str, row: Row, user_id_key: str) -> Holding:
    """The holding that an object is, with what it carries now."""
    held = content(kind, row, user_id_key)
    return Holding(kind, str(row["id"]), frozenset(it for it in held if filled(held[it])))


def reference(value: Any) -> str:
    """The id of another object, which may stand there whole; empty if there is none."""
    found = value.get("id") if isinstance(value, dict) else value
    return str(found or "")


def _within(row: Row, name: str) -> Mapping[str, Any]:
    found = row.get(name)
    return found if isinstance(found, dict) else {}


def _some(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {it: values.get(it) for it in names}
