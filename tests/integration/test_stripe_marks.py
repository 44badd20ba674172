"""What Stripe has for correcting, restricting and objecting: notes, and details that change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import pytest
import stripe

from connectors.sdk import registry
from connectors.sdk.calls import effect
from connectors.sdk.interface import (
    MARKETING,
    NOT_OFFERED,
    Category,
    Datum,
    Failed,
    Holding,
    Identifier,
    NotSupported,
    Rectified,
    Restricted,
    Standing,
    Subject,
    Suppressed,
    TerminalError,
)
from connectors.sdk.sandbox import Fault
from connectors.stripe import Stripe, StripeSandbox

ANN, BOB = "ann@example.org", "bob@example.org"
WHO = Subject((Identifier("email", ANN), Identifier("user_id", "BX-1")))
RESTRICTED, OBJECTED = "habeas_restricted", "habeas_no_marketing"
GRAZ = {"city": "Graz", "country": "AT", "line1": "Ring 1", "line2": "Top 2", "postal_code": "8010"}
PERSON = {"name": "Ann", "email": ANN, "phone": "+431", "address": {**GRAZ, "state": None}}


@pytest.fixture
async def sandbox() -> AsyncIterator[StripeSandbox]:
    async with StripeSandbox() as made:
        yield made


@asynccontextmanager
async def connected(sandbox: StripeSandbox, **more: str) -> AsyncIterator[Stripe]:
    environ = sandbox.environ() | {f"HABEAS_STRIPE_{it}": more[it] for it in more}
    async with registry.build(Stripe, environ) as it:
        assert isinstance(it, Stripe)
        yield it


async def sdk(sandbox: StripeSandbox, ask: Callable[[stripe.StripeClient], Any]) -> Any:
    """What Stripe's own client makes of an answer."""
    client = stripe.StripeClient(
        sandbox.key, base_addresses={"api": sandbox.url}, max_network_retries=0
    )
    return await asyncio.to_thread(ask, client)


def one_of_each(sandbox: StripeSandbox) -> list[Holding]:
    """A customer and what they have, all with a note of somebody's own."""
    note = {"metadata": {"order": "7"}}
    customer = sandbox.plant("customer", {**PERSON, **note})
    of = {"customer": customer, **note}
    billing = {"billing_details": PERSON}
    invoice = {f"customer_{name}": it for name, it in PERSON.items()}
    made: dict[str, dict[str, Any]] = {
        "payment_method": billing,
        "checkout_session": {"customer_details": PERSON},
        "subscription": {"status": "canceled"},
        "invoice": invoice,
        "charge": billing,
    }
    parts = [Holding(kind, sandbox.plant(kind, {**of, **said})) for kind, said in made.items()]
    return [*parts, Holding("customer", customer)]


def state(sandbox: StripeSandbox) -> dict[str, Any]:
    return deepcopy(dict(sandbox.state()))


# Restriction.


async def test_everything_bears_a_mark_and_nothing_else_changes(sandbox: StripeSandbox) -> None:
    held = one_of_each(sandbox)
    stranger = sandbox.plant("customer", {"email": BOB})
    before = state(sandbox)
    async with connected(sandbox) as it:
        assert [await it.restrict(one) for one in held] == [Restricted()] * len(held)
        standings = [await it.standing(one) for one in held]
        assert all(standing and standing.restricted for standing in standings)
        for one in held:
            row = sandbox.table(one.kind)[one.id]
            assert row["metadata"] == {"order": "7", RESTRICTED: "true"}
        assert sandbox.table("customer")[stranger]["metadata"] == {}
        shown = await sdk(sandbox, lambda sdk: sdk.v1.charges.retrieve(held[4].id))
        assert shown.metadata[RESTRICTED] == "true"

        changes = len(sandbox.ledger)
        assert await it.restrict(held[0]) == Restricted()
        assert len(sandbox.ledger) == changes, "twice is once"

        assert [await it.restrict(one, lift=True) for one in held] == [Restricted()] * len(held)
        assert state(sandbox) == before
        assert await it.restrict(held[0], lift=True) == Restricted()
        assert not any(said and said.restricted for said in [await it.standing(h) for h in held])


async def test_a_restriction_is_read_with_one_call_and_written_with_two(
    sandbox: StripeSandbox,
) -> None:
    *_, customer = one_of_each(sandbox)
    async with connected(sandbox) as it:
        await it.restrict(customer)
        assert sum(sandbox.calls.values()) == 2
        await it.standing(customer)
        assert sum(sandbox.calls.values()) == 3


async def test_a_mark_is_no_content_and_stays_while_the_record_does(sandbox: StripeSandbox) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    card = sandbox.plant("payment_method", {"customer": customer, "metadata": {"order": "7"}})
    async with connected(sandbox) as it:
        for one in (Holding("customer", customer), Holding("payment_method", card)):
            await it.restrict(one)
        pages = [page async for page in it.locate(WHO)]
        found = {one.kind: one for page in pages for one in page.holdings}
        assert found["customer"].categories == {Category.CONTACT}
        assert found["payment_method"].categories == {Category.IDENTITY, Category.TRANSACTION}
        await it.erase(found["payment_method"], frozenset({Category.TRANSACTION}))
    assert sandbox.table("payment_method")[card]["metadata"] == {RESTRICTED: "true"}


async def test_fifty_notes_leave_no_room_for_another(sandbox: StripeSandbox) -> None:
    notes = {f"note {n}": "x" for n in range(50)}
    full = Holding("customer", sandbox.plant("customer", {"email": ANN, "metadata": notes}))
    async with connected(sandbox) as it:
        assert await it.restrict(full) == NotSupported("metadata_full")
        assert await it.object_to(WHO, MARKETING) == NotSupported("metadata_full")
        assert await it.objected(WHO, MARKETING) is False
        assert await it.restrict(full, lift=True) == Restricted()
    change: Any = {"metadata": {RESTRICTED: "true"}}
    with pytest.raises(stripe.InvalidRequestError):
        await sdk(sandbox, lambda sdk: sdk.v1.customers.update(full.id, change))
    assert sandbox.table("customer")[full.id]["metadata"] == notes


async def test_a_card_of_nobody_takes_no_mark_and_what_is_gone_is_gone(
    sandbox: StripeSandbox,
) -> None:
    card = Holding("payment_method", sandbox.plant("payment_method", {"billing_details": PERSON}))
    gone = Holding("customer", "cus_gone")
    async with connected(sandbox) as it:
        assert await it.restrict(card) == NotSupported("card_stays")
        said = await it.rectify(card, {Datum.NAME: "Anna"})
        assert said == {Datum.NAME: NotSupported("card_stays")}
        assert await it.standing(gone) is None
        assert await it.restrict(gone) == Failed("not_found")
        assert await it.rectify(gone, {Datum.NAME: "Anna"}) == Failed("not_found")
        with pytest.raises(TerminalError):
            await it.standing(Holding("cat", "cat_1"))


async def test_what_goes_meanwhile_is_gone(sandbox: StripeSandbox) -> None:
    *_, customer = one_of_each(sandbox)
    async with connected(sandbox) as it:
        sandbox.faults.append(Fault(status=404, method="POST", times=2))
        assert await it.restrict(customer) == Failed("not_found")
        said = await it.rectify(customer, {Datum.NAME: "Anna"})
        assert said == {Datum.NAME: Failed("not_found")}


async def test_a_refused_change_is_an_outcome(sandbox: StripeSandbox) -> None:
    *_, customer = one_of_each(sandbox)
    async with connected(sandbox) as it:
        sandbox.faults.append(Fault(status=403, method="POST", times=None))
        assert await it.restrict(customer) == Failed("forbidden")
        said = await it.rectify(customer, {Datum.NAME: "Anna"})
        assert said == {Datum.NAME: Failed("forbidden")}
        assert await it.object_to(WHO, MARKETING) == Failed("forbidden")


# Rectification.


async def test_a_customer_and_a_card_say_what_is_right(sandbox: StripeSandbox) -> None:
    card, *_, customer = one_of_each(sandbox)
    right = {
        Datum.NAME: "Anna Berg",
        Datum.EMAIL: "anna@example.org",
        Datum.STREET: "Gasse 5\nStiege 3",
        Datum.REGION: "Styria",
    }
    async with connected(sandbox) as it:
        for one in (customer, card):
            assert await it.rectify(one, right) == dict.fromkeys(right, Rectified())
            standing = await it.standing(one)
            untouched = {Datum.PHONE: "+431", Datum.CITY: "Graz", Datum.COUNTRY: "AT"}
            whole = {**right, **untouched, Datum.POSTAL_CODE: "8010"}
            text = sandbox.table("customer")[customer.id]["description"] or ""
            whole |= {Datum.STATEMENT: text} if one is customer else {}
            assert standing == Standing(restricted=False, data=whole)
        shown = await sdk(sandbox, lambda sdk: sdk.v1.customers.retrieve(customer.id))
        street = (shown.address.line1, shown.address.line2, shown.address.city)
        assert street == ("Gasse 5", "Stiege 3", "Graz")

        changes = len(sandbox.ledger)
        assert await it.rectify(customer, right) == dict.fromkeys(right, Rectified())
        assert len(sandbox.ledger) == changes, "twice is once"


async def test_a_street_loses_the_lines_that_it_no_longer_has(sandbox: StripeSandbox) -> None:
    *_, customer = one_of_each(sandbox)
    async with connected(sandbox) as it:
        await it.rectify(customer, {Datum.STREET: "Gasse 5", Datum.PHONE: ""})
    row = sandbox.table("customer")[customer.id]
    assert row["address"] == {**GRAZ, "line1": "Gasse 5", "line2": None, "state": None}
    assert row["phone"] is None


async def test_a_city_is_corrected_and_the_street_stays_as_it_is_written(
    sandbox: StripeSandbox,
) -> None:
    address = {**GRAZ, "line1": None}
    customer = Holding("customer", sandbox.plant("customer", {"address": address}))
    async with connected(sandbox) as it:
        await it.rectify(customer, {Datum.CITY: "Wien"})
    row = sandbox.table("customer")[customer.id]
    assert row["address"] == {**address, "city": "Wien", "state": None}


async def test_where_goods_go_says_what_is_right_if_it_said_the_same(
    sandbox: StripeSandbox,
) -> None:
    address = {**GRAZ, "state": None}
    same = {"name": "Ann", "phone": None, "address": address}
    there = {"name": "Reception", "phone": "+431", "address": {**address, "line1": "Werk 7"}}
    right = {Datum.NAME: "Anna", Datum.PHONE: "+439", Datum.CITY: "Wien"}
    async with connected(sandbox) as it:
        for shipping, becomes in (
            (same, {**same, "name": "Anna", "address": {**address, "city": "Wien"}}),
            (there, {**there, "phone": "+439"}),
        ):
            customer = sandbox.plant("customer", {**PERSON, "shipping": shipping})
            said = await it.rectify(Holding("customer", customer), right)
            assert said == dict.fromkeys(right, Rectified())
            assert sandbox.table("customer")[customer]["shipping"] == becomes
        assert len(sandbox.ledger) == 2, "in one change"
    part: Any = {"shipping": {"name": "Anna"}}
    with pytest.raises(stripe.InvalidRequestError):
        await sdk(sandbox, lambda sdk: sdk.v1.customers.update(customer, part))


@pytest.mark.parametrize("shipping", [None, {"name": None, "phone": "+431", "address": {}}])
async def test_goods_that_go_nowhere_are_left_alone(
    sandbox: StripeSandbox, shipping: dict[str, Any] | None
) -> None:
    customer = sandbox.plant("customer", {**PERSON, "shipping": shipping})
    async with connected(sandbox) as it:
        said = await it.rectify(Holding("customer", customer), {Datum.PHONE: "+439"})
    assert said == {Datum.PHONE: Rectified()}
    assert sandbox.table("customer")[customer]["shipping"] == shipping


async def test_what_was_made_stays_as_it_was_made(sandbox: StripeSandbox) -> None:
    _, session, subscription, invoice, charge, _ = one_of_each(sandbox)
    before = state(sandbox)
    data = {Datum.NAME: "Anna", Datum.CITY: "Graz"}
    async with connected(sandbox) as it:
        for one in (session, invoice, charge):
            said = await it.rectify(one, data)
            assert said == {Datum.NAME: NotSupported("finalised"), Datum.CITY: Rectified()}
            standing = await it.standing(one)
            assert standing is not None
            assert standing.data[Datum.NAME] == "Ann"
        assert await it.standing(subscription) == Standing()
        said = await it.rectify(subscription, data)
        assert said == dict.fromkeys(data, NotSupported(NOT_OFFERED))
    assert state(sandbox) == before


async def test_a_draft_follows_its_customer(sandbox: StripeSandbox) -> None:
    *_, customer = one_of_each(sandbox)
    name = {"customer_name": "Ann", "customer": customer.id, "status": "draft"}
    draft = Holding("invoice", sandbox.plant("invoice", name))
    right = {Datum.NAME: "Anna"}
    async with connected(sandbox) as it:
        assert await it.rectify(draft, right) == {Datum.NAME: NotSupported("from_customer")}
        await it.rectify(customer, right)
        assert await it.rectify(draft, right) == {Datum.NAME: Rectified()}


async def test_details_of_a_bank_account_are_fixed(sandbox: StripeSandbox) -> None:
    customer = sandbox.plant("customer", {})
    fields = {"customer": customer, "type": "us_bank_account", "billing_details": PERSON}
    account = Holding("payment_method", sandbox.plant("payment_method", fields))
    async with connected(sandbox) as it:
        said = await it.rectify(account, {Datum.NAME: "Anna"})
        assert said == {Datum.NAME: NotSupported("details_stay")}
        assert await it.restrict(account) == Restricted()
    change: Any = {"billing_details": {"name": "Anna"}}
    with pytest.raises(stripe.InvalidRequestError):
        await sdk(sandbox, lambda sdk: sdk.v1.payment_methods.update(account.id, change))


async def test_an_address_that_is_none_is_refused_and_nothing_is_changed(
    sandbox: StripeSandbox,
) -> None:
    *_, customer = one_of_each(sandbox)
    before = state(sandbox)
    wrong = {Datum.EMAIL: "at home", Datum.NAME: "Anna"}
    async with connected(sandbox) as it:
        assert await it.rectify(customer, wrong) == dict.fromkeys(wrong, Failed("refused"))
    assert state(sandbox) == before


async def test_a_correction_that_is_repeated_is_the_same_request(sandbox: StripeSandbox) -> None:
    *_, customer = one_of_each(sandbox)
    async with connected(sandbox) as it:
        for _ in range(2):
            with effect("order 7"):
                await it.rectify(customer, {Datum.NAME: "Anna"})
            sandbox.table("customer")[customer.id]["name"] = "Ann"
    assert len(sandbox.replies) == 1


# Objection.


async def test_an_objection_is_noted_with_everybody_who_bears_the_address(
    sandbox: StripeSandbox,
) -> None:
    theirs = [
        sandbox.plant("customer", {"email": ANN, "metadata": {"plan": "trial"}}),
        sandbox.plant("customer", {"email": "Ann@Example.org"}),
        sandbox.plant("customer", {"metadata": {"user_id": "BX-1"}}),
    ]
    sandbox.plant("customer", {"email": BOB})
    async with connected(sandbox) as it:
        assert await it.objected(WHO, MARKETING) is False
        assert await it.object_to(WHO, MARKETING) == Suppressed()
        assert await it.objected(WHO, MARKETING) is True
        marked = [
            id_ for id_, row in sandbox.table("customer").items() if row["metadata"].get(OBJECTED)
        ]
        assert marked == theirs
        changes = len(sandbox.ledger)
        assert await it.object_to(WHO, MARKETING) == Suppressed()
        assert len(sandbox.ledger) == changes, "twice is once"
        sandbox.plant("customer", {"email": ANN})
        assert await it.objected(WHO, MARKETING) is False, "read anew"


async def test_of_an_address_that_nobody_has_nothing_is_used(sandbox: StripeSandbox) -> None:
    nobody = Subject((Identifier("email", "nobody@example.org"),))
    async with connected(sandbox) as it:
        assert await it.object_to(nobody, MARKETING) == Suppressed()
        assert await it.objected(nobody, MARKETING) is True
    assert not sandbox.ledger


async def test_what_cannot_be_asked_is_not_called_stopped(sandbox: StripeSandbox) -> None:
    by_phone = Subject((Identifier("phone", "+431"),))
    async with connected(sandbox) as it:
        for subject, purpose in ((by_phone, MARKETING), (WHO, "profiling")):
            assert await it.object_to(subject, purpose) == NotSupported(NOT_OFFERED)
            with pytest.raises(TerminalError):
                await it.objected(subject, purpose)
        sandbox.faults.append(Fault(status=401, times=None))
        with pytest.raises(TerminalError):
            await it.objected(WHO, MARKETING)
