"""Freshdesk on loopback: contacts, tickets and conversations, as its API v2 documents them.

https://developers.freshdesk.com/api/. A list of tickets has no descriptions, as for every account
made after 30 November 2018, and no attachments; a ticket has no conversations unless they are asked
for, and then the first ten. Files lie on another host, under addresses that are good for five
minutes and, as S3's, refuse whoever brings credentials as well.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from aiohttp import web

from connectors.sdk.sandbox import Sandbox
from connectors.sdk.spelling import lower

from .sandbox_objects import AGENT, CONTACT, CONVERSATION, STATS, TICKET, Row

V2 = "/api/v2"
LARGEST_PAGE = 100
WINDOW = timedelta(days=30)
"""How far back a list of tickets reaches unless `updated_since` is given."""

STORE = "/data/helpdesk/attachments/production"
"""Where files lie, on a host of its own."""
EXPIRES = timedelta(minutes=5)

STATES = frozenset({"verified", "unverified", "blocked", "deleted"})
UPDATABLE = CONTACT.keys() - {"active", "avatar", "contact_type", "devices"}
UPDATABLE_OF_TICKET = frozenset(
    {
        "custom_fields",
        "description",
        "priority",
        "responder_id",
        "status",
        "subject",
        "tags",
        "type",
    }
)
LONGEST_TAG = 32
ADDRESS = re.compile(r"[^@\s,;<>\x00-\x20\x7f]{1,64}@[^@\s,;<>\x00-\x20\x7f]{1,255}")
NOT_LISTED = frozenset({"avatar", "devices", "other_emails", "tags", "unique_external_id"})
"""Fields of a contact that only its own page shows."""
CONTACT_FILTERS = ("email", "mobile", "phone", "company_id", "contact_type")
IDENTIFYING = ("email", "phone", "mobile", "twitter_id", "social_handler", "unique_external_id")
"""A contact must have one of them."""

NOT_LISTED_OF_TICKET = frozenset({"attachments", "description", "description_text", "tags"})
FILTERS = frozenset({"new_and_my_open", "watching", "spam", "deleted"})
ORDERS = frozenset({"created_at", "due_by", "status", "updated_at"})
OPEN = 2
EMBEDDED = 10
"""How many conversations, the oldest, a ticket shows with `include=conversations`."""


class FreshdeskSandbox(Sandbox):
    """One Freshdesk account. Fields that begin with `_` are its own and never leave it."""

    system = "freshdesk"
    cursor = r"\bpage=\d+"
    unreadable = (rf"^{V2}/tickets",)
    by_job = r"/hard_delete$"
    public = (rf"^{STORE}/",)
    combines_filters = True
    """Whether `filter=spam|deleted` and `requester_id` narrow each other: undocumented."""
    last_page = 300
    """Of a list of tickets."""
    contact_fields: Sequence[str] = ()
    """The account's own: every contact shows them, empty or not."""

    # What tests and the demo use.

    def add_contact(self, **fields: Any) -> str:
        """A contact; `state` may be `verified`, `unverified`, `blocked` or `deleted`. Its id."""
        return self.plant("contact", fields)

    def add_ticket(
        self,
        requester_id: str,
        subject: str,
        conversations: Sequence[str | Mapping[str, Any]] = (),
        **fields: Any,
    ) -> str:
        """A ticket, 400 days old unless told otherwise; `archived=True` archives it. Its id."""
        given = {"requester_id": requester_id, "subject": subject, "conversations": conversations}
        return self.plant("ticket", given | fields)

    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        """A `contact` or a `ticket` (with its `conversations`).

        An `avatar`, and each of `attachments`, has a `name` and its `content`: text or bytes.
        """
        if kind not in {"contact", "ticket"}:
            raise ValueError("Freshdesk has contacts and tickets")
        long_ago = _stamp(self.now() - timedelta(days=400))
        row: Row = {"created_at": long_ago, "updated_at": long_ago, **fields}
        row["id"] = int(row["id"]) if "id" in row else self.new_id()
        id_ = str(row["id"])
        if kind == "contact":
            if row.get("avatar"):
                row["avatar"] = self._stored(row["avatar"])
            own = dict.fromkeys(self.contact_fields)
            row["custom_fields"] = {**own, **(row.get("custom_fields") or {})}
            self.table(kind)[id_] = _contact(row)
            return id_
        conversations = row.pop("conversations", ())
        row["_archived"] = row.pop("archived", False)
        row["requester_id"] = int(row["requester_id"])
        row["attachments"] = [self._stored(it) for it in row.get("attachments", ())]
        self.table(kind)[id_] = deepcopy(TICKET) | row
        self._converse(int(id_), conversations)
        return id_

    def settings(self, *, restricted: bool = False) -> Mapping[str, str]:
        """Of the connector."""
        return {"url": self.url, "api_key": self.restricted_key if restricted else self.key}

    # How it answers.

    def credential(self, request: web.Request) -> str | None:
        """The user of basic authentication is the key."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        try:
            return base64.b64decode(encoded).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None

    def refusal(self, status: int) -> web.Response:
        """Freshdesk's errors; a 404 has no body."""
        said = {
            401: ("invalid_credentials", "You have to be logged in to perform this action."),
            403: ("access_denied", "You are not authorized to perform this action."),
            429: ("rate_limit", "You have exceeded the limit of requests per minute."),
        }
        if status == HTTPStatus.NOT_FOUND:
            return web.Response(status=status)
        code, message = said.get(status, ("error", HTTPStatus(status).phrase))
        return web.json_response({"code": code, "message": message}, status=status)

    def dress(self, response: web.StreamResponse) -> None:
        """The API's version and what is left of the rate limit."""
        super().dress(response)
        total = self.limit.calls if self.limit else 700
        response.headers["X-Freshdesk-Api-Version"] = "latest=v2; requested=v2"
        response.headers["X-Ratelimit-Total"] = str(total)
        response.headers["X-Ratelimit-Remaining"] = str(total - self.used)
        response.headers["X-Ratelimit-Used-CurrentRequest"] = "1"

    def routes(self) -> list[web.RouteDef]:
        """What a connector needs of API v2."""
        contact, ticket, archived = f"{V2}/contacts", f"{V2}/tickets", f"{V2}/tickets/archived"
        return [
            web.get(f"{V2}/agents/me", self._me),
            web.get(contact, self._contacts),
            web.get(f"{contact}/{{id}}", self._get_contact),
            web.put(f"{contact}/{{id}}", self._put_contact),
            web.delete(f"{contact}/{{id}}", self._delete_contact),
            web.delete(f"{contact}/{{id}}/hard_delete", self._hard_delete),
            web.put(f"{contact}/{{id}}/restore", self._restore),
            web.get(ticket, self._tickets),
            web.get(f"{STORE}/{{id}}/original/{{name}}", self._file),
            *(
                route
                for base in (archived, ticket)
                for route in (
                    web.get(f"{base}/{{id}}", self._get_ticket),
                    *([] if base == archived else [web.put(f"{base}/{{id}}", self._put_ticket)]),
                    web.delete(f"{base}/{{id}}", self._delete_ticket),
                    web.get(f"{base}/{{id}}/conversations", self._conversations),
                )
            ),
        ]

    async def _me(self, _: web.Request) -> web.Response:
        return web.json_response(AGENT)

    # Contacts.

    async def _contacts(self, request: web.Request) -> web.Response:
        query = request.query
        states = {query["state"]} if "state" in query else {"verified", "unverified"}
        if not states <= STATES:
            return _invalid("state", "invalid_value")
        asked = {name: query[name] for name in CONTACT_FILTERS if query.get(name)}
        found = [
            row
            for row in self.table("contact").values()
            if row["_state"] in states
            and all(_is(row[k], v) for k, v in asked.items())
            and row["updated_at"] >= query.get("updated_since", "")
        ]
        found.sort(key=lambda row: (row["name"] or "", row["id"]))
        return _paged(request, found, lambda row: _shown(row, NOT_LISTED))

    def _contact(self, request: web.Request) -> Row:
        found = self.table("contact").get(request.match_info["id"])
        if found is None:
            raise web.HTTPNotFound
        return found

    async def _get_contact(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown_whole(self._contact(request)))

    async def _put_contact(self, request: web.Request) -> web.Response:
        row = self._contact(request)
        if row["_state"] in {"blocked", "deleted"}:
            return self.refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        given = await _given(request)
        objection = _invalid("", "invalid_json") if given is None else self._objection(row, given)
        if given is None or objection is not None:
            return objection or _invalid("", "invalid_json")
        email = _lower(given.get("email", row["email"]))
        own = {**row["custom_fields"], **(given.get("custom_fields") or {})}
        row |= {**given, "email": email, "custom_fields": own, "updated_at": _stamp(self.now())}
        self.changed("update", "contact", str(row["id"]))
        return web.json_response(self._shown_whole(row))

    def _objection(self, row: Row, given: Row) -> web.Response | None:
        changed = row | given
        unknown = sorted(given.keys() - UPDATABLE)
        unknown += sorted((given.get("custom_fields") or {}).keys() - row["custom_fields"].keys())
        if unknown:
            return _invalid(unknown[0], "invalid_field")
        valid = {
            "name": bool(changed["name"]),
            "email": not given.get("email") or ADDRESS.fullmatch(given["email"]),
            "tags": all(len(it) <= LONGEST_TAG for it in changed["tags"]),
        }
        wrong = [name for name, is_valid in valid.items() if not is_valid]
        if wrong:
            return _invalid(wrong[0], "invalid_value")
        if not any(changed[name] for name in IDENTIFYING):
            return _invalid("email", "missing_field")
        if self._is_taken(changed):
            return _invalid("email", "duplicate_value", HTTPStatus.CONFLICT)
        return None

    def _is_taken(self, changed: Row) -> bool:
        email = _lower(changed["email"])
        return bool(email) and any(
            row["email"] == email and row["id"] != changed["id"]
            for row in self.table("contact").values()
        )

    async def _delete_contact(self, request: web.Request) -> web.Response:
        row = self._contact(request)
        if row["_state"] in {"blocked", "deleted"}:
            return self.refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        row |= {"_state": "deleted", "deleted": True, "updated_at": _stamp(self.now())}
        self.changed("delete", "contact", str(row["id"]))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _restore(self, request: web.Request) -> web.Response:
        row = self._contact(request)
        if row["_state"] != "deleted":
            raise web.HTTPNotFound
        row |= {"_state": _state(row["active"]), "updated_at": _stamp(self.now())}
        row.pop("deleted", None)
        self.changed("restore", "contact", str(row["id"]))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _hard_delete(self, request: web.Request) -> web.Response:
        row = self._contact(request)
        if row["_state"] != "deleted" and request.query.get("force") != "true":
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        for id_, ticket in list(self.table("ticket").items()):
            if ticket["requester_id"] == row["id"]:
                self._purge_ticket(id_)
        del self.table("contact")[str(row["id"])]
        self.changed("hard_delete", "contact", str(row["id"]))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    # Tickets.

    async def _tickets(self, request: web.Request) -> web.Response:
        query = request.query
        which = query.get("filter")
        if which not in {None, *FILTERS}:
            return _invalid("filter", "invalid_value")
        found = [
            row
            for row in self.table("ticket").values()
            if not row["_archived"] and _is_in(which, row) and self._is_asked_for(query, row)
        ]
        by = query.get("order_by", "created_at")
        if by not in ORDERS:
            return _invalid("order_by", "invalid_value")
        page = query.get("page", "1")
        if page.isdecimal() and int(page) > self.last_page:
            return _invalid("page", "invalid_value")
        found.sort(key=lambda row: (row[by] or "", row["id"]))
        if query.get("order_type", "desc") == "desc":
            found.reverse()
        include = query.get("include", "").split(",")

        def show(row: Row) -> Row:
            more = {"stats": self._stats(row)} if "stats" in include else {}
            more |= {"requester": self._requester(row)} if "requester" in include else {}
            return _shown(row, NOT_LISTED_OF_TICKET) | more

        return _paged(request, found, show)

    def _requester(self, ticket: Row) -> Row:
        agent = {**AGENT["contact"], "id": AGENT["id"]}
        others = agent if ticket["requester_id"] == AGENT["id"] else {}
        requester = self.table("contact").get(str(ticket["requester_id"]), others)
        return {name: requester.get(name) for name in ("email", "id", "mobile", "name", "phone")}

    def _stats(self, ticket: Row) -> Row:
        """When either side last wrote: notes that only agents see are no answers."""
        said = [it for it in self._said_of(ticket) if not it["private"]]
        asked, answered = (
            max((it["created_at"] for it in said if it["incoming"] is incoming), default=None)
            for incoming in (True, False)
        )
        return {**STATS, "requester_responded_at": asked, "agent_responded_at": answered}

    def _is_asked_for(self, query: Mapping[str, str], row: Row) -> bool:
        narrows = self.combines_filters or "filter" not in query
        if narrows and not self._is_requested(query, row):
            return False
        if "updated_since" in query:
            return bool(row["updated_at"] >= query["updated_since"])
        return bool(row["created_at"] >= _stamp(self.now() - WINDOW))

    def _is_requested(self, query: Mapping[str, str], row: Row) -> bool:
        """Whether it is a ticket of the company, and of the requester, that the query names."""
        requester = self.table("contact").get(str(row["requester_id"]), {})
        named = {
            "requester_id": row["requester_id"],
            "company_id": row["company_id"],
            "email": requester.get("email"),
            "unique_external_id": requester.get("unique_external_id"),
        }
        return all(_is(value, query[name]) for name, value in named.items() if name in query)

    def _ticket(self, request: web.Request) -> Row:
        found = self.table("ticket").get(request.match_info["id"])
        if found is None or found["_archived"] != request.path.startswith(f"{V2}/tickets/archived"):
            raise web.HTTPNotFound
        return found

    async def _get_ticket(self, request: web.Request) -> web.Response:
        row = self._ticket(request)
        said = self._shown_whole(row)
        include = request.query.get("include", "").split(",")
        if "stats" in include:
            said["stats"] = self._stats(row)
        if "conversations" in include:
            said["conversations"] = [self._shown_whole(it) for it in self._said_of(row)[:EMBEDDED]]
        if "requester" in include:
            said["requester"] = self._requester(row)
        return web.json_response(said)

    async def _put_ticket(self, request: web.Request) -> web.Response:
        row = self._ticket(request)
        if row["spam"] or row.get("deleted"):
            return self.refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        given = await _given(request)
        if given is None:
            return _invalid("", "invalid_json")
        unknown = sorted(given.keys() - UPDATABLE_OF_TICKET)
        if unknown:
            return _invalid(unknown[0], "invalid_field")
        if any(len(it) > LONGEST_TAG for it in given.get("tags", ())):
            return _invalid("tags", "invalid_value")
        row |= {**given, "updated_at": _stamp(self.now())}
        self.changed("update", "ticket", str(row["id"]))
        return web.json_response(self._shown_whole(row))

    async def _delete_ticket(self, request: web.Request) -> web.Response:
        row = self._ticket(request)
        if row["spam"] or row.get("deleted"):
            return self.refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        if row["_archived"]:
            self._purge_ticket(str(row["id"]))
        else:
            row |= {"deleted": True, "updated_at": _stamp(self.now())}
            self.changed("delete", "ticket", str(row["id"]))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _conversations(self, request: web.Request) -> web.Response:
        return _paged(request, self._said_of(self._ticket(request)), self._shown_whole)

    def _said_of(self, ticket: Row) -> list[Row]:
        conversations = self.table("conversation").values()
        return [row for row in conversations if row["ticket_id"] == ticket["id"]]

    def _converse(self, ticket: int, said: Iterable[str | Mapping[str, Any]]) -> None:
        for it in said:
            text = {"body_text": it} if isinstance(it, str) else dict(it)
            stamp = _stamp(self.now() - timedelta(days=399))
            row = deepcopy(CONVERSATION) | {"id": self.new_id(), "ticket_id": ticket}
            row |= {"user_id": self.table("ticket")[str(ticket)]["requester_id"]}
            row |= {"created_at": stamp, "updated_at": stamp, **text}
            row.setdefault("body", f"<div>{escape(row['body_text'])}</div>")
            row["attachments"] = [self._stored(it) for it in row["attachments"]]
            self.table("conversation")[str(row["id"])] = row

    def _purge_ticket(self, id_: str) -> None:
        for key, row in list(self.table("conversation").items()):
            if row["ticket_id"] == int(id_):
                del self.table("conversation")[key]
        del self.table("ticket")[id_]
        self.changed("hard_delete", "ticket", id_)

    # Files.

    def _stored(self, given: Row) -> Row:
        content = given.get("content", "")
        body = content.encode() if isinstance(content, str) else content
        stamp = _stamp(self.now() - timedelta(days=400))
        return {
            "content_type": given.get("content_type", "application/octet-stream"),
            "created_at": stamp,
            "id": self.new_id(),
            "name": given["name"],
            "size": len(body),
            "updated_at": stamp,
            "_content": body.decode("latin-1"),  # the state is JSON
        }

    def _linked(self, stored: Row, field: str) -> Row:
        """A file as it is shown: with an address that is good for some minutes."""
        until = int((self.now() + EXPIRES).timestamp())
        host = self.url.replace("127.0.0.1", "localhost")
        path = f"{STORE}/{stored['id']}/original/{quote(stored['name'], safe='')}"
        return {**_shown(stored), field: f"{host}{path}?Expires={until}&Signature=sandbox"}

    def _shown_whole(self, row: Row) -> Row:
        shown = _shown(row)
        if "attachments" in row:
            found = [self._linked(it, "attachment_url") for it in row["attachments"]]
            shown["attachments"] = found
        if row.get("avatar"):
            shown["avatar"] = self._linked(row["avatar"], "avatar_url")
        return shown

    async def _file(self, request: web.Request) -> web.Response:
        if "Authorization" in request.headers:
            return web.Response(status=HTTPStatus.BAD_REQUEST, text="<Code>InvalidArgument</Code>")
        if int(request.query.get("Expires", "0")) < self.now().timestamp():
            return web.Response(status=HTTPStatus.FORBIDDEN, text="<Code>AccessDenied</Code>")
        for stored in self._files():
            if str(stored["id"]) == request.match_info["id"]:
                body = stored["_content"].encode("latin-1")
                return web.Response(body=body, content_type=stored["content_type"])
        return web.Response(status=HTTPStatus.NOT_FOUND, text="<Code>NoSuchKey</Code>")

    def _files(self) -> Iterable[Row]:
        for table in self.tables.values():
            for row in table.values():
                yield from row.get("attachments") or ()
                if row.get("avatar"):
                    yield row["avatar"]


async def _given(request: web.Request) -> Row | None:
    """The body; None if it is no object of JSON."""
    try:
        given = json.loads(await request.read())
    except ValueError:
        return None
    return given if isinstance(given, dict) else None


def _contact(fields: Row) -> Row:
    row = deepcopy(CONTACT) | fields
    row["email"] = _lower(row["email"])
    row["name"] = row["name"] or row["email"] or row["phone"] or row["mobile"]
    row["_state"] = row.pop("state", None) or _state(row["active"])
    row["active"] = row["active"] and row["_state"] != "unverified"
    if row["_state"] == "deleted":
        row["deleted"] = True
    return row


def _is(value: object, asked: str) -> bool:
    return value is not None and str(value) == asked


def _is_in(folder: str | None, ticket: Row) -> bool:
    """Whether a list of tickets so filtered has it. Nobody watches one here."""
    if (ticket["spam"], ticket.get("deleted", False)) != (folder == "spam", folder == "deleted"):
        return False
    new_or_mine = ticket["status"] == OPEN and ticket["responder_id"] in {None, AGENT["id"]}
    return folder != "watching" and (folder != "new_and_my_open" or new_or_mine)


def _state(active: object) -> str:
    return "verified" if active else "unverified"


def _lower(email: str | None) -> str | None:
    return lower(email) if email else email


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(row: Row, hidden: frozenset[str] = frozenset()) -> Row:
    return {k: v for k, v in row.items() if not k.startswith("_") and k not in hidden}


def _invalid(field: str, code: str, status: int = HTTPStatus.BAD_REQUEST) -> web.Response:
    error = {"field": field, "message": "It should be different", "code": code}
    said = {"description": "Validation failed", "errors": [error]}
    return web.json_response(said, status=status)


def _paged(request: web.Request, rows: Sequence[Row], show: Callable[[Row], Row]) -> web.Response:
    page, size = request.query.get("page", "1"), request.query.get("per_page", "30")
    if not (size.isdecimal() and 1 <= int(size) <= LARGEST_PAGE):
        return _invalid("per_page", "invalid_value")
    if not (page.isdecimal() and int(page) >= 1):
        return _invalid("page", "invalid_value")
    start = (int(page) - 1) * int(size)
    response = web.json_response([show(row) for row in rows[start : start + int(size)]])
    if start + int(size) < len(rows):
        following = request.url.update_query(page=int(page) + 1)
        response.headers["Link"] = f'<{following}>;rel="next"'
    return response
