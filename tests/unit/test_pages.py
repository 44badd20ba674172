"""A list is read to its end, is believed when it stands still, and is never endless."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.sdk.http import Http
from connectors.sdk.interface import NotFoundError, RetryableError, TerminalError
from connectors.sdk.pages import Cursor, Link, Number, Paging, first, pages

NUMBER = Number(size=2, size_parameter="per_page")
CURSOR = Cursor(parameter="after", after=lambda it: it.get("next"), rows="data")
LINK = Link(after=lambda it: it.get("next"), rows="data")


@dataclass
class Vendor:
    """Answers by what it is asked, and remembers it."""

    url: str = ""
    answer: Callable[[web.Request], Any] = lambda _: []
    asked: list[str] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        body = self.answer(request)
        return web.Response(status=404) if body is None else web.json_response(body)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    app = web.Application()
    app.router.add_route("*", r"/{rest:[\s\S]*}", vendor.serve)
    async with TestServer(app) as server:
        vendor.url = str(server.make_url("/"))
        yield vendor


@pytest.fixture
async def http(vendor: Vendor) -> AsyncIterator[Http]:
    async with Http(vendor.url) as http:
        yield http


def numbered(rows: list[Any]) -> Callable[[web.Request], Any]:
    def answer(request: web.Request) -> Any:
        size = int(request.query["per_page"])
        start = (int(request.query["page"]) - 1) * size
        return rows[start : start + size]

    return answer


def linked(following: dict[str, Any]) -> Callable[[web.Request], Any]:
    """By cursor: the rows, and the next cursor."""

    def answer(request: web.Request) -> Any:
        ids, after = following[request.query.get("after", "")]
        return {"data": [{"id": it} for it in ids], "next": after}

    return answer


async def ids(http: Http, by: Paging) -> list[Any]:
    return [row[by.key] async for rows in pages(http, "/list", by) for row in rows]


async def test_pages_by_number_end_with_a_short_one_and_are_read_twice(
    vendor: Vendor, http: Http
) -> None:
    vendor.answer = numbered([{"id": n} for n in range(5)])
    assert await ids(http, NUMBER) == [0, 1, 2, 3, 4]
    once = [f"/list?per_page=2&page={n}" for n in (1, 2, 3)]
    assert vendor.asked == once * 2


async def test_a_list_of_one_page_is_read_once(vendor: Vendor, http: Http) -> None:
    vendor.answer = numbered([{"id": 1}])
    assert await ids(http, NUMBER) == [1]
    assert len(vendor.asked) == 1


async def test_an_empty_list_is_one_empty_page(vendor: Vendor, http: Http) -> None:
    assert [it async for it in pages(http, "/list", NUMBER)] == [[]]


async def test_pages_without_a_known_size_end_with_an_empty_one(vendor: Vendor, http: Http) -> None:
    vendor.answer = lambda it: [[{"id": 1}], [{"id": 2}], []][int(it.query["page"]) - 1]
    assert await ids(http, Number()) == [1, 2]


async def test_rows_are_counted_where_a_vendor_counts_rows(vendor: Vendor, http: Http) -> None:
    rows = [{"name": n} for n in "abcde"]
    vendor.answer = lambda it: {"items": rows[int(it.query["skip"]) :][:2]}
    by = Number(parameter="skip", first=0, by_rows=True, rows="items", key="name")
    assert await ids(http, by) == list("abcde")


async def test_what_a_shift_hides_from_one_pass_another_finds(vendor: Vendor, http: Http) -> None:
    """The first is deleted after its page was read: the third moves onto that page."""
    rows = [{"id": n} for n in range(1, 6)]
    whole = numbered(rows)

    def answer(request: web.Request) -> Any:
        found = whole(request)
        if len(vendor.asked) == 1:
            del rows[0]
        return found

    vendor.answer = answer
    assert await ids(http, NUMBER) == [1, 2, 4, 5, 3]


async def test_a_list_that_never_stands_still_is_left_for_later(vendor: Vendor, http: Http) -> None:
    rows = [{"id": n} for n in range(5)]
    whole = numbered(rows)

    def answer(request: web.Request) -> Any:
        rows.append({"id": 100 + len(vendor.asked)})
        del rows[0]
        return whole(request)

    vendor.answer = answer
    with pytest.raises(RetryableError, match="GET /list: a list that goes on changing"):
        await ids(http, NUMBER)


async def test_cursors_are_followed_to_the_end(vendor: Vendor, http: Http) -> None:
    vendor.answer = linked({"": ([1, 2], "b"), "b": ([], "c"), "c": ([3], None)})
    assert await ids(http, CURSOR) == [1, 2, 3]
    assert vendor.asked == ["/list", "/list?after=b", "/list?after=c"]


@pytest.mark.parametrize(
    "following",
    [
        {"": ([1], "b"), "b": ([2], "b")},
        {"": ([1], "b"), "b": ([2], "c"), "c": ([3], "b")},
        {"": ([1, 2], "b"), "b": ([3, 4], "c"), "c": ([1, 2], "d")},
    ],
    ids=["the cursor before", "an earlier cursor", "an earlier page"],
)
async def test_what_comes_again_is_no_end(
    vendor: Vendor, http: Http, following: dict[str, Any]
) -> None:
    vendor.answer = linked(following)
    with pytest.raises(RetryableError, match="comes again"):
        await ids(http, CURSOR)


async def test_of_a_link_only_the_query_is_taken(vendor: Vendor, http: Http) -> None:
    following = {"": {"data": [{"id": 1}], "next": "https://evil.example/x?page=ann%40b&limit=9"}}
    vendor.answer = lambda it: following.get(it.query_string, {"data": [{"id": 2}]})
    assert await ids(http, LINK) == [1, 2]
    assert vendor.asked == ["/list", "/list?page=ann%40b&limit=9"]


async def test_of_a_link_only_the_last_part_is_taken(vendor: Vendor, http: Http) -> None:
    by = Link(after=lambda it: it.get("next"), rows="data", route="/next/{page}")
    first_page = {"data": [{"id": 1}], "next": "https://evil.example/any/a%2Fb"}
    vendor.answer = lambda it: first_page if it.path == "/list" else {"data": [{"id": 2}]}
    assert await ids(http, by) == [1, 2]
    assert vendor.asked == ["/list", "/next/a%2Fb"]


@pytest.mark.parametrize("link", ["https://[", "https://x/.."])
async def test_a_link_that_leads_nowhere_is_one_of_the_two_errors(
    vendor: Vendor, http: Http, link: str
) -> None:
    vendor.answer = lambda _: {"data": [{"id": 1}], "next": link}
    by = Link(after=lambda it: it.get("next"), rows="data", route="/next/{page}")
    with pytest.raises((RetryableError, TerminalError)):
        await ids(http, by)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "text",
        7,
        {"data": {}},
        {"data": None},
        {"data": ["row"]},
        {"data": [{}]},
        {"data": [{"id": None}]},
        {"data": [{"id": {"a": 1}}]},
        {"data": [{"id": True}]},
    ],
)
async def test_what_is_no_list_of_records_comes_later(
    vendor: Vendor, http: Http, body: Any
) -> None:
    vendor.answer = lambda _: body
    with pytest.raises(RetryableError, match="GET /list: not a"):
        await ids(http, CURSOR)


async def test_a_list_that_is_not_there_is_said_to_be_so(vendor: Vendor, http: Http) -> None:
    vendor.answer = lambda _: None
    with pytest.raises(NotFoundError):
        await ids(http, CURSOR)


async def test_a_list_that_goes_while_it_is_read_comes_later(vendor: Vendor, http: Http) -> None:
    vendor.answer = lambda it: None if it.query else {"data": [{"id": 1}], "next": "b"}
    with pytest.raises(RetryableError, match="went while"):
        await ids(http, CURSOR)


async def test_a_list_has_an_end(vendor: Vendor, http: Http) -> None:
    vendor.answer = lambda it: {"data": [], "next": str(len(vendor.asked))}
    with pytest.raises(TerminalError, match="more than 7 pages"):
        await ids(http, Cursor(parameter="after", after=CURSOR.after, rows="data", last=7))
    assert len(vendor.asked) == 7


async def test_to_prove_that_a_list_may_be_read_one_row_is_enough(
    vendor: Vendor, http: Http
) -> None:
    vendor.answer = numbered([{"id": n} for n in range(5)])
    await first(http, "/list", NUMBER, {"state": "any"})
    assert vendor.asked == ["/list?per_page=1&state=any&page=1"]
