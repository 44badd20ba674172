"""What Stripe's objects say of a person that can be corrected, and where Stripe lets it be.

A customer and a payment method are changed. An invoice that is finalised, a payment and a checkout
stay as they were made; a draft takes its customer's details over. Where goods go (`shipping`)
is corrected with the customer, as far as it says what the customer said: else it is another name,
number or address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.sdk.fields import at
from connectors.sdk.http import UnauthorisedError
from connectors.sdk.interface import (
    NOT_OFFERED,
    Datum,
    Failed,
    NotSupported,
    Outcome,
    Rectified,
    TerminalError,
)
from connectors.sdk.kinds import reference
from connectors.sdk.pages import Row

from .client import Client
from .kinds import ROUTES
from .marks import GONE

_STREET: Final = ("line1", "line2")
"""What people write as one, in as many lines."""
_PARTS: Final[Mapping[Datum, str]] = {
    Datum.CITY: "city",
    Datum.REGION: "state",
    Datum.POSTAL_CODE: "postal_code",
    Datum.COUNTRY: "country",
}
_ADDRESS: Final = frozenset({Datum.STREET, *_PARTS})
_PREFIXES: Final[Mapping[str, str]] = {
    "customer": "",
    "payment_method": "billing_details.",
    "charge": "billing_details.",
    "checkout_session": "customer_details.",
    "invoice": "customer_",
}
"""By kind: where its name, e-mail address, telephone number and address are."""
_TEXT: Final = "description"
"""Of a customer: text that is for us alone."""
_SHIPPING: Final = "shipping."


def says(kind: str, row: Row) -> dict[Datum, str]:
    """What an object says of the person now; blank ones are empty. Nothing of a subscription."""
    prefix = _PREFIXES.get(kind)
    text = {Datum.STATEMENT: _text(row, _TEXT)} if kind == "customer" else {}
    return {} if prefix is None else _said(prefix, row) | text


def _said(prefix: str, row: Row) -> dict[Datum, str]:
    address = f"{prefix}address."
    lines = (_text(row, f"{address}{it}") for it in _STREET)
    return {
        **{it: _text(row, f"{prefix}{it}") for it in (Datum.NAME, Datum.EMAIL, Datum.PHONE)},
        Datum.STREET: "\n".join(filter(None, lines)),
        **{it: _text(row, f"{address}{part}") for it, part in _PARTS.items()},
    }


class Details:
    """Writes them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def write(
        self, kind: str, row: Row, data: Mapping[Datum, str]
    ) -> Mapping[Datum, Outcome]:
        """What came of each; those that are as they should be are not written again."""
        told = _decided(kind, row, data)
        due = {it: value for it, value in data.items() if it not in told}
        done: Outcome = Rectified()
        if due:
            try:
                change = _changes(_PREFIXES[kind], row, due)
                if kind == "customer":
                    change |= _shipping(row, due)
                is_there = await self._client.post(ROUTES[kind], str(row["id"]), change)
                done = Rectified() if is_there else GONE
            except UnauthorisedError:
                raise
            except TerminalError as refused:
                done = Failed(refused.reason)
        return {**told, **dict.fromkeys(due, done)}


def _decided(kind: str, row: Row, data: Mapping[Datum, str]) -> dict[Datum, Outcome]:
    """What is decided already: what the object has no field for, says already, or keeps."""
    said, fixed = says(kind, row), _fixed(kind, row)
    told: dict[Datum, Outcome] = {}
    for datum, value in data.items():
        if datum not in said:
            told[datum] = NotSupported(NOT_OFFERED)
        elif said[datum] == value:
            told[datum] = Rectified()
        elif fixed:
            told[datum] = NotSupported(fixed)
        elif not _is_text(value):
            told[datum] = Failed("refused")
    return told


def _changes(prefix: str, row: Row, data: Mapping[Datum, str]) -> dict[str, str]:
    """What to send, so that an object says `data`. An address goes whole, if any part of it does:
    what becomes of those that are not named, Stripe's reference leaves open.
    """
    texts = {it: _TEXT if it is Datum.STATEMENT else f"{prefix}{it}" for it in data}
    change = {texts[it]: value for it, value in data.items() if it not in _ADDRESS}
    if not _ADDRESS.isdisjoint(data):
        change |= _address(prefix, row, data)
    return {_parameter(name): value for name, value in change.items()}


def _address(prefix: str, row: Row, data: Mapping[Datum, str]) -> dict[str, str]:
    parts = (*_STREET, *_PARTS.values())
    whole = {part: _text(row, f"{prefix}address.{part}") for part in parts}
    whole |= {part: data[it] for it, part in _PARTS.items() if it in data}
    if Datum.STREET in data:
        whole["line1"], _, whole["line2"] = data[Datum.STREET].partition("\n")
    return {f"{prefix}address.{part}": value for part, value in whole.items()}


def _shipping(row: Row, data: Mapping[Datum, str]) -> dict[str, str]:
    """Where a customer's goods go, so that it says `data` where it said the same as the customer.

    It goes whole, if any of it does: Stripe takes none without a name and an address.
    """
    was, there = _said("", row), _said(_SHIPPING, row)
    same = {it for it, value in there.items() if value and it in data and value == was[it]}
    same -= _ADDRESS
    if any(there[it] for it in _ADDRESS) and all(there[it] == was[it] for it in _ADDRESS):
        same |= _ADDRESS & data.keys()
    whole = {it: there[it] for it in (Datum.NAME, Datum.PHONE)} | {it: data[it] for it in same}
    if not same or not whole[Datum.NAME]:
        return {}
    change = _changes(_SHIPPING, row, whole)
    return change | {_parameter(it): to for it, to in _address(_SHIPPING, row, whole).items()}


def _fixed(kind: str, row: Row) -> str:
    """Why Stripe does not let an object be corrected: a catalogue code; empty if it does."""
    match kind:
        case "customer":
            return ""
        case "payment_method" if not reference(row.get("customer")):
            return "card_stays"
        case "payment_method":
            return "details_stay" if row.get("type") == "us_bank_account" else ""
        case "invoice" if row.get("status") == "draft":
            return "from_customer"
        case _:
            return "finalised"


def _parameter(name: str) -> str:
    outer, *inner = name.split(".")
    return outer + "".join(f"[{it}]" for it in inner)


def _is_text(value: str) -> bool:
    """Whether a form can say it: half a surrogate pair is no letter."""
    return not any("\ud800" <= it <= "\udfff" for it in value)


def _text(row: Row, name: str) -> str:
    value = at(row, name)
    return value if isinstance(value, str) else ""
