"""Sign with an Ed25519 key that lies in a file."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from .key_folder import KeyFileError


class FileSigner:
    """Signs with the key in `private` (PEM, PKCS 8), made if missing, its owner's alone.

    The public key lies in `public` (PEM), for anybody. Raises `KeyFileError` if the two are not
    of one pair, or the key cannot be read.
    """

    def __init__(self, private: Path, public: Path) -> None:
        if not private.exists():
            _create(private)
        self._key = _load(private)
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if not public.exists():
            _place(public, pem, 0o644)
        if public.read_bytes() != pem:
            raise KeyFileError(f"{public} is not the public key of {private}")

    @property
    def key_id(self) -> str:
        """Hex SHA-256 of the raw public key."""
        return sha256(self._key.public_key().public_bytes_raw()).hexdigest()

    def sign(self, content: bytes) -> bytes:
        """The Ed25519 signature over `content`."""
        return self._key.sign(content)


def _create(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    _place(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)


def _place(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole, unless another process was first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError):
        raise KeyFileError(f"cannot read the key file {path}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} is no Ed25519 key")
    return key
