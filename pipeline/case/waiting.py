"""What a vendor does by a job: when it is looked for again, and what a look says of it.

Such a row is neither done nor left over: it waits, and nothing new is ordered for it. It is looked
for with growing pauses. Gone is proved; what is there after its time is left over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from schemas import events as e
from schemas.records import OutcomeRow

from .case import LOOK, Case, Order, Row, Waiting
from .outcome import by_day
from .outcome import state as class_of
from .rights import ERASURE
from .rules import Rules
from .values import replace

QUEUED = "queued"
LONGEST = timedelta(days=1)
"""A queue is waited for so long, or until the answer is due if that is later."""
MOST_DOUBLED = 60
"""Doublings of a pause that are longer than any queue."""
GONE, BLANK = OutcomeRow(kind="erased"), OutcomeRow(kind="redacted")
NOT_LOOKED = OutcomeRow(kind="failed", reason="not_looked")


def next_look(it: Waiting, pause: timedelta) -> datetime | None:
    """When to look again: the pauses double, and the last look comes one `pause` after `by`.

    None is at once: nobody has looked since it was queued.
    """
    if it.looked is None:
        return None
    last = it.by + pause
    pauses = 2.0 ** min(it.looks, MOST_DOUBLED)
    return last if pauses >= (last - it.looked) / pause else it.looked + pauses * pause


def looks_due(case: Case, rules: Rules) -> Iterator[tuple[str, datetime]]:
    """The systems where something is to be looked for again, and when."""
    if not case.wants(ERASURE):
        return
    busy = {it.slot[1] for it in case.under_way(LOOK)}
    due: dict[str, datetime] = {}
    for (tag, _), it in case.waiting.items():
        system = case.held[tag].system
        at = next_look(it, rules.settings.look_pause) or case.received_at
        due[system] = min(at, due.get(system, at))
    yield from ((system, at) for system, at in sorted(due.items()) if system not in busy)


@dataclass(frozen=True, slots=True)
class Queue:
    """How much waits for one system's queue, and until when at the longest."""

    system: str
    count: int
    by: datetime


def queues(case: Case) -> tuple[Queue, ...]:
    """What a case waits for beside orders, system by system."""
    by: dict[str, list[datetime]] = {}
    for (tag, _), it in case.waiting.items():
        by.setdefault(case.held[tag].system, []).append(it.by)
    return tuple(Queue(system, len(dates), max(dates)) for system, dates in sorted(by.items()))


def look_id(case: Case, system: str) -> UUID:
    """What the clock names a system's next look by."""
    return uuid5(case.id, f"{system}/look/{case.next_n(LOOK, system)}")


def after_task(
    case: Case,
    order: e.TaskOrdered,
    became: Mapping[Row, OutcomeRow | None],
    by: Mapping[Row, datetime],
) -> dict[Row, Waiting]:
    """What waits once a task is answered; `by` is when the vendor says that each row is done.

    What takes longer than the answer may is dated, and does not wait.
    """
    longest = max(case.due_at, order.not_after + LONGEST)
    waiting = {row: it for row, it in case.waiting.items() if row not in became}
    queued = (row for row, it in became.items() if it is not None and it.kind == QUEUED)
    return waiting | {
        row: Waiting(by=by[row]) for row in queued if row in by and by[row] <= longest
    }


def looking(case: Case, order: e.SearchOrdered) -> Case:
    """A look was ordered at what waits."""
    looked = {
        row: replace(it, looks=it.looks + 1, looked=order.answer_by)
        for row, it in _named(case, order).items()
    }
    return replace(case, waiting={**case.waiting, **looked})


def after_look(
    case: Case,
    order: e.SearchOrdered,
    there: Mapping[bytes, frozenset[str]],
    gone: frozenset[bytes],
) -> Case:
    """What a look says; `there` is what each holding that it shows carries, by tag."""
    waiting, outcomes, leftover = dict(case.waiting), dict(case.outcomes), dict(case.leftover)
    for row, it in _named(case, order).items():
        tag, category = row
        shown = category in there.get(tag, ())
        is_late = order.answer_by >= it.by
        if not shown and (tag in there or tag in gone):
            outcomes[row] = BLANK if tag in there else GONE
        elif is_late and shown:
            leftover[row] = leftover.get(row, 0) + 1
            del outcomes[row]
        elif is_late:
            outcomes[row] = NOT_LOOKED
        else:
            continue
        del waiting[row]
    for row in _undone(case, {it.tag for it in order.known}):
        tag, category = row
        if category not in there.get(tag, ()) and (tag in there or tag in gone):
            outcomes[row] = BLANK if tag in there else GONE
    case = replace(case, waiting=waiting, outcomes=outcomes, leftover=leftover)
    return _shown_again(case, there)


def after_no_look(case: Case, order: Order) -> Case:
    """A look came to nothing: it is not known what became of what had to be gone by then."""
    asked = order.ordered
    if not isinstance(asked, e.SearchOrdered):
        return case
    late = {row for row, it in _named(case, asked).items() if asked.answer_by >= it.by}
    waiting = {row: it for row, it in case.waiting.items() if row not in late}
    return replace(
        case, waiting=waiting, outcomes={**case.outcomes, **dict.fromkeys(late, NOT_LOOKED)}
    )


def _shown_again(case: Case, there: Mapping[bytes, frozenset[str]]) -> Case:
    """What was gone from a holding that waits, and shows once more, waits with it: reads lag."""
    waiting, outcomes = dict(case.waiting), dict(case.outcomes)
    for (tag, _), it in case.waiting.items():
        for row in ((tag, category) for category in there.get(tag, ())):
            if row in outcomes and class_of(outcomes[row]) == "proved":
                waiting[row] = it
                outcomes[row] = by_day(OutcomeRow(kind=QUEUED, until=it.by))
    return replace(case, waiting=waiting, outcomes=outcomes)


def to_look_for(case: Case, system: str) -> frozenset[bytes]:
    """What to name in a look: what waits, and what was not done and may go with that."""
    held = {tag for tag, it in case.held.items() if it.system == system}
    return frozenset(tag for tag, _ in (*case.waiting, *_undone(case, held)) if tag in held)


def _undone(case: Case, named: AbstractSet[bytes]) -> list[Row]:
    """What lies in a bin, or was refused: a ticket goes with its contact, whatever was said of it.

    Left out is what somebody was told a date of.
    """
    told = {row for row, _ in case.owed} | case.waiting.keys()
    unproved = (row for row, it in case.outcomes.items() if class_of(it) in {"dated", "open"})
    return [row for row in unproved if row[0] in named and row not in told]


def _named(case: Case, order: e.SearchOrdered) -> dict[Row, Waiting]:
    """What waits, and was named in an order."""
    named = {it.tag for it in order.known}
    return {row: it for row, it in case.waiting.items() if row[0] in named}
