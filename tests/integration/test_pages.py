"""The pages in a real browser: nothing runs, nothing is fetched, and a phone shows them whole."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.async_api import Browser, Page, async_playwright

from pipeline.stages.publish_report import publish
from schemas.events import CaseReported
from tests.unit import answers

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1200, 900), "phone": (390, 844), "small phone": (320, 568)}
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
"""Finds text whose contrast is below WCAG 2.2 AA (1.4.3): 4.5, or 3 if it is large."""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        await started.close()


@pytest.fixture
async def pages(tmp_path: Path) -> dict[str, Path]:
    """The first page of a response, and a report."""
    bench = answers.bench(tmp_path)
    with ZipFile(await bench.whole()) as package:
        package.extractall(tmp_path / "package")
    publish(_report(), bench.signer, tmp_path)
    return {
        "response": tmp_path / "package" / "index.html",
        "report": tmp_path / f"{answers.CASE}-1.html",
    }


def _report() -> CaseReported:
    ordered = answers.order()
    return CaseReported(
        case=ordered.case,
        n=1,
        state="answered",
        claims=ordered.claims,
        received_at=ordered.received_at,
        due_at=ordered.due_at,
        reported_at=answers.NOW,
        intake="website",
        level=2,
        method="vouched",
        policy=ordered.policy,
        systems=ordered.systems,
        found=ordered.found,
        coverage=ordered.coverage,
        obligations=ordered.obligations,
        head=ordered.head,
    )


async def opened(
    browser: Browser, path: Path, size: str = "desktop", scheme: Any = "light"
) -> Page:
    width, height = SIZES[size]
    page = await browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    await page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("which", ["response", "report"])
async def test_nothing_runs_and_nothing_is_fetched(
    browser: Browser, pages: dict[str, Path], which: str
) -> None:
    page = await browser.new_page()
    alerts: list[object] = []
    fetched: list[str] = []
    page.on("dialog", lambda it: alerts.append(it))  # noqa: PLW0108  playwright marks the function
    page.on("request", lambda it: fetched.append(it.url))
    await page.goto(pages[which].as_uri())
    assert not alerts
    assert fetched == [pages[which].as_uri()]
    assert await page.locator("script, img, iframe, link, form").count() == 0


async def test_a_hostile_subject_is_shown_as_it_was_written(
    browser: Browser, pages: dict[str, Path]
) -> None:
    page = await opened(browser, pages["response"])
    title = page.locator("summary b", has_text="alert(1)")
    assert await title.inner_text() == answers.HOSTILE.strip()


@pytest.mark.parametrize("which", ["response", "report"])
@pytest.mark.parametrize("size", SIZES)
async def test_it_fits_the_screen(
    browser: Browser, pages: dict[str, Path], which: str, size: str
) -> None:
    page = await opened(browser, pages[which], size)
    width, _ = SIZES[size]
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("which", ["response", "report"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_its_contrast_is_enough(
    browser: Browser, pages: dict[str, Path], which: str, scheme: str
) -> None:
    page = await opened(browser, pages[which], scheme=scheme)
    assert await page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("which", ["response", "report"])
async def test_it_can_be_found_one_s_way_around(
    browser: Browser, pages: dict[str, Path], which: str
) -> None:
    page = await opened(browser, pages[which])
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert await page.locator("h1").count() == 1
    assert await page.locator("main").count() == 1
    levels = await page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(it => Number(it.tagName[1]))"
    )
    assert all(after <= before + 1 for before, after in pairwise(levels))
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.hash") == "#main"
    for link in await page.locator("a[href^='#']").all():
        assert await page.locator(str(await link.get_attribute("href"))).count() == 1


async def test_every_record_is_printed(
    browser: Browser, pages: dict[str, Path], tmp_path: Path
) -> None:
    many = [answers.record("ticket", str(it), {"subject": f"No. {it}."}) for it in range(12)]
    bench = answers.bench(tmp_path / "other")
    package = await bench.package(answers.order([await bench.export("freshdesk", many)]))
    with ZipFile(package) as whole:
        whole.extract("index.html", tmp_path / "other")
    page = await opened(browser, tmp_path / "other" / "index.html")
    assert not await page.locator("dd", has_text="No. 11.").is_visible()
    await page.emulate_media(media="print")
    assert await page.locator("dd", has_text="No. 11.").is_visible()
