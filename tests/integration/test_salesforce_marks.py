"""What Salesforce has for correcting, restricting and objecting, and what an org may lack of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.salesforce import Salesforce, SalesforceSandbox
from connectors.salesforce.recycle_bin import IN_BIN
from connectors.sdk import registry
from connectors.sdk.interface import (
    MARKETING,
    NOT_OFFERED,
    Category,
    Connector,
    Datum,
    Expires,
    Failed,
    Holding,
    Identifier,
    NeedsHuman,
    NotSupported,
    Outcome,
    Rectified,
    Restricted,
    RetryableError,
    Subject,
    Suppressed,
    TerminalError,
)
from connectors.sdk.sandbox import Fault

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANN = Subject((Identifier("email", "ann@example.org"), Identifier("user_id", "BX-1")))
ANNS = "ann@example.org"
BOX = "Processing_Restricted__c"
QUERY = "GET /services/data/v68.0/queryAll"
OPT_OUTS = ("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall")


@pytest.fixture
async def org() -> AsyncIterator[SalesforceSandbox]:
    async with SalesforceSandbox(now=lambda: NOON) as sandbox:
        yield sandbox


@pytest.fixture
async def salesforce(org: SalesforceSandbox) -> AsyncIterator[Connector]:
    async with connect(org) as connector:
        yield connector


def connect(org: SalesforceSandbox, **more: str) -> Connector:
    variables = {registry.variable("salesforce", name): value for name, value in more.items()}
    return registry.build(Salesforce, org.environ() | variables)


def state(org: SalesforceSandbox) -> dict[str, Any]:
    """Everything, but for the dates of changes and what is in the bin."""
    rows = deepcopy({key: dict(row) for key, row in org.state().items()})
    return {
        key: {name: it for name, it in row.items() if name != "SystemModstamp"}
        for key, row in rows.items()
        if not row["IsDeleted"]
    }


async def restricted(it: Connector, *held: Holding) -> list[bool | None]:
    standings = [await it.standing(one) for one in held]
    assert all(standings)
    return [standing.restricted for standing in standings if standing]


def contact_of(org: SalesforceSandbox, **fields: Any) -> Holding:
    return Holding("contact", org.add_contact(Email="ann@example.org", **fields))


def lead_of(org: SalesforceSandbox, **fields: Any) -> Holding:
    return Holding("lead", org.add_lead(Email="ann@example.org", **fields))


def parts_of(org: SalesforceSandbox, contact: str) -> list[Holding]:
    """What hangs on a contact, and on what hangs on it."""
    case = org.add_case(ContactId=contact, Subject="Invoice")
    file = org.add_file(case)
    campaign = org.plant("campaign", {})
    return [
        Holding("case", case),
        Holding("comment", org.add_comment(ParentId=case, CommentBody="She called.")),
        Holding("email", org.plant("email", {"ParentId": case})),
        Holding("task", org.plant("task", {"WhoId": contact})),
        Holding("event", org.plant("event", {"WhatId": case})),
        Holding("note", org.plant("note", {"ParentId": contact})),
        Holding("attachment", org.add_attachment(case, b"%PDF")),
        Holding("file", f"{file}/{case}"),
        Holding(
            "campaign_member",
            org.plant("campaign_member", {"ContactId": contact, "CampaignId": campaign}),
        ),
    ]


# Restriction.


async def test_an_individual_is_made_and_taken_away_again(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    held = [contact_of(org), lead_of(org)]
    org.add_contact(Email="bob@example.org")
    before = state(org)
    assert [await salesforce.restrict(it) for it in held] == [Restricted()] * 2
    assert await restricted(salesforce, *held) == [True, True]
    people = org.table("individual")
    assert [it["HasOptedOutProcessing"] for it in people.values()] == [True, True]
    names = {(it["FirstName"], it["LastName"]) for it in people.values()}
    assert names == {(None, "Habeas: not to be processed")}, "it names nobody"
    changes = len(org.ledger)
    assert [await salesforce.restrict(it) for it in held] == [Restricted()] * 2
    assert len(org.ledger) == changes, "twice is once"
    for _ in range(2):
        assert [await salesforce.restrict(it, lift=True) for it in held] == [Restricted()] * 2
    assert state(org) == before
    assert await restricted(salesforce, *held) == [False, False]


async def test_an_individual_that_is_there_is_flagged_and_stays(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    person = org.plant("individual", {"LastName": "Berg", "HasOptedOutTracking": True})
    held = contact_of(org, IndividualId=person)
    contact_of(org, IndividualId=person, IsDeleted=True)
    lead = lead_of(org, IndividualId=person, ConvertedContactId=held.id)
    assert await salesforce.restrict(held, lift=True) == Restricted()
    assert not org.ledger
    assert await salesforce.restrict(held) == Restricted()
    assert await restricted(salesforce, held, lead) == [True, True], "they are one person's"
    flags = {it for it, value in org.table("individual")[person].items() if value is True}
    assert flags == {"HasOptedOutProcessing", "HasOptedOutTracking"}
    assert [it.operation for it in org.ledger] == ["update"]
    assert await salesforce.restrict(held, lift=True) == NeedsHuman("whose_flag")
    assert await restricted(salesforce, held) == [True]


@pytest.mark.parametrize("kind", ["contact", "lead"])
async def test_an_individual_that_others_are_linked_to_is_not_flagged_and_proves_nothing(
    org: SalesforceSandbox, salesforce: Connector, kind: str
) -> None:
    person = org.plant("individual", {"LastName": "Household"})
    held = contact_of(org, IndividualId=person)
    bob = Holding(kind, org.plant(kind, {"Email": "bob@example.org", "IndividualId": person}))
    case = Holding("case", org.add_case(ContactId=held.id))
    for _ in range(2):
        assert await salesforce.restrict(held) == NeedsHuman("shared_individual")
    assert not org.ledger
    assert await restricted(salesforce, held, case, bob) == [False] * 3
    org.table("individual")[person]["HasOptedOutProcessing"] = True  # whoever wished it
    assert await restricted(salesforce, held, case, bob) == [None] * 3
    for lift in (False, True):
        said = [await salesforce.restrict(it, lift=lift) for it in (held, bob)]
        assert said == [NeedsHuman("shared_individual")] * 2
    assert not org.ledger
    org.table(kind)[bob.id]["IndividualId"] = None
    assert await salesforce.restrict(held) == Restricted()
    assert await restricted(salesforce, held, case, bob) == [True, True, False], "read anew"


async def test_whoever_is_linked_to_an_individual_is_asked_anew_and_not_guessed(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    person = org.plant("individual", {"LastName": "Berg"})
    held = contact_of(org, IndividualId=person)
    await salesforce.check()
    org.faults.append(Fault(status=500, call=QUERY, after=1, times=None))
    with pytest.raises(RetryableError):
        await salesforce.restrict(held)
    assert not org.ledger


async def test_a_wish_of_the_persons_own_is_not_lifted(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    wish = {"LastName": "Berg", "HasOptedOutProcessing": True}
    contact = contact_of(org, IndividualId=org.plant("individual", wish))
    assert await salesforce.restrict(contact) == Restricted()
    assert await salesforce.restrict(contact, lift=True) == NeedsHuman("whose_flag")
    assert not org.ledger


async def test_an_individual_of_ours_that_others_are_linked_to_stays(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    held = contact_of(org)
    await salesforce.restrict(held)
    (person,) = org.table("individual")
    other = org.add_contact(LastName="Lee", IndividualId=person)
    assert await salesforce.restrict(held, lift=True) == Restricted()
    assert await restricted(salesforce, held, Holding("contact", other)) == [False, True]


async def test_an_individual_of_ours_goes_with_the_record_that_it_was_made_for(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    held = [contact_of(org), lead_of(org)]
    theirs = contact_of(org, IndividualId=org.plant("individual", {"LastName": "Berg"}))
    for it in held:
        await salesforce.restrict(it)
        for _ in range(2):
            assert await salesforce.erase(it) == Expires(NOON + IN_BIN)
    people = {row["LastName"]: row["IsDeleted"] for row in org.table("individual").values()}
    assert people == {"Berg": False, "Habeas: not to be processed": True}
    changes = len(org.ledger)
    pages = [page async for page in salesforce.locate(ANN, held)]
    assert {it for page in pages for it in page.holdings} == {*held, theirs}
    await salesforce.erase(theirs)
    assert len(org.ledger) == changes + 1, "one that is not ours stays"


async def test_an_individual_that_was_left_behind_goes_when_it_is_erased_again(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    held = contact_of(org)
    await salesforce.restrict(held)
    (person,) = org.table("individual").values()
    org.bin("contact", org.table("contact")[held.id])  # and then the host stopped
    assert await salesforce.erase(held) == Expires(NOON + IN_BIN)
    assert person["IsDeleted"] is True


async def test_an_individual_of_ours_stays_with_others_and_where_it_may_not_be_deleted(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    first, second = contact_of(org), contact_of(org)
    await salesforce.restrict(first)
    (person,) = org.table("individual")
    bob = Holding("lead", org.add_lead(LastName="Lee", IndividualId=person))
    assert await salesforce.erase(first) == Expires(NOON + IN_BIN)
    assert await restricted(salesforce, bob) == [True]
    await salesforce.restrict(second)
    org.faults.append(Fault(status=403, method="DELETE", route="/Individual/", times=None))
    assert await salesforce.erase(second) == Expires(NOON + IN_BIN)
    assert not any(row["IsDeleted"] for row in org.table("individual").values())


async def test_all_else_stands_through_what_it_is_part_of(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = contact_of(org)
    parts = parts_of(org, contact.id)
    assert {it.kind for it in (contact, *parts)} | {"lead"} == set(salesforce.capabilities.kinds)
    for it in parts:
        assert await salesforce.restrict(it) == NotSupported("follows")
    assert not org.ledger
    await salesforce.restrict(contact)
    assert all(await restricted(salesforce, *parts))
    assert [await salesforce.restrict(it) for it in parts] == [Restricted()] * len(parts)
    assert await salesforce.restrict(parts[0], lift=True) == NotSupported("follows")
    await salesforce.restrict(contact, lift=True)
    assert not any(await restricted(salesforce, *parts))


async def test_what_is_of_somebody_else_is_not_marked_with_theirs(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    """A note on a case of Bob's, whatever it says of Ann, stands with Bob."""
    bob = Holding("contact", org.add_contact(Email="bob@example.org"))
    case = org.add_case(ContactId=bob.id, SuppliedEmail="ann@example.org")
    before = state(org)
    assert await salesforce.restrict(contact_of(org)) == Restricted()
    assert await salesforce.restrict(Holding("case", case)) == NotSupported("follows")
    assert await restricted(salesforce, bob, Holding("case", case)) == [False, False]
    assert before.items() <= state(org).items()


async def test_what_is_part_of_nobody_bears_no_mark(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    case = Holding("case", org.add_case(SuppliedEmail="ann@example.org"))
    comment = Holding("comment", org.add_comment(ParentId=case.id, CommentBody="Called"))
    assert await salesforce.restrict(case) == NotSupported("no_owner")
    assert await salesforce.restrict(comment) == NotSupported("follows")
    assert await restricted(salesforce, case, comment) == [False, False]


async def test_how_many_calls_it_takes(org: SalesforceSandbox, salesforce: Connector) -> None:
    contact = contact_of(org)
    case, comment, *_ = parts_of(org, contact.id)
    await salesforce.check()
    for it, reads in ((contact, 1), (case, 2), (comment, 3)):
        org.calls.clear()
        await salesforce.standing(it)
        assert org.calls == {QUERY: reads}


async def test_a_checkbox_of_the_orgs_own_is_ticked(org: SalesforceSandbox) -> None:
    for name in ("Contact", "Lead", "Case"):
        org.fields[name][BOX] = "flag"
    contact, lead = contact_of(org), lead_of(org)
    case, comment, *_ = parts_of(org, contact.id)
    web = Holding("case", org.add_case(SuppliedEmail="ann@example.org"))
    before = state(org)
    async with connect(org, restriction_field=BOX) as it:
        held = [contact, lead, case, web]
        assert [await it.restrict(one) for one in held] == [Restricted()] * 4
        assert all(await restricted(it, *held, comment))
        assert not org.table("individual")
        assert await it.restrict(contact, lift=True) == Restricted()
        assert await restricted(it, contact, case, comment) == [False, True, True]
        for one in (lead, case, web):
            await it.restrict(one, lift=True)
        assert state(org) == before


async def test_a_mark_is_no_content_and_is_never_blanked(org: SalesforceSandbox) -> None:
    org.fields["Contact"][BOX] = "flag"
    contact = contact_of(org, Description="Likes boats")
    async with connect(org, restriction_field=BOX) as it:
        await it.restrict(contact)
        pages = [
            page async for page in it.locate(Subject((Identifier("email", "ann@example.org"),)))
        ]
        (held,) = [one for page in pages for one in page.holdings]
        assert held.categories == {Category.IDENTITY, Category.CONTACT, Category.PROFILE}
        await it.erase(held, frozenset({Category.IDENTITY, Category.CONTACT}))
        assert org.table("contact")[contact.id][BOX] is True
        assert await restricted(it, contact) == [True]


@pytest.mark.parametrize(
    ("field", "said"),
    [("Nothing__c", "the org has no Nothing__c"), ("Nickname__c", "Nickname__c is no checkbox")],
)
async def test_a_checkbox_that_is_none_is_an_error_at_the_start(
    org: SalesforceSandbox, field: str, said: str
) -> None:
    async with connect(org, restriction_field=field) as it:
        with pytest.raises(TerminalError, match=said) as wrong:
            await it.check()
        assert wrong.value.reason == "settings"
        with pytest.raises(TerminalError):
            await it.standing(Holding("contact", org.add_contact()))


async def test_where_there_is_neither_a_person_is_told_what_to_click(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.turn_off_privacy()
    contact, lead = contact_of(org), lead_of(org)
    case = Holding("case", org.add_case(ContactId=contact.id))
    await salesforce.check()
    for it in (contact, lead):
        assert await salesforce.restrict(it) == NeedsHuman("no_mark")
    assert await salesforce.restrict(case) == NotSupported("follows")
    assert await restricted(salesforce, contact, lead, case) == [False] * 3
    assert "Data Protection and Privacy" in salesforce.capabilities.reasons["no_mark"]
    assert await salesforce.object_to(ANN, MARKETING) == Suppressed()
    assert not org.table("individual")


async def test_an_individual_that_the_user_may_not_see_is_unknown(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = contact_of(org, IndividualId="0PK000000000000AAA")  # a row that sharing hides
    for ask in (salesforce.standing, salesforce.restrict):
        with pytest.raises(TerminalError) as hidden:
            await ask(contact)
        assert hidden.value.reason == "forbidden"
    with pytest.raises(TerminalError):
        await salesforce.object_to(ANN, MARKETING)
    assert org.table("contact")[contact.id]["DoNotCall"] is True, "what can be stopped is stopped"
    with pytest.raises(TerminalError):
        await salesforce.objected(ANN, MARKETING)


async def test_a_lead_that_became_a_contact_is_said_not_to_change(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = contact_of(org)
    lead = lead_of(org, ConvertedContactId=contact.id)
    assert await salesforce.restrict(lead) == NotSupported("converted")
    said = await salesforce.rectify(lead, {Datum.CITY: "Graz"})
    assert said == {Datum.CITY: NotSupported("converted")}
    assert not org.ledger


async def test_what_is_in_the_bin_goes_by_itself_and_what_is_gone_is_gone(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    binned = contact_of(org, IsDeleted=True)
    gone = Holding("contact", "003000000000000AAA")
    for lift in (False, True):
        assert await salesforce.restrict(binned, lift=lift) == Expires(NOON + IN_BIN)
        assert await salesforce.restrict(gone, lift=lift) == Failed("not_found")
    right = {Datum.CITY: "Graz"}
    assert await salesforce.rectify(binned, right) == Expires(NOON + IN_BIN)
    assert await salesforce.rectify(gone, right) == Failed("not_found")
    assert await restricted(salesforce, binned) == [False]
    assert await salesforce.standing(gone) is None
    for it in (
        *(Holding("contact", id_) for id_ in ("", "' OR Id != '", f"{gone.id}/{gone.id}")),
        *(Holding("file", id_) for id_ in ("", "/", gone.id, f"{gone.id}/", f"/{gone.id}")),
        Holding("cat", gone.id),
    ):
        with pytest.raises(TerminalError):
            await salesforce.standing(it)
    assert not org.ledger


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "rule"),
        ("INSUFFICIENT_ACCESS_OR_READONLY", "forbidden"),
    ],
)
async def test_a_refusal_leaves_nothing_behind(
    org: SalesforceSandbox, salesforce: Connector, code: str, reason: str
) -> None:
    contact = contact_of(org)
    before = state(org)
    org.answer_with(code, "PATCH")  # the Individual was made before
    assert await salesforce.restrict(contact) == Failed(reason)
    assert state(org) == before
    org.answer_with(code, "POST")
    assert await salesforce.restrict(contact) == Failed(reason)
    sandbox_says = Fault(status=401, method="PATCH", times=None)
    org.faults.append(sandbox_says)
    with pytest.raises(TerminalError):
        await salesforce.restrict(contact)


# Rectification.

RIGHT = {
    Datum.GIVEN_NAME: "Anna",
    Datum.FAMILY_NAME: "Berg",
    Datum.TITLE: "Dr.",
    Datum.DATE_OF_BIRTH: "1980-02-01",
    Datum.EMAIL: "anna@example.org",
    Datum.PHONE: "+431",
    Datum.MOBILE: "+432",
    Datum.JOB_TITLE: "CTO",
    Datum.STREET: "Gasse 5\nStiege 3",
    Datum.CITY: "Graz",
    Datum.REGION: "Styria",
    Datum.POSTAL_CODE: "8010",
    Datum.COUNTRY: "Austria",
}


async def test_every_duplicate_says_what_is_right(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    held = [contact_of(org, Description="Likes boats"), contact_of(org), lead_of(org)]
    bob = org.add_contact(Email="bob@example.org")
    before = state(org)[f"contact/{bob}"]
    for it in held:
        data = {
            name: value for name, value in RIGHT.items() if name in (await says(salesforce, it))
        }
        assert len(data) == (13 if it.kind == "contact" else 12)
        assert await salesforce.rectify(it, data) == dict.fromkeys(data, Rectified())
        text = "Likes boats" if it is held[0] else ""
        right = {**data, Datum.NAME: "Anna Berg", Datum.STATEMENT: text}
        assert await says(salesforce, it) == right
        changes = len(org.ledger)
        assert await salesforce.rectify(it, data) == dict.fromkeys(data, Rectified())
        assert len(org.ledger) == changes, "twice is once"
    assert org.table("contact")[held[0].id]["Description"] == "Likes boats"
    assert state(org)[f"contact/{bob}"] == before
    said = await salesforce.rectify(held[2], {Datum.DATE_OF_BIRTH: "1980-02-01"})
    assert said == {Datum.DATE_OF_BIRTH: NotSupported(NOT_OFFERED)}


async def says(it: Connector, held: Holding) -> dict[Datum, str]:
    standing = await it.standing(held)
    assert standing is not None
    return dict(standing.data)


async def test_further_numbers_and_addresses_that_say_the_same_are_corrected_too(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    city = {"MailingCity": "Gratz", "MailingStreet": "Ring 1"}
    same = {**city, "OtherCity": "Gratz", "OtherStreet": "Ring 1", "Other_Email__c": ANNS}
    held = contact_of(org, **same, Phone="+431", OtherPhone="+431", HomePhone="+430", Fax="+431")
    another = contact_of(org, **{**same, "OtherStreet": "Gasse 2", "Other_Email__c": "b@c.de"})
    right = {Datum.CITY: "Graz", Datum.PHONE: "+439", Datum.EMAIL: "anna@example.org"}
    for it in (held, another):
        assert await salesforce.rectify(it, right) == dict.fromkeys(right, Rectified())
    row = org.table("contact")[held.id]
    assert (row["OtherCity"], row["OtherStreet"]) == ("Graz", "Ring 1")
    assert (row["OtherPhone"], row["HomePhone"], row["Fax"]) == ("+439", "+430", "+431")
    assert row["Other_Email__c"] == "anna@example.org"
    assert [it.operation for it in org.ledger] == ["update"] * 2, "in one change"
    row = org.table("contact")[another.id]
    assert (row["OtherCity"], row["Other_Email__c"]) == ("Gratz", "b@c.de"), "it is another one"


async def test_a_further_number_that_is_fixed_does_not_keep_the_first_one_wrong(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.fields["Contact"]["OtherPhone"] = "locked"
    held = contact_of(org, Phone="+431", OtherPhone="+431")
    assert await salesforce.rectify(held, {Datum.PHONE: ""}) == {Datum.PHONE: Rectified()}
    row = org.table("contact")[held.id]
    assert (row["Phone"], row["OtherPhone"]) == (None, "+431")


async def test_what_was_given_with_a_case_is_corrected_and_a_letter_is_not(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    case = Holding("case", org.add_case(SuppliedEmail="ann@example.org", SuppliedName="Ann"))
    mail = Holding("email", org.plant("email", {"ParentId": case.id, "FromName": "Ann"}))
    right = {Datum.NAME: "Anna Berg", Datum.PHONE: ""}
    assert await salesforce.rectify(case, right) == dict.fromkeys(right, Rectified())
    assert await says(salesforce, case) == {**right, Datum.EMAIL: "ann@example.org"}
    assert await says(salesforce, mail) == {}
    said = await salesforce.rectify(mail, right)
    assert said == dict.fromkeys(right, NotSupported(NOT_OFFERED))


@pytest.mark.parametrize(
    ("was", "name", "is_"),
    [
        (("Ana María", "García López"), "Ana Marie García López", ("Ana Marie", "García López")),
        (("Ana María", "García"), "Ana María García López", ("Ana María", "García López")),
        (("A.", "B."), "Anna Berg", ("Anna", "Berg")),
        ((None, "Berg"), "Anna Berg", ("Anna", "Berg")),
        (("Ann", "Lee"), "Ana María García", None),
        (("Ann", "Lee"), "Madonna", None),
    ],
)
async def test_a_whole_name_is_written_in_two_parts_where_there_is_no_doubt(
    org: SalesforceSandbox,
    salesforce: Connector,
    was: tuple[str | None, str],
    name: str,
    is_: tuple[str, str] | None,
) -> None:
    contact = contact_of(org, FirstName=was[0], LastName=was[1])
    done: Outcome = Rectified() if is_ else NotSupported("name_parts")
    assert await salesforce.rectify(contact, {Datum.NAME: name}) == {Datum.NAME: done}
    row = org.table("contact")[contact.id]
    assert (row["FirstName"], row["LastName"]) == (is_ or was)
    if is_:
        assert (await says(salesforce, contact))[Datum.NAME] == name


async def test_a_whole_name_comes_of_its_parts_or_contradicts_them(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = contact_of(org, FirstName="Ann", LastName="Lee")
    parts = {Datum.GIVEN_NAME: "Ana María", Datum.FAMILY_NAME: "García López"}
    whole = {**parts, Datum.NAME: "Ana María García López"}
    assert await salesforce.rectify(contact, whole) == dict.fromkeys(whole, Rectified())
    other = {**parts, Datum.NAME: "Ann Lee"}
    said = await salesforce.rectify(contact, other)
    assert said == {**dict.fromkeys(parts, Rectified()), Datum.NAME: NotSupported("name_parts")}


async def test_a_whole_name_is_no_better_than_its_parts(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.fields["Contact"]["FirstName"] = "locked"
    contact = contact_of(org, FirstName="Ann", LastName="Lee")
    data = {Datum.GIVEN_NAME: "Anna", Datum.NAME: "Anna Lee"}
    fixed = dict.fromkeys(data, NotSupported("fixed"))
    assert await salesforce.rectify(contact, data) == fixed
    assert not org.ledger


async def test_a_warning_of_duplicates_is_passed_by(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = contact_of(org)
    org.warns_of_duplicates = True
    right = {Datum.CITY: "Graz"}
    assert await salesforce.rectify(contact, right) == {Datum.CITY: Rectified()}
    assert await salesforce.restrict(contact) == Restricted()
    assert await salesforce.object_to(ANN, MARKETING) == Suppressed()


async def test_what_a_description_forbids_is_not_tried(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    del org.fields["Contact"]["Birthdate"]
    org.fields["Contact"]["MailingCity"] = "locked"
    del org.fields["Lead"]["MobilePhone"]
    org.fields["Lead"]["MobilePhone"] = "phone"
    with pytest.raises(TerminalError):
        await salesforce.check()  # our table needs the date of birth: it is hidden
    org.fields["Contact"]["Birthdate"] = "date"
    contact = contact_of(org, LastName="Lee")
    wrong = {Datum.CITY: "Graz", Datum.FAMILY_NAME: ""}
    said = await salesforce.rectify(contact, wrong)
    assert said == {Datum.CITY: NotSupported("fixed"), Datum.FAMILY_NAME: NotSupported("required")}
    assert not org.ledger


async def test_a_value_that_is_refused_does_not_keep_the_others_wrong(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    contact = contact_of(org)
    data = {
        Datum.EMAIL: "at home",
        Datum.DATE_OF_BIRTH: "1.2.1980",
        Datum.GIVEN_NAME: "A" * 41,
        Datum.FAMILY_NAME: "Berg",
    }
    said = await salesforce.rectify(contact, data)
    wrong = dict.fromkeys(data, Failed("value"))
    assert said == {**wrong, Datum.FAMILY_NAME: Rectified()}
    assert (await says(salesforce, contact))[Datum.NAME] == "Berg"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("DUPLICATES_DETECTED", "duplicate"),
        ("INSUFFICIENT_ACCESS_OR_READONLY", "forbidden"),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", "forbidden"),
    ],
)
async def test_a_refused_correction_is_an_outcome(
    org: SalesforceSandbox, salesforce: Connector, code: str, reason: str
) -> None:
    contact = contact_of(org)
    org.answer_with(code, "PATCH")
    data = {Datum.CITY: "Graz", Datum.PHONE: "+431"}
    assert await salesforce.rectify(contact, data) == dict.fromkeys(data, Failed(reason))
    assert not org.ledger


# Objection.


async def test_everybody_who_bears_the_address_is_opted_out(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    person = org.plant("individual", {"LastName": "Berg"})
    theirs = [
        ("contact", org.add_contact(Email="ANN@example.org", IndividualId=person)),
        ("contact", org.add_contact(Other_Email__c="ann@example.org", DoNotCall=True)),
        ("contact", org.add_contact(User_Id__c="BX-1")),
        ("lead", org.add_lead(Email="ann@example.org")),
    ]
    org.add_contact(Email="ann@example.org", IsDeleted=True)
    org.add_lead(Email="ann@example.org", ConvertedContactId=theirs[0][1])
    bob = org.add_contact(Email="bob@example.org", IndividualId=org.plant("individual", {}))
    before = state(org)
    assert await salesforce.objected(ANN, MARKETING) is False
    assert await salesforce.object_to(ANN, MARKETING) == Suppressed()
    assert await salesforce.objected(ANN, MARKETING) is True
    for kind, id_ in theirs:
        assert all(org.table(kind)[id_][it] is True for it in OPT_OUTS)
    flags = {it for it, value in org.table("individual")[person].items() if value is True}
    assert flags == {"HasOptedOutSolicit", "HasOptedOutProfiling"}
    changed = {key for key, row in state(org).items() if row != before[key]}
    assert changed == {f"{kind}/{id_}" for kind, id_ in theirs} | {f"individual/{person}"}
    assert not any(org.table("contact")[bob][it] for it in OPT_OUTS)

    changes = len(org.ledger)
    assert await salesforce.object_to(ANN, MARKETING) == Suppressed()
    assert len(org.ledger) == changes, "twice is once"
    org.table("individual")[person]["HasOptedOutSolicit"] = False
    assert await salesforce.objected(ANN, MARKETING) is False, "read anew"
    await salesforce.object_to(ANN, MARKETING)
    org.add_lead(Email="ann@example.org")
    assert await salesforce.objected(ANN, MARKETING) is False, "read anew"


async def test_an_individual_that_is_somebody_elses_too_is_left_to_a_person(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    person = org.plant("individual", {"LastName": "Household"})
    mine = contact_of(org, IndividualId=person)
    bob = org.add_lead(Email="bob@example.org", IndividualId=person)
    before = state(org)
    for _ in range(2):
        said = await salesforce.object_to(ANN, MARKETING)
        assert said == NeedsHuman("shared_individual")
        assert await salesforce.objected(ANN, MARKETING) is False
    changed = {key for key, row in state(org).items() if row != before[key]}
    assert changed == {f"contact/{mine.id}"}, "what is theirs alone is opted out all the same"
    org.table("individual")[person] |= {"HasOptedOutSolicit": True, "HasOptedOutProfiling": True}
    assert await salesforce.objected(ANN, MARKETING) is False, "it may be Bob's wish"
    org.table("lead")[bob]["Email"] = "ann@example.org"
    assert await salesforce.object_to(ANN, MARKETING) == Suppressed()
    assert await salesforce.objected(ANN, MARKETING) is True


async def test_of_an_address_that_nobody_has_nothing_is_used(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    org.add_contact(Email="bob@example.org")
    assert await salesforce.object_to(ANN, MARKETING) == Suppressed()
    assert await salesforce.objected(ANN, MARKETING) is True
    assert not org.ledger


async def test_one_that_refuses_does_not_keep_the_others(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    first, second = lead_of(org), contact_of(org)
    org.answer_with("FIELD_CUSTOM_VALIDATION_EXCEPTION", "PATCH")
    assert await salesforce.object_to(ANN, MARKETING) == Failed("rule")
    assert org.table("lead")[first.id]["DoNotCall"] is False
    assert org.table("contact")[second.id]["DoNotCall"] is True
    assert await salesforce.objected(ANN, MARKETING) is False


async def test_what_cannot_be_asked_is_not_called_stopped(
    org: SalesforceSandbox, salesforce: Connector
) -> None:
    by_phone = Subject((Identifier("phone", "+431"),))
    for subject, purpose in ((by_phone, MARKETING), (ANN, "profiling")):
        assert await salesforce.object_to(subject, purpose) == NotSupported(NOT_OFFERED)
        with pytest.raises(TerminalError):
            await salesforce.objected(subject, purpose)
    assert not org.ledger
