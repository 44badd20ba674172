"""Stripe on loopback: its objects, lists, search, errors and idempotency, as documented.

https://docs.stripe.com/api. Money does not move in it, and nothing is created but by `plant`. As
by default since API version 2022-11-15 a charge does not show its refunds, and since 2020-08-27 a
customer neither tax ids nor sources, unless they are expanded.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from http import HTTPStatus
from typing import Any

from aiohttp import web

from connectors.sdk.sandbox import Sandbox

from .sandbox_answers import (
    Problem,
    Row,
    expanded,
    listed,
    page_of,
    parameters,
    searched,
    shown,
    updated,
)
from .sandbox_objects import ENDED, planted

Handler = Callable[[web.Request], Awaitable[web.Response]]

LISTS: Mapping[str, tuple[str, frozenset[str]]] = {
    "/v1/customers": ("customer", frozenset({"email"})),
    "/v1/payment_methods": ("payment_method", frozenset({"customer", "type"})),
    "/v1/charges": ("charge", frozenset({"customer", "payment_intent"})),
    "/v1/invoices": ("invoice", frozenset({"customer", "status", "subscription"})),
    "/v1/subscriptions": ("subscription", frozenset({"customer", "status"})),
    "/v1/checkout/sessions": (
        "checkout_session",
        frozenset({"customer", "customer_details[email]", "payment_intent"}),
    ),
    "/v1/disputes": ("dispute", frozenset({"charge", "payment_intent"})),
    "/v1/subscription_schedules": ("subscription_schedule", frozenset({"customer"})),
    "/v1/invoiceitems": ("invoiceitem", frozenset({"customer", "pending"})),
    "/v1/payment_intents": ("payment_intent", frozenset({"customer"})),
}
"""By route: the kind, and what it can be filtered by."""
CHANGEABLE = {
    "customer": frozenset(
        {
            "name",
            "individual_name",
            "business_name",
            "email",
            "phone",
            "address",
            "shipping",
            "description",
            "invoice_settings",
            "metadata",
            "tax",
        }
    ),
    "payment_method": frozenset({"billing_details", "metadata"}),
    "charge": frozenset({"description", "metadata", "receipt_email", "shipping"}),
    "invoice": frozenset({"description", "footer", "metadata"}),
    "subscription": frozenset({"description", "metadata"}),
    "checkout_session": frozenset({"metadata"}),
}
"""What may be changed here, by kind."""
UPDATED = tuple(route for route, (kind, _) in LISTS.items() if kind in CHANGEABLE)

TAKEN_OVER = ("name", "email", "phone", "address", "shipping")
"""What a draft of an invoice shows of its customer, as `customer_name` and the like."""

FILES = "/invoice"
"""Where the papers of invoices lie, on a host of its own (`pay.stripe.com`)."""


class StripeSandbox(Sandbox):
    """One account, in test mode."""

    system = "stripe"
    cursor = r"\b(starting_after|page)=[^&]*"
    unreadable = (r"^/v1/charges",)
    public = (rf"^{FILES}/",)

    def __init__(self, **given: Any) -> None:
        self.replies: dict[str, tuple[Mapping[str, str], int, Any]] = {}
        """By idempotency key: what was asked, and the status and body that were answered."""
        self.breaks = False
        """Whether the next change breaks: its key goes on giving the 500 that came of it."""
        self.is_index_late = False
        """Whether the search goes on finding customers as they were when they were planted."""
        super().__init__(**given)

    # What tests and the demo use.

    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        """An object of a kind in `sandbox_objects`. `created` may be a date.

        A dispute marks its charge.
        """
        row = planted(kind, fields, n=self.new_id(), now=self.now())
        self.table(kind)[row["id"]] = row
        if kind == "customer":
            self.table("_index")[row["id"]] = dict(row)
        if kind == "invoice" and row["status"] == "draft" and row["customer"]:
            self._take_over(self.table("customer").get(row["customer"], {}))
        if kind == "dispute":
            self.table("charge")[row["charge"]]["disputed"] = True
        return str(row["id"])

    def settings(self, *, restricted: bool = False) -> Mapping[str, str]:
        """Of the connector."""
        return {"url": self.url, "api_key": self.restricted_key if restricted else self.key}

    # How it answers.

    def credential(self, request: web.Request) -> str | None:
        """The key, as a bearer token."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        return key if scheme == "Bearer" else None

    def refusal(self, status: int) -> web.Response:
        """Stripe's error for a status."""
        return Problem.usual(status).answer()

    def dress(self, response: web.StreamResponse) -> None:
        """Stripe's own name for the id of a request."""
        super().dress(response)
        response.headers.setdefault("Request-Id", response.headers["X-Request-Id"])

    def routes(self) -> list[web.RouteDef]:
        """What the connector uses, and what a client of Stripe's expects beside it."""
        made = [web.get("/v1/customers/search", self._answered(self._search))]
        for route in LISTS:
            made += [
                web.get(route, self._answered(self._list)),
                web.get(f"{route}/{{id}}", self._answered(self._get)),
            ]
        return [
            *made,
            web.get("/v1/customers/{id}/payment_methods", self._answered(self._methods)),
            web.get("/v1/customers/{id}/cash_balance", self._answered(self._cash)),
            web.get("/v1/customers/{id}/tax_ids", self._answered(self._inside)),
            web.get("/v1/customers/{id}/sources", self._answered(self._inside)),
            web.delete("/v1/customers/{id}/tax_ids/{tax_id}", self._answered(self._delete_tax_id)),
            web.get("/v1/invoices/{id}/lines", self._answered(self._inside)),
            web.get("/v1/charges/{id}/refunds", self._answered(self._inside)),
            web.get(f"{FILES}/{{id}}/pdf", self._paper),
            web.get("/v1/subscription_items", self._answered(self._items)),
            *(web.post(f"{it}/{{id}}", self._once(self._update)) for it in UPDATED),
            web.post("/v1/payment_methods/{id}/detach", self._once(self._detach)),
            web.delete("/v1/customers/{id}", self._answered(self._delete_customer)),
            web.delete("/v1/invoices/{id}", self._answered(self._delete_invoice)),
        ]

    def _answered(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            try:
                return await handler(request)
            except Problem as problem:
                return problem.answer()

        return answer

    def _once(self, handler: Handler) -> Handler:
        """A change that is not made twice under one key.

        https://docs.stripe.com/api/idempotent_requests: what was answered is answered again,
        another request under the same key is refused.
        """

        async def answer(request: web.Request) -> web.Response:
            key = request.headers.get("Idempotency-Key", "")
            asked = {"": request.path, **await parameters(request)}
            if key in self.replies:
                before, status, body = self.replies[key]
                if before != asked:
                    return Problem("idempotency_key_reused", kind="idempotency_error").answer()
                replayed = {"Idempotent-Replayed": "true"}
                return web.json_response(body, status=status, headers=replayed)
            if self.breaks:
                self.breaks, said = False, self.refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
            else:
                said = await self._answered(handler)(request)
            if key and said.status != HTTPStatus.BAD_REQUEST:
                self.replies[key] = (asked, said.status, json.loads(said.text or "null"))
            return said

        return answer

    async def _list(self, request: web.Request) -> web.Response:
        kind, filters = LISTS[request.path]
        asked = await parameters(request)
        if kind == "subscription":
            asked.setdefault("status", "")
        self._find("customer", asked.get("customer"))
        expand = expanded(asked)
        rows = listed(kind, self.table(kind).values(), asked, filters)
        return self._page(page_of(request.path, rows, asked), expand)

    def _page(self, page: Row, expand: frozenset[str] = frozenset()) -> web.Response:
        return web.json_response({**page, "data": [self._shown(it, expand) for it in page["data"]]})

    def _shown(self, row: Row, expand: frozenset[str] = frozenset()) -> Row:
        return shown(row, expand, self.url.replace("127.0.0.1", "localhost") + FILES)

    async def _paper(self, request: web.Request) -> web.Response:
        if "Authorization" in request.headers:
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        row = self.table("invoice").get(request.match_info["id"])
        if row is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        body = f"%PDF-1.7\n{json.dumps(row, sort_keys=True)}\n%%EOF\n".encode()
        return web.Response(body=body, content_type="application/pdf")

    async def _methods(self, request: web.Request) -> web.Response:
        asked = await parameters(request)
        asked["customer"] = request.match_info["id"]
        self._find("customer", asked["customer"])
        filters = LISTS["/v1/payment_methods"][1]
        rows = listed("payment_method", self.table("payment_method").values(), asked, filters)
        return self._page(page_of(request.path, rows, asked))

    async def _inside(self, request: web.Request) -> web.Response:
        of, _, name = request.path.rpartition("/")
        row = self._of(request, LISTS[of.rpartition("/")[0]][0])
        asked = await parameters(request)
        return self._page(page_of(request.path, row[name]["data"], asked))

    async def _items(self, request: web.Request) -> web.Response:
        asked = await parameters(request)
        row = self._find("subscription", asked.pop("subscription", "")) or {}
        return self._page(page_of(request.path, row["items"]["data"], asked))

    async def _cash(self, request: web.Request) -> web.Response:
        row = self._of(request, "customer")
        said = {"object": "cash_balance", "available": row.get("cash_balance") or None}
        return web.json_response({**said, "customer": row["id"], "livemode": False})

    async def _delete_tax_id(self, request: web.Request) -> web.Response:
        row, id_ = self._of(request, "customer"), request.match_info["tax_id"]
        left = [it for it in row["tax_ids"]["data"] if it["id"] != id_]
        if len(left) == len(row["tax_ids"]["data"]):
            raise Problem.missing("tax_id", id_)
        row["tax_ids"]["data"] = left
        self.changed("delete", "tax_id", id_)
        return web.json_response({"id": id_, "object": "tax_id", "deleted": True})

    async def _search(self, request: web.Request) -> web.Response:
        asked = await parameters(request)
        index = self.table("_index") if self.is_index_late else self.table("customer")
        rows = [it for it in index.values() if not it.get("deleted")]
        return self._page(searched(request.path, rows, asked))

    async def _get(self, request: web.Request) -> web.Response:
        kind, _ = LISTS[request.path.rpartition("/")[0]]
        expand = expanded(await parameters(request))
        row = self._of(request, kind)
        return web.json_response(self._shown(row, expand))

    async def _update(self, request: web.Request) -> web.Response:
        kind, _ = LISTS[request.path.rpartition("/")[0]]
        row = self._of(request, kind)
        if row.get("deleted"):
            raise Problem.missing(kind, row["id"])
        asked = await parameters(request)
        self._check_state(kind, row, asked)
        updated(row, asked, CHANGEABLE[kind])
        if kind == "customer":
            self._take_over(row)
        self.changed("update", kind, row["id"])
        return web.json_response(self._shown(row))

    def _check_state(self, kind: str, row: Row, asked: Mapping[str, str]) -> None:
        """Whether an object can be changed as it is now. Raises `Problem`."""
        beside = [it for it in asked if not it.startswith("metadata")]
        if kind == "payment_method" and row["customer"] is None:
            raise Problem("payment_method_not_attached")
        bank = kind == "payment_method" and row["type"] == "us_bank_account"
        if bank and any(it.startswith("billing_details") for it in beside):
            raise Problem("payment_method_billing_details_fixed")
        if kind == "invoice" and row["status"] != "draft" and beside:
            raise Problem("invoice_not_editable")
        if kind == "subscription" and row["status"] in ENDED and beside:
            raise Problem("subscription_canceled")

    def _take_over(self, customer: Row) -> None:
        for it in self.table("invoice").values():
            if it["customer"] == customer.get("id") and it["status"] == "draft":
                it |= {f"customer_{name}": deepcopy(customer[name]) for name in TAKEN_OVER}

    async def _detach(self, request: web.Request) -> web.Response:
        await parameters(request)
        row = self._of(request, "payment_method")
        if row["customer"] is None:
            raise Problem("payment_method_not_attached")
        row["customer"] = None
        self.changed("detach", "payment_method", row["id"])
        return web.json_response(self._shown(row))

    async def _delete_customer(self, request: web.Request) -> web.Response:
        """Cancels what is active; invoices and charges stay as they are."""
        row = self._of(request, "customer")
        if row.get("deleted"):
            raise Problem.missing("customer", row["id"])
        gone = {"id": row["id"], "object": "customer", "deleted": True}
        self.table("_deleted")[row["id"]] = gone
        del self.table("customer")[row["id"]]
        for it in self.table("payment_method").values():
            if it["customer"] == row["id"]:
                it["customer"] = None
        for it in self.table("subscription").values():
            if it["customer"] == row["id"] and it["status"] != "canceled":
                it["status"] = "canceled"
                self.changed("cancel", "subscription", it["id"])
        self.changed("delete", "customer", row["id"])
        return web.json_response(gone)

    async def _delete_invoice(self, request: web.Request) -> web.Response:
        row = self._of(request, "invoice")
        if row["status"] != "draft":
            raise Problem("invoice_not_editable")
        del self.table("invoice")[row["id"]]
        self.changed("delete", "invoice", row["id"])
        return web.json_response({"id": row["id"], "object": "invoice", "deleted": True})

    def _of(self, request: web.Request, kind: str) -> Row:
        return self._find(kind, request.match_info["id"]) or {}

    def _find(self, kind: str, id_: str | None) -> Row | None:
        """The object, deleted customers too. Raises `Problem` if there is none."""
        if id_ is None:
            return None
        gone = self.table("_deleted").get(id_) if kind == "customer" else None
        row = self.table(kind).get(id_) or gone
        if row is None:
            raise Problem.missing(kind, id_)
        return row
