"""Cut holdings up into portions that fit into a record each, with all that is sealed of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .case import Held

ROWS = 500
"""Holdings in a portion, at most."""
BYTES = 384 * 1024
"""Of what is sealed of a portion, at most; one part of an answer never has more."""


def portions(held: Iterable[Held], rows: int = ROWS, size: int = BYTES) -> Iterator[list[Held]]:
    """The holdings in portions, those whose ids were sealed together beside each other.

    How long an id is, is sealed too. What is known is how long all of one event's are: that much
    is counted once for every event that a portion needs.
    """
    portion: list[Held] = []
    sealed: dict[int, int] = {}
    for it in sorted(held, key=lambda it: (it.source, it.tag)):
        more = 0 if it.source in sealed else it.sealed
        if portion and (len(portion) == rows or sum(sealed.values()) + more > size):
            yield portion
            portion, sealed = [], {}
        portion.append(it)
        sealed[it.source] = it.sealed
    if portion:
        yield portion
