"""Whose a host finds things to be: what it may copy at once, before the decider judges it all."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.sdk.interface import Holding
from connectors.sdk.spelling import normal
from schemas.events import SearchOrdered

from ..case.whose import NAMES, OURS, Bearing, People, judged
from .look import Asked, Look


class Owners:
    """One search's holdings, by what this system alone tells.

    What stands for itself and bears what is theirs, and no other name, is copied as it comes;
    all else waits until everything is read. The decider, which sees all systems, has the last word.
    """

    def __init__(self, whom: Asked, order: SearchOrdered) -> None:
        self._tags = whom.tags
        self._system = order.system
        trusted = (it.partition(".") for it in order.trusted)
        self._people = People(
            proved=whom.theirs,
            said=dict.fromkeys((it.tag for it in order.known if not it.exported), "same"),
            names=frozenset(
                whom.tags.identifier(kind, whom.name) for kind in NAMES if normal(kind, whom.name)
            ),
            trusted=frozenset((order.system, kind, field) for kind, _, field in trusted),
        )
        self._theirs: set[Holding] = set()

    def take(self, page: Iterable[Holding]) -> None:
        """Judge what came in a page: with what it hangs on, if that came before."""
        for it in page:
            if it.part_of is not None and it.part_of in self._theirs:
                alone = not self._bearing(it).strong() - self._people.proved
                self._theirs.update([it] if alone else [])
            elif it.part_of is None:
                verdict = judged([self._bearing(it)], self._people).whose
                self._theirs.update([it] if verdict[self._tags.holding(it)] == OURS else [])

    def is_theirs(self, holding: Holding) -> bool:
        """Whether what was read so far says that it is theirs."""
        return holding in self._theirs

    def theirs(self, found: Look) -> frozenset[Holding]:
        """All that is theirs, now that everything is read."""
        bearings = [self._bearing(it) for it in found.holdings]
        whose = judged(bearings, self._people).whose
        return frozenset(it for it in found.holdings if whose[self._tags.holding(it)] == OURS)

    def _bearing(self, it: Holding) -> Bearing:
        return Bearing(
            tag=self._tags.holding(it),
            system=self._system,
            kind=it.kind,
            bears=tuple(map(self._tags.borne, it.bears)),
            part_of=b"" if it.part_of is None else self._tags.holding(it.part_of),
        )
