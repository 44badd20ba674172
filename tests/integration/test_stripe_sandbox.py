"""The sandbox is Stripe to Stripe's own client, and the connector knows what Stripe does."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import stripe
from aiohttp import web

from connectors.sdk import registry
from connectors.sdk.calls import effect
from connectors.sdk.interface import (
    MARKETING,
    Category,
    Datum,
    Erased,
    Fact,
    Holding,
    Identifier,
    NeedsHuman,
    NotSupported,
    Page,
    Redacted,
    Restricted,
    RetryableError,
    Subject,
    Suppressed,
)
from connectors.sdk.sandbox import Fault
from connectors.stripe import Stripe, StripeSandbox
from connectors.stripe.sandbox_answers import parameters, shown

ANN = "ann@example.org"
WHO = Subject((Identifier("email", "Ann@Example.org"),))
FIXTURES = Path(__file__).parents[3] / "shared" / "vendor-truth" / "stripe_fixtures3_2026.json"
CARD = {
    "billing_details": {"name": "Ann", "email": ANN, "address": {"city": "Graz"}, "tax_id": "7"},
    "metadata": {"order": "7"},
}
KEPT = frozenset({Category.IDENTITY, Category.CONTACT})


class Recording(StripeSandbox):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, Mapping[str, str], str]] = []

    async def _on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        await super()._on_prepare(request, response)
        key = request.headers.get("Idempotency-Key", "")
        self.asked.append((request.method, request.path, await parameters(request), key))


@pytest.fixture
async def sandbox() -> AsyncIterator[Recording]:
    async with Recording() as made:
        yield made


@asynccontextmanager
async def connected(sandbox: StripeSandbox, **more: str) -> AsyncIterator[Stripe]:
    environ = sandbox.environ() | {f"HABEAS_STRIPE_{it}": more[it] for it in more}
    async with Stripe(registry.settings("stripe", Stripe.Settings, environ)) as it:
        yield it


async def pages(it: Stripe, subject: Subject, *known: Holding) -> list[Page]:
    return [page async for page in it.locate(subject, known)]


async def found(it: Stripe, subject: Subject = WHO, *known: Holding) -> dict[str, Holding]:
    held = [one for page in await pages(it, subject, *known) for one in page.holdings]
    assert len(held) == len(set(held))
    return {one.id: one for one in held}


async def told(it: Stripe, subject: Subject = WHO) -> dict[str, object]:
    return {fact.name: fact.value for page in await pages(it, subject) for fact in page.facts}


async def sdk(sandbox: StripeSandbox, ask: Callable[[stripe.StripeClient], Any]) -> Any:
    """What Stripe's own client makes of an answer."""
    client = stripe.StripeClient(
        sandbox.key, base_addresses={"api": sandbox.url}, max_network_retries=0
    )
    return await asyncio.to_thread(ask, client)


# Stripe's own client.


async def test_stripes_client_pages_through_a_list_and_searches(sandbox: Recording) -> None:
    ids = {sandbox.plant("customer", {"email": ANN, "name": f"No {n}"}) for n in range(250)}
    sandbox.plant("customer", {"email": "ann@example.com", "metadata": {"user_id": "BX-1'"}})

    def listed(client: stripe.StripeClient) -> list[str]:
        asked: Any = {"email": ANN, "limit": 100}
        return [it.id for it in client.v1.customers.list(asked).auto_paging_iter()]

    assert set(await sdk(sandbox, listed)) == ids
    query = r"metadata['user_id']:'BX-1\''"
    hits = await sdk(sandbox, lambda it: it.v1.customers.search({"query": query}).data)
    assert [it.email for it in hits] == ["ann@example.com"]


async def test_stripes_client_sees_what_the_connector_did(sandbox: Recording) -> None:
    customer = sandbox.plant("customer", {"email": ANN, "name": "Ann", "description": "x"})
    card = sandbox.plant("payment_method", {"customer": customer, **CARD})
    async with connected(sandbox) as it:
        for one in sorted((await found(it)).values(), key=lambda it: it.kind, reverse=True):
            await it.erase(one)
    gone = await sdk(sandbox, lambda it: it.v1.customers.retrieve(customer))
    assert gone.deleted is True
    left = await sdk(sandbox, lambda it: it.v1.payment_methods.retrieve(card))
    assert (left.customer, left.billing_details.name, left.card.last4) == (None, None, "4242")
    assert left.billing_details.address.city is None


async def test_stripes_client_is_refused_as_by_stripe(sandbox: Recording) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await sdk(sandbox, lambda it: it.v1.customers.retrieve("cus_none"))
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    asked: Any = {"colour": "red"}
    with pytest.raises(stripe.InvalidRequestError, match="parameter unknown"):
        await sdk(sandbox, lambda it: it.v1.customers.list(asked))
    client = stripe.StripeClient("another", base_addresses={"api": sandbox.url})
    with pytest.raises(stripe.AuthenticationError):
        await asyncio.to_thread(client.v1.customers.list)


async def test_the_same_key_gives_the_same_answer_and_another_request_is_refused(
    sandbox: Recording,
) -> None:
    customer = sandbox.plant("customer", {"email": ANN})

    def blank(client: stripe.StripeClient, name: str) -> Any:
        return client.v1.customers.update(customer, {"name": name}, {"idempotency_key": "k"})

    first = await sdk(sandbox, lambda it: blank(it, "Ann"))
    again = await sdk(sandbox, lambda it: blank(it, "Ann"))
    assert first.name == again.name == "Ann"
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert [it.operation for it in sandbox.ledger] == ["update"]
    with pytest.raises(stripe.IdempotencyError):
        await sdk(sandbox, lambda it: blank(it, "Bob"))


@pytest.mark.skipif(not FIXTURES.exists(), reason="Stripe's own fixtures are not here")
def test_every_field_of_the_sandbox_is_one_of_stripes() -> None:
    real = json.loads(FIXTURES.read_text())["resources"]
    sandbox = StripeSandbox()
    for kind in (
        "customer",
        "payment_method",
        "charge",
        "invoice",
        "subscription",
        "checkout_session",
        "subscription_schedule",
        "invoiceitem",
        "payment_intent",
    ):
        row = shown(sandbox.table(kind)[sandbox.plant(kind, {})])
        assert row.keys() <= real[row["object"]].keys()
        for name in ("billing_details", "customer_details", "card"):
            if name in row:
                assert row[name].keys() <= real[row["object"]][name].keys()


# What Stripe's client may say: its types are made from Stripe's own specification.

PARAMETERS = {
    ("GET", "/v1/customers"): "_customer_list_params.CustomerListParams",
    ("GET", "/v1/customers/search"): "_customer_search_params.CustomerSearchParams",
    (
        "GET",
        "/v1/customers/{id}/payment_methods",
    ): "_customer_list_payment_methods_params.CustomerListPaymentMethodsParams",
    ("GET", "/v1/charges/{id}/refunds"): "_charge_list_refunds_params.ChargeListRefundsParams",
    (
        "GET",
        "/v1/customers/{id}/tax_ids",
    ): "_customer_list_tax_ids_params.CustomerListTaxIdsParams",
    (
        "GET",
        "/v1/customers/{id}/sources",
    ): "_customer_payment_source_list_params.CustomerPaymentSourceListParams",
    (
        "GET",
        "/v1/customers/{id}/cash_balance",
    ): "_customer_retrieve_cash_balance_params.CustomerRetrieveCashBalanceParams",
    ("GET", "/v1/invoiceitems"): "_invoice_item_list_params.InvoiceItemListParams",
    ("GET", "/v1/payment_intents"): "_payment_intent_list_params.PaymentIntentListParams",
    (
        "GET",
        "/v1/subscription_schedules",
    ): "_subscription_schedule_list_params.SubscriptionScheduleListParams",
    (
        "GET",
        "/v1/subscription_items",
    ): "_subscription_item_list_params.SubscriptionItemListParams",
    ("GET", "/v1/charges"): "_charge_list_params.ChargeListParams",
    ("GET", "/v1/invoices"): "_invoice_list_params.InvoiceListParams",
    ("GET", "/v1/invoices/{id}/lines"): "_invoice_list_lines_params.InvoiceListLinesParams",
    ("GET", "/v1/subscriptions"): "_subscription_list_params.SubscriptionListParams",
    ("GET", "/v1/checkout/sessions"): "checkout._session_list_params.SessionListParams",
    ("GET", "/v1/disputes"): "_dispute_list_params.DisputeListParams",
    ("POST", "/v1/customers/{id}"): "_customer_modify_params.CustomerModifyParams",
    (
        "POST",
        "/v1/payment_methods/{id}",
    ): "_payment_method_modify_params.PaymentMethodModifyParams",
    (
        "POST",
        "/v1/payment_methods/{id}/detach",
    ): "_payment_method_detach_params.PaymentMethodDetachParams",
    ("POST", "/v1/charges/{id}"): "_charge_modify_params.ChargeModifyParams",
    ("POST", "/v1/invoices/{id}"): "_invoice_modify_params.InvoiceModifyParams",
    ("POST", "/v1/subscriptions/{id}"): "_subscription_modify_params.SubscriptionModifyParams",
    ("POST", "/v1/checkout/sessions/{id}"): "checkout._session_modify_params.SessionModifyParams",
}
_NAMED = re.compile(r"'([A-Z]\w+)'|\b([A-Z]\w+Params\w*)")


def allows(where: str, name: str) -> bool:
    """Whether Stripe's types have a parameter: `address[city]` is `city` within `address`."""
    module_name, _, type_name = where.rpartition(".")
    module = importlib.import_module(f"stripe.params.{module_name}")
    types = [getattr(module, type_name)]
    for part in re.findall(r"[^\[\]]+", re.sub(r"\[\d+\]$", "", name)):
        said = [str(it.__annotations__[part]) for it in types if part in it.__annotations__]
        if not said:
            return False
        if any("Dict[str" in it for it in said):
            return True
        named = [a or b for it in said for a, b in _NAMED.findall(it)]
        types = [getattr(module, it) for it in named if hasattr(module, it)]
    return True


def asked_of(sandbox: Recording) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    for method, path, given, _ in sandbox.asked:
        route = re.sub(r"/(cus|pm|ch|in|sub|cs_test|dp)_\w+", "/{id}", path)
        yield method, route, given


async def test_every_request_is_one_that_stripes_types_allow(sandbox: Recording) -> None:
    customer = plant_everything(sandbox)
    async with connected(sandbox) as it:
        await it.check()
        subject = Subject((*WHO.identifiers, Identifier("user_id", "BX-1")))
        held = await found(it, subject)
        assert {one.kind for one in held.values()} == set(it.capabilities.kinds)
        assert [who async for page in it.people() for who in page]
        assert await it.object_to(subject, MARKETING) == Suppressed()
        for one in held.values():
            assert [record async for record in it.export(one)]
            assert await it.restrict(one) == Restricted()
            await it.rectify(one, dict.fromkeys(Datum, "Right"))
            await it.erase(one, KEPT if one.id == customer else frozenset())
    reached = set()
    for method, route, given in asked_of(sandbox):
        if method == "DELETE" or (method == "GET" and route.endswith(("{id}", "/pdf"))):
            assert all(re.fullmatch(r"expand\[\d\]", it) for it in given)
            continue
        reached.add((method, route))
        for name in given:
            assert allows(PARAMETERS[method, route], name), f"{method} {route}: {name}"
    assert reached == set(PARAMETERS)
    assert not allows(PARAMETERS["GET", "/v1/customers"], "colour")
    assert not allows(PARAMETERS["GET", "/v1/checkout/sessions"], "customer_details[name]")


def plant_everything(sandbox: StripeSandbox) -> str:
    """Somebody with one of each, and a guest's checkout; the customer's id."""
    filled = {
        "name": "Ann",
        "phone": "1",
        "description": "d",
        "address": {"city": "Graz"},
        "invoice_settings": {"custom_fields": [{"name": "Order", "value": "7"}]},
    }
    metadata = {"user_id": "BX-1", "colour": "red"}
    customer = sandbox.plant("customer", {"email": ANN, **filled, "metadata": metadata})
    of = {"customer": customer}
    sandbox.plant("payment_method", of | CARD)
    many = [f"Item {n}" for n in range(23)]
    sandbox.plant("customer", {"email": ANN, "tax_ids": many, "sources": many})
    sandbox.plant("subscription", of | {"status": "canceled", "items": many})
    sandbox.plant("invoice", of | {"lines": many})
    sandbox.plant("charge", of | {"refunds": many})
    sandbox.plant("invoice", of | {"status": "draft"})
    charge = sandbox.plant("charge", of)
    sandbox.plant("dispute", {"charge": charge, "status": "won"})
    sandbox.plant("charge", {"payment_intent": "pi_1"})
    session = {"customer_details": {"email": ANN, "name": "Ann"}, "payment_intent": "pi_1"}
    sandbox.plant("checkout_session", session)
    return customer


# Finding.


async def test_every_customer_of_an_address_is_found_however_it_is_written(
    sandbox: Recording,
) -> None:
    spellings = (ANN, "Ann@Example.org", "ANN@EXAMPLE.ORG", "ann@Example.ORG")
    ids = {sandbox.plant("customer", {"email": it}) for it in spellings}
    sandbox.plant("customer", {"email": "ann@example.org.example.com"})
    async with connected(sandbox) as it:
        assert set(await found(it)) == ids
    async with connected(sandbox, SEARCH="false") as it:
        without = {sandbox.table("customer")[id_]["email"] for id_ in await found(it)}
        assert without == {ANN, "Ann@Example.org"}
    assert "GET /v1/customers/search" in sandbox.calls


async def test_a_search_that_is_late_shows_nobody_who_is_gone_or_has_moved(
    sandbox: Recording,
) -> None:
    gone, moved, there = (sandbox.plant("customer", {"email": "ANN@example.org"}) for _ in "123")
    sandbox.is_index_late = True
    del sandbox.table("customer")[gone]
    sandbox.table("_deleted")[gone] = {"id": gone, "object": "customer", "deleted": True}
    sandbox.table("customer")[moved]["email"] = "bob@example.org"
    async with connected(sandbox) as it:
        assert set(await found(it)) == {there}


async def test_a_guest_is_found_by_the_checkout_and_what_was_paid_in_it(
    sandbox: Recording,
) -> None:
    details = {"customer_details": {"email": ANN, "name": "Ann"}}
    session = sandbox.plant(
        "checkout_session", details | {"payment_intent": "pi_1", "invoice": "in_1"}
    )
    charge = sandbox.plant("charge", {"payment_intent": "pi_1", "created": date(2025, 2, 3)})
    sandbox.plant("invoice", {"id": "in_1", "created": date(2024, 1, 2)})
    sandbox.plant("charge", {"payment_intent": "pi_2"})
    async with connected(sandbox) as it:
        assert set(await found(it)) == {session, charge, "in_1"}
        assert await told(it) == {
            "customer": True,
            "customer_since": date(2024, 1, 2),
            "last_charge": date(2025, 2, 3),
            "last_invoice": date(2024, 1, 2),
            "open_dispute": False,
            "purchase": True,
            "subscription_ended": False,
            "subscription_open": False,
        }


@pytest.mark.parametrize(
    ("status", "is_open"),
    [("needs_response", True), ("warning_under_review", True), ("won", False), ("lost", False)],
)
async def test_a_dispute_is_open_until_it_is_decided(
    sandbox: Recording, status: str, *, is_open: bool
) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    charge = sandbox.plant("charge", {"customer": customer})
    sandbox.plant("dispute", {"charge": charge, "status": status})
    async with connected(sandbox) as it:
        assert (await told(it))["open_dispute"] is is_open


@pytest.mark.parametrize(
    ("kind", "status", "buys"),
    [
        ("charge", "succeeded", True),
        ("charge", "pending", True),
        ("charge", "failed", False),
        ("invoice", "paid", True),
        ("invoice", "uncollectible", True),
        ("invoice", "draft", False),
        ("invoice", "void", False),
    ],
)
async def test_an_attempt_or_a_draft_makes_no_customer(
    sandbox: Recording, kind: str, status: str, *, buys: bool
) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    sandbox.plant(kind, {"customer": customer, "status": status})
    async with connected(sandbox) as it:
        assert (await told(it))["customer"] is buys


async def test_the_end_is_that_of_the_last_subscription_and_a_trial_that_never_began_ended_nothing(
    sandbox: Recording,
) -> None:
    of = {"customer": sandbox.plant("customer", {"email": ANN})}
    for ended_at in ("2024-05-06", "2025-03-04", "2023-01-01"):
        sandbox.plant("subscription", of | {"status": "canceled", "ended_at": ended_at})
    never = of | {"status": "incomplete_expired", "ended_at": "2025-12-24"}
    sandbox.plant("subscription", never)
    async with connected(sandbox) as it:
        found = {one.name: one for page in await pages(it, WHO) for one in page.facts}
    end = Fact("subscription_ended", date(2025, 3, 4), "subscription.ended_at")
    assert found["subscription_ended"] == end
    assert found["subscription_open"].value is False


@pytest.mark.parametrize("status", ["active", "trialing", "past_due", "unpaid", "paused"])
async def test_whoever_is_subscribed_is_told_so_beside_what_ended(
    sandbox: Recording, status: str
) -> None:
    of = {"customer": sandbox.plant("customer", {"email": ANN})}
    sandbox.plant("subscription", of | {"status": "canceled", "ended_at": "2025-03-04"})
    sandbox.plant("subscription", of | {"status": status})
    async with connected(sandbox) as it:
        known = await told(it)
    assert known["subscription_open"] is True
    assert known["subscription_ended"] == date(2025, 3, 4)


async def test_an_invoice_counts_from_when_it_was_paid_and_without_that_date_it_is_unknown(
    sandbox: Recording,
) -> None:
    of = {"customer": sandbox.plant("customer", {"email": ANN})}
    late = {"created": date(2025, 1, 2), "status_transitions": {"paid_at": "2025-03-04"}}
    sandbox.plant("invoice", of | late)
    sandbox.plant("invoice", of | {"created": date(2025, 6, 1), "status": "open"})
    async with connected(sandbox) as it:
        assert (await told(it))["last_invoice"] == date(2025, 3, 4)
        undated = sandbox.plant("invoice", of)
        sandbox.table("invoice")[undated]["status_transitions"]["paid_at"] = None
        assert "last_invoice" not in await told(it)


async def test_whom_a_search_would_have_found_is_unknown_without_it(sandbox: Recording) -> None:
    customer = sandbox.plant("customer", {"metadata": {"user_id": "BX-1"}})
    sandbox.plant("charge", {"customer": customer})
    by_id = Subject((*WHO.identifiers, Identifier("user_id", "BX-1")))
    async with connected(sandbox) as it:
        assert (await told(it, by_id))["customer"] is True
    async with connected(sandbox, SEARCH="false") as it:
        assert await told(it, by_id) == {}
        assert (await told(it))["customer"] is False
    async with connected(sandbox, USER_ID_KEY="") as it:  # Stripe holds none of our ids
        assert (await told(it, by_id))["customer"] is False


async def test_what_was_bought_as_a_customer_who_is_deleted_is_found_by_the_checkout(
    sandbox: Recording,
) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    of = {"customer": customer}
    charge = sandbox.plant("charge", of | {"payment_intent": "pi_1"})
    subscription = sandbox.plant("subscription", of | {"status": "canceled"})
    details = {"customer_details": {"email": ANN}, "payment_intent": "pi_1"}
    session = sandbox.plant("checkout_session", of | details | {"subscription": subscription})
    await sdk(sandbox, lambda it: it.v1.customers.delete(customer))
    async with connected(sandbox) as it:
        assert set(await found(it)) == {session, charge, subscription}
        assert await told(it) == {}  # nobody can read any more whose customer it was


class Vanishing(StripeSandbox):
    """The last one of a list's first page is deleted as soon as that is read."""

    async def _list(self, request: web.Request) -> web.Response:
        said = await super()._list(request)
        rows = json.loads(said.text or "{}")["data"]
        if request.path == "/v1/subscriptions" and len(rows) > 1:
            self.table("subscription").pop(rows[-1]["id"])
        return said


async def test_a_list_whose_cursor_was_deleted_is_not_at_its_end() -> None:
    """Behind it may be the one that is active."""
    async with Vanishing() as sandbox, connected(sandbox) as it:
        customer = sandbox.plant("customer", {"email": ANN})
        active = sandbox.plant("subscription", {"customer": customer})
        for _ in range(120):
            sandbox.plant("subscription", {"customer": customer, "status": "canceled"})
        with pytest.raises(RetryableError, match="went while it was read"):
            await it.erase(Holding("customer", customer, frozenset({Category.CONTACT})))
        assert sandbox.table("subscription")[active]["status"] == "active"
        assert sandbox.ledger == []


async def test_whoever_bought_nothing_is_no_customer_and_without_a_name_it_is_unknown(
    sandbox: Recording,
) -> None:
    sandbox.plant("customer", {"email": ANN})
    async with connected(sandbox) as it:
        assert await told(it) == dict.fromkeys(it.capabilities.facts - {"customer_since"}, False)
        assert await told(it, Subject((Identifier("phone", "1"),))) == {}


@pytest.mark.parametrize(
    ("kind", "name"), [("invoice", "lines"), ("charge", "refunds"), ("subscription", "items")]
)
async def test_a_list_inside_is_exported_to_its_end(
    sandbox: Recording, kind: str, name: str
) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    texts = [f"Item {n}" for n in range(230)]
    id_ = sandbox.plant(kind, {"customer": customer, name: texts})
    async with connected(sandbox) as it:
        seen = await pages(it, WHO)
        assert id_ in {one.id for page in seen for one in page.holdings}
        assert id_ not in {one.holding.id for page in seen for one in page.records}
        record, *_ = [record async for record in it.export(Holding(kind, id_))]
    exported = json.loads(record.body)[name]["data"]
    assert [one["description"] for one in exported] == texts


@pytest.mark.parametrize("expands", [True, False])
async def test_what_stripe_does_not_show_by_itself_is_asked_for(*, expands: bool) -> None:
    """Absent is not empty: whoever does not expand it is asked for the list."""

    class Account(StripeSandbox):
        def _shown(self, row: Any, expand: frozenset[str] = frozenset()) -> Any:
            return super()._shown(row, expand if expands else frozenset())

    async with Account() as sandbox, connected(sandbox) as it:
        customer = sandbox.plant("customer", {"email": ANN, "tax_ids": ["7"], "sources": ["Ann"]})
        charge = sandbox.plant("charge", {"customer": customer, "refunds": ["back"]})
        bodies = {}
        for id_, kind in ((customer, "customer"), (charge, "charge")):
            (record,) = [record async for record in it.export(Holding(kind, id_))]
            bodies[kind] = json.loads(record.body)
        whole = {record.holding.id for page in await pages(it, WHO) for record in page.records}
    assert [it["description"] for it in bodies["charge"]["refunds"]["data"]] == ["back"]
    assert [it["value"] for it in bodies["customer"]["tax_ids"]["data"]] == ["7"]
    assert [it["name"] for it in bodies["customer"]["sources"]["data"]] == ["Ann"]
    assert whole == ({customer, charge} if expands else set())
    assert "refunds" not in shown(sandbox.table("charge")[charge])


async def test_an_invoice_comes_with_its_paper(sandbox: Recording) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    invoice = sandbox.plant("invoice", {"customer": customer, "number": "BX-0007"})
    draft = sandbox.plant("invoice", {"customer": customer, "status": "draft"})
    async with connected(sandbox) as it:
        whole = {record.holding.id for page in await pages(it, WHO) for record in page.records}
        assert whole == {customer, draft}, "what names a file is not whole without it"
        row, paper = [record async for record in it.export(Holding("invoice", invoice))]
        assert json.loads(row.body)["number"] == "BX-0007"
        assert (paper.name, paper.content_type) == ("BX-0007.pdf", "application/pdf")
        assert paper.body.startswith(b"%PDF")
        sandbox.faults.append(Fault(status=404, route="/pdf$"))
        _, missing = [record async for record in it.export(Holding("invoice", invoice))]
    assert (missing.name, missing.missing) == ("BX-0007.pdf", "not_fetched")


@pytest.mark.parametrize("created", ["yesterday", None, 10**20, {}, float("inf")])
async def test_a_purchase_without_its_date_may_have_one_later(
    sandbox: Recording, created: object
) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    charge = sandbox.plant("charge", {"customer": customer})
    sandbox.table("charge")[charge]["created"] = created
    async with connected(sandbox) as it:
        with pytest.raises(RetryableError):
            await pages(it, WHO)


async def test_what_no_table_knows_is_content_that_stays(sandbox: Recording) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    sandbox.table("customer")[customer]["nickname"] = "Annie"
    card = sandbox.plant("payment_method", {"customer": customer})
    sandbox.table("payment_method")[card]["link"] = {"email": ANN}
    async with connected(sandbox) as it:
        held = await found(it)
        assert held[customer].categories == {Category.CONTACT, Category.PROFILE}
        said = await it.erase(held[customer], frozenset({Category.CONTACT}))
        assert said == {Category.PROFILE: NotSupported("unknown")}
        assert held[card].categories == {Category.CONTACT, Category.TRANSACTION}
        assert await it.erase(held[card]) == {
            Category.CONTACT: NotSupported("details_stay"),
            Category.TRANSACTION: NotSupported("card_stays"),
        }


async def test_a_tax_number_goes_with_the_name(sandbox: Recording) -> None:
    customer = sandbox.plant(
        "customer", {"email": ANN, "name": "Ann", "tax_ids": [f"ATU{n}" for n in range(12)]}
    )
    async with connected(sandbox) as it:
        held = (await found(it))[customer]
        said = await it.erase(held, frozenset({Category.CONTACT}))
        assert said == {Category.IDENTITY: Redacted()}
        assert sandbox.table("customer")[customer]["tax_ids"]["data"] == []
        assert (await found(it))[customer].categories == {Category.CONTACT}


# Erasing.


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("subscription", {"status": "trialing"}, "subscription_active"),
        ("subscription_schedule", {"status": "not_started"}, "schedule_active"),
        ("subscription_schedule", {"status": "canceled"}, ""),
        ("invoiceitem", {}, "items_pending"),
        ("invoiceitem", {"invoice": "in_1"}, ""),
        ("invoice", {"status": "open"}, "invoice_open"),
        ("invoice", {"status": "draft"}, "invoice_open"),
        ("invoice", {"status": "paid"}, ""),
        ("payment_intent", {"status": "requires_capture"}, "payment_open"),
        ("payment_intent", {"status": "succeeded"}, ""),
        ("customer", {"balance": -500}, "balance_left"),
        ("customer", {"balance": 500}, "balance_left"),
        ("customer", {"cash_balance": {"eur": 100}}, "balance_left"),
        ("customer", {"cash_balance": {"eur": 0}}, ""),
    ],
)
async def test_a_customer_with_money_or_a_promise_left_is_not_deleted(
    sandbox: Recording, kind: str, fields: dict[str, Any], reason: str
) -> None:
    customer = sandbox.plant("customer", {"email": ANN, **(fields if kind == "customer" else {})})
    if kind != "customer":
        sandbox.plant(kind, {"customer": customer, **fields})
    async with connected(sandbox) as it:
        said = await it.erase((await found(it))[customer])
        assert said == (NeedsHuman(reason) if reason else Erased())
        assert {made.operation for made in sandbox.ledger} == (
            set() if reason else {"update", "delete"}
        )
        assert not reason or reason in it.capabilities.reasons


async def test_nothing_active_is_cancelled(sandbox: Recording) -> None:
    customer = sandbox.plant("customer", {"email": ANN, "description": "x"})
    sandbox.plant("payment_method", {"customer": customer, **CARD})
    subscription = sandbox.plant("subscription", {"customer": customer, "status": "past_due"})
    async with connected(sandbox) as it:
        for one in (await found(it)).values():
            assert await it.erase(one) == NeedsHuman("subscription_active")
        assert sandbox.ledger == []
        whole = (await found(it))[customer]
        assert await it.erase(whole, KEPT) == {Category.PROFILE: Redacted()}
    assert sandbox.table("subscription")[subscription]["status"] == "past_due"
    assert sandbox.table("customer")[customer]["description"] is None


async def test_a_payment_method_is_blanked_before_it_is_detached(sandbox: Recording) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    card = sandbox.plant("payment_method", {"customer": customer, **CARD})
    async with connected(sandbox) as it:
        one = (await found(it))[card]
        said = await it.erase(one)
        assert said == {
            Category.IDENTITY: Redacted(),
            Category.CONTACT: Redacted(),
            Category.TRANSACTION: NotSupported("card_stays"),
        }
        assert [made.operation for made in sandbox.ledger] == ["update", "detach"]
        assert await it.erase(one) == said
        assert len(sandbox.ledger) == 2
        (left,) = (await found(it, Subject(()), one)).values()
        assert left.categories == {Category.TRANSACTION}


async def test_a_customer_goes_with_its_cards_blanked(sandbox: Recording) -> None:
    """Stripe detaches them with it, and then nobody can."""
    customer = sandbox.plant("customer", {"email": ANN})
    card = sandbox.plant("payment_method", {"customer": customer, **CARD})
    async with connected(sandbox) as it:
        assert await it.erase((await found(it))[customer]) == Erased()
        details = sandbox.table("payment_method")[card]["billing_details"]
        assert (details["name"], details["email"], details["address"]["city"]) == (None,) * 3
        assert await found(it) == {}


async def test_billing_details_that_are_fixed_do_not_keep_the_account_attached(
    sandbox: Recording,
) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    account = sandbox.plant("payment_method", {"customer": customer, **CARD})
    sandbox.faults.append(Fault(method="POST", route=f"/{account}$", status=400, times=None))
    async with connected(sandbox) as it:
        said = await it.erase((await found(it))[account])
    assert said == {
        Category.IDENTITY: NotSupported("details_stay"),
        Category.CONTACT: NotSupported("details_stay"),
        Category.TRANSACTION: NotSupported("card_stays"),
    }
    assert sandbox.table("payment_method")[account]["customer"] is None


async def test_what_somebody_else_detached_is_said_to_stay(sandbox: Recording) -> None:
    card = Holding("payment_method", sandbox.plant("payment_method", CARD))
    async with connected(sandbox) as it:
        (held,) = (await found(it, Subject(()), card)).values()
        assert set((await it.erase(held)).values()) == {NotSupported("card_stays")}  # type: ignore[union-attr]
    assert sandbox.ledger == []


async def test_a_card_that_is_kept_stays_at_its_customer(sandbox: Recording) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    card = sandbox.plant("payment_method", {"customer": customer, **CARD})
    async with connected(sandbox) as it:
        one = (await found(it))[card]
        keep = frozenset({Category.TRANSACTION})
        said = await it.erase(one, keep)
        assert said == {Category.IDENTITY: Redacted(), Category.CONTACT: Redacted()}
    assert sandbox.table("payment_method")[card]["customer"] == customer


async def test_our_own_user_id_stays_with_a_name_that_is_kept(sandbox: Recording) -> None:
    metadata = {"user_id": "BX-1", "colour": "red"}
    customer = sandbox.plant("customer", {"email": ANN, "name": "Ann", "metadata": metadata})
    async with connected(sandbox) as it:
        await it.erase((await found(it))[customer], KEPT)
        assert sandbox.table("customer")[customer]["metadata"] == {"user_id": "BX-1"}
        assert (await found(it))[customer].categories == KEPT


async def test_a_draft_is_deleted_and_what_was_billed_stays(sandbox: Recording) -> None:
    customer = sandbox.plant("customer", {"email": ANN})
    draft = sandbox.plant("invoice", {"customer": customer, "status": "draft"})
    paid = sandbox.plant("invoice", {"customer": customer})
    async with connected(sandbox) as it:
        held = await found(it)
        assert await it.erase(held[draft]) == Erased()
        assert await it.erase(held[paid]) == NotSupported("record_stays")
    assert set(sandbox.table("invoice")) == {paid}


# The same once more.


async def test_an_effect_that_is_repeated_is_the_same_request_to_stripe(
    sandbox: Recording,
) -> None:
    customer = sandbox.plant("customer", {"email": ANN, "name": "Ann", "description": "x"})
    async with connected(sandbox) as it:
        one = (await found(it))[customer]
        for name in ("case 1", "case 1", "case 2"):
            sandbox.table("customer")[customer]["description"] = "x"
            with effect(name):
                await it.erase(one, KEPT)
    first, again, other = [key for *_, key in sandbox.asked if key]
    assert first == again != other
    assert len(sandbox.ledger) == 2
    assert not any(word in first for word in ("case", customer))


async def test_an_error_that_stripe_repeats_under_its_key_is_passed_by(
    sandbox: Recording,
) -> None:
    customer = sandbox.plant("customer", {"email": ANN, "description": "x"})
    async with connected(sandbox) as it:
        one = (await found(it))[customer]
        sandbox.breaks = True
        with effect("case 1"):
            assert await it.erase(one, KEPT) == {Category.PROFILE: Redacted()}
    assert sandbox.table("customer")[customer]["description"] is None
    assert [made.operation for made in sandbox.ledger] == ["update"]


async def test_a_stripe_that_is_down_is_not_asked_twice(sandbox: Recording) -> None:
    customer = sandbox.plant("customer", {"email": ANN, "description": "x"})
    async with connected(sandbox) as it:
        one = (await found(it))[customer]
        sandbox.faults.append(Fault(status=503, times=None))
        with pytest.raises(RetryableError):
            await it.erase(one, KEPT)
    assert sandbox.ledger == []
