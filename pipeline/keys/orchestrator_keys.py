"""The orchestrator's signing keys: private halves die after their period, public ones stay.

`<key id>.key` (Ed25519) lies beside `<key id>.pub`, which is for everybody and never taken away:
the ledger's topic is kept for ever, and so is what its signatures are checked with.
"""

from __future__ import annotations

import os
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.crypto import lifetimes

from .key_folder import KeyFileError, KeysById, is_id, publish


class OrchestratorKeys(KeysById[Ed25519PrivateKey]):
    """Ed25519 keys of a folder by id, oldest first; and every public key that was ever in force."""

    def __getitem__(self, named: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.folder[named])

    def current(self, now: datetime) -> str:
        """As `KeyFolder.current`."""
        return self.folder.current(now)

    def public_of(self, named: str) -> Ed25519PublicKey | None:
        """The public half of a key, also of one that died; None if it is not here.

        Raises `KeyFileError` if its file cannot be read.
        """
        path = self.folder.root / f"{named}.pub"
        if not is_id(named) or not path.exists():
            return None
        try:
            return Ed25519PublicKey.from_public_bytes(bytes.fromhex(path.read_text().strip()))
        except (OSError, ValueError):
            raise KeyFileError(f"cannot read the public key {path}") from None

    def create(self, since: datetime) -> str:
        """Make a key that is in force from a moment on; its id. Its public half lies there first:
        nothing is ever signed that nobody can check.
        """
        named, key = lifetimes.id_of(since, os.urandom(4).hex()), Ed25519PrivateKey.generate()
        publish(self.folder.root, named, key.public_key().public_bytes_raw())
        try:
            self.folder.put(named, key.private_bytes_raw())
        except OSError:  # such as a disk without room: nothing was signed with it
            (self.folder.root / f"{named}.pub").unlink()
            raise
        return named

    def destroy(self, named: str) -> None:
        """Take a private half away, as `KeyFolder.destroy` does. The public half stays."""
        self.folder.destroy(named)

    def is_untidy(self) -> bool:
        """As `KeyFolder.is_untidy`."""
        return self.folder.is_untidy()

    def tidy(self) -> None:
        """As `KeyFolder.tidy`."""
        self.folder.tidy()
