"""The brake: whether a system may be told to erase now. Pure: holds and counts are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..policy.brake import Limits

EVERY = "*"
"""In place of a system: a hold on all of them."""
HELD = "held"
UNCOUNTED = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """What is held, and what was ordered to be erased lately, when a decision is made."""

    held: frozenset[str] = frozenset()
    """Systems, or `EVERY`."""
    ordered: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By system: holdings within the last hour, and within the last day."""
    observe: bool = False
    """Nothing is erased: plans are made and reported."""

    def stops(self, system: str) -> bool:
        """Whether nothing may be ordered there. No hold stops what is of no system (``""``)."""
        return bool(system) and (self.observe or self.holds(system))

    def holds(self, system: str) -> bool:
        """Whether people, or a limit, hold it."""
        return EVERY in self.held or system in self.held

    def passed(self, system: str, more: int, limits: Limits) -> str:
        """Which limit `more` holdings there would pass; empty if none."""
        return limits.passed(system, *self.ordered.get(system, UNCOUNTED), more)

    def after(self, system: str, more: int) -> Brake:
        """The brake once `more` holdings there are ordered."""
        hour, day = self.ordered.get(system, UNCOUNTED)
        return replace(self, ordered={**self.ordered, system: (hour + more, day + more)})

    def engaged(self, system: str) -> Brake:
        """The brake with a hold on one more system."""
        return replace(self, held=self.held | {system})
