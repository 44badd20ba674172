"""What the stages need of the world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from email.message import Message
from typing import Protocol

from schemas.events import Event

from .grants import Grants


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


class Signer(Protocol):
    @property
    def key_id(self) -> str:
        """Hex SHA-256 of the raw public key."""
        ...

    def sign(self, content: bytes) -> bytes:
        """The Ed25519 signature over `content`."""
        ...
