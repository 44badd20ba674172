"""The page with the button: over real HTTP, in a real browser, and as the role that it is."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser, Page, async_playwright

from pipeline import app
from pipeline.register import links
from schemas.events import NoticeOrdered
from tests.fakes.deciders import NOW
from tests.fakes.pages import KEY, Served, notice, served
from tests.rig import Rig

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SIZES = {"desktop": (1200, 900), "phone": (390, 844), "small phone": (320, 568)}
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
TAG = b"t" * 16


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as made:
        yield made


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession() as made:
        yield made


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        await started.close()


async def asked(client: ClientSession, method: str, url: str, **more: Any) -> tuple[int, str]:
    async with client.request(method, url, **more) as answer:
        return answer.status, await answer.text()


async def test_the_button_says_whose_address_it_is_once_the_broker_has_it(
    web: Served, client: ClientSession
) -> None:
    case = uuid4()
    page = f"{web.url}/confirm/{await web.link(case=case)}"
    status, html = await asked(client, "GET", page)
    assert (status, web.proved()) == (200, [])
    assert "18 May 2026" in html
    status, html = await asked(client, "POST", page)
    assert status == 200
    assert "Thank you" in html
    (proved,) = web.proved()
    assert (proved.case, proved.tag) == (case, TAG)
    assert (proved.by, proved.level, proved.method) == ("web", 2, "link")


async def test_a_second_press_says_the_same_words(web: Served, client: ClientSession) -> None:
    page = f"{web.url}/confirm/{await web.link()}"
    for _ in range(2):
        assert (await asked(client, "POST", page))[0] == 200
    first, second = web.proved()
    assert (first.case, first.tag, first.key) == (second.case, second.tag, second.key)


async def test_while_the_broker_is_away_nothing_is_said_to_be_confirmed(
    web: Served, client: ClientSession
) -> None:
    page = f"{web.url}/confirm/{await web.link()}"
    web.broker.away = True
    async with client.post(page) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "nothing was confirmed" in await answer.text()
    web.broker.away = False
    assert (await asked(client, "POST", page))[0] == 200
    assert len(web.proved()) == 1


async def test_while_the_register_is_away_nothing_is_confirmed(
    web: Served, client: ClientSession
) -> None:
    page = f"{web.url}/confirm/{await web.link()}"
    async with web.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE links RENAME TO hidden")
    assert (await asked(client, "POST", page))[0] == 503
    assert (await asked(client, "GET", f"{web.url}/healthz"))[0] == 503
    async with web.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE hidden RENAME TO links")
    assert (await asked(client, "GET", f"{web.url}/healthz")) == (200, "ok\n")
    assert (await asked(client, "POST", page))[0] == 200


async def test_what_can_be_done_with_a_page_is_said(web: Served, client: ClientSession) -> None:
    page = f"{web.url}/confirm/{await web.link()}"
    async with client.head(page) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"):
        async with client.request(method, page) as answer:
            assert answer.status == 405
            assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert web.proved() == []


@in_a_browser
async def test_a_person_confirms_without_script_with_the_keyboard_alone(
    web: Served, browser: Browser
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    fetched: list[str] = []
    page.on("request", lambda it: fetched.append(it.url))
    url = f"{web.url}/confirm/{await web.link()}"
    await page.goto(url)
    assert set(fetched) - {f"{web.url}/favicon.ico"} == {url}
    assert await page.locator("button").count() == 1
    assert await page.locator("input, script, img, iframe, link").count() == 0
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_text("Thank you").wait_for()
    assert len(web.proved()) == 1


@in_a_browser
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_fits_the_screen_and_can_be_read(
    web: Served, browser: Browser, size: str, scheme: Any
) -> None:
    width, height = SIZES[size]
    page = await browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda it: complaints.append(it.text))
    await page.goto(f"{web.url}/confirm/{await web.link()}")
    await _is_good(page, width)
    button = await page.locator("button").bounding_box()
    assert button is not None
    assert button["height"] >= 44  # WCAG 2.2, 2.5.5
    await page.locator("button").click()
    await _is_good(page, width)
    assert complaints == []  # such as a style that the policy does not know
    await page.goto(f"{web.url}/confirm/{'0' * 32}")
    await _is_good(page, width)
    await page.goto(f"{web.url}/unsubscribe/{web.unsubscription('offers', 'ann@example.org')}")
    await _is_good(page, width)
    await page.locator("button").click()
    await _is_good(page, width)


async def _is_good(page: Page, width: int) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert await page.evaluate(CONTRAST) == []
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert (
        await page.evaluate("getComputedStyle(document.body).margin") == "0px"
    )  # it has its style
    for it in ("h1", "main", "title"):
        assert await page.locator(it).count() == 1


async def test_as_a_role_it_waits_for_the_broker_and_its_words_reach_the_case(
    tmp_path: Path, client: ClientSession
) -> None:
    async with Rig(tmp_path, systems=("freshdesk",)) as rig:
        rig.run("run", "orchestrator", "web")
        address = app.Place(rig.settings.data).pages
        await rig.wait_for(address.exists)
        url = address.read_text().strip()
        case = await rig.submit("access", email="ann@example.org")
        await rig.until(case, lambda it: it.systems)
        tokens = [
            await _linked(rig, notice(case, it * 16, datetime.now(UTC) + timedelta(days=1)))
            for it in (b"1", b"2")
        ]
        assert await asked(client, "GET", f"{url}/healthz") == (200, "ok\n")
        assert (await asked(client, "POST", f"{url}/confirm/{tokens[0]}"))[0] == 200
        await _proved(rig, case, 1)
        broker = asyncio.create_task(rig.lose_broker(12))
        await asyncio.sleep(0.5)
        assert (await asked(client, "POST", f"{url}/confirm/{tokens[1]}"))[0] == 503
        await broker
        async with asyncio.timeout(60):
            while (  # noqa: ASYNC110  another process makes it so
                await asked(client, "POST", f"{url}/confirm/{tokens[1]}")
            )[0] != 200:
                await asyncio.sleep(1)
        await _proved(rig, case, 2)
        assert (await asked(client, "POST", f"{url}/confirm/{tokens[1]}"))[0] == 404
        for it in rig.roles:
            assert it.stop() == 130
            log = it.log.read_text()
            assert '"route": "/confirm/{token}"' in log
            assert not [token for token in tokens if token in log]
        assert not address.exists()


async def _linked(rig: Rig, ordered: NoticeOrdered) -> str:

    token = links.token(KEY, ordered)
    async with app.register(rig.settings) as engine, engine.begin() as connection:
        await links.remember(connection, ordered, token, NOW)
    return token


async def _proved(rig: Rig, case: UUID, count: int) -> None:
    async with asyncio.timeout(60):
        while (  # noqa: ASYNC110  another process makes it so
            [it.type for it in await rig.entries(case)].count("identity_proved") < count
        ):
            await asyncio.sleep(0.2)


async def test_a_recipients_button_says_that_they_have_it_and_nothing_about_an_address(
    web: Served, client: ClientSession
) -> None:
    case = uuid4()
    token = await web.instruction(case=case)
    page = f"{web.url}/acknowledge/{token}"
    status, html = await asked(client, "GET", page)
    assert (status, web.said()) == (200, [])
    assert "Yes, we have received it" in html
    status, html = await asked(client, "POST", page)
    assert status == 200
    assert "Thank you" in html
    (said,) = web.said()
    assert (said.case, said.recipient, said.right) == (case, "acme", "erasure")
    assert (said.by, said.says) == ("web", "received")
    assert web.proved() == []


async def test_a_link_of_one_kind_opens_no_page_of_the_other(
    web: Served, client: ClientSession
) -> None:
    for path, token in (("confirm", await web.instruction()), ("acknowledge", await web.link())):
        for method in ("GET", "POST"):
            assert (await asked(client, method, f"{web.url}/{path}/{token}"))[0] == 404
    assert (web.said(), web.proved()) == ([], [])
