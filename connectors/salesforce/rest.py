"""Salesforce's REST API: sign in, ask in SOQL to the last page, change a record, read the errors.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/
"""

from __future__ import annotations

from asyncio import Lock
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from connectors.sdk.addresses import is_same_vendor
from connectors.sdk.download import filed
from connectors.sdk.http import ABSENT, Absent, Ceilings, Http, as_form, as_json
from connectors.sdk.interface import Holding, Record, RetryableError, TerminalError
from connectors.sdk.pages import Link, pages

VERSION: Final = "v68.0"  # Winter '27
LOGIN: Final = "/services/oauth2/token"
DOMAINS: Final = ("salesforce.com", "salesforce.mil", "sfcrmproducts.cn")
"""Under which Salesforce's own servers are, and nobody else's: one for each of its clouds."""

Row = dict[str, Any]

_LATER: Final = {
    "REQUEST_LIMIT_EXCEEDED": timedelta(minutes=5),  # of a rolling day; no Retry-After is sent
    "UNABLE_TO_LOCK_ROW": None,
    "SERVER_UNAVAILABLE": None,
    "QUERY_TIMEOUT": None,
    "INVALID_QUERY_LOCATOR": None,
}
_NEVER: Final = {
    "INSUFFICIENT_ACCESS": "forbidden",
    "INSUFFICIENT_ACCESS_OR_READONLY": "forbidden",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "forbidden",
    # The user may not see the field or the object, or there is none: nothing was searched.
    "INVALID_FIELD": "forbidden",
    "INVALID_TYPE": "forbidden",
    "DELETE_FAILED": "in_use",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "rule",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "rule",
    "CANNOT_UPDATE_CONVERTED_LEAD": "converted",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "forbidden",
    "REQUIRED_FIELD_MISSING": "required",
    "DUPLICATES_DETECTED": "duplicate",
    **dict.fromkeys(
        (
            *("INVALID_EMAIL_ADDRESS", "STRING_TOO_LONG", "JSON_PARSER_ERROR"),
            *("FIELD_INTEGRITY_EXCEPTION", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
            *("INVALID_TYPE_ON_FIELD_IN_RECORD", "NUMBER_OUTSIDE_VALID_RANGE"),
        ),
        "value",
    ),
}


def _classify(status: int, body: Any) -> Exception | Absent | None:
    """Read `[{"errorCode": …, "message": …}]`. A message may quote a person: it goes no further."""
    match body:
        case [{"errorCode": str(code)}, *_] if status in {400, 403, 404, 409}:
            pass
        case _:
            return None
    if code in _LATER:
        return RetryableError(code, retry_after=_LATER[code])
    if code == "ENTITY_IS_DELETED":
        return ABSENT
    return TerminalError(code, reason=_NEVER[code]) if code in _NEVER else None


def _refused(status: int, _: Any) -> Exception | None:
    """Read `{"error": "invalid_client"}` and its like (RFC 6749, 5.2)."""
    refused = status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}
    return TerminalError("refused", reason="unauthorised") if refused else None


class _Login:
    """Client credentials (RFC 6749, 4.4). The answer says where the org's data is.

    Whoever answers is believed only if that is a server of Salesforce's too: the token goes there.
    """

    def __init__(self, url: str, client_id: str, client_secret: str, ceilings: Ceilings) -> None:
        self.http = Http(url, classify=_refused, ceilings=ceilings)
        self._url = url
        self._form = as_form(
            {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": client_secret,
            }
        )
        self._header = ""
        self.instance = ""

    async def __call__(self, *, renew: bool = False) -> str:
        if renew or not self._header:
            answer = await self.http.post(LOGIN, self._form)
            match answer and answer.body:
                case {"access_token": str(token), "instance_url": str(instance)}:
                    self._accept(token, instance)
                case _:
                    raise TerminalError(f"POST {LOGIN}: no token")
        return self._header

    def _accept(self, token: str, instance: str) -> None:
        if not token.isascii() or not token.isprintable():  # it is to stand in a header
            raise TerminalError(f"POST {LOGIN}: no token")
        if not is_same_vendor(instance, login=self._url, domains=DOMAINS):
            raise TerminalError(
                f"POST {LOGIN}: instance_url is not of the login's own domain",
                reason="foreign_address",
            )
        self._header, self.instance = f"Bearer {token}", instance


def _plain(row: Mapping[str, Any]) -> Row:
    """A row, and what it refers to, without `attributes`."""
    return {
        name: _plain(it) if isinstance(it, dict) else it
        for name, it in row.items()
        if name != "attributes"
    }


def _following(body: Any) -> object:
    """Where a batch says that the next is; what is not said to be done has one."""
    return None if body.get("done") is True else str(body.get("nextRecordsUrl"))


_BATCHES: Final = Link(rows="records", key="Id", after=_following, route="/query/{page}")
"""Of 2,000 rows. A list does not shift while it is read: its locator stands for what was found."""


class Rest:
    """One org. Its rows come with `attributes` taken off."""

    def __init__(self, url: str, client_id: str, client_secret: str, ceilings: Ceilings) -> None:
        self._login = _Login(url, client_id, client_secret, ceilings)
        self._ceilings = ceilings
        self._opening = Lock()
        self._http: Http | None = None

    async def query(self, soql: str) -> AsyncIterator[list[Row]]:
        """Every row, page by page, those in the recycle bin included."""
        http = await self._open()
        async for rows in pages(http, "/queryAll", _BATCHES, {"q": soql}):
            yield [_plain(row) for row in rows]

    async def describe(self, name: str) -> Any:
        """An object's description. What is not there or not to be seen is a `TerminalError`."""
        body = await self.description(name)
        if body is None:
            raise TerminalError(f"check: not there or hidden: {name}", reason="forbidden")
        return body

    async def description(self, name: str) -> Any | None:
        """An object's description; None if it is not there, or not to be seen."""
        http = await self._open()
        answer = await http.get("/sobjects/{name}/describe", name=name)
        return None if answer is None else answer.body

    async def create(self, name: str, fields: Mapping[str, Any]) -> str:
        """A new record; its id."""
        http = await self._open()
        answer = await http.post("/sobjects/{name}", as_json(fields), name=name)
        match answer and answer.body:
            case {"id": str(id_), "success": True}:
                return id_
            case None:
                raise TerminalError("POST /sobjects/{name}: hidden", reason="forbidden")
            case _:
                raise RetryableError("POST /sobjects/{name}: no id")

    async def update(self, name: str, id_: str, fields: Mapping[str, Any]) -> bool:
        """Set fields of a record; false if it is deleted.

        One that looks like another is saved all the same, where the org's rules only warn of that.
        """
        http = await self._open()
        answer = await http.send(
            "PATCH",
            "/sobjects/{name}/{id}",
            payload=as_json(fields),
            headers={"Sforce-Duplicate-Rule-Header": "allowSave=true"},
            parts={"name": name, "id": id_},
        )
        return answer is not None

    async def delete(self, name: str, id_: str) -> None:
        """Move a record, and the children that cannot be without it, to the recycle bin."""
        http = await self._open()
        await http.delete("/sobjects/{name}/{id}", name=name, id=id_)

    async def file(
        self, name: str, row: Row, field: str, of: Holding, *, called: str, size: object
    ) -> AsyncIterator[Record]:
        """The bytes in a field of a record, or that they cannot be had: from the bin nobody can.

        Raises `RetryableError` if there are not as many as `size` says.
        """
        http, read, is_there = await self._open(), 0, True
        opening = http.download(f"/sobjects/{name}/{{id}}/{field}", id=row["Id"])
        async for record in filed(opening, of, name=called, missing="no_file"):
            read += len(record.body)
            is_there = is_there and not record.missing
            if is_there and not record.more and read != size:
                raise RetryableError(f"GET /sobjects/{name}/{{id}}/{field}: not all of it")
            yield record

    async def close(self) -> None:
        """Release the sockets."""
        await self._login.http.__aexit__()
        if self._http is not None:
            await self._http.__aexit__()

    async def _open(self) -> Http:
        async with self._opening:
            if self._http is None:
                await self._login()
                base = f"{self._login.instance}/services/data/{VERSION}"
                self._http = Http(
                    base, authorization=self._login, classify=_classify, ceilings=self._ceilings
                )
            return self._http
