"""Which fields of Stripe's objects say who they are of, and which object owns them.

https://docs.stripe.com/api
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from connectors.sdk.fields import at
from connectors.sdk.interface import Borne, Holding
from connectors.sdk.kinds import reference
from connectors.sdk.pages import Row

from .kinds import fields_of

_STRONG: Final = frozenset({"email", "user_id"})
_BILLING: Final[Mapping[str, str]] = {
    "billing_details.email": "email",
    "billing_details.name": "name",
    "billing_details.phone": "phone",
}
_SHIPPING: Final[Mapping[str, str]] = {"shipping.name": "name", "shipping.phone": "phone"}
FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "payment_method": {**_BILLING, "link.email": "email", "paypal.payer_email": "email"},
    "checkout_session": {
        "customer_details.email": "email",
        "customer_details.name": "name",
        "customer_details.individual_name": "name",
        "customer_details.phone": "phone",
        "customer_email": "email",
        "client_reference_id": "user_id",
        "collected_information.individual_name": "name",
        "collected_information.shipping_details.name": "name",
    },
    "subscription": {},
    "invoice": {
        "customer_email": "email",
        "customer_name": "name",
        "customer_phone": "phone",
        "customer_shipping.name": "name",
        "customer_shipping.phone": "phone",
    },
    "charge": {
        **_BILLING,
        **_SHIPPING,
        "receipt_email": "email",
        "payment_method_details.paypal.payer_email": "email",
        "payment_method_details.paypal.payer_name": "name",
    },
    "customer": {
        "email": "email",
        "name": "name",
        "individual_name": "name",
        "phone": "phone",
        **_SHIPPING,
    },
}
"""By kind: a field that says who it is of, and the kind of identifier in it.

Beside them, `metadata.<key>` of any object may hold our own user id.
"""


def holding(kind: str, row: Row, user_id_key: str, owner: Holding | None = None) -> Holding:
    """The holding that an object is: what it carries now, what it bears, and what owns it.

    `owner` is the checkout by which a guest's object was reached: it names no customer itself.
    """
    customer = "" if kind == "customer" else reference(row.get("customer"))
    return Holding(
        kind,
        str(row["id"]),
        fields_of(kind, user_id_key).of(row),
        tuple(_borne(kind, row, user_id_key)),
        Holding("customer", customer) if customer else owner,
    )


def strong(it: Holding) -> list[Borne]:
    """What it bears that tells people apart: a phone and a name are shared."""
    return [borne for borne in it.bears if borne.kind in _STRONG]


def _borne(kind: str, row: Row, user_id_key: str) -> Iterator[Borne]:
    for field, of in FIELDS[kind].items():
        value = at(row, field)
        if isinstance(value, str) and value.strip():
            yield Borne(field, of, value)
    metadata = row.get("metadata")
    ours = metadata.get(user_id_key) if isinstance(metadata, Mapping) and user_id_key else None
    if isinstance(ours, str) and ours.strip():
        yield Borne(f"metadata.{user_id_key}", "user_id", ours)
