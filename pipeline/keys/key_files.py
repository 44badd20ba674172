"""The keys of the data folder: which folder holds which kind, and how long those live.

keys/wrapping/              wrap the case keys of the register
keys/pipeline/              what intakes seal requests and decisions to (X25519), `.pub` beside
keys/letters/               what dead letters are sealed to (X25519), `.pub` beside
keys/orchestrator/          sign the ledger's topic and reports (Ed25519), `.pub` stays for ever
keys/hosts/<system>/        wrap the grants in orders to that system's host
keys/intakes/<name>.key     signs what comes in (Ed25519): local intakes and consoles
keys/signing/               signs responses and reports (Ed25519), see `answer_keys`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.crypto import lifetimes
from pipeline.crypto.lifetimes import Lifetime
from pipeline.settings import Settings

from .answer_keys import AnswerKeys
from .key_folder import KeyFileError, KeyFolder, KeyPairs, write_secret
from .orchestrator_keys import OrchestratorKeys

WRAPPING, INTAKE, LETTERS, HOST = "wrapping", "intake", "letters", "host"
ORCHESTRATOR, SIGNING = "orchestrator", "signing"
Keys = KeyFolder | KeyPairs | OrchestratorKeys | AnswerKeys


@dataclass(frozen=True, slots=True)
class Kind:
    """The keys of one purpose. `system` is the host's, if they are a host's."""

    purpose: str
    keys: Keys
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

    def orchestrator(self) -> OrchestratorKeys:
        """What the orchestrator signs the ledger's topic and the reports with."""
        return OrchestratorKeys(self.root / "orchestrator")

    def signing(self) -> AnswerKeys:
        """What responses and reports are signed with."""
        return AnswerKeys(self.root)

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
            Kind(ORCHESTRATOR, self.orchestrator(), lifetimes.of_orchestrator(settings)),
            Kind(SIGNING, self.signing(), lifetimes.of_answer_keys(settings)),
            *(Kind(HOST, keys, hosts, system) for system, keys in self.of_hosts().items()),
        ]

    def files(self) -> list[Path]:
        """Every file there is."""
        return [it for it in self.root.rglob("*") if not it.is_dir()]

    def folders(self) -> list[Path]:
        """Every folder there is, this one included."""
        return [it for it in (self.root, *self.root.rglob("*")) if it.is_dir()]

    def public(self) -> frozenset[Path]:
        """The files that are for everybody to read."""
        return frozenset(it for it in self.files() if it.suffix in {".pub", ".pem", ".json"})

    def create(self, now: datetime, systems: Iterable[str]) -> None:
        """Make the first key of every kind that has none, in force at once; finish half-made ones.

        Only for who is alone in making keys here. Raises `DiskError`.
        """
        folders: list[Keys] = [KeyFolder(self.hosts(it)) for it in systems]
        self.signing().adopt()
        ours: list[Keys] = [self.wrapping(), self.pipeline(), self.letters(), self.orchestrator()]
        for keys in (*ours, self.signing(), *folders):
            if keys.is_untidy():
                keys.tidy()
            if not keys:
                keys.create(now)

    def signer(self, name: str) -> Ed25519PrivateKey:
        """The signing key of a local intake or console, made if missing."""
        path = self._signer(name)
        if not path.exists():
            write_secret(path, Ed25519PrivateKey.generate().private_bytes_raw())
        return signer_in(path)

    def copy_signer(self, before: str, name: str) -> None:
        """Give a local signing key to another name too, unless that one has a key."""
        old, new = (self.root / "intakes" / f"{it}.key" for it in (before, name))
        if old.exists() and not new.exists():
            write_secret(new, signer_in(old).private_bytes_raw())

    def require_signer(self, name: str) -> None:
        """Raise `KeyFileError` if that key is not there: one made now would be nobody's."""
        signer_in(self._signer(name))

    def _signer(self, name: str) -> Path:
        return self.root / "intakes" / f"{name}.key"


def signer_in(path: Path) -> Ed25519PrivateKey:
    """The signing key in a file, such as a person's own. Raises `KeyFileError`."""
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError):
        raise KeyFileError(f"cannot read the key file {path}") from None
