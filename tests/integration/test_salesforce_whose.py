"""Salesforce tells whose each record says it is, goes no further, and states no fact of it.

Each attack is one record that somebody else wrote, most often by a web form: what the pipeline
makes of what is told here is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date

import pytest

from connectors.salesforce import Salesforce, SalesforceSandbox
from connectors.sdk import registry
from connectors.sdk.interface import Connector, Holding, Identifier, Subject

ANN, BOB = "ann@example.org", "bob@example.org"
BY_EMAIL = Subject((Identifier("email", ANN),))
QUERY = "GET /services/data/v68.0/queryAll"
DESCRIBE = "GET /services/data/v68.0/sobjects/{name}/describe"


@dataclass(frozen=True, slots=True)
class Told:
    """All pages of one `locate`."""

    holdings: dict[str, Holding]
    facts: dict[str, object]

    def borne(self, id_: str) -> set[tuple[str, str, str]]:
        return {(it.field, it.kind, it.value) for it in self.holdings[id_].bears}


@pytest.fixture
async def org() -> AsyncIterator[SalesforceSandbox]:
    async with SalesforceSandbox() as sandbox:
        yield sandbox


def connect(org: SalesforceSandbox, **more: str) -> Connector:
    environ = org.environ()
    environ |= {registry.variable("salesforce", name): value for name, value in more.items()}
    return registry.build(Salesforce, environ)


async def look(org: SalesforceSandbox, subject: Subject = BY_EMAIL, *known: Holding) -> Told:
    async with connect(org) as it:
        pages = [page async for page in it.locate(subject, known)]
    return Told(
        {held.id: held for page in pages for held in page.holdings},
        {fact.name: fact.value for page in pages for fact in page.facts},
    )


# What is told.


async def test_a_contact_tells_every_identifier_asked_for_or_not(org: SalesforceSandbox) -> None:
    contact = org.add_contact(
        FirstName="Ann",
        LastName="Lee",
        Email="Ann@Example.org",
        Other_Email__c=BOB,
        User_Id__c="u-1",
        MobilePhone="+43 1",
        HomePhone="+43 2",
        AssistantName="Bob Ray",
        AssistantPhone="+43 3",
    )
    told = await look(org)
    assert told.holdings[contact].part_of is None
    assert told.borne(contact) == {
        ("Name", "name", "Ann Lee"),
        ("Email", "email", "Ann@Example.org"),
        ("Other_Email__c", "email", BOB),
        ("User_Id__c", "user_id", "u-1"),
        ("MobilePhone", "phone", "+43 1"),
        ("HomePhone", "phone", "+43 2"),
    }


async def test_a_last_name_alone_is_no_given_name(org: SalesforceSandbox) -> None:
    lead = org.add_lead(LastName="Lee", Email=ANN)
    assert (await look(org)).borne(lead) == {("Email", "email", ANN)}


async def test_a_case_hangs_on_its_contact_and_a_comment_on_its_case(
    org: SalesforceSandbox,
) -> None:
    contact = org.add_contact(Email=ANN)
    supplied = {"SuppliedEmail": BOB, "SuppliedName": "Bob Ray", "SuppliedPhone": "+43 2"}
    case = org.add_case(ContactId=contact, **supplied)
    comment = org.add_comment(ParentId=case, CommentBody="She called.")
    alone = org.add_case(SuppliedEmail=ANN)
    told = await look(org)
    assert told.holdings[case].part_of == Holding("contact", contact)
    assert told.borne(case) == {
        ("SuppliedEmail", "email", BOB),
        ("SuppliedName", "name", "Bob Ray"),
        ("SuppliedPhone", "phone", "+43 2"),
    }
    assert told.holdings[comment].part_of == Holding("case", case)
    assert told.borne(comment) == set()
    assert told.holdings[alone].part_of is None


# Attacks: how far it goes, and what it states.


async def test_a_victims_user_id_in_an_attackers_lead_finds_nothing_of_the_victim(
    org: SalesforceSandbox,
) -> None:
    """The attacker fills a web form: their own address, and the victim's user id."""
    lead = org.add_lead(Email=ANN, User_Id__c="u-victim", FirstName="Ann")
    victim = org.add_contact(Email=BOB, User_Id__c="u-victim")
    org.add_case(ContactId=victim, Subject="Invoice")
    told = await look(org)
    assert told.holdings.keys() == {lead}
    assert told.holdings[lead].part_of is None
    assert ("User_Id__c", "user_id", "u-victim") in told.borne(lead)
    assert told.facts == {}  # were the user id theirs, they would be a customer


async def test_a_lead_that_became_a_strangers_contact_opens_none_of_their_cases(
    org: SalesforceSandbox,
) -> None:
    """An agent converted the asker's lead into a contact that is somebody else's."""
    stranger = org.add_contact(Email=BOB, User_Id__c="u-2")
    lead = org.add_lead(Email=ANN, ConvertedContactId=stranger)
    case = org.add_case(ContactId=stranger, Subject="Invoice")
    org.add_comment(ParentId=case, CommentBody="He called.")
    told = await look(org)
    assert told.holdings.keys() == {lead, stranger}  # the link names the contact, and no more
    assert told.holdings[lead].part_of is told.holdings[stranger].part_of is None
    assert told.borne(stranger) == {
        ("Email", "email", BOB),
        ("User_Id__c", "user_id", "u-2"),
    }
    assert told.facts == {}  # whether the asker is a customer is not known


async def test_a_case_that_an_agent_filed_under_a_stranger_tells_that_it_is_there(
    org: SalesforceSandbox,
) -> None:
    stranger = org.add_contact(Email=BOB)
    case = org.add_case(ContactId=stranger, SuppliedEmail=ANN)
    org.add_case(ContactId=stranger, Subject="Invoice")
    told = await look(org)
    assert told.holdings.keys() == {case}
    assert told.holdings[case].part_of == Holding("contact", stranger)
    assert told.facts == {}


@pytest.mark.parametrize("beside", [{"Other_Email__c": BOB}, {"User_Id__c": "u-2"}])
async def test_a_contact_that_bears_somebody_else_beside_makes_nobody_a_customer(
    org: SalesforceSandbox, beside: dict[str, str]
) -> None:
    contact = org.add_contact(Email=ANN, **beside)
    told = await look(org)
    assert told.holdings.keys() == {contact}
    assert told.facts == {}
    org.add_contact(Email=ANN)
    assert (await look(org)).facts == {"customer": True}  # whoever it was in touch with


async def test_whoever_is_asked_for_by_all_that_a_contact_bears_is_a_customer(
    org: SalesforceSandbox,
) -> None:
    org.add_contact(Email=ANN, User_Id__c="u-1")
    both = Subject((*BY_EMAIL.identifiers, Identifier("user_id", "u-1")))
    assert (await look(org, both)).facts == {"customer": True, "last_contact": False}


async def test_a_known_contact_of_somebody_else_is_read_and_not_followed(
    org: SalesforceSandbox,
) -> None:
    stranger, blank = org.add_contact(Email=BOB), org.add_contact(Title="Dr.")
    org.add_case(ContactId=stranger, Subject="Invoice")
    own = org.add_case(ContactId=blank, Subject="Invoice")
    known = (Holding("contact", stranger), Holding("contact", blank))
    told = await look(org, BY_EMAIL, *known)
    assert told.holdings.keys() == {stranger, blank, own}


# Facts of what was not read.


async def test_a_converted_lead_whose_contact_is_purged_is_no_proof_of_no_customer(
    org: SalesforceSandbox,
) -> None:
    contact = org.add_contact(Email=ANN)
    lead = org.add_lead(Email=ANN, ConvertedContactId=contact)
    del org.table("contact")[contact]
    told = await look(org)
    assert told.holdings.keys() == {lead}
    assert told.facts == {}
    org.table("lead")[lead]["ConvertedContactId"] = None  # the reference goes with the contact
    assert (await look(org)).facts == {}


async def test_whoever_is_found_nowhere_is_no_customer(org: SalesforceSandbox) -> None:
    org.add_contact(Email=BOB)
    assert (await look(org)).facts == {"customer": False, "last_contact": False}


# When they were last in touch.


async def test_the_last_contact_is_the_latest_of_activities_cases_and_mail(
    org: SalesforceSandbox,
) -> None:
    contact = org.add_contact(Email=ANN)
    org.plant("event", {"WhoId": contact, "ActivityDate": "2024-05-06"})
    org.plant("task", {"WhoId": contact, "ActivityDate": "2025-03-04", "Status": "Completed"})
    org.plant("task", {"WhoId": contact, "ActivityDate": "2025-09-09"})  # not done yet
    assert (await look(org)).facts["last_contact"] == date(2025, 3, 4)
    case = org.add_case(ContactId=contact, CreatedDate="2025-04-05T10:00:00.000+0000")
    assert (await look(org)).facts["last_contact"] == date(2025, 4, 5)
    sent = {"MessageDate": "2025-05-05T23:30:00.000-0500", "FromAddress": ANN, "Incoming": True}
    org.plant("email", {"ParentId": case, **sent})
    assert (await look(org)).facts["last_contact"] == date(2025, 5, 6)


async def test_an_appointment_to_come_says_nothing_of_the_last_contact(
    org: SalesforceSandbox,
) -> None:
    contact = org.add_contact(Email=ANN)
    org.plant("event", {"WhoId": contact, "ActivityDate": "2999-01-01"})
    assert (await look(org)).facts == {"customer": True}


async def test_of_a_date_that_is_hidden_nothing_is_told(org: SalesforceSandbox) -> None:
    org.add_contact(Email=ANN)
    del org.fields["Contact"]["LastActivityDate"]
    assert (await look(org)).facts == {"customer": True}


async def test_a_case_that_names_a_stranger_beside_tells_no_contact(
    org: SalesforceSandbox,
) -> None:
    contact = org.add_contact(Email=ANN)
    org.add_case(ContactId=contact, SuppliedEmail=BOB)
    assert (await look(org)).facts == {"customer": True}


# Spelling, and what it can be asked by.


@pytest.mark.parametrize(
    "stored",
    [
        "j\u00f6rg@b\u00fccher.example",
        "jo\u0308rg@bu\u0308cher.example",
        "J\u00f6RG@XN--BCHER-KVA.example",
    ],
)
async def test_a_spelling_is_asked_for_where_soql_tells_it_apart(
    org: SalesforceSandbox, stored: str
) -> None:
    contact = org.add_contact(Email=stored)
    case = org.add_case(SuppliedEmail=stored)
    org.add_contact(Email="jorg@b\u00fccher.example")
    asked = Subject((Identifier("email", "J\u00f6rg@B\u00fccher.example"),))
    assert (await look(org, asked)).holdings.keys() == {contact, case}


async def test_a_kelvin_sign_is_not_a_k(org: SalesforceSandbox) -> None:
    """SOQL's own idea of lower case takes one for the other."""
    org.add_contact(Email="\u212aiss@example.org")
    kiss = Subject((Identifier("email", "kiss@example.org"),))
    assert (await look(org, kiss)).holdings == {}


async def test_a_blank_identifier_does_not_find_whoever_has_a_blank_field(
    org: SalesforceSandbox,
) -> None:
    contact = org.add_contact(Email=ANN)
    org.add_contact(LastName="Without an address")
    asked = Subject((Identifier("user_id", "\u200b"), *BY_EMAIL.identifiers))
    assert (await look(org, asked)).holdings.keys() == {contact}


async def test_a_plain_address_takes_one_query_for_each_kind(org: SalesforceSandbox) -> None:
    await look(org)
    assert org.calls[QUERY] == 4  # leads, contacts, cases and e-mails: nothing else bears one

    case = org.add_case(ContactId=org.add_contact(Email=ANN))
    org.add_comment(ParentId=case, CommentBody="She called.")
    org.calls.clear()
    await look(org)
    assert org.calls[QUERY] == 12  # leads twice: those that became one of the contacts
    described = (
        len(Salesforce.capabilities.kinds) + 3
    )  # and campaigns, versions of files, Individuals
    assert org.calls[DESCRIBE] == described

    org.calls.clear()
    async with connect(org) as it:
        await it.check()
        _ = [page async for page in it.locate(BY_EMAIL)]
    assert org.calls[DESCRIBE] == described
    assert org.calls[QUERY] == 13  # and whether the user may see all of it


@pytest.mark.parametrize(
    ("fields", "kinds"), [("User_Id__c", ["email", "user_id"]), ("Other_Email__c", ["email"])]
)
async def test_it_can_be_asked_by_what_the_org_has_a_field_for(
    org: SalesforceSandbox, fields: str, kinds: list[str]
) -> None:
    strong = (Identifier("email", ANN), Identifier("user_id", "u-1"))
    useless = (
        Identifier("email", "\u200b "),
        Identifier("email", "\ud800@example.org"),
        Identifier("user_id", "x" * 256),
        Identifier("email", BOB, strong=False),
        Identifier("phone", "+43 1"),
    )
    async with connect(org, custom_fields=fields) as it:
        assert [one.kind for one in it.usable(Subject((*strong, *useless)))] == kinds


async def test_without_anything_to_ask_by_what_is_known_is_read(org: SalesforceSandbox) -> None:
    contact = org.add_contact(Email=ANN)
    nobody = Subject((Identifier("email", "\u200b"), Identifier("phone", "+43 1")))
    told = await look(org, nobody, Holding("contact", contact))
    assert told.holdings.keys() == {contact}
    assert told.facts == {}
    assert org.calls[QUERY] == 1
