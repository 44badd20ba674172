"""Freshdesk keeps what `Connector` promises."""

from collections.abc import AsyncIterator

import pytest

from connectors.freshdesk import Freshdesk
from connectors.freshdesk.sandbox import FreshdeskSandbox
from connectors.sdk.conformance import ConnectorConformance, SandboxWorld
from connectors.sdk.interface import Subject


class FreshdeskWorld(SandboxWorld):
    """A contact for each identifier; what more is asked for are the first one's tickets."""

    searched_by = ("email", "phone")
    sandbox: FreshdeskSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        asked = subject.identifiers[:holdings]
        contacts = [
            self.sandbox.add_contact(
                **{given.kind: given.value},
                name=f"Person {n}",
                tags=["vip"],
                devices=[{"os": "Linux"}],
                twitter_id=str(self.sandbox.new_id()),
                mobile="+49151",
            )
            for n, given in enumerate(asked)
        ]
        for n in range(holdings - len(contacts)):
            self.sandbox.add_ticket(contacts[0], f"ticket {n}", ["Hello", "Goodbye"])

    async def orphan(self) -> bool:
        self.sandbox.table("contact").clear()
        return True


@pytest.fixture
async def world() -> AsyncIterator[FreshdeskWorld]:
    async with FreshdeskSandbox() as sandbox:
        yield FreshdeskWorld(sandbox, Freshdesk)


class TestFreshdesk(ConnectorConformance):
    """The kit, on Freshdesk."""
