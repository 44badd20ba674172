"""One decision: an event goes in, and with it everything that follows from it at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from schemas.derive import event_name
from schemas.events import Event

from .case import Case
from .fold import apply
from .rules import Given, Rules
from .stale import stale

Stage = Callable[[Case, Event, Rules, Given], Iterator[Event]]


@dataclass(frozen=True, slots=True)
class Said:
    """An event with its place in the ledger, and what caused it."""

    number: int
    id: UUID
    cause: UUID | None
    event: Event


class StaleError(Exception):
    """A decision about something that is no longer so; it is refused. The message says what."""


def decide(
    case: Case | None,
    event: Event,
    event_id: UUID,
    *,
    stages: Mapping[type[Event], Sequence[Stage]],
    rules: Rules,
    given: Given,
) -> tuple[Case, list[Said]]:
    """The case afterwards, and the event followed by everything said because of it, numbered.

    What is said is known to every later stage at once, and read in the order it was said. Ids are
    derived from the event's, so the same event always says the same. Raises `StaleError`.
    """
    if case is not None and (reason := stale(case, event, rules, given)):
        raise StaleError(reason)
    case = apply(case, event, rules)
    said = [Said(case.number, event_id, None, event)]
    waiting = deque(said)
    while waiting:
        cause = waiting.popleft()
        for stage in stages.get(type(cause.event), ()):
            for answer in stage(case, cause.event, rules, given):
                case = apply(case, answer, rules)
                named = uuid5(event_id, f"{len(said)}/{event_name(type(answer))}")
                said.append(Said(case.number, named, cause.id, answer))
                waiting.append(said[-1])
    return case, said
