"""A package packed again, exactly in our form, by somebody who has the programs but not the key."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pipeline.ports import Signer
from pipeline.response import report, statement
from pipeline.response import zip_format as form
from pipeline.response.statement import Listed
from pipeline.response.zip_format import Entry
from schemas.events import CaseReported
from tests.unit import answers

Files = dict[str, bytes]
KEPT = ("manifest.json", "manifest.dsse.json")


def read(package: Path) -> Files:
    """The files of a package, in their order."""
    with ZipFile(package) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def changed(package: Path, change: Callable[[Files], object]) -> Path:
    """The package packed again after a change, in a file of its own."""
    files = read(package)
    change(files)
    path = package.with_name("changed.zip")
    path.write_bytes(packed(files))
    return path


def packed(files: Files, at: datetime = answers.RECEIVED) -> bytes:
    """An archive as we write it, but for what the names and contents are."""
    entries, data = [], []
    offset = 0
    for name, content in files.items():
        entry, raw = one(name, content, offset, at)
        entries.append(entry)
        data.append(form.local(entry) + raw + form.descriptor(entry))
        offset += entry.length
    return b"".join(data) + ending(entries, offset)


def one(name: str, content: bytes, offset: int, at: datetime) -> tuple[Entry, bytes]:
    """A file's entry and its data."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    raw = content if name in KEPT else packer.compress(content) + packer.flush()
    entry = Entry(
        name=name.encode(),
        crc=zlib.crc32(content),
        packed=len(raw),
        size=len(content),
        offset=offset,
        at=form.dos_time(at),
        stored=name in KEPT,
    )
    return entry, raw


def ending(entries: list[Entry], start: int) -> bytes:
    """The central directory and the end record."""
    directory = b"".join(form.central(it) for it in entries)
    return directory + form.end(len(entries), len(directory), start)


def entries_of(package: Path) -> list[Entry]:
    """The entries of a package of ours, as any reader finds them."""
    with ZipFile(package) as opened:
        return [
            Entry(
                name=it.filename.encode(),
                crc=it.CRC,
                packed=it.compress_size,
                size=it.file_size,
                offset=it.header_offset,
                at=form.dos_time(datetime(*it.date_time)),  # noqa: DTZ001  an archive has no zone
                stored=it.compress_type == form.STORED,
            )
            for it in opened.infolist()
        ]


def signed_again(files: Files, change: Files, signer: Signer) -> bytes:
    """A package with other files, listed and signed as ours are, by whoever has a key."""
    manifest = json.loads(files["manifest.json"])
    content = {**{name: it for name, it in files.items() if name not in KEPT}, **change}
    listed = []
    for name, whole in content.items():
        _, raw = one(name, whole, 0, answers.RECEIVED)
        listed.append(Listed(name, sha256(whole).hexdigest(), len(whole), sha256(raw).hexdigest()))
    payload = statement.written(statement.RESPONSE, listed, manifest["predicate"])
    kept = dict(zip(KEPT, (payload, statement.signed(payload, signer)), strict=True))
    at = datetime.fromisoformat(manifest["predicate"]["received_at"])
    return packed({**content, **kept}, at)


def report_again(event: CaseReported, page: bytes, signer: Signer, folder: Path) -> None:
    """A report's files with another page, signed."""
    stem = f"{event.case}-{event.n}"
    files = {f"{stem}.json": report.document(event), f"{stem}.html": page}
    listed = [statement.listed(name, content) for name, content in files.items()]
    payload = statement.written(statement.REPORT, listed, report.said(event))
    files[f"{stem}.dsse.json"] = statement.signed(payload, signer)
    for name, content in files.items():
        (folder / name).write_bytes(content)


class Pipe:
    """What cannot be gone back in, as an archive is written to."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> int:
        self.written += data
        return len(data)

    def flush(self) -> None:
        """Nothing to do."""


def info(name: str) -> ZipInfo:
    """A file as the first releases had Python's own writer write it."""
    found = ZipInfo(name, answers.RECEIVED.timetuple()[:6])
    found.compress_type, found.create_system = ZIP_DEFLATED, form.UNIX
    found.external_attr = form.MODE << 16
    return found


def of_the_first_releases(files: Files, signer: Signer) -> bytes:
    """A package as those wrote it."""
    content = {name: it for name, it in files.items() if name not in KEPT}
    listed = [statement.listed(name, it) for name, it in content.items()]
    said = json.loads(files["manifest.json"])["predicate"]
    payload = statement.written(statement.RESPONSE, listed, said)
    kept = dict(zip(KEPT, (payload, statement.signed(payload, signer)), strict=True))
    pipe: Any = Pipe()
    with ZipFile(pipe, "w", ZIP_DEFLATED) as opened:
        for name, whole in {**content, **kept}.items():
            opened.writestr(info(name), whole)
    return bytes(pipe.written)
