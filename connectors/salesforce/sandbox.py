"""Salesforce on loopback: one org's comments, cases, leads and contacts, its bin and its manners.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import BasicAuth, web

from connectors.sdk.sandbox import Handler, Sandbox

from . import soql

Row = dict[str, Any]

DATA = "/services/data/v68.0"
SESSION = timedelta(hours=2)
BIN = timedelta(days=15)

TABLES = {"Contact": "contact", "Lead": "lead", "Case": "case", "CaseComment": "comment"}
PREFIXES = {"contact": "003", "lead": "00Q", "case": "500", "comment": "00a"}

# Field → type. An `id`, a `boolean`, a `stamp` and a `system` field cannot be written; a `long`
# one cannot be filtered by.
_SYSTEM = {"Id": "id", "IsDeleted": "boolean", "CreatedDate": "stamp", "SystemModstamp": "stamp"}
_PERSON = {
    **dict.fromkeys(("Salutation", "FirstName", "LastName", "Email", "Title", "Fax"), "text"),
    **dict.fromkeys(("Phone", "MobilePhone", "LeadSource", "User_Id__c"), "text"),
    **dict.fromkeys(("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall"), "flag"),
    "Description": "long",
    "Marketing_Interests__c": "text",
}
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude")
FIELDS: Mapping[str, Mapping[str, str]] = {
    "Contact": {
        **_SYSTEM,
        **_PERSON,
        **dict.fromkeys(("HomePhone", "OtherPhone", "Department", "Other_Email__c"), "text"),
        **dict.fromkeys(("AssistantName", "AssistantPhone", "EmailBouncedReason"), "text"),
        **{f"{of}{part}": "text" for of in ("Mailing", "Other") for part in _ADDRESS},
        "Birthdate": "text",
        "AccountId": "reference",
    },
    "Lead": {
        **_SYSTEM,
        **_PERSON,
        **dict.fromkeys(("Company", "Website", "Industry", "Status", *_ADDRESS), "text"),
        "EmailBouncedReason": "text",
        "IsConverted": "boolean",
        "ConvertedContactId": "id",
    },
    "Case": {
        **_SYSTEM,
        **dict.fromkeys(("Subject", "Status", "Origin", "SuppliedEmail", "SuppliedName"), "text"),
        **dict.fromkeys(("SuppliedPhone", "SuppliedCompany"), "text"),
        "CaseNumber": "system",
        "ClosedDate": "stamp",
        "ContactId": "reference",
        "Description": "long",
    },
    "CaseComment": {**_SYSTEM, "ParentId": "id", "CommentBody": "long"},
    "UserPermissionAccess": {"PermissionsViewAllData": "boolean"},
}
DESCRIBED = {
    "flag": "boolean",
    "long": "textarea",
    "stamp": "datetime",
    "system": "string",
    "text": "string",
}
"""What a description calls our types; the others have Salesforce's own names."""
REQUIRED = {"contact": ("LastName",), "lead": ("LastName", "Company")}
DEFAULTS: Mapping[str, Row] = {
    "contact": {"LastName": "Subject"},
    "lead": {"LastName": "Subject", "Company": "[not provided]", "Status": "Open"},
    "case": {"Status": "New", "Origin": "Web"},
    "comment": {},
}

STATUS = {
    "INVALID_SESSION_ID": 401,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "ENTITY_IS_DELETED": 404,
    "NOT_FOUND": 404,
    "UNKNOWN_EXCEPTION": 500,
    "SERVER_UNAVAILABLE": 503,
}
"""Of an error code; any other is a 400."""


class _Refusal(Exception):  # noqa: N818  (an answer, not a mistake)
    """An answer of the form `[{"errorCode": …}]`."""

    def __init__(self, code: str, message: str = "", *fields: str) -> None:
        super().__init__(code)
        said = [{"message": message or code, "errorCode": code, "fields": list(fields)}]
        self.response = web.json_response(said, status=STATUS.get(code, HTTPStatus.BAD_REQUEST))


class SalesforceSandbox(Sandbox):
    """One org."""

    system = "salesforce"
    cursor = r"-\d+$"
    public = ("/services/oauth2/token",)

    batch_size = 2000
    """How many rows a page has unless the caller wants fewer; a test may set it lower."""
    calls_per_day = 100_000
    hidden: Literal["object", "field", "rows"] = "object"
    """What the user with the restricted key may not see: contacts, their e-mail, others' rows."""

    def __init__(self, **where: Any) -> None:
        super().__init__(**where)
        self._errors: dict[str, str] = {}

    def add_contact(self, **fields: Any) -> str:
        """A contact; its id."""
        return self.plant("contact", fields)

    def add_lead(self, **fields: Any) -> str:
        """A lead; its id. One with a `ConvertedContactId` is converted."""
        return self.plant("lead", fields)

    def add_case(self, **fields: Any) -> str:
        """A case, of a contact (`ContactId`) or from the web (`SuppliedEmail`); its id."""
        return self.plant("case", fields)

    def add_comment(self, **fields: Any) -> str:
        """A comment on a case (`ParentId`); its id."""
        return self.plant("comment", fields)

    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        """Put a record there. Raises `KeyError` for a kind or a field that the org has not."""
        schema = FIELDS[next(name for name, it in TABLES.items() if it == kind)]
        unknown = fields.keys() - schema.keys()
        if unknown:
            raise KeyError(f"{kind}: {', '.join(sorted(unknown))}")
        stamp = _stamp(self.now() - timedelta(days=400))
        number = self.new_id()
        row: Row = {it: _blank(type_) for it, type_ in schema.items()}
        row |= {"Id": _id(kind, number), "CreatedDate": stamp, "SystemModstamp": stamp}
        row |= {**DEFAULTS[kind], **fields}
        if row["IsDeleted"]:
            row["SystemModstamp"] = _stamp(self.now())
        if kind == "case":
            row["CaseNumber"] = row["CaseNumber"] or f"{number:08}"
        if kind == "lead":
            row["IsConverted"] = bool(row["ConvertedContactId"])
        self.table(kind)[row["Id"]] = row
        return str(row["Id"])

    def expire_tokens(self) -> None:
        """End every session."""
        self.table("_tokens").clear()

    def answer_with(self, code: str, method: str = "GET") -> None:
        """Answer the next call of that method with an error, and do nothing."""
        self._errors[method] = code

    def settings(self, *, restricted: bool = False) -> Mapping[str, str]:
        """Of the connector. The secret is the key."""
        secret = self.restricted_key if restricted else self.key
        return {"url": self.url, "client_id": "habeas", "client_secret": secret}

    # How it answers.

    def credential(self, request: web.Request) -> str | None:
        """The key that the bearer token was issued for."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        session = self.table("_tokens").get(token) if scheme == "Bearer" else None
        if session is None or session["until"] <= self.now():
            return None
        return str(session["key"])

    def refusal(self, status: int) -> web.Response:
        """The error that most often comes with `status`."""
        said = {
            401: ("INVALID_SESSION_ID", "Session expired or invalid"),
            403: ("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights"),
            404: ("NOT_FOUND", "The requested resource does not exist"),
            429: ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            503: ("SERVER_UNAVAILABLE", "Server unavailable"),
        }
        code, message = said.get(status, ("UNKNOWN_EXCEPTION", "An unexpected error occurred"))
        return web.json_response([{"message": message, "errorCode": code}], status=status)

    def dress(self, response: web.StreamResponse) -> None:
        """How many of the day's calls are used up."""
        super().dress(response)
        usage = f"api-usage={self._used()}/{self.calls_per_day}"
        response.headers["Sforce-Limit-Info"] = usage

    def routes(self) -> list[web.RouteDef]:
        """What a connector needs of the REST API."""
        row = f"{DATA}/sobjects/{{name}}/{{id}}"
        return [
            web.post("/services/oauth2/token", self._token),
            *(
                route
                for base in (f"{DATA}/query", f"{DATA}/queryAll")
                for route in (
                    web.get(base, self._api(self._query)),
                    web.get(f"{base}/", self._api(self._query)),
                    web.get(f"{base}/{{locator}}", self._api(self._more)),
                )
            ),
            web.get(f"{DATA}/sobjects/{{name}}/describe", self._api(self._describe)),
            web.get(row, self._api(self._get)),
            web.patch(row, self._api(self._patch)),
            web.delete(row, self._api(self._delete)),
        ]

    def _api(self, handler: Handler) -> Handler:
        """`handler`, within the day's calls."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.method in self._errors:
                return _Refusal(self._errors.pop(request.method)).response
            if self._used() > self.calls_per_day:
                message = "TotalRequests Limit exceeded."
                return _Refusal("REQUEST_LIMIT_EXCEEDED", message).response
            try:
                return await handler(request)
            except _Refusal as refused:
                return refused.response

        return answer

    def _used(self) -> int:
        return sum(n for route, n in self.calls.items() if DATA in route)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            return _denied("unsupported_grant_type", "grant type not supported")
        client, key = _client(request, form)
        if client != "habeas" or key not in {self.key, self.restricted_key}:
            return _denied("invalid_client", "invalid client credentials")
        token = f"00Dsandbox!{self.new_id():08}"
        self.table("_tokens")[token] = {"key": key, "until": self.now() + SESSION}
        return web.json_response(
            {"access_token": token, "instance_url": self.url, "token_type": "Bearer"}
        )

    # Queries.

    async def _query(self, request: web.Request) -> web.Response:
        try:
            query = soql.parse(request.query.get("q", ""))
        except soql.MalformedError as error:
            raise _Refusal("MALFORMED_QUERY", str(error)) from error
        name, schema = self._schema(request, query.source)
        shown = [_field(schema, name, it) for it in query.fields]
        for it in soql.fields_of(query.where):
            if schema[_field(schema, name, it)] == "long":
                raise _Refusal("INVALID_FIELD", f"field '{it}' can not be filtered in a query call")
        binned = request.path.rstrip("/").endswith("/queryAll")
        rows = [
            _shown(name, row, shown)
            for row in self._rows(request, name, binned=binned)
            if query.where is None or _meets(query.where, schema, row)
        ]
        return self._batch(request, rows[: query.limit], 0)

    async def _more(self, request: web.Request) -> web.Response:
        cursor, _, start = request.match_info["locator"].rpartition("-")
        found = self.table("_cursors").get(cursor)
        if found is None or not start.isdecimal():
            raise _Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._batch(request, found["rows"], int(start), cursor)

    def _batch(
        self, request: web.Request, rows: list[Row], start: int, cursor: str = ""
    ) -> web.Response:
        wanted = re.search(r"batchSize=(\d+)", request.headers.get("Sforce-Query-Options", ""))
        size = min(max(int(wanted[1]), 200), 2000) if wanted else self.batch_size
        end = start + size
        said: Row = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        if end < len(rows):
            if not cursor:
                cursor = _id("_cursor", self.new_id())
                self.table("_cursors")[cursor] = {"rows": rows}
            said["nextRecordsUrl"] = f"{DATA}/query/{cursor}-{end}"
        return web.json_response(said)

    def _schema(self, request: web.Request, asked: str) -> tuple[str, Mapping[str, str]]:
        """An object by any spelling of its name, as far as the user may see it."""
        name = next((it for it in FIELDS if it.lower() == asked.lower()), None)
        hidden = self.hidden if self._is_restricted(request) else None
        if name is None or (hidden == "object" and name == "Contact"):
            raise _Refusal("INVALID_TYPE", f"sObject type '{asked}' is not supported.")
        unseen = "Email" if hidden == "field" else None
        return name, {it: type_ for it, type_ in FIELDS[name].items() if it != unseen}

    def _rows(self, request: web.Request, name: str, *, binned: bool) -> Iterator[Row]:
        """Those that the user may see; one that a sharing rule hides is simply not there."""
        restricted = self._is_restricted(request)
        if name == "UserPermissionAccess":
            yield {"PermissionsViewAllData": not restricted}
        elif not (restricted and self.hidden == "rows"):
            self._purge(TABLES[name])
            rows = self.table(TABLES[name]).values()
            yield from (it for it in rows if binned or not it["IsDeleted"])

    def _is_restricted(self, request: web.Request) -> bool:
        return self.credential(request) == self.restricted_key

    def _purge(self, kind: str) -> None:
        """What the bin has held for long enough."""
        before = _stamp(self.now() - BIN)
        rows = self.table(kind)
        for id_ in [k for k, v in rows.items() if v["IsDeleted"] and v["SystemModstamp"] < before]:
            del rows[id_]

    # Records.

    async def _describe(self, request: web.Request) -> web.Response:
        try:
            name, schema = self._schema(request, request.match_info["name"])
        except _Refusal:
            raise _Refusal("NOT_FOUND", "The requested resource does not exist") from None
        fields = [
            {
                "name": it,
                "type": DESCRIBED.get(type_, type_),
                "filterable": type_ != "long",
                "updateable": _writable(type_),
            }
            for it, type_ in schema.items()
        ]
        return web.json_response({"name": name, "queryable": True, "fields": fields})

    async def _get(self, request: web.Request) -> web.Response:
        _, row = self._one(request)
        name, schema = self._schema(request, request.match_info["name"])
        asked = request.query.get("fields")
        shown = [_field(schema, name, it) for it in asked.split(",")] if asked else schema
        return web.json_response(_shown(name, row, shown))

    async def _patch(self, request: web.Request) -> web.Response:
        kind, row = self._one(request)
        name, schema = self._schema(request, request.match_info["name"])
        try:
            given = {
                _field(schema, name, k): v for k, v in json.loads(await request.read()).items()
            }
        except (ValueError, AttributeError) as error:
            raise _Refusal("JSON_PARSER_ERROR") from error
        if row.get("IsConverted"):
            raise _Refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        for it, value in given.items():
            if not _writable(schema[it]):
                raise _Refusal("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to update", it)
            if it in REQUIRED.get(kind, ()) and not value:
                raise _Refusal("REQUIRED_FIELD_MISSING", "Required fields are missing", it)
        row |= {k: v if v != "" else None for k, v in given.items()}
        row["SystemModstamp"] = _stamp(self.now())
        self.changed("update", kind, row["Id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _delete(self, request: web.Request) -> web.Response:
        kind, row = self._one(request)
        if kind == "contact" and any(self._children("case", "ContactId", row)):
            message = "Your attempt to delete it failed because it is associated with cases."
            raise _Refusal("DELETE_FAILED", message)
        comments = self._children("comment", "ParentId", row) if kind == "case" else ()
        for it in (row, *comments):
            it |= {"IsDeleted": True, "SystemModstamp": _stamp(self.now())}
        self.changed("delete", kind, row["Id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    def _one(self, request: web.Request) -> tuple[str, Row]:
        """The record that the path names."""
        name, _ = self._schema(request, request.match_info["name"])
        id_ = request.match_info["id"]
        rows = self._rows(request, name, binned=True)
        row = next((it for it in rows if _same(it.get("Id"), id_)), None)
        if row is None:
            raise _Refusal("NOT_FOUND", "The requested resource does not exist")
        if row["IsDeleted"]:
            raise _Refusal("ENTITY_IS_DELETED", "entity is deleted")
        return TABLES[name], row

    def _children(self, kind: str, field: str, parent: Row) -> list[Row]:
        rows = self.table(kind).values()
        return [it for it in rows if it[field] == parent["Id"] and not it["IsDeleted"]]


def _shown(name: str, row: Row, fields: Iterable[str]) -> Row:
    attributes = {"type": name}
    if "Id" in row:
        attributes["url"] = f"{DATA}/sobjects/{name}/{row['Id']}"
    return {"attributes": attributes, **{it: row[it] for it in fields}}


def _client(request: web.Request, form: Mapping[str, Any]) -> tuple[Any, Any]:
    """Its id and secret, in the form or as basic authentication; both are documented."""
    try:
        basic = BasicAuth.decode(request.headers.get("Authorization", ""))
    except ValueError:
        return form.get("client_id"), form.get("client_secret")
    return basic.login, basic.password


def _denied(error: str, description: str) -> web.Response:
    said = {"error": error, "error_description": description}
    return web.json_response(said, status=HTTPStatus.BAD_REQUEST)


def _blank(type_: str) -> bool | None:
    return False if type_ in {"boolean", "flag"} else None


def _writable(type_: str) -> bool:
    return type_ in {"text", "long", "flag", "reference"}


def _field(schema: Mapping[str, str], name: str, asked: str) -> str:
    """A field by any spelling of its name."""
    for it in schema:
        if it.lower() == asked.lower():
            return it
    raise _Refusal("INVALID_FIELD", f"No such column '{asked}' on entity '{name}'.", asked)


def _meets(where: soql.Condition, schema: Mapping[str, str], row: Row) -> bool:
    def equal(field: str, value: soql.Value) -> bool:
        it = next(it for it in schema if it.lower() == field.lower())
        held = row[it]
        if schema[it] in {"id", "reference"} and isinstance(value, str):
            if re.fullmatch(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?", value) is None:
                raise _Refusal("INVALID_QUERY_FILTER_OPERATOR", "invalid ID field")
            return _same(held, value)
        if isinstance(held, str) and isinstance(value, str):
            return held.lower() == value.lower()
        return bool(held == (None if value == "" else value))

    return soql.holds(where, equal)


def _same(one: str | None, other: str) -> bool:
    """Whether two ids are the same record's: the last three of eighteen only guard the case."""
    return one is not None and one[:15] == other[:15]


_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _id(kind: str, number: int) -> str:
    """An id of eighteen characters; each of the last three says which of five are capitals."""
    digits = ""
    for _ in range(9):
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    short = f"{PREFIXES.get(kind, '01g')}5e0{digits}"
    fives = (short[at : at + 5] for at in (0, 5, 10))
    return short + "".join(_CHECK[sum(c.isupper() << n for n, c in enumerate(it))] for it in fives)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
