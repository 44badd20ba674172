"""How surely does an intake vouch for each identifier of a request?"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.records import Person, SealedIdentifier

from .refused import RefusedError
from .senders import Sender

NOBODY_PROVES = frozenset({"phone"})
"""Kinds that no intake vouches for: several people use one telephone."""
ONE_OF_EACH = ("email", "user_id")
"""Of what version 1 vouches for the first: who writes a request is one person."""


def vouched(
    person: Person, request_level: int, sender: Sender, levels: Sequence[int] = ()
) -> tuple[int, ...]:
    """The level at which `sender` vouches for each of the person's identifiers, in their order.

    `levels` are a version 2 request's, one for each. Version 1 has none: there the first e-mail and
    the first user id have the request's level and all else 0. In both, kinds that the intake does
    not vouch for count as 0. Raises `RefusedError`.
    """
    found = person.identifiers
    stated = tuple(levels) or _of_version_1(found, request_level)
    if len(stated) != len(found):
        raise RefusedError("levels_do_not_fit")
    if min(request_level, *stated, 0) < 0:
        raise RefusedError("level_below_zero")
    if max(request_level, *stated, 0) > sender.level:
        raise RefusedError("level_above_intake")
    usable = sender.vouches_for - NOBODY_PROVES
    return tuple(
        level if identifier.kind in usable else 0
        for identifier, level in zip(found, stated, strict=True)
    )


def _of_version_1(found: Sequence[SealedIdentifier], level: int) -> tuple[int, ...]:
    kinds = [it.kind for it in found]
    first = {kinds.index(kind) for kind in ONE_OF_EACH if kind in kinds}
    return tuple(level if n in first else 0 for n in range(len(found)))
