"""What Stripe's objects say of a person: kinds, routes, and which field is of which category.

https://docs.stripe.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
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
            metadata = _within(row, "metadata")
            ours = metadata.get(user_id_key)
            others = {f"metadata[{it}]": metadata[it] for it in metadata if it != user_id_key}
            names = {it: row.get(it) for it in ("name", "individual_name", "business_name")}
            return {
                Category.IDENTITY: {**names, f"metadata[{user_id_key}]": ours},
                Category.CONTACT: {
                    it: row.get(it) for it in ("email", "phone", "address", "shipping")
                },
                Category.PROFILE: {
                    "description": row.get("description"),
                    "invoice_settings[custom_fields]": _within(row, "invoice_settings").get(
                        "custom_fields"
                    ),
                    **others,
                },
            }
        case "payment_method":
            details = _within(row, "billing_details")
            ways = {
                f"billing_details[{it}]": details.get(it) for it in ("email", "phone", "address")
            }
            return {
                Category.IDENTITY: {
                    "billing_details[name]": details.get("name"),
                    "billing_details[tax_id]": details.get("tax_id"),
                    "metadata": row.get("metadata"),
                },
                Category.CONTACT: ways,
                Category.TRANSACTION: {"type": row.get("type", kind)},
            }
        case "checkout_session":
            details = _within(row, "customer_details")
            return {
                Category.IDENTITY: {"name": details.get("name")},
                Category.CONTACT: {it: details.get(it) for it in ("email", "phone", "address")},
                Category.TRANSACTION: {"id": row["id"]},
                Category.MARKETING: {"promotions": _within(row, "consent").get("promotions")},
            }
        case _:
            return {Category.TRANSACTION: {"id": row["id"]}}


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
