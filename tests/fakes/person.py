"""Who asks, as an intake publishes them."""

from __future__ import annotations

from schemas.records import Person, SealedIdentifier


def with_email(email: str, name: str = "") -> Person:
    """Somebody who gave an e-mail address, and perhaps a name."""
    return Person(name=name, identifiers=(SealedIdentifier(tag=b"", kind="email", value=email),))
