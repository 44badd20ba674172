"""Check a response or a report: the signature first, then every file, and that none is extra.

Works offline, and believes no key but the one it is given: what a file brings along proves nothing.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from . import statement
from .package import ENVELOPE, MANIFEST
from .statement import Listed, Statement, StatementError

SIGNED = ".dsse.json"
MAX_MANIFEST = 16 * 1024 * 1024
"""Bytes of a manifest or an envelope that are read, at most."""
_PIECE = 256 * 1024


class VerifyError(Exception):
    """A file that is not what was signed. The message says what is wrong, in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was checked and holds."""

    what: str
    """`response` or `report`."""
    case: UUID
    n: int
    kind: str
    claims: tuple[str, ...]
    files: int
    key: str
    """Hex SHA-256 of the raw public key that the signature was checked with."""
    policy: str
    """Hex SHA-256 of the policy it was decided under."""
    head: bytes
    """Head of the ledger's hash chain when it was made."""
    digest: bytes
    """SHA-256 of the file itself."""

    def lines(self) -> tuple[str, ...]:
        """The same for people."""
        return (
            f"{self.what} {self.n} ({self.kind}) of case {self.case}: {', '.join(self.claims)}",
            f"{self.files} files, each as it was signed; none missing, none extra",
            f"signature by key {self.key}",
            f"policy {self.policy}",
            f"ledger head {self.head.hex()}",
            f"SHA-256 of the file {self.digest.hex()}",
        )


def verify(file: Path, key: Path) -> Verified:
    """Check a package (zip) or a report (JSON, its page and signature beside it) with a public key.

    `key` is a PEM file. Raises `VerifyError`.
    """
    public = _public(key)
    try:
        with file.open("rb") as opened:
            zipped = opened.read(2) == b"PK"
        found = _package(file, public) if zipped else _report(file, public)
        with file.open("rb") as opened:
            digest = file_digest(opened, "sha256").digest()
    except StatementError as error:
        raise VerifyError(str(error)) from None
    except OSError as error:
        raise VerifyError(f"a file cannot be read: {error.strerror}") from None
    return _verified(found, digest)


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        raise VerifyError(f"{path} is not a public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise VerifyError(f"{path} is not an Ed25519 key")
    return key


def _package(file: Path, key: Ed25519PublicKey) -> Statement:
    with _damage(), ZipFile(file) as package:
        inside = _names(package)
        for needed in (MANIFEST, ENVELOPE):
            if needed not in inside:
                raise VerifyError(f"{needed} is missing")
        found = statement.opened(_small(package, inside[ENVELOPE]), key)
        if _small(package, inside[MANIFEST]) != found.payload:
            raise VerifyError(f"{MANIFEST} is not what was signed")
        listed = {it.name: it for it in found.files}
        if missing := sorted(listed.keys() - inside.keys()):
            raise VerifyError(f"{missing[0]} is missing")
        if extra := sorted(inside.keys() - listed.keys() - {MANIFEST, ENVELOPE}):
            raise VerifyError(f"{extra[0]!r} is extra: nobody signed it")
        for name, wanted in listed.items():
            with package.open(inside[name]) as content:
                _compare(content, wanted)
        return found


def _names(package: ZipFile) -> dict[str, ZipInfo]:
    """What the archive holds; names that lead elsewhere, or stand twice, are refused."""
    found: dict[str, ZipInfo] = {}
    for it in package.infolist():
        parts = it.filename.split("/")
        if "\\" in it.filename or ":" in it.filename or not {"", ".", ".."}.isdisjoint(parts):
            raise VerifyError(f"{it.filename!r} is a name that could lead out of the package")
        if it.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise VerifyError(f"{it.filename!r} is packed in a way that we never use")
        if it.filename in found:
            raise VerifyError(f"{it.filename!r} is there twice")
        found[it.filename] = it
    if package.comment or min((it.header_offset for it in found.values()), default=0):
        raise VerifyError("there is something beside the files in the package")
    return found


def _small(package: ZipFile, info: ZipInfo) -> bytes:
    with package.open(info) as content:
        found = content.read(MAX_MANIFEST + 1)
    if len(found) > MAX_MANIFEST:
        raise VerifyError(f"{info.filename} is too large")
    return found


def _compare(content: IO[bytes], wanted: Listed) -> None:
    """Raise `VerifyError` unless it is the file that was signed; read no more than its size."""
    digest, size = sha256(), 0
    while piece := content.read(_PIECE):
        digest.update(piece)
        size += len(piece)
        if size > wanted.size:
            break
    if size != wanted.size or digest.hexdigest() != wanted.sha256:
        raise VerifyError(f"{wanted.name} was changed: it is not the file that was signed")


@contextmanager
def _damage() -> Iterator[None]:
    """What a broken or hostile archive makes the reader raise."""
    try:
        yield
    except (BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError):
        raise VerifyError("the package is damaged, or no zip file of ours") from None


def _report(file: Path, key: Ed25519PublicKey) -> Statement:
    stem = file.name.removesuffix(SIGNED).removesuffix(".json")
    signature = file.with_name(stem + SIGNED)
    if not signature.exists():
        raise VerifyError(f"neither a package nor a report: there is no {signature.name} beside it")
    with signature.open("rb") as opened:
        found = statement.opened(opened.read(MAX_MANIFEST), key)
    if {it.name for it in found.files} != {f"{stem}.json", f"{stem}.html"}:
        raise VerifyError(f"{signature.name} is the signature of another report")
    for it in found.files:
        path = file.with_name(it.name)
        if not path.exists():
            raise VerifyError(f"{it.name} is missing")
        with path.open("rb") as content:
            _compare(content, it)
    return found


def _verified(found: Statement, digest: bytes) -> Verified:
    whats = {statement.RESPONSE: "response", statement.REPORT: "report"}
    if found.about not in whats:
        raise VerifyError("what is signed is neither a response nor a report")
    try:
        said: Any = json.loads(found.payload)["predicate"]
        return Verified(
            what=whats[found.about],
            case=UUID(said["case"]),
            n=int(said["n"]),
            kind=str(said["kind"]),
            claims=tuple(str(it["right"]) for it in said["claims"]),
            files=len(found.files),
            key=found.key_id,
            policy=str(said["policy"]["sha256"]),
            head=bytes.fromhex(said["ledger"]["head"]),
            digest=digest,
        )
    except (KeyError, TypeError, ValueError):
        raise VerifyError("the manifest lacks what a response or a report must say") from None
