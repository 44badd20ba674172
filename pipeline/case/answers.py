"""Answers of hosts: what they change in what a case knows. The first complete one counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta

from schemas import events as e
from schemas.events import Event
from schemas.records import HoldingRow, OutcomeRow, TaskRow

from .case import DONE, NOTICE, SPENT, Case, Held, Known, Order, Row, SystemState
from .facts import joined
from .outcome import state as class_of
from .rules import Rules

UNASKED = SystemState()
GONE = OutcomeRow(kind="erased")


def located(case: Case, event: e.HoldingsLocated, _: Rules) -> Case:
    """Merge a search's answer once all its parts are in; what was known is never forgotten."""
    case, parts = _take(case, event)
    if not parts:
        return case
    held, known = dict(case.held), dict(case.known)
    exports = case.exports
    facts = dict(case.facts.get(event.system, {}))
    for number, part in parts:
        assert isinstance(part, e.HoldingsLocated)  # noqa: S101  _take gives parts of one answer
        for row in part.holdings:
            held[row.tag] = _held(held.get(row.tag), row, event.system, number, len(part.sealed))
        for it in part.identifiers:
            known.setdefault(
                it.tag, Known(tag=it.tag, kind=it.kind, strong=it.strong, source=number)
            )
        for fact in part.facts:
            # A later round searches only new identifiers: it cannot take back a yes.
            facts[fact.name] = joined(fact.name, facts.get(fact.name, fact.value), fact.value)
        exports = (*exports, *part.exports)
    calls = sum(getattr(part, "calls", 0) for _, part in parts)
    return replace(
        _system(case, event.system, status="located", reason="", calls=calls),
        held=held,
        known=known,
        exports=exports,
        facts={**case.facts, event.system: facts},
    )


def search_failed(case: Case, event: e.SearchFailed, _: Rules) -> Case:
    """Unknown, never absent. What an earlier round found stays found."""
    order = case.order_of(event.order)
    if order is None or order.state == DONE:
        return case
    case = _ended(case, order, event)
    return _system(case, event.system, status="failed", reason=event.reason, calls=event.calls)


def search_overdue(case: Case, event: e.SearchOverdue, _: Rules) -> Case:
    was = case.systems[event.system]
    if was.final:
        return case
    orders = {
        slot: replace(it, state=SPENT, reason="overdue")
        if slot[:2] == ("search", event.system) and it.state in {"open", "deferred"}
        else it
        for slot, it in case.orders.items()
    }
    reason = was.reason or "no_answer"
    return _system(replace(case, orders=orders), event.system, status="overdue", reason=reason)


def completed(case: Case, event: e.TaskCompleted, _: Rules) -> Case:
    """Set what was done against what a look afterwards found: only both together prove anything."""
    case, parts = _take(case, event)
    if not parts:
        return case
    order = case.order_of(event.order)
    if order is None or not isinstance(order.ordered, e.TaskOrdered):
        return case
    done: dict[Row, OutcomeRow] = {}
    looked: dict[bytes, tuple[int, HoldingRow]] = {}
    sealed: dict[int, int] = {}
    gone: set[bytes] = set()
    failed = ""
    for number, part in parts:
        assert isinstance(part, e.TaskCompleted)  # noqa: S101  _take gives parts of one answer
        done.update({(it.tag, it.category): _by_day(it.outcome) for it in part.done})
        looked.update({it.tag: (number, it) for it in part.looked})
        sealed[number] = len(part.sealed)
        gone.update(part.gone)
        failed = failed or part.looked_failed
    outcomes, leftover = dict(case.outcomes), dict(case.leftover)
    for row, outcome in _judged(order.ordered.rows, done, looked, gone, failed).items():
        if outcome is None:
            leftover[row] = leftover.get(row, 0) + 1
            outcomes.pop(row, None)
        else:
            outcomes[row] = outcome
    held = {**_fresh(event.system, looked, sealed, order.ordered.rows), **case.held}
    for row in _grown(order.ordered.rows, looked):
        tag, category = row
        held[tag] = _with_late(held[tag], category)
        if _proves(outcomes.get(row)):
            leftover[row] = leftover.get(row, 0) + 1
            del outcomes[row]
    calls = sum(getattr(part, "calls", 0) for _, part in parts)
    case = _system(case, event.system, calls=calls)
    return replace(case, outcomes=outcomes, leftover=leftover, held=held)


def declined(case: Case, event: e.TaskDeclined, _: Rules) -> Case:
    """Nothing was done: the plan it was ordered under no longer holds."""
    order = case.order_of(event.order)
    if order is None or order.state == DONE:
        return case
    case = _ended(case, order, event)
    told = {it.name: it.value for it in event.facts}
    facts = {**case.facts, event.system: {**case.facts.get(event.system, {}), **told}}
    plan = None if case.plan is None else replace(case.plan, state="stale")
    # What was to be kept was so under other facts: the next plan says it anew.
    kept = {row for row, it in case.outcomes.items() if class_of(it) == "kept"}
    outcomes = {row: it for row, it in case.outcomes.items() if row not in kept}
    case = _system(case, event.system, calls=event.calls)
    return replace(case, facts=facts, plan=plan, outcomes=outcomes)


def signed(case: Case, event: e.ResponseSigned, _: Rules) -> Case:
    order = case.order_of(event.order)
    if order is None or order.state == DONE:
        return case
    case = _ended(case, order, event)
    responses = tuple(
        replace(it, name=event.name, digest=event.digest) if it.n == event.n else it
        for it in case.responses
    )
    return replace(case, responses=responses)


def notice_sent(case: Case, event: e.NoticeSent, _: Rules) -> Case:
    return _notified(case, event, "sent")


def notice_failed(case: Case, event: e.NoticeFailed, _: Rules) -> Case:
    return _notified(case, event, f"failed: {event.reason}")


def _notified(case: Case, event: e.NoticeSent | e.NoticeFailed, how: str) -> Case:
    order = case.order_of(event.order)
    if order is None or order.state == DONE or order.slot[0] != NOTICE:
        return case
    case = _ended(case, order, event)
    ordered = order.ordered
    n = ordered.response if isinstance(ordered, e.NoticeOrdered) else 0
    responses = tuple(replace(it, notified=how) if it.n == n else it for it in case.responses)
    return replace(case, responses=responses)


def _take(
    case: Case, event: e.HoldingsLocated | e.TaskCompleted
) -> tuple[Case, tuple[tuple[int, Event], ...]]:
    """Put a part to the others; give all parts when this one completes the first answer."""
    order = case.order_of(event.order)
    if order is None:
        return case, ()
    if order.answered is not None:
        attempt, digest = order.answered
        differs = attempt == event.order and digest != event.digest
        return replace(case, conflicts=case.conflicts + differs), ()
    parts = (*order.parts, (case.number, event))
    same = {
        part.part: (number, part)
        for number, part in parts
        if isinstance(part, type(event))
        and (part.order, part.digest) == (event.order, event.digest)
    }
    if len(same) < event.parts:
        return _with(case, replace(order, parts=parts)), ()
    answered = (event.order, event.digest)
    order = replace(order, state=DONE, parts=(), answered=answered)
    return _with(case, order), tuple(same[it] for it in sorted(same))


def _judged(
    rows: Sequence[TaskRow],
    done: Mapping[Row, OutcomeRow],
    looked: Mapping[bytes, tuple[int, HoldingRow]],
    gone: set[bytes],
    failed: str,
) -> dict[Row, OutcomeRow | None]:
    """An outcome for every row of a task; None where it is said to be done and is still there."""
    judged: dict[Row, OutcomeRow | None] = {}
    for task in rows:
        for category in task.erase:
            said = done.get((task.tag, category))
            if failed:
                judged[task.tag, category] = OutcomeRow(kind="failed", reason="not_looked")
            elif task.tag in gone:
                judged[task.tag, category] = said if _proves(said) else GONE
            elif task.tag not in looked:
                judged[task.tag, category] = OutcomeRow(kind="failed", reason="not_looked")
            elif category not in looked[task.tag][1].categories:
                judged[task.tag, category] = said if _proves(said) else GONE
            else:
                judged[task.tag, category] = None if said is None or _proves(said) else said
    return judged


def _by_day(said: OutcomeRow) -> OutcomeRow:
    """The outcome, dated at the end of its day (UTC): what goes within one day is one thing owed.

    Otherwise thousands of holdings would have as many dates, and no report could hold them.
    """
    if said.until is None or class_of(said) != "dated":
        return said
    day = said.until.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if day == said.until or day.date() == date.max:  # some vendors' «never» has no next day
        return said
    return replace(said, until=day + timedelta(days=1))


def _proves(said: OutcomeRow | None) -> bool:
    return said is not None and class_of(said) == "proved"


def _fresh(
    system: str,
    looked: Mapping[bytes, tuple[int, HoldingRow]],
    sealed: Mapping[int, int],
    rows: Sequence[TaskRow],
) -> dict[bytes, Held]:
    """Holdings that only the second look found."""
    ours = {it.tag for it in rows}
    return {
        tag: _held(None, row, system, number, sealed[number])
        for tag, (number, row) in looked.items()
        if tag not in ours
    }


def _grown(
    rows: Sequence[TaskRow], looked: Mapping[bytes, tuple[int, HoldingRow]]
) -> Iterator[Row]:
    """What a task's holdings carry that it was told nothing of: no plan has seen it."""
    for task in rows:
        if task.tag in looked:
            seen = looked[task.tag][1].categories
            yield from ((task.tag, it) for it in seen if it not in {*task.erase, *task.keep})


def _with_late(held: Held, category: str) -> Held:
    return replace(held, categories=held.categories | {category}, late=held.late | {category})


def _held(before: Held | None, row: HoldingRow, system: str, number: int, sealed: int) -> Held:
    found = Held(
        tag=row.tag,
        system=system,
        kind=row.kind,
        categories=frozenset(row.categories),
        source=number,
        sealed=sealed,
        exported=row.exported,
    )
    if before is None:
        return found
    fresh = found.categories - before.categories if before.exported else frozenset[str]()
    return replace(
        before,
        categories=before.categories | found.categories,
        exported=before.exported or found.exported,
        late=before.late - found.categories if found.exported else before.late | fresh,
    )


def _ended(case: Case, order: Order, event: Event) -> Case:
    attempt = getattr(event, "order", None)
    answered = None if attempt is None else (attempt, b"")
    return _with(case, replace(order, state=DONE, parts=(), answered=answered))


def _with(case: Case, order: Order) -> Case:
    return replace(case, orders={**case.orders, order.slot: order})


def _system(
    case: Case, system: str, *, status: str = "", reason: str | None = None, calls: int = 0
) -> Case:
    was = case.systems[system]
    now = replace(
        was,
        status=status or was.status,
        reason=was.reason if reason is None else reason,
        calls=was.calls + calls,
    )
    return replace(case, systems={**case.systems, system: now})
