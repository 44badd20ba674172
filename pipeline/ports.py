"""What the stages need of the world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from typing import Protocol

from schemas.events import Event

from .crypto.grants import Grants


class LaterError(Exception):
    """Stop waiting now: the order is to be issued again at `until`. `reason` is a plain code."""

    def __init__(self, until: datetime, reason: str) -> None:
        super().__init__(reason)
        self.until = until
        self.reason = reason


class ObjectExistsError(Exception):
    """An object of that name was written before: objects are written once."""


class ObjectMissingError(Exception):
    """There is no object of that name."""


class Work(Protocol):
    """What a host does with an order: read it under its grants, act, answer."""

    system: str

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """The answer to an order, in all its parts, sealed and ready to send.

        Raises `LaterError` to put the order off, `GrantError` or `SealError` if it cannot be read.
        """
        ...


class Objects(Protocol):
    """Where exports and packages lie, sealed. Names hold no person."""

    async def put(self, name: str, content: AsyncIterator[bytes]) -> None:
        """Write an object once. Raises `ObjectExistsError`."""
        ...

    def get(self, name: str) -> AsyncIterator[bytes]:
        """An object's bytes, in chunks. Raises `ObjectMissingError`."""
        ...


class Mailer(Protocol):
    async def send(self, message: Message, name: str) -> None:
        """Hand over a message; `name`, derived from the order, makes a repeat harmless."""
        ...


class Webhook(Protocol):
    async def post(self, address: str, content: bytes, key: str) -> tuple[int, str]:
        """Hand over a document; what HTTP answered, and the other side's id for it.

        `key`, derived from the order, makes a repeat harmless. Raises `LaterError` if they may
        take it later, `UnreachableError` if not.
        """
        ...


class UnreachableError(Exception):
    """They do not take it, however often it is sent. The message is a plain code."""


@dataclass(frozen=True, slots=True)
class Signature:
    """An Ed25519 signature, and the id of the key that made it (`crypto.trusted_keys.key_id`)."""

    key_id: str
    value: bytes


class Signer(Protocol):
    def sign(self, content: bytes) -> Signature:
        """The signature over `content`, by the key that is in force now."""
        ...
