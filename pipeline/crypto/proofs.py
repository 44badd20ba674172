"""Who says a record: a proof by those who hold an order's grant, a signature by the orchestrator.

Both are over the record as it lies on the topic, so that it is known who says it before anything of
it is decoded. They travel in headers: what the value holds, and how, is no stranger's business.

    habeas-proof: 1 <system> <order> <event> <HMAC-SHA256, hex>
    habeas-signature: 1 <key id> <Ed25519 signature, hex>

A proof's key is HKDF-SHA256(record grant, info = `habeas/proof/1/<case>/<order>/<system>/<event>`):
who may speak for one system, order or kind of event can make none for another.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from .grants import Grant

PROOF, SIGNATURE = "habeas-proof", "habeas-signature"
UNSIGNED = "unsigned"
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PROOF = re.compile(
    rf"1 (?P<system>[A-Za-z0-9._-]{{1,64}}) (?P<order>{_UUID}) (?P<event>[a-z_]{{1,64}})"
    r" (?P<mac>[0-9a-f]{64})"
)
_SIGNATURE = re.compile(r"1 (?P<key>[0-9A-Za-z._-]{1,64}) (?P<signature>[0-9a-f]{128})")


class NotProvedError(Exception):
    """A record that nobody who may say it has said. The message is a plain code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What a proof is for: one kind of event about one order. Nothing else can be said with it."""

    case: UUID
    order: UUID
    system: str
    event: str
    """The event's name, without its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A proof as it stands in its header, before it is checked."""

    slot: Slot
    mac: bytes


class PublicKeys(Protocol):
    """The public keys that were ever in force, by id."""

    def public_of(self, named: str) -> Ed25519PublicKey | None:
        """The key, or None if it is not here."""


def proof(grant: Grant, slot: Slot, *said: bytes) -> bytes:
    """The header's value: a proof over `said`, each part of it where it stands."""
    mac = _mac(grant, slot, said).hex()
    return f"1 {slot.system} {slot.order} {slot.event} {mac}".encode()


def claimed(header: str, case: UUID) -> Claim:
    """What a header claims to prove of a case. Raises `NotProvedError`."""
    found = _PROOF.fullmatch(header)
    if found is None:
        raise NotProvedError("no_proof" if not header else "malformed_proof")
    slot = Slot(
        case=case,
        order=UUID(found["order"]),
        system=found["system"],
        event=found["event"],
    )
    return Claim(slot=slot, mac=bytes.fromhex(found["mac"]))


def check(claim: Claim, grant: Grant, *said: bytes) -> Slot:
    """The slot, if who knows `grant` said exactly this in it. Raises `NotProvedError`."""
    if not hmac.compare_digest(claim.mac, _mac(grant, claim.slot, said)):
        raise NotProvedError("wrong_proof")
    return claim.slot


def signature(named: str, key: Ed25519PrivateKey, *said: bytes) -> bytes:
    """The header's value: a signature over `said` by the key of this id."""
    return f"1 {named} {key.sign(_signed(said)).hex()}".encode()


def check_signature(header: str, keys: PublicKeys, *said: bytes) -> None:
    """Raise `NotProvedError` unless one of these keys signed exactly this.

    Its code is `unsigned`, `unknown_key:<id>` or `wrong_signature`.
    """
    if not header:
        raise NotProvedError(UNSIGNED)
    found = _SIGNATURE.fullmatch(header)
    if found is None:
        raise NotProvedError("wrong_signature")
    key = keys.public_of(found["key"])
    if key is None:
        raise NotProvedError(f"unknown_key:{found['key']}")
    try:
        key.verify(bytes.fromhex(found["signature"]), _signed(said))
    except InvalidSignature:
        raise NotProvedError("wrong_signature") from None


def _mac(grant: Grant, slot: Slot, said: tuple[bytes, ...]) -> bytes:
    info = f"habeas/proof/1/{slot.case}/{slot.order}/{slot.system}/{slot.event}"
    key = HKDFExpand(SHA256(), length=32, info=info.encode()).derive(grant.key)
    return hmac.digest(key, _framed(said), sha256)


def _signed(said: tuple[bytes, ...]) -> bytes:
    return b"habeas/signature/1\0" + _framed(said)


def _framed(said: tuple[bytes, ...]) -> bytes:
    """Parts in a row, each behind its length: no two rows of parts give the same bytes."""
    return b"".join(len(it).to_bytes(8) + it for it in said)
