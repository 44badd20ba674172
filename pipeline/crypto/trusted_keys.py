"""Public keys that signatures are checked with: how each is named, and since when it is void."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key whose signatures count; what was signed as of `revoked` does not."""

    public: Ed25519PublicKey
    since: datetime | None = None
    """When it came in force; None where nobody wrote it down."""
    until: datetime | None = None
    """When the next one came, or will come, in force."""
    revoked: datetime | None = None

    @property
    def id(self) -> str:
        """As `key_id`."""
        return key_id(self.public)

    def is_named(self, named: str) -> bool:
        """Whether a signature that names its key so may be of this one."""
        return named in {key_id(self.public), former_key_id(self.public)}


def key_id(key: Ed25519PublicKey) -> str:
    """The key id that securesystemslib derives: SHA-256 over the key's metadata as canonical JSON.

    https://github.com/secure-systems-lab/securesystemslib, `SSlibKey.from_crypto`.
    """
    said = {
        "keytype": "ed25519",
        "keyval": {"public": key.public_bytes_raw().hex()},
        "scheme": "ed25519",
    }
    return sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def former_key_id(key: Ed25519PublicKey) -> str:
    """What envelopes of the first releases name a key by: hex SHA-256 of the raw public key."""
    return sha256(key.public_bytes_raw()).hexdigest()
