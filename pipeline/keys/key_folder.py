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
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pipeline import disk
from pipeline.crypto import lifetimes
from pipeline.faults import crash
from pipeline.modes import make_folder

Key = TypeVar("Key")
BYTES = 32
KEYS = "keys"
"""What errors call the store."""
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
        """Write a key, at once: somebody may be reading the folder. Raises `DiskError`."""
        write_secret(self._path(named), raw)

    def destroy(self, named: str) -> None:
        """Overwrite a key and take it away; gone from the folder on the disk afterwards."""
        going = self.root / f".{named}"
        with disk.writing(KEYS, self.root):
            self._path(named).rename(going)
            crash.passing("keys.in-destroy")
            shred(going)
            disk.flush(self.root)

    def is_untidy(self) -> bool:
        """Whether a process that died left something half made or half destroyed."""
        return any(self._drafts())

    def tidy(self) -> None:
        """Take that away. Only for who is alone in making and destroying keys here."""
        with disk.writing(KEYS, self.root):
            for it in list(self._drafts()):
                shred(it)
                disk.flush(self.root)

    def _drafts(self) -> Iterator[Path]:
        return self.root.glob(".[0-9]*")

    def _path(self, named: str) -> Path:
        return self.root / f"{named}.key"


class KeysById(Mapping[str, Key]):
    """A folder's keys of one algorithm, by id, oldest first."""

    def __init__(self, root: Path) -> None:
        self.folder = KeyFolder(root)

    def __iter__(self) -> Iterator[str]:
        return iter(self.folder)

    def __len__(self) -> int:
        return len(self.folder)


class KeyPairs(KeysById[X25519PrivateKey]):
    """X25519 keys of a folder by id: beside each lies `<id>.pub`, which is for everybody."""

    def __getitem__(self, named: str) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.folder[named])

    def create(self, since: datetime) -> str:
        """Make a pair that is in force from a moment on; its id."""
        named = self.folder.create(since)
        self.publish(named, self[named].public_key())
        return named

    def publish(self, named: str, public: X25519PublicKey) -> None:
        """Lay a public key where intakes and hosts find it."""
        publish(self.folder.root, named, public.public_bytes_raw())

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


def is_id(named: str) -> bool:
    """Whether this may be a key's id, and so a file's name: it may be a stranger's word."""
    return bool(_ID.fullmatch(named))


def publish(root: Path, named: str, raw: bytes) -> None:
    """Lay a public key as `<key id>.pub` into a folder: whole, or not at all."""
    lay_out(root / f"{named}.pub", f"{raw.hex()}\n".encode())


def lay_out(path: Path, content: bytes) -> None:
    """Write a file for everybody, whole or not at all. Raises `DiskError`."""
    with disk.writing(KEYS, path.parent):
        make_folder(path.parent)
        disk.write(path, content, mode=0o644)


def write_secret(path: Path, raw: bytes) -> None:
    """Write a key as hex, readable by its owner only: whole, or not at all.

    Raises `DiskError`; `FileExistsError` if there is one of that name.
    """
    with disk.writing(KEYS, path.parent):
        if not path.parent.exists():
            make_folder(path.parent)
            disk.flush(path.parent.parent)
        disk.write(path, f"{raw.hex()}\n".encode(), again=False)


def shred(path: Path) -> None:
    """Overwrite a file and take it away."""
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
