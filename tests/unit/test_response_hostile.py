"""Vendors' text that is made to break an answer: it comes all the same, plainer, and holds nobody.

What is too slow here does not end at all: the parser that follows the standard needed more than
twenty seconds for sixty kilobytes of `<a `, and its time grows with the square.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from connectors.sdk.interface import Holding, Record
from pipeline.response import cards, readable, words
from pipeline.response.cards import LARGEST, Card
from pipeline.response.readable import moment, without_markup
from pipeline.response.verify import verify
from pipeline.stages.assemble import PLAIN_FROM
from tests.unit import answers
from tests.unit.answers import Bench

TICKET = Holding("ticket", "4711")
SIZE = LARGEST
PATTERNS = (
    *("<", "<a ", "</a", "<!--", "<!a ", "<![CDATA[", "<?", "&", "&#x", "&a"),
    *("<div>", "<div><p><b>", "<script>", '<a b="', "<a b='c\" ", ">", "<br", "-->", "\x00<"),
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return answers.bench(tmp_path)


def flood(pattern: str, size: int = SIZE) -> str:
    return "<div>" + pattern * (size // len(pattern))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_flood_of_markup_is_read_in_one_pass(pattern: str) -> None:
    said = flood(pattern)
    read = without_markup(said)
    assert len(read) <= len(said)
    assert read


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_more_pieces_are_looked_at_than_there_are(pattern: str) -> None:
    said = flood(pattern, 10_000)
    looked_at = list(readable._words(said))
    assert len(looked_at) <= 2 * said.count("<") + 2
    assert sum(map(len, looked_at)) <= len(said) + said.count("<")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("<p>&#" + "9" * 5000 + ";</p>", None),
        ("<p><![foo bar]>x</p>", "x"),
        ("<p><!--a--><!-- b > c -->d</p>", "d"),
        ("<p>a<!-- never ends <b>c</b>", "a<!-- never ends <b>c</b>"),
        ("<p>1 < 2 & 3 > 2</p>", "1 < 2 & 3 > 2"),
        ("<p>a <a never ends", "a <a never ends"),
        ("<p>\ud800&#xd800;</p>", "\ud800\ufffd"),
    ],
)
def test_what_made_a_parser_raise_is_shown(said: str, read: str | None) -> None:
    assert without_markup(said) == (said if read is None else read)


def test_names_and_moments_of_any_length_stay_what_they_are() -> None:
    for name in ("A" * SIZE, "_at" * SIZE, "Aa1_" * SIZE, "y" * SIZE):
        assert words.label(name) == name
    assert moment("2026-03-05T" + "1" * SIZE) == "2026-03-05T" + "1" * SIZE


BODIES: tuple[bytes, ...] = (
    *(json.dumps({"subject": "s", "text": flood(it, 400_000)}).encode() for it in PATTERNS),
    b"[" * 300_000,
    b'{"a":' * 100_000,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    json.dumps({"n": 1, **{f"k{it}": it for it in range(40_000)}}).encode(),
    json.dumps({"A" * 400_000: {"b_at": "2026-03-05T" + "9" * 400_000}}).encode(),
    json.dumps({"conversations": [{"text": "<p>&#" + "9" * 5000}] * 50}).encode(),
    b'{"n": ' + b"9" * 5000 + b"}",
    b'{"created_at": 1e400, "since": 9999999999.9, "a": -0.0}',
    b'"\\ud800\\u0000\\u202e"',
    b'{"\\ud800": "\\ud800", "\\u0000": "\\u0000\\u001b[31m"}',
    b"\xff\xfe" * 100_000,
    b"",
)


async def test_every_hostile_record_is_in_an_answer_that_verifies(bench: Bench) -> None:
    records = [
        Record(Holding("ticket", str(n)), body, "text/\x00\ud800; " + "x" * 1000)
        for n, body in enumerate(BODIES)
    ]
    package = await bench.package(answers.order([await bench.export("freshdesk", records)]))
    verify(package, bench.key)
    with ZipFile(package) as opened:
        rows = json.loads(opened.read("data/freshdesk.json"))
        pages = [opened.read(it).decode() for it in opened.namelist() if it.endswith(".html")]
    assert [it["id"] for it in rows] == [str(it) for it in range(len(BODIES))]
    assert all(sum(f"<bdi>{n}</bdi>" in page for page in pages) == 1 for n in range(len(BODIES)))
    assert not any("<script" in page for page in pages)


def test_a_record_that_cannot_be_laid_out_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_(*_: Any) -> None:
        raise ZeroDivisionError

    good, bad = Record(TICKET, b'{"subject": "good"}'), Record(TICKET, b'{"subject": "bad"}')
    card = Card("ticket", "4711")
    card.take(good)
    monkeypatch.setattr(cards, "_fields", break_)
    monkeypatch.setattr(cards, "_is_talk", break_)
    card.take(bad)
    assert (card.title, card.raw) == ("good", '{"subject": "bad"}')


async def test_what_is_too_large_for_a_page_is_named_there_and_whole_in_the_data(
    bench: Bench,
) -> None:
    text = "<" * LARGEST
    record = answers.record("ticket", "1", {"subject": "s", "text": text})
    package = await bench.package(answers.order([await bench.export("freshdesk", [record])]))
    with ZipFile(package) as opened:
        (row,) = json.loads(opened.read("data/freshdesk.json"))
        names = opened.namelist()
        pages = {it: opened.read(it).decode() for it in names if it.endswith(".html")}
    assert row["data"]["text"] == text
    assert any("are too much for a page" in it for it in pages.values())
    assert sum(map(len, pages.values())) < LARGEST


async def test_another_order_of_the_host_is_done_while_one_is_laid_out(bench: Bench) -> None:
    hostile = [
        answers.record("ticket", str(n), {"subject": "s", "text": flood(it, 900_000)})
        for n, it in enumerate(PATTERNS[::4])
    ]
    large = answers.order([await bench.export("freshdesk", hostile)])
    small = answers.order([await bench.export("salesforce", answers.salesforce())])
    long = asyncio.create_task(bench.assemble(large))
    await asyncio.sleep(0)
    await bench.assemble(small)
    assert not long.done()
    await long


async def test_an_answer_that_was_tried_in_vain_lays_nothing_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is that broke: its records are in the data, and its files beside them."""

    def break_(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Card, "take", break_)
    records = [*answers.freshdesk(), Record(TICKET, b"%PDF", "application/pdf", name="a.pdf")]
    row = await bench.export("freshdesk", records)
    ordered = answers.order([row])
    with pytest.raises(ZeroDivisionError):
        await bench.package(ordered)
    package = await bench.package(replace(ordered, attempt=PLAIN_FROM))
    verify(package, bench.key)
    with ZipFile(package) as opened:
        assert len(json.loads(opened.read("data/freshdesk.json"))) == 5
        assert opened.read("files/freshdesk/ticket/1/a.pdf") == b"%PDF"
        page = " ".join(opened.read("index.html").decode().split())
        assert not [it for it in opened.namelist() if it.startswith("more/")]
    assert "These records could not be laid out on a page." in page
    assert '<a href="data/freshdesk.json">' in page
