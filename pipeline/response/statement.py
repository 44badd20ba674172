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

from pipeline.ports import Signer

from .as_json import as_json

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
RESPONSE = "https://bizxpert.com/habeas/response/v1"
REPORT = "https://bizxpert.com/habeas/report/v1"


class StatementError(Exception):
    """An envelope that is not signed with this key, or does not hold a statement of ours."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that a statement vouches for."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What was signed: which files, and what is said of them."""

    payload: bytes
    """The statement as it was signed."""
    about: str
    files: tuple[Listed, ...]
    said: Mapping[str, Any]
    key_id: str


def listed(name: str, content: bytes) -> Listed:
    """How a statement lists a small file."""
    return Listed(name, sha256(content).hexdigest(), len(content))


def written(about: str, files: Sequence[Listed], said: Mapping[str, Any]) -> bytes:
    """A statement about files; `about` is its predicate type, `said` its predicate."""
    subjects = [
        {"name": it.name, "digest": {"sha256": it.sha256}, "annotations": {"size": it.size}}
        for it in files
    ]
    whole = {"_type": STATEMENT, "subject": subjects, "predicateType": about, "predicate": said}
    return as_json(whole)


def signed(payload: bytes, signer: Signer) -> bytes:
    """The envelope around a statement."""
    signature = signer.sign(authenticated(PAYLOAD, payload))
    envelope = {
        "payloadType": PAYLOAD,
        "payload": b64encode(payload).decode(),
        "signatures": [{"keyid": signer.key_id, "sig": b64encode(signature).decode()}],
    }
    return as_json(envelope)


def opened(envelope: bytes, key: Ed25519PublicKey) -> Statement:
    """The statement in an envelope that `key` signed. Raises `StatementError`."""
    try:
        read = json.loads(envelope)
        payload = b64decode(read["payload"], validate=True)
        signatures = [b64decode(it["sig"], validate=True) for it in read["signatures"]]
        kind = read["payloadType"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StatementError("the signature file is damaged: it is not a DSSE envelope") from None
    if kind != PAYLOAD or not any(_fits(key, payload, it) for it in signatures):
        raise StatementError("the signature is not by this key over this manifest")
    return _parsed(payload, key_id(key))


def authenticated(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


def key_id(key: Ed25519PublicKey) -> str:
    """Hex SHA-256 of the raw public key."""
    return sha256(key.public_bytes_raw()).hexdigest()


def _fits(key: Ed25519PublicKey, payload: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, authenticated(PAYLOAD, payload))
    except InvalidSignature:
        return False
    return True


def _parsed(payload: bytes, signer: str) -> Statement:
    try:
        read = json.loads(payload)
        files = tuple(
            Listed(str(it["name"]), str(it["digest"]["sha256"]), int(it["annotations"]["size"]))
            for it in read["subject"]
        )
        if read["_type"] != STATEMENT or not isinstance(read["predicate"], dict):
            raise StatementError("what is signed is no in-toto statement")
        return Statement(payload, str(read["predicateType"]), files, read["predicate"], signer)
    except (ValueError, KeyError, TypeError):
        raise StatementError("what is signed is no in-toto statement") from None
