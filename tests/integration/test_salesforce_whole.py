"""Nothing of a person is left out at Salesforce: its own fields, files, e-mails, activities."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from connectors.salesforce import Salesforce, SalesforceSandbox
from connectors.salesforce.recycle_bin import IN_BIN
from connectors.sdk import registry
from connectors.sdk.conformance import Seen, exported, look
from connectors.sdk.download import PIECE
from connectors.sdk.interface import (
    Category,
    Connector,
    ConnectorError,
    Expires,
    Holding,
    Identifier,
    NeedsHuman,
    NotSupported,
    Record,
    Redacted,
    RetryableError,
    Subject,
    TerminalError,
)
from connectors.sdk.sandbox import Fault

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
GONE = Expires(NOON + IN_BIN)
ANN, BOB = "ann@example.org", "bob@example.org"
BY_EMAIL = Subject((Identifier("email", ANN),))
QUERY = "GET /services/data/v68.0/queryAll"
IDENTITY, CONTACT = Category.IDENTITY, Category.CONTACT
PROFILE, MARKETING = Category.PROFILE, Category.MARKETING
NAMED = "User_Id__c,Other_Email__c,Marketing_Interests__c"
LIBRARY, ACCOUNT, COLLEAGUE = "0585e0000000001AAA", "0015e0000000001AAA", "0055e0000000002AAA"


@pytest.fixture
async def org() -> AsyncIterator[SalesforceSandbox]:
    async with SalesforceSandbox(now=lambda: NOON) as sandbox:
        yield sandbox


@pytest.fixture
async def salesforce(org: SalesforceSandbox) -> AsyncIterator[Connector]:
    async with connect(org) as connector:
        yield connector


def connect(org: SalesforceSandbox, **more: str) -> Connector:
    environ = org.environ()
    environ |= {registry.variable("salesforce", name): value for name, value in more.items()}
    return registry.build(Salesforce, environ)


def row_of(seen: Seen, kind: str = "contact") -> dict[str, Any]:
    """The one record of a kind."""
    (found,) = (json.loads(it.body) for it in seen.records if it.holding.kind == kind)
    assert isinstance(found, dict)
    return found


def of_kind(seen: Seen, kind: str) -> Holding:
    (found,) = (it for it in seen.holdings if it.kind == kind)
    return found


def whole(records: list[Record]) -> list[tuple[str, bytes]]:
    """The files in records: name and bytes."""
    files, before = [], b""
    for it in records:
        if it.name:
            before += it.body
        if it.name and not it.more:
            files.append((it.name, before))
            before = b""
    return files


# An org's own fields.


async def test_a_field_that_nobody_told_of_is_content(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = org.add_contact(Email=ANN, Nickname__c="Skipper")
    seen = await look(salesforce, BY_EMAIL)
    held = of_kind(seen, "contact")
    assert held.categories == {IDENTITY, CONTACT, PROFILE}
    assert row_of(seen)["Nickname__c"] == "Skipper"

    said = await salesforce.erase(held, frozenset({IDENTITY, CONTACT}))
    assert said == {PROFILE: Redacted()}
    assert org.table("contact")[contact]["Nickname__c"] is None
    (left,) = (await look(salesforce, BY_EMAIL, [held])).holdings
    assert left.categories == {IDENTITY, CONTACT}


@pytest.mark.parametrize(
    ("type_", "value", "why"),
    [
        ("locked", "Skipper", "fixed"),
        ("due", "Skipper", "required"),
        ("flag", True, "required"),
        ("address", {"city": "Graz"}, "fixed"),
    ],
)
async def test_what_cannot_be_blanked_is_said_to_stay(
    org: SalesforceSandbox, salesforce: Connector, type_: str, value: object, why: str
) -> None:
    org.fields["Contact"]["Own__c"] = type_
    org.add_contact(Email=ANN, Own__c=value)
    (held,) = (await look(salesforce, BY_EMAIL)).holdings
    category = CONTACT if type_ == "address" else PROFILE
    assert category in held.categories
    said = await salesforce.erase(held, frozenset({MARKETING}))
    assert isinstance(said, dict)
    assert said[category] == NotSupported(why)
    assert why in Salesforce.capabilities.reasons
    (left,) = (await look(salesforce, BY_EMAIL, [held])).holdings
    assert category in left.categories


@pytest.mark.parametrize(
    ("type_", "value"),
    [("formula", "Ann!"), ("auto", "A-1"), ("reference", ACCOUNT), ("flag", False), ("text", "")],
)
async def test_what_the_vendor_writes_alone_is_exported_and_of_no_category(
    org: SalesforceSandbox, salesforce: Connector, type_: str, value: object
) -> None:
    org.fields["Contact"]["Own__c"] = type_
    org.add_contact(Email=ANN, Own__c=value)
    seen = await look(salesforce, BY_EMAIL)
    assert of_kind(seen, "contact").categories == {IDENTITY, CONTACT}
    assert row_of(seen)["Own__c"] == value


async def test_the_parts_of_an_address_of_the_orgs_own_are_blanked(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.fields["Contact"] |= {"Home__c": "address", "Home__City__s": "text"}
    contact = org.add_contact(Email=ANN, Home__City__s="Graz")
    seen = await look(salesforce, BY_EMAIL)
    assert row_of(seen)["Home__City__s"] == "Graz"
    said = await salesforce.erase(of_kind(seen, "contact"), frozenset({IDENTITY}))
    assert said == {CONTACT: Redacted()}
    assert org.table("contact")[contact]["Home__City__s"] is None


async def test_a_field_that_salesforce_adds_is_of_its_category(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.fields["Contact"] |= {"Pronouns": "pick", "NewAndUnheardOf": "text"}
    org.add_contact(Email=ANN, LastName="Lee", Pronouns="She/Her")
    org.add_case(SuppliedEmail=ANN)
    seen = await look(salesforce, BY_EMAIL)
    assert of_kind(seen, "contact").categories == {IDENTITY, CONTACT}
    org.add_contact(Email=BOB, NewAndUnheardOf="Says something")
    (held,) = (await look(salesforce, Subject((Identifier("email", BOB),)))).holdings
    assert held.categories == {IDENTITY, CONTACT, PROFILE}


async def test_settings_say_what_a_field_is(org: SalesforceSandbox) -> None:
    org.fields["Contact"] |= {"Birthplace__c": "text", "Agent__c": "email"}
    org.add_contact(Email=ANN, LastName="Lee", Birthplace__c="Graz", Agent__c=BOB)
    more = f"{NAMED},Birthplace__c=identity,Agent__c=none"
    async with connect(org, custom_fields=more) as salesforce:
        seen = await look(salesforce, BY_EMAIL)
        nobody = await look(salesforce, Subject((Identifier("email", BOB),)))
    held = of_kind(seen, "contact")
    assert held.categories == {IDENTITY, CONTACT}
    assert {it.value for it in held.bears} == {ANN}
    assert row_of(seen)["Agent__c"] == BOB
    assert nobody.holdings == []


async def test_an_address_in_a_field_of_the_orgs_own_finds_and_is_told(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.fields["Lead"] |= {"Private_Email__c": "email", "Private_Phone__c": "phone"}
    lead = org.add_lead(Private_Email__c=ANN, Private_Phone__c="+43 1", Email=BOB)
    (held,) = (await look(salesforce, BY_EMAIL)).holdings
    assert held.id == lead
    assert {(it.field, it.kind, it.value) for it in held.bears} == {
        ("Email", "email", BOB),
        ("Private_Email__c", "email", ANN),
        ("Private_Phone__c", "phone", "+43 1"),
    }


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (f"{NAMED},Shoe_Size__c", "Shoe_Size__c"),
        (f"{NAMED},Nickname__c=shoes", "Nickname__c"),
        (f"{NAMED},Nickname__c=usage", "usage"),
    ],
)
async def test_a_field_that_settings_get_wrong_is_an_error_at_the_start(
    org: SalesforceSandbox, fields: str, named: str
) -> None:
    async with connect(org, custom_fields=fields) as salesforce:
        with pytest.raises(TerminalError, match=named) as refused:
            await salesforce.check()
    assert refused.value.reason == "settings"


@pytest.mark.parametrize("name", ["User_Id__c", "Fax", "Email"])
async def test_a_field_that_the_org_has_not_is_named_at_the_start(
    org: SalesforceSandbox, salesforce: Connector, name: str
) -> None:
    """Hidden or not there: nobody can tell, and nothing may be concluded."""
    del org.fields["Lead"][name]
    with pytest.raises(TerminalError, match=f"Lead.{name}") as refused:
        await salesforce.check()
    assert refused.value.reason == "forbidden"


async def test_a_field_is_seen_from_the_check_that_comes_a_minute_after_it_was_made(
    org: SalesforceSandbox, salesforce: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    org.add_contact(Email=ANN)
    assert "Later__c" not in row_of(await look(salesforce, BY_EMAIL))
    org.fields["Contact"]["Later__c"] = "text"
    for row in org.table("contact").values():
        row["Later__c"] = "Skipper"
    calls = org.calls.total()
    await salesforce.check()
    assert org.calls.total() == calls + 1  # the permissions alone
    monkeypatch.setattr("connectors.salesforce.org.LASTS", 0.0)
    await salesforce.check()
    assert row_of(await look(salesforce, BY_EMAIL))["Later__c"] == "Skipper"


class Measured(SalesforceSandbox):
    """Knows how long the addresses are that it was asked by."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths = [0]

    def credential(self, request: web.Request) -> str | None:
        self.lengths.append(len(request.raw_path))
        return super().credential(request)


async def test_a_wide_object_is_read_whole_in_addresses_that_fit() -> None:
    """Four hundred fields of their own: some proxies take no more than 8 KB."""
    own = {f"Something_That_An_Org_Once_Needed_{n:03}__c": f"value {n}" for n in range(400)}
    async with Measured() as org, connect(org) as salesforce:
        org.fields["Contact"] |= dict.fromkeys(own, "text")
        contacts = [org.add_contact(Email=ANN, **own) for _ in range(300)]
        org.add_case(ContactId=contacts[-1])
        seen = await look(salesforce, BY_EMAIL)
        org.calls.clear()
        (record,) = await exported(salesforce, seen.holdings[:1])
    assert len(seen.holdings) == 301
    rows = [record, *(it for it in seen.records if it.holding.kind == "contact")]
    assert all(own.items() <= json.loads(it.body).items() for it in rows)
    assert org.calls[QUERY] == 6  # of which a usual object needs one
    assert max(org.lengths) < 8192


# Files.


async def test_files_and_attachments_come_byte_for_byte(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact, lead = org.add_contact(Email=ANN), org.add_lead(Email=ANN)
    case = org.add_case(ContactId=contact)
    mail = org.plant("email", {"ParentId": case, "FromAddress": ANN})
    large = bytes(range(256)) * (PIECE // 100)
    org.add_attachment(contact, large, Name="offer.pdf")
    org.add_attachment(mail, b"\x00\xff", Name="scan of passport.png")
    org.add_file(case, versions=(b"first", b"second"), name="c.docx")
    org.add_file(lead, name="empty")
    org.add_file(org.add_contact(Email=BOB), versions=(b"Bob's",))

    seen = await look(salesforce, BY_EMAIL)
    records = await exported(salesforce, seen.holdings)
    assert sorted(whole(records)) == sorted(
        [
            ("offer.pdf", large),
            ("scan of passport.png", b"\x00\xff"),
            ("c.docx", b"first"),
            ("c.docx", b"second"),
            ("empty", b""),
        ]
    )
    assert max(len(it.body) for it in records) <= PIECE
    owners = {it.kind: it.part_of for it in seen.holdings if it.kind in {"email", "file"}}
    assert owners["email"] == Holding("case", case)
    assert not {it.kind for it in (r.holding for r in seen.records)} & {"file", "attachment"}


async def test_bytes_that_are_not_all_there_are_no_file(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    """A gateway's page in place of a file, or half of it."""
    contact = org.add_contact(Email=ANN)
    org.add_attachment(contact, b"%PDF-1.7 of some length", Name="offer.pdf")
    org.add_file(contact, versions=(b"\x00" * 999,))
    for held in (await look(salesforce, BY_EMAIL)).holdings[1:]:
        for mode in ("html", "half", "empty", "other"):
            org.faults.append(Fault(mode=mode, route="/(Body|VersionData)$", times=None))
            with pytest.raises(RetryableError):
                await exported(salesforce, [held])
            org.faults.clear()


async def test_a_file_that_lies_elsewhere_is_named_and_not_copied(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.add_file(org.add_contact(Email=ANN), name="offer.pdf")
    for it in org.table("version").values():
        it["ContentLocation"] = "E"
    held = of_kind(await look(salesforce, BY_EMAIL), "file")
    *_, last = await exported(salesforce, [held])
    assert (last.name, last.missing, last.body) == ("offer.pdf", "no_file", b"")


async def test_a_file_goes_with_all_its_versions(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    file = org.add_file(org.add_contact(Email=ANN), versions=(b"first", b"second"))
    held = of_kind(await look(salesforce, BY_EMAIL), "file")
    assert await salesforce.erase(held) == GONE
    assert await salesforce.erase(held) == GONE
    assert org.table("file")[file]["IsDeleted"]
    assert all(it["IsDeleted"] for it in org.table("version").values())
    again = await look(salesforce, BY_EMAIL, [held])
    assert held in again.holdings  # out of the bin nothing can be copied: it is named
    missing = [it for it in await exported(salesforce, [held]) if it.missing]
    assert {(it.missing, it.body) for it in missing} == {("no_file", b"")}
    assert "no_file" in Salesforce.capabilities.reasons
    org.table("file").clear()
    assert (await look(salesforce, BY_EMAIL, [held])).gone == [held]


async def test_an_attachment_in_the_bin_is_named_and_not_copied(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.add_attachment(org.add_contact(Email=ANN), b"%PDF", Name="offer.pdf")
    held = of_kind(await look(salesforce, BY_EMAIL), "attachment")
    assert await salesforce.erase(held) == GONE
    *_, last = await exported(salesforce, [held])
    assert (last.name, last.missing, last.body) == ("offer.pdf", "no_file", b"")


async def test_a_file_on_somebody_elses_record_is_left_and_said(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    ann, bob = org.add_contact(Email=ANN), org.add_contact(Email=BOB)
    for other in (bob, org.add_case(ContactId=bob), LIBRARY, ACCOUNT, "0035e00000zzzzzAAA"):
        file = org.add_file(ann, other)
        held = next(it for it in (await look(salesforce, BY_EMAIL)).holdings if file in it.id)
        assert held.part_of == Holding("contact", ann)
        assert await salesforce.erase(held) == NeedsHuman("shared")
        assert not org.table("file")[file]["IsDeleted"]
    assert org.ledger == []
    assert "shared" in Salesforce.capabilities.reasons


async def test_a_file_on_several_records_of_one_person_goes(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    ann, again = org.add_contact(Email=ANN), org.add_contact(Email=ANN.upper())
    file = org.add_file(ann, again, org.add_case(ContactId=ann), org.add_lead(Email=ANN), COLLEAGUE)
    held = [it for it in (await look(salesforce, BY_EMAIL)).holdings if it.kind == "file"]
    assert len(held) == 4  # once for each record of hers
    assert [await salesforce.erase(it) for it in held] == [GONE] * 4
    assert org.table("file")[file]["IsDeleted"]


async def test_a_file_that_was_taken_off_a_record_is_not_of_that_person(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    ann, bob = org.add_contact(Email=ANN), org.add_contact(Email=BOB)
    org.add_file(ann, bob)
    for it in org.table("link").values():
        it["IsDeleted"] = it["LinkedEntityId"] == ann
    assert {it.kind for it in (await look(salesforce, BY_EMAIL)).holdings} == {"contact"}


@pytest.mark.parametrize("handle", ["", "0695e0000000001AAA", "a/b", "0695e0000000001AAA/x", "/"])
async def test_what_was_never_the_id_of_a_file_is_not_called_gone(
    salesforce: Connector, handle: str
) -> None:
    with pytest.raises(TerminalError):
        await look(salesforce, BY_EMAIL, [Holding("file", handle)])


async def test_whoever_may_not_see_all_files_concludes_nothing(org: SalesforceSandbox) -> None:
    org.hidden = "files"
    async with registry.build(Salesforce, org.environ(restricted=True)) as restricted:
        with pytest.raises(TerminalError, match="QueryAllFiles") as refused:
            await restricted.check()
    assert refused.value.reason == "forbidden"


# E-mails and activities.


async def test_emails_are_found_by_their_case_and_by_who_wrote_or_got_them(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    case = org.add_case(ContactId=org.add_contact(Email=ANN))
    agent = {"FromAddress": "desk@example.com", "Incoming": False}
    sent = org.plant("email", {"ParentId": case, "ToAddress": f"{ANN}; {BOB}", **agent})
    alone = org.plant("email", {"FromAddress": ANN, "TextBody": "Hello", "CcAddress": BOB})
    got = org.plant("email", {"ToAddress": ANN, **agent})
    org.plant("email", {"ToAddress": ANN, "FromAddress": BOB})
    org.plant("email", {"ToAddress": BOB, "FromAddress": ANN, "Incoming": False})
    held = {it.id: it for it in (await look(salesforce, BY_EMAIL)).holdings if it.kind == "email"}
    assert held.keys() == {sent, alone, got}
    assert held[sent].part_of == Holding("case", case)
    assert held[alone].part_of is None
    assert {id_: {it.value for it in one.bears} for id_, one in held.items()} == {
        sent: {ANN, BOB},
        alone: {ANN},
        got: {ANN},
    }
    kept = await salesforce.erase(held[alone], frozenset({CONTACT}))
    assert kept == {PROFILE: NotSupported("indivisible")}
    assert await salesforce.erase(held[alone]) == GONE
    assert [it.key for it in org.ledger] == [f"email/{alone}"]


async def test_activities_notes_and_campaigns_of_a_person_are_found_and_go(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact, lead = org.add_contact(Email=ANN), org.add_lead(Email=ANN)
    case = org.add_case(ContactId=contact)
    campaign = org.plant("campaign", {"Name": "Spring fair"})
    planted = {
        "task": [{"WhoId": contact, "WhatId": ACCOUNT}, {"WhoId": lead}, {"WhatId": case}],
        "event": [{"WhoId": contact}],
        "campaign_member": [
            {"ContactId": contact, "CampaignId": campaign},
            {"LeadId": lead},
        ],
        "note": [{"ParentId": lead, "Body": "Likes boats."}],
    }
    ids = {kind: [org.plant(kind, it) for it in those] for kind, those in planted.items()}
    seen = await look(salesforce, BY_EMAIL)
    members = [json.loads(it.body) for it in seen.records if it.holding.kind == "campaign_member"]
    assert [it["Campaign"] for it in members] == [{"Name": "Spring fair"}, None]
    for kind, those in ids.items():
        held = {it.id: it for it in seen.holdings if it.kind == kind}
        assert held.keys() == set(those)
        assert all(it.part_of is not None for it in held.values())
        assert [await salesforce.erase(it) for it in held.values()] == [GONE] * len(those)


async def test_an_appointment_with_several_people_is_left_and_said(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    """Only where an org lets an activity have several: else it has no such field."""
    org.fields["Event"]["WhoCount"] = "number"
    org.plant("event", {"WhoId": org.add_contact(Email=ANN), "WhoCount": 2})
    held = of_kind(await look(salesforce, BY_EMAIL), "event")
    assert await salesforce.erase(held) == NeedsHuman("shared")
    assert org.ledger == []


# Answers of another shape.


class Odd(SalesforceSandbox):
    """Its rows have what no row of Salesforce's has."""

    odd: Mapping[str, Any] = {}
    absent: str = ""

    def _batch(self, request: web.Request, rows: list[Any], *more: Any) -> web.Response:
        told = [{**it, **{k: v for k, v in self.odd.items() if k in it}} for it in rows]
        left = [{k: v for k, v in it.items() if k != self.absent} for it in told]
        return super()._batch(request, left, *more)


@pytest.mark.parametrize(
    "field",
    [
        *("Id", "IsDeleted", "SystemModstamp", "Email", "ContactId", "LinkedEntityId", "Name"),
        *("ContentDocumentId", "ParentId", "Incoming", "ConvertedContactId", "FirstName"),
        "PermissionsViewAllData",
    ],
)
async def test_no_value_of_a_field_raises_anything_else(field: str) -> None:
    async with Odd() as org:
        contact = org.add_contact(Email=ANN)
        case = org.add_case(ContactId=contact)
        org.add_lead(Email=ANN, ConvertedContactId=contact)
        org.plant("email", {"ParentId": case, "FromAddress": ANN})
        org.plant("task", {"WhoId": contact})
        org.add_attachment(contact, b"%PDF")
        org.add_file(case)
        async with connect(org) as salesforce:
            held = (await look(salesforce, BY_EMAIL)).holdings
            for method in ("DELETE", "PATCH"):
                org.faults.append(Fault(mode="lie", method=method, times=None))
            for value in (None, 0, "", "x" * 18, [1], {"a": [None]}):
                org.odd = {field: value}
                with suppress(ConnectorError):
                    await salesforce.check()
                with suppress(ConnectorError):
                    await look(salesforce, BY_EMAIL, held)
                for it in held:
                    with suppress(ConnectorError):
                        await exported(salesforce, [it])
                    for keep in (frozenset[Category](), frozenset({CONTACT})):
                        with suppress(ConnectorError):
                            await salesforce.erase(it, keep)


async def test_a_field_that_is_not_in_an_answer_is_not_called_empty() -> None:
    async with Odd() as org:
        org.absent = "Description"
        org.add_contact(Email=ANN, Description="Likes boats")
        async with connect(org) as salesforce:
            with pytest.raises(RetryableError):
                await look(salesforce, BY_EMAIL)
