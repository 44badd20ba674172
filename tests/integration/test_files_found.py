"""Files are exported while searching, in pieces; a holding that lacks one is not exported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from connectors.sdk.interface import Holding, Page, Record, RetryableError, TerminalError
from pipeline.crypto.segments import open_stream, unpack
from pipeline.ports import LaterError
from pipeline.stages import export
from pipeline.stages.locate import Locate
from pipeline.stages.vendor import LONGEST_LABEL
from pipeline.storage.objects import FolderObjects
from schemas.events import HoldingsLocated
from tests.fakes.connectors import PROFILE, Scripted, borne
from tests.fakes.orders import CODEC, CaseOf
from tests.integration.test_locate import once

ONE, TWO = (borne(Holding("child", it, frozenset({PROFILE}))) for it in ("1", "2"))


class Files(Scripted):
    """Its holdings' records are given; an error among them is raised when its turn comes."""

    def __init__(self, *of_one: Record | Exception, pages: Sequence[Page] = ()) -> None:
        async def told() -> AsyncIterator[Page]:
            for it in pages:
                yield it

        super().__init__(held=[ONE, TWO], pages=told if pages else None)
        self.of = {ONE: of_one, TWO: (Record(TWO, b"2"),)}

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        self._asked(f"export {holding.id}")
        for it in self.of[holding]:
            if isinstance(it, Exception):
                raise it
            yield it


async def searched(
    connector: Files, folder: Path
) -> tuple[HoldingsLocated, dict[str, bool], list[Record]]:
    """The answer, which of the two is exported, and the records in its objects."""
    case, objects = CaseOf(system="acme"), FolderObjects(folder)
    order = case.search(export=("child",))
    (part,) = await Locate(connector, objects, CODEC, once)(order, case.grants)
    assert isinstance(part, HoldingsLocated)
    exported = {it.tag: it.exported for it in part.holdings}
    key = case.grants.package("acme").key
    found: list[Record] = []
    for row in part.exports:
        opened = unpack(open_stream(key, row.name, objects.get(row.name)))
        records = [it async for it in opened]
        assert row.records == sum(not it.more for it in records), "a file counts once"
        found += records
    return part, {it.id: exported[case.tag(it)] for it in (ONE, TWO)}, found


def file(name: str, body: bytes = b"", *, more: bool = False, missing: str = "") -> Record:
    return Record(ONE, body, "text/plain", name=name, more=more, missing=missing)


async def test_a_file_is_handed_on_in_its_pieces(tmp_path: Path) -> None:
    given = [Record(ONE, b"{}"), file("a.txt", b"a", more=True), file("a.txt", b"b")]
    part, exported, found = await searched(Files(*given), tmp_path)
    assert found == [*given, Record(TWO, b"2")]
    assert exported == {"1": True, "2": True}
    assert sum(it.records for it in part.exports) == 3


async def test_what_lacks_a_file_is_not_exported_and_the_file_is_named(tmp_path: Path) -> None:
    given = [Record(ONE, b"{}"), file("a.txt", missing="forbidden"), file("b.txt", b"b")]
    _, exported, found = await searched(Files(*given), tmp_path)
    assert found[:3] == given
    assert exported == {"1": False, "2": True}


async def test_a_file_that_breaks_off_is_ended_as_one_that_is_missing(tmp_path: Path) -> None:
    broken = TerminalError("GET /file", reason="not_found")
    for last, reason in ((broken, "not_found"), (file("b", b"b"), "cut_short")):
        connector = Files(file("a", b"half", more=True), last)
        (tmp_path / reason).mkdir()
        _, exported, found = await searched(connector, tmp_path / reason)
        assert found[:2] == [file("a", b"half", more=True), file("a", missing=reason)]
        assert exported == {"1": False, "2": True}


async def test_a_vendor_that_is_away_for_a_moment_puts_the_search_off(tmp_path: Path) -> None:
    connector = Files(file("a", b"half", more=True), RetryableError("GET /file"))
    with pytest.raises(LaterError):
        await searched(connector, tmp_path)


async def test_a_file_in_a_page_that_is_missing_is_not_fetched_again(tmp_path: Path) -> None:
    pages = [Page(records=(file("a.txt", missing="refused"),)), Page(holdings=(TWO,))]
    connector = Files(pages=pages)
    _, exported, found = await searched(connector, tmp_path)
    assert exported == {"1": False, "2": True}
    assert [it.missing for it in found] == ["refused", ""]
    assert connector.asked[-1] == "export 2"


async def test_a_large_file_in_one_record_is_cut_into_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PIECE", 10)
    monkeypatch.setattr(export, "PART", 300)
    body = bytes(range(95))
    part, exported, found = await searched(Files(file("a", body), Record(ONE, body)), tmp_path)
    assert exported["1"]
    assert [len(it.body) for it in found] == [*[10] * 9, 5, 95, 1]
    assert [it.more for it in found[:10]] == [True] * 9 + [False]
    assert b"".join(it.body for it in found[:10]) == body
    assert len(part.exports) > 3
    assert sum(it.records for it in part.exports) == 3


async def test_objects_grow_so_that_an_answer_lists_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PIECE", 100)
    monkeypatch.setattr(export, "PART", 500)
    part, _, found = await searched(Files(file("a", bytes(200_000))), tmp_path)
    assert len(found) > 2000
    assert len(part.exports) < 8 * 7
    assert max(it.size for it in part.exports) < 2**8 * 500


async def test_labels_are_bounded_and_codes_are_codes(tmp_path: Path) -> None:
    odd = [
        Record(ONE, b"a", "t" * 10**6, name="n" * 10**6),
        Record(ONE, b"", name="\ud800\x00", missing="what the vendor said: Ann"),
        Record(ONE, b"", missing="refused"),
        Record(ONE, b"in ", more=True),
        Record(ONE, b"pieces"),
        Record(ONE, b"{}"),
    ]
    _, _, found = await searched(Files(*odd), tmp_path)
    assert (len(found[0].name), len(found[0].content_type)) == (LONGEST_LABEL, LONGEST_LABEL)
    assert (found[1].name, found[1].missing) == ("\ud800\x00", "unnamed")
    assert (found[2].name, found[2].missing) == ("file", "refused")
    assert [(it.name, it.more) for it in found[3:5]] == [("file", True), ("file", False)]
    assert found[5] == Record(ONE, b"{}")
