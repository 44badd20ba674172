"""Mailgun on loopback: domains, lists with members, suppressions, allowlists and events, with the
messages that these are about, as documented.

https://documentation.mailgun.com/docs/mailgun/api-reference, and recorded answers of the real one.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from connectors.sdk.sandbox import Sandbox

Row = dict[str, Any]

SUPPRESSIONS = {
    "bounces": "bounce",
    "unsubscribes": "unsubscribe",
    "complaints": "complaint",
    "whitelists": "allowlisted",
}
DEFAULTS: Mapping[str, Row] = {
    "allowlisted": {"type": "address", "reason": "They asked for it"},
    "bounce": {"code": "550", "error": "No such mailbox"},
    "unsubscribe": {"tags": ["*"]},
    "complaint": {},
}
GIVEN = ("code", "created_at", "error", "tags")
"""Of what is entered, all that is taken besides the address."""
MOST_ENTRIES = 1000
ADDRESS = re.compile(r"[^@\s,;<>\"\x00-\x20\x7f]+@[^@\s,;<>\"\x00-\x20\x7f]+")
STORED = frozenset({"accepted", "delivered", "failed", "stored"})
"""The events that tell where their message is stored."""
KEPT = timedelta(days=3)
"""A message, by a domain's default; by its plan from none to seven days. Events are kept longer."""


class MailgunSandbox(Sandbox):
    """One Mailgun account. Its ids are the sandbox's own: Mailgun goes by addresses.

    Domains and lists are nobody's: they are not shown as state.
    """

    system = "mailgun"
    cursor = r"\b(page|address|skip)=[^&]*|(?<=/events)/[^?]*"
    unreadable = (r"^/v3/lists",)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.largest_page = 1000

    # What tests and the demo use.

    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        """A `domain`, a `list`, a `member` of a `list`, a suppression or `event` of a `domain`.

        An event may have a `mime`, the message that it is about: else one is made.
        """
        row: Row = dict(fields)
        if kind in {"domain", "list"}:
            id_ = str(row.get("name") if kind == "domain" else row.get("address"))
            self.table(f"_{kind}")[id_] = row
            return id_
        of = str(row.pop("list" if kind == "member" else "domain"))
        domain = of.rpartition("@")[2]  # a list is at a domain of the account
        self.table("_domain").setdefault(domain, {"name": domain})
        if kind == "member":
            self.table("_list").setdefault(of, {"address": of})
        return self._plant(kind, of, row)

    def _plant(self, kind: str, of: str, row: Row) -> str:
        if kind == "event":
            row = self._event(of, row)
        elif kind == "member":
            row = {"name": "", "subscribed": True, "vars": {}, **row}
        elif kind in DEFAULTS:
            stamp = "createdAt" if kind == "allowlisted" else "created_at"
            row = {stamp: _stamp(self), **DEFAULTS[kind], **row}
        else:
            raise ValueError("Mailgun has domains, lists, members, suppressions and events")
        id_ = str(self.new_id())
        self.table(kind)[id_] = row | {"_of": of, "_id": id_}
        return id_

    def _event(self, of: str, given: Row) -> Row:
        """With what Mailgun says of every event; `_mime` is its message, while it is stored."""
        n = self.new_id()
        headers = {
            "to": given.get("recipient", ""),
            "message-id": f"{n}@{of}",
            "from": f"news@{of}",
            "subject": "Our news",
            **given.get("message", {}).get("headers", {}),
        }
        row = {
            "event": "delivered",
            "id": f"event-{n}",
            "timestamp": (self.now() - timedelta(days=2)).timestamp(),
            "log-level": "info",
            "recipient": "",
            "tags": [],
            "user-variables": {},
            "client-info": {},
            **given,
            "message": {"attachments": [], **given.get("message", {}), "headers": headers},
        }
        if row["event"] in STORED:
            key = f"message-{n}"
            at = f"{self.url}/v3/domains/{of}/messages/{key}"
            row = {"storage": {"url": at, "key": key}, "mime": _mime(headers), **row}
        return row | ({"_mime": row.pop("mime")} if "mime" in row else {})

    def settings(self, *, restricted: bool = False) -> Mapping[str, str]:
        """Of the connector."""
        return {"url": self.url, "api_key": self.restricted_key if restricted else self.key}

    # How it answers.

    def credential(self, request: web.Request) -> str | None:
        """The password of basic authentication, for the user `api`, is the key."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return password if (scheme, user) == ("Basic", "api") else None

    def refusal(self, status: int) -> web.Response:
        """Mailgun's errors; a 401 is plain text, an unknown path a page."""
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return web.Response(text="Forbidden", status=status)
            case HTTPStatus.NOT_FOUND:
                page = "<html><title>404: Not Found</title></html>"
                return web.Response(text=page, content_type="text/html", status=status)
            case _:
                said = {"message": HTTPStatus(status).phrase}
                return web.json_response(said, status=status)

    def routes(self) -> list[web.RouteDef]:
        """What a connector needs; the collection deletes too, so that a mistake shows."""
        member = "/v3/lists/{of}/members/{address}"
        made = [
            web.get("/v4/domains", self._domains),
            web.get("/v3/domains", self._domains),
            web.get("/v3/lists/pages", self._lists),
            web.get("/v3/lists/{of}/members/pages", self._members),
            web.post("/v3/lists/{of}/members", self._add_member),
            web.get(member, self._get("member", "Member not found")),
            web.put(member, self._put_member),
            web.delete(member, self._remove("member", "Mailing list member has been deleted")),
            web.get("/v3/domains/{of}/messages/{key}", self._message),
            web.get("/v3/{of}/events", self._first_events),
            web.get("/v3/{of}/events/{page}", self._more_events),
        ]
        for name, kind in SUPPRESSIONS.items():
            missing = (
                "Address/Domain not found in allowlist table"
                if kind == "allowlisted"
                else f"Address not found in {name} table"
            )
            made += [
                web.get(f"/v3/{{of}}/{name}", self._suppressed(kind)),
                web.post(f"/v3/{{of}}/{name}", self._suppress(kind, name)),
                web.delete(f"/v3/{{of}}/{name}", self._wipe(kind)),
                web.get(f"/v3/{{of}}/{name}/{{address}}", self._get(kind, missing)),
                web.delete(f"/v3/{{of}}/{name}/{{address}}", self._remove(kind, "Removed")),
            ]
        return made

    async def _domains(self, request: web.Request) -> web.Response:
        rows = list(reversed(self.table("_domain").values()))  # the newest first
        skip, limit = int(request.query.get("skip", 0)), self._limit(request)
        page = [_shown(it) for it in rows[skip : skip + limit]]
        return web.json_response({"total_count": len(rows), "items": page})

    # Lists and members.

    async def _lists(self, request: web.Request) -> web.Response:
        return self._paged(request, sorted(self.table("_list").values(), key=_address))

    async def _members(self, request: web.Request) -> web.Response:
        return self._paged(request, self._rows("member", request))

    async def _add_member(self, request: web.Request) -> web.Response:
        given = await request.post()
        row: Row = {"address": str(given["address"]), "name": str(given.get("name", ""))}
        row["vars"] = json.loads(str(given.get("vars", "{}")))
        self._plant("member", request.match_info["of"], row)
        said = {"member": row, "message": "Mailing list member has been created"}
        return web.json_response(said)

    async def _put_member(self, request: web.Request) -> web.Response:
        row = self._one("member", request)
        if row is None:
            return _missing("Member not found")
        given = {name: str(value) for name, value in (await request.post()).items()}
        objection = self._objection(request, row, given.get("address") or row["address"])
        if objection is not None:
            return objection
        row.update({name: value for name, value in given.items() if name in {"name", "address"}})
        if "vars" in given:
            row["vars"] = json.loads(given["vars"])
        if "subscribed" in given:
            row["subscribed"] = given["subscribed"] in {"yes", "true"}
        self.changed("update", "member", row["_id"])
        said = {"member": _shown(row), "message": "Mailing list member has been updated"}
        return web.json_response(said)

    def _objection(self, request: web.Request, row: Row, address: str) -> web.Response | None:
        """To the address that a member is to have."""
        if not ADDRESS.fullmatch(address):
            return _refused(f"'address' parameter is not a valid address: {address!r}")
        others = (it for it in self._rows("member", request) if it is not row)
        if any(_address(it) == address.lower() for it in others):
            return _refused(f"Address already exists '{address}'")
        return None

    # Suppressions.

    def _suppressed(self, kind: str) -> Callable[..., Any]:
        async def answer(request: web.Request) -> web.Response:
            if request.match_info["of"] not in self.table("_domain"):
                return _missing("Domain not found: " + request.match_info["of"])
            return self._paged(request, self._rows(kind, request))

        return answer

    def _suppress(self, kind: str, name: str) -> Callable[..., Any]:
        """Enter addresses. What is there already is replaced, as far as something is given."""

        async def answer(request: web.Request) -> web.Response:
            of, is_json = request.match_info["of"], request.content_type == "application/json"
            if of not in self.table("_domain"):
                return _missing("Domain not found: " + of)
            given = await request.json() if is_json else [_form(await request.post())]
            if len(given) > MOST_ENTRIES:
                return _refused("Batch size should be less than 1000")
            for it in given:
                self._enter(kind, of, it)
            what = f"added to the {name} table"
            said = {"message": f"{len(given)} addresses have been {what}"}
            single = {"address": given[0]["address"], "message": f"Address has been {what}"}
            return web.json_response(said if is_json else single)

        return answer

    def _enter(self, kind: str, of: str, given: Row) -> None:
        address = str(given["address"])
        field = "value" if kind == "allowlisted" else "address"
        known = {it: given[it] for it in GIVEN if given.get(it) is not None}
        there = (it for it in self.table(kind).values() if it["_of"] == of)
        row = next((it for it in there if _address(it) == address.lower()), None)
        if row is not None:
            row.update(known)
        id_ = row["_id"] if row is not None else self._plant(kind, of, {field: address, **known})
        self.changed("enter", kind, id_)

    def _wipe(self, kind: str) -> Callable[..., Any]:
        async def answer(request: web.Request) -> web.Response:
            for it in self._rows(kind, request):
                self._drop(kind, it)
            return web.json_response({"message": "All entries have been removed"})

        return answer

    # One thing.

    def _get(self, kind: str, missing: str) -> Callable[..., Any]:
        async def answer(request: web.Request) -> web.Response:
            if kind in DEFAULTS and request.match_info["of"] not in self.table("_domain"):
                return _missing("Domain not found: " + request.match_info["of"])
            row = self._one(kind, request)
            if row is None:
                return _missing(missing)
            shown = _shown(row)
            return web.json_response({"member": shown} if kind == "member" else shown)

        return answer

    def _remove(self, kind: str, said: str) -> Callable[..., Any]:
        async def answer(request: web.Request) -> web.Response:
            row = self._one(kind, request)
            if row is None:
                return _missing("Address not found")
            self._drop(kind, row)
            shown: Row = {name: row[name] for name in ("address", "value") if name in row}
            shown = {"member": shown} if kind == "member" else shown
            return web.json_response({**shown, "message": said})

        return answer

    def _drop(self, kind: str, row: Row) -> None:
        del self.table(kind)[row["_id"]]
        self.changed("delete", kind, row["_id"])

    def _one(self, kind: str, request: web.Request) -> Row | None:
        address = request.match_info["address"].lower()
        return next((it for it in self._rows(kind, request) if _address(it) == address), None)

    def _rows(self, kind: str, request: web.Request) -> list[Row]:
        of = request.match_info["of"]
        return sorted((it for it in self.table(kind).values() if it["_of"] == of), key=_address)

    # Events.

    async def _first_events(self, request: web.Request) -> web.Response:
        """From `begin` on, which is now, into the past, or ascending into the future."""
        names = ("recipient", "limit", "begin", "ascending")
        asked = {it: request.query[it] for it in names if it in request.query}
        return self._events(request, {"skip": 0, "begin": self.now().timestamp(), **asked})

    async def _more_events(self, request: web.Request) -> web.Response:
        token = request.match_info["page"]
        return self._events(request, json.loads(base64.urlsafe_b64decode(token)))

    def _events(self, request: web.Request, asked: Row) -> web.Response:
        of, recipient = request.match_info["of"], str(asked.get("recipient", "")).lower()
        if of not in self.table("_domain"):
            return _missing(f"Domain not found: {of}")
        begin, rises = float(asked["begin"]), asked.get("ascending") in {"yes", "true"}
        rows = [
            it
            for it in self.table("event").values()
            if it["_of"] == of and (not recipient or it["recipient"].lower() == recipient)
            if float(it["timestamp"] or 0) == begin
            or (float(it["timestamp"] or 0) > begin) == rises
        ]
        rows.sort(key=lambda it: float(it["timestamp"] or 0), reverse=not rises)
        skip, limit = int(asked["skip"]), min(int(asked.get("limit", 100)), 300)
        page = [_shown(it) for it in rows[skip : skip + limit]]
        token = base64.urlsafe_b64encode(json.dumps(asked | {"skip": skip + len(page)}).encode())
        following = f"{self.url}/v3/{of}/events/{token.decode()}"
        return web.json_response({"items": page, "paging": {"next": following}})

    async def _message(self, request: web.Request) -> web.Response:
        """As it was sent, or in parts, for as long as it is kept."""
        of, key = request.match_info["of"], request.match_info["key"]
        until = (self.now() - KEPT).timestamp()
        for row in self.table("event").values():
            stored = row.get("storage")
            if (row["_of"], stored and stored["key"]) == (of, key) and row["timestamp"] > until:
                headers = row["message"]["headers"]
                said = {
                    "From": headers["from"],
                    "To": headers["to"],
                    "recipients": row["recipient"],
                }
                if request.headers.get("Accept") == "message/rfc2822":
                    return web.json_response({**said, "body-mime": row["_mime"]})
                return web.json_response({**said, "body-plain": row["_mime"]})
        return _missing("Message not found")

    def _limit(self, request: web.Request) -> int:
        return min(int(request.query.get("limit", 100)), self.largest_page)

    def _paged(self, request: web.Request, rows: Sequence[Row]) -> web.Response:
        """By address: each page says where the next begins."""
        limit = self._limit(request)
        after = request.query.get("address", "").lower()
        page = [it for it in rows if _address(it) > after][:limit]
        last = _address(page[-1]) if page else after
        following = str(request.url.with_query(page="next", address=last, limit=limit))
        return web.json_response(
            {"items": [_shown(it) for it in page], "paging": {"next": following}}
        )


def _address(row: Row) -> str:
    return str(row.get("address") or row["value"]).lower()


def _mime(headers: Mapping[str, str]) -> str:
    """A message with these headers."""
    lines = [f"{name.title()}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", f"This is {headers['subject'].lower()}.", ""])


def _shown(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _missing(said: str) -> web.Response:
    return web.json_response({"message": said}, status=HTTPStatus.NOT_FOUND)


def _refused(said: str) -> web.Response:
    return web.json_response({"message": said}, status=HTTPStatus.BAD_REQUEST)


def _form(given: Mapping[str, Any]) -> Row:
    """One entry as a form says it: `tag` is the older name of `tags`."""
    row = {name: str(value) for name, value in given.items()}
    tags = row.pop("tags", row.pop("tag", None))
    return row if tags is None else row | {"tags": [tags]}


def _stamp(sandbox: Sandbox) -> str:
    return format_datetime(sandbox.now() - timedelta(days=40)).replace("+0000", "UTC")
