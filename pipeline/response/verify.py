"""Check a response or a report: the signature first, then every file, and that none is extra.

Works offline, and believes no key but those it is given: what a file brings along proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Any, BinaryIO
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pipeline.crypto.trusted_keys import TrustedKey

from . import statement, zip_format
from .archive_reader import ArchiveError, ArchiveReader, File
from .package import ENVELOPE, MANIFEST
from .statement import Listed, Statement, StatementError

SIGNED = ".dsse.json"
MAX_MANIFEST = 64 * 1024 * 1024
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
    """Id of the key that the signature was checked with (`crypto.trusted_keys.key_id`)."""
    revoked: datetime | None
    """As of when that key is revoked: only a proof of an earlier time makes its word count."""
    said_at: datetime | None
    """When it was made, as it says itself: a hint, and no proof."""
    policy: str
    """Hex SHA-256 of the policy it was decided under."""
    head: bytes
    """Head of the ledger's hash chain when it was made."""
    digest: bytes
    """SHA-256 of the file itself."""
    contents: tuple[Listed, ...]
    """Its files."""

    def lines(self) -> tuple[str, ...]:
        """The same for people."""
        form = ("byte for byte as we write it; " if self.what == "response" else "") + "each file"
        return (
            f"{self.what} {self.n} ({self.kind}) of case {self.case}: {', '.join(self.claims)}",
            f"{self.files} files: {form} as it was signed; none missing, none extra",
            f"signature by key {self.key}",
            f"policy {self.policy}",
            f"ledger head {self.head.hex()}",
            f"SHA-256 of the file {self.digest.hex()}",
        )


def verify(file: Path, key: Path) -> Verified:
    """Check a package (zip) or a report (JSON, its page and signature beside it) with a public key.

    `key` is a PEM file. Raises `VerifyError`.
    """
    return trusted(checked(file, [key_in(key)]), None)


def checked(file: Path, keys: Sequence[TrustedKey]) -> Verified:
    """As `verify`, by whichever of the keys the signature names, revoked or not: the caller asks
    `trusted` before anybody is told that it holds. Raises `VerifyError`.
    """
    try:
        with file.open("rb") as opened:
            zipped = opened.read(2) == b"PK"
            found = _package(opened, keys) if zipped else _report(file, keys)
            opened.seek(0)
            digest = file_digest(opened, "sha256").digest()
    except (StatementError, ArchiveError) as error:
        raise VerifyError(str(error)) from None
    except OSError as error:
        raise VerifyError(f"a file cannot be read: {error.strerror}") from None
    return _verified(found, digest)


def trusted(found: Verified, signed_at: datetime | None) -> Verified:
    """The same. Raises `VerifyError` if its key is revoked, unless it is proved to be older.

    `signed_at` is when it was signed, as the register's ledger proves; None without such a proof.
    """
    if found.revoked is None or (signed_at is not None and signed_at < found.revoked):
        return found
    told = f"its key {found.key} was revoked as of {found.revoked.isoformat()}"
    if signed_at is not None:
        raise VerifyError(f"{told}, and it was signed after that, at {signed_at.isoformat()}")
    said = "" if found.said_at is None else f" (it says {found.said_at.isoformat()} of itself)"
    raise VerifyError(
        f"{told}, and nothing proves that it was signed before{said}: it is not to be trusted;"
        " --ledger can prove the time"
    )


def report_of(file: Path) -> str:
    """The name that a report's files share, from any of them."""
    return file.name.removesuffix(SIGNED).removesuffix(".json").removesuffix(".html")


def key_in(path: Path) -> TrustedKey:
    """The public key in a PEM file. Raises `VerifyError`."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        raise VerifyError(f"{path} is not a public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise VerifyError(f"{path} is not an Ed25519 key")
    return TrustedKey(public=key)


def _package(opened: BinaryIO, keys: Sequence[TrustedKey]) -> Statement:
    archive = ArchiveReader(opened)
    inside = {it.name: it for it in archive.files}
    for needed in (MANIFEST, ENVELOPE):
        if needed not in inside:
            raise VerifyError(f"{needed} is missing")
    found = statement.opened(archive.content(inside[ENVELOPE], MAX_MANIFEST), keys)
    if archive.content(inside[MANIFEST], MAX_MANIFEST) != found.payload:
        raise VerifyError(f"{MANIFEST} is not what was signed")
    _check_whole(archive, inside, found)
    for it in found.files:
        archive.compare(inside[it.name], it)
    return found


def _check_whole(archive: ArchiveReader, inside: dict[str, File], found: Statement) -> None:
    """Exactly the files that were signed, in their order, packed and dated as we do."""
    listed = [it.name for it in found.files]
    known = {*listed, MANIFEST, ENVELOPE}
    if missing := [n for n, it in enumerate(listed) if it not in inside]:
        raise VerifyError(f"{_told(listed[missing[0]], missing[0])} is missing")
    if extra := [it for it in archive.files if it.name not in known]:
        raise extra[0].error("it is extra: nobody signed it")
    # Packages of the first releases have no digests of deflated data, and nothing stored in them.
    kept = {MANIFEST, ENVELOPE} if any(it.deflated for it in found.files) else set()
    at = zip_format.dos_time(_moment(found.said.get("received_at")))
    for it, name in zip(archive.files, [*listed, MANIFEST, ENVELOPE], strict=True):
        if it.name != name:
            raise it.error("it is not in the place where we write it")
        if it.entry.stored != (name in kept):
            raise it.error("it is packed in another way than we do")
        if it.entry.at != at:
            raise it.error("its date is not the one that we write")


def _told(name: str, n: int) -> str:
    """A name of ours; of a file that a vendor named, its number: the name may be personal."""
    return name if zip_format.NAME.fullmatch(name.encode("utf-8", "replace")) else f"file {n + 1}"


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


def _report(file: Path, keys: Sequence[TrustedKey]) -> Statement:
    stem = report_of(file)
    signature = file.with_name(stem + SIGNED)
    if not signature.exists():
        raise VerifyError(
            "neither a package, which begins with its first file, nor a report: there is no"
            f" {stem}{SIGNED} beside it"
        )
    with signature.open("rb") as opened:
        found = statement.opened(opened.read(MAX_MANIFEST), keys)
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
        said_at = said.get("made_at", said.get("reported_at"))
        return Verified(
            what=whats[found.about],
            case=UUID(said["case"]),
            n=int(said["n"]),
            kind=str(said["kind"]),
            claims=tuple(str(it["right"]) for it in said["claims"]),
            files=len(found.files),
            key=found.key.id,
            revoked=found.key.revoked,
            said_at=None if said_at is None else _moment(said_at),
            policy=str(said["policy"]["sha256"]),
            head=bytes.fromhex(said["ledger"]["head"]),
            digest=digest,
            contents=found.files,
        )
    except (KeyError, TypeError, ValueError):
        raise VerifyError("the manifest lacks what a response or a report must say") from None


def _moment(said: Any) -> datetime:
    """A moment of a statement. Raises `VerifyError`."""
    try:
        return datetime.fromisoformat(said)
    except (TypeError, ValueError):
        raise VerifyError("the manifest lacks what a response or a report must say") from None
