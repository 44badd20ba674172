"""The way in: who may send what. Signatures, seals and limits are checked before anything is known.

`intakes.toml` in the data folder registers the senders:

    [intakes.web]           # may publish `request_received`
    public_key = "<hex>"    # Ed25519
    level = 2               # how surely its team may vouch for a person, at most

    [consoles.cli]          # may publish decisions
    public_key = "<hex>"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from connectors.sdk.interface import Right
from schemas.codec import Codec, CodecError
from schemas.envelope import SignatureError, disclose, verify
from schemas.events import Event, RequestReceived
from schemas.records import Actor, Person
from schemas.sealed import SealError

AHEAD = timedelta(minutes=5)
SUPPORTED = frozenset({Right.ACCESS, Right.ERASURE})
MAX_IDENTIFIERS = 50
MAX_LENGTH = 1000
"""Of an identifier or a name, in characters."""
KINDS = frozenset({"email", "phone", "user_id"})


class RefusedError(Exception):
    """A record that may not come in. The message is a plain code."""


class IntakesError(Exception):
    """`intakes.toml` cannot be used. The message says where."""


class UnknownKeyError(RefusedError):
    """Sealed to a key that is not here: of somebody else, or dead by now."""

    def __init__(self, event: Event) -> None:
        super().__init__("unknown_key")
        self.event = event


@dataclass(frozen=True, slots=True)
class Sender:
    """An intake or a console, with its public key."""

    key: Ed25519PublicKey
    level: int = 0


@dataclass(frozen=True, slots=True)
class Senders:
    """Everybody who may send."""

    intakes: Mapping[str, Sender]
    consoles: Mapping[str, Sender]


def load(path: Path) -> Senders:
    """The senders in a file; nobody if there is none. Raises `IntakesError`."""
    if not path.exists():
        return Senders({}, {})
    try:
        read = tomllib.loads(path.read_text())
        return Senders(_senders(read.get("intakes", {})), _senders(read.get("consoles", {})))
    except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise IntakesError(f"{path}: {error}") from None


def register(path: Path, section: str, name: str, key: Ed25519PublicKey, level: int = 0) -> None:
    """Add a sender to the file, unless it is there."""
    known = load(path)
    if name in (known.intakes if section == "intakes" else known.consoles):
        return
    lines = [f"\n[{section}.{name}]", f'public_key = "{key.public_bytes_raw().hex()}"']
    if section == "intakes":
        lines.append(f"level = {level}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write("\n".join(lines) + "\n")


class WayIn:
    """Check what comes in on `rights.requests` and `rights.decisions`."""

    def __init__(
        self, codec: Codec, senders: Senders, recipient: Mapping[str, X25519PrivateKey]
    ) -> None:
        self._codec = codec
        self._senders = senders
        self._recipient = recipient

    def request(self, event: RequestReceived, broker_time: datetime) -> Person:
        """Who asks. Raises `RefusedError` with the reason."""
        sender = self._senders.intakes.get(event.intake)
        if sender is None:
            raise RefusedError("unknown_intake")
        _signed(event, sender)
        if event.level > sender.level:
            raise RefusedError("level_above_intake")
        if event.received_at > broker_time + AHEAD:
            raise RefusedError("received_in_the_future")
        if not event.claims or not set(event.claims) <= {str(it) for it in SUPPORTED}:
            raise RefusedError("claims_not_supported")
        person = self._open(event, event.key)
        if not isinstance(person, Person):
            raise RefusedError("does_not_open")
        _bounded(person)
        return person

    def decision(self, event: Event) -> None:
        """Raise `RefusedError` unless a registered console signed it."""
        sender = self._senders.consoles.get(getattr(event, "by", ""))
        if sender is None:
            raise RefusedError("unknown_console")
        _signed(event, sender)
        if not isinstance(self._open(event, getattr(event, "key", "")), Actor):
            raise RefusedError("does_not_open")

    def _open(self, event: Event, key: str) -> object:
        try:
            return disclose(self._codec, event, self._recipient[key])
        except KeyError:
            raise UnknownKeyError(event) from None
        except (SealError, CodecError):
            raise RefusedError("does_not_open") from None


def _signed(event: Event, sender: Sender) -> None:
    try:
        verify(event, sender.key)
    except SignatureError:
        raise RefusedError("bad_signature") from None


def _bounded(person: Person) -> None:
    found = person.identifiers
    if not found or len(found) > MAX_IDENTIFIERS:
        raise RefusedError("identifiers_missing_or_too_many")
    if any(it.kind not in KINDS or not it.value.strip() for it in found):
        raise RefusedError("identifier_of_unknown_kind_or_empty")
    if any(len(it) > MAX_LENGTH for it in (person.name, *(it.value for it in found))):
        raise RefusedError("too_long")


def _senders(read: Mapping[str, Mapping[str, object]]) -> dict[str, Sender]:
    return {
        name: Sender(
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(it["public_key"]))),
            int(str(it.get("level", 0))),
        )
        for name, it in read.items()
    }
