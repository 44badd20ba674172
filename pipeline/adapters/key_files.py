"""The keys of the data folder: which folder holds which kind, and how long those live.

keys/wrapping/              wrap the case keys of the register
keys/pipeline/              what intakes seal requests and decisions to (X25519), `.pub` beside
keys/letters/               what dead letters are sealed to (X25519), `.pub` beside
keys/hosts/<system>/        wrap the grants in orders to that system's host
keys/intakes/<name>.key     signs what comes in (Ed25519): local intakes and consoles
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline import lifetimes
from pipeline.lifetimes import Lifetime
from pipeline.settings import Settings

from .key_folder import KeyFileError, KeyFolder, KeyPairs, write_secret

WRAPPING, INTAKE, LETTERS, HOST = "wrapping", "intake", "letters", "host"


@dataclass(frozen=True, slots=True)
class Kind:
    """The keys of one purpose. `system` is the host's, if they are a host's."""

    purpose: str
    keys: KeyFolder | KeyPairs
    lifetime: Lifetime
    system: str = ""


class KeyFiles:
    """The `keys` folder. Nothing is made but by `create` and `signer`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def wrapping(self) -> KeyFolder:
        """What wraps the case keys."""
        return KeyFolder(self.root / "wrapping")

    def pipeline(self) -> KeyPairs:
        """What intakes and consoles seal to."""
        return KeyPairs(self.root / "pipeline")

    def letters(self) -> KeyPairs:
        """What dead letters are sealed to."""
        return KeyPairs(self.root / "letters")

    def hosts(self, system: str) -> Path:
        """The folder of a host's own keys."""
        return self.root / "hosts" / system

    def of_hosts(self) -> Mapping[str, KeyFolder]:
        """The keys of every host there is, or was, by system."""
        folders = sorted(it for it in (self.root / "hosts").glob("*") if it.is_dir())
        return {it.name: KeyFolder(it) for it in folders}

    def kinds(self, settings: Settings) -> list[Kind]:
        """Everything that turns."""
        hosts = lifetimes.of_hosts(settings)
        return [
            Kind(WRAPPING, self.wrapping(), lifetimes.of_wrapping(settings)),
            Kind(INTAKE, self.pipeline(), lifetimes.of_intakes(settings)),
            Kind(LETTERS, self.letters(), lifetimes.of_letters(settings)),
            *(Kind(HOST, keys, hosts, system) for system, keys in self.of_hosts().items()),
        ]

    def create(self, now: datetime, systems: Iterable[str]) -> None:
        """Make the first key of every kind that has none; in force at once."""
        folders: list[KeyFolder | KeyPairs] = [KeyFolder(self.hosts(it)) for it in systems]
        for keys in (self.wrapping(), self.pipeline(), self.letters(), *folders):
            if not keys:
                keys.create(now)

    def signer(self, name: str) -> Ed25519PrivateKey:
        """The signing key of a local intake or console, made if missing."""
        path = self.root / "intakes" / f"{name}.key"
        if not path.exists():
            write_secret(path, Ed25519PrivateKey.generate().private_bytes_raw())
        return signer_in(path)


def signer_in(path: Path) -> Ed25519PrivateKey:
    """The signing key in a file, such as a person's own. Raises `KeyFileError`."""
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError):
        raise KeyFileError(f"cannot read the key file {path}") from None
