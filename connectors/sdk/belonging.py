"""Whether a record is surely the subject's: what a fact may rest on."""

from __future__ import annotations

from collections.abc import Mapping

from .interface import Holding, Subject
from .kinds import STRONG


def is_theirs(subject: Subject, found: Mapping[Holding, Holding], it: Holding) -> bool:
    """Whether it bears what was asked for and nothing of anybody else's, or hangs on such.

    `found` has each holding as it was found: what one hangs on counts only if it was. Whose it is
    in law the pipeline decides; a fact is told of less.
    """
    it = found.get(it, it)
    asked = [subject.bears(one.kind, one.value) for one in it.bears if one.kind in STRONG]
    if it.part_of is None:
        return bool(asked) and all(asked)
    return all(asked) and it.part_of in found and is_theirs(subject, found, it.part_of)
