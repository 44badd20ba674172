"""Verification finds what was changed, removed or added, and trusts only the key it is given."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode, b64encode
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipeline.keys.signer import KeySigner
from pipeline.response import statement
from pipeline.response.verify import MAX_MANIFEST, VerifyError, verify
from tests.fakes.zips import Files, changed, read
from tests.unit import answers
from tests.unit.answers import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return answers.bench(tmp_path)


@pytest.fixture
async def package(bench: Bench) -> Path:
    return await bench.whole()


def test_packing_it_again_in_our_form_gives_the_same_file(bench: Bench, package: Path) -> None:
    again = changed(package, lambda files: None)
    assert verify(again, bench.key).files == 5
    assert again.read_bytes() == package.read_bytes()


def test_packing_it_again_in_another_form_is_refused(bench: Bench, package: Path) -> None:
    files = read(package)
    with ZipFile(package, "w", ZIP_DEFLATED) as written:
        for name, content in files.items():
            written.writestr(name, content)
    with pytest.raises(VerifyError, match="not as we write it"):
        verify(package, bench.key)


def test_lines_name_what_was_checked(bench: Bench, package: Path) -> None:
    lines = "\n".join(verify(package, bench.key).lines())
    for said in (
        str(answers.CASE),
        *bench.signer.key_ids().values(),
        "5 files",
        "ledger head",
        "access",
    ):
        assert said in lines


@pytest.mark.parametrize(
    "name", ["index.html", "data/freshdesk.json", "data/salesforce.json", "README.txt"]
)
def test_a_changed_file_is_named(bench: Bench, package: Path, name: str) -> None:
    def flip(files: Files) -> None:
        files[name] = files[name][:-2] + bytes([files[name][-2] ^ 1]) + files[name][-1:]

    with pytest.raises(VerifyError, match=re.escape(f"({name}): it was changed")):
        verify(changed(package, flip), bench.key)


@pytest.mark.parametrize("longer", [b"", b"0" * 5_000_000])
def test_a_file_of_another_size_is_named(bench: Bench, package: Path, longer: bytes) -> None:
    with pytest.raises(VerifyError, match=r"README.txt\): it was changed"):
        verify(changed(package, lambda it: it.update({"README.txt": longer})), bench.key)


@pytest.mark.parametrize(
    "name", ["index.html", "data/freshdesk.json", "manifest.json", "manifest.dsse.json"]
)
def test_a_missing_file_is_named(bench: Bench, package: Path, name: str) -> None:
    with pytest.raises(VerifyError, match=f"{name} is missing"):
        verify(changed(package, lambda files: files.pop(name)), bench.key)


def test_an_extra_file_is_named(bench: Bench, package: Path) -> None:
    with pytest.raises(VerifyError, match=r"more/freshdesk-1.html\): it is extra"):
        verify(changed(package, lambda it: it.update({"more/freshdesk-1.html": b"x"})), bench.key)


def test_a_changed_manifest_is_refused(bench: Bench, package: Path) -> None:
    def edit(files: Files) -> None:
        files["manifest.json"] = files["manifest.json"].replace(b'"proved"', b'"erased"', 1)

    with pytest.raises(VerifyError, match=r"manifest.json is not what was signed"):
        verify(changed(package, edit), bench.key)


def test_a_changed_payload_or_signature_is_refused(bench: Bench, package: Path) -> None:
    def payload(files: Files) -> None:
        envelope = json.loads(files["manifest.dsse.json"])
        manifest = b64decode(envelope["payload"]).replace(b'"open"', b'"kept"')
        envelope["payload"] = b64encode(manifest).decode()
        files |= {"manifest.json": manifest, "manifest.dsse.json": json.dumps(envelope).encode()}

    def signature(files: Files) -> None:
        envelope = json.loads(files["manifest.dsse.json"])
        envelope["signatures"][0]["sig"] = b64encode(b"x" * 64).decode()
        files["manifest.dsse.json"] = json.dumps(envelope).encode()

    for change in (payload, signature):
        with pytest.raises(VerifyError, match="not by this key"):
            verify(changed(package, change), bench.key)


def test_another_key_is_refused(package: Path, tmp_path: Path) -> None:
    other = answers.bench(tmp_path / "other").key
    with pytest.raises(VerifyError, match="not by this key"):
        verify(package, other)


def test_a_package_signed_with_a_key_of_its_own_is_refused(bench: Bench, package: Path) -> None:
    own = KeySigner(Ed25519PrivateKey.generate())

    def again(files: Files) -> None:
        files["manifest.dsse.json"] = statement.signed(files["manifest.json"], own)

    with pytest.raises(VerifyError, match="not by this key"):
        verify(changed(package, again), bench.key)


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a\\b", "a//b", "data/", "C:x", "a/./b"])
def test_a_name_that_leads_elsewhere_is_refused(bench: Bench, package: Path, name: str) -> None:
    with pytest.raises(VerifyError, match="file 8: its name is none of ours"):
        verify(changed(package, lambda it: it.update({name: b"x"})), bench.key)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(bench: Bench, package: Path) -> None:
    with ZipFile(package, "a") as opened:
        opened.writestr("index.html", b"another page")
    with pytest.raises(VerifyError, match="not as we write it"):
        verify(package, bench.key)


def test_another_packing_is_refused(bench: Bench, package: Path) -> None:
    with ZipFile(package, "a") as opened:
        opened.writestr("more", b"x" * 100, ZIP_BZIP2)
    with pytest.raises(VerifyError, match="not as we write it"):
        verify(package, bench.key)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.dsse.json"])
def test_a_manifest_that_is_too_large_is_not_read(bench: Bench, package: Path, name: str) -> None:
    with pytest.raises(VerifyError, match="too large"):
        verify(changed(package, lambda it: it.update({name: b" " * (MAX_MANIFEST + 1)})), bench.key)


def test_something_before_or_beside_the_files_is_refused(bench: Bench, package: Path) -> None:
    with ZipFile(package, "a") as opened:
        opened.comment = b"not signed"
    with pytest.raises(VerifyError, match="no end record"):
        verify(package, bench.key)


def test_every_broken_byte_is_noticed(bench: Bench, package: Path) -> None:
    whole = package.read_bytes()
    broken = package.with_name("broken.zip")
    for at in (*range(0, len(whole), 97), *range(len(whole) - 300, len(whole))):
        broken.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with pytest.raises(VerifyError):
            verify(broken, bench.key)


@pytest.mark.parametrize("cut", [1, 100, 5_000])
def test_a_package_that_is_cut_short_is_refused(bench: Bench, package: Path, cut: int) -> None:
    package.write_bytes(package.read_bytes()[:-cut])
    with pytest.raises(VerifyError, match="damaged"):
        verify(package, bench.key)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"hello", b"{}", b"PK\x05\x06" + bytes(18), zlib.compress(b"x")]
)
def test_what_is_neither_is_refused(bench: Bench, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thing.json"
    path.write_bytes(content)
    with pytest.raises(VerifyError):
        verify(path, bench.key)


def test_a_key_file_must_hold_an_ed25519_key(package: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no key")
    with pytest.raises(VerifyError, match="not a public key"):
        verify(package, wrong)
    public = generate_private_key(SECP256R1()).public_key()
    wrong.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(VerifyError, match="not an Ed25519 key"):
        verify(package, wrong)


def test_the_envelope_follows_dsse(bench: Bench, package: Path) -> None:
    with ZipFile(package) as opened:
        envelope = json.loads(opened.read("manifest.dsse.json"))
        manifest = json.loads(opened.read("manifest.json"))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert [it["keyid"] for it in envelope["signatures"]] == [*bench.signer.key_ids().values()]
    assert manifest["_type"] == "https://in-toto.io/Statement/v1"
    assert manifest["predicateType"] == "https://bizxpert.com/habeas/response/v1"
    assert {it["name"] for it in manifest["subject"]} == {
        "index.html",
        "data/freshdesk.json",
        "data/salesforce.json",
        "information.json",
        "README.txt",
    }
    # the example of the protocol's own page
    assert statement.authenticated("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
