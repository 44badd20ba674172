"""Keys that travel with an order: this case, this system, nothing else.

A grant is HKDF-SHA256(key, salt = key id, info = `habeas/grant/1/` + system). It travels in the
header `habeas-grants` of `work.*` records only, wrapped (AES-KW, RFC 3394) with that system's host
key. A tag is HMAC-SHA256 cut to 128 bits under a key derived from the case's record key.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from connectors.sdk.spelling import normal

HEADER = "habeas-grants"
RECORD, PACKAGE, TAG = "record", "package", "tag"
_HOST_KEY_ID = re.compile(r"[0-9A-Fa-fT-]{1,40}")
PIPELINE = "pipeline"
"""The system name under which the pipeline seals what is for itself alone."""
LEDGER = "ledger"
"""The system name under which it seals what a case's ledger says, for a recovery."""


class GrantError(Exception):
    """A grant that is missing, or that this host's keys do not open."""


class UnknownHostKeyError(GrantError):
    """The host key that wrapped a grant is not here: not here yet, or dead by now."""

    def __init__(self, named: str) -> None:
        super().__init__("the order's host key is not here")
        self.named = named


@dataclass(frozen=True, slots=True)
class Grant:
    """One key for one purpose. `system` is whose data it opens."""

    purpose: str
    key_id: UUID
    system: str
    key: bytes

    def __repr__(self) -> str:
        return f"<Grant {self.purpose} {self.system}>"


@dataclass(frozen=True, slots=True)
class Grants:
    """The grants of one order."""

    every: tuple[Grant, ...]

    def record(self) -> Grant:
        """Opens what the order seals, and seals what the answer does. Raises `GrantError`."""
        return self._one(RECORD)

    def package(self, system: str) -> Grant:
        """Seals and opens that system's exports. Raises `GrantError`."""
        return self._one(PACKAGE, system)

    def tag_key(self, system: str | None = None) -> bytes:
        """What a system's tags are made with; by default, those of the only one.

        Raises `GrantError`.
        """
        return self._one(TAG, system).key

    def _one(self, purpose: str, system: str | None = None) -> Grant:
        for it in self.every:
            if it.purpose == purpose and system in (None, it.system):
                return it
        raise GrantError(f"the order brings no {purpose} grant")


def grant(purpose: str, key: bytes, key_id: UUID, system: str) -> Grant:
    """The grant of a case key for one system."""
    return Grant(purpose, key_id, system, _derive(key, key_id, f"habeas/grant/1/{system}"))


def tag_grant(key: bytes, key_id: UUID, system: str = PIPELINE) -> Grant:
    """What tags are made with: by each system's host with a key of its own, by the decider too."""
    info = "habeas/tag/1" if system == PIPELINE else f"habeas/tag/2/{system}"
    return Grant(TAG, key_id, system, _derive(key, key_id, info))


def token_key(key: bytes, key_id: UUID) -> bytes:
    """What the secrets in mails are made with. It never travels: no host can make one."""
    return _derive(key, key_id, "habeas/token/1")


def wrap(grants: Iterable[Grant], host_key: bytes, host_key_id: str) -> bytes:
    """The value of `HEADER`: every grant, wrapped with a host's key."""
    rows = [
        [it.purpose, str(it.key_id), it.system, b64encode(aes_key_wrap(host_key, it.key)).decode()]
        for it in grants
    ]
    return orjson.dumps({"host_key": host_key_id, "grants": rows})


def unwrap(header: bytes, host_keys: Mapping[str, bytes]) -> Grants:
    """The grants in a header.

    Raises `UnknownHostKeyError` if their host key is not here, `GrantError` if they do not open.
    """
    try:
        read = orjson.loads(header)
        host_key = _host_key(read["host_key"], host_keys)
        return Grants(
            tuple(
                Grant(purpose, UUID(key_id), system, aes_key_unwrap(host_key, b64decode(wrapped)))
                for purpose, key_id, system, wrapped in read["grants"]
            )
        )
    except (AttributeError, KeyError, ValueError, TypeError, RecursionError, InvalidUnwrap):
        raise GrantError("the grants do not open under this host's keys") from None


def _host_key(named: str, host_keys: Mapping[str, bytes]) -> bytes:
    if not _HOST_KEY_ID.fullmatch(named):
        raise GrantError("the grants name no host key")
    try:
        return host_keys[named]
    except KeyError:
        raise UnknownHostKeyError(named) from None


def identifier_tag(tag_key: bytes, kind: str, value: str) -> bytes:
    """The tag of an identifier: the same for every spelling that means the same."""
    return _tag(tag_key, "identifier", kind, normal(kind, value))


def spelling_tag(tag_key: bytes, kind: str, value: str) -> bytes:
    """The tag of an identifier as it is written, character by character."""
    return _tag(tag_key, "spelling", kind, value)


def holding_tag(tag_key: bytes, system: str, kind: str, holding: str) -> bytes:
    """The tag of a holding, by the connector's own handle."""
    return _tag(tag_key, "holding", system, kind, holding)


def _tag(tag_key: bytes, *words: str) -> bytes:
    said = b"\0".join(word.encode() for word in words)
    return hmac.digest(tag_key, said, sha256)[:16]


def _derive(key: bytes, key_id: UUID, info: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=key_id.bytes, info=info.encode()).derive(key)
