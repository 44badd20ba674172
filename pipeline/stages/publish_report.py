"""Publish report: write a completion report where the DPO reads it, as JSON, page and signature."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.events import CaseReported

from ..crash import passing
from ..ports import Signer
from ..response import report as pages
from ..response import statement


def publish(report: CaseReported, signer: Signer, folder: Path) -> None:
    """Write `<case>-<n>.json`, `.html` and `.dsse.json` into `folder`, each whole or not at all.

    The same report again writes the same bytes; the signature comes last.
    """
    stem = f"{report.case}-{report.n}"
    files = {f"{stem}.json": pages.document(report), f"{stem}.html": pages.page(report)}
    listed = [statement.listed(name, content) for name, content in files.items()]
    manifest = statement.written(statement.REPORT, listed, pages.said(report))
    files[f"{stem}.dsse.json"] = statement.signed(manifest, signer)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if name == f"{stem}.dsse.json":
            passing("reports.before-signature")
        _write(folder / name, content)


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
