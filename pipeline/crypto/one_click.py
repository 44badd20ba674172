"""The token of a link that ends mail with one click (RFC 8058): whose mail, and of which purpose.

It is encrypted and authenticated (AES-SIV, RFC 5297) under a key of the intake that will say so,
and the same for the same address and purpose: nothing is stored, and nobody who has one can make
another one.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_INFO = b"habeas/one-click/1"
LONGEST = 2000
"""Characters of a token."""


def key_of(signer: Ed25519PrivateKey) -> bytes:
    """What an intake's tokens are made with."""
    raw = signer.private_bytes_raw()
    return HKDF(SHA256(), length=64, salt=None, info=_INFO).derive(raw)


def token(key: bytes, purpose: str, email: str) -> str:
    """The token of an address and a purpose."""
    sealed = AESSIV(key).encrypt(orjson.dumps([purpose, email]), [_INFO])
    return urlsafe_b64encode(sealed).decode().rstrip("=")


def opened(key: bytes, said: str) -> tuple[str, str] | None:
    """The purpose and the address of a token; None if it is none of ours."""
    if len(said) > LONGEST or not said.isascii():
        return None
    try:
        sealed = urlsafe_b64decode(said + "=" * (-len(said) % 4))
        purpose, email = orjson.loads(AESSIV(key).decrypt(sealed, [_INFO]))
    except (InvalidTag, ValueError, TypeError):
        return None
    if token(key, purpose, email) != said:  # base64 has several spellings of the same bytes
        return None
    return str(purpose), str(email)
