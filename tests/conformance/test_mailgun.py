"""Mailgun keeps what `Connector` promises."""

from collections.abc import AsyncIterator

import pytest

from connectors.mailgun import Mailgun
from connectors.mailgun.sandbox import MailgunSandbox
from connectors.sdk.conformance import ConnectorConformance, SandboxWorld
from connectors.sdk.interface import Subject

DOMAINS = ("mail.example.com", "news.example.com")


class MailgunWorld(SandboxWorld):
    """A member of a list for each address; what more is asked for are lists of the first."""

    searched_by = ("email",)
    sandbox: MailgunSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        for it in DOMAINS:
            self.sandbox.plant("domain", {"name": it})
        emails = subject.of("email")
        made = 0
        for email in emails[:holdings]:
            self._member("staff@lists.example.com", email)
            made += 1
        more: tuple[tuple[str, dict[str, object]], ...] = (
            ("bounce", {}),
            ("unsubscribe", {}),
            ("complaint", {}),
            ("event", {"client-info": {"device-type": "desktop"}}),
        )
        for kind, fields in more[: max(0, holdings - made)]:
            key = "recipient" if kind == "event" else "address"
            self.sandbox.plant(kind, {"domain": DOMAINS[0], key: emails[0].lower(), **fields})
            made += 1
        for n in range(holdings - made):
            self._member(f"list-{n:04d}@lists.example.com", emails[0])

    def _member(self, of: str, email: str) -> None:
        fields = {"list": of, "address": email.lower(), "name": "Somebody", "vars": {"plan": "pro"}}
        self.sandbox.plant("member", fields)


@pytest.fixture
async def world() -> AsyncIterator[MailgunWorld]:
    async with MailgunSandbox() as sandbox:
        yield MailgunWorld(sandbox, Mailgun)


class TestMailgun(ConnectorConformance):
    """The kit, on Mailgun."""
