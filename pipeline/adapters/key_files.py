"""Keys that lie in files of the data folder: made when first needed, readable by their owner only.

keys/wrapping/<id>.key      wraps the case keys of the register; the newest wraps new ones
keys/pipeline/<id>.key      what intakes seal to (X25519); `.pub` beside it is public
keys/intakes/<name>.key     signs what comes in (Ed25519): local intakes and consoles
keys/hosts/<system>/        each host's own, see `host_keys`
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey


class KeyFileError(Exception):
    """A key file that is missing or unreadable. The message names it."""


class KeyFiles:
    """The `keys` folder. `create` makes what is missing; otherwise a missing key is an error."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self) -> None:
        """Make the wrapping and the pipeline key if there is none yet."""
        if not self._ids("wrapping"):
            self._write("wrapping", os.urandom(32))
        if not self._ids("pipeline"):
            private = X25519PrivateKey.generate()
            named = self._write("pipeline", private.private_bytes_raw())
            self.publish(named, private.public_key())

    def wrapping(self) -> dict[str, bytes]:
        """Every wrapping key by id; the last is the newest. Raises `KeyFileError`."""
        return self._all("wrapping")

    def pipeline(self) -> dict[str, X25519PrivateKey]:
        """Every key that intakes may have sealed to, by id; the last is the newest."""
        found = self._all("pipeline")
        return {it: X25519PrivateKey.from_private_bytes(raw) for it, raw in found.items()}

    def pipeline_public(self) -> tuple[str, X25519PublicKey]:
        """Id and key that intakes seal to now. Raises `KeyFileError`."""
        found = sorted((self.root / "pipeline").glob("*.pub"))
        if not found:
            raise KeyFileError(f"no pipeline key in {self.root}: start the pipeline once")
        raw = bytes.fromhex(found[-1].read_text().strip())
        return found[-1].stem, X25519PublicKey.from_public_bytes(raw)

    def publish(self, named: str, public: X25519PublicKey) -> str:
        """Lay the pipeline's public key where intakes and hosts find it; its id."""
        folder = self.root / "pipeline"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{named}.pub").write_text(public.public_bytes_raw().hex() + "\n")
        return named

    def signer(self, name: str) -> Ed25519PrivateKey:
        """The signing key of a local intake or console, made if missing."""
        path = self.root / "intakes" / f"{name}.key"
        if not path.exists():
            write_secret(path, Ed25519PrivateKey.generate().private_bytes_raw())
        return Ed25519PrivateKey.from_private_bytes(_read(path))

    def hosts(self, system: str) -> Path:
        """The folder of a host's own keys."""
        return self.root / "hosts" / system

    def _all(self, purpose: str) -> dict[str, bytes]:
        found = {it: _read(self.root / purpose / f"{it}.key") for it in self._ids(purpose)}
        if not found:
            raise KeyFileError(f"no {purpose} key in {self.root}: start the pipeline once")
        return found

    def _ids(self, purpose: str) -> list[str]:
        return sorted(it.stem for it in (self.root / purpose).glob("*.key"))

    def _write(self, purpose: str, raw: bytes) -> str:
        named = f"{len(self._ids(purpose)) + 1:06d}-{os.urandom(4).hex()}"
        write_secret(self.root / purpose / f"{named}.key", raw)
        return named


def signer_in(path: Path) -> Ed25519PrivateKey:
    """The signing key in a person's own file. Raises `KeyFileError`."""
    try:
        return Ed25519PrivateKey.from_private_bytes(_read(path))
    except ValueError:
        raise KeyFileError(f"{path} holds no signing key") from None


def write_secret(path: Path, raw: bytes) -> None:
    """Write a key as hex, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(raw.hex() + "\n")


def _read(path: Path) -> bytes:
    try:
        return bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        raise KeyFileError(f"cannot read the key file {path}") from None
