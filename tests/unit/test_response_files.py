"""Files lie in a package byte for byte, under names that harm nobody; what is missing is said."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.interface import Holding, Record
from pipeline.response import zip_format
from pipeline.response.file_names import LONGEST, Folder, is_safe, safe
from pipeline.response.verify import VerifyError, verify
from tests.fakes.zips import read, signed_again
from tests.unit import answers
from tests.unit.answers import Bench

TICKET = Holding("ticket", "4711")
PDF = "application/pdf"
OVERRIDE = "\u202e"
"""From here on, letters are shown from right to left: `\u202egpj.exe` looks like `exe.jpg`."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return answers.bench(tmp_path)


def file(name: str, body: bytes = b"", of: Holding = TICKET, **more: Any) -> Record:
    return Record(of, body, more.pop("content_type", PDF), name=name, **more)


def in_pieces(name: str, *pieces: bytes) -> list[Record]:
    last = len(pieces) - 1
    return [file(name, it, more=n < last) for n, it in enumerate(pieces)]


async def packaged(bench: Bench, *records: Record) -> Path:
    return await bench.package(answers.order([await bench.export("freshdesk", [*records])]))


def data(package: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(read(package)["data/freshdesk.json"])
    return rows


def page(package: Path) -> str:
    return " ".join(read(package)["index.html"].decode().split())


async def test_a_file_lies_there_byte_for_byte_and_is_listed_and_linked(bench: Bench) -> None:
    body = bytes(range(256)) * 3
    package = await packaged(
        bench, *answers.freshdesk()[1:2], *in_pieces("Rechnung März.pdf", body[:300], body[300:])
    )
    path = "files/freshdesk/ticket/1/Rechnung März.pdf"
    assert read(package)[path] == body
    assert verify(package, bench.key).contents[-3].sha256 == sha256(body).hexdigest()
    said = data(package)[1]
    assert said == {
        "kind": "ticket",
        "id": "4711",
        "name": "Rechnung März.pdf",
        "content_type": PDF,
        "size": 768,
        "file": path,
    }
    shown = page(package)
    assert 'href="files/freshdesk/ticket/1/Rechnung%20M%C3%A4rz.pdf"' in shown
    assert "application/pdf, 768 bytes" in shown
    copy, _ = json.loads(read(package)["manifest.json"])["predicate"]["copies"]
    assert copy == {"system": "freshdesk", "expected": 2, "records": 2}


async def test_a_file_that_could_not_be_fetched_is_named_and_nothing_is_called_everything(
    bench: Bench,
) -> None:
    package = await packaged(
        bench,
        answers.freshdesk()[1],
        file("kept.txt", b"kept"),
        file("lost.pdf", missing="forbidden"),
        file("half.pdf", b"the first half", more=True),
    )
    verify(package, bench.key)
    assert [it for it in read(package) if it.startswith("files/")] == [
        "files/freshdesk/ticket/1/kept.txt"
    ]
    assert [it.get("not_copied") for it in data(package)] == [None, None, "forbidden", "cut_short"]
    shown = page(package)
    assert "<b>Not copied: 2 files in Freshdesk.</b>" in shown
    assert "lost.pdf</bdi> <span" in shown
    assert "The system did not let us read or change this." in shown
    assert "a copy of what could be copied" in shown
    assert "everything that we found" not in shown
    manifest = json.loads(read(package)["manifest.json"])["predicate"]
    assert manifest["copies"][0]["files_not_copied"] == 2
    assert {it["state"] for it in manifest["claims"] if it["right"] == "access"} == {
        "partially_fulfilled"
    }
    assert "Freshdesk: 2 files, named on the pages" in read(package)["README.txt"].decode()


async def test_a_file_is_linked_from_further_pages_as_well(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.response.shelves.FIRST", 100)
    package = await packaged(bench, answers.freshdesk()[1], file("a.txt", b"a"))
    assert (
        'href="../files/freshdesk/ticket/1/a.txt"'
        in read(package)["more/freshdesk-1.html"].decode()
    )


async def test_what_a_later_search_copied_whole_is_there_once(bench: Bench) -> None:
    other = Holding("ticket", "4712")
    first = await bench.export(
        "freshdesk", [file("a.txt", b"a"), file("lost.txt", missing="refused"), file("b", of=other)]
    )
    later = await bench.export("freshdesk", [file("a.txt", b"a"), file("lost.txt", b"found")])
    for rows, names in (
        ([first, later], {"a.txt", "lost.txt"}),
        ([later, first], {"a.txt", "lost.txt"}),
    ):
        package = await bench.package(answers.order(rows))
        verify(package, bench.key)
        found = read(package)
        assert {it.rpartition("/")[2] for it in found if "/ticket/" in it} == {*names, "b"}
        copies = json.loads(found["manifest.json"])["predicate"]["copies"]
        assert copies[0] == {"system": "freshdesk", "expected": 3, "records": 3}
        assert "Not copied: 1 file" not in page(package)


HOSTILE = {
    "../../etc/passwd": "passwd",
    "C:\\Users\\x\\a.doc": "a.doc",
    "..": "file",
    "": "file",
    "a\x00\r\nb.txt": "a b.txt",
    f"invoice{OVERRIDE}fdp.exe": "invoicefdp.exe",
    "\ud800half.txt": "half.txt",
    ".htaccess": "htaccess",
    "-rf": "rf",
    "con.txt": "_con.txt",
    "LPT1": "_LPT1",
    "a. . ": "a",
    'a<b>:"|?*.txt': "a_b______.txt",
    "e\u0301.txt": "é.txt",
    "x" * 5000 + ".pdf": "x" * (LONGEST - 4) + ".pdf",
    "ü" * 5000: "ü" * (LONGEST // 2),
}


@pytest.mark.parametrize("given", HOSTILE)
async def test_a_hostile_name_becomes_one_that_is_only_a_name(bench: Bench, given: str) -> None:
    assert safe(given) == HOSTILE[given]
    if given:
        package = await packaged(bench, file(given, b"content", content_type=f"x\n{OVERRIDE}"))
        verify(package, bench.key)
        (path,) = (it for it in read(package) if it.startswith("files/"))
        assert path == f"files/freshdesk/ticket/1/{HOSTILE[given]}"
        (said,) = data(package)
        assert (said["name"], said["content_type"]) == (given, "application/octet-stream")


@given(st.lists(st.text(st.characters(codec=None)) | st.sampled_from(["a.b", "A.b", "ß", "SS"])))
def test_names_in_a_folder_are_safe_and_differ_in_more_than_capitals(given: list[str]) -> None:
    folder = Folder()
    names = [folder.name(it) for it in given]
    assert all(is_safe(it.encode()) for it in names)
    assert len({it.casefold() for it in names}) == len(names)


@pytest.mark.parametrize("name", ["../up", "a\x07", "a/b", " a", "NUL", "a" * 151, f"{OVERRIDE}a"])
async def test_a_package_with_another_name_is_not_ours(bench: Bench, name: str) -> None:
    """Not even one that somebody signed."""
    path = f"files/freshdesk/ticket/1/{name}"
    assert not zip_format.is_a_name(path.encode())
    package = await packaged(bench, file("a.txt", b"a"))
    package.write_bytes(signed_again(read(package), {path: b"b"}, bench.signer))
    with pytest.raises(VerifyError, match="its name is none of ours"):
        verify(package, bench.key)


async def test_errors_name_no_file_that_a_vendor_named(bench: Bench) -> None:
    package = await packaged(bench, file("Ann Lee.pdf", b"a"))
    raw = package.read_bytes()
    package.write_bytes(raw.replace(b"Ann Lee", b"Ann Loe"))
    with pytest.raises(VerifyError) as caught:
        verify(package, bench.key)
    assert "Ann" not in str(caught.value)


async def test_holdings_have_folders_of_their_own_and_kinds_of_any_name(bench: Bench) -> None:
    odd = [Holding("../Kind", "1"), Holding("../Kind", "2"), Holding("ticket", "1")]
    package = await packaged(bench, *(file("a.txt", it.id.encode(), of=it) for it in odd))
    assert [it for it in read(package) if it.startswith("files/")] == [
        "files/freshdesk/record/1/a.txt",
        "files/freshdesk/record/2/a.txt",
        "files/freshdesk/ticket/1/a.txt",
    ]


async def test_many_files_of_one_name_cost_no_more_than_their_number(bench: Bench) -> None:
    package = await packaged(bench, *(file("image.png", str(n).encode()) for n in range(2000)))
    found = read(package)
    assert verify(package, bench.key).files == 2000 + 5
    assert found["files/freshdesk/ticket/1/image (2000).png"] == b"1999"


async def test_no_file_is_in_memory_as_a_whole(bench: Bench) -> None:
    small, large = await _peak(bench, 8), await _peak(bench, 64)
    assert large < small + 2_000_000


async def _peak(bench: Bench, megabytes: int) -> int:
    """The most memory that assembling needs with so large a file."""

    async def records() -> AsyncIterator[Record]:
        piece = os.urandom(1_000_000)
        for n in range(megabytes):
            yield file("film.mp4", piece, more=n < megabytes - 1)

    ordered = answers.order([await bench.export("freshdesk", records())])
    tracemalloc.start()
    try:
        await bench.assemble(ordered)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_file_that_begins_anew_is_another(bench: Bench) -> None:
    """A host that lost the end of one file does not join it to the next."""
    lost, whole = file("a.txt", b"lost", more=True), file("a.txt", b"whole", of=Holding("x", "1"))
    package = await packaged(bench, lost, replace(whole))
    assert [it.get("not_copied") for it in data(package)] == ["cut_short", None]
    assert read(package)["files/freshdesk/x/1/a.txt"] == b"whole"


async def test_other_programs_read_the_names(bench: Bench) -> None:
    package = await packaged(bench, file("Grüße 日本.txt", b"a"))
    with ZipFile(package) as opened:
        (it,) = (it for it in opened.infolist() if it.filename.startswith("files/"))
    assert it.filename == "files/freshdesk/ticket/1/Grüße 日本.txt"
    assert it.flag_bits & zip_format.UTF_8
