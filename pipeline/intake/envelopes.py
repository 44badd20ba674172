"""The envelope of a request, preference or decision: signature, seal, limits; before anything is
believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pipeline.case.identifiers import LINK
from pipeline.case.recipients import RECEIVED
from pipeline.case.rights import SUPPORTED
from schemas.codec import Codec, CodecError
from schemas.envelope import SignatureError, disclose, verify
from schemas.events import (
    Event,
    IdentityProved,
    PreferenceReceived,
    RecipientAcknowledged,
    RequestReceived,
)
from schemas.records import Actor, Person, Preference, SealedIdentifier
from schemas.sealed import SealError

from . import details, preferences, roles
from .decisions import check_words
from .refused import RefusedError, UnauthenticatedError
from .senders import KINDS, Sender, SenderKey, Senders
from .vouching import vouched

AHEAD = timedelta(minutes=5)
MAX_IDENTIFIERS = 50
MAX_LENGTH = 1000
"""Of an identifier or a name, in characters."""
LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
"""RFC 5646 (BCP 47), as far as it concerns a language, a script and a region."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class UnknownKeyError(RefusedError):
    """Sealed to a key that is not here: of somebody else, or dead by now."""

    def __init__(self, event: Event) -> None:
        super().__init__("unknown_key")
        self.event = event


class Envelopes:
    """Check what comes in on `rights.requests`, `rights.preferences` and `rights.decisions`."""

    def __init__(
        self,
        codec: Codec,
        senders: Callable[[], Senders],
        recipient: Mapping[str, X25519PrivateKey],
    ) -> None:
        self._codec = codec
        self._senders = senders
        self._recipient = recipient

    def authenticate(self, event: Event, at: datetime) -> Sender:
        """Who signed what came in, with a key that was in force at the broker's time.

        Raises `UnauthenticatedError`.
        """
        if isinstance(event, RequestReceived | PreferenceReceived):
            sender, missing = self._senders().intakes.get(event.intake), "unknown_intake"
        else:
            by: str = getattr(event, "by", "")
            sender, missing = self._senders().consoles.get(by), "unknown_console"
        if sender is None:
            raise UnauthenticatedError(missing)
        signers = [key for key in sender.keys if _is_signed(event, key)]
        if not signers:
            raise UnauthenticatedError("bad_signature")
        if all(key.is_revoked(at) for key in signers):
            raise UnauthenticatedError("sender_revoked")
        if all(key.is_revoked(at) or key.is_early(at) for key in signers):
            raise UnauthenticatedError("key_not_in_force")
        return sender

    def request(
        self, event: RequestReceived, broker_time: datetime
    ) -> tuple[Person, tuple[int, ...]]:
        """Who asks, and how surely the intake vouches for each identifier.

        Raises `RefusedError` with the reason.
        """
        sender = self.authenticate(event, broker_time)
        if sender.says is not None:
            raise UnauthenticatedError("intake_may_not_ask")
        if event.level > sender.level:
            raise RefusedError("level_above_intake")
        if event.received_at > broker_time + AHEAD:
            raise RefusedError("received_in_the_future")
        if not event.claims or not set(event.claims) <= SUPPORTED:
            raise RefusedError("claims_not_supported")
        person = self._open(event, event.key)
        if not isinstance(person, Person):
            raise RefusedError("does_not_open")
        _bounded(person)
        details.check(event.claims, event.purpose, person.changes, person.evidence)
        return person, vouched(person, event.level, sender, person.levels)

    def preference(
        self, event: PreferenceReceived, broker_time: datetime
    ) -> tuple[Preference, Person, tuple[int, ...]]:
        """What somebody wants, who they are, and how surely the intake knows the address as theirs.

        Raises `RefusedError` with the reason.
        """
        sender = self.authenticate(event, broker_time)
        if sender.says is not None and event.says not in sender.says:
            raise UnauthenticatedError("intake_may_not_say")
        if event.at > broker_time + AHEAD:
            raise RefusedError("received_in_the_future")
        told = self._open(event, event.key)
        if not isinstance(told, Preference):
            raise RefusedError("does_not_open")
        who = SealedIdentifier(tag=b"", kind=told.kind, value=told.value)
        person = Person(language=told.language, identifiers=(who,), levels=(event.level,))
        _bounded(person)
        preferences.check(event, told)
        return told, person, vouched(person, event.level, sender, person.levels)

    def decision(self, event: Event, broker_time: datetime) -> tuple[Actor, tuple[str, ...], int]:
        """Who decided this and why, the roles of their console, and how surely it knows people.

        Raises `RefusedError` unless a registered console signed it that may decide this, and it
        says what the law wants said of it.
        """
        sender = self.authenticate(event, broker_time)
        if not roles.may(sender.roles, type(event)):
            raise UnauthenticatedError("role_may_not")
        if isinstance(event, IdentityProved) and event.level > sender.level:
            raise UnauthenticatedError("level_above_console")
        if (says_it := _who_says(event)) is not None and says_it not in sender.roles:
            raise UnauthenticatedError("role_may_not")
        actor = self._open(event, getattr(event, "key", ""))
        if not isinstance(actor, Actor):
            raise RefusedError("does_not_open")
        check_words(event, actor)
        return actor, tuple(sorted(map(str, sender.roles))), sender.level

    def is_one_person(self, console: str, other: str) -> bool:
        """Whether two consoles are one person, as far as names and keys tell."""
        known = self._senders().consoles
        one, two = known.get(console), known.get(other)
        return console == other or one is None or two is None or one.shares_key(two)

    def is_of_submitter(self, event: Event, intake: str) -> bool:
        """Whether a decision, of a case that came through `intake`, is one that its sender took
        and may not: who submitted a case does not let it go on.
        """
        by = getattr(event, "by", "")
        return type(event) in roles.NOT_BY_SUBMITTER and self._senders().is_of_intake(by, intake)

    def _open(self, event: Event, key: str) -> object:
        try:
            return disclose(self._codec, event, self._recipient[key])
        except KeyError:
            raise UnknownKeyError(event) from None
        except (SealError, CodecError):
            raise RefusedError("does_not_open") from None


def _is_signed(event: Event, key: SenderKey) -> bool:
    try:
        verify(event, key.public)
    except SignatureError:
        return False
    return True


def _who_says(event: Event) -> roles.Role | None:
    """Whose word the very words of a decision are: a page's, or a person's. Else None.

    A link shows that somebody holds an address, or that a recipient has what we sent: no more.
    """
    match event:
        case IdentityProved():
            return roles.Role.LINK if event.method == LINK else roles.Role.DPO
        case RecipientAcknowledged() if event.says != RECEIVED:
            return roles.Role.DPO
        case _:
            return None


def _bounded(person: Person) -> None:
    found = person.identifiers
    if not found or len(found) > MAX_IDENTIFIERS:
        raise RefusedError("identifiers_missing_or_too_many")
    if any(it.kind not in KINDS or not it.value.strip() for it in found):
        raise RefusedError("identifier_of_unknown_kind_or_empty")
    words = (person.name, *(it.value for it in found))
    if any(len(it) > MAX_LENGTH for it in words):
        raise RefusedError("too_long")
    if any(CONTROL.search(it.strip()) for it in words):
        raise RefusedError("control_characters")
    if not LANGUAGE.fullmatch(person.language):
        raise RefusedError("language_malformed")
