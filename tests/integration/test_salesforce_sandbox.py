"""Salesforce as it is: a bin that keeps, a user who may not see, a quote that must not end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from aiohttp import ClientSession

from connectors.salesforce import Salesforce, SalesforceSandbox
from connectors.salesforce.recycle_bin import IN_BIN
from connectors.salesforce.soql import select
from connectors.sdk import registry
from connectors.sdk.http import witnessed
from connectors.sdk.interface import (
    Category,
    Connector,
    Erased,
    Expires,
    Fact,
    Failed,
    Holding,
    Identifier,
    NotSupported,
    Page,
    Redacted,
    RetryableError,
    Subject,
    TerminalError,
)
from connectors.sdk.sandbox import Fault

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANN = Subject((Identifier("email", "ann@example.org"),))
IDENTITY, CONTACT = Category.IDENTITY, Category.CONTACT
PROFILE, MARKETING = Category.PROFILE, Category.MARKETING

Ask = Callable[..., Awaitable[tuple[int, Any]]]


class Clock:
    """The sandbox's."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def org(clock: Clock) -> AsyncIterator[SalesforceSandbox]:
    async with SalesforceSandbox(now=clock) as sandbox:
        yield sandbox


@pytest.fixture
async def salesforce(org: SalesforceSandbox) -> AsyncIterator[Connector]:
    async with connect(org) as connector:
        yield connector


@pytest.fixture
async def ask(org: SalesforceSandbox) -> AsyncIterator[Ask]:
    """A call by hand: the status of its answer, and the body."""
    async with ClientSession(org.url) as session:
        secrets = {"grant_type": "client_credentials", **org.settings()}
        async with session.post("/services/oauth2/token", data=secrets) as answer:
            token = (await answer.json())["access_token"]

        async def call(method: str, path: str, **more: Any) -> tuple[int, Any]:
            headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
            path = f"/services/data/v68.0{path}"
            async with session.request(method, path, headers=headers, **more) as answer:
                assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=")
                if answer.content_type == "application/json":
                    return answer.status, await answer.json()
                return answer.status, await answer.read() or None

        yield call


def connect(org: SalesforceSandbox, *, restricted: bool = False, **more: str) -> Connector:
    """As a host would."""
    environ = org.environ(restricted=restricted)
    environ |= {registry.variable("salesforce", name): value for name, value in more.items()}
    return registry.build(Salesforce, environ)


async def look(
    salesforce: Connector, subject: Subject = ANN, known: tuple[Holding, ...] = ()
) -> Page:
    """Every page as one."""
    pages = [page async for page in salesforce.locate(subject, known)]
    return Page(
        holdings=tuple(it for page in pages for it in page.holdings),
        gone=tuple(it for page in pages for it in page.gone),
        facts=tuple(it for page in pages for it in page.facts),
        records=tuple(it for page in pages for it in page.records),
    )


def by_email(*emails: str) -> Subject:
    return Subject(tuple(Identifier("email", it) for it in emails))


def of(row: Mapping[str, Any], *fields: str) -> list[Any]:
    return [row[it] for it in fields]


# Finding.


async def test_everything_of_a_person_is_found(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = org.add_contact(Email="ann@example.org")
    formerly = org.add_contact(Email="married@example.org")
    leads = [
        org.add_lead(Email="ann@example.org", ConvertedContactId=formerly),
        org.add_lead(Email="ann.at.work@example.org", ConvertedContactId=contact),
    ]
    cases = [
        org.add_case(ContactId=contact, Subject="Invoice"),
        org.add_case(SuppliedEmail="ann@example.org", Subject="From the web"),
    ]
    earlier = org.add_case(ContactId=formerly, Subject="Address")
    comment = org.add_comment(ParentId=cases[1], CommentBody="She called.")
    org.add_case(ContactId=org.add_contact(Email="bob@example.org"))

    found = await look(salesforce)

    assert {(it.kind, it.id) for it in found.holdings} == {
        *(("contact", it) for it in (contact, formerly)),
        *(("lead", it) for it in leads),
        *(("case", it) for it in cases),
        ("comment", comment),
    }
    assert len(found.holdings) == len(found.records) == 7

    # What hangs on a contact that does not say it is hers, once its address is proved.
    found = await look(salesforce, by_email("ann@example.org", "married@example.org"))
    assert len(found.holdings) == len(found.records) == 8
    assert earlier in {it.id for it in found.holdings}


async def test_a_name_with_an_apostrophe_is_searched_for_safely(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    held = org.add_contact(Email="Siobhan.O'Neil@example.org", LastName="O'Neil")
    org.add_contact(Email="bob@example.org")
    found = await look(salesforce, by_email("siobhan.o'neil@example.org"))
    assert [it.id for it in found.holdings] == [held]


@pytest.mark.parametrize(
    "value",
    [
        "' OR Email != '",
        "x') OR (Email != '",
        "\\' OR Email != '",
        "\\",
        "%",
        "_@example.org",
        "",
        "   ",
        "a" * 20_000,
        "x@example.org\r\nHost: elsewhere",
        "\0",
        "\ud800",
    ],
)
async def test_an_injection_finds_nobody(
    org: SalesforceSandbox, salesforce: Connector, value: str
) -> None:
    org.add_contact(Email="bob@example.org", User_Id__c="u-1")
    org.add_contact(LastName="Without an address")
    org.add_case(Subject="Of nobody")
    for kind in ("email", "user_id"):
        found = await look(salesforce, Subject((Identifier(kind, value),)))
        assert found.holdings == ()


@pytest.mark.parametrize("given", ["ANN@example.org", "ann.straße@example.org", "İnci@example.org"])
async def test_letter_case_does_not_hide_a_person(
    org: SalesforceSandbox, salesforce: Connector, given: str
) -> None:
    org.add_contact(Email=given.replace("ann", "Ann").replace("ANN", "ann"))
    found = await look(salesforce, by_email(given))
    assert len(found.holdings) == 1


async def test_every_page_is_read(org: SalesforceSandbox, salesforce: Connector) -> None:
    org.batch_size = 100
    contacts = [org.add_contact(Email="ann@example.org") for _ in range(450)]
    for contact in contacts:
        org.add_case(ContactId=contact, Subject="Hello")
    found = await look(salesforce)
    assert len(found.holdings) == len(set(found.holdings)) == 900
    assert org.calls["GET /services/data/v68.0/query/{locator}"] > 4

    again = await look(salesforce, Subject(()), found.holdings)
    assert set(again.holdings) == set(found.holdings)


async def test_a_contact_is_found_by_our_user_id_and_by_either_address(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = org.add_contact(
        Email="ann@example.org", Other_Email__c="ann@home.example", User_Id__c="u-1"
    )
    by_id = Subject((Identifier("user_id", "u-1"),))
    for subject in (ANN, by_email("ann@home.example"), by_id):
        assert [it.id for it in (await look(salesforce, subject)).holdings] == [contact]
    # SOQL takes one for the other; to us they are two people's.
    assert (await look(salesforce, Subject((Identifier("user_id", "U-1"),)))).holdings == ()


async def test_fields_that_the_org_has_not_are_not_asked_for(org: SalesforceSandbox) -> None:
    for name in ("Contact", "Lead"):
        del org.fields[name]["Marketing_Interests__c"]
    org.add_contact(Email="ann@example.org")
    async with connect(org, custom_fields="User_Id__c") as salesforce:
        await salesforce.check()
        found = await look(salesforce)
    assert found.holdings[0].categories == {IDENTITY, CONTACT}


# Facts.


async def test_a_contact_is_a_customer_even_in_the_bin(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.add_contact(Email="ann@example.org", IsDeleted=True)
    assert (await look(salesforce)).facts[0] == Fact("customer", value=True, read="contact")


async def test_a_lead_is_no_customer(org: SalesforceSandbox, salesforce: Connector) -> None:
    org.add_lead(Email="ann@example.org")
    assert (await look(salesforce)).facts[0] == Fact("customer", value=False, read="contact")


@pytest.mark.parametrize(
    "who",
    [
        Identifier("phone", "+43 1", strong=False),
        Identifier("email", " "),
        Identifier("email", f"{'a' * 300}@example.org"),
    ],
    ids=["weak", "blank", "too long"],
)
async def test_without_anything_to_search_by_nothing_is_known(
    salesforce: Connector, who: Identifier
) -> None:
    assert (await look(salesforce, Subject((who,)))).facts == ()


async def test_an_org_without_our_ids_does_not_say_who_is_no_customer(
    org: SalesforceSandbox,
) -> None:
    async with connect(org, custom_fields="") as salesforce:
        assert (await look(salesforce, Subject((Identifier("user_id", "u-1"),)))).facts == ()


# Erasing.


async def test_a_deleted_record_expires_on_the_vendors_date(
    org: SalesforceSandbox, salesforce: Connector, clock: Clock
) -> None:
    org.add_contact(Email="ann@example.org")
    (held,) = (await look(salesforce)).holdings
    expected = Expires(NOON + IN_BIN)

    assert await salesforce.erase(held) == expected
    clock.at += timedelta(days=3)
    assert await salesforce.erase(held) == expected
    assert await salesforce.erase(held, frozenset({IDENTITY})) == expected
    assert [it.operation for it in org.ledger] == ["delete"]
    assert (await look(salesforce, known=(held,))).holdings == (held,)

    clock.at += timedelta(days=13)
    found = await look(salesforce, known=(held,))
    assert (found.holdings, found.gone) == ((), (held,))
    assert await salesforce.erase(held) == Erased()
    assert [it async for it in salesforce.export(held)] == []


async def test_children_go_before_a_contact_that_needs_them_gone(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = org.add_contact(Email="ann@example.org")
    case = org.add_case(ContactId=contact, Subject="Invoice")
    org.add_comment(ParentId=case, CommentBody="She called.")
    held = {it.kind: it for it in (await look(salesforce)).holdings}

    assert await salesforce.erase(held["contact"]) == Failed("in_use")
    expected = Expires(NOON + IN_BIN)
    kinds = [it for it in Salesforce.capabilities.kinds if it in held]
    assert kinds == ["comment", "case", "contact"]
    assert [await salesforce.erase(held[it]) for it in kinds] == [expected] * 3


async def test_what_is_kept_is_not_touched_and_the_rest_is_blank(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = org.add_contact(
        FirstName="Ann",
        LastName="Subject",
        Email="ann@example.org",
        MailingCity="Graz",
        Description="Likes boats",
        LeadSource="Fair",
        Marketing_Interests__c="Boats",
        HasOptedOutOfEmail=True,
        DoNotCall=True,
    )
    (held,) = (await look(salesforce)).holdings
    assert held.categories == {IDENTITY, CONTACT, PROFILE, MARKETING}

    keep = frozenset({IDENTITY, CONTACT})
    expected = {PROFILE: Redacted(), MARKETING: Redacted()}
    assert await salesforce.erase(held, keep) == expected
    assert await salesforce.erase(held, keep) == expected
    assert len(org.ledger) == 1

    row = org.table("contact")[contact]
    assert of(row, "Description", "LeadSource", "Marketing_Interests__c") == [None] * 3
    assert of(row, "FirstName", "LastName", "Email", "MailingCity") == [
        *("Ann", "Subject", "ann@example.org", "Graz")
    ]
    assert of(row, "HasOptedOutOfEmail", "DoNotCall", "IsDeleted") == [True, True, False]
    (after,) = (await look(salesforce, known=(held,))).holdings
    assert after.categories == keep


async def test_a_last_name_stays_as_long_as_the_record(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    lead = org.add_lead(FirstName="Ann", Email="ann@example.org", LeadSource="Fair")
    (held,) = (await look(salesforce)).holdings
    assert await salesforce.erase(held, frozenset({MARKETING})) == {
        IDENTITY: NotSupported("required"),
        CONTACT: NotSupported("required"),
    }
    row = org.table("lead")[lead]
    assert of(row, "FirstName", "LastName", "Email", "LeadSource") == [
        *(None, "Subject", None, "Fair")
    ]
    assert NotSupported("required").reason in Salesforce.capabilities.reasons


async def test_a_category_that_the_kind_has_not_keeps_nothing(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.add_contact(Email="ann@example.org")
    (held,) = (await look(salesforce)).holdings
    outcome = await salesforce.erase(held, frozenset({Category.TRANSACTION}))
    assert isinstance(outcome, Expires)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("INSUFFICIENT_ACCESS_OR_READONLY", "forbidden"),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "rule"),
        ("STRING_TOO_LONG", "value"),
    ],
)
async def test_a_refused_erasure_is_an_outcome(
    org: SalesforceSandbox, salesforce: Connector, code: str, reason: str
) -> None:
    org.add_contact(Email="ann@example.org", Description="Likes boats")
    (held,) = (await look(salesforce)).holdings
    for method, keep in (("DELETE", frozenset[Category]()), ("PATCH", frozenset({IDENTITY}))):
        org.answer_with(code, method)
        assert await salesforce.erase(held, keep) == Failed(reason)
    assert reason in Salesforce.capabilities.reasons
    assert org.ledger == []


async def test_a_refused_key_is_no_outcome(org: SalesforceSandbox, salesforce: Connector) -> None:
    org.add_contact(Email="ann@example.org")
    (held,) = (await look(salesforce)).holdings
    org.faults.append(Fault(status=401, method="DELETE", times=None))
    with pytest.raises(TerminalError) as refused:
        await salesforce.erase(held)
    assert refused.value.reason == "unauthorised"


@pytest.mark.parametrize("handle", ["", "../Contact", "' OR Id != '", "0" * 256])
async def test_what_was_never_an_id_is_not_called_gone(salesforce: Connector, handle: str) -> None:
    holding = Holding("contact", handle)
    with pytest.raises(TerminalError):
        await look(salesforce, known=(holding,))
    with pytest.raises(TerminalError):
        await salesforce.erase(holding)
    other = Holding("opportunity", "0065e0000000001AAA")
    assert (await look(salesforce, known=(other,))).gone == ()


async def test_what_the_vendor_says_is_looked_after(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.add_contact(Email="ann@example.org", Description="Likes boats")
    (held,) = (await look(salesforce)).holdings
    org.answer_with("ENTITY_IS_DELETED", "PATCH")
    assert await salesforce.erase(held, frozenset({IDENTITY})) == Failed("still_there")
    org.faults.append(Fault(mode="lie", method="DELETE"))
    assert await salesforce.erase(held) == Failed("still_there")
    assert (await look(salesforce, known=(held,))).holdings == (held,)


async def test_a_converted_lead_cannot_be_changed(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = org.add_contact(Email="ann@example.org")
    org.add_lead(Email="ann@example.org", LeadSource="Fair", ConvertedContactId=contact)
    (lead,) = (it for it in (await look(salesforce)).holdings if it.kind == "lead")
    assert await salesforce.erase(lead, frozenset({IDENTITY})) == Failed("converted")
    assert isinstance(await salesforce.erase(lead), Expires)


# Exporting.


async def test_a_list_row_is_the_whole_record(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.add_contact(Email="ann@example.org", FirstName="Änn", HasOptedOutOfEmail=True)
    found = await look(salesforce)
    exported = [it async for it in salesforce.export(found.holdings[0])]
    assert tuple(exported) == found.records
    row = json.loads(exported[0].body)
    assert of(row, "Email", "FirstName", "HasOptedOutOfEmail") == ["ann@example.org", "Änn", True]
    assert "attributes" not in row


# Permission, sessions, limits.


async def test_a_user_who_sees_everything_passes_the_check(salesforce: Connector) -> None:
    await salesforce.check()


@pytest.mark.parametrize("hidden", ["object", "field", "rows"])
async def test_without_permission_to_read_nothing_is_concluded(
    org: SalesforceSandbox, hidden: Literal["object", "field", "rows"]
) -> None:
    org.hidden = hidden
    org.add_contact(Email="ann@example.org")
    async with connect(org, restricted=True) as restricted:
        with pytest.raises(TerminalError) as refused:
            await restricted.check()
        assert refused.value.reason == "forbidden"
        if hidden == "rows":  # a sharing rule says nothing: only the check can tell
            assert (await look(restricted)).holdings == ()
        else:
            with pytest.raises(TerminalError):
                await look(restricted)


async def test_a_wrong_secret_is_refused(org: SalesforceSandbox) -> None:
    settings = Salesforce.Settings(url=org.url, client_id="habeas", client_secret="wrong")
    async with Salesforce(settings) as stranger:
        with pytest.raises(TerminalError) as refused:
            await stranger.check()
    assert refused.value.reason == "unauthorised"


async def test_an_ended_session_is_renewed_once(
    org: SalesforceSandbox, salesforce: Connector, clock: Clock
) -> None:
    org.add_contact(Email="ann@example.org")
    await look(salesforce)
    org.expire_tokens()
    assert len((await look(salesforce)).holdings) == 1
    clock.at += timedelta(hours=3)
    assert len((await look(salesforce)).holdings) == 1
    assert org.calls["POST /services/oauth2/token"] == 3


async def test_the_days_limit_is_retryable_in_minutes(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.calls_per_day = 0
    with pytest.raises(RetryableError) as later:
        await salesforce.check()
    assert later.value.retry_after == timedelta(minutes=5)


@pytest.mark.parametrize("code", ["UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT"])
async def test_a_passing_failure_is_retryable(
    org: SalesforceSandbox, salesforce: Connector, code: str
) -> None:
    org.add_contact(Email="ann@example.org")
    (held,) = (await look(salesforce)).holdings
    org.answer_with(code)
    with pytest.raises(RetryableError):
        await salesforce.erase(held)
    org.answer_with(code, "DELETE")
    with pytest.raises(RetryableError):
        await salesforce.erase(held)
    assert isinstance(await salesforce.erase(held), Expires)


async def test_no_call_names_a_person(org: SalesforceSandbox, salesforce: Connector) -> None:
    org.add_contact(Email="ann@example.org")
    org.answer_with("MALFORMED_QUERY")
    with witnessed() as calls, pytest.raises(TerminalError) as refused:
        await look(salesforce)
    assert "ann" not in f"{calls} {refused.value!r}"
    assert all(it.request_id for it in calls)


# The sandbox by itself.


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Contact WHERE Email = 'O'Neil'", "MALFORMED_QUERY"),
        ("SELECT Nothing__c FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Nothing__c = 'a'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Description = 'a'", "INVALID_FIELD"),
        ("SELECT Id FROM Nobody__c", "INVALID_TYPE"),
        ("SELECT Id FROM Contact WHERE Id = 'nonsense'", "INVALID_QUERY_FILTER_OPERATOR"),
    ],
)
async def test_a_wrong_query_is_refused_as_by_the_vendor(
    org: SalesforceSandbox, ask: Ask, soql: str, code: str
) -> None:
    org.add_contact()
    status, body = await ask("GET", "/query", params={"q": soql})
    assert (status, [it["errorCode"] for it in body]) == (400, [code])


async def test_the_bin_shows_in_query_all_only(org: SalesforceSandbox, ask: Ask) -> None:
    live, binned = org.add_contact(Email="ann@example.org"), org.add_contact(IsDeleted=True)
    where = f"where Id IN ('{live[:15]}', '{binned}') LIMIT 5"
    soql = {"q": select(["email"], "contact", where)}
    _, found = await ask("GET", "/query", params=soql)
    url = f"/services/data/v68.0/sobjects/Contact/{live}"
    assert found["records"] == [
        {"attributes": {"type": "Contact", "url": url}, "Email": "ann@example.org"}
    ]
    _, found = await ask("GET", "/queryAll", params=soql)
    assert (found["totalSize"], found["done"]) == (2, True)


async def test_a_page_has_from_200_to_2000_rows(org: SalesforceSandbox, ask: Ask) -> None:
    for _ in range(450):
        org.add_contact()
    soql = {"q": "SELECT Id FROM Contact"}
    pages = [
        (await ask("GET", "/query", params=soql, headers={"Sforce-Query-Options": wanted}))[1]
        for wanted in ("", "batchSize=300", "batchSize=1")
    ]
    assert [len(it["records"]) for it in pages] == [450, 300, 200]
    following = pages[-1]["nextRecordsUrl"].removeprefix("/services/data/v68.0")
    _, found = await ask("GET", following, headers={"Sforce-Query-Options": "batchSize=200"})
    assert (len(found["records"]), found["done"]) == (200, False)
    status, refused = await ask("GET", "/query/01g000000000000AAA-200")
    assert (status, refused[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


async def test_records_are_read_changed_and_deleted(org: SalesforceSandbox, ask: Ask) -> None:
    path = f"/sobjects/Lead/{org.add_lead(FirstName='Ann')}"
    assert await ask("PATCH", path, json={"firstname": None, "Title": "Dr."}) == (204, None)
    _, row = await ask("GET", path)
    assert of(row, "FirstName", "Title", "Company") == [None, "Dr.", "[not provided]"]
    for change, code in (
        ({"Company": None}, "REQUIRED_FIELD_MISSING"),
        ({"IsConverted": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Nothing__c": 1}, "INVALID_FIELD"),
        ([], "JSON_PARSER_ERROR"),
    ):
        status, refused = await ask("PATCH", path, json=change)
        assert (status, refused[0]["errorCode"]) == (400, code)
    assert await ask("DELETE", path) == (204, None)
    for method in ("GET", "DELETE"):
        status, refused = await ask(method, path)
        assert (status, refused[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
    status, refused = await ask("GET", "/sobjects/Lead/00Q000000000000AAA")
    assert (status, refused[0]["errorCode"]) == (404, "NOT_FOUND")


async def test_what_hangs_on_a_record_goes_to_the_bin_with_it(
    org: SalesforceSandbox, ask: Ask
) -> None:
    contact, case = org.add_contact(), org.add_case(Subject="Invoice")
    mail = org.plant("email", {"ParentId": case})
    org.add_comment(ParentId=case, CommentBody="She called.")
    org.add_attachment(mail, b"%PDF")
    for kind, fields in (
        ("task", {"WhoId": contact}),
        ("event", {"WhatId": case}),
        ("campaign_member", {"ContactId": contact}),
        ("note", {"ParentId": contact}),
    ):
        org.plant(kind, fields)
    file = org.add_file(contact)
    for name, id_ in (("Case", case), ("Contact", contact)):
        assert await ask("DELETE", f"/sobjects/{name}/{id_}") == (204, None)
    left = {key for key, row in org.state().items() if not row["IsDeleted"]}
    assert {it.partition("/")[0] for it in left} == {"file", "version", "link"}
    assert await ask("DELETE", f"/sobjects/ContentDocument/{file}") == (204, None)
    assert all(it["IsDeleted"] for it in org.state().values())


async def test_bytes_have_an_address_of_their_own_and_none_from_the_bin(
    org: SalesforceSandbox, ask: Ask
) -> None:
    contact = org.add_contact()
    file = org.add_file(contact, versions=(b"\x00first", b"\xffsecond"), name="offer.pdf")
    attachment = org.add_attachment(contact, b"%PDF", Name="offer.pdf")
    every: list[str] = []
    for soql, field, held in (
        (
            "SELECT Id, VersionData FROM ContentVersion",
            "VersionData",
            [b"\x00first", b"\xffsecond"],
        ),
        ("SELECT Id, Body FROM Attachment", "Body", [b"%PDF"]),
    ):
        _, found = await ask("GET", "/queryAll", params={"q": soql})
        paths = [row[field].removeprefix("/services/data/v68.0") for row in found["records"]]
        assert [await ask("GET", path) for path in paths] == [(200, body) for body in held]
        every += paths
        record, _, _ = paths[0].rpartition("/")
        assert (await ask("GET", f"{record}/Title"))[0] in {400, 404}
    for name, id_ in (("ContentDocument", file), ("Attachment", attachment)):
        assert await ask("DELETE", f"/sobjects/{name}/{id_}") == (204, None)
    for path in every:
        status, refused = await ask("GET", path)
        assert (status, refused[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")


async def test_links_of_files_are_found_by_a_file_or_a_record_only(
    org: SalesforceSandbox, ask: Ask
) -> None:
    contact = org.add_contact()
    file = org.add_file(contact)
    select = "SELECT LinkedEntityId FROM ContentDocumentLink"
    for where in ("", "WHERE IsDeleted = FALSE", f"WHERE ContentDocumentId != '{file}'"):
        status, refused = await ask("GET", "/query", params={"q": f"{select} {where}"})
        assert (status, refused[0]["errorCode"]) == (400, "MALFORMED_QUERY")
    for field, id_, found in (("ContentDocumentId", file, 2), ("LinkedEntityId", contact, 1)):
        query = f"{select} WHERE {field} IN ('{id_}') AND IsDeleted = FALSE"
        _, body = await ask("GET", "/query", params={"q": query})
        assert body["totalSize"] == found


async def test_a_sent_email_cannot_be_changed_and_a_version_not_deleted(
    org: SalesforceSandbox, ask: Ask
) -> None:
    sent, draft = org.plant("email", {}), org.plant("email", {"Status": "5"})
    org.add_file()
    (version,) = org.table("version")
    status, refused = await ask("PATCH", f"/sobjects/EmailMessage/{sent}", json={"Subject": ""})
    assert (status, refused[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    path = f"/sobjects/EmailMessage/{draft}"
    assert await ask("PATCH", path, json={"Subject": "Later"}) == (204, None)
    status, refused = await ask("DELETE", f"/sobjects/ContentVersion/{version}")
    assert (status, refused[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")


async def test_a_description_lists_what_may_be_seen(org: SalesforceSandbox, ask: Ask) -> None:
    org.fields["Contact"] |= {"Home__c": "address", "Home__City__s": "text", "Sum__c": "formula"}
    _, described = await ask("GET", "/sobjects/contact/describe")
    assert described["queryable"]
    fields = {it["name"]: it for it in described["fields"]}
    assert {"Id", "Email", "User_Id__c"} < fields.keys()
    assert {it for it, one in fields.items() if one["compoundFieldName"] == "MailingAddress"} == {
        *("MailingStreet", "MailingCity", "MailingState", "MailingPostalCode", "MailingCountry"),
        *("MailingLatitude", "MailingLongitude", "MailingGeocodeAccuracy"),
    }
    assert fields["Home__City__s"]["compoundFieldName"] == "Home__c"
    assert [fields[it]["updateable"] for it in ("Email", "Name", "Home__c", "Sum__c")] == [
        *(True, False, False, False)
    ]
    assert [fields[it]["nillable"] for it in ("Email", "LastName", "DoNotCall")] == [
        *(True, False, False)
    ]
    assert (fields["Sum__c"]["calculated"], fields["Sum__c"]["custom"]) == (True, True)
    assert (await ask("GET", "/sobjects/Nobody__c/describe"))[0] == 404

    contact = org.add_contact(FirstName="Ann", LastName="Lee", MailingCity="Graz")
    _, row = await ask("GET", f"/sobjects/Contact/{contact}")
    assert (row["Name"], row["MailingAddress"]["MailingCity"]) == ("Ann Lee", "Graz")


def test_a_field_that_the_org_has_not_cannot_be_planted() -> None:
    with pytest.raises(KeyError):
        SalesforceSandbox().add_contact(Nothing__c="a")


def test_ids_are_the_vendors() -> None:
    """Fifteen characters and three that say which are capitals."""
    org = SalesforceSandbox()
    ids = [org.add_lead() for _ in range(100)]
    assert len({it.lower() for it in ids}) == 100
    assert ids[0] == "00Q5e0000000001EAA"
