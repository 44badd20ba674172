"""The keys that responses and reports are signed with: one after the other, public halves for ever.

keys/signing/<id>.key       private, as in `key_folder`: there while it is in force, or to come
keys/signing/<key id>.pem   public, for whoever checks; stays when the private half is destroyed
keys/signing/keys.json      which there are or were: in force since and until, revoked as of when
keys/signing.pem            the public half of the key that is in force

What lies in `keys.json` is trusted as the folder is: whoever may write there may add a key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from connectors.sdk import wall_clock
from pipeline.crypto import lifetimes
from pipeline.crypto.trusted_keys import TrustedKey, key_id
from pipeline.disk import flush
from pipeline.ports import Signature

from . import answer_key_index
from .answer_key_index import Known
from .key_folder import KeyFileError, KeyFolder, lay_out, shred
from .signer import KeySigner

INDEX = "keys.json"


class AnswerKeys:
    """The signing keys of a `keys` folder. Implements `ports.Signer` with the one in force."""

    def __init__(self, root: Path, clock: Callable[[], datetime] = wall_clock.now) -> None:
        self._root = root
        self._clock = clock
        self.folder = KeyFolder(root / "signing")

    def __repr__(self) -> str:
        return f"<AnswerKeys {self.folder.root}>"

    def __iter__(self) -> Iterator[str]:
        """Ids of the private keys, oldest first."""
        return iter(self.folder)

    def __len__(self) -> int:
        return len(self.folder)

    def __contains__(self, named: object) -> bool:
        return named in self.folder

    @property
    def current_public(self) -> Path:
        """Where the public half of the key in force lies."""
        return self._root / "signing.pem"

    def sign(self, content: bytes) -> Signature:
        """The signature over `content`. Raises `KeyFileError` if no key is in force."""
        return KeySigner(self._private(self.current(self._clock()))).sign(content)

    def current(self, now: datetime) -> str:
        """The id of the key to sign with. Raises `KeyFileError` if there is none."""
        named = self._in_force(now)
        if named is None:
            raise KeyFileError(f"no signing key in {self.folder.root}: start the pipeline once")
        return named

    def create(self, since: datetime) -> str:
        """Make a key that is in force from a moment on; its id."""
        named = self.folder.create(since)
        self._publish(named)
        return named

    def adopt(self) -> None:
        """Take over `signing.key` of the first releases, one key in PEM, which was never turned.

        It is in force since it was made, and `signing.pem` is its public half as before.
        """
        before = self._root / "signing.key"
        if not before.exists():
            return
        try:
            key = load_pem_private_key(before.read_bytes(), password=None)
        except (OSError, ValueError, UnsupportedAlgorithm):
            raise KeyFileError(f"cannot read the key file {before}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{before} is no Ed25519 key")
        public = self.current_public
        if public.exists() and key_id(_public(public)) != key_id(key.public_key()):
            raise KeyFileError(f"{public} is not the public key of {before}")
        known = key_id(key.public_key())
        if known not in {it.key for it in self._index()}:
            made = datetime.fromtimestamp(before.stat().st_mtime, UTC)
            named = lifetimes.id_of(made, known[:8])
            if named not in self.folder:
                self.folder.put(named, key.private_bytes_raw())
            self._publish(named)
        shred(before)
        flush(self._root)

    def destroy(self, named: str) -> None:
        """Take a private key away; its public half stays, to check what it signed."""
        self.folder.destroy(named)

    def named(self, key: str) -> str:
        """The id in the folder of the key with this key id. Raises `KeyFileError`."""
        for it in self._index():
            if it.key == key:
                return it.named
        raise KeyFileError(f"no signing key {key} in {self.folder.root / INDEX}")

    def revoke(self, key: str, as_of: datetime) -> None:
        """Note that what a key signed as of a moment does not count; the earliest moment counts.

        Nothing is signed with it any more, whatever the moment. Raises `KeyFileError` if there is
        no such key.
        """
        named = self.named(key)
        noted = [
            replace(it, revoked=min(as_of, it.revoked or as_of)) if it.named == named else it
            for it in self._index()
        ]
        self._write_index(noted)

    def trusted(self) -> list[TrustedKey]:
        """Every key that ever signed, oldest first. Raises `KeyFileError`."""
        index = self._index()
        ids = [it.named for it in index]
        return [
            TrustedKey(
                public=_public(self._pem(it.key)),
                since=lifetimes.since(it.named),
                until=lifetimes.superseded(ids, it.named),
                revoked=it.revoked,
            )
            for it in index
        ]

    def key_ids(self) -> dict[str, str]:
        """The key id of each key, by its id in the folder."""
        return {it.named: it.key for it in self._index()}

    def follow(self, ours: AnswerKeys) -> None:
        """Become like another folder, for a host that signs elsewhere: private keys come and go."""
        self.folder.tidy()
        for it in sorted(set(ours) - set(self)):
            self.folder.put(it, ours.folder[it])
        for known in ours.key_ids().values():
            lay_out(self._pem(known), ours._pem(known).read_bytes())
        self._write_index(ours._index())
        self._lay_out()
        for it in sorted(set(self) - set(ours)):
            self.folder.destroy(it)

    def is_untidy(self) -> bool:
        """As `KeyFolder.is_untidy`; or a key was not published, or another one is in force now."""
        if self.folder.is_untidy() or set(self) - set(self.key_ids()):
            return True
        current = self._current_pem()
        return current is not None and not _holds(self.current_public, current)

    def tidy(self) -> None:
        """As `KeyFolder.tidy`; and publish what a process that died, or nobody yet, did not."""
        for it in sorted(set(self) - set(self.key_ids())):
            self._publish(it)
        self._lay_out()
        self.folder.tidy()

    def _in_force(self, now: datetime) -> str | None:
        revoked = {it.named for it in self._index() if it.revoked is not None}
        return lifetimes.in_force([it for it in self if it not in revoked], now)

    def _private(self, named: str) -> Ed25519PrivateKey:
        try:
            return Ed25519PrivateKey.from_private_bytes(self.folder[named])
        except KeyError:
            raise KeyFileError(f"the signing key {named} was destroyed meanwhile") from None

    def _publish(self, named: str) -> None:
        """Lay the public half out, then note it; `signing.pem` is the one in force."""
        public = self._private(named).public_key()
        known = key_id(public)
        lay_out(self._pem(known), _in_pem(public))
        index = [it for it in self._index() if it.named != named]
        self._write_index(sorted([*index, Known(named, known)], key=lambda it: it.named))
        self._lay_out()

    def _lay_out(self) -> None:
        """Have `signing.pem` be the public half of the key that is in force."""
        current = self._current_pem()
        if current is not None and not _holds(self.current_public, current):
            lay_out(self.current_public, current)

    def _current_pem(self) -> bytes | None:
        named = self._in_force(self._clock())
        known = self.key_ids()
        return self._pem(known[named]).read_bytes() if named in known else None

    def _pem(self, known: str) -> Path:
        return self.folder.root / f"{known}.pem"

    def _index(self) -> list[Known]:
        return answer_key_index.read(self.folder.root / INDEX)

    def _write_index(self, index: list[Known]) -> None:
        answer_key_index.write(self.folder.root / INDEX, index)


def _holds(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def _in_pem(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        raise KeyFileError(f"cannot read the public key {path}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path} is no Ed25519 key")
    return key
