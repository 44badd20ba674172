"""Somebody has an honest package, and programs, but not our key: nothing they do to it verifies.

Each attack below leaves a file that ordinary programs open, mostly without a word: what they show
is what was signed, or what was slipped in beside it. `habeas verify` must refuse every one, and say
which file is wrong and how.
"""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from connectors.sdk.interface import Holding, Record
from pipeline.crypto.segments import seal_stream
from pipeline.crypto.trusted_keys import TrustedKey, former_key_id
from pipeline.keys.signer import KeySigner
from pipeline.ports import Signature
from pipeline.response import zip_format
from pipeline.response.archive_reader import PIECE
from pipeline.response.verify import VerifyError, checked, key_in, verify
from pipeline.response.zip_format import Entry
from pipeline.stages import collect
from pipeline.stages.publish_report import publish
from schemas.records import ExportRow
from tests.fakes import zips
from tests.fakes.zips import Files, changed
from tests.unit import answers
from tests.unit.answers import Bench

Parts = list[tuple[Entry, bytes, bytes, bytes]]
"""Of each file: entry, local header, data, descriptor."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return answers.bench(tmp_path)


@pytest.fixture
async def package(bench: Bench) -> Path:
    """What the attacker has: a package that verifies, and that other programs open."""
    package = await bench.whole()
    verify(package, bench.key)
    return package


def parts_of(package: Path) -> Parts:
    whole, parts = package.read_bytes(), []
    for it in zips.entries_of(package):
        head, tail = zip_format.local(it), zip_format.descriptor(it)
        begins = it.offset + len(head)
        parts.append((it, head, whole[begins : begins + it.packed], tail))
    return parts


def joined(
    parts: Parts,
    row: Callable[[Entry], bytes] = zip_format.central,
    between: bytes = b"",
    comment: bytes = b"",
) -> bytes:
    """An archive that other programs take for whole: offsets and sizes are put right again."""
    data, rows = b"", b""
    for entry, head, raw, tail in parts:
        rows += row(replace(entry, offset=len(data)))
        data += head + raw + tail + between
    end = zip_format.end(len(parts), len(rows), len(data))
    return data + rows + end[:-2] + struct.pack("<H", len(comment)) + comment


def patched(raw: bytes, at: int, form: str, *values: int) -> bytes:
    made = bytearray(raw)
    struct.pack_into(form, made, at, *values)
    return bytes(made)


# Bytes that nobody signed, in a package whose every file is as it was signed.


def appended(package: Path) -> bytes:
    return package.read_bytes() + b"a second answer"


def prepended(package: Path) -> bytes:
    """A stub that runs, before an archive that opens: programs look for the archive's end."""
    return b"#!/bin/sh\nexit 0\n" + package.read_bytes()


def prepended_with_offsets(package: Path) -> bytes:
    stub = b"PK\3\4 or not"
    parts = parts_of(package)
    first = (parts[0][0], stub + parts[0][1], *parts[0][2:])
    shifted = iter([len(stub), *[0] * len(parts)])
    return joined(
        [first, *parts[1:]],
        row=lambda it: zip_format.central(replace(it, offset=it.offset + next(shifted))),
    )


def between_files(package: Path) -> bytes:
    return joined(parts_of(package), between=b"hidden")


def between_files_and_directory(package: Path) -> bytes:
    parts = parts_of(package)
    entry, head, raw, tail = parts[-1]
    return joined([*parts[:-1], (entry, head, raw, tail + b"hidden")])


def second_directory(package: Path) -> bytes:
    """Two central directories: which one counts depends on who reads."""
    whole = package.read_bytes()
    entries = zips.entries_of(package)
    fewer = b"".join(zip_format.central(it) for it in entries[:2])
    return whole + fewer + zip_format.end(2, len(fewer), len(whole))


def second_directory_inside(package: Path) -> bytes:
    entries = zips.entries_of(package)
    fewer = b"".join(zip_format.central(it) for it in entries[:2])
    parts = parts_of(package)
    entry, head, raw, tail = parts[-1]
    return joined([*parts[:-1], (entry, head, raw, tail + fewer)])


def comment(package: Path) -> bytes:
    return joined(parts_of(package), comment=b"call this number")


def comment_of_a_file(package: Path) -> bytes:
    said = b"call this number"
    return joined(
        parts_of(package), row=lambda it: patched(zip_format.central(it), 32, "<H", 16) + said
    )


def extra_field(package: Path) -> bytes:
    extra = struct.pack("<2H", 0x7075, 8) + b"u-48213!"
    return joined(
        parts_of(package), row=lambda it: patched(zip_format.central(it), 30, "<H", 12) + extra
    )


def extra_field_in_a_local_header(package: Path) -> bytes:
    extra = struct.pack("<2H", 0x7075, 8) + b"u-48213!"
    parts = parts_of(package)
    entry, head, raw, tail = parts[0]
    return joined([(entry, patched(head, 28, "<H", 12) + extra, raw, tail), *parts[1:]])


def second_file_of_one_name(package: Path) -> bytes:
    """The page twice: one program shows the first, another the second."""
    entry, raw = zips.one("index.html", b"<h1>Pay here</h1>", 0, answers.RECEIVED)
    again = (entry, zip_format.local(entry), raw, zip_format.descriptor(entry))
    return joined([again, *parts_of(package)])


def other_name_in_a_local_header(package: Path) -> bytes:
    """Programs that read a stream see the local name, others the central one."""
    parts = parts_of(package)
    entry, head, raw, tail = parts[0]
    return joined([(entry, head.replace(b"index.html", b"index.exe\0"), raw, tail), *parts[1:]])


def other_descriptor(package: Path) -> bytes:
    parts = parts_of(package)
    entry, head, raw, tail = parts[1]
    return joined([parts[0], (entry, head, raw, patched(tail, 4, "<L", 7)), *parts[2:]])


def _with_mode(package: Path, mode: int) -> bytes:
    return joined(
        parts_of(package), row=lambda it: patched(zip_format.central(it), 38, "<L", mode << 16)
    )


def runs_as_its_owner(package: Path) -> bytes:
    return _with_mode(package, 0o104755)


def link_to_another_file(package: Path) -> bytes:
    return _with_mode(package, 0o120777)


def other_creator(package: Path) -> bytes:
    return joined(parts_of(package), row=lambda it: patched(zip_format.central(it), 4, "<H", 20))


def encrypted(package: Path) -> bytes:
    return joined(
        parts_of(package), row=lambda it: patched(zip_format.central(it), 8, "<H", 1 | it.stored)
    )


def other_date(package: Path) -> bytes:
    return zips.packed(zips.read(package), answers.NOW)


def other_order(package: Path) -> bytes:
    files = zips.read(package)
    return zips.packed({name: files[name] for name in sorted(files)})


def packed_otherwise(package: Path) -> bytes:
    """The same files, deflated in another way: what is chosen where can carry a message."""
    parts = parts_of(package)
    entry, _, raw, _ = parts[0]
    packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    raw = packer.compress(zlib.decompress(raw, -zlib.MAX_WBITS)) + packer.flush()
    entry = replace(entry, packed=len(raw))
    first = (entry, zip_format.local(entry), raw, zip_format.descriptor(entry))
    return joined([first, *parts[1:]])


def behind_deflated_data(package: Path, hidden: bytes = b"hidden") -> bytes:
    """Deflated data say themselves where they end: what follows is read by nobody."""
    parts = parts_of(package)
    entry, _, raw, _ = parts[0]
    entry = replace(entry, packed=len(raw) + len(hidden))
    first = (entry, zip_format.local(entry), raw + hidden, zip_format.descriptor(entry))
    return joined([first, *parts[1:]])


def much_behind_deflated_data(package: Path) -> bytes:
    return behind_deflated_data(package, b"hidden" * 50_000)


def on_the_edge_behind_deflated_data(package: Path) -> bytes:
    """What is hidden begins where a reader's buffer does, or one byte beside."""
    packed = zips.entries_of(package)[0].packed
    return behind_deflated_data(package, bytes(PIECE - packed % PIECE) + b"hidden")


def as_zip64(package: Path) -> bytes:
    """Sizes in 64 bits although none needs them: room for a second opinion on each."""
    parts = [
        (wide, zip_format.local(wide), raw, zip_format.descriptor(wide))
        for entry, _, raw, _ in parts_of(package)
        for wide in (replace(entry, large=not entry.stored),)
    ]
    return joined(parts, row=lambda it: zip_format.central(replace(it, large=False)))


BYTES: Sequence[tuple[Callable[[Path], bytes], str]] = (
    (appended, "damaged"),
    (prepended, "neither a package, which begins with its first file, nor a report"),
    (prepended_with_offsets, r"file 1 \(index.html\): something lies before it"),
    (between_files, r"file 2 \(data/freshdesk.json\): something lies before it"),
    (between_files_and_directory, "between the last file and the central directory"),
    (second_directory, "between the last file and the central directory"),
    (second_directory_inside, "between the last file and the central directory"),
    (comment, "damaged"),
    (comment_of_a_file, r"file 1 \(index.html\): .*central directory .*: comment"),
    (extra_field, r"file 1 \(index.html\): .*central directory .*: extra fields"),
    (extra_field_in_a_local_header, r"file 1 \(index.html\)|something lies before it"),
    (second_file_of_one_name, r"file 2 \(index.html\): it is there twice"),
    (other_name_in_a_local_header, r"file 1 \(index.html\): its local header .*: name"),
    (other_descriptor, r"file 2 \(data/freshdesk.json\): the data descriptor"),
    (runs_as_its_owner, r"file 1 \(index.html\): .*: mode"),
    (link_to_another_file, r"file 1 \(index.html\): .*: mode"),
    (other_creator, r"file 1 \(index.html\): .*: creator"),
    (encrypted, r"file 1 \(index.html\): .*: flags"),
    (other_date, r"file 1 \(index.html\): its date"),
    (other_order, "not in the place where we write it"),
    (packed_otherwise, r"file 1 \(index.html\): it was packed anew"),
    (behind_deflated_data, r"file 1 \(index.html\): .*something was put after them"),
    (much_behind_deflated_data, r"file 1 \(index.html\): .*something was put after them"),
    (on_the_edge_behind_deflated_data, r"file 1 \(index.html\): .*was put after them"),
    (as_zip64, r"file 1 \(index.html\): .*: (creator|version)"),
)


@pytest.mark.parametrize(("attack", "says"), BYTES, ids=[it.__name__ for it, _ in BYTES])
def test_a_byte_that_nobody_signed_is_seen(
    bench: Bench, package: Path, attack: Callable[[Path], bytes], says: str
) -> None:
    forged = package.with_name("forged.zip")
    forged.write_bytes(attack(package))
    with ZipFile(forged) as opened:  # other programs see nothing wrong so far
        assert opened.namelist()
    with pytest.raises(VerifyError, match=says):
        verify(forged, bench.key)


def test_a_foreign_name_is_not_repeated(bench: Bench, package: Path) -> None:
    """A name can hold a person, or what a terminal obeys."""
    forged = changed(package, lambda it: it.update({"Ann Lee\x1b[2J.html": b"x"}))
    with pytest.raises(VerifyError) as refused:
        verify(forged, bench.key)
    assert "file 8: its name is none of ours" in str(refused.value)
    assert "Ann" not in str(refused.value)


def test_a_bomb_is_not_unpacked(bench: Bench, package: Path) -> None:
    """The page becomes a gigabyte of blanks, in a megabyte: read no further than was signed."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    raw = b"".join(packer.compress(b" " * 1_000_000) for _ in range(1_000)) + packer.flush()
    parts = parts_of(package)
    size = parts[0][0].size
    for claimed in (size, 1_000_000_000):
        entry = replace(parts[0][0], packed=len(raw), size=claimed)
        first = (entry, zip_format.local(entry), raw, zip_format.descriptor(entry))
        forged = package.with_name("forged.zip")
        forged.write_bytes(joined([first, *parts[1:]]))
        with pytest.raises(VerifyError, match=r"file 1 \(index.html\)"):
            verify(forged, bench.key)


# The envelope.


def resigned(package: Path, change: Callable[[dict[str, list[dict[str, str]]]], object]) -> Path:
    def edit(files: Files) -> None:
        envelope = json.loads(files["manifest.dsse.json"])
        change(envelope)
        files["manifest.dsse.json"] = json.dumps(envelope, indent=2).encode() + b"\n"

    return changed(package, edit)


def test_a_signature_under_another_keys_name_is_refused(bench: Bench, package: Path) -> None:
    """Who looks keys up by their id must not find another one than the one that signed."""
    other = KeySigner(Ed25519PrivateKey.generate())
    forged = resigned(package, lambda it: it["signatures"][0].update(keyid=other.key_id))
    with pytest.raises(VerifyError, match="not by this key"):
        verify(forged, bench.key)


def test_nothing_can_be_added_to_an_envelope(bench: Bench, package: Path) -> None:
    """A second signature, or a word that no program reads, and all else as it was signed."""
    second = {"keyid": "0" * 64, "sig": b64encode(b"x" * 64).decode()}
    for change in (
        lambda it: it["signatures"].append(second),
        lambda it: it.update(note="call this number"),
        lambda it: it["signatures"][0].update(cert="mine"),
    ):
        with pytest.raises(VerifyError, match="signature file"):
            verify(resigned(package, change), bench.key)


class Former:
    """Signs as the first releases did: the key is named otherwise."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, content: bytes) -> Signature:
        return Signature(former_key_id(self._key.public_key()), self._key.sign(content))


def test_what_the_first_releases_signed_still_verifies(bench: Bench, package: Path) -> None:
    """Their statements know nothing of deflated bytes, and nothing in their packages is stored."""
    private = Ed25519PrivateKey.generate()
    key = TrustedKey(public=private.public_key())
    folder = bench.root / "reports"
    publish(answers.report(), Former(private), folder)
    (path,) = folder.glob("*.dsse.json")
    assert checked(path, [key]).key == key.id

    former = zips.of_the_first_releases(zips.read(package), Former(private))
    package.write_bytes(former)
    assert checked(package, [key]).files == 5
    for forged in (former + b"x", former.replace(b"README.txt", b"README.txt"[::-1], 1)):
        package.write_bytes(forged)
        with pytest.raises(VerifyError):
            checked(package, [key])


async def test_securesystemslib_verifies_a_response_and_a_report(
    bench: Bench, package: Path
) -> None:
    """Whoever has another program need not trust ours."""
    key = SSlibKey.from_crypto(key_in(bench.key).public)
    folder = bench.root / "reports"
    publish(answers.report(), bench.signer, folder)
    (path,) = folder.glob("*.dsse.json")
    for signed in (zips.read(package)["manifest.dsse.json"], path.read_bytes()):
        envelope = Envelope.from_dict(json.loads(signed))
        assert set(envelope.verify([key], 1)) == {key.keyid}
        assert envelope.payload == b64decode(json.loads(signed)["payload"])


# Exports that a system's host lists: invented, another's, or not what they are said to be.


async def put(bench: Bench, name: str, content: bytes, system: str = "freshdesk") -> ExportRow:
    """What a host of `system` can write: any bytes, sealed under its own grant."""
    grant = bench.grants.package(system)

    async def once() -> object:
        yield content

    sealed = b"".join([it async for it in seal_stream(grant.key, grant.key_id, name, once())])  # type: ignore[arg-type]

    async def whole() -> object:
        yield sealed

    await bench.objects.put(name, whole())  # type: ignore[arg-type]
    digest = sha256(sealed).digest()
    return ExportRow(system=system, name=name, digest=digest, records=1, size=len(sealed))


async def invented(bench: Bench, theirs: ExportRow) -> ExportRow:
    return replace(theirs, system="freshdesk", name=f"{answers.CASE}/never-written")


async def of_another_system(bench: Bench, theirs: ExportRow) -> ExportRow:
    return replace(theirs, system="freshdesk")


async def outside_the_folder(bench: Bench, theirs: ExportRow) -> ExportRow:
    return replace(theirs, system="freshdesk", name=f"{answers.CASE}/../../keys/signing.pem")


async def of_another_case(bench: Bench, theirs: ExportRow) -> ExportRow:
    return await put(bench, "6f1c2c52-0000-4e0e-9c1e-0d3a1b2c4d5e/export", b"")


async def of_no_system(bench: Bench, theirs: ExportRow) -> ExportRow:
    return replace(theirs, system="<script>alert(1)</script>")


async def no_records(bench: Bench, theirs: ExportRow) -> ExportRow:
    return await put(bench, f"{answers.CASE}/rubbish", b"no record\n")


async def odd_record(bench: Bench, theirs: ExportRow) -> ExportRow:
    head = {"kind": 7, "holding": ["x"], "content_type": None, "length": 2}
    return await put(bench, f"{answers.CASE}/odd", json.dumps(head).encode() + b"\n{}\n")


async def fewer_than_listed(bench: Bench, theirs: ExportRow) -> ExportRow:
    row = await bench.export("freshdesk", answers.freshdesk())
    return replace(row, records=1_000_000)


@pytest.mark.parametrize(
    "attack",
    [
        invented,
        of_another_system,
        outside_the_folder,
        of_another_case,
        of_no_system,
        no_records,
        odd_record,
        fewer_than_listed,
    ],
)
async def test_an_invented_export_row_costs_its_system_alone(
    bench: Bench, attack: Callable[[Bench, ExportRow], object]
) -> None:
    theirs = await bench.export("salesforce", answers.salesforce())
    row = await attack(bench, theirs)  # type: ignore[misc]
    ordered = replace(answers.order([row, theirs]), attempt=collect.PATIENCE)
    signed = await bench.assemble(ordered)
    package = await bench.open(signed)
    verify(package, bench.key)
    with ZipFile(package) as opened:
        files = {it: opened.read(it) for it in opened.namelist()}
    assert [it for it in files if it.startswith("data/")] == ["data/salesforce.json"]
    assert signed.records == len(json.loads(files["data/salesforce.json"])) == 3
    said = json.loads(files["manifest.json"])["predicate"]
    bad, good, *unlisted = said["copies"]
    assert [(it["system"], it["not_copied"]) for it in unlisted] in (
        [],
        [("freshdesk", "export_not_listed")],  # its host listed a system that there is not
    )
    assert bad["not_copied"].startswith("export_")
    assert (bad["records"], bad["expected"]) == (0, row.records)
    assert good == {"system": "salesforce", "expected": 3, "records": 3}
    page = files["index.html"].decode()
    assert "Not copied: " in page
    assert bad["not_copied"] in page
    assert "<script>alert" not in page


async def test_what_was_not_copied_is_nowhere_called_copied(bench: Bench) -> None:
    row = await bench.export("freshdesk", answers.freshdesk())
    package = await bench.package(answers.order([replace(row, digest=b"x" * 32)], "access"))
    with ZipFile(package) as opened:
        said = json.loads(opened.read("manifest.json"))["predicate"]
        page = " ".join(opened.read("index.html").decode().split())
    states = {it["state"] for it in said["coverage"] if it["system"] == "freshdesk"}
    assert states == {"open"}
    assert "This package brings you a copy of what could be copied." in page
    assert {it["state"] for it in said["claims"]} == {"partially_fulfilled"}


async def test_a_host_that_says_exported_and_lists_nothing_is_not_believed(bench: Bench) -> None:
    theirs = await bench.export("salesforce", answers.salesforce())
    with ZipFile(await bench.package(answers.order([theirs]))) as opened:
        said = json.loads(opened.read("manifest.json"))["predicate"]
    assert said["copies"][1:] == [
        {"system": "freshdesk", "expected": 0, "records": 0, "not_copied": "export_not_listed"}
    ]


async def test_an_export_that_is_listed_twice_is_not_copied_twice(bench: Bench) -> None:
    row = await bench.export("freshdesk", answers.freshdesk())
    with ZipFile(await bench.package(answers.order([row, row]))) as opened:
        said = json.loads(opened.read("manifest.json"))["predicate"]
    assert said["copies"][:1] == [
        {"system": "freshdesk", "expected": 8, "records": 0, "not_copied": "export_listed_twice"}
    ]


async def test_half_a_character_in_a_records_name_does_not_stop_the_response(bench: Bench) -> None:
    """JSON can hold what UTF-8 cannot."""
    odd = Record(Holding("file", "\ud800"), b"some text", "text/plain")
    package = await bench.package(answers.order([await bench.export("freshdesk", [odd])]))
    with ZipFile(package) as opened:
        assert json.loads(opened.read("data/freshdesk.json"))[0]["id"] == "\ud800"
