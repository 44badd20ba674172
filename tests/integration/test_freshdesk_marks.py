"""What is restricted or objected to in Freshdesk bears a mark, and a contact is corrected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.freshdesk import Freshdesk
from connectors.freshdesk.sandbox import FreshdeskSandbox
from connectors.sdk import registry
from connectors.sdk.conformance import look
from connectors.sdk.interface import (
    MARKETING,
    Category,
    Datum,
    Failed,
    Holding,
    Identifier,
    NeedsHuman,
    NotSupported,
    Rectified,
    Restricted,
    Standing,
    Subject,
    Suppressed,
)

ANN = Subject((Identifier("email", "ann@example.org"),))
FIELD, TAG = "processing_restricted", "processing-restricted"


@pytest.fixture
async def account() -> AsyncIterator[FreshdeskSandbox]:
    async with FreshdeskSandbox() as made:
        made.contact_fields = (FIELD, "department")
        yield made


@pytest.fixture
async def freshdesk(account: FreshdeskSandbox) -> AsyncIterator[Freshdesk]:
    made = registry.build(Freshdesk, account.environ())
    async with made:
        assert isinstance(made, Freshdesk)
        yield made


def contact(account: FreshdeskSandbox, **fields: Any) -> Holding:
    return Holding("contact", account.add_contact(**{"email": "ann@example.org", **fields}))


def row(account: FreshdeskSandbox, holding: Holding) -> dict[str, Any]:
    return account.table(holding.kind)[holding.id]


# A restriction.


@pytest.mark.parametrize(
    ("before", "tag"), [(None, f"{TAG}-null"), (False, f"{TAG}-no"), (True, TAG)]
)
async def test_the_field_is_ticked_and_is_given_back(
    account: FreshdeskSandbox, freshdesk: Freshdesk, *, before: bool | None, tag: str
) -> None:
    """What somebody ticked before us is theirs, and stays."""
    own = {FIELD: before, "department": "Sales"}
    held = contact(account, tags=["vip"], custom_fields=own)
    assert await freshdesk.restrict(held) == Restricted()
    assert row(account, held)["tags"] == ["vip", tag]
    assert row(account, held)["custom_fields"] == {FIELD: True, "department": "Sales"}
    now = await freshdesk.standing(held)
    assert now is not None
    assert now.restricted
    assert await freshdesk.restrict(held, lift=True) == Restricted()
    assert row(account, held)["tags"] == ["vip"]
    assert row(account, held)["custom_fields"] == own


async def test_without_the_field_the_tag_is_enough(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    account.contact_fields = ()
    held = contact(account)
    ticket = Holding("ticket", account.add_ticket(held.id, "Help", tags=["urgent"]))
    for it in (held, ticket):
        assert await freshdesk.restrict(it) == Restricted()
        assert row(account, it)["tags"][-1] == TAG
        assert await freshdesk.restrict(it, lift=True) == Restricted()
    assert row(account, held)["tags"] == []
    assert row(account, ticket)["tags"] == ["urgent"]


async def test_a_field_that_somebody_unticked_restricts_nothing(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    held = contact(account)
    await freshdesk.restrict(held)
    row(account, held)["custom_fields"][FIELD] = False
    now = await freshdesk.standing(held)
    assert now is not None
    assert not now.restricted
    await freshdesk.restrict(held)
    now = await freshdesk.standing(held)
    assert now is not None
    assert now.restricted
    assert row(account, held)["tags"] == [f"{TAG}-no"]
    row(account, held)["custom_fields"][FIELD] = False
    await freshdesk.restrict(held, lift=True)
    assert (row(account, held)["tags"], row(account, held)["custom_fields"][FIELD]) == ([], False)


@pytest.mark.parametrize(
    ("state", "said"), [("blocked", NeedsHuman("unblock")), ("deleted", NeedsHuman("restore"))]
)
async def test_a_contact_that_cannot_be_changed_goes_to_a_person(
    account: FreshdeskSandbox, freshdesk: Freshdesk, state: str, said: NeedsHuman
) -> None:
    held = contact(account, state=state)
    assert await freshdesk.restrict(held) == said
    corrected = await freshdesk.rectify(held, {Datum.NAME: "Ann Lee"})
    assert corrected in (said, {Datum.NAME: said})
    assert row(account, held)["tags"] == []


async def test_a_ticket_that_cannot_be_changed_is_said_to_be_so(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    held = contact(account)
    for state, said in (
        ("spam", NeedsHuman("in_trash")),
        ("deleted", NeedsHuman("in_trash")),
        ("archived", NotSupported("archive_is_fixed")),
    ):
        there: dict[str, Any] = {"requester_id": held.id, "subject": "Help", state: True}
        ticket = Holding("ticket", account.plant("ticket", there))
        assert await freshdesk.restrict(ticket) == said
        assert await freshdesk.standing(ticket) == Standing()
    gone = Holding("ticket", "987654")
    assert await freshdesk.standing(gone) is None
    assert await freshdesk.restrict(gone) == Failed("not_found")
    assert account.ledger == []


async def test_what_a_mark_costs(account: FreshdeskSandbox, freshdesk: Freshdesk) -> None:
    held = contact(account)
    await freshdesk.standing(held)
    assert sum(account.calls.values()) == 1
    await freshdesk.restrict(held)
    assert sum(account.calls.values()) == 3
    await freshdesk.rectify(held, {Datum.NAME: "Ann Lee", Datum.PHONE: "+49301"})
    assert sum(account.calls.values()) == 5


async def test_marks_are_nothing_of_the_persons(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """What was erased of a contact that is kept would else be found again."""
    held = contact(account, name="Ann")
    before = (await look(freshdesk, ANN)).holdings[0].categories
    await freshdesk.restrict(held)
    await freshdesk.object_to(ANN, MARKETING)
    (found,) = (await look(freshdesk, ANN)).holdings
    assert found.categories == before == {Category.IDENTITY, Category.CONTACT}
    row(account, held)["tags"].append("vip")
    (found,) = (await look(freshdesk, ANN)).holdings
    assert found.categories == before | {Category.PROFILE}


# An objection.


async def test_every_contact_of_theirs_that_is_in_use_is_marked(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    ann = Subject((*ANN.identifiers, Identifier("phone", "+49301")))
    held = [contact(account), contact(account, email=None, phone="+49301", tags=["vip"])]
    in_bin = contact(account, email=None, mobile="+49301", state="deleted")
    bob = contact(account, email="bob@example.org")
    assert not await freshdesk.objected(ann, MARKETING)
    assert await freshdesk.object_to(ann, MARKETING) == Suppressed()
    assert await freshdesk.objected(ann, MARKETING)
    assert [row(account, it)["tags"] for it in held] == [["no-marketing"], ["vip", "no-marketing"]]
    assert row(account, in_bin)["tags"] == row(account, bob)["tags"] == []
    await freshdesk._http.put("/api/v2/contacts/{id}/restore", id=in_bin.id)
    assert not await freshdesk.objected(ann, MARKETING)


async def test_a_blocked_contact_is_marked_by_a_person(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    contact(account, state="blocked")
    assert await freshdesk.object_to(ANN, MARKETING) == NeedsHuman("unblock")
    assert not await freshdesk.objected(ANN, MARKETING)


async def test_of_whom_nothing_is_there_nothing_is_used(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    assert await freshdesk.objected(ANN, MARKETING)
    assert await freshdesk.object_to(ANN, MARKETING) == Suppressed()
    contact(account)  # who writes to us later is a contact without the mark
    assert not await freshdesk.objected(ANN, MARKETING)


# A correction.


async def test_what_a_contact_says_is_shown_and_corrected(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    held = contact(account, name="Anne", address="Old Road 1, Berlin", mobile="+4917")
    data = {Datum.NAME: "Ann Lee", Datum.EMAIL: "Ann.Lee@example.org", Datum.STREET: "New Road 2"}
    for _ in range(2):
        assert await freshdesk.rectify(held, data) == {
            Datum.NAME: Rectified(),
            Datum.EMAIL: Rectified(),
            Datum.STREET: NeedsHuman("address_in_one"),
        }
    assert await freshdesk.standing(held) == Standing(
        data={
            Datum.NAME: "Ann Lee",
            Datum.EMAIL: "ann.lee@example.org",
            Datum.PHONE: "",
            Datum.MOBILE: "+4917",
            Datum.JOB_TITLE: "",
            Datum.STREET: "Old Road 1, Berlin",
            Datum.STATEMENT: "",
        }
    )
    assert len(account.ledger) == 2


async def test_an_address_that_another_contact_has_is_for_a_person(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """All else that was asked for is corrected."""
    account.add_contact(email="bob@example.org")
    held = contact(account, name="Anne")
    data = {Datum.EMAIL: "bob@example.org", Datum.NAME: "Ann"}
    assert await freshdesk.rectify(held, data) == {
        Datum.NAME: Rectified(),
        Datum.EMAIL: NeedsHuman("taken"),
    }
    assert (row(account, held)["name"], row(account, held)["email"]) == ("Ann", "ann@example.org")


async def test_what_freshdesk_refuses_or_has_not_is_an_outcome(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    held = contact(account)
    ticket = Holding("ticket", account.add_ticket(held.id, "Help"))
    assert await freshdesk.rectify(held, {Datum.EMAIL: "no address"}) == {
        Datum.EMAIL: Failed("refused")
    }
    assert await freshdesk.rectify(held, {Datum.CITY: "Bern"}) == {
        Datum.CITY: NotSupported("not_offered")
    }
    said = await freshdesk.rectify(ticket, {Datum.NAME: "Ann"})
    assert said == NotSupported("text_of_theirs")
    assert account.ledger == []
