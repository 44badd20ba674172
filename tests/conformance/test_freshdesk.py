"""Freshdesk keeps what `Connector` promises."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain, cycle, islice, repeat
from typing import ClassVar

import pytest

from connectors.freshdesk import Freshdesk
from connectors.freshdesk.sandbox import FreshdeskSandbox
from connectors.sdk.conformance import ConnectorConformance, SandboxWorld, more, some
from connectors.sdk.interface import Category, Connector, Identifier, Subject

PAGE = 100
STATES = ("verified", "unverified", "deleted")
TICKETS: tuple[dict[str, bool], ...] = ({}, {"spam": True}, {"deleted": True})


class FreshdeskWorld(SandboxWorld):
    """A contact for each identifier; what more is asked for are the first one's tickets."""

    searched_by = ("email", "phone")
    stamps = ("updated_at",)
    states: ClassVar = {
        "a deleted contact": some("contact", deleted=True),
        "a ticket in the trash": some("ticket", deleted=True),
        "a ticket that is spam": some("ticket", spam=True),
        "an archived ticket": some("ticket", _archived=True),
        "more conversations of a ticket than a page": more(PAGE, "conversation", "ticket_id"),
    }
    sandbox: FreshdeskSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        asked = subject.identifiers[:holdings]
        contacts = [
            self.sandbox.add_contact(
                **{given.kind: given.value},
                state=state,
                name=self.mark(Category.IDENTITY),
                avatar=self._file(Category.IDENTITY),
                twitter_id=self.mark(Category.IDENTITY, "{}"),
                tags=[self.mark(Category.PROFILE)],
                description=self.mark(Category.PROFILE),
                devices=[{"os": self.mark(Category.TECHNICAL)}],
                mobile=self.mark(Category.CONTACT, "+{}"),
                address=self.mark(Category.CONTACT),
                other_emails=[self.mark(Category.CONTACT, "{}@example.org")],
            )
            for given, state in zip(asked, cycle(STATES), strict=False)
        ]
        tickets = chain(TICKETS * 2, repeat({}))  # of one list more than a page
        for n, state in enumerate(islice(tickets, holdings - len(contacts))):
            more = [""] * PAGE if n == 0 else []
            last: dict[str, object] = {
                "body_text": self.mark(Category.USAGE),
                "attachments": [self._file()],
            }
            said: list[str | dict[str, object]] = [self.mark(Category.PROFILE), *more, last]
            text, files = self.mark(Category.PROFILE), [self._file()]
            self.sandbox.add_ticket(contacts[0], text, said, attachments=files, **state)

    def _file(self, of: Category = Category.PROFILE) -> dict[str, str]:
        return {"name": "said.txt", "content": self.mark(of)}

    async def orphan(self) -> bool:
        self.sandbox.table("contact").clear()
        return True

    async def share(self, subject: Subject, other: Subject) -> bool:
        for it in (subject, other):
            await self.seed(it, holdings=3)
        for row in self.sandbox.table("contact").values():
            row["company_id"] = 7
        return True

    async def markets_to(self, subject: Subject) -> bool:
        return any(
            "no-marketing" not in row["tags"] and not row.get("deleted")
            for row in self.sandbox.table("contact").values()
            if subject.bears("email", row["email"])
            or any(subject.bears("phone", row[it]) for it in ("phone", "mobile"))
        )

    async def nameless(self) -> bool:
        self.sandbox.add_contact(phone="+493012345678")
        return True

    async def beside(self, subject: Subject, other: Identifier) -> bool:
        room: dict[str, object] = (
            {"other_emails": [other.value]}
            if other.kind == "email"
            else {"unique_external_id": other.value}
        )
        self.sandbox.add_contact(email=subject.of("email")[0], **room)
        return True


@asynccontextmanager
async def world_of(connector: type[Connector] = Freshdesk) -> AsyncIterator[FreshdeskWorld]:
    async with FreshdeskSandbox() as sandbox:
        sandbox.contact_fields = ("processing_restricted",)
        yield FreshdeskWorld(sandbox, connector)


@pytest.fixture
async def world() -> AsyncIterator[FreshdeskWorld]:
    async with world_of() as made:
        yield made


class TestFreshdesk(ConnectorConformance):
    """The kit, on Freshdesk."""
