"""Salesforce keeps what `Connector` promises."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import cycle, islice, zip_longest
from typing import ClassVar

import pytest

from connectors.salesforce import Salesforce, SalesforceSandbox
from connectors.sdk.conformance import ConnectorConformance, SandboxWorld, more, some
from connectors.sdk.conformance.world import State
from connectors.sdk.interface import Category, Connector, Identifier, Subject

FIELDS = {"email": "Email", "user_id": "User_Id__c"}


KINDS = (
    *("case", "comment", "email", "attachment", "file", "task", "campaign_member", "lead"),
    *("event", "note"),
)


class SalesforceWorld(SandboxWorld):
    """A contact for each address and user id; what hangs on them, and leads, in turn."""

    searched_by = ("email", "user_id")
    changes_by = ("POST", "PATCH", "DELETE")
    stamps = ("SystemModstamp",)
    states: ClassVar = {
        "a contact in the recycle bin": some("contact", IsDeleted=True),
        "a lead that was converted": some("lead", IsConverted=True),
        "a second version of a file": more(1, "version", "ContentDocumentId"),
    }
    sandbox: SalesforceSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        by_kind = [[(FIELDS[kind], it) for it in subject.of(kind)] for kind in self.searched_by]
        people = [dict(filter(None, pair)) for pair in zip_longest(*by_kind)][:holdings]
        contacts = [
            self.sandbox.add_contact(
                FirstName=self.mark(Category.IDENTITY),
                MailingCity=self.mark(Category.CONTACT),
                OtherPhone=self.mark(Category.CONTACT, "+{}"),
                Description=self.mark(Category.PROFILE),
                Nickname__c=self.mark(Category.PROFILE),
                LeadSource=self.mark(Category.MARKETING),
                HasOptedOutOfEmail=True,
                **(self._binned() if n < len(people) - 1 else {}),
                **borne,
            )
            for n, borne in enumerate(people)
        ]
        case = ""
        owners = cycle(zip(contacts, people, strict=True))
        kinds = islice(cycle(KINDS), holdings - len(contacts))
        for kind, (owner, borne) in zip(kinds, owners, strict=False):
            case = self._plant(kind, owner, case, borne) or case

    def _binned(self) -> dict[str, object]:
        other = self.mark(Category.CONTACT, "{}@example.org")
        return {"IsDeleted": True, "Other_Email__c": other}

    def _plant(self, kind: str, owner: str, case: str, borne: dict[str, str]) -> str:
        """One record; the id of a case."""
        org, mark = self.sandbox, self.mark
        match kind:
            case "case":
                return org.add_case(
                    ContactId=owner,
                    Subject=mark(Category.PROFILE),
                    SuppliedName=mark(Category.IDENTITY),
                    SuppliedEmail=mark(Category.CONTACT, "{}@example.org"),
                )
            case "comment":
                org.add_comment(ParentId=case, CommentBody=mark(Category.PROFILE))
            case "email":
                writer = {"FromAddress": mark(Category.CONTACT, "{}@example.org")}
                body = {"TextBody": mark(Category.PROFILE)}
                org.plant("email", {"ParentId": case, **writer, **body})
            case "attachment":
                org.add_attachment(owner, mark(Category.PROFILE).encode(), Name="offer.pdf")
            case "file":
                versions = (mark(Category.PROFILE).encode() for _ in range(2))
                org.add_file(case, versions=versions, name="contract.docx")
            case "task" | "event":
                org.plant(kind, {"WhoId": owner, "Subject": mark(Category.PROFILE)})
            case "campaign_member":
                org.plant(kind, {"ContactId": owner, "Status": mark(Category.MARKETING)})
            case "note":
                org.plant(kind, {"ParentId": owner, "Body": mark(Category.PROFILE)})
            case _:
                became = None if len(org.table("lead")) % 2 else owner
                org.add_lead(
                    ConvertedContactId=became,
                    FirstName=mark(Category.IDENTITY),
                    City=mark(Category.CONTACT),
                    Description=mark(Category.PROFILE),
                    LeadSource=mark(Category.MARKETING),
                    **borne,
                )
        return ""

    async def share(self, subject: Subject, other: Subject) -> bool:
        for it in (subject, other):
            await self.seed(it, holdings=8)
        person = self.sandbox.plant("individual", {"LastName": "Household"})
        for row in self.sandbox.table("contact").values():
            row |= {"AccountId": "001000000000001AAA", "IndividualId": person}
        return True

    async def beside(self, subject: Subject, other: Identifier) -> bool:
        room = "Other_Email__c" if other.kind == "email" else "User_Id__c"
        self.sandbox.add_contact(Email=subject.of("email")[0], **{room: other.value})
        return True

    async def state(self) -> State:
        """Without Individuals in the bin: those that were made for a mark name nobody."""
        state = await super().state()
        people = {key: it for key, it in state.items() if key.startswith("individual/")}
        binned = {key for key, it in people.items() if it["IsDeleted"]}
        return {key: it for key, it in state.items() if key not in binned}

    async def nameless(self) -> bool:
        self.sandbox.add_contact(LastName="Lee", Phone="+493012345678")
        return True

    async def markets_to(self, subject: Subject) -> bool:
        """By mail, by fax or by telephone; a lead that became a contact and the bin are out."""
        people = (*self.sandbox.table("contact").values(), *self.sandbox.table("lead").values())
        return any(
            not all(row[it] for it in ("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall"))
            for row in people
            if not (row["IsDeleted"] or row.get("IsConverted")) and _bears(subject, row)
        )

    async def orphan(self) -> bool:
        self.sandbox.table("contact").clear()
        self.sandbox.table("case").clear()
        return True


def _bears(subject: Subject, row: Mapping[str, object]) -> bool:
    emails = (row["Email"], row.get("Other_Email__c"))
    return subject.bears("user_id", row["User_Id__c"]) or any(
        subject.bears("email", it) for it in emails
    )


@asynccontextmanager
async def world_of(connector: type[Connector] = Salesforce) -> AsyncIterator[SalesforceWorld]:
    async with SalesforceSandbox() as sandbox:
        sandbox.batch_size = 10
        yield SalesforceWorld(sandbox, connector)


@pytest.fixture
async def world() -> AsyncIterator[SalesforceWorld]:
    async with world_of() as made:
        yield made


class TestSalesforce(ConnectorConformance):
    """The kit, on Salesforce."""
