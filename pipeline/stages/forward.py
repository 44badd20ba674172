"""Forward: have a customer told of a request that concerns documents we hold as their processor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from schemas.events import (
    DocumentsFound,
    Event,
    HoldingsLocated,
    TaskCompleted,
    WhoseDecided,
)

from ..case.case import Case
from ..case.rules import Given, Rules

_CAUSES = (HoldingsLocated, TaskCompleted, WhoseDecided)


def forward(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Say `documents_found` of those that nobody was told of yet (GDPR Art. 28(3)(e))."""
    del rules, given
    if not isinstance(event, _CAUSES):
        return
    fresh = [it for it in case.documents if it not in case.forwarded and case.is_document(it)]
    counts = Counter((case.documents[it], case.held[it].system) for it in fresh)
    for (of, system), count in sorted(counts.items()):
        yield DocumentsFound(case=case.id, of=of, system=system, count=count)
