"""Sign with an Ed25519 key that is in memory."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.crypto.trusted_keys import key_id
from pipeline.ports import Signature


class KeySigner:
    """Implements `ports.Signer` with one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self.public = key.public_key()
        self.key_id = key_id(self.public)
        self._key = key

    def sign(self, content: bytes) -> Signature:
        """The signature over `content`."""
        return Signature(self.key_id, self._key.sign(content))
