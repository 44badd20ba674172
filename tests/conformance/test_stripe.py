"""Stripe keeps what `Connector` promises."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain, islice, repeat
from typing import ClassVar

import pytest

from connectors.sdk.conformance import ConnectorConformance, SandboxWorld, some
from connectors.sdk.interface import Category, Connector, Identifier, Subject
from connectors.stripe import Stripe, StripeSandbox

ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
UNDER_WAY = {"subscription": {"status": "active"}, "invoice": {"status": "draft"}}


class StripeWorld(SandboxWorld):
    """A customer for each identifier; then what the first and the last one have."""

    searched_by = ("email", "user_id")
    changes_by = ("POST", "DELETE")
    states: ClassVar = {
        "a subscription that goes on": some("subscription", status="active"),
        "an invoice that is a draft": some("invoice", status="draft"),
        "an invoice that is open": some("invoice", status="open"),
        "a payment method of nobody": some("payment_method", customer=None),
        "a guest's charge": some("charge", customer=None),
        "a dispute": some("dispute"),
    }
    sandbox: StripeSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        customers = [
            self.sandbox.plant(
                "customer",
                {
                    "name": self.mark(Category.IDENTITY),
                    "phone": self.mark(Category.CONTACT, "+{}"),
                    "address": {**ADDRESS, "city": self.mark(Category.CONTACT)},
                    "shipping": {"name": self.mark(Category.CONTACT), "phone": None},
                    "description": self.mark(Category.PROFILE),
                    **(
                        {"email": it.value}
                        if it.kind == "email"
                        else {"metadata": {"user_id": it.value}}
                    ),
                },
            )
            for it in subject.identifiers[:holdings]
        ]
        each = ("payment_method", "charge", "invoice", "subscription", "checkout_session")
        first, last = customers[0], customers[-1]
        more = chain(
            ((first, it, {}) for it in each),
            ((last, it, UNDER_WAY.get(it, {})) for it in reversed(each)),
            ((first, it, {}) for it in repeat("charge")),  # of one kind more than a page
        )
        for customer, kind, state in islice(more, holdings - len(customers)):
            fields = {"customer": customer, **self._content(kind), **state}
            self.sandbox.plant(kind, fields)

    def _content(self, kind: str) -> dict[str, object]:
        match kind:
            case "payment_method":
                return {"billing_details": self._details()}
            case "checkout_session":
                said = {"promotions": self.mark(Category.MARKETING)}
                return {"customer_details": self._details(), "consent": said}
            case "subscription":
                return {"status": "canceled", "description": self.mark(Category.TRANSACTION)}
            case "invoice":  # of more lines than are shown with it
                return {"lines": [self.mark(Category.TRANSACTION) for _ in range(12)]}
            case _:
                text = self.mark(Category.TRANSACTION)
                return {"description": text, "refunds": [self.mark(Category.TRANSACTION)]}

    def _details(self) -> dict[str, object]:
        email = self.mark(Category.CONTACT, "{}@example.org")
        return {"name": self.mark(Category.IDENTITY), "email": email}

    async def beside(self, subject: Subject, other: Identifier) -> bool:
        email = subject.of("email")[0]
        if other.kind == "user_id":
            metadata = {"user_id": other.value}
            self.sandbox.plant("customer", {"email": email, "metadata": metadata})
        else:
            details = {"customer_details": {"email": email}, "customer_email": other.value}
            self.sandbox.plant("checkout_session", details)
        return True

    async def nameless(self) -> bool:
        self.sandbox.plant("customer", {"phone": "+493012345678"})
        return True

    async def markets_to(self, subject: Subject) -> bool:
        """Stripe sends no marketing: whoever does has to find no customer without the note."""
        return any(
            row["metadata"].get("habeas_no_marketing") != "true"
            for row in self.sandbox.table("customer").values()
            if subject.bears("email", row["email"])
            or subject.bears("user_id", row["metadata"].get("user_id"))
        )

    async def orphan(self) -> bool:
        for it in self.sandbox.table("customer"):
            gone = {"id": it, "object": "customer", "deleted": True}
            self.sandbox.table("_deleted")[it] = gone
        self.sandbox.table("customer").clear()
        return True


@asynccontextmanager
async def world_of(connector: type[Connector] = Stripe) -> AsyncIterator[StripeWorld]:
    async with StripeSandbox() as sandbox:
        yield StripeWorld(sandbox, connector)


@pytest.fixture
async def world() -> AsyncIterator[StripeWorld]:
    async with world_of() as made:
        yield made


class TestStripe(ConnectorConformance):
    """The kit, on Stripe."""
