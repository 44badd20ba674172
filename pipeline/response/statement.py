"""What is signed: an in-toto statement about files, in a DSSE envelope.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipeline.crypto.trusted_keys import TrustedKey
from pipeline.ports import Signature, Signer

from .as_json import as_json

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
RESPONSE = "https://bizxpert.com/habeas/response/v1"
REPORT = "https://bizxpert.com/habeas/report/v1"


class StatementError(Exception):
    """An envelope that no known key signed, or that does not hold a statement of ours."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that a statement vouches for."""

    name: str
    sha256: str
    size: int
    deflated: str = ""
    """Hex SHA-256 of its data as they lie in the package; empty for what lies in no package, and
    in statements of the first releases."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What was signed: which files, and what is said of them."""

    payload: bytes
    """The statement as it was signed."""
    about: str
    files: tuple[Listed, ...]
    said: Mapping[str, Any]
    key: TrustedKey
    """Whose signature it bears."""


def listed(name: str, content: bytes) -> Listed:
    """How a statement lists a small file."""
    return Listed(name, sha256(content).hexdigest(), len(content))


def written(about: str, files: Sequence[Listed], said: Mapping[str, Any]) -> bytes:
    """A statement about files; `about` is its predicate type, `said` its predicate."""
    subjects = [
        {"name": it.name, "digest": {"sha256": it.sha256}, "annotations": _annotations(it)}
        for it in files
    ]
    whole = {"_type": STATEMENT, "subject": subjects, "predicateType": about, "predicate": said}
    return as_json(whole)


def signed(payload: bytes, signer: Signer) -> bytes:
    """The envelope around a statement."""
    return _envelope(payload, signer.sign(authenticated(PAYLOAD, payload)))


def opened(envelope: bytes, keys: Sequence[TrustedKey]) -> Statement:
    """The statement in an envelope that one of the keys signed. Raises `StatementError`.

    The key is the one that the envelope names, and the envelope is as `signed` writes it, byte for
    byte: nothing can be added to it.
    """
    try:
        read = json.loads(envelope)
        payload = b64decode(read["payload"], validate=True)
        (one,) = read["signatures"]
        signature = Signature(key_id=str(one["keyid"]), value=b64decode(one["sig"], validate=True))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StatementError("the signature file is damaged: it is not a DSSE envelope") from None
    key = next((it for it in keys if it.is_named(signature.key_id)), None)
    if key is None or not _fits(key.public, payload, signature.value):
        raise StatementError("the signature is not by this key over this manifest")
    if envelope != _envelope(payload, signature):
        raise StatementError("the signature file is not as we write it: something was added to it")
    return _parsed(payload, key)


def authenticated(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


def _envelope(payload: bytes, signature: Signature) -> bytes:
    named = {"keyid": signature.key_id, "sig": b64encode(signature.value).decode()}
    envelope = {
        "payloadType": PAYLOAD,
        "payload": b64encode(payload).decode(),
        "signatures": [named],
    }
    return as_json(envelope)


def _annotations(file: Listed) -> dict[str, Any]:
    size = {"size": file.size}
    return {**size, "deflated": {"sha256": file.deflated}} if file.deflated else size


def _listed(subject: Any) -> Listed:
    noted = subject["annotations"]
    return Listed(
        name=str(subject["name"]),
        sha256=str(subject["digest"]["sha256"]),
        size=int(noted["size"]),
        deflated=str(noted["deflated"]["sha256"]) if "deflated" in noted else "",
    )


def _fits(key: Ed25519PublicKey, payload: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, authenticated(PAYLOAD, payload))
    except InvalidSignature:
        return False
    return True


def _parsed(payload: bytes, key: TrustedKey) -> Statement:
    try:
        read = json.loads(payload)
        files = tuple(_listed(it) for it in read["subject"])
        if read["_type"] != STATEMENT or not isinstance(read["predicate"], dict):
            raise StatementError("what is signed is no in-toto statement")
        return Statement(payload, str(read["predicateType"]), files, read["predicate"], key)
    except (ValueError, KeyError, TypeError):
        raise StatementError("what is signed is no in-toto statement") from None
