"""Is a record from who may say it? Asked before its version, its value or anything else is read."""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.crypto import proofs
from pipeline.crypto.grants import HEADER as GRANTS
from pipeline.crypto.grants import Grant
from pipeline.crypto.proofs import Claim, NotProvedError, PublicKeys, Slot

from . import wire
from .incoming import Incoming
from .wire import Record

UNKNOWN = "unknown"
_SENDER = re.compile(r"/habeas/(?P<name>[a-z0-9._-]{1,32}(?:/[A-Za-z0-9._-]{1,64})?)")


def case_of(record: Incoming) -> UUID | None:
    """The case that a record's key names, as we write it; None if it names none."""
    try:
        text = (record.key or b"").decode()
        case = UUID(text)
    except ValueError:
        return None
    return case if str(case) == text else None


def claimed_sender(record: Incoming) -> str:
    """Who a record says sent it: never believed, only counted by. Short, and plain letters."""
    found = _SENDER.fullmatch(wire.read(record.headers).get("ce_source", ""))
    return UNKNOWN if found is None else found["name"]


def proved(record: Record, grant: Grant, slot: Slot) -> Record:
    """The record with a proof that who says it in this slot holds the order's record grant."""
    header = proofs.proof(grant, slot, *_said(record.headers, record.value))
    return replace(record, headers=(*record.headers, (proofs.PROOF, header)))


def claim_of(record: Incoming) -> Claim:
    """What a record claims to be: of which case, order, system, event. Raises `NotProvedError`."""
    case = case_of(record)
    if case is None:
        raise NotProvedError("key_is_no_case")
    return proofs.claimed(wire.read(record.headers).get(proofs.PROOF, ""), case)


def check_proof(record: Incoming, claim: Claim, grant: Grant) -> Slot:
    """What is proved by a record's claim. Raises `NotProvedError`."""
    return proofs.check(claim, grant, *_said(record.headers, record.value))


def signed(record: Record, named: str, key: Ed25519PrivateKey) -> Record:
    """The record with the orchestrator's signature over all of it that is read."""
    said = (record.topic.encode(), record.key, *_said(record.headers, record.value))
    header = proofs.signature(named, key, *said)
    return replace(record, headers=(*record.headers, (proofs.SIGNATURE, header)))


def check_signature(record: Incoming, keys: PublicKeys) -> None:
    """Raise `NotProvedError` unless an orchestrator signed this record for this topic."""
    said = (record.topic.encode(), record.key or b"", *_said(record.headers, record.value))
    header = wire.read(record.headers).get(proofs.SIGNATURE, "")
    proofs.check_signature(header, keys, *said)


def _said(headers: tuple[tuple[str, bytes], ...], value: bytes | None) -> tuple[bytes, ...]:
    """What a record says: its event id and type, the grants it brings, its value."""
    told = dict(headers)
    found = (told.get(name) or b"" for name in ("ce_id", "ce_type", GRANTS))
    return (*found, value or b"")
