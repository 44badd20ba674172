"""`Http` fails in two ways only, names nobody, and lets nothing out of its path."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.sdk.http import (
    ABSENT,
    Absent,
    Call,
    Ceilings,
    Http,
    UnauthorisedError,
    as_form,
    as_json,
    basic,
    call,
    caller,
    retry_after,
    witness,
    witnessed,
)
from connectors.sdk.interface import RetryableError, TerminalError

T = TypeVar("T")


@dataclass
class Vendor:
    """Answers as it was told to, and remembers what it was asked."""

    url: str = ""
    answers: list[web.Response | Callable[[], Awaitable[web.Response]]] = field(
        default_factory=list
    )
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.Response:
        content = await request.read()
        self.asked.append((request.method, request.raw_path, dict(request.headers), content))
        answer = self.answers.pop(0) if self.answers else web.json_response({"ok": True})
        return answer if isinstance(answer, web.Response) else await answer()


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
    async with Http(vendor.url, authorization=basic("key", "X")) as http:
        yield http


def says(status: int, text: str = "", **headers: str) -> web.Response:
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("ann+1@example.org", "/lists/ann%2B1%40example.org/members"),
        ("a/b", "/lists/a%2Fb/members"),
        ("../../admin", "/lists/..%2F..%2Fadmin/members"),
        ("a?b#c", "/lists/a%3Fb%23c/members"),
        ("ü %41", "/lists/%C3%BC%20%2541/members"),
        ("a\r\nb", "/lists/a%0D%0Ab/members"),
        ("{id}", "/lists/%7Bid%7D/members"),
    ],
)
async def test_a_part_stays_one_part(vendor: Vendor, http: Http, part: str, path: str) -> None:
    await http.get("/lists/{name}/members", name=part)
    assert vendor.asked[0][1] == path


@pytest.mark.parametrize("part", ["", ".", "..", "\ud800"])
async def test_a_part_that_would_change_the_path_is_refused(
    vendor: Vendor, http: Http, part: str
) -> None:
    with pytest.raises(TerminalError, match=r"DELETE /lists/\{name\}"):
        await http.delete("/lists/{name}", name=part)
    assert vendor.asked == []


async def test_a_query_is_quoted_once(vendor: Vendor, http: Http) -> None:
    await http.get("/contacts", {"email": "a+b&c=d%40@example.org"})
    assert vendor.asked[0][1] == "/contacts?email=a%2Bb%26c%3Dd%2540%40example.org"


async def test_a_payload_arrives_as_what_it_is(vendor: Vendor, http: Http) -> None:
    await http.put("/c/{id}", as_json({"name": None}), id="1")
    await http.post("/token", as_form({"a": "1&2"}))
    json, form = vendor.asked
    assert (json[2]["Content-Type"], json[3]) == ("application/json", b'{"name": null}')
    assert (form[2]["Content-Type"], form[3]) == (
        "application/x-www-form-urlencoded",
        b"a=1%262",
    )


async def test_an_answer_has_status_headers_and_body(vendor: Vendor, http: Http) -> None:
    vendor.answers = [says(200, "[1]", Link='<x>;rel="next"'), says(204)]
    read, changed = await http.require("/list"), await http.patch("/one")
    assert (read.status, read.headers["link"], read.body) == (200, '<x>;rel="next"', [1])
    assert changed is not None
    assert (changed.status, changed.body) == (204, {})


async def test_not_found_is_an_answer_where_one_thing_is_asked_for(
    vendor: Vendor, http: Http
) -> None:
    vendor.answers = [says(404), says(404, '{"code": "not_found"}'), says(404)]
    assert await http.get("/c/{id}", id="1") is None
    assert await http.delete("/c/{id}", id="1") is None
    with pytest.raises(TerminalError):
        await http.require("/list")


async def test_a_gateways_not_found_is_not_the_vendors(vendor: Vendor, http: Http) -> None:
    vendor.answers = [web.Response(status=404, text="<html>", content_type="text/html")]
    with pytest.raises(RetryableError):
        await http.get("/c/{id}", id="1")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "unauthorised"), (403, "forbidden"), (400, "refused"), (409, "refused")],
)
async def test_a_refusal_is_terminal_and_says_which(
    vendor: Vendor, http: Http, status: int, reason: str
) -> None:
    vendor.answers = [says(status)]
    with pytest.raises(TerminalError) as caught:
        await http.get("/c")
    assert caught.value.reason == reason


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_a_busy_vendor_is_retryable(vendor: Vendor, http: Http, status: int) -> None:
    vendor.answers = [says(status, **{"Retry-After": "34"})]
    with pytest.raises(RetryableError) as caught:
        await http.get("/c")
    assert caught.value.retry_after == timedelta(seconds=34)


@pytest.mark.parametrize(("status", "wait"), [(429, timedelta(0)), (503, None)])
async def test_too_many_requests_asks_to_slow_down_even_without_a_time(
    vendor: Vendor, http: Http, status: int, wait: timedelta | None
) -> None:
    vendor.answers = [says(status)]
    with pytest.raises(RetryableError) as caught:
        await http.get("/c")
    assert caught.value.retry_after == wait


@pytest.mark.parametrize(
    "answer",
    [
        (200, "<html>", "text/html"),
        (200, '{"half": "bo', "application/json"),
        (200, "", "application/json"),
        (200, "\ud83d", "application/json"),
    ],
    ids=["html", "half", "empty", "broken"],
)
async def test_what_is_not_json_is_retryable(
    vendor: Vendor, http: Http, answer: tuple[int, str, str]
) -> None:
    status, text, kind = answer
    body = text.encode(errors="surrogatepass")
    vendor.answers = [web.Response(status=status, body=body, content_type=kind)]
    with pytest.raises(RetryableError, match="unreadable"):
        await http.get("/c")


@pytest.mark.parametrize(
    ("levels", "body"),
    [
        (3, b"[[[]]]"),
        (3, b'[{"a":[1]},"[[[[",{"]":{}}]'),
        (3, '[{"a":[1]}]'.encode("utf-16")),
        (1, b"[" + b"1," * 1000 + b'"[{["]'),
        (1, b'"[[[["'),
    ],
)
async def test_a_body_as_deep_as_may_be_is_taken(vendor: Vendor, levels: int, body: bytes) -> None:
    vendor.answers = [web.Response(body=body, content_type="application/json")]
    async with Http(vendor.url, ceilings=Ceilings(answer_depth=levels)) as http:
        assert (await http.require("/c")).body is not None


@pytest.mark.parametrize(
    ("levels", "body"),
    [
        (2, b"[[[]]]"),
        (2, b'[{"a":[1]}]'),
        (1, b'["]]]]",[],"[[[["]'),
        (100, b"[" * 101 + b"]" * 101),
        (100, b"[" * 100_000),
        (100, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        (1, '["[]]",{}]'.encode("utf-16")),
    ],
    ids=range(7),
)
async def test_a_deeper_one_is_given_up(vendor: Vendor, levels: int, body: bytes) -> None:
    vendor.answers = [web.Response(body=body, content_type="application/json")]
    async with Http(vendor.url, ceilings=Ceilings(answer_depth=levels)) as http:
        with pytest.raises(TerminalError, match=r"^GET /c: 200, too deep$") as caught:
            await http.get("/c")
    assert caught.value.reason == "answer_too_large"


async def test_a_body_up_to_the_ceiling_is_taken(vendor: Vendor) -> None:
    vendor.answers = [says(200, f'"{"a" * 98}"'), says(200, f'"{"a" * 99}"')]
    async with Http(vendor.url, ceilings=Ceilings(answer_bytes=100)) as http:
        assert len((await http.require("/c")).body) == 98
        with pytest.raises(TerminalError, match=r"^GET /c: 200, too large$") as caught:
            await http.get("/c")
    assert caught.value.reason == "answer_too_large"


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (401, UnauthorisedError, "unauthorised"),
        (403, TerminalError, "forbidden"),
        (400, TerminalError, "refused"),
        (404, RetryableError, None),  # no absence: that the vendor says in a few words
        (429, RetryableError, None),
        (503, RetryableError, None),
        (201, TerminalError, "answer_too_large"),
    ],
)
async def test_a_status_means_the_same_whatever_comes_with_it(
    vendor: Vendor, status: int, error: type[Exception], reason: str | None
) -> None:
    vendor.answers = [says(status, "a" * 1000)]
    async with Http(vendor.url, ceilings=Ceilings(answer_bytes=100)) as http:
        with pytest.raises(error) as caught:
            await http.get("/c")
    assert getattr(caught.value, "reason", None) == reason


async def test_compressed_answers_are_read(vendor: Vendor, http: Http) -> None:
    def compressed(how: str, body: bytes) -> web.Response:
        kind = "application/json"
        return web.Response(body=body, content_type=kind, headers={"Content-Encoding": how})

    vendor.answers = [
        compressed("gzip", gzip.compress(b"[1]")),
        compressed("Deflate", zlib.compress(b"[2]")),
        compressed("identity", b"[3]"),
    ]
    assert [(await http.require("/c")).body for _ in range(3)] == [[1], [2], [3]]
    assert vendor.asked[0][2]["Accept-Encoding"] == "gzip, deflate"


async def test_other_types_are_text_if_accepted(vendor: Vendor, http: Http) -> None:
    vendor.answers = [
        web.Response(text="Id\n1\n", content_type="text/csv"),
        web.Response(text="<html>", content_type="text/html"),
    ]
    answer = await http.send("GET", "/results", accept="text/csv")
    assert answer is not None
    assert answer.body == "Id\n1\n"
    with pytest.raises(RetryableError):
        await http.send("GET", "/results", accept="text/csv")


@pytest.mark.parametrize(
    ("status", "error"), [(302, RetryableError), (301, TerminalError), (308, TerminalError)]
)
async def test_a_redirect_is_not_followed(
    vendor: Vendor, http: Http, status: int, error: type[Exception]
) -> None:
    vendor.answers = [says(status, Location="https://elsewhere.example")]
    with pytest.raises(error):
        await http.get("/c")
    assert len(vendor.asked) == 1


async def test_a_slow_vendor_is_retryable(vendor: Vendor) -> None:
    async def late() -> web.Response:
        await asyncio.sleep(2)
        return says(200, "{}")

    vendor.answers = [late]
    async with Http(vendor.url, ceilings=Ceilings(answer_seconds=1)) as http:
        with pytest.raises(RetryableError, match="Timeout"):
            await http.get("/c")


async def test_an_unreachable_vendor_is_retryable_and_unnamed() -> None:
    async with Http("http://127.0.0.1:9") as http:
        with pytest.raises(RetryableError) as caught:
            await http.get("/c/{email}", {"q": "ann@example.org"}, email="ann@example.org")
    assert "ann" not in repr(caught.value)
    assert caught.value.__suppress_context__


async def test_a_vendors_own_reading_comes_first(vendor: Vendor) -> None:
    def classify(status: int, body: Any) -> Exception | Absent | None:
        match status, body:
            case 403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]:
                return RetryableError("limit")
            case 200, {"deleted": True}:
                return ABSENT
            case _:
                return None

    vendor.answers = [
        says(403, '[{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]', **{"Retry-After": "9"}),
        says(200, '{"deleted": true}'),
        says(403, "{}"),
    ]
    async with Http(vendor.url, classify=classify) as http:
        with pytest.raises(RetryableError, match="GET /c: 403 limit") as caught:
            await http.get("/c")
        assert caught.value.retry_after == timedelta(seconds=9)
        assert await http.get("/c") is None
        with pytest.raises(TerminalError):
            await http.get("/c")


class Tokens:
    """Gives `token 1`, then `token 2`, ..."""

    def __init__(self) -> None:
        self.given = 0

    async def __call__(self, *, renew: bool = False) -> str:
        await asyncio.sleep(0)
        self.given += 1
        assert renew == (self.given > 1)
        return f"token {self.given}"


async def test_a_refused_token_is_renewed_once_for_all(vendor: Vendor) -> None:
    tokens = Tokens()
    vendor.answers = [says(200, "{}"), says(401), says(401)]
    async with Http(vendor.url, authorization=tokens) as http:
        await http.get("/first")
        await asyncio.gather(http.get("/a"), http.get("/b"))
    assert tokens.given == 2
    sent = [headers["Authorization"] for _, _, headers, _ in vendor.asked]
    assert sorted(sent) == ["token 1"] * 3 + ["token 2"] * 2


async def test_a_token_refused_twice_is_unauthorised(vendor: Vendor) -> None:
    vendor.answers = [says(401), says(401)]
    async with Http(vendor.url, authorization=Tokens()) as http:
        with pytest.raises(TerminalError) as caught:
            await http.get("/c")
    assert caught.value.reason == "unauthorised"
    assert len(vendor.asked) == 2


async def test_the_host_makes_every_call(vendor: Vendor, http: Http) -> None:
    async def twice(attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            return await attempt()
        except RetryableError:
            return await attempt()

    async def alone() -> int:
        return 1

    vendor.answers = [says(503), says(200, '{"at": "last"}')]
    token = caller.set(twice)
    try:
        answer = await http.require("/c")
        assert await call(alone) == 1
    finally:
        caller.reset(token)
    assert answer.body == {"at": "last"}


async def test_calls_are_witnessed_with_the_vendors_id_and_no_name(
    vendor: Vendor, http: Http
) -> None:
    vendor.answers = [says(200, "{}", **{"X-Request-Id": "r1"}), says(500, **{"Request-Id": "r2"})]
    with witnessed() as outer:
        await http.get("/c/{id}", id="ann")
        with witnessed() as inner:
            with pytest.raises(RetryableError):
                await http.delete("/c/{id}", id="ann")
            witness(Call("PutObject", "bucket", 200))
    await http.get("/c")
    second = Call("DELETE", "/c/{id}", 500, "r2")
    assert inner == [second, Call("PutObject", "bucket", 200)]
    assert outer == [Call("GET", "/c/{id}", 200, "r1"), *inner]


async def test_a_call_without_an_answer_is_witnessed_too() -> None:
    async with Http("http://127.0.0.1:9") as http:
        with witnessed() as calls, pytest.raises(RetryableError):
            await http.get("/c")
    assert calls == [Call("GET", "/c", None)]


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("Mon, 01 Jan 2024 00:00:00 GMT", timedelta(0)),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("9" * 30, None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_or_left(said: str, wait: timedelta | None) -> None:
    assert retry_after({"Retry-After": said}) == wait


def test_retry_after_may_be_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    wait = retry_after({"Retry-After": at})
    assert wait is not None
    assert timedelta(seconds=50) < wait <= timedelta(minutes=1)
