"""Where the decider reads on: what the register says, what Kafka says, and what may be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .positions import Bounds, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeOffset:
    """One partition. `stored` is the register's next offset, `committed` the group's."""

    topic: str
    partition: int
    stored: int | None
    committed: int | None
    at: int
    """Where the register's copy of the world reads on."""
    commit: int
    """Where the group is to stand: never past `at`."""
    deleted: int
    """Records past `at` that retention has deleted; what was decided on them is in the ledger."""
    unread: int
    """Those among them that nobody has decided on: they are lost."""

    @property
    def moves(self) -> bool:
        """Whether the group is to stand elsewhere than it does."""
        return self.commit != self.committed and (self.committed, self.stored) != (None, None)

    @property
    def is_behind(self) -> bool:
        """Whether the group went further than the register knows of."""
        return self.committed is not None and self.committed > (self.stored or 0)


def resume_offsets(
    stored: Mapping[Place, int], committed: Mapping[Place, int], bounds: Mapping[Place, Bounds]
) -> tuple[ResumeOffset, ...]:
    """Where each partition is to be read on.

    A stored offset ahead of the group's is normal: a process died between transaction and commit.
    One past a partition's end is of a topic that was made anew since: it is read from the start.
    """
    return tuple(
        _read_on(it, stored.get(it), committed.get(it), bounds[it]) for it in sorted(bounds)
    )


def _read_on(place: Place, stored: int | None, committed: int | None, has: Bounds) -> ResumeOffset:
    known = stored or 0
    at = has.begin if known > has.end else max(known, has.begin)
    return ResumeOffset(
        topic=place[0],
        partition=place[1],
        stored=stored,
        committed=committed,
        at=at,
        commit=at if committed is None else min(committed, at),
        deleted=max(0, has.begin - known),
        unread=0 if committed is None else max(0, has.begin - max(known, committed)),
    )
