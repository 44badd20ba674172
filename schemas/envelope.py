"""The way in: an event sealed to the pipeline (HPKE) and signed by who sends it (Ed25519).

RFC 9180 base mode, X25519, HKDF-SHA256, AES-256-GCM; `info` is the encoded fields before `sealed`;
`sealed` is the encapsulated key followed by the ciphertext. RFC 8032 for the signature, over every
encoded field before `signature`. The recipe for other languages is in `README.md` beside this file.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from .codec import Codec, before_sealed, before_signature, versions
from .events import Event
from .sealed import SealError

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

E = TypeVar("E", bound=Event)


class SignatureError(Exception):
    """A signature that is not of the named key over these bytes."""


def enclose(
    codec: Codec, event: E, content: Any, recipient: X25519PublicKey, signer: Ed25519PrivateKey
) -> E:
    """The event with `content` (its `SEALS` class) sealed to `recipient`, and signed."""
    plaintext = codec.encode_sealed(type(event), content)
    sealed = SUITE.encrypt(plaintext, recipient, info=before_sealed(event))
    event = replace(event, sealed=sealed)  # type: ignore[call-arg]
    return replace(event, signature=signer.sign(before_signature(event)))  # type: ignore[call-arg]


def verify(event: Event, sender: Ed25519PublicKey) -> None:
    """Raise `SignatureError` unless `sender` signed exactly this event."""
    signature: bytes = event.signature  # type: ignore[attr-defined]
    for version in versions(event):
        with suppress(InvalidSignature):
            return sender.verify(signature, before_signature(event, version))
    raise SignatureError("the signature is not of this sender over this event")


def disclose(codec: Codec, event: Event, recipient: X25519PrivateKey) -> Any:
    """What is sealed in an enclosed event. Raises `SealError` if it is not for this key."""
    sealed: bytes = event.sealed  # type: ignore[attr-defined]
    plaintext = _opened(event, sealed, recipient)
    return codec.decode_sealed(type(event), plaintext)


def _opened(event: Event, sealed: bytes, recipient: X25519PrivateKey) -> bytes:
    for version in versions(event):
        with suppress(InvalidTag, ValueError):
            return SUITE.decrypt(sealed, recipient, info=before_sealed(event, version))
    raise SealError("does not open under the pipeline's key")
