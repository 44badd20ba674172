"""Attacks on the links in our mails, and on the page behind them.

A link proves that somebody reads an address. So what is tried here is to have it proved by somebody
who does not: a machine that opens links, a guesser, the holder of another link, a page elsewhere.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession, TCPConnector, web
from playwright.async_api import Browser, async_playwright
from structlog.testing import capture_logs
from yarl import URL

from pipeline.app import WEB, Place, SetupError
from pipeline.keys.key_folder import KeyFileError
from pipeline.web import server
from pipeline.web.peers import BURST
from pipeline.web.server import serve
from tests.fakes.deciders import set_up
from tests.fakes.pages import Served, served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")
MINE, THEIRS = b"m" * 16, b"v" * 16
"""The tag of the attacker's own address, and of somebody else's."""


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as made:
        yield made


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession() as made:
        yield made


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        await started.close()


async def answer(client: ClientSession, method: str, url: str, **more: Any) -> tuple[Any, ...]:
    """All that somebody outside sees: status, headers but for the date, body."""
    async with client.request(method, URL(url, encoded=True), **more) as got:
        headers = {name: it for name, it in got.headers.items() if name != "Date"}
        return got.status, headers, await got.text()


async def raw(pages: Served, sent: bytes, within: float = 10.0) -> bytes:
    """What a socket hears that sends these bytes, until it is closed."""
    address = URL(pages.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(sent)
    try:
        async with asyncio.timeout(within):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@asynccontextmanager
async def elsewhere(html: str) -> AsyncIterator[tuple[str, list[Mapping[str, str]]]]:
    """Somebody else's site with one page; its address, and the headers of who came."""
    came: list[Mapping[str, str]] = []

    async def show(request: web.Request) -> web.Response:
        came.append(request.headers)
        return web.Response(text=html, content_type="text/html")

    site = web.Application()
    site.router.add_get("/{any:.*}", show)
    runner = web.AppRunner(site)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    yield f"http://localhost:{listener.getsockname()[1]}/", came
    await runner.cleanup()


# A machine reads the mail: a scanner, a preview, a prefetcher. It has the link, and opens it.


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender"},
        {"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
    ids=["plain", "prefetch", "override", "form"],
)
async def test_a_scanner_that_opens_the_link_proves_nothing(
    pages: Served, client: ClientSession, method: str, headers: dict[str, str]
) -> None:
    link = f"{pages.url}/confirm/{await pages.link()}"
    for tail in ("", "?_method=POST", "?confirm=yes", "/"):
        for _ in range(3):
            await answer(client, method, link + tail, headers=headers)
    assert pages.proved() == []
    status, _, _ = await answer(client, "POST", link)
    assert (status, len(pages.proved())) == (200, 1)  # nor did it use the link up


@in_a_browser
async def test_a_scanner_with_a_whole_browser_that_does_not_press_proves_nothing(
    pages: Served, browser: Browser
) -> None:
    page = await browser.new_page()
    await page.goto(f"{pages.url}/confirm/{await pages.link()}", wait_until="networkidle")
    await page.mouse.move(200, 300)
    await page.mouse.wheel(0, 500)
    await page.close()
    assert pages.proved() == []


# A guesser has no link, and tries tokens. All that they can learn is one page.


async def test_guessed_expired_and_used_links_cannot_be_told_apart(
    pages: Served, client: ClientSession
) -> None:
    living, expired = await pages.link(), await pages.link(lives=timedelta(0))
    digest = sha256(living.encode()).hexdigest()
    tries = {
        "unknown": "0" * 32,
        "expired": expired,
        "a digit changed": living[:-1] + ("0" if living[-1] != "0" else "1"),
        "in capitals": living.upper() + "A",
        "cut": living[:-1],
        "longer": living + "0",
        "the register's digest": digest,
        "empty": "",
        "something else": "%00",
        "much": "a" * 4000,
        "sql": "'%20OR%201=1--",
    }
    for method in ("GET", "POST"):
        seen = {
            name: await answer(client, method, f"{pages.url}/confirm/{it}")
            for name, it in tries.items()
        }
        assert {it[0] for it in seen.values()} == {404}, seen
        assert len({repr(it) for it in seen.values()}) == 1
    assert pages.proved() == []


async def test_a_link_is_of_no_use_after_its_time(pages: Served, client: ClientSession) -> None:
    link = f"{pages.url}/confirm/{await pages.link(lives=timedelta(minutes=5))}"
    pages.now += timedelta(minutes=5)
    for method in ("GET", "POST", "POST"):
        assert (await answer(client, method, link))[0] == 404
    assert pages.proved() == []


async def test_a_guesser_is_slowed_down_and_others_are_not(pages: Served) -> None:
    link = f"{pages.url}/confirm/{await pages.link()}"
    async with (
        ClientSession(connector=TCPConnector(local_addr=("127.0.0.2", 0))) as guesser,
        ClientSession(connector=TCPConnector(local_addr=("127.0.0.3", 0))) as somebody,
    ):
        url = f"{pages.url}/confirm/{'0' * 32}"
        seen = [(await answer(guesser, "POST", url))[:2] for _ in range(int(BURST) * 3)]
        refused = [headers for status, headers in seen if status == 429]
        assert len(refused) > BURST / 2
        assert all("Retry-After" in it for it in refused)
        assert (await answer(somebody, "POST", link))[0] == 200


# The holder of a link to their own address wants another address proved with it.


async def test_a_link_proves_its_own_address_whatever_is_sent_along(
    pages: Served, client: ClientSession
) -> None:
    mine, theirs = uuid4(), uuid4()
    token = await pages.link(case=mine, tag=MINE)
    await pages.link(case=theirs, tag=THEIRS)
    said = {"case": str(theirs), "tag": THEIRS.hex(), "identifier": THEIRS.hex(), "level": "3"}
    query = f"?case={theirs}&tag={THEIRS.hex()}"
    await answer(client, "POST", f"{pages.url}/confirm/{token}{query}", data=said)
    await answer(client, "POST", f"{pages.url}/confirm/{token}", json=said)
    headers = {f"X-{name}": it for name, it in said.items()}
    await answer(client, "POST", f"{pages.url}/confirm/{token}", headers=headers)
    found = {(it.case, it.tag, it.level, it.method) for it in pages.proved()}
    assert found == {(mine, MINE, 2, "link")}


# A page elsewhere wants a visitor's browser to press the button: it has the link, and the victim.


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "garbage"},
    ],
    ids=repr,
)
async def test_a_button_on_another_page_confirms_nothing(
    pages: Served, client: ClientSession, headers: dict[str, str]
) -> None:
    link = f"{pages.url}/confirm/{await pages.link()}"
    status, _, text = await answer(client, "POST", link, headers=headers)
    assert status == 403
    assert "Nothing was confirmed" in text
    assert pages.proved() == []


async def test_our_own_page_is_heard_in_every_browser(pages: Served, client: ClientSession) -> None:
    """An old one says nothing of the site, and `null` of a page that sends no referrer."""
    for headers in (
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": pages.url},
        {"Origin": "null"},
        {},
    ):
        link = f"{pages.url}/confirm/{await pages.link()}"
        assert (await answer(client, "POST", link, headers=headers))[0] == 200


@in_a_browser
async def test_a_real_browser_presses_no_button_for_another_page(
    pages: Served, browser: Browser
) -> None:
    link = f"{pages.url}/confirm/{await pages.link()}"
    form = f'<form method="post" action="{link}"><button>Win!</button></form>'
    async with elsewhere(form) as (url, _):
        page = await browser.new_page()
        await page.goto(url)
        await page.locator("button").click()
        await page.get_by_text("Nothing was confirmed").wait_for()
    assert pages.proved() == []


@in_a_browser
async def test_the_page_is_not_shown_in_somebody_else_s_frame(
    pages: Served, browser: Browser
) -> None:
    """Else the button could lie, unseen, under another one."""
    link = f"{pages.url}/confirm/{await pages.link()}"
    async with elsewhere(f'<iframe src="{link}" width="500" height="500"></iframe>') as (url, _):
        page = await browser.new_page()
        await page.goto(url, wait_until="networkidle")
        assert await page.frame_locator("iframe").locator("button").count() == 0


# Whoever sees traffic, logs or the history of another site wants the token out of them.


@in_a_browser
async def test_no_other_site_learns_the_link_from_a_referrer(
    pages: Served, browser: Browser
) -> None:
    token = await pages.link()
    async with elsewhere("<p>Hello</p>") as (url, came):
        page = await browser.new_page()
        await page.goto(f"{pages.url}/confirm/{token}")
        await page.evaluate(f"location.href = {url!r}")
        await page.wait_for_url(url)
    assert came
    assert "Referer" not in came[0]
    assert token not in repr(came)


async def test_logs_hold_neither_token_nor_peer(pages: Served, client: ClientSession) -> None:
    token = await pages.link()
    with capture_logs() as logs:
        for it in (f"confirm/{token}", f"confirm/{token}/x", f"{token}?{token}", "healthz"):
            for method in ("GET", "POST", token[:5].upper()):
                await answer(client, method, f"{pages.url}/{it}", headers={"User-Agent": token})
    assert len(logs) >= 12
    assert token not in repr(logs).lower()
    assert token[:5] not in repr([it["method"] for it in logs if "method" in it]).lower()
    assert "127.0.0.1" not in repr(logs)


async def test_every_answer_is_kept_nowhere_and_may_load_nothing(
    pages: Served, client: ClientSession
) -> None:
    token = await pages.link()
    tries = [
        ("GET", f"confirm/{token}", {}),
        ("HEAD", f"confirm/{token}", {}),
        ("POST", f"confirm/{token}", {"Sec-Fetch-Site": "cross-site"}),
        ("POST", f"confirm/{token}", {}),
        ("GET", "confirm/unknown", {}),
        ("GET", "nowhere", {}),
        ("PUT", f"confirm/{token}", {}),
        ("GET", "healthz", {}),
    ]
    statuses = set()
    for method, path, sent in tries:
        status, headers, _ = await answer(client, method, f"{pages.url}/{path}", headers=sent)
        statuses.add(status)
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert "unsafe" not in policy
        assert not {"Set-Cookie", "Server", "Access-Control-Allow-Origin"} & headers.keys()
    assert statuses == {200, 403, 404, 405}


# Somebody sends what no browser sends: to write headers, to fill memory, to hold connections.


@pytest.mark.parametrize(
    "token",
    [
        "%0d%0aSet-Cookie:%20a=b",
        "%0aX: y",
        "%00",
        "%ff%fe",
        "%E2%80%AE",
        "<script>alert(1)",
        "..%2f",
    ],
)
async def test_a_token_writes_into_no_header_and_no_page(
    pages: Served, client: ClientSession, token: str
) -> None:
    token = token.replace(" ", "%20").replace("<", "%3C").replace(">", "%3E")
    for method in ("GET", "POST"):
        status, headers, text = await answer(client, method, f"{pages.url}/confirm/{token}")
        assert status == 404
        assert "Set-Cookie" not in headers
        assert "X" not in headers
        assert "alert(1)" not in text


async def test_what_is_too_long_is_refused_and_the_page_goes_on(
    pages: Served, client: ClientSession
) -> None:
    token = await pages.link()
    path = f"POST /confirm/{token} HTTP/1.1\r\nHost: x\r\n".encode()
    for sent in (
        b"GET /confirm/" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        path + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        path + b"X: y\r\n" * 20_000,
        b"\x16\x03\x01" + b"\x00" * 1000,
    ):
        assert b" 200 " not in await raw(pages, sent)
    assert b" 413 " in await raw(pages, path + b"Content-Length: 99999999999\r\n\r\n")
    for length in (b"-1", b"0x10", b"1e3", b"", b"9" * 5000):
        refused = await raw(pages, path + b"Content-Length: " + length + b"\r\n\r\n")
        assert b" 200 " not in refused
    assert pages.proved() == []
    assert (await answer(client, "POST", f"{pages.url}/confirm/{token}"))[0] == 200


async def test_a_body_without_an_end_is_not_read(pages: Served) -> None:
    """The answer comes before it, and then the connection ends."""
    token = await pages.link()
    head = f"POST /confirm/{token} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    heard = await raw(pages, head.encode() + b"5\r\nhello\r\n" * 100)
    assert heard.startswith(b"HTTP/1.1 ")
    assert b"connection: close" in heard.lower()


async def test_who_sends_slowly_is_cut_off_and_keeps_nobody_out(
    tmp_path: Path, client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTION_LIVES", 3.0)
    async with served(tmp_path) as pages:
        link = f"{pages.url}/confirm/{await pages.link()}"
        address = URL(pages.url)
        slow = [await asyncio.open_connection(address.host, address.port) for _ in range(50)]
        for _, writer in slow:
            writer.write(b"POST /confirm/")
        assert (await answer(client, "POST", link))[0] == 200
        async with asyncio.timeout(30):
            for reader, writer in slow:
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
                writer.close()


async def test_when_all_connections_are_taken_others_come_later_and_nothing_breaks(
    tmp_path: Path, client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 10)
    async with served(tmp_path) as pages:
        link = f"{pages.url}/confirm/{await pages.link()}"
        address = URL(pages.url)
        held = [await asyncio.open_connection(address.host, address.port) for _ in range(12)]
        await _answers(client, "HEAD", link, 503)
        assert pages.proved() == []
        for _, writer in held:
            writer.close()
        await _answers(client, "POST", link, 200)


async def _answers(client: ClientSession, method: str, link: str, status: int) -> None:
    """Wait until this is the answer: sockets open and close in their own time."""
    async with asyncio.timeout(10):
        while (await answer(client, method, link))[0] != status:  # noqa: ASYNC110
            await asyncio.sleep(0.3)


# An operator makes a mistake that would hand links to whoever listens, or lose what is confirmed.


@pytest.mark.parametrize(
    ("url", "listen"),
    [
        ("http://privacy.example.org", "127.0.0.1:0"),
        ("privacy.example.org", "127.0.0.1:0"),
        ("http://127.0.0.1.example.org", "127.0.0.1:0"),
        ("", "0.0.0.0:0"),
    ],
)
async def test_links_go_over_no_network_in_the_clear(tmp_path: Path, url: str, listen: str) -> None:
    settings = replace(set_up(tmp_path, ""), web_url=url, web_listen=listen)
    Place(tmp_path).keys.signer(f"console-{WEB}")
    with pytest.raises(SetupError, match="HABEAS_WEB_URL"):
        await serve(settings, "127.0.0.1:1")
    assert not Place(tmp_path).pages.exists()


async def test_a_web_role_without_its_key_does_not_start_with_one_that_nobody_knows(
    tmp_path: Path,
) -> None:
    """What it published would be refused, and every person told that they are confirmed."""
    settings = replace(set_up(tmp_path, ""), web_listen="127.0.0.1:0")
    (Place(tmp_path).keys.root / "intakes" / f"console-{WEB}.key").unlink(missing_ok=True)
    with pytest.raises(KeyFileError, match=f"console-{WEB}"):
        await serve(settings, "127.0.0.1:1")


@pytest.mark.parametrize(
    "listen", ["", "nowhere", "127.0.0.1:http", "127.0.0.1:99999", "256.1.1.1:1"]
)
async def test_where_nothing_can_listen_says_which_setting_is_wrong(
    tmp_path: Path, listen: str
) -> None:
    settings = replace(set_up(tmp_path, ""), web_listen=listen)
    Place(tmp_path).keys.signer(f"console-{WEB}")
    with pytest.raises(SetupError, match="HABEAS_WEB_LISTEN"):
        await serve(settings, "127.0.0.1:1")


async def test_a_port_that_is_taken_is_not_shared(tmp_path: Path) -> None:
    """Else another process of this machine could show the page in our place."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = replace(set_up(tmp_path, ""), web_listen=listen)
        Place(tmp_path).keys.signer(f"console-{WEB}")
        with pytest.raises(SetupError, match=f"HABEAS_WEB_LISTEN.*{listen}.*in use"):
            await serve(settings, "127.0.0.1:1")
