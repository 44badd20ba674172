"""The report is written whole, the same each time, names no person, and verifies."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.response.report import page, regarded
from pipeline.response.verify import VerifyError, verify
from pipeline.stages.publish_report import publish
from schemas.events import CaseReported
from tests.unit import answers
from tests.unit.answers import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return answers.bench(tmp_path)


@pytest.fixture
def report() -> CaseReported:
    return answers.report()


def stem(report: CaseReported) -> str:
    return f"{report.case}-{report.n}"


def test_three_files_that_verify(bench: Bench, report: CaseReported) -> None:
    folder = bench.root / "reports"
    publish(report, bench.signer, folder)
    assert sorted(it.name for it in folder.iterdir()) == sorted(
        f"{stem(report)}.{it}" for it in ("json", "html", "dsse.json")
    )
    for name in (f"{stem(report)}.json", f"{stem(report)}.dsse.json"):
        verified = verify(folder / name, bench.key)
        assert (verified.what, verified.n, verified.head) == ("report", 2, report.head)


def test_a_repeat_changes_nothing(bench: Bench, report: CaseReported) -> None:
    folder = bench.root / "reports"
    publish(report, bench.signer, folder)
    before = {it.name: it.read_bytes() for it in folder.iterdir()}
    publish(report, bench.signer, folder)
    assert {it.name: it.read_bytes() for it in folder.iterdir()} == before


def test_the_json_is_the_whole_event(bench: Bench, report: CaseReported) -> None:
    publish(report, bench.signer, bench.root)
    read = json.loads((bench.root / f"{stem(report)}.json").read_text())
    assert read.keys() == {it.name for it in fields(CaseReported)}
    assert read["policy"] == report.policy.hex()
    assert len(read["coverage"]) == len(report.coverage)


def test_the_page_shows_the_matrix_and_no_person(bench: Bench, report: CaseReported) -> None:
    publish(report, bench.signer, bench.root)
    page = (bench.root / f"{stem(report)}.html").read_text()
    for said in ("Freshdesk", "Mailgun", "unauthorised", answers.RULE, "2026-04-08", "level 2"):
        assert said in page
    assert "Ann" not in page
    assert "<script" not in page


@pytest.mark.parametrize("which", ["json", "html"])
def test_a_changed_report_is_named(bench: Bench, report: CaseReported, which: str) -> None:
    publish(report, bench.signer, bench.root)
    path = bench.root / f"{stem(report)}.{which}"
    path.write_bytes(path.read_bytes().replace(b"Mailgun", b"mailgun").replace(b"dated", b"kept_"))
    with pytest.raises(VerifyError, match=f"{which} was changed"):
        verify(bench.root / f"{stem(report)}.json", bench.key)


def test_the_signature_of_another_report_is_refused(bench: Bench, report: CaseReported) -> None:
    publish(report, bench.signer, bench.root)
    later = replace(report, n=3)
    publish(later, bench.signer, bench.root)
    (bench.root / f"{stem(report)}.dsse.json").replace(bench.root / f"{stem(later)}.dsse.json")
    with pytest.raises(VerifyError, match="another report"):
        verify(bench.root / f"{stem(later)}.json", bench.key)


@pytest.mark.parametrize("missing", ["html", "dsse.json"])
def test_a_missing_part_is_named(bench: Bench, report: CaseReported, missing: str) -> None:
    publish(report, bench.signer, bench.root)
    (bench.root / f"{stem(report)}.{missing}").unlink()
    with pytest.raises(VerifyError, match=missing):
        verify(bench.root / f"{stem(report)}.json", bench.key)


def test_a_late_report_says_so(bench: Bench, report: CaseReported) -> None:
    publish(
        replace(report, reported_at=report.due_at + timedelta(hours=1)), bench.signer, bench.root
    )
    assert ">late<" in (bench.root / f"{stem(report)}.html").read_text()


def _portability(report: CaseReported) -> CaseReported:
    """A report on portability alone, which is about one item of all that was found."""
    one = next(it for it in report.coverage if it.state == "proved")
    mine = [it for it in report.regarded if (it.system, it.kind) == (one.system, one.kind)]
    about = next(it for it in mine if it.category == one.category)
    return replace(
        report,
        claims=(replace(report.claims[0], right="portability"),),
        coverage=(replace(one, right="portability"),),
        regarded=(replace(about, right="portability"),),
    )


def test_a_claim_is_found_to_be_about_what_its_outcomes_sum_up_to(report: CaseReported) -> None:
    narrow = _portability(report)
    assert [it.count for it in regarded(narrow, "portability")] == [1]
    text = page(narrow).decode()
    foot = text.partition("<tfoot>")[2].partition("</tfoot>")[0]
    assert foot.count("<b>1</b>") == 2  # found, and proved


def test_a_report_of_before_shows_what_was_found_in_all(report: CaseReported) -> None:
    before = replace(report, regarded=())
    assert regarded(before, "access") == report.found
    assert regarded(before, "objection") == ()
