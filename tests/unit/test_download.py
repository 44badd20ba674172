"""`Http.download` streams a file, keeps credentials at home, and stays out of our networks."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.sdk import download
from connectors.sdk.ceilings import Ceilings
from connectors.sdk.download import PIECE, filed
from connectors.sdk.http import Http, UnauthorisedError, call, caller, witnessed
from connectors.sdk.interface import Holding, Record, RetryableError, TerminalError

HOLDING = Holding("ticket", "7")
TEXT = b"\x00\xff%PDF-1.7 any bytes"


@dataclass
class Server:
    """A host of files: answers each path as it was told to, and remembers who asked."""

    url: str = ""
    files: dict[str, Callable[[], web.Response]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    breaks: bool = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("Authorization")))
        if not self.breaks:
            return self.files.get(request.path, partial(web.Response, status=404))()
        said = web.StreamResponse(headers={"Content-Length": str(3 * PIECE)})
        await said.prepare(request)
        await said.write(b"a" * PIECE)
        assert request.transport is not None
        request.transport.close()
        return said


async def _served() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", r"/{rest:[\s\S]*}", server.serve)
    async with TestServer(app) as running:
        server.url = str(running.make_url("/")).rstrip("/")
        yield server


vendor = pytest.fixture(_served)
elsewhere = pytest.fixture(_served)


@pytest.fixture
async def http(vendor: Server) -> AsyncIterator[Http]:
    async with Http(vendor.url, authorization="Bearer secret") as http:
        yield http


def says(body: bytes = TEXT, **headers: str) -> Callable[[], web.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return partial(web.Response, body=body, headers={"Content-Type": "a/b", **named})


def leads(to: str, status: int = 302) -> Callable[[], web.Response]:
    return partial(web.Response, status=status, headers={"Location": to})


def refuses(status: int) -> Callable[[], web.Response]:
    return partial(web.Response, status=status, headers={"Retry-After": "7"})


def _chunked() -> web.Response:
    said = web.Response(body=b"a" * (2 * PIECE + 1))
    said.enable_chunked_encoding()
    return said


async def fetched(http: Http, route: str, address: str = "", **parts: str) -> Any:
    async with http.download(route, None, address=address, **parts) as file:
        if file is None:
            return None
        return b"".join([it async for it in file.pieces()]), file.content_type, file.name


async def records(http: Http, route: str, address: str = "", **given: Any) -> list[Record]:
    opening = http.download(route, address=address)
    return [it async for it in filed(opening, HOLDING, missing="not_fetched", **given)]


async def test_a_file_of_the_vendors_own_comes_whole_with_its_name(
    vendor: Server, http: Http
) -> None:
    vendor.files["/files/a/b"] = says(Content_Disposition='attachment; filename="in voice.pdf"')
    assert await fetched(http, "/files/{id}", id="a/b") == (TEXT, "a/b", "in voice.pdf")
    assert vendor.asked == [("/files/a/b", "Bearer secret")]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf", "résumé.pdf"),
        ('attachment; filename="../../etc/passwd"', "../../etc/passwd"),
        ("attachment", "last one"),
        ("", "last one"),
        ("attachment; filename*=no-such-charset''a%FF", "a\xff"),
        ('inline; filename="a', '"a'),
    ],
)
async def test_the_name_is_as_the_vendor_says_it_or_the_end_of_the_path(
    vendor: Server, http: Http, header: str, name: str
) -> None:
    vendor.files["/files/last one"] = says(Content_Disposition=header)
    _, _, said = await fetched(http, "/files/{id}", id="last one")
    assert said == name


async def test_bytes_stay_as_they_are_whatever_they_are_called(vendor: Server, http: Http) -> None:
    packed = gzip.compress(TEXT)
    vendor.files["/f"] = says(packed, Content_Encoding="gzip")
    body, *_ = await fetched(http, "/f")
    assert body == packed


async def test_a_large_file_comes_in_pieces_of_a_megabyte(vendor: Server, http: Http) -> None:
    whole = bytes(range(256)) * (PIECE // 256) * 2 + b"end"
    vendor.files["/f"] = says(whole)
    found = await records(http, "/f", name="scan.bin")
    assert [(len(it.body), it.more) for it in found] == [
        (PIECE, True),
        (PIECE, True),
        (3, False),
    ]
    assert b"".join(it.body for it in found) == whole
    assert {(it.name, it.content_type, it.missing) for it in found} == {("scan.bin", "a/b", "")}


async def test_an_empty_file_is_a_file(vendor: Server, http: Http) -> None:
    vendor.files["/empty.txt"] = says(b"")
    assert await records(http, "/empty.txt") == [Record(HOLDING, b"", "a/b", name="empty.txt")]


async def test_credentials_go_to_the_vendors_own_host_only(
    vendor: Server, elsewhere: Server, http: Http
) -> None:
    vendor.files["/own"] = elsewhere.files["/signed"] = says()
    await fetched(http, "attachment", f"{vendor.url}/own")
    await fetched(http, "attachment", f"{elsewhere.url}/signed")
    assert (vendor.asked, elsewhere.asked) == ([("/own", "Bearer secret")], [("/signed", None)])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_without_credentials(
    vendor: Server, elsewhere: Server, http: Http, status: int
) -> None:
    vendor.files["/f"] = leads(f"{elsewhere.url}/over there", status)
    elsewhere.files["/over there"] = leads("/there")
    elsewhere.files["/there"] = leads(f"{vendor.url}/back")
    vendor.files["/back"] = says()
    assert await fetched(http, "/f") == (TEXT, "a/b", "back")
    assert elsewhere.asked == [("/over there", None), ("/there", None)]
    assert vendor.asked == [("/f", "Bearer secret"), ("/back", None)], "led back as a stranger"


async def test_redirects_without_an_end_are_given_up(vendor: Server, http: Http) -> None:
    vendor.files["/f"] = leads("/f")
    with pytest.raises(TerminalError, match="GET /f: redirects"):
        await fetched(http, "/f")
    assert len(vendor.asked) == 4


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_not_there_is_none_and_a_record_that_says_so(
    vendor: Server, elsewhere: Server, http: Http, status: int
) -> None:
    vendor.files["/f"] = elsewhere.files["/f"] = refuses(status)
    assert await fetched(http, "/f") is None
    missing = [Record(HOLDING, b"", name="a.pdf", missing="not_fetched")]
    assert await records(http, "attachment", f"{elsewhere.url}/f", name="a.pdf") == missing


@pytest.mark.parametrize("status", [204, 206, 400, 403, 451])
async def test_a_refusal_is_terminal_and_the_file_is_missing(
    vendor: Server, elsewhere: Server, http: Http, status: int
) -> None:
    for server in (vendor, elsewhere):
        server.files["/f"] = refuses(status)
        with pytest.raises(TerminalError):
            await fetched(http, "attachment", f"{server.url}/f")
        assert [it.missing for it in await records(http, "x", f"{server.url}/f")] == ["not_fetched"]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_come_later_is_not_missing(
    vendor: Server, elsewhere: Server, http: Http, status: int
) -> None:
    for server in (vendor, elsewhere):
        server.files["/f"] = refuses(status)
        with pytest.raises(RetryableError) as caught:
            await records(http, "attachment", f"{server.url}/f")
        assert caught.value.retry_after is not None
        assert caught.value.retry_after.total_seconds() == 7


async def test_refused_credentials_are_no_missing_file_and_a_strangers_401_is(
    vendor: Server, elsewhere: Server, http: Http
) -> None:
    vendor.files["/f"] = elsewhere.files["/f"] = refuses(401)
    with pytest.raises(UnauthorisedError):
        await records(http, "/f")
    assert [it.missing for it in await records(http, "x", f"{elsewhere.url}/f")] == ["not_fetched"]


async def test_a_body_that_breaks_comes_later(vendor: Server, http: Http) -> None:
    vendor.breaks = True
    with pytest.raises(RetryableError, match="GET /f"):
        await records(http, "/f")


async def test_a_file_that_is_too_large_is_missing(vendor: Server) -> None:
    async with Http(vendor.url, ceilings=Ceilings(file_bytes=PIECE)) as http:
        vendor.files["/fits"], vendor.files["/large"] = says(b"a" * PIECE), says(b"a" * (PIECE + 1))
        assert [len(it.body) for it in await records(http, "/fits")] == [PIECE]
        assert [it.missing for it in await records(http, "/large")] == ["not_fetched"]
        vendor.files["/unsaid"] = _chunked
        found = await records(http, "/unsaid", name="a")
    assert (found[-1].missing, found[-1].body) == ("not_fetched", b"")
    assert all(it.more for it in found[:-1])


@pytest.mark.parametrize("told", [{"size": 3}, {"content_type": "application/pdf"}])
async def test_what_is_not_the_file_that_was_told_of_may_be_it_later(
    vendor: Server, http: Http, told: dict[str, Any]
) -> None:
    """A page that asks to sign in is no attachment."""
    vendor.files["/f"] = says(b"<html>")
    with pytest.raises(RetryableError):
        await records(http, "/f", **told)
    assert len(await records(http, "/f", size=6, content_type="a/b")) == 1


async def test_only_the_time_for_a_piece_is_limited() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        said = web.StreamResponse()
        await said.prepare(request)
        for _ in range(3):
            await said.write(b"a" * PIECE)
            await asyncio.sleep(0.5)
        if request.path == "/stuck":
            await asyncio.sleep(30)
        return said

    app = web.Application()
    app.router.add_get("/{name}", slow)
    ceilings = Ceilings(answer_seconds=1)
    async with TestServer(app) as server, Http(str(server.make_url("/")), ceilings=ceilings) as it:
        assert len((await fetched(it, "/slow"))[0]) == 3 * PIECE
        with pytest.raises(RetryableError, match="GET /stuck"):
            await fetched(it, "/stuck")


async def test_the_host_makes_the_opening_and_each_redirect_and_they_are_witnessed(
    vendor: Server, elsewhere: Server, http: Http
) -> None:
    made = []

    async def counting(attempt: Any) -> Any:
        made.append(attempt)
        return await attempt()

    vendor.files["/f/ann@example.org"] = leads(f"{elsewhere.url}/signed?to=ann@example.org")
    elsewhere.files["/signed"] = says()
    token = caller.set(counting)
    with witnessed() as calls:
        await fetched(http, "/f/{email}", email="ann@example.org")
    caller.reset(token)
    assert len(made) == 2
    assert [(it.method, it.route, it.status) for it in calls] == [
        ("GET", "/f/{email}", 302),
        ("GET", "/f/{email}", 200),
    ]


@pytest.mark.parametrize(
    "address",
    [
        "http://files.vendor.example/f",
        "ftp://files.vendor.example/f",
        "file:///etc/passwd",
        "https://localhost/f",
        "https://127.0.0.1/f",
        "https://127.1/f",
        "https://2130706433/f",
        "https://0x7f.1/f",
        "https://[::1]/f",
        "https://[::ffff:127.0.0.1]/f",
        "https://10.1.2.3/f",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/f",
        "https://ann:secret@files.vendor.example/f",
        "https://files.vendor.example\\@127.0.0.1/f",
        "https://files.vendor.example./f",
        "//127.0.0.1/f",
        "/f",
        "https://[nonsense/f",
        "not ann@example.org an address",
        "https://inward.example/f",
    ],
)
async def test_no_answer_leads_into_our_networks(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inward(_: str, port: int, *__: Any, **___: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", inward)
    async with Http("https://api.vendor.example", authorization="Bearer secret") as http:
        with pytest.raises(TerminalError) as caught:
            await fetched(http, "attachment", address)
    assert caught.value.reason == download.FOREIGN
    assert "example" not in str(caught.value)
    assert "127" not in str(caught.value)


async def test_a_vendor_may_lie_in_our_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway of ours, at an address that an operator has set: nothing listens there."""
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))],
    )
    async with Http("https://gateway.example") as http:
        with pytest.raises(RetryableError, match="GET /f"):
            await fetched(http, "/f")


async def test_what_an_address_leaves_unquoted_is_quoted(elsewhere: Server, http: Http) -> None:
    elsewhere.files["/Rechnung für Ann.pdf"] = says()
    address = f"{elsewhere.url}/Rechnung für Ann.pdf?signature=a%2Fb+c"
    assert await fetched(http, "attachment", address) == (TEXT, "a/b", "Rechnung für Ann.pdf")


async def test_a_download_tells_nobody(vendor: Server, http: Http) -> None:
    vendor.files["/ann"] = says()
    async with http.download("/{name}", name="ann") as file:
        assert "ann" not in repr(file)


async def test_a_call_outside_of_a_host_is_made_once() -> None:
    made = []

    async def attempt() -> int:
        made.append(1)
        return 7

    assert (await call(attempt, route="GET /f"), made) == (7, [1])
