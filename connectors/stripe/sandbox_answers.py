"""How the sandbox reads parameters and answers: pages, searches and errors in Stripe's words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Self

from aiohttp import web

from .sandbox_objects import ADDRESS

Row = dict[str, Any]

PAGING = frozenset({"limit", "starting_after", "ending_before"})
LARGEST_PAGE = 100
LONGEST_KEY, LONGEST_NOTE, MOST_KEYS = 40, 500, 50
"""Characters of a key in metadata and of what it says; how many keys an object has."""
INLINE = 10
"""Rows of a list inside an object; the rest is at the list's own route."""
EXPANDABLE: Mapping[str, frozenset[str]] = {
    "charge": frozenset({"refunds"}),  # since 2022-11-15
    "customer": frozenset({"cash_balance", "sources", "tax_ids"}),  # since 2020-08-27
}
"""What an object does not show by itself: https://docs.stripe.com/upgrades."""
_CLAUSE = re.compile(r"(?P<field>[a-z_]+)(\['(?P<key>[^']+)'\])?:'(?P<value>(?:[^'\\]|\\.)*)'")


class Problem(Exception):  # noqa: N818  what Stripe calls an error is no fault of the sandbox
    """What Stripe refuses a request with: https://docs.stripe.com/api/errors."""

    def __init__(
        self,
        code: str,
        *,
        status: int = HTTPStatus.BAD_REQUEST,
        kind: str = "invalid_request_error",
        param: str = "",
    ) -> None:
        super().__init__(code)
        self._said = {"type": kind, "code": code, "message": code.replace("_", " "), "param": param}
        self._status = status

    @classmethod
    def missing(cls, kind: str, id_: str) -> Self:
        """There is no such object."""
        return cls("resource_missing", status=HTTPStatus.NOT_FOUND, param=f"{kind} {id_}")

    @classmethod
    def usual(cls, status: int) -> Self:
        """The error of a status."""
        kind = "api_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ""
        codes = {404: "resource_missing", 429: "rate_limit"}
        return cls(codes.get(status, ""), status=status, kind=kind or "invalid_request_error")

    def answer(self) -> web.Response:
        """As it is sent."""
        said = {name: value for name, value in self._said.items() if value}
        return web.json_response({"error": said}, status=self._status)


async def parameters(request: web.Request) -> dict[str, str]:
    """What was asked, from the query or the form."""
    asked = dict(request.query)
    if request.method == "POST":
        asked.update({name: str(value) for name, value in (await request.post()).items()})
    return asked


def listed(
    kind: str, rows: Iterable[Row], asked: Mapping[str, str], filters: frozenset[str]
) -> list[Row]:
    """The rows that match, newest first. A parameter that the list does not know is an error."""
    unknown = asked.keys() - filters - PAGING
    if unknown:
        raise Problem("parameter_unknown", param=min(unknown))
    found = [
        row
        for row in rows
        if all(_matches(kind, row, name, asked[name]) for name in filters & asked.keys())
    ]
    return list(reversed(found))


def _matches(kind: str, row: Row, name: str, value: str) -> bool:
    if (kind, name) == ("subscription", "status"):
        over = row["status"] in {"canceled", "incomplete_expired"}
        return not over if not value else value in {"all", row["status"]}
    if name == "pending":
        return (row["invoice"] is None) is (value == "true")
    if name == "customer_details[email]":
        return bool(row["customer_details"]["email"] == value)
    return bool(row[name] == value)


def expanded(asked: dict[str, str]) -> frozenset[str]:
    """Take out of what was asked what is to be shown as well, of an object or of those listed."""
    names = [it for it in asked if it.startswith("expand[")]
    return frozenset(asked.pop(it).removeprefix("data.") for it in names)


def page_of(url: str, rows: Sequence[Row], asked: Mapping[str, str]) -> Row:
    """A page of a list. Its cursor is the id of an object."""
    limit = int(asked.get("limit", INLINE))
    if not 1 <= limit <= LARGEST_PAGE:
        raise Problem("parameter_invalid_integer", param="limit")
    ids = [row["id"] for row in rows]
    start, end = 0, len(rows)
    if "starting_after" in asked:
        start = _at(ids, asked["starting_after"], "starting_after") + 1
    if "ending_before" in asked:
        end = _at(ids, asked["ending_before"], "ending_before")
        start = max(start, end - limit)
    page = rows[start : min(end, start + limit)]
    more = start > 0 if "ending_before" in asked else start + len(page) < len(rows)
    return {"object": "list", "url": url, "has_more": more, "data": list(page)}


def _at(ids: Sequence[str], cursor: str, name: str) -> int:
    if cursor not in ids:
        raise Problem("resource_missing", param=name)
    return ids.index(cursor)


def searched(url: str, rows: Sequence[Row], asked: Mapping[str, str]) -> Row:
    """A page of a search for one clause: https://docs.stripe.com/search."""
    clause = _CLAUSE.fullmatch(asked.get("query", ""))
    if clause is None:
        raise Problem("search_query_invalid", param="query")
    value = re.sub(r"\\(.)", r"\1", clause["value"])
    if clause["key"]:
        found = [it for it in rows if it[clause["field"]].get(clause["key"]) == value]
    else:
        found = [it for it in rows if str(it[clause["field"]]).lower() == value.lower()]
    start, limit = int(asked.get("page", 0)), int(asked.get("limit", INLINE))
    page = found[start : start + limit]
    more = start + limit < len(found)
    return {
        "object": "search_result",
        "url": url,
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "data": page,
    }


def shown(row: Row, expand: Collection[str] = (), files: str = "") -> Row:
    """An object as it is answered: of a list inside the first few, or nothing unless asked.

    The paper of an invoice that is more than a draft lies under `files`.
    """
    hidden = EXPANDABLE.get(row.get("object", ""), frozenset()) - set(expand)
    lists = {name: it for name, it in row.items() if isinstance(it, dict) and "has_more" in it}
    some = {
        name: {**it, "data": it["data"][:INLINE], "has_more": len(it["data"]) > INLINE}
        for name, it in lists.items()
    }
    seen = {name: it for name, it in {**row, **some}.items() if name not in hidden}
    if row.get("object") == "invoice" and row["status"] != "draft" and not row["invoice_pdf"]:
        seen["invoice_pdf"] = f"{files}/{row['id']}/pdf"
    return seen


def updated(row: Row, asked: Mapping[str, str], allowed: frozenset[str]) -> None:
    """Change fields, `a[b]` inside `a`; an empty value unsets. Raises `Problem` for any other.

    An address is replaced as a whole.
    """
    paths = {name: tuple(re.findall(r"[^\[\]]+", name)) for name in asked}
    for name, (outer, *_) in paths.items():
        if outer not in allowed:
            raise Problem("parameter_unknown", param=name)
        if name == "email" and asked[name] and "@" not in asked[name]:
            raise Problem("email_invalid", param=name)
    _check_shipping(paths.values())
    _check_metadata(row, {it[1]: asked[name] for name, it in paths.items() if _is_key(it)})
    for path in {it[: it.index("address") + 1] for it in paths.values() if "address" in it[:-1]}:
        _set(row, path, dict(ADDRESS))
    for name, path in paths.items():
        if path == ("metadata",):
            row["metadata"] = {}
        elif _is_key(path) and not asked[name]:
            row["metadata"].pop(path[1], None)
        else:
            _set(row, path, asked[name] or None)


def _check_shipping(paths: Iterable[tuple[str, ...]]) -> None:
    """https://docs.stripe.com/api/customers/update: no name without an address, nor the reverse."""
    given = {it[1] for it in paths if it[0] == "shipping" and len(it) > 1}
    for name in {"address", "name"} - given if given else ():
        raise Problem("parameter_missing", param=f"shipping[{name}]")


def _is_key(path: tuple[str, ...]) -> bool:
    return path[0] == "metadata" and len(path) > 1


def _check_metadata(row: Row, given: Mapping[str, str]) -> None:
    """https://docs.stripe.com/api/metadata: how many notes there may be, and how long."""
    for name, value in given.items():
        if len(name) > LONGEST_KEY or len(value) > LONGEST_NOTE:
            raise Problem("parameter_invalid_string", param=f"metadata[{name}]")
    left = {**row["metadata"], **given}
    if len([it for it in left.values() if it]) > MOST_KEYS:
        raise Problem("metadata_too_many_keys", param="metadata")


def _set(row: Row, path: tuple[str, ...], value: Any) -> None:
    """An address that is unset stays, empty."""
    *outer, last = path
    for name in outer:
        if row.get(name) is None:
            row[name] = {}
        row = row[name]
    was = row.get(last) if outer else None
    row[last] = dict.fromkeys(was) if value is None and isinstance(was, dict) else value
