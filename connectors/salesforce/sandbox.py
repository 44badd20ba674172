"""Salesforce on loopback: one org, its records and files, its recycle bin and its manners.

It answers as Salesforce does by default (API v68.0, Winter '27): a query has the fields that it
names, and one that the org has not, or hides from the user, is `INVALID_FIELD`; what is deleted
lies in the bin for 15 days, with whatever hangs on it (`sandbox_objects.CASCADES`), and shows in
`queryAll` only; a contact with cases cannot be deleted (`DELETE_FAILED`), a converted lead and a
sent e-mail cannot be changed; a change is answered with 204 and no body, an error with an array;
the bytes of a file have an address of their own, and none from the bin; its links are found by a
file or a record only; only who may query all files sees those of others.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import BasicAuth, web

from connectors.sdk.sandbox import Handler

from . import soql
from .sandbox_changes import Problem, missing, problems
from .sandbox_objects import (
    DATA,
    NAMES,
    TYPES,
    USER,
    Row,
    described,
    is_filterable,
    new_id,
    same,
    shown,
    stamp,
)
from .sandbox_records import Records

SESSION = timedelta(hours=2)
FILES = frozenset({"ContentDocument", "ContentVersion", "ContentDocumentLink"})

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


class SalesforceSandbox(Records):
    """One org."""

    system = "salesforce"
    cursor = r"-\d+$"
    public = ("/services/oauth2/token",)

    batch_size = 2000
    """How many rows a page has unless the caller wants fewer; a test may set it lower."""
    calls_per_day = 100_000
    hidden: Literal["object", "field", "rows", "files"] = "object"
    """What the user with the restricted key may not see: contacts, their e-mail, others' rows, or
    others' files.
    """

    warns_of_duplicates = False
    """Whether a duplicate rule warns of every contact and lead that is written."""

    def __init__(self, **where: Any) -> None:
        super().__init__(**where)
        self._errors: dict[str, str] = {}

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
            web.get(f"{row}/{{field}}", self._api(self._bytes)),
            web.post(f"{DATA}/sobjects/{{name}}", self._api(self._create)),
            web.post(f"{DATA}/sobjects/{{name}}/", self._api(self._create)),
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
        asked = [_field(schema, name, it) for it in query.fields if "." not in it]
        related = [self._relation(request, schema, it) for it in query.fields if "." in it]
        for it in soql.fields_of(query.where):
            if not is_filterable(schema[_field(schema, name, it)]):
                raise _Refusal("INVALID_FIELD", f"field '{it}' can not be filtered in a query call")
        if name == "ContentDocumentLink" and not _is_by_id(query.where):
            raise _Refusal("MALFORMED_QUERY", "requires a filter by Id, by file or by record")
        binned = request.path.rstrip("/").endswith("/queryAll")
        rows = [
            shown(name, self.fields[name], row, asked) | self._related(row, related)
            for row in self._rows(request, name, binned=binned)
            if query.where is None or _meets(query.where, schema, row)
        ]
        return self._batch(request, rows[: query.limit], 0)

    def _relation(
        self, request: web.Request, schema: Mapping[str, str], asked: str
    ) -> tuple[str, str]:
        """An object that another refers to, and a field of it: `Campaign.Name`."""
        of, _, field = asked.partition(".")
        if f"{of}Id" not in schema:
            raise _Refusal("INVALID_FIELD", f"Didn't understand relationship '{of}'", asked)
        name, others = self._schema(request, of)
        return name, _field(others, name, field)

    def _related(self, row: Row, asked: list[tuple[str, str]]) -> Row:
        told: Row = {}
        for name, field in asked:
            it = self.table(NAMES[name]).get(row[f"{name}Id"])
            of = it and shown(name, self.fields[name], it, [field])
            told[name] = of and {**(told.get(name) or {}), **of}
        return told

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
                cursor = new_id("_cursor", self.new_id())
                self.table("_cursors")[cursor] = {"rows": rows}
            said["nextRecordsUrl"] = f"{DATA}/query/{cursor}-{end}"
        return web.json_response(said)

    def _schema(self, request: web.Request, asked: str) -> tuple[str, Mapping[str, str]]:
        """An object by any spelling of its name, as far as the user may see it."""
        name = next((it for it in self.fields if it.lower() == asked.lower()), None)
        hidden = self.hidden if self._is_restricted(request) else None
        if name is None or (hidden == "object" and name == "Contact"):
            raise _Refusal("INVALID_TYPE", f"sObject type '{asked}' is not supported.")
        unseen = "Email" if hidden == "field" else None
        return name, {it: type_ for it, type_ in self.fields[name].items() if it != unseen}

    def _rows(self, request: web.Request, name: str, *, binned: bool) -> Iterator[Row]:
        """Those that the user may see; one that a sharing rule hides is simply not there."""
        hidden = self.hidden if self._is_restricted(request) else None
        if name == "UserPermissionAccess":
            yield {
                "Id": USER,
                "PermissionsViewAllData": hidden in {None, "files"},
                "PermissionsQueryAllFiles": hidden is None,
            }
        elif not (hidden == "rows" or (hidden == "files" and name in FILES)):
            self.purge(NAMES[name])
            rows = self.table(NAMES[name]).values()
            yield from (it for it in rows if binned or not it["IsDeleted"])

    def _is_restricted(self, request: web.Request) -> bool:
        return self.credential(request) == self.restricted_key

    # Records.

    async def _describe(self, request: web.Request) -> web.Response:
        try:
            name, schema = self._schema(request, request.match_info["name"])
        except _Refusal:
            raise _Refusal("NOT_FOUND", "The requested resource does not exist") from None
        return web.json_response(described(name, schema))

    async def _get(self, request: web.Request) -> web.Response:
        _, row = self._one(request)
        name, schema = self._schema(request, request.match_info["name"])
        given = request.query.get("fields")
        asked = [_field(schema, name, it) for it in given.split(",")] if given else list(schema)
        return web.json_response(shown(name, self.fields[name], row, asked))

    async def _bytes(self, request: web.Request) -> web.Response:
        """The content of a file, as it is."""
        _, row = self._one(request)
        name, schema = self._schema(request, request.match_info["name"])
        field = _field(schema, name, request.match_info["field"])
        if TYPES[schema[field]]["type"] != "base64":
            raise _Refusal("NOT_FOUND", "The requested resource does not exist")
        try:
            body = b64decode(row[field] or "", validate=True)
        except binascii.Error:
            body = str(row[field]).encode()
        return web.Response(body=body, content_type="application/octet-stream")

    async def _create(self, request: web.Request) -> web.Response:
        name, schema = self._schema(request, request.match_info["name"])
        given = await self._given(request, name, schema)
        _refuse(missing(schema, given))
        id_ = self.plant(NAMES[name], given)
        at = stamp(self.now())
        self.table(NAMES[name])[id_] |= {"CreatedDate": at, "SystemModstamp": at}
        self.changed("create", NAMES[name], id_)
        said: Row = {"id": id_, "success": True, "errors": []}
        return web.json_response(said, status=HTTPStatus.CREATED)

    async def _patch(self, request: web.Request) -> web.Response:
        kind, row = self._one(request)
        name, schema = self._schema(request, request.match_info["name"])
        if kind == "email" and row["Status"] != "5":
            raise _Refusal("INSUFFICIENT_ACCESS_OR_READONLY", "a sent e-mail cannot be changed")
        if row.get("IsConverted"):
            raise _Refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        row |= await self._given(request, name, schema)
        row["SystemModstamp"] = stamp(self.now())
        self.changed("update", kind, row["Id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _given(self, request: web.Request, name: str, schema: Mapping[str, str]) -> Row:
        """What is to be written, by the fields' own names. Raises `_Refusal`."""
        try:
            said = json.loads(await request.read()).items()
        except (ValueError, AttributeError) as error:
            raise _Refusal("JSON_PARSER_ERROR") from error
        given = {_field(schema, name, it): value for it, value in said}
        _refuse(problems(schema, given))
        allows = "allowSave=true" in request.headers.get("Sforce-Duplicate-Rule-Header", "")
        if self.warns_of_duplicates and name in {"Contact", "Lead"} and not allows:
            raise _Refusal("DUPLICATES_DETECTED", "Use one of these records?")
        person = given.get("IndividualId")
        people = self.table("individual")
        if person and not any(same(it, person) and not people[it]["IsDeleted"] for it in people):
            raise _Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        return {it: None if value == "" else value for it, value in given.items()}

    async def _delete(self, request: web.Request) -> web.Response:
        kind, row = self._one(request)
        if kind == "version":
            raise _Refusal("INSUFFICIENT_ACCESS_OR_READONLY", "a version cannot be deleted")
        if kind == "contact" and any(self.children("case", "ContactId", row)):
            message = "Your attempt to delete it failed because it is associated with cases."
            raise _Refusal("DELETE_FAILED", message)
        self.bin(kind, row)
        self.changed("delete", kind, row["Id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    def _one(self, request: web.Request) -> tuple[str, Row]:
        """The record that the path names."""
        name, _ = self._schema(request, request.match_info["name"])
        id_ = request.match_info["id"]
        rows = self._rows(request, name, binned=True)
        row = next((it for it in rows if same(it.get("Id"), id_)), None)
        if row is None:
            raise _Refusal("NOT_FOUND", "The requested resource does not exist")
        if row["IsDeleted"]:
            raise _Refusal("ENTITY_IS_DELETED", "entity is deleted")
        return NAMES[name], row


def _client(request: web.Request, form: Mapping[str, Any]) -> tuple[Any, Any]:
    """Its id and secret, in the form or as basic authentication; both are documented."""
    try:
        basic = BasicAuth.decode(request.headers.get("Authorization", ""))
    except ValueError:
        return form.get("client_id"), form.get("client_secret")
    return basic.login, basic.password


def _refuse(found: Iterable[Problem]) -> None:
    for code, message, field in found:
        raise _Refusal(code, message, field)


def _denied(error: str, description: str) -> web.Response:
    said = {"error": error, "error_description": description}
    return web.json_response(said, status=HTTPStatus.BAD_REQUEST)


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
        if TYPES[schema[it]]["type"] in {"id", "reference"} and isinstance(value, str):
            if re.fullmatch(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?", value) is None:
                raise _Refusal("INVALID_QUERY_FILTER_OPERATOR", "invalid ID field")
            return same(held, value)
        if isinstance(held, str) and isinstance(value, str):
            return held.lower() == value.lower()
        return bool(held == (None if value == "" else value))

    return soql.holds(where, equal)


def _is_by_id(where: soql.Condition | None) -> bool:
    """Whether a query for links of files names the files or the records."""
    match where:
        case soql.OneOf("Id" | "ContentDocumentId" | "LinkedEntityId"):
            return True
        case soql.All(conditions):
            return any(map(_is_by_id, conditions))
        case soql.Some(conditions):
            return all(map(_is_by_id, conditions))
        case _:
            return False
