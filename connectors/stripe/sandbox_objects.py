"""The objects of the sandbox, with the fields that Stripe's have."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any

Row = dict[str, Any]

AGE = timedelta(days=400)
"""Of what is planted without a date."""
ADDRESS: Row = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
DETAILS: Row = {"address": ADDRESS, "email": None, "name": None, "phone": None}
BILLING: Row = {**DETAILS, "tax_id": None}
CARD: Row = {
    "brand": "visa",
    "country": "US",
    "exp_month": 8,
    "exp_year": 2031,
    "funding": "credit",
    "last4": "4242",
}
DEFAULTS: Mapping[str, tuple[str, Row]] = {
    "customer": (
        "cus",
        {
            "object": "customer",
            "address": None,
            "balance": 0,
            "cash_balance": {},
            "description": None,
            "email": None,
            "invoice_settings": {"custom_fields": None, "footer": None},
            "metadata": {},
            "name": None,
            "phone": None,
            "preferred_locales": [],
            "shipping": None,
            "sources": [],
            "tax_ids": [],
        },
    ),
    "payment_method": (
        "pm",
        {
            "object": "payment_method",
            "billing_details": BILLING,
            "card": CARD,
            "customer": None,
            "metadata": {},
            "type": "card",
        },
    ),
    "charge": (
        "ch",
        {
            "object": "charge",
            "amount": 24_000,
            "billing_details": BILLING,
            "currency": "eur",
            "customer": None,
            "description": None,
            "disputed": False,
            "metadata": {},
            "paid": True,
            "payment_intent": None,
            "payment_method_details": {"card": CARD, "type": "card"},
            "receipt_email": None,
            "refunded": False,
            "refunds": [],
            "shipping": None,
            "status": "succeeded",
        },
    ),
    "invoice": (
        "in",
        {
            "object": "invoice",
            "amount_due": 24_000,
            "currency": "eur",
            "customer": None,
            "customer_address": None,
            "customer_email": None,
            "customer_name": None,
            "customer_phone": None,
            "customer_shipping": None,
            "description": None,
            "footer": None,
            "invoice_pdf": None,
            "lines": [],
            "metadata": {},
            "number": None,
            "status": "paid",
            "status_transitions": dict.fromkeys(
                ("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")
            ),
        },
    ),
    "subscription": (
        "sub",
        {
            "object": "subscription",
            "cancel_at_period_end": False,
            "canceled_at": None,
            "currency": "eur",
            "customer": None,
            "default_payment_method": None,
            "description": None,
            "ended_at": None,
            "items": [],
            "metadata": {},
            "status": "active",
        },
    ),
    "checkout_session": (
        "cs_test",
        {
            "object": "checkout.session",
            "amount_total": 24_000,
            "client_reference_id": None,
            "collected_information": None,
            "consent": None,
            "currency": "eur",
            "customer": None,
            "customer_details": DETAILS,
            "customer_email": None,
            "invoice": None,
            "metadata": {},
            "mode": "payment",
            "payment_intent": None,
            "payment_status": "paid",
            "status": "complete",
            "subscription": None,
        },
    ),
    "subscription_schedule": (
        "sub_sched",
        {
            "object": "subscription_schedule",
            "customer": None,
            "metadata": {},
            "status": "not_started",
            "subscription": None,
        },
    ),
    "invoiceitem": (
        "ii",
        {
            "object": "invoiceitem",
            "amount": 24_000,
            "currency": "eur",
            "customer": None,
            "description": None,
            "invoice": None,
            "metadata": {},
        },
    ),
    "payment_intent": (
        "pi",
        {
            "object": "payment_intent",
            "amount": 24_000,
            "currency": "eur",
            "customer": None,
            "description": None,
            "metadata": {},
            "status": "succeeded",
        },
    ),
    "dispute": (
        "dp",
        {
            "object": "dispute",
            "amount": 24_000,
            "charge": None,
            "currency": "eur",
            "evidence": {},
            "metadata": {},
            "payment_intent": None,
            "reason": "general",
            "status": "needs_response",
        },
    ),
}
"""By kind: what its ids begin with, and its fields (of many)."""


ENDED = ("canceled", "incomplete_expired")
DATED = {"invoiceitem": "date"}
"""By kind: the field that says when it was made, where it is not `created`."""
INSIDE: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "invoice": {"lines": ("il", "line_item")},
    "charge": {"refunds": ("re", "refund")},
    "subscription": {"items": ("si", "subscription_item")},
    "customer": {"sources": ("card", "card"), "tax_ids": ("txi", "tax_id")},
}
"""By kind: the lists inside, planted as texts, and what their objects are."""


def planted(kind: str, fields: Mapping[str, Any], *, n: int, now: datetime) -> Row:
    """A new object. Fields within `billing_details` and the like may be left out."""
    if kind not in DEFAULTS:
        raise ValueError(f"Stripe has {', '.join(DEFAULTS)}")
    prefix, defaults = DEFAULTS[kind]
    row = deepcopy(defaults)
    unknown = fields.keys() - row.keys() - {"id", "created"}
    if unknown:
        raise ValueError(f"a {kind} has no {min(unknown)}")
    for name, value in fields.items():
        row[name] = {**deepcopy(row[name] or {}), **value} if isinstance(value, dict) else value
    for name, (begins, object_) in INSIDE.get(kind, {}).items():
        row[name] = _list(row[name], f"{begins}_{n}", object_)
    row["id"] = fields.get("id", f"{prefix}_{n:014d}")
    row[DATED.get(kind, "created")] = _seconds(fields.get("created", now - AGE))
    _date(kind, row)
    return row | {"livemode": False}


def _date(kind: str, row: Row) -> None:
    """Moments that Stripe sets with a status: those that are not given are when it was made."""
    if kind == "subscription" and row["status"] in ENDED:
        row["ended_at"] = _seconds(row["ended_at"] or row["created"])
        row["canceled_at"] = _seconds(row["canceled_at"] or row["ended_at"])
    if kind == "invoice" and row["status"] == "paid":
        when = row["status_transitions"]
        when["paid_at"] = _seconds(when["paid_at"] or row["created"])
        when["finalized_at"] = _seconds(when["finalized_at"] or row["created"])


def _list(texts: list[str], prefix: str, object_: str) -> Row:
    data = [
        {"id": f"{prefix}_{at}", "object": object_, **_said(object_, text)}
        for at, text in enumerate(texts)
    ]
    return {"object": "list", "data": data, "has_more": False}


def _said(object_: str, text: str) -> Row:
    match object_:
        case "tax_id":
            return {"type": "eu_vat", "value": text}
        case "card":
            return {**CARD, "name": text}
        case _:
            return {"metadata": {"note": text}, "description": text}


def _seconds(at: Any) -> int:
    """Unix time of a moment, a date, text in ISO 8601, or a number that is one already."""
    if isinstance(at, int):
        return at
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if isinstance(at, date) and not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day, tzinfo=UTC)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
