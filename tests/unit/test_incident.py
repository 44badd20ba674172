"""An incident as a fold of its events: counts in any order, portions, letters sent again."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from random import Random
from time import process_time
from typing import get_args
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import flow
from pipeline.case import breach_stale
from pipeline.case.brake import Brake
from pipeline.case.case import Case
from pipeline.case.decide import StaleError, decide
from pipeline.case.dues import dues, event_of, is_still_due
from pipeline.case.fold import fold
from pipeline.case.incident import TRIES, Counts, Incident, clock, counts
from pipeline.case.rules import Given
from pipeline.kafka.wire import answer_id
from schemas import events as e
from schemas.events import Event
from schemas.records import IdentifierRow

from .worlds import CASE, START, rules, tag

LIST = b"a list of people"


class Breach:
    """An incident on its way: what the ledger has, and the time."""

    def __init__(self) -> None:
        self.case: Case | None = None
        self.now = START
        self.ledger: list[Event] = []
        self._seen: set[UUID] = set()
        self._ids = count()

    @property
    def incident(self) -> Incident:
        assert self.case is not None
        assert self.case.incident is not None
        return self.case.incident

    def take(
        self, event: Event, named: UUID | None = None, *, people: tuple[IdentifierRow, ...] = ()
    ) -> list[Event]:
        """Decide one event, unless the ledger has it; what follows."""
        named = named or uuid5(CASE, f"{next(self._ids)}")
        if named in self._seen:
            return []
        given = Given(now=self.now, identifiers=people, roles=("dpo",) if people else ())
        self.case, said = decide(
            self.case, event, named, stages=flow.STAGES, rules=rules(), given=given
        )
        self._seen.add(named)
        self.ledger += [it.event for it in said]
        return [it.event for it in said[1:]]

    def open(self) -> None:
        self.take(
            e.IncidentOpened(
                case=CASE,
                by="dpo",
                what="confidentiality",
                aware_at=START,
                since=START - timedelta(days=1),
                systems=("salesforce",),
                categories=("contact",),
            )
        )

    def affect(self, names: list[str], part: int = 1, parts: int = 1) -> None:
        people = tuple(IdentifierRow(tag=tag(it), kind="email") for it in names)
        event = e.PeopleAffected(case=CASE, by="dpo", list=LIST, part=part, parts=parts)
        self.take(event, people=people)

    def release(self) -> None:
        self.take(e.BreachNoticesReleased(case=CASE, by="dpo", at=self.now))

    def tick(self, how_long: timedelta = timedelta(0)) -> list[e.NoticeOrdered]:
        """What is due by then: the letters that are ordered."""
        assert self.case is not None
        self.now += how_long
        found: list[Event] = []
        for due in sorted(dues(self.case, rules())):
            if due.at <= self.now and is_still_due(self.case, due, rules(), Brake()):
                named = uuid5(CASE, f"{due.kind}/{due.ref}/{due.at}")
                found += self.take(event_of(CASE, due), named)
        return [it for it in found if isinstance(it, e.NoticeOrdered) and it.kind == "breach"]

    def answer(self, order: e.NoticeOrdered, reason: str = "") -> None:
        """What the host says of an attempt; the same twice is the same."""
        sent = e.NoticeSent(case=CASE, order=order.order, system="notice")
        failed = e.NoticeFailed(case=CASE, order=order.order, system="notice", reason=reason)
        said = failed if reason else sent
        self.take(said, answer_id(order.order, said))


def begun(*names: str) -> Breach:
    made = Breach()
    made.open()
    made.affect(list(names))
    made.release()
    return made


def test_equal_addresses_are_one_person_in_whatever_list_they_are() -> None:
    made = begun("ann", "bob", "ann")
    made.take(
        e.PeopleAffected(case=CASE, by="dpo", list=b"another list ...", part=1, parts=1),
        people=(IdentifierRow(tag=tag("bob"), kind="email"),),
    )
    assert counts(made.incident).affected == 2
    assert sorted(it.identifier for it in made.tick()) == sorted((tag("ann"), tag("bob")))
    assert made.tick() == []


def test_what_failed_is_sent_again_with_growing_pauses_and_then_a_person_sees_to_it() -> None:
    made = begun("ann", "bob")
    orders = made.tick()
    bobs, anns = sorted(orders, key=lambda it: it.identifier == tag("ann"))
    made.answer(anns)
    pauses, last = [], bobs
    for _ in range(TRIES - 1):
        made.answer(last, "refused_by_server")
        assert made.tick() == [], "not at once"
        waited = timedelta(0)
        while not (again := made.tick(timedelta(minutes=20))):
            waited += timedelta(minutes=20)
        (last,) = again
        pauses.append(waited)
        assert last.n == bobs.n, "it is the same letter"
    assert pauses == sorted(pauses)
    made.answer(last, "refused_by_server")
    assert made.tick(timedelta(days=2)) == []
    assert counts(made.incident) == Counts(affected=2, told=1, failed=1)
    made.answer(last, "")
    assert counts(made.incident).told == 2, "it was sent after all"


def test_an_order_that_nobody_answers_is_given_again() -> None:
    made = begun("ann")
    (order,) = made.tick()
    assert made.tick(timedelta(minutes=19)) == []
    (again,) = made.tick(timedelta(minutes=2))
    assert (again.n, again.attempt) == (order.n, 2)
    made.answer(order)
    assert counts(made.incident).told == 1, "whichever attempt says so"
    assert made.tick(timedelta(days=3)) == []


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), people=st.integers(1, 12))
def test_any_order_and_repetition_of_answers_gives_the_same_counts(seed: int, people: int) -> None:
    """Each letter ends sent, or as an address that is none; answers come late, twice, mixed up."""
    random, names = Random(seed), [f"person {n}" for n in range(people)]
    ends = {tag(it): random.choice(("", "bad_address")) for it in names}
    made = begun(*names)
    known: list[e.NoticeOrdered] = []
    for _ in range(30):
        known += made.tick(timedelta(minutes=random.choice((0, 1, 25))))
        random.shuffle(known)
        for it in known[: random.randint(0, len(known))]:
            made.answer(it, ends[it.identifier])
    for it in known:
        made.answer(it, ends[it.identifier])
    wrong = sum(map(bool, ends.values()))
    assert counts(made.incident) == Counts(affected=people, told=people - wrong, failed=wrong)
    again = fold(made.ledger, rules())
    assert again is not None
    assert again.incident == made.incident, "the ledger tells the same"


def test_a_portion_is_written_to_at_a_time() -> None:
    made = Breach()
    made.open()
    for part in (1, 2):
        made.affect([f"{part}/{n}" for n in range(5)], part, 2)
    made.release()
    first = made.tick()
    assert len(first) == 5
    assert made.tick() == [], "the others would lapse behind these"
    for it in first:
        made.answer(it)
    assert len(made.tick()) == 5
    numbers = [it.n for it in made.ledger if isinstance(it, e.NoticeOrdered)]
    assert len(numbers) == len(set(numbers)), "a mail's name is made of its number"


def test_twenty_thousand_are_told_in_time_that_grows_with_them() -> None:
    small, large = _cost(2_000), _cost(20_000)
    assert large < 25 * small + 1, (small, large)


def _cost(people: int) -> float:
    began, made, at_once = process_time(), Breach(), 500
    made.open()
    for part in range(people // at_once):
        names = [f"{part}/{n}" for n in range(at_once)]
        made.affect(names, part + 1, people // at_once)
    made.release()
    while orders := made.tick():
        for it in orders:
            made.answer(it)
    assert counts(made.incident) == Counts(affected=people, told=people)
    return process_time() - began


def test_a_request_knows_no_decision_about_a_breach_nor_the_other_way_round() -> None:
    made = begun("ann")
    with pytest.raises(StaleError, match="no request"):
        made.take(e.ClaimWithdrawn(case=CASE, by="dpo", right="access"))
    later = e.AuthorityNotified(case=CASE, by="dpo", at=START + timedelta(hours=1))
    with pytest.raises(StaleError, match="to come"):
        made.take(later)


def test_hours_are_counted_from_awareness_to_the_minute() -> None:
    made = begun("ann")
    made.now += timedelta(hours=72)
    assert not clock(made.incident, made.now).is_late
    assert clock(made.incident, made.now + timedelta(minutes=1)).is_late
    made.take(e.AuthorityNotified(case=CASE, by="dpo", at=made.now))
    told = clock(made.incident, made.now + timedelta(days=30))
    assert told.notified_after == timedelta(hours=72)
    assert not told.is_late


def test_a_system_that_cannot_list_whom_it_holds_is_unknown() -> None:
    made = Breach()
    made.open()
    event = e.PeopleSought(case=CASE, by="dpo", at=START, systems=("salesforce", "freshdesk"))
    orders = [it for it in made.take(event) if isinstance(it, e.PeopleOrdered)]
    assert {it.system for it in orders} == {"salesforce", "freshdesk"}
    ordered = {it.system: it.order for it in orders}
    failed = e.ListingFailed(
        case=CASE, order=ordered["freshdesk"], system="freshdesk", reason="not_offered"
    )
    made.take(failed)
    for part, name in ((2, "bob"), (1, "ann")):
        assert made.incident.unreachable == 0, "a part says nothing yet"
        listed = e.PeopleListed(
            case=CASE,
            order=ordered["salesforce"],
            system="salesforce",
            part=part,
            parts=2,
            digest=b"d",
            people=(IdentifierRow(tag=tag(name), kind="email"),),
            unreachable=3,
        )
        made.take(listed)
    assert counts(made.incident) == Counts(affected=5, waiting=2, unreachable=3)
    assert made.incident.unlisted == {"freshdesk": "not_offered"}
    made.release()
    (ann,) = made.tick()
    made.answer(ann)
    (bob,) = made.tick()
    assert [ann.identifier, bob.identifier] == [tag("ann"), tag("bob")]


def listed(made: Breach, unreachable: int, *kinds: str) -> None:
    """A system is asked whom it holds, all of them or kind by kind, and answers."""
    event = e.PeopleSought(
        case=CASE, by="dpo", at=made.now, systems=("salesforce", "salesforce"), kinds=kinds
    )
    (order,) = (it for it in made.take(event) if isinstance(it, e.PeopleOrdered))
    made.take(
        e.PeopleListed(
            case=CASE,
            order=order.order,
            system="salesforce",
            part=1,
            parts=1,
            digest=b"d",
            people=(IdentifierRow(tag=tag("ann"), kind="email"),),
            unreachable=unreachable,
        )
    )


def test_who_has_no_address_is_counted_once_however_often_they_are_listed() -> None:
    made = Breach()
    made.open()
    listed(made, 2, "contact")
    listed(made, 1, "lead")
    assert counts(made.incident) == Counts(affected=4, waiting=1, unreachable=3)
    for _ in "12":
        listed(made, 3)
        assert counts(made.incident) == Counts(affected=4, waiting=1, unreachable=3)


def test_that_the_authority_was_notified_stays_on_record() -> None:
    made = Breach()
    made.open()
    told = e.AuthorityNotified(case=CASE, by="dpo", at=made.now, how="notified", reference="DPC-1")
    made.take(told)
    with pytest.raises(StaleError, match="notified already"):
        made.take(e.AuthorityNotified(case=CASE, by="dpo", at=made.now, how="no_risk"))


def test_every_decision_is_about_requests_or_incidents_or_known_to_be_about_both() -> None:
    about = [*get_args(breach_stale.OF_INCIDENTS), *get_args(breach_stale.OF_REQUESTS)]
    both = {e.ItemSettled, e.ItemTaken}
    assert len(about) == len(set(about))
    assert {*flow.BY_PEOPLE} == {*about, *both} - {e.RequestReceived, e.RecipientAcknowledged}
