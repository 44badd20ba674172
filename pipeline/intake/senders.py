"""Who may send requests and decisions, and with which keys at which time.

`intakes.toml` in the data folder registers the senders:

    [intakes.web]               # may publish `request_received`
    public_key = "<hex>"        # Ed25519
    level = 2                   # how surely its team may vouch for a person, at most
    vouches_for = ["email"]     # for which kinds of identifiers; without it all but `user_id`

    [intakes.one-click]         # publishes `preference_received` that says one of these, no more
    public_key = "<hex>"
    level = 2
    says = ["objected", "withdrawn"]

    [consoles.ann]              # may publish decisions
    public_key = "<hex>"
    roles = ["reviewer"]        # which ones: `roles.py`
    level = 2                   # of `identity_proved`, at most
    revoked_at = 2026-11-29T12:00:00Z

    [intakes.shop]              # a sender whose key turns has several
    level = 1
    [[intakes.shop.keys]]
    public_key = "<hex>"
    revoked_at = 2026-12-01T00:00:00Z
    [[intakes.shop.keys]]
    public_key = "<hex>"
    valid_from = 2026-11-28T00:00:00Z
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipeline.policy.preferences import SAYS
from pipeline.stages.plan import POLICY

from .roles import Role

KINDS = frozenset({"email", "phone", "user_id"})
"""Of identifiers."""
VOUCHED = KINDS - {"user_id"}
"""What an intake vouches for that does not say it: a user id takes a session that is logged in."""
EARLIER_ROLES, EARLIER_LEVEL = frozenset({Role.DPO}), 2
"""Of a console without `roles`: what consoles could do before there were any."""
INTAKES, CONSOLES = "intakes", "consoles"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MALFORMED = (KeyError, ValueError, TypeError, AttributeError)
_OF_KEY = frozenset({"public_key", "valid_from", "revoked_at"})
_OF_SENDER = {
    INTAKES: _OF_KEY | {"level", "keys", "vouches_for", "says"},
    CONSOLES: _OF_KEY | {"level", "keys", "roles"},
}


class IntakesError(Exception):
    """`intakes.toml` cannot be used. The message says where."""


@dataclass(frozen=True, slots=True)
class SenderKey:
    """A public key, from when on (None: always) and until when (None: no end) it is believed."""

    public: Ed25519PublicKey
    valid_from: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def raw(self) -> bytes:
        """Its 32 bytes."""
        return self.public.public_bytes_raw()

    def is_early(self, at: datetime) -> bool:
        """Whether it is not yet in force."""
        return self.valid_from is not None and at < self.valid_from

    def is_revoked(self, at: datetime) -> bool:
        """Whether it is revoked by then."""
        return self.revoked_at is not None and at >= self.revoked_at


@dataclass(frozen=True, slots=True)
class Sender:
    """An intake or a console."""

    keys: tuple[SenderKey, ...]
    level: int = 0
    vouches_for: frozenset[str] = VOUCHED
    """Of an intake: the kinds of identifiers."""
    says: frozenset[str] | None = None
    """Of an intake: what its preferences may say, and then it publishes nothing else."""
    roles: frozenset[Role] = frozenset()
    """Of a console."""

    def shares_key(self, other: Sender) -> bool:
        """Whether both are the same person, as far as a key tells; revoked ones tell it too."""
        return not {key.raw for key in self.keys}.isdisjoint(key.raw for key in other.keys)


@dataclass(frozen=True, slots=True)
class Senders:
    """Everybody who may send."""

    intakes: Mapping[str, Sender]
    consoles: Mapping[str, Sender]

    def is_of_intake(self, console: str, intake: str) -> bool:
        """Whether a console is that of an intake: by its name, or by a key."""
        one, other = self.consoles.get(console), self.intakes.get(intake)
        return console == intake or bool(one and other and one.shares_key(other))


def load(path: Path) -> Senders:
    """The senders in a file; nobody if there is none. Raises `IntakesError`."""
    try:
        return parse(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError:
        return Senders({}, {})
    except (OSError, UnicodeError) as error:
        raise IntakesError(f"{path}: {error}") from None


def parse(text: str, path: Path) -> Senders:
    """The senders in the text of a file. Raises `IntakesError`, which names its path."""
    try:
        read = tomllib.loads(text)
        _refuse_unknown(read, {INTAKES, CONSOLES}, "the file")
        return Senders(*(_section(read.get(it, {}), it) for it in (INTAKES, CONSOLES)))
    except (*_MALFORMED, RecursionError) as error:
        raise IntakesError(f"{path}: {_said(error)}") from None


def _section(read: Mapping[str, Mapping[str, Any]], section: str) -> dict[str, Sender]:
    found = {}
    for name, told in read.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name: letters, digits, - and _, at most 64")
        try:
            found[name] = _sender(told, section)
        except _MALFORMED as error:
            raise ValueError(f"[{section}.{name}]: {_said(error)}") from None
    if POLICY in found and section == CONSOLES:
        raise ValueError(f"[consoles.{POLICY}]: a plan that nobody approved is approved by that")
    return found


def _sender(told: Mapping[str, Any], section: str) -> Sender:
    _refuse_unknown(told, _OF_SENDER[section], "it")  # a typing error must not leave a key in force
    is_earlier = section == CONSOLES and "roles" not in told
    level = int(str(told.get("level", EARLIER_LEVEL if is_earlier else 0)))
    if level < 0:
        raise ValueError("level is below 0")
    roles = EARLIER_ROLES if is_earlier else {Role(it) for it in _texts(told, "roles", ())}
    kinds = frozenset(_texts(told, "vouches_for", VOUCHED))
    _refuse_unknown(kinds, KINDS, "vouches_for")
    says = frozenset(_texts(told, "says", SAYS))
    _refuse_unknown(says, SAYS, "says")
    return Sender(_keys(told), level, kinds, says if "says" in told else None, frozenset(roles))


def _keys(told: Mapping[str, Any]) -> tuple[SenderKey, ...]:
    """A sender's keys; what is said beside them holds for each."""
    if "keys" not in told:
        return (_key(told),)
    if "public_key" in told or not told["keys"]:
        raise ValueError("it takes either public_key or [[keys]], which have one each")
    found = []
    for key in told["keys"]:
        _refuse_unknown(key, _OF_KEY, "keys")
        starts = [at for of in (told, key) if (at := _moment(of, "valid_from"))]
        ends = [at for of in (told, key) if (at := _moment(of, "revoked_at"))]
        public = _key(key).public
        found.append(SenderKey(public, max(starts, default=None), min(ends, default=None)))
    return tuple(found)


def _key(told: Mapping[str, Any]) -> SenderKey:
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(told["public_key"]))
    return SenderKey(public, _moment(told, "valid_from"), _moment(told, "revoked_at"))


def _moment(told: Mapping[str, Any], name: str) -> datetime | None:
    at = told.get(name)
    if at is not None and (not isinstance(at, datetime) or at.tzinfo is None):
        raise ValueError(f"{name} is no moment with its zone, such as 2026-11-29T12:00:00Z")
    return at


def _texts(told: Mapping[str, Any], name: str, default: Collection[str]) -> Collection[str]:
    found: Collection[str] = told.get(name, default)
    if isinstance(found, str) or not all(isinstance(it, str) for it in found):
        raise TypeError(f"{name} is no list of texts")
    return found


def _refuse_unknown(told: Collection[str], known: Collection[str], what: str) -> None:
    unknown = sorted(set(told) - set(known))
    if unknown:
        raise ValueError(f"{what} has {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
