"""Stripe tells whose each object says it is, goes no further than that, and states no fact of it.

Each attack is one object that somebody else wrote, or had written: what the pipeline makes of what
is told here is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from connectors.sdk import registry
from connectors.sdk.interface import Borne, Fact, Holding, Identifier, NotFoundError, Subject
from connectors.sdk.sandbox import Fault
from connectors.stripe import Stripe, StripeSandbox
from connectors.stripe.belonging import holding

ANN, BOB = "ann@example.org", "bob@example.org"
BY_EMAIL = Subject((Identifier("email", ANN),))


@dataclass(frozen=True, slots=True)
class Told:
    """All pages of one `locate`."""

    holdings: dict[str, Holding]
    facts: dict[str, object]

    def borne(self, id_: str) -> set[tuple[str, str, str]]:
        return {(it.field, it.kind, it.value) for it in self.holdings[id_].bears}


@pytest.fixture
async def sandbox() -> AsyncIterator[StripeSandbox]:
    async with StripeSandbox() as made:
        yield made


async def look(
    sandbox: StripeSandbox, subject: Subject = BY_EMAIL, *known: Holding, **more: str
) -> Told:
    environ = sandbox.environ() | {f"HABEAS_STRIPE_{it}": more[it] for it in more}
    async with registry.build(Stripe, environ) as it:
        pages = [page async for page in it.locate(subject, known)]
    facts: list[Fact] = [fact for page in pages for fact in page.facts]
    return Told(
        {held.id: held for page in pages for held in page.holdings},
        {fact.name: fact.value for fact in facts},
    )


def reads(sandbox: StripeSandbox, route: str) -> int:
    return sandbox.calls[f"GET {route}"]


def with_id(user_id: str, *emails: str) -> Subject:
    found = (Identifier("email", it) for it in emails)
    return Subject((*found, Identifier("user_id", user_id)))


# What is told.


async def test_a_customer_tells_every_identifier_asked_for_or_not(sandbox: StripeSandbox) -> None:
    customer = sandbox.plant(
        "customer",
        {
            "email": "Ann@Example.org",
            "name": "Ann Lee",
            "phone": "+43 1",
            "shipping": {"name": "Bob Ray", "phone": "+43 2"},
            "metadata": {"user_id": "BX-1", "colour": "red"},
        },
    )
    told = await look(sandbox)
    assert told.holdings[customer].part_of is None
    assert told.borne(customer) == {
        ("email", "email", "Ann@Example.org"),
        ("name", "name", "Ann Lee"),
        ("phone", "phone", "+43 1"),
        ("shipping.name", "name", "Bob Ray"),
        ("shipping.phone", "phone", "+43 2"),
        ("metadata.user_id", "user_id", "BX-1"),
    }


async def test_what_a_customer_has_hangs_on_it_and_says_what_it_bears(
    sandbox: StripeSandbox,
) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    of = {"customer": customer}
    details = {"name": "Bob Ray", "email": BOB, "phone": "+43 2"}
    card = sandbox.plant("payment_method", of | {"billing_details": details})
    charge = sandbox.plant(
        "charge",
        of | {"billing_details": details, "receipt_email": "r@example.org"},
    )
    invoice = sandbox.plant("invoice", of | {"customer_email": BOB, "customer_name": "Bob Ray"})
    subscription = sandbox.plant("subscription", of | {"metadata": {"user_id": "BX-2"}})
    session = sandbox.plant(
        "checkout_session",
        of
        | {"customer_details": details, "customer_email": ANN}
        | {"client_reference_id": "BX-3", "payment_status": "unpaid"},
    )
    told = await look(sandbox)
    assert told.holdings.keys() == {customer, card, charge, invoice, subscription, session}
    for id_ in told.holdings.keys() - {customer}:
        assert told.holdings[id_].part_of == Holding("customer", customer)
    billing = {
        ("billing_details.name", "name", "Bob Ray"),
        ("billing_details.email", "email", BOB),
        ("billing_details.phone", "phone", "+43 2"),
    }
    assert told.borne(card) == billing
    assert told.borne(charge) == billing | {("receipt_email", "email", "r@example.org")}
    assert told.borne(invoice) == {
        ("customer_email", "email", BOB),
        ("customer_name", "name", "Bob Ray"),
    }
    assert told.borne(subscription) == {("metadata.user_id", "user_id", "BX-2")}
    assert told.borne(session) == {
        ("customer_details.name", "name", "Bob Ray"),
        ("customer_details.email", "email", BOB),
        ("customer_details.phone", "phone", "+43 2"),
        ("customer_email", "email", ANN),
        ("client_reference_id", "user_id", "BX-3"),
    }


def test_what_some_means_of_payment_alone_say_is_told() -> None:
    paypal = {"payer_email": ANN, "payer_name": "Ann Lee"}
    row = {"id": "ch_1", "payment_method_details": {"paypal": paypal}, "billing_details": None}
    assert holding("charge", row, "").bears == (
        Borne("payment_method_details.paypal.payer_email", "email", ANN),
        Borne("payment_method_details.paypal.payer_name", "name", "Ann Lee"),
    )
    link = {"id": "pm_1", "link": {"email": ANN}, "metadata": {"user_id": 7}}
    assert holding("payment_method", link, "user_id").bears == (Borne("link.email", "email", ANN),)


async def test_a_guests_payment_hangs_on_the_checkout_also_when_it_is_read_again(
    sandbox: StripeSandbox,
) -> None:
    details = {"customer_details": {"email": ANN, "name": "Ann"}}
    session = sandbox.plant("checkout_session", details | {"payment_intent": "pi_1"})
    charge = sandbox.plant("charge", {"payment_intent": "pi_1"})
    for known in ((), (Holding("charge", charge), Holding("checkout_session", session))):
        told = await look(sandbox, BY_EMAIL, *known)
        assert told.holdings[session].part_of is None
        assert told.holdings[charge].part_of == Holding("checkout_session", session)
        assert told.facts["customer"] is True


# Attacks: how far it goes, and what it states.


async def test_a_checkout_at_a_strangers_customer_tells_nothing_else_of_them(
    sandbox: StripeSandbox,
) -> None:
    """The asker's address was typed into a stranger's checkout; the stranger is in a dispute."""
    stranger = sandbox.plant("customer", {"email": BOB})
    details = {"customer_details": {"email": ANN}, "payment_intent": "pi_1"}
    session = sandbox.plant("checkout_session", details | {"customer": stranger})
    charge = sandbox.plant("charge", {"customer": stranger, "payment_intent": "pi_1"})
    sandbox.plant("dispute", {"charge": charge})
    sandbox.plant("invoice", {"customer": stranger})
    told = await look(sandbox)
    assert told.holdings.keys() == {session}
    assert told.holdings[session].part_of == Holding("customer", stranger)
    assert told.facts == {}  # neither that they bought something, nor that they did not
    assert reads(sandbox, "/v1/charges") == reads(sandbox, "/v1/invoices") == 0


async def test_of_two_who_share_an_address_each_is_told_with_what_sets_them_apart(
    sandbox: StripeSandbox,
) -> None:
    ann = sandbox.plant("customer", {"email": ANN, "name": "Ann", "metadata": {"user_id": "BX-1"}})
    bob = sandbox.plant("customer", {"email": ANN, "name": "Bob", "metadata": {"user_id": "BX-2"}})
    charge = sandbox.plant("charge", {"customer": bob})
    sandbox.plant("dispute", {"charge": charge})
    told = await look(sandbox)
    assert told.borne(ann) > {("metadata.user_id", "user_id", "BX-1"), ("name", "name", "Ann")}
    assert told.borne(bob) > {("metadata.user_id", "user_id", "BX-2"), ("name", "name", "Bob")}
    assert told.holdings[charge].part_of == Holding("customer", bob)
    assert told.facts == {}

    # Who is known by an address and a user id is one of the two; what is the other's is not theirs.
    assert (await look(sandbox, with_id("BX-1", ANN))).facts == {}
    assert (await look(sandbox, with_id("BX-2", ANN))).facts == {
        "customer": True,
        "purchase": True,
        "open_dispute": True,
    }


async def test_a_strangers_address_beside_an_asked_one_makes_no_fact(
    sandbox: StripeSandbox,
) -> None:
    """The attacker's own customer, in which they wrote the victim's user id."""
    customer = sandbox.plant("customer", {"email": ANN, "metadata": {"user_id": "BX-victim"}})
    victim = sandbox.plant("customer", {"email": BOB, "metadata": {"user_id": "BX-victim"}})
    sandbox.plant("charge", {"customer": victim})
    told = await look(sandbox)
    assert told.holdings.keys() == {customer}
    assert told.facts == {}


async def test_a_known_customer_of_somebody_else_is_read_and_not_followed(
    sandbox: StripeSandbox,
) -> None:
    stranger, blank = (sandbox.plant("customer", it) for it in ({"email": BOB}, {"name": "A"}))
    sandbox.plant("charge", {"customer": stranger})
    own = sandbox.plant("charge", {"customer": blank})
    known = (Holding("customer", stranger), Holding("customer", blank))
    told = await look(sandbox, BY_EMAIL, *known)
    assert told.holdings.keys() == {stranger, blank, own}


async def test_what_is_surely_theirs_is_a_fact_beside_what_is_not(sandbox: StripeSandbox) -> None:
    own = sandbox.plant("customer", {"email": ANN})
    sandbox.plant("charge", {"customer": own})
    sandbox.plant("charge", {"customer": own, "receipt_email": BOB})
    # The later of the two may be theirs as well: when they last paid is not known.
    assert (await look(sandbox)).facts == {"customer": True, "purchase": True}


async def test_another_address_at_the_own_checkout_leaves_the_facts_as_they_are(
    sandbox: StripeSandbox,
) -> None:
    own = sandbox.plant("customer", {"email": ANN})
    charge = sandbox.plant("charge", {"customer": own})
    sandbox.plant("dispute", {"charge": charge, "status": "won"})
    details = {"customer_details": {"email": BOB}}
    session = sandbox.plant("checkout_session", details | {"customer": own})
    told = await look(sandbox)
    assert told.holdings.keys() == {own, charge, session}
    assert told.facts.keys() == Stripe.capabilities.facts
    assert told.facts["open_dispute"] is False


# Facts of what was not read.


@pytest.mark.parametrize("status", ["paid", "unpaid"])
async def test_a_paid_checkout_without_its_payment_is_no_proof_of_no_purchase(
    sandbox: StripeSandbox, status: str
) -> None:
    details = {"customer_details": {"email": ANN}, "payment_intent": "pi_gone"}
    sandbox.plant("checkout_session", details | {"payment_status": status})
    nothing = dict.fromkeys(Stripe.capabilities.facts - {"customer_since"}, False)
    assert (await look(sandbox)).facts == ({} if status == "paid" else nothing)


@pytest.mark.parametrize("route", ["/v1/charges", "/v1/invoices"])
async def test_a_list_that_is_not_there_is_no_proof_of_no_purchase(
    sandbox: StripeSandbox, route: str
) -> None:
    """The customer is deleted while what they have is listed; else a missing list is an error."""
    customer = sandbox.plant("customer", {"email": ANN})
    sandbox.faults.append(Fault(method="GET", route=f"^{route}$", status=404, times=None))
    with pytest.raises(NotFoundError):
        await look(sandbox)
    sandbox.faults.append(Fault(method="GET", route=f"^/v1/customers/{customer}$", status=404))
    told = await look(sandbox)
    assert told.holdings.keys() == {customer}
    assert told.facts == {}


async def test_disputes_that_cannot_be_read_are_not_over(sandbox: StripeSandbox) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    charge = sandbox.plant("charge", {"customer": customer})
    sandbox.plant("dispute", {"charge": charge, "status": "won"})
    sandbox.faults.append(Fault(method="GET", route="^/v1/disputes$", status=404, times=None))
    with pytest.raises(NotFoundError):
        await look(sandbox)
    sandbox.faults.append(Fault(method="GET", route=f"^/v1/charges/{charge}$", status=404))
    assert (await look(sandbox)).facts == {"customer": True, "purchase": True}


# Spelling, and what it can be asked by.


async def test_a_spelling_is_asked_for_where_stripe_tells_it_apart(sandbox: StripeSandbox) -> None:
    stored = (
        "jo\u0308rg@bu\u0308cher.example",
        "J\u00f6RG@xn--bcher-kva.example",
        "j\u00f6rg@b\u00fccher.example",
    )
    ids = {sandbox.plant("customer", {"email": it}) for it in stored}
    details = {"customer_details": {"email": "jo\u0308rg@xn--bcher-kva.example"}}
    ids.add(sandbox.plant("checkout_session", details))
    sandbox.plant("customer", {"email": "jorg@b\u00fccher.example"})
    asked = Subject((Identifier("email", "J\u00f6rg@B\u00fccher.example"),))
    assert (await look(sandbox, asked)).holdings.keys() == ids


async def test_a_plain_address_is_asked_for_once(sandbox: StripeSandbox) -> None:
    await look(sandbox)
    for route in ("/v1/customers", "/v1/customers/search", "/v1/checkout/sessions"):
        assert reads(sandbox, route) == 1


@pytest.mark.parametrize(
    ("more", "kinds"),
    [
        ({}, ["email", "user_id"]),
        ({"SEARCH": "false"}, ["email"]),
        ({"USER_ID_KEY": ""}, ["email"]),
    ],
)
async def test_it_can_be_asked_by_what_the_account_can_search(
    sandbox: StripeSandbox, more: dict[str, str], kinds: list[str]
) -> None:
    strong = (Identifier("email", ANN), Identifier("user_id", "BX-1"))
    useless = (
        Identifier("email", "\u200b "),
        Identifier("email", "two\nlines"),
        Identifier("user_id", "x" * 501),
        Identifier("email", BOB, strong=False),
        Identifier("phone", "+43 1"),
    )
    environ = sandbox.environ() | {f"HABEAS_STRIPE_{it}": more[it] for it in more}
    async with registry.build(Stripe, environ) as it:
        assert [one.kind for one in it.usable(Subject((*strong, *useless)))] == kinds


async def test_without_anything_to_ask_by_what_is_known_is_read(sandbox: StripeSandbox) -> None:
    customer = sandbox.plant("customer", {"email": ANN, "name": "Ann"})
    gone = Holding("customer", "cus_gone")
    nobody = Subject((Identifier("email", "\u200b"), Identifier("phone", "+43 1")))
    told = await look(sandbox, nobody, Holding("customer", customer), gone)
    assert told.holdings.keys() == {customer}
    assert told.facts == {}
    assert sandbox.calls.total() == 2
