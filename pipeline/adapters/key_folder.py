"""Keys of one kind in a folder: one file each, `<key id>.key`, that its owner alone can read.

A file appears whole and on the disk, or not at all; one that goes is overwritten first, and the
folder is on the disk without it when `destroy` returns. Ids are as in `lifetimes`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pipeline import crash, lifetimes

BYTES = 32
_ID = re.compile("[0-9A-Za-z_-][0-9A-Za-z._-]{0,63}")


class KeyFileError(Exception):
    """A key file that is missing or unreadable. The message names it."""


class KeyFolder(Mapping[str, bytes]):
    """The keys of a folder by id, oldest first, as they lie there now: nothing is remembered."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"<KeyFolder {self.root}>"

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(it.stem for it in self.root.glob("[!.]*.key")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, named: object) -> bool:
        return isinstance(named, str) and bool(_ID.fullmatch(named)) and self._path(named).exists()

    def __getitem__(self, named: str) -> bytes:
        """A key's bytes. Raises `KeyError` if there is no such key, else `KeyFileError`."""
        if not _ID.fullmatch(named):  # it may be a stranger's word
            raise KeyError(named)
        path = self._path(named)
        try:
            with open(path, encoding="ascii") as file:  # noqa: PTH123  for every order: half the time
                raw = bytes.fromhex(file.read().strip())
        except FileNotFoundError:
            raise KeyError(named) from None
        except (OSError, ValueError):
            raise KeyFileError(f"cannot read the key file {path}") from None
        if len(raw) != BYTES:
            raise KeyFileError(f"the key file {path} does not hold {BYTES} bytes")
        return raw

    def current(self, now: datetime) -> str:
        """The id of the key to lock with. Raises `KeyFileError` if there is none."""
        named = lifetimes.in_force(list(self), now)
        if named is None:
            raise KeyFileError(f"no key in {self.root}: start the pipeline once")
        return named

    def create(self, since: datetime) -> str:
        """Make a key that is in force from a moment on; its id."""
        named = lifetimes.id_of(since, os.urandom(4).hex())
        self.put(named, os.urandom(BYTES))
        return named

    def put(self, named: str, raw: bytes) -> None:
        """Write a key, at once: somebody may be reading the folder."""
        draft = self.root / f".{named}"
        write_secret(draft, raw)
        draft.rename(self._path(named))
        flush(self.root)

    def destroy(self, named: str) -> None:
        """Overwrite a key and take it away; gone from the folder on the disk afterwards."""
        going = self.root / f".{named}"
        self._path(named).rename(going)
        crash.passing("keys.in-destroy")
        _shred(going)
        flush(self.root)

    def is_untidy(self) -> bool:
        """Whether a process that died left something half made or half destroyed."""
        return any(self._drafts())

    def tidy(self) -> None:
        """Take that away. Only for who is alone in making and destroying keys here."""
        for it in list(self._drafts()):
            _shred(it)
            flush(self.root)

    def _drafts(self) -> Iterator[Path]:
        return self.root.glob(".[0-9]*")

    def _path(self, named: str) -> Path:
        return self.root / f"{named}.key"


class KeyPairs(Mapping[str, X25519PrivateKey]):
    """X25519 keys of a folder by id: beside each lies `<id>.pub`, which is for everybody."""

    def __init__(self, root: Path) -> None:
        self.folder = KeyFolder(root)

    def __iter__(self) -> Iterator[str]:
        return iter(self.folder)

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, named: str) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.folder[named])

    def create(self, since: datetime) -> str:
        """Make a pair that is in force from a moment on; its id."""
        named = self.folder.create(since)
        self.publish(named, self[named].public_key())
        return named

    def publish(self, named: str, public: X25519PublicKey) -> None:
        """Lay a public key where intakes and hosts find it."""
        self.folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self.folder.root / f".{named}.pub"
        draft.write_text(public.public_bytes_raw().hex() + "\n")
        draft.rename(self._path(named))

    def published(self) -> list[str]:
        """Ids of the public keys that lie here, oldest first."""
        return sorted(it.stem for it in self.folder.root.glob("[!.]*.pub"))

    def public(self, now: datetime) -> tuple[str, X25519PublicKey]:
        """Id and key to seal to now. Raises `KeyFileError`."""
        named = lifetimes.in_force(self.published(), now)
        if named is None:
            raise KeyFileError(f"no public key in {self.folder.root}: start the pipeline once")
        return named, self._public(named)

    def every_public(self) -> Iterator[tuple[str, X25519PublicKey]]:
        """Every public key that lies here, oldest first."""
        return ((it, self._public(it)) for it in self.published())

    def withdraw(self, named: str) -> None:
        """Take a public key away."""
        self._path(named).unlink(missing_ok=True)

    def destroy(self, named: str) -> None:
        """Take a pair away, as `KeyFolder.destroy` does."""
        self.withdraw(named)
        self.folder.destroy(named)

    def current(self, now: datetime) -> str:
        """As `KeyFolder.current`."""
        return self.folder.current(now)

    def is_untidy(self) -> bool:
        """As `KeyFolder.is_untidy`; or something was not published."""
        return self.folder.is_untidy() or set(self) != set(self.published())

    def tidy(self) -> None:
        """As `KeyFolder.tidy`; and publish what a process that died did not."""
        for it in set(self.published()) - set(self):
            self.withdraw(it)
        for it in set(self) - set(self.published()):
            self.publish(it, self[it].public_key())
        self.folder.tidy()

    def _path(self, named: str) -> Path:
        return self.folder.root / f"{named}.pub"

    def _public(self, named: str) -> X25519PublicKey:
        path = self._path(named)
        try:
            return X25519PublicKey.from_public_bytes(bytes.fromhex(path.read_text().strip()))
        except (OSError, ValueError):
            raise KeyFileError(f"cannot read the public key {path}") from None


def write_secret(path: Path, raw: bytes) -> None:
    """Write a key as hex, readable by its owner only, and have it on the disk."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flush(path.parent.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(raw.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    flush(path.parent)


def flush(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _shred(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
