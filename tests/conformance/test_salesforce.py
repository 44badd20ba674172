"""Salesforce keeps what `Connector` promises."""

from collections.abc import AsyncIterator
from itertools import cycle, islice

import pytest

from connectors.salesforce import Salesforce, SalesforceSandbox
from connectors.sdk.conformance import ConnectorConformance, SandboxWorld
from connectors.sdk.interface import Subject

FIELDS = {"email": "Email", "user_id": "User_Id__c"}


class SalesforceWorld(SandboxWorld):
    """A contact for each identifier; then leads, cases and comments in turn."""

    searched_by = ("email", "user_id")
    sandbox: SalesforceSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        asked = subject.identifiers[:holdings]
        contacts = [
            self.sandbox.add_contact(
                FirstName="Ann",
                MailingCity="Graz",
                Description="Likes boats",
                LeadSource="Fair",
                HasOptedOutOfEmail=True,
                **{FIELDS[it.kind]: it.value},
            )
            for it in asked
        ]
        case = ""
        owners = cycle(contacts)
        kinds = islice(cycle(("case", "comment", "lead")), holdings - len(contacts))
        for kind, owner in zip(kinds, owners, strict=False):
            match kind:
                case "case":
                    case = self.sandbox.add_case(
                        ContactId=owner, Subject="Invoice", SuppliedEmail="elsewhere@example.org"
                    )
                case "comment":
                    self.sandbox.add_comment(ParentId=case, CommentBody="She called.")
                case _:
                    self.sandbox.add_lead(ConvertedContactId=owner, Description="Likes boats")

    async def orphan(self) -> bool:
        self.sandbox.table("contact").clear()
        self.sandbox.table("case").clear()
        return True


@pytest.fixture
async def world() -> AsyncIterator[SalesforceWorld]:
    async with SalesforceSandbox() as sandbox:
        sandbox.batch_size = 40
        yield SalesforceWorld(sandbox, Salesforce)


class TestSalesforce(ConnectorConformance):
    """The kit, on Salesforce."""
