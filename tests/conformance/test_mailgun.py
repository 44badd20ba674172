"""Mailgun keeps what `Connector` promises."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import ClassVar

import pytest

from connectors.mailgun import Mailgun
from connectors.mailgun.sandbox import MailgunSandbox
from connectors.sdk.conformance import ConnectorConformance, SandboxWorld, more, some
from connectors.sdk.interface import Category, Connector, Identifier, Subject
from connectors.sdk.spelling import lower

DOMAINS = ("mail.example.com", "lists.example.com")
PAGE = 300
MORE = ("bounce", "allowlisted", "unsubscribe", "complaint", "event")


class MailgunWorld(SandboxWorld):
    """A member of a list for each address; what more is asked for are lists of the last one."""

    searched_by = ("email",)
    undated = ("member", "opted_out_member")
    changes_by = ("DELETE", "POST", "PUT")
    states: ClassVar = {
        "a member who opted out": some("member", subscribed=False),
        "more events than a page": more(PAGE, "event", "_of"),
        "an event whose message is stored": lambda state: any(
            "_mime" in it for it in state.values()
        ),
    }
    sandbox: MailgunSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        for it in DOMAINS:
            self.sandbox.plant("domain", {"name": it})
        emails = subject.of("email")
        made = 0
        for email in emails[:holdings]:
            self._member("staff@lists.example.com", email)
            made += 1
        for kind in MORE[: max(0, holdings - made)]:
            key = {"event": "recipient", "allowlisted": "value"}.get(kind, "address")
            at = {"domain": DOMAINS[0], key: lower(emails[0])}
            self.sandbox.plant(kind, at | self._content(kind))
            for _ in range(PAGE if kind == "event" else 0):  # all of them are one holding
                self.sandbox.plant(kind, at | {"event": "opened"})
            made += 1
        for n in range(holdings - made):
            said = {"subscribed": n not in {1, 2}, **({"vars": {}} if n == 2 else {})}
            self._member(f"list-{n:04d}@lists.example.com", emails[-1], said)

    async def markets_to(self, subject: Subject) -> bool:
        """Unless every domain has stopped it, and every list."""
        tables = self.sandbox.tables
        stopped = {
            (row["_of"], lower(row["address"]))
            for row in tables.get("unsubscribe", {}).values()
            if "*" in row["tags"]
        }
        due = {(of, lower(it)) for of in tables["_domain"] for it in subject.of("email")}
        return bool(due - stopped) or any(
            row["subscribed"] and subject.bears("email", row["address"])
            for row in tables.get("member", {}).values()
        )

    async def nameless(self) -> bool:
        return False

    async def share(self, subject: Subject, other: Subject) -> bool:
        for it in (subject, other):  # on one list, and under one domain
            await self.seed(it, holdings=8)
        return True

    async def beside(self, subject: Subject, other: Identifier) -> bool:
        said = {"vars": {other.kind: other.value}}
        self._member("staff@lists.example.com", subject.of("email")[0], said)
        return True

    def _member(
        self, of: str, email: str, said: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        content: dict[str, object] = {"name": self.mark(Category.IDENTITY)}
        if "vars" not in said:
            content["vars"] = {"plan": self.mark(Category.PROFILE)}
        self.sandbox.plant("member", {"list": of, "address": email, **content, **said})

    def _content(self, kind: str) -> dict[str, object]:
        match kind:
            case "bounce":
                return {"error": self.mark(Category.TECHNICAL), **self._unknown()}
            case "allowlisted":
                return {"reason": self.mark(Category.TECHNICAL), **self._unknown()}
            case "unsubscribe":
                return {"tags": [self.mark(Category.MARKETING)], **self._unknown()}
            case "event":
                said = {"headers": {"subject": self.mark(Category.USAGE)}}
                where = {"device-type": self.mark(Category.TECHNICAL)}
                mime = self.mark(Category.USAGE)
                return {"message": said, "client-info": where, "mime": mime}
            case _:  # a complaint has a date, and no more that a table knows
                return self._unknown()

    def _unknown(self) -> dict[str, object]:
        """A field that Mailgun may add one day."""
        return {"footnote": self.mark(Category.PROFILE)}


@asynccontextmanager
async def world_of(connector: type[Connector] = Mailgun) -> AsyncIterator[MailgunWorld]:
    async with MailgunSandbox() as sandbox:
        yield MailgunWorld(sandbox, connector)


@pytest.fixture
async def world() -> AsyncIterator[MailgunWorld]:
    async with world_of() as made:
        yield made


class TestMailgun(ConnectorConformance):
    """The kit, on Mailgun."""
