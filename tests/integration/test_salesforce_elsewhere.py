"""The sandbox is Salesforce to simple-salesforce, which nobody here wrote, and both see one org.

The client knows https only, and finds the token endpoint under `salesforce.com` by My Domain: all
of it leads to the sandbox here, by a session of requests, which is what the client takes one for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce as Client
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceError,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from connectors.salesforce import Salesforce, SalesforceSandbox
from connectors.salesforce.recycle_bin import IN_BIN
from connectors.sdk import registry
from connectors.sdk.conformance import look
from connectors.sdk.interface import (
    MARKETING,
    Category,
    Connector,
    Datum,
    Expires,
    Failed,
    Identifier,
    Rectified,
    Redacted,
    Restricted,
    Subject,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANN = Subject((Identifier("email", "ann@example.org"),))
EVERYONE = "SELECT Id, IsDeleted FROM Contact"
TOKEN = "POST /services/oauth2/token"
TYPES = {
    *("address", "boolean", "date", "datetime", "double", "email", "id", "phone", "picklist"),
    *("reference", "string", "textarea", "url"),
}
"""Of the types of a field that Salesforce documents, those that this org has."""

Ask = Callable[[Any], Any]


class Refused(NamedTuple):
    """What the client raised, the status, and the vendor's code."""

    kind: type[Exception]
    status: int
    code: str


class Loopback(HTTPAdapter):
    """All of https is one sandbox."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        request.url = f"{self._url}{request.path_url}"
        return super().send(request, *args, **kwargs)


class Elsewhere:
    """An org as simple-salesforce sees it, signed in once with client credentials."""

    def __init__(self, org: SalesforceSandbox) -> None:
        self._org = org
        self.session = Session()
        self.session.trust_env = False
        self.session.mount("https://", Loopback(org.url))
        self._client: Client | None = None

    async def __call__(self, ask: Ask, **sign_in: str) -> Any:
        """What it makes of an answer; an error of the vendor's is returned."""
        return await asyncio.to_thread(self._ask, ask, sign_in)

    def _ask(self, ask: Ask, sign_in: dict[str, str]) -> Any:
        secrets = {"consumer_key": "habeas", "consumer_secret": self._org.key, "domain": "acme.my"}
        try:
            if sign_in or self._client is None:
                more: Any = sign_in if "session_id" in sign_in else secrets | sign_in
                self._client = Client(session=self.session, version="68.0", **more)
            return ask(self._client)
        except SalesforceAuthenticationFailed as error:
            return Refused(type(error), error.status, str(error.code))
        except SalesforceError as error:
            said: Any = error.content
            return Refused(type(error), error.status, said[0]["errorCode"])


@pytest.fixture
async def org() -> AsyncIterator[SalesforceSandbox]:
    async with SalesforceSandbox(now=lambda: NOON) as sandbox:
        yield sandbox


@pytest.fixture
async def elsewhere(org: SalesforceSandbox) -> AsyncIterator[Elsewhere]:
    made = Elsewhere(org)
    with made.session:
        yield made


@pytest.fixture
async def salesforce(org: SalesforceSandbox) -> AsyncIterator[Connector]:
    async with registry.build(Salesforce, org.environ()) as connector:
        yield connector


async def test_the_client_signs_in_and_renews_an_ended_session(
    org: SalesforceSandbox, elsewhere: Elsewhere
) -> None:
    """It sends its secret as basic authentication, as documented beside the form's fields."""
    ann = org.add_contact(Email="ann@example.org")
    assert (await elsewhere(lambda it: it.query(EVERYONE)))["totalSize"] == 1
    org.now = lambda: NOON + timedelta(hours=3)
    assert (await elsewhere(lambda it: it.Contact.get(ann)))["Email"] == "ann@example.org"
    assert org.calls[TOKEN] == 2

    failed = await elsewhere(lambda it: it.query(EVERYONE), consumer_secret="wrong")
    assert failed == (SalesforceAuthenticationFailed, 401, "invalid_client")
    stale = {"session_id": "00Dsandbox!stale", "instance_url": org.url}
    failed = await elsewhere(lambda it: it.query(EVERYONE), **stale)
    assert failed == (SalesforceExpiredSession, 401, "INVALID_SESSION_ID")


async def test_every_page_of_a_query_is_read(org: SalesforceSandbox, elsewhere: Elsewhere) -> None:
    """After a first page of `queryAll`, both documented paths lead to the second."""
    made = {org.add_contact(LastName=f"Subject {n}") for n in range(449)}
    made.add(org.add_contact(IsDeleted=True))
    pages = {"headers": {"Sforce-Query-Options": "batchSize=200"}, "include_deleted": True}

    found = await elsewhere(lambda it: it.query_all(EVERYONE, **pages))
    assert (found["totalSize"], {row["Id"] for row in found["records"]}) == (450, made)
    assert org.calls["GET /services/data/v68.0/query/{locator}"] == 2

    first = await elsewhere(lambda it: it.query(EVERYONE, **pages))
    assert (first["totalSize"], len(first["records"]), first["done"]) == (450, 200, False)
    locator = first["nextRecordsUrl"].rpartition("/")[2]
    second = await elsewhere(lambda it: it.query_more(locator, **pages))
    assert len(second["records"]) == 200
    assert not {row["Id"] for row in second["records"]} & {row["Id"] for row in first["records"]}
    found = await elsewhere(lambda it: it.query_all(EVERYONE))
    assert (found["totalSize"], org.batch_size) == (449, 2000)


async def test_a_description_says_what_can_be_read_and_written(
    org: SalesforceSandbox, elsewhere: Elsewhere
) -> None:
    """A record has the fields that its object's description has, as documented."""
    lead = org.add_lead(FirstName="Ann", Email="ann@example.org")
    fields = (await elsewhere(lambda it: it.Lead.describe()))["fields"]
    assert {it["type"] for it in fields} <= TYPES
    row = await elsewhere(lambda it: it.Lead.get(lead))
    assert row.keys() - {"attributes"} == {it["name"] for it in fields}
    some = await elsewhere(lambda it: it.Lead.get(lead, params={"fields": "email,FirstName"}))
    assert some.keys() == {"attributes", "Email", "FirstName"}

    free = {it["name"]: it["type"] for it in fields if it["updateable"]}
    person = org.plant("individual", {})
    odd = {"boolean": True, "email": "new@example.org", "reference": person}
    change = {name: odd.get(type_, "new") for name, type_ in free.items()}
    assert await elsewhere(lambda it: it.Lead.update(lead, change)) == 204
    assert change.items() <= (await elsewhere(lambda it: it.Lead.get(lead))).items()
    for name in row.keys() - {"attributes"} - free.keys():
        refused = await elsewhere(_writes_a_lead(lead, name))
        assert refused.code == "INVALID_FIELD_FOR_INSERT_UPDATE"


def _writes_a_lead(lead: str, field: str) -> Ask:
    return lambda it: it.Lead.update(lead, {field: None})


async def test_the_errors_are_the_documented_ones(
    org: SalesforceSandbox, elsewhere: Elsewhere
) -> None:
    """The limit of a day is a 403 without a date; how much of it is used, each answer says."""
    contact = org.add_contact(Email="ann@example.org")
    org.add_case(ContactId=contact)
    asked: dict[str, Ask] = {
        "MALFORMED_QUERY": lambda it: it.query("SELECT Id FROM Contact WHERE Email = 'O'Neil'"),
        "INVALID_TYPE": lambda it: it.query("SELECT Id FROM Nobody__c"),
        "INVALID_FIELD": lambda it: it.Contact.get(contact, params={"fields": "Nothing__c"}),
        "REQUIRED_FIELD_MISSING": lambda it: it.Contact.update(contact, {"LastName": ""}),
        "DELETE_FAILED": lambda it: it.Contact.delete(contact),
        "INVALID_QUERY_LOCATOR": lambda it: it.query_more("01g000000000000AAA-200"),
    }
    for code, ask in asked.items():
        assert await elsewhere(ask) == (SalesforceMalformedRequest, 400, code)
    for ask in (
        lambda it: it.Contact.get("003000000000000AAA"),
        lambda it: it.Contact.delete("003000000000000AAA"),
        lambda it: it.Nobody__c.describe(),
    ):
        assert await elsewhere(ask) == (SalesforceResourceNotFound, 404, "NOT_FOUND")

    org.calls_per_day = 12
    await elsewhere(lambda it: it.query(EVERYONE))
    assert (await elsewhere(lambda it: it.api_usage))["api-usage"] == (10, 12)
    for _ in range(2):
        await elsewhere(lambda it: it.query(EVERYONE))
    refused = await elsewhere(lambda it: it.query(EVERYONE))
    assert refused == (SalesforceRefusedRequest, 403, "REQUEST_LIMIT_EXCEEDED")


async def test_what_the_connector_deleted_is_in_the_bin_for_the_client(
    org: SalesforceSandbox, elsewhere: Elsewhere, salesforce: Connector
) -> None:
    """And a case that the client deletes is no longer in the connector's way."""
    contact = org.add_contact(Email="ann@example.org")
    case = org.add_case(ContactId=contact, Subject="Invoice")
    bob = org.add_contact(Email="bob@example.org")
    held = {it.kind: it for it in (await look(salesforce, ANN)).holdings}
    assert await salesforce.erase(held["contact"]) == Failed("in_use")
    assert await elsewhere(lambda it: it.Case.delete(case)) == 204
    assert await salesforce.erase(held["contact"]) == Expires(NOON + IN_BIN)

    left = await elsewhere(lambda it: it.query_all(EVERYONE))
    assert [row["Id"] for row in left["records"]] == [bob]
    everything = await elsewhere(lambda it: it.query_all(EVERYONE, include_deleted=True))
    assert {row["Id"]: row["IsDeleted"] for row in everything["records"]} == {
        contact: True,
        bob: False,
    }
    for ask in (
        lambda it: it.Contact.get(contact),
        lambda it: it.Contact.update(contact, {"Title": "Dr."}),
        lambda it: it.Contact.delete(contact),
    ):
        assert await elsewhere(ask) == (SalesforceResourceNotFound, 404, "ENTITY_IS_DELETED")
    org.now = lambda: NOON + timedelta(days=16)
    everything = await elsewhere(lambda it: it.query_all(EVERYONE, include_deleted=True))
    assert [row["Id"] for row in everything["records"]] == [bob]
    gone = await elsewhere(lambda it: it.Contact.get(contact))
    assert gone == (SalesforceResourceNotFound, 404, "NOT_FOUND")


async def test_what_the_connector_blanked_is_blank_for_the_client_and_the_rest_is_there(
    org: SalesforceSandbox, elsewhere: Elsewhere, salesforce: Connector
) -> None:
    contact = org.add_contact(FirstName="Ann", Email="ann@example.org", DoNotCall=True)
    written = {"Description": "Likes boats", "LeadSource": "Fair", "MailingCity": "Graz"}
    assert await elsewhere(lambda it: it.Contact.update(contact[:15], written)) == 204
    before = await elsewhere(lambda it: it.Contact.get(contact))
    (held,) = (await look(salesforce, ANN)).holdings
    said = await salesforce.erase(held, frozenset({Category.IDENTITY, Category.CONTACT}))
    assert said == {Category.PROFILE: Redacted(), Category.MARKETING: Redacted()}
    after = await elsewhere(lambda it: it.Contact.get(contact))
    assert after == before | {"Description": None, "LeadSource": None}
    assert (after["MailingCity"], after["DoNotCall"]) == ("Graz", True)


async def test_the_client_sees_whom_the_connector_marked_and_may_mark_itself(
    org: SalesforceSandbox, elsewhere: Elsewhere, salesforce: Connector
) -> None:
    """An Individual that the client made and linked is flagged; a lead gets one."""
    contact = org.add_contact(Email="ann@example.org")
    lead = org.add_lead(Email="ann@example.org")
    made = await elsewhere(lambda it: it.Individual.create({"LastName": "Berg"}))
    assert made["success"]
    linked = {"IndividualId": made["id"]}
    assert await elsewhere(lambda it: it.Contact.update(contact, linked)) == 204
    held = (await look(salesforce, ANN)).holdings
    assert [await salesforce.restrict(it) for it in held] == [Restricted(), Restricted()]
    people = "SELECT Id, LastName, HasOptedOutProcessing FROM Individual"
    found = (await elsewhere(lambda it: it.query(people)))["records"]
    assert {row["HasOptedOutProcessing"] for row in found} == {True}
    assert {row["Id"] for row in found} > {made["id"]}
    link = await elsewhere(lambda it: it.Lead.get(lead))
    assert {link["IndividualId"], made["id"]} == {row["Id"] for row in found}

    freed = {"HasOptedOutProcessing": False}
    assert await elsewhere(lambda it: it.Individual.update(made["id"], freed)) == 204
    (standing,) = [await salesforce.standing(it) for it in held if it.kind == "contact"]
    assert standing is not None
    assert not standing.restricted
    for ask, code in (
        (lambda it: it.Individual.create({"FirstName": "Ann"}), "REQUIRED_FIELD_MISSING"),
        (lambda it: it.Individual.create({"LastName": "B" * 81}), "STRING_TOO_LONG"),
        (lambda it: it.Individual.create({"Name": "Ann"}), "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (
            lambda it: it.Contact.update(contact, {"IndividualId": contact}),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (lambda it: it.Contact.update(contact, {"Birthdate": "1.2.1980"}), "JSON_PARSER_ERROR"),
        (lambda it: it.Contact.update(contact, {"Email": "at home"}), "INVALID_EMAIL_ADDRESS"),
    ):
        assert await elsewhere(ask) == (SalesforceMalformedRequest, 400, code)


async def test_what_the_connector_corrected_is_right_for_the_client(
    org: SalesforceSandbox, elsewhere: Elsewhere, salesforce: Connector
) -> None:
    contact = org.add_contact(Email="ann@example.org", LastName="Berk", Title="Dr.")
    before = await elsewhere(lambda it: it.Contact.get(contact))
    (held,) = (await look(salesforce, ANN)).holdings
    right = {Datum.FAMILY_NAME: "Berg", Datum.CITY: "Graz"}
    assert await salesforce.rectify(held, right) == dict.fromkeys(right, Rectified())
    after = await elsewhere(lambda it: it.Contact.get(contact))
    assert {it for it in after if after[it] != before[it]} == {
        *("LastName", "Name", "MailingCity", "MailingAddress", "SystemModstamp")
    }
    assert (after["Name"], after["MailingCity"]) == ("Berg", "Graz")
    org.warns_of_duplicates = True
    refused = await elsewhere(lambda it: it.Contact.update(contact, {"Title": "CTO"}))
    assert refused == (SalesforceMalformedRequest, 400, "DUPLICATES_DETECTED")
    allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert (
        await elsewhere(lambda it: it.Contact.update(contact, {"Title": "CTO"}, headers=allowed))
        == 204
    )
    await salesforce.object_to(ANN, MARKETING)
    after = await elsewhere(lambda it: it.Contact.get(contact))
    assert (after["HasOptedOutOfEmail"], after["DoNotCall"]) == (True, True)
