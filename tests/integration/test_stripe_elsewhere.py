"""The connector against two Stripes that nobody here wrote, where those can answer.

`stripe-mock` is Stripe's own: it knows nobody, but refuses every parameter that Stripe's
specification does not have. `go install github.com/stripe/stripe-mock@latest` brings it.

`localstripe` remembers what it is told. It has no search, no checkout sessions, no disputes, and no
list of a customer's payment methods: what is known is read there by its id, and changed. Of
a deleted customer it says 404, as of a route that it does not have; Stripe says 200 and `deleted`.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from connectors.sdk.ceilings import Ceilings
from connectors.sdk.interface import (
    Category,
    Datum,
    Holding,
    Identifier,
    NotSupported,
    Rectified,
    Redacted,
    Restricted,
    Subject,
    TerminalError,
)
from connectors.stripe import Stripe, active
from connectors.stripe.belonging import holding
from connectors.stripe.client import Client
from connectors.stripe.kinds import ROUTES

MOCK = shutil.which("stripe-mock")
KEY = "sk_test_12345"
KEPT = frozenset({Category.IDENTITY, Category.CONTACT})


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
        return port


@asynccontextmanager
async def served(port: int, *command: str) -> AsyncIterator[str]:
    """A server of another's, until it is no longer needed; its address."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(30):
            while not await answers(session, url):
                assert process.returncode is None, "it ended"
                await asyncio.sleep(0.1)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/v1/customers", headers={"Authorization": f"Bearer {KEY}"}):
            return True
    except aiohttp.ClientError:
        return False


@pytest.fixture
async def mock() -> AsyncIterator[str]:
    if MOCK is None:
        pytest.skip("stripe-mock is not installed")
    port = free_port()
    async with served(
        port, MOCK, "-http-addr", f"127.0.0.1:{port}", "-strict-version-check=false"
    ) as url:
        yield url


@pytest.fixture
async def local() -> AsyncIterator[str]:
    port = free_port()
    command = (sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch")
    async with served(port, *command) as url:
        yield url


@asynccontextmanager
async def account(url: str) -> AsyncIterator[Client]:
    client = Client(url, KEY, Ceilings())
    try:
        yield client
    finally:
        await client.close()


# stripe-mock.


async def test_stripes_own_mock_takes_every_read(mock: str) -> None:
    subject = Subject((Identifier("email", "a'b\\c@example.org"), Identifier("user_id", "BX-'1")))
    async with Stripe(Stripe.Settings(url=mock, api_key=KEY)) as it:
        await it.check()
        seen = [page async for page in it.locate(subject)]
        assert seen[-1].facts  # it knows nobody; nothing was refused
        assert [who async for page in it.people() for who in page]
        for kind in ROUTES:
            one = Holding(kind, f"{kind}_1")
            assert [record async for record in it.export(one)]
            assert (await anext(it.locate(Subject(()), [one]))).holdings


async def test_stripes_own_mock_takes_every_change(mock: str) -> None:
    blank = (
        {f"billing_details[{it}]": "" for it in ("name", "email", "phone", "address", "tax_id")}
        | {"metadata": ""},
        dict.fromkeys(("name", "individual_name", "business_name", "email", "phone"), "")
        | dict.fromkeys(("address", "shipping", "description", "metadata[a b]"), "")
        | {"invoice_settings[custom_fields]": ""},
    )
    async with Stripe(Stripe.Settings(url=mock, api_key=KEY)) as it:
        for kind in ROUTES:
            one = Holding(kind, f"{kind}_1")
            assert await it.restrict(one) in {Restricted(), NotSupported("card_stays")}
            await it.rectify(one, dict.fromkeys(Datum, "ann@example.org"))
    async with account(mock) as client:
        await client.post("/v1/payment_methods", "pm_1", blank[0])
        await client.post("/v1/payment_methods", "pm_1", {}, action="/detach")
        await client.post("/v1/customers", "cus_1", blank[1])
        await client.delete("/v1/invoices", "in_1")
        await client.delete("/v1/customers", "cus_1")


# localstripe.


async def make(url: str, route: str, **fields: str) -> str:
    """Something made at localstripe by HTTP, as its users make it; its id."""
    headers = {"Authorization": f"Bearer {KEY}"}
    form = {
        name.replace("__", "[") + ("]" if "__" in name else ""): it for name, it in fields.items()
    }
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url + route, data=form) as answer,
    ):
        said = await answer.json()
        assert answer.status == 200, said
        return str(said["id"])


async def make_customer(url: str) -> str:
    return await make(
        url,
        "/v1/customers",
        name="Ann",
        email="ann@example.org",
        description="Likes boats",
        metadata__user_id="BX-1",
    )


async def carried(url: str, kind: str, id_: str) -> frozenset[Category]:
    """The categories of a thing, read by its own id."""
    async with account(url) as client:
        row = await client.get(ROUTES[kind], id_)
    assert row is not None
    return holding(kind, row, "user_id").categories


async def test_a_customer_at_localstripe_is_blanked_and_then_deleted(local: str) -> None:
    customer = Holding("customer", await make_customer(local))
    async with Stripe(Stripe.Settings(url=local, api_key=KEY)) as it:
        (record,) = [record async for record in it.export(customer)]
        assert b"Likes boats" in record.body
        before = await carried(local, "customer", customer.id)
        assert before == KEPT | {Category.PROFILE}
        whole = Holding(customer.kind, customer.id, before)
        assert await it.erase(whole, KEPT) == {Category.PROFILE: Redacted()}
        assert await carried(local, "customer", customer.id) == KEPT
    async with account(local) as client:
        await client.delete(ROUTES["customer"], customer.id)
    with pytest.raises(TerminalError, match="no such route"):
        await carried(local, "customer", customer.id)
    listed = {"email": "ann@example.org"}
    async with account(local) as client:
        assert [page async for page in client.pages(ROUTES["customer"], listed)] == [[]]


async def test_a_customer_at_localstripe_is_corrected_and_marked(local: str) -> None:
    customer = Holding("customer", await make_customer(local))
    right = {Datum.NAME: "Anna", Datum.EMAIL: "anna@example.org", Datum.CITY: "Graz"}
    async with Stripe(Stripe.Settings(url=local, api_key=KEY)) as it:
        assert await it.rectify(customer, right) == dict.fromkeys(right, Rectified())
        assert await it.restrict(customer) == Restricted()
        standing = await it.standing(customer)
        assert standing is not None
        assert (standing.restricted, standing.data) == (True, {**standing.data, **right})
        assert await it.restrict(customer, lift=True) == Restricted()
    async with account(local) as client:
        row = await client.get(ROUTES["customer"], customer.id)
    assert row is not None
    assert {name: it for name, it in row["metadata"].items() if it} == {"user_id": "BX-1"}


async def test_a_card_at_localstripe_is_detached_and_stays_a_card(
    local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It knows of no planned subscriptions.
    known = [it for it in active.SUBSCRIBED if it.reason != "schedule_active"]
    monkeypatch.setattr(active, "SUBSCRIBED", known)
    customer = await make_customer(local)
    card = await make(
        local,
        "/v1/payment_methods",
        type="card",
        card__number="4242424242424242",
        card__exp_month="12",
        card__exp_year="2030",
        card__cvc="123",
    )
    await make(local, f"/v1/payment_methods/{card}/attach", customer=customer)
    async with Stripe(Stripe.Settings(url=local, api_key=KEY)) as it:
        categories = await carried(local, "payment_method", card)
        assert categories == {Category.TRANSACTION}
        held = Holding("payment_method", card, categories)
        said = await it.erase(held)
        assert said == {Category.TRANSACTION: NotSupported("card_stays")}
        left = await anext(it.locate(Subject(()), [held]))
        assert left.holdings == (held,)
    listed = {"customer": customer, "type": "card"}
    async with account(local) as client:
        assert [page async for page in client.pages(ROUTES["payment_method"], listed)] == [[]]
