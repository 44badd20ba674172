"""What a case puts off, when that is looked at again, and what the case that looks is about.

What is kept or goes by itself is an obligation. On its day it becomes a case of its own: nobody
asks for it, it is about the obligations' rows and nothing else, and the route does the rest. What
it finds is gone, or erased, or put off once more, with the reason; what nobody could look at is
looked at again soon, and too often in vain is for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from schemas import events as e
from schemas.records import ClosedRow, DueRow, OutcomeRow, TaskRow, UsedRow

from . import lifecycle
from .case import LAPSED, MAX_DELTAS, Case, FollowUp, Held, Obligation, Row, Terms
from .deadline import plus_months
from .outcome import OF_PEOPLE
from .outcome import state as class_of
from .plan import UNDECIDED
from .planned import planned
from .portions import BYTES, ROWS, portions
from .rights import ERASURE
from .rules import Rules
from .values import replace
from .waiting import BLANK, GONE, NOT_LOOKED
from .whose import SAME

MARGIN = timedelta(days=1)
"""Vendors empty their bins, and end their locks, within the day."""
SOON = timedelta(days=7)
"""What could not be looked at is tried again after so long."""
LATEST = datetime.max.replace(tzinfo=UTC) - 3 * MARGIN
WAITING, LOOKING = "waiting", "looking"
DONE, BY_HAND, RENEWED, UNREADABLE = "done", "by hand", "renewed", "unreadable"
"""What becomes of an obligation."""
REPORTED = frozenset({lifecycle.ANSWERED, lifecycle.PEOPLE})
INTAKE = "obligation"
"""In place of an intake's name: it came in by itself."""
SOURCE = 2
"""Number of the event of a follow-up that seals the ids of what it looks at: `case_opened`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """Rows of one system that are put off alike, few enough for one record."""

    system: str
    terms: Terms
    times: int
    look_at: datetime
    portion: tuple[Held, ...]
    rows: Mapping[bytes, tuple[str, ...]]
    """Categories by holding."""


def look_at(until: datetime | None, now: datetime) -> datetime:
    """When to look again: the day after its date is over, or in a year if it has none."""
    if until is None:
        later = plus_months(now.date(), 12)
        return now.replace(year=later.year, month=later.month, day=later.day)
    after = max(min(until, LATEST), now) + MARGIN
    day = after.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day == after else day + MARGIN


def put_off(case: Case, rules: Rules, now: datetime) -> Iterator[PutOff]:
    """What no obligation is about yet: one for every system, state, rule and date.

    What does not fit into one record is several.
    """
    groups: dict[tuple[str, Terms, int, datetime], dict[bytes, list[str]]] = {}
    for (tag, category), terms, times, at in _later(case, rules, now):
        if ((tag, category), terms) not in case.owed:
            group = groups.setdefault((case.held[tag].system, terms, times, at), {})
            group.setdefault(tag, []).append(category)
    for (system, terms, times, at), rows in groups.items():
        for portion in portions(case.held[tag] for tag in rows):
            yield PutOff(
                system=system,
                terms=terms,
                times=times,
                look_at=at,
                portion=tuple(portion),
                rows={it.tag: tuple(rows[it.tag]) for it in portion},
            )


def _later(case: Case, rules: Rules, now: datetime) -> Iterator[tuple[Row, Terms, int, datetime]]:
    """Each row that is kept, or dated; and of a follow-up, what could not be looked at."""
    before = {} if case.follow_up is None else case.follow_up.rows
    for row, outcome in sorted(case.outcomes.items(), key=lambda pair: pair[0]):
        state = class_of(outcome)
        if state in {"kept", "dated"}:
            again = state == "dated" and row in before
            times = before[row].times + 1 if again else 0
            yield row, (state, outcome.rule, outcome.until), times, look_at(outcome.until, now)
    for row, due in sorted(unfinished(case, rules).items(), key=lambda pair: pair[0]):
        if due.times < MAX_DELTAS:
            yield row, (due.state, due.rule, due.until), due.times + 1, now + SOON


def unfinished(case: Case, rules: Rules) -> dict[Row, DueRow]:
    """What a follow-up was to look at, and of which it is not known what became of it."""
    if case.follow_up is None:
        return {}
    undecided = {row for row, it in planned(case, rules).items() if it.action == UNDECIDED}
    found = {}
    for row, due in case.follow_up.rows.items():
        outcome = case.outcomes.get(row)
        failed = outcome.kind == "failed" if outcome else not was_seen(case, row)
        if failed or row in undecided:
            found[row] = due
    return found


def was_seen(case: Case, row: Row) -> bool:
    """Whether the search of a row's system came to an end that says something."""
    return case.systems[case.held[row[0]].system].status == "located"


def packed(case: Case, found: Iterable[PutOff]) -> Iterator[tuple[UUID, PutOff]]:
    """With each the id of the case that will look: one a day, if it fits into a record.

    The number of the case's last event keeps apart what is put off by different decisions.
    """
    n, day, count, sealed = 0, None, 0, dict[int, int]()
    for it in sorted(found, key=lambda it: (it.look_at, it.system, it.terms[0])):
        adds = {of.source: of.sealed for of in it.portion}
        too_much = count + len(it.portion) > ROWS or sum({**sealed, **adds}.values()) > BYTES
        if day != it.look_at.date() or too_much:
            n, day, count, sealed = n + 1, it.look_at.date(), 0, {}
        count, sealed = count + len(it.portion), {**sealed, **adds}
        yield uuid5(case.id, f"follow_up/{day}/{case.number}/{n}"), it


def due_dates(case: Case) -> dict[UUID, datetime]:
    """The cases that are still to look at what this one put off, or erased, and when each does."""
    put_off = {it.follow_up: it.look_at for it in case.obligations if it.status == WAITING}
    return {**put_off, **dict.fromkeys(case.replays, case.received_at)}


def opened(
    parent: Case,
    follow_up: UUID,
    tags: Mapping[bytes, bytes],
    rows: Mapping[UUID, e.ObligationOpened],
    now: datetime,
) -> e.FollowUpOpened:
    """The first event of a case that looks at what `parent` put off for it, or erases it again.

    `rows` has the event that opened each obligation, `tags` what each of its tags is called anew.
    """
    return e.FollowUpOpened(
        case=follow_up,
        parent=parent.id,
        request=parent.id if parent.follow_up is None else parent.follow_up.request,
        asked_at=parent.received_at if parent.follow_up is None else parent.follow_up.asked_at,
        opened_at=now,
        level=parent.level,
        method=parent.method,
        identifiers=tuple(
            UsedRow(tag=tags[tag], kind=parent.known[tag].kind, how=how)
            for tag, how in parent.usable().items()
            if tag in tags
        ),
        said=tuple(tags[it] for it, said in parent.said.items() if said == SAME and it in tags),
        obligations=tuple(_due_row(it, tags) for it in rows.values()),
        systems=parent.replays.get(follow_up, ()),
    )


def _due_row(it: e.ObligationOpened, tags: Mapping[bytes, bytes]) -> DueRow:
    return DueRow(
        obligation=it.obligation,
        system=it.system,
        state=it.state,
        rows=tuple(TaskRow(tag=tags[of.tag], kind=of.kind, erase=of.erase) for of in it.rows),
        rule=it.rule,
        until=it.until,
        times=it.times,
    )


def begun(event: e.FollowUpOpened) -> Case:
    """The case after its first event: what it is to look at is named, and not seen yet."""
    held: dict[bytes, Held] = {}
    rows: dict[Row, DueRow] = {}
    for due in event.obligations:
        for it in due.rows:
            rows |= dict.fromkeys(((it.tag, category) for category in it.erase), due)
            carried = frozenset(it.erase)
            if it.tag in held:
                carried |= held[it.tag].categories
            held[it.tag] = Held(
                tag=it.tag, system=due.system, kind=it.kind, categories=carried, source=SOURCE
            )
    return Case(
        id=event.case,
        number=1,
        received_at=event.opened_at,
        due_at=event.opened_at,
        lapsed=event.method == LAPSED,
        proofs={it.tag: it.how for it in event.identifiers},
        said=dict.fromkeys(event.said, SAME),
        held=held,
        follow_up=FollowUp(
            parent=event.parent,
            request=event.request,
            asked_at=event.asked_at,
            rows=rows,
            systems=frozenset(event.systems),
        ),
    )


def systems(case: Case, follow_up: FollowUp, rules: Rules) -> frozenset[str]:
    """The systems that a follow-up asks: those it is about, and those that tell what it needs."""
    if follow_up.systems:  # what it needs is not known before it was searched
        return follow_up.systems.union(it for it in rules.systems if rules.tells_facts(it))
    rows = {(case.held[tag].system, case.held[tag].kind, it) for tag, it in follow_up.rows}
    facts = rules.policy_of(case.policy).facts_about(rows)
    about = frozenset(system for system, _, _ in rows)
    return about.union(*(rules.sources(it) for it in facts))


def after_search(
    case: Case,
    order: e.SearchOrdered,
    there: Mapping[bytes, frozenset[str]],
    gone: frozenset[bytes],
) -> Case:
    """What a search says of the rows that it named; `there` is what each holding carries.

    What shows is planned for, unless it was to go by itself, and too often has not.
    """
    if case.follow_up is None:
        return case
    named = {it.tag for it in order.known}
    outcomes, leftover = dict(case.outcomes), dict(case.leftover)
    for row, due in case.follow_up.rows.items():
        tag, category = row
        if tag not in named or row in outcomes:
            continue
        if category not in there.get(tag, ()):
            outcomes[row] = _not_shown(tag, there, gone)
        elif due.state == "dated" and due.times >= MAX_DELTAS:
            leftover[row] = MAX_DELTAS + 1
    return replace(case, outcomes=outcomes, leftover=leftover)


def _not_shown(
    tag: bytes, there: Mapping[bytes, frozenset[str]], gone: frozenset[bytes]
) -> OutcomeRow:
    if tag in there:
        return BLANK
    return GONE if tag in gone else NOT_LOOKED


def ended(case: Case) -> datetime | None:
    """When a follow-up came to its end; None while anything of it waits, also for people."""
    claim = case.claims.get(ERASURE)
    if case.follow_up is None or case.follow_up.closed or claim is None:
        return None
    if case.state not in REPORTED or case.under_way() or case.waiting:
        return None
    if case.follow_up.systems and case.state != lifecycle.ANSWERED:
        return None
    return claim.settled_at if all(how_ended(case, row) for row in case.follow_up.rows) else None


def closed(case: Case) -> tuple[ClosedRow, ...]:
    """How each obligation of a follow-up ended: renewed, if anything of it was put off again."""
    ends: dict[UUID, set[str]] = {}
    for row, due in ({} if case.follow_up is None else case.follow_up.rows).items():
        ends.setdefault(due.obligation, set()).add(how_ended(case, row))
    return tuple(
        ClosedRow(obligation=it, how=next(how for how in (RENEWED, BY_HAND, DONE) if how in hows))
        for it, hows in ends.items()
    )


def how_ended(case: Case, row: Row) -> str:
    """How a follow-up's row ended: done, by a person's word, or put off again; else empty."""
    outcome = case.outcomes.get(row)
    if outcome is not None and class_of(outcome) == "proved":
        return DONE
    if any(it.kind in OF_PEOPLE for it in _said(case, row)):
        return BY_HAND
    return RENEWED if any(of == row for of, _ in case.owed) else ""


def _said(case: Case, row: Row) -> Iterator[OutcomeRow]:
    """What a person says of a row, or of the whole system that it is in."""
    for it in (row, (b"", case.held[row[0]].system)):
        if (ERASURE, it) in case.by_hand:
            yield case.by_hand[ERASURE, it]


def unreadable(parent: Case, follow_up: UUID) -> tuple[ClosedRow, ...]:
    """The obligations that nobody can look at any more: their key is gone."""
    lost = (it for it in parent.obligations if it.follow_up == follow_up)
    return tuple(ClosedRow(obligation=it.id, how=UNREADABLE) for it in lost)


def obligation(case: Case, event: e.ObligationOpened) -> Obligation:
    """What a case knows of an obligation that it opened; of releases before, without a date."""
    return Obligation(
        id=event.obligation,
        system=event.system,
        state=event.state,
        count=sum(len(it.erase) for it in event.rows),
        rule=event.rule,
        until=event.until,
        look_at=event.look_at or look_at(event.until, case.received_at),
        follow_up=event.follow_up or event.obligation,
        source=case.number,
    )
