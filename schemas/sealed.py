"""The sealed field of an event: format byte, key id, nonce, AES-256-GCM ciphertext.

    0       1          17      29
    | 0x01 | key id   | nonce | ciphertext and tag

Associated data bind it to where it stands: type, case, order, system, and every byte of the
event's body before it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .codec import Codec, before_sealed, versions, with_sealed
from .derive import event_name
from .events import Event

FORMAT = 1
_NONCE = slice(17, 29)
_HEAD = 29

E = TypeVar("E", bound=Event)


class SealError(Exception):
    """A sealed field that does not open under this key, or not in this place."""


def seal(key: bytes, key_id: UUID, plaintext: bytes, data: bytes) -> bytes:
    """Encrypt `plaintext` under a 32-byte key, bound to the associated `data`."""
    nonce = os.urandom(12)
    return bytes([FORMAT]) + key_id.bytes + nonce + AESGCM(key).encrypt(nonce, plaintext, data)


def unseal(key: bytes, sealed: bytes, data: bytes) -> bytes:
    """What `seal` was given. Raises `SealError` if key or `data` differ, or a bit changed."""
    if len(sealed) < _HEAD or sealed[0] != FORMAT:
        raise SealError("not a sealed field")
    try:
        return AESGCM(key).decrypt(sealed[_NONCE], sealed[_HEAD:], data)
    except InvalidTag:
        raise SealError("does not open under this key") from None


def key_id(sealed: bytes) -> UUID:
    """The id of the key that sealed it. Raises `SealError` if it is no sealed field."""
    if len(sealed) < _HEAD or sealed[0] != FORMAT:
        raise SealError("not a sealed field")
    return UUID(bytes=sealed[1:17])


def associated_data(event: Event, system: str, version: int | None = None) -> bytes:
    """What binds an event's sealed field to its place."""
    order = getattr(event, "order", None)
    place = f"{event_name(type(event))}/{event.case}/{order or ''}/{system}/"
    return place.encode() + before_sealed(event, version)


def seal_event(  # noqa: PLR0917  what is sealed, with what, for whom: in the order of the sentence
    codec: Codec, event: E, content: Any, key: bytes, named: UUID, system: str
) -> E:
    """The event with `content` sealed into it under a system's grant `key` of the key `named`."""
    plaintext = codec.encode_sealed(type(event), content)
    sealed = seal(key, named, plaintext, associated_data(event, system))
    return with_sealed(event, sealed)


def check_sealed(event: Event, key: bytes, system: str) -> None:
    """Raise `SealError` unless what is sealed in an event opens under this key, in this place."""
    _opened(event, key, event.sealed, system)  # type: ignore[attr-defined]


def unseal_event(codec: Codec, event: Event, key: bytes, system: str) -> Any:
    """What is sealed in an event: an object of its `SEALS` class. Raises `SealError`."""
    sealed: bytes = event.sealed  # type: ignore[attr-defined]
    plaintext = _opened(event, key, sealed, system)
    return codec.decode_sealed(type(event), plaintext)


def _opened(event: Event, key: bytes, sealed: bytes, system: str) -> bytes:
    tried = versions(event)
    try:
        return unseal(key, sealed, associated_data(event, system, next(tried)))
    except SealError:
        for version in tried:
            with suppress(SealError):
                return unseal(key, sealed, associated_data(event, system, version))
        raise
