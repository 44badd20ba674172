"""Answers of hosts: what they change in what a case knows. The first complete one counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from schemas import events as e
from schemas.events import Event
from schemas.records import HoldingRow, OutcomeRow, TaskRow

from . import by_hand, follow_up, marks, measures, orders, recipients, waiting
from .case import DONE, INSTRUCTION, LOOK, NOTICE, SPENT, Case, Held, Order, Row, SystemState
from .facts import TRUE, merged
from .identifiers import meet, rejudged
from .outcome import by_day, of_host
from .outcome import state as class_of
from .planned import kept_anew
from .rules import Rules
from .values import replace
from .waiting import GONE, NOT_LOOKED, QUEUED

UNASKED = SystemState()
InParts = e.HoldingsLocated | e.TaskCompleted | e.MeasureTaken | e.PeopleListed
"""Answers that may be too large for one record."""


def located(case: Case, event: e.HoldingsLocated, rules: Rules) -> Case:
    """Merge a search's answer once all its parts are in; what was known is never forgotten."""
    case, parts = taken(case, event)
    if not parts:
        return case
    order = case.order_of(event.order)
    if order is not None and order.slot[0] == LOOK:
        return _looked(case, order, event.system, parts, rules)
    held, known = dict(case.held), dict(case.known)
    case = _with_documents(case, parts)
    exports = case.exports
    # A later round cannot take back a yes; a no that it does not say again is none any more.
    before = case.facts.get(event.system, {})
    told = {it.name for _, part in parts for it in getattr(part, "facts", ())}
    facts = {name: it for name, it in before.items() if name in told or it.value == TRUE}
    for number, part in parts:
        assert isinstance(part, e.HoldingsLocated)  # noqa: S101  _take gives parts of one answer
        for row in part.holdings:
            held[row.tag] = _held(held.get(row.tag), row, event.system, number, len(part.sealed))
        meet(known, part.identifiers, number)
        for fact in part.facts:
            facts[fact.name] = merged(facts.get(fact.name, fact), fact)
        exports = (*exports, *(it for it in part.exports if it.system == event.system))
    calls = sum(getattr(part, "calls", 0) for _, part in parts)
    case = _system(case, event.system, status="located", reason="", calls=calls)
    case = by_hand.after_search(_asked_by(case, event, parts), event.system)
    facts_of = {**case.facts, event.system: facts}
    case = replace(case, held=held, known=known, exports=exports, facts=facts_of)
    return kept_anew(rejudged(_followed_up(case, order, parts), rules), rules)


def _followed_up(case: Case, order: Order | None, parts: Sequence[tuple[int, Event]]) -> Case:
    """What a search says of what it was told to look at again."""
    if order is None or not isinstance(order.ordered, e.SearchOrdered):
        return case
    found = [part for _, part in parts if isinstance(part, e.HoldingsLocated)]
    there = {row.tag: frozenset(row.categories) for part in found for row in part.holdings}
    gone = frozenset(tag for part in found for tag in part.gone)
    return follow_up.after_search(case, order.ordered, there, gone)


def _looked(
    case: Case, order: Order, system: str, parts: Sequence[tuple[int, Event]], rules: Rules
) -> Case:
    """Merge a look's answer. What is new is planned for; the facts are those of the search."""
    held, known = dict(case.held), dict(case.known)
    there: dict[bytes, frozenset[str]] = {}
    gone: set[bytes] = set()
    case = _with_documents(case, parts)
    for number, part in parts:
        assert isinstance(part, e.HoldingsLocated)  # noqa: S101  _take gives parts of one answer
        for row in part.holdings:
            held[row.tag] = _held(held.get(row.tag), row, system, number, len(part.sealed))
            there[row.tag] = frozenset(row.categories)
        meet(known, part.identifiers, number)
        gone.update(part.gone)
    calls = sum(getattr(part, "calls", 0) for _, part in parts)
    case = _system(replace(case, held=held, known=known), system, calls=calls)
    if isinstance(order.ordered, e.SearchOrdered):
        case = by_hand.after_look(case, order.ordered, there, frozenset(gone))
    return rejudged(case, rules)


def _with_documents(case: Case, parts: Sequence[tuple[int, Event]]) -> Case:
    """What hosts tell to be customers' documents: once one is, it stays one."""
    told = {it.tag: it.of for _, part in parts for it in getattr(part, "documents", ())}
    return replace(case, documents={**case.documents, **told})


def _asked_by(case: Case, event: e.HoldingsLocated, parts: Sequence[tuple[int, Event]]) -> Case:
    """Whether the system could be asked by anything: nothing found means nothing otherwise.

    Orders of the first release did not ask hosts to tell.
    """
    order = case.order_of(event.order)
    asks = isinstance(order and order.ordered, e.SearchOrdered) and any(
        it.spelling
        for it in order.ordered.identifiers  # type: ignore[union-attr]
    )
    was = case.systems[event.system]
    told = any(getattr(part, "asked", ()) for _, part in parts)
    first = was.rounds <= 1
    askable = told or not asks or (was.askable and not first)
    ordered = order.ordered if order is not None else None
    answered = orders.asked_for(ordered) if isinstance(ordered, e.SearchOrdered) else frozenset()
    now = replace(was, askable=askable, answered=was.answered | answered)
    return replace(case, systems={**case.systems, event.system: now})


def search_failed(case: Case, event: e.SearchFailed, _: Rules) -> Case:
    """Unknown, never absent. What an earlier round found stays found."""
    order = case.order_of(event.order)
    if order is None or order.state == DONE:
        return case
    case = _ended(case, order, event)
    if order.slot[0] == LOOK:
        case = by_hand.after_no_look(case, order)
        return _system(case, event.system, calls=event.calls)
    case = _system(case, event.system, status="failed", reason=event.reason, calls=event.calls)
    return by_hand.after_search(case, event.system)


def search_overdue(case: Case, event: e.SearchOverdue, _: Rules) -> Case:
    was = case.systems[event.system]
    if was.final:
        return case
    late = {
        slot: replace(it, state=SPENT, reason="overdue")
        if slot[:2] == ("search", event.system) and it.state in {"open", "deferred"}
        else it
        for slot, it in case.orders.items()
    }
    reason = was.reason or "no_answer"
    case = _system(replace(case, orders=late), event.system, status="overdue", reason=reason)
    return by_hand.after_search(case, event.system)


def completed(case: Case, event: e.TaskCompleted, rules: Rules) -> Case:
    """Set what was done against what a look afterwards found: only both together prove anything."""
    case, parts = taken(case, event)
    if not parts:
        return case
    order = case.order_of(event.order)
    if order is None or not isinstance(order.ordered, e.TaskOrdered):
        return case
    done: dict[Row, OutcomeRow] = {}
    by: dict[Row, datetime] = {}
    looked: dict[bytes, tuple[int, HoldingRow]] = {}
    sealed: dict[int, int] = {}
    gone: set[bytes] = set()
    failed = ""
    known = dict(case.known)
    case = _with_documents(case, parts)
    for number, part in parts:
        assert isinstance(part, e.TaskCompleted)  # noqa: S101  _take gives parts of one answer
        done.update({(it.tag, it.category): by_day(of_host(it.outcome)) for it in part.done})
        by.update({(it.tag, it.category): it.outcome.until for it in part.done if it.outcome.until})
        looked.update({it.tag: (number, it) for it in part.looked})
        sealed[number] = len(part.sealed)
        gone.update(part.gone)
        meet(known, part.identifiers, number)
        failed = failed or part.looked_failed
    outcomes, leftover = dict(case.outcomes), dict(case.leftover)
    became = _judged(order.ordered.rows, done, looked, gone, failed)
    case = replace(case, waiting=waiting.after_task(case, order.ordered, became, by))
    for row, outcome in became.items():
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
    fresh = held.keys() != case.held.keys()
    case = replace(case, outcomes=outcomes, leftover=leftover, held=held, known=known)
    return rejudged(case, rules) if fresh else case


def declined(case: Case, event: e.TaskDeclined, _: Rules) -> Case:
    """Nothing was done: the plan it was ordered under no longer holds."""
    order = case.order_of(event.order)
    if order is None or order.state == DONE:
        return case
    case = _ended(case, order, event)
    told = {it.name: it for it in event.facts}
    facts = {**case.facts, event.system: {**case.facts.get(event.system, {}), **told}}
    plan = None if case.plan is None else replace(case.plan, state="stale")
    # What was to be kept was so under other facts: the next plan says it anew.
    kept = {row for row, it in case.outcomes.items() if class_of(it) == "kept"}
    outcomes = {row: it for row, it in case.outcomes.items() if row not in kept}
    case = _system(case, event.system, calls=event.calls)
    return replace(case, facts=facts, plan=plan, outcomes=outcomes)


def measure_taken(case: Case, event: e.MeasureTaken, _: Rules) -> Case:
    case, parts = taken(case, event)
    order = case.order_of(event.order)
    if not parts or order is None or not isinstance(order.ordered, e.MeasureOrdered):
        return case
    done = [row for _, part in parts for row in getattr(part, "done", ())]
    calls = sum(getattr(part, "calls", 0) for _, part in parts)
    return measures.taken(_system(case, event.system, calls=calls), order.ordered, done)


def signed(case: Case, event: e.ResponseSigned, _: Rules) -> Case:
    order = case.order_of(event.order)
    if order is None or order.state == DONE:
        return case
    case = _ended(case, order, event)
    left_out = frozenset(event.left_out)
    responses = tuple(
        replace(it, name=event.name, digest=event.digest, systems=it.systems - left_out)
        if it.n == event.n
        else it
        for it in case.responses
    )
    # What was not handed over was not copied, whoever says so: nothing of it is erased.
    held = {
        tag: replace(it, exported=False) if it.system in left_out else it
        for tag, it in case.held.items()
    }
    exports = tuple(it for it in case.exports if it.system not in left_out)
    return replace(case, responses=responses, held=held, exports=exports)


def notice_sent(case: Case, event: e.NoticeSent, _: Rules) -> Case:
    return _notified(case, event, "sent")


def notice_failed(case: Case, event: e.NoticeFailed, _: Rules) -> Case:
    return _notified(case, event, f"failed: {event.reason}")


def _notified(case: Case, event: e.NoticeSent | e.NoticeFailed, how: str) -> Case:
    order = case.order_of(event.order)
    if order is None or order.state == DONE or order.slot[0] != NOTICE:
        return case
    case = _ended(case, order, event)
    if isinstance(event, e.NoticeFailed):
        case = _with(case, replace(case.orders[order.slot], reason=event.reason))
    else:
        case = _with(case, replace(case.orders[order.slot], reason=""))
    ordered = order.ordered
    if isinstance(ordered, e.NoticeOrdered):
        case = marks.told(case, ordered, arrived=isinstance(event, e.NoticeSent))
    n = ordered.response if isinstance(ordered, e.NoticeOrdered) else 0
    responses = tuple(replace(it, notified=how) if it.n == n else it for it in case.responses)
    return replace(case, responses=responses)


def instruction_sent(case: Case, event: e.InstructionSent, _: Rules) -> Case:
    case, ordered = _instructed(case, event)
    return case if ordered is None else recipients.sent(case, ordered, event.at)


def instruction_failed(case: Case, event: e.InstructionFailed, _: Rules) -> Case:
    case, ordered = _instructed(case, event)
    return case if ordered is None else recipients.failed(case, ordered, event.reason)


def _instructed(
    case: Case, event: e.InstructionSent | e.InstructionFailed
) -> tuple[Case, e.InstructionOrdered | None]:
    """The case with that order ended, and the order; None if its end was told before."""
    order = case.order_of(event.order)
    if order is None or order.state == DONE or order.slot[0] != INSTRUCTION:
        return case, None
    ordered = order.ordered
    ended = _ended(case, order, event)
    return ended, ordered if isinstance(ordered, e.InstructionOrdered) else None


def taken(case: Case, event: InParts) -> tuple[Case, tuple[tuple[int, Event], ...]]:
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


def is_part(case: Case, event: Event) -> bool:
    """Whether an answer is not all there yet: a part of it changes nothing."""
    if not isinstance(event, InParts):
        return False
    order = case.order_of(event.order)
    return order is not None and bool(order.parts)


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
            if task.tag in gone and not failed:
                judged[task.tag, category] = said if _proves(said) else GONE
            elif failed or task.tag not in looked:
                waits = said is not None and said.kind == QUEUED  # it is looked for again
                judged[task.tag, category] = said if waits else NOT_LOOKED
            elif category not in looked[task.tag][1].categories:
                judged[task.tag, category] = said if _proves(said) else GONE
            else:
                judged[task.tag, category] = None if said is None or _proves(said) else said
    return judged


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
        bears=row.bears,
        part_of=row.part_of,
    )
    if before is None:
        return found
    fresh = found.categories - before.categories if before.exported else frozenset[str]()
    return replace(
        before,
        categories=before.categories | found.categories,
        exported=before.exported or found.exported,
        bears=found.bears or before.bears,
        part_of=found.part_of or before.part_of,
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
