"""Stripe keeps what `Connector` promises."""

from collections.abc import AsyncIterator
from itertools import chain, islice, repeat

import pytest

from connectors.sdk.conformance import ConnectorConformance, SandboxWorld
from connectors.sdk.interface import Subject
from connectors.stripe import Stripe, StripeSandbox


class StripeWorld(SandboxWorld):
    """A customer for each identifier; then what customers have, in turn. Nothing is active."""

    searched_by = ("email", "user_id")
    sandbox: StripeSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        customers = [
            self.sandbox.plant(
                "customer",
                {
                    "name": "Somebody",
                    "phone": "+44 7700 900100",
                    "description": "Likes boats",
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
        more = chain(each * 2, repeat("charge"))  # of one kind more than a page
        for kind in islice(more, holdings - len(customers)):
            self.sandbox.plant(kind, {"customer": customers[0], **self._content(kind)})

    def _content(self, kind: str) -> dict[str, object]:
        details = {"name": "Somebody", "email": "billing@example.org"}
        match kind:
            case "payment_method":
                return {"billing_details": details}
            case "checkout_session":
                return {"customer_details": details, "consent": {"promotions": "opt_in"}}
            case "subscription":
                return {"status": "canceled"}
            case "invoice":
                return {"lines": [f"Item {n}" for n in range(12)]}
            case _:
                return {}

    async def orphan(self) -> bool:
        for it in self.sandbox.table("customer"):
            gone = {"id": it, "object": "customer", "deleted": True}
            self.sandbox.table("_deleted")[it] = gone
        self.sandbox.table("customer").clear()
        return True


@pytest.fixture
async def world() -> AsyncIterator[StripeWorld]:
    async with StripeSandbox() as sandbox:
        yield StripeWorld(sandbox, Stripe)


class TestStripe(ConnectorConformance):
    """The kit, on Stripe."""
