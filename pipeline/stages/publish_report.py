"""Publish report: write a completion report where the DPO reads it, as JSON, page and signature."""

from __future__ import annotations

from pathlib import Path

from schemas.events import CaseReported

from .. import disk
from ..faults.crash import passing
from ..ports import Signer
from ..response import report as pages
from ..response import statement


class AnotherReportError(Exception):
    """A report of this number was published, and it is another one. The message is a plain code."""


def publish(report: CaseReported, signer: Signer, folder: Path) -> None:
    """Write `<case>-<n>.json`, `.html` and `.dsse.json` into `folder`, each whole or not at all.

    The same report again writes the same bytes; the signature comes last. One that is signed stays:
    raises `AnotherReportError` for another of the same case and number, and `DiskError`.
    """
    stem = f"{report.case}-{report.n}"
    files = {f"{stem}.json": pages.document(report), f"{stem}.html": pages.page(report)}
    document = folder / f"{stem}.json"
    if (folder / f"{stem}.dsse.json").exists() and document.exists():
        if document.read_bytes() != files[document.name]:
            raise AnotherReportError("another_report_of_this_number")
        return
    listed = [statement.listed(name, content) for name, content in files.items()]
    manifest = statement.written(statement.REPORT, listed, pages.said(report))
    files[f"{stem}.dsse.json"] = statement.signed(manifest, signer)
    with disk.writing("reports", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            if name == f"{stem}.dsse.json":
                passing("reports.before-signature")
            disk.write(folder / name, content)
