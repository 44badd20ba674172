"""Who asks, as an intake publishes them."""

from __future__ import annotations

from schemas.records import Person, SealedIdentifier


def with_email(email: str, name: str = "") -> Person:
    """Somebody who gave an e-mail address, and perhaps a name."""
    return Person(name=name, identifiers=(_address(email),))


def with_emails(*emails: str, level: int) -> Person:
    """Somebody of whom the intake vouches for several addresses."""
    levels = (level,) * len(emails)
    return Person(identifiers=tuple(map(_address, emails)), levels=levels)


def _address(email: str) -> SealedIdentifier:
    return SealedIdentifier(tag=b"", kind="email", value=email)
