"""What an intake vouches for: per identifier, in both versions of a request."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline.intake.refused import RefusedError
from pipeline.intake.senders import KINDS, VOUCHED, Sender, SenderKey
from pipeline.intake.vouching import vouched
from schemas.records import Person, SealedIdentifier

KEY = SenderKey(Ed25519PrivateKey.generate().public_key())
FORM = Sender((KEY,), level=2, vouches_for=VOUCHED)
SESSION = Sender((KEY,), level=2, vouches_for=KINDS)
ONLY_SESSION = Sender((KEY,), level=2, vouches_for=frozenset({"user_id"}))
E, U, P = "email", "user_id", "phone"


def person(*kinds: str) -> Person:
    found = [SealedIdentifier(tag=b"", kind=it, value=f"{it}-{n}") for n, it in enumerate(kinds)]
    return Person(name="", identifiers=tuple(found))


@pytest.mark.parametrize(
    ("sender", "kinds", "level", "levels", "says"),
    [
        # Version 1: the first of a kind, and a user id only from a session.
        (FORM, (E,), 2, (), (2,)),
        (FORM, (E,), 0, (), (0,)),
        (FORM, (E, E), 2, (), (2, 0)),
        (FORM, (P, E, E), 1, (), (0, 1, 0)),
        (FORM, (U,), 2, (), (0,)),
        (FORM, (U, E), 2, (), (0, 2)),
        (FORM, (P,), 2, (), (0,)),
        (SESSION, (U, E), 2, (), (2, 2)),
        (SESSION, (U, U, E, E), 2, (), (2, 0, 2, 0)),
        (ONLY_SESSION, (E, U), 2, (), (0, 2)),
        # Version 2: as it says, of the kinds that it may vouch for.
        (FORM, (E, E), 0, (2, 1), (2, 1)),
        (FORM, (E, U), 2, (2, 2), (2, 0)),
        (FORM, (E, P), 2, (0, 2), (0, 0)),
        (SESSION, (E, U, P), 0, (0, 2, 2), (0, 2, 0)),
        (ONLY_SESSION, (E, U), 0, (2, 1), (0, 1)),
        (FORM, (E,), 2, (0,), (0,)),
        (FORM, (), 2, (), ()),
    ],
)
def test_each_identifier_has_the_level_that_its_intake_vouches_for(
    sender: Sender,
    kinds: tuple[str, ...],
    level: int,
    levels: tuple[int, ...],
    says: tuple[int, ...],
) -> None:
    assert vouched(person(*kinds), level, sender, levels) == says


@pytest.mark.parametrize(
    ("kinds", "level", "levels", "reason"),
    [
        ((E, E), 2, (2,), "levels_do_not_fit"),
        ((E,), 2, (2, 2), "levels_do_not_fit"),
        ((E,), 3, (), "level_above_intake"),
        ((U,), 3, (), "level_above_intake"),
        ((E, E), 0, (2, 3), "level_above_intake"),
        ((E, U), 0, (2, 3), "level_above_intake"),
        ((E,), 3, (2,), "level_above_intake"),
        ((E,), -1, (), "level_below_zero"),
        ((E, E), 2, (2, -1), "level_below_zero"),
    ],
)
def test_levels_that_cannot_be_are_refused(
    kinds: tuple[str, ...], level: int, levels: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        vouched(person(*kinds), level, FORM, levels)
