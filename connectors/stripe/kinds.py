"""What Stripe's objects say of a person: kinds, routes, and which field is of which category.

https://docs.stripe.com/api
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

from connectors.sdk.fields import Fields, at
from connectors.sdk.interface import Category, RetryableError
from connectors.sdk.pages import Row

RESTRICTED: Final = "habeas_restricted"
"""The key in an object's metadata that says that it is not to be used."""
OBJECTED: Final = "habeas_no_marketing"
"""The key in a customer's metadata that says that they are not to be sent any marketing."""
_MARKS: Final = frozenset({f"metadata.{it}" for it in (RESTRICTED, OBJECTED)})
"""Ours, and never blanked: an objection must be known as long as the record stays."""
_OBJECT: Final = frozenset({"id", "object", "created", "livemode", "test_clock"})
_LIST: Final = ("object", "url", "has_more", "total_count")
_CUSTOMER: Final = Fields(
    {
        "name": Category.IDENTITY,
        "individual_name": Category.IDENTITY,
        "business_name": Category.IDENTITY,
        "tax_ids": Category.IDENTITY,
        "email": Category.CONTACT,
        "phone": Category.CONTACT,
        "address": Category.CONTACT,
        "shipping": Category.CONTACT,
        "sources": Category.CONTACT,
        "tax.ip_address": Category.CONTACT,
        "description": Category.PROFILE,
        "invoice_settings.custom_fields": Category.PROFILE,
        "invoice_settings.footer": Category.PROFILE,
        "metadata": Category.PROFILE,
    },
    own=frozenset(
        {
            *_OBJECT,
            *_MARKS,
            *("account_balance", "balance", "cash_balance", "invoice_credit_balance", "currency"),
            *("customer_account", "default_currency", "default_source", "delinquent", "discount"),
            *("invoice_prefix", "next_invoice_sequence", "preferred_locales", "subscriptions"),
            *("invoice_settings.default_payment_method", "invoice_settings.rendering_options"),
            *("tax_exempt", "tax.automatic_tax", "tax.provider"),
            *(f"{name}.{it}" for name in ("tax_ids", "sources") for it in _LIST),
        }
    ),
    fixed=frozenset({"sources"}),
)
_DETAILS: Final = "billing_details"
_METHOD: Final = Fields(
    {
        f"{_DETAILS}.name": Category.IDENTITY,
        f"{_DETAILS}.tax_id": Category.IDENTITY,
        "metadata": Category.IDENTITY,
        f"{_DETAILS}.email": Category.CONTACT,
        f"{_DETAILS}.phone": Category.CONTACT,
        f"{_DETAILS}.address": Category.CONTACT,
        "link.email": Category.CONTACT,
        "paypal.payer_email": Category.CONTACT,
    },
    own=_OBJECT
    | _MARKS
    | {"allow_redisplay", "customer", "customer_account", "radar_options", "type"},
    fixed=frozenset({"link.email", "paypal.payer_email"}),
    always=frozenset({Category.TRANSACTION}),
    rest=Category.TRANSACTION,  # what its own type says: a bank, the last digits
)
_SESSION: Final = Fields(
    {
        "customer_details.name": Category.IDENTITY,
        "customer_details.individual_name": Category.IDENTITY,
        "customer_details.business_name": Category.IDENTITY,
        "collected_information.individual_name": Category.IDENTITY,
        "collected_information.business_name": Category.IDENTITY,
        "client_reference_id": Category.IDENTITY,
        "customer_details.email": Category.CONTACT,
        "customer_details.phone": Category.CONTACT,
        "customer_details.address": Category.CONTACT,
        "customer_email": Category.CONTACT,
        "collected_information.shipping_details": Category.CONTACT,
        "consent.promotions": Category.MARKETING,
    },
    always=frozenset({Category.TRANSACTION}),
    rest=Category.TRANSACTION,
)
_PAYMENT: Final = Fields({}, always=frozenset({Category.TRANSACTION}), rest=Category.TRANSACTION)
"""A transaction as a whole, with every text in it."""

FIELDS: Final[Mapping[str, Fields]] = {  # in the order of erasing
    "payment_method": _METHOD,
    "checkout_session": _SESSION,
    "subscription": _PAYMENT,
    "invoice": _PAYMENT,
    "charge": _PAYMENT,
    "customer": _CUSTOMER,
}
KINDS: Final = {kind: fields.every for kind, fields in FIELDS.items()}
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
INSIDE: Final[Mapping[str, Mapping[str, str]]] = {
    "invoice": {"lines": "/v1/invoices/{id}/lines"},
    "charge": {"refunds": "/v1/charges/{id}/refunds"},
    "subscription": {"items": "/v1/subscription_items"},
    "customer": {
        "tax_ids": "/v1/customers/{id}/tax_ids",
        "sources": "/v1/customers/{id}/sources",
    },
}
"""Lists inside an object, of which it shows the first few or nothing, and where the rest is."""
EXPANDED: Final[Mapping[str, tuple[str, ...]]] = {
    ROUTES["charge"]: ("refunds",),  # since 2022-11-15
    ROUTES["customer"]: ("tax_ids", "sources"),  # since 2020-08-27
}
"""What an object shows only if it is asked to."""
CLOSED: Final = ("lost", "prevented", "warning_closed", "won")
"""Disputes that are over."""


def fields_of(kind: str, user_id_key: str) -> Fields:
    """The table of a kind, where `metadata` may hold our own user id."""
    fields = FIELDS[kind]
    if kind != "customer" or not user_id_key:
        return fields
    ours = {f"metadata.{user_id_key}": Category.IDENTITY}
    return replace(fields, categories={**fields.categories, **ours})


def parameter(name: str) -> str:
    """What a change calls a field: `metadata[colour]` is `colour` within `metadata`."""
    outer, _, inner = name.partition(".")
    return f"{outer}[{inner}]" if inner else outer


def has_its_lists(kind: str, row: Row) -> bool:
    """Whether every list inside is there, and none goes on elsewhere."""
    shown = (row.get(name) for name in INSIDE.get(kind, ()))
    return all(isinstance(it, dict) and it.get("has_more") is False for it in shown)


def is_whole(kind: str, row: Row) -> bool:
    """Whether a row is the whole of it: its lists are there, and it names no file."""
    return has_its_lists(kind, row) and not (kind == "invoice" and row.get("invoice_pdf"))


def is_bought(kind: str, row: Row) -> bool:
    """Whether a charge or an invoice is more than an attempt or a draft."""
    if kind == "charge":
        return row.get("status") in ("pending", "succeeded")
    return row.get("status") not in ("draft", "void")


def paid(row: Row) -> date | None:
    """When an invoice was paid, in UTC; None if it does not say."""
    when = at(row, "status_transitions.paid_at")
    return None if when is None else _day(when)


def ended(row: Row) -> date:
    """When a subscription ended, in UTC: one that is over always says so."""
    return day(row, "ended_at")


def day(row: Row, field: str) -> date:
    """The day of a moment that an object has to have, in UTC."""
    return _day(row.get(field))


def _day(moment: Any) -> date:
    try:
        return datetime.fromtimestamp(moment, UTC).date()
    except (TypeError, ValueError, OverflowError, OSError):
        raise RetryableError("Stripe: an object without its date") from None
