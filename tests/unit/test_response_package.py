"""A package brings a person everything the order lists, inertly, and no memory grows with them."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from connectors.sdk.interface import Holding, Record
from pipeline.ports import LaterError
from pipeline.response import shelves
from pipeline.response.verify import verify
from pipeline.stages import collect
from pipeline.storage.objects import FolderObjects
from schemas.records import OutcomeRow
from tests.unit import answers
from tests.unit.answers import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return answers.bench(tmp_path)


async def test_what_was_assembled_verifies_and_is_what_was_said(bench: Bench) -> None:
    ordered = answers.order([await bench.export("freshdesk", answers.freshdesk())])
    signed = await bench.assemble(ordered)
    package = await bench.open(signed)

    verified = verify(package, bench.key)

    assert signed.name.startswith(f"{answers.CASE}/response-1-")
    assert signed.digest == sha256(package.read_bytes()).digest() == verified.digest
    assert (signed.size, signed.records) == (package.stat().st_size, 4)
    assert (verified.case, verified.n, verified.head) == (ordered.case, 1, ordered.head)


async def test_the_page_is_first_and_files_have_fixed_names(bench: Bench) -> None:
    with ZipFile(await bench.whole()) as package:
        assert package.namelist() == [
            "index.html",
            "data/freshdesk.json",
            "data/salesforce.json",
            "information.json",
            "README.txt",
            "manifest.json",
            "manifest.dsse.json",
        ]


async def test_data_files_hold_every_record_as_the_system_gave_it(bench: Bench) -> None:
    with ZipFile(await bench.whole()) as package:
        rows = json.loads(package.read("data/freshdesk.json"))
    given = [json.loads(it.body) for it in answers.freshdesk()]
    assert [it["data"] for it in rows] == given
    assert [(it["kind"], it["id"]) for it in rows[:2]] == [("contact", "103"), ("ticket", "4711")]


async def test_what_is_no_json_is_carried_all_the_same(bench: Bench) -> None:
    odd = [
        Record(Holding("file", "1"), b"plain <b>words</b>", "text/plain"),
        Record(Holding("file", "2"), b"\xff\x00\xfe", "application/octet-stream"),
        Record(Holding("file", "3"), b'{"n": NaN}'),
        Record(Holding("file", "4"), b"[" * 100_000 + b"]" * 100_000),
        Record(Holding("file", "5"), b'{"half": "\\ud800"}'),
        Record(Holding("file", "6"), b"null"),
    ]
    package = await bench.package(answers.order([await bench.export("freshdesk", odd)]))
    with ZipFile(package) as opened:
        rows = json.loads(opened.read("data/freshdesk.json"))
    assert [sorted(it.keys() - {"kind", "id"}) for it in rows] == [
        ["content_type", "text"],
        ["base64", "content_type"],
        ["content_type", "text"],
        ["content_type", "text"],
        ["data"],
        ["content_type", "text"],
    ]


async def test_markup_and_templates_in_a_subject_are_text(bench: Bench) -> None:
    with ZipFile(await bench.whole()) as package:
        page = package.read("index.html").decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "default-src 'none'" in page


async def test_a_hostile_name_or_identifier_is_text(bench: Bench) -> None:
    person = replace(answers.PERSON, name=answers.HOSTILE)
    with ZipFile(await bench.package(answers.order(), person)) as package:
        page = package.read("index.html").decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


async def test_a_conversation_is_one_card_over_its_pages(bench: Bench) -> None:
    with ZipFile(await bench.whole()) as package:
        page = package.read("index.html").decode()
    assert page.count('<ol class="talk">') == 1
    assert "4 messages" in page
    assert "Customer on annual plan; escalated to the platform team." in page


async def test_everything_that_must_be_told_is_on_the_page(bench: Bench) -> None:
    with ZipFile(await bench.whole()) as package:
        page = " ".join(package.read("index.html").decode().split())
    for said in (
        str(answers.CASE),
        "5 March 2026",
        "a copy of your personal data and the erasure of your personal data",
        "Searched; nothing found",
        "Not searched. The system did not accept our log-in.",
        "What “unknown” means.",
        "Who a customer is and how to reach them is kept for six years",
        "8 April 2026",
        "supervisory authority",
        "go to court",
        "info@bizxpert.com",
        "To help you if you have questions or you need technical support",
        "Freshworks (Freshdesk)",
        "ann.lee@example.org",
    ):
        assert said in page


@pytest.mark.parametrize("rights", [("access",), ("erasure",)])
async def test_nothing_found_is_an_answer(bench: Bench, rights: tuple[str, ...]) -> None:
    empty = replace(
        answers.order((), *rights),
        found=(),
        coverage=(),
        systems=tuple(replace(it, searched="nothing", found=0) for it in answers.SYSTEMS),
    )
    package = await bench.package(empty)
    with ZipFile(package) as opened:
        page = " ".join(opened.read("index.html").decode().split())
    assert "We found no personal data about you" in page
    assert "What “unknown” means." not in page
    assert verify(package, bench.key).claims == rights


async def test_an_interim_answer_says_so(bench: Bench) -> None:
    with ZipFile(await bench.package(answers.order((), "erasure", kind="interim"))) as package:
        page = package.read("index.html").decode()
    assert "This is an interim answer" in page
    assert "This is not finished yet" in page


async def test_what_waits_in_a_vendors_queue_is_told_with_its_date(bench: Bench) -> None:
    (row, *_) = answers.erasure_rows()
    queued = OutcomeRow(kind="queued", until=answers.NOW + timedelta(days=3))
    ordered = answers.order((), "erasure", kind="interim")
    waiting = replace(ordered, coverage=(replace(row, state="dated", outcome=queued),))
    with ZipFile(await bench.package(waiting)) as package:
        page = " ".join(package.read("index.html").decode().split())
    assert "The system has taken it into its queue, and does it by this date." in page
    assert "12 March 2026" in page


async def test_records_with_nothing_in_them_are_told_in_a_whole_sentence(bench: Bench) -> None:
    blank = replace(answers.order((), "erasure"), coverage=(), found=())
    with ZipFile(await bench.package(blank)) as package:
        page = " ".join(package.read("index.html").decode().split())
    assert "records about you, in Freshdesk and Salesforce. There is nothing about you in" in page
    assert "Of the 0 items" not in page


async def test_only_what_the_order_lists_enters(bench: Bench) -> None:
    await bench.export("salesforce", answers.salesforce())
    listed = await bench.export("freshdesk", answers.freshdesk()[:1])
    with ZipFile(await bench.package(answers.order([listed]))) as package:
        assert [it for it in package.namelist() if it.startswith("data/")] == [
            "data/freshdesk.json"
        ]


async def test_an_export_that_is_not_the_listed_one_costs_its_system_alone(bench: Bench) -> None:
    good = await bench.export("salesforce", answers.salesforce())
    row = await bench.export("freshdesk", answers.freshdesk())
    for other in ({"digest": b"x" * 32}, {"records": 5}, {"size": row.size + 1}):
        package = await bench.package(answers.order([replace(row, **other), good]))
        verify(package, bench.key)
        with ZipFile(package) as opened:
            assert "data/freshdesk.json" not in opened.namelist()
            assert len(json.loads(opened.read("data/salesforce.json"))) == 3
            said = json.loads(opened.read("manifest.json"))["predicate"]
            page = " ".join(opened.read("index.html").decode().split())
        assert [it.get("not_copied") for it in said["copies"]] == ["export_not_as_listed", None]
        assert "<b>Not copied: Freshdesk.</b>" in page


async def test_a_missing_export_puts_the_order_off(bench: Bench) -> None:
    row = await bench.export("freshdesk", answers.freshdesk())
    with pytest.raises(LaterError, match="export_missing"):
        await bench.assemble(answers.order([replace(row, name=f"{row.name}-gone")]))


async def test_an_export_that_stays_missing_is_left_out_and_said(bench: Bench) -> None:
    row = await bench.export("freshdesk", answers.freshdesk())
    ordered = answers.order([replace(row, name=f"{row.name}-gone")])
    package = await bench.package(replace(ordered, attempt=collect.PATIENCE))
    with ZipFile(package) as opened:
        said = json.loads(opened.read("manifest.json"))["predicate"]
        readme = opened.read("README.txt").decode()
    assert said["copies"][:1] == [
        {"system": "freshdesk", "expected": 4, "records": 0, "not_copied": "export_missing"}
    ]
    assert "Freshdesk: export_missing" in readme


async def test_an_export_that_changes_while_it_is_copied_puts_the_order_off(bench: Bench) -> None:
    row = await bench.export("freshdesk", answers.freshdesk())
    path, objects = bench.root / "objects" / row.name, bench.objects

    class Changing(FolderObjects):
        """Another one takes its place once it was looked at."""

        looks = 0

        async def get(self, name: str) -> AsyncIterator[bytes]:
            self.looks += 1
            if self.looks > 1:
                path.write_bytes(b"something else")
            async for chunk in objects.get(name):
                yield chunk

    with pytest.raises(LaterError, match="export_not_opened"):
        await replace(bench, objects=Changing(bench.root / "objects")).assemble(
            answers.order([row])
        )
    assert not [it for it in bench.root.rglob("response-*") if it.is_file()]


async def test_a_system_without_a_grant_is_left_out(bench: Bench) -> None:
    row = await bench.export("freshdesk", answers.freshdesk())
    kept = tuple(it for it in bench.grants.every if it.system != "freshdesk")
    poorer = replace(bench, grants=replace(bench.grants, every=kept))
    with ZipFile(await poorer.package(answers.order([row]))) as package:
        said = json.loads(package.read("manifest.json"))["predicate"]
    assert said["copies"][0]["not_copied"] == "export_without_key"


async def test_nothing_in_the_clear_lies_on_the_disk(bench: Bench) -> None:
    row = await bench.export("freshdesk", answers.freshdesk())
    await bench.assemble(answers.order([row]))
    for path in (it for it in bench.root.rglob("*") if it.is_file()):
        assert b"Ann Lee" not in path.read_bytes()
        assert b"Invoice export" not in path.read_bytes()


async def test_records_beyond_the_first_page_go_on_further_pages(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "FIRST", 2_000)
    monkeypatch.setattr(shelves, "FURTHER", 4_000)
    many = [
        answers.record("ticket", str(it), {"id": it, "subject": f"No. {it}.", "text": "x" * 500})
        for it in range(20)
    ]
    package = await bench.package(answers.order([await bench.export("freshdesk", many)]))
    verify(package, bench.key)
    with ZipFile(package) as opened:
        pages = [it for it in opened.namelist() if it.startswith("more/")]
        shown = "".join(opened.read(it).decode() for it in ("index.html", *pages))
    assert pages == ["more/freshdesk-1.html", "more/freshdesk-2.html", "more/freshdesk-3.html"]
    assert all(shown.count(f'<b dir="auto">No. {it}.</b>') == 1 for it in range(20))
    assert 'href="more/freshdesk-1.html"' in shown


async def test_memory_does_not_grow_with_the_person(bench: Bench) -> None:
    small, large = await _peak(bench, 4), await _peak(bench, 30)
    assert large < small + 4_000_000


async def _peak(bench: Bench, megabytes: int) -> int:
    """The most memory that assembling so large an export needs."""

    async def records() -> AsyncIterator[Record]:
        for it in range(megabytes * 10):
            body: Any = {"id": it, "subject": f"No. {it}", "text": os.urandom(50_000).hex()}
            yield answers.record("ticket", str(it), body)

    ordered = answers.order([await bench.export("freshdesk", records())])
    tracemalloc.start()
    try:
        await bench.assemble(ordered)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
