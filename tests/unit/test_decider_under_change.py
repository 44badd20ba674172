"""Whatever changes, fails or falls silent while a case is under way: it settles, and its sums hold.

Random worlds by seed: what systems hold and tell changes between and within orders, hosts fail, say
nothing, or cannot look. A failure names its seed, and is the same each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID, uuid5

import pytest

from pipeline.case import follow_up, inbox, reviews, weighing
from pipeline.case.brake import EVERY, Brake
from pipeline.case.case import Case
from pipeline.case.coverage import coverage, difference
from pipeline.case.fold import fold
from pipeline.case.planned import turns
from pipeline.case.portions import portions
from pipeline.response.report import regarded
from pipeline.stages import fan_out
from pipeline.stages.report import broken
from schemas import codec
from schemas import events as e
from schemas.events import Event
from schemas.records import DoneRow, FactRow, FoundRow, OutcomeRow, RetentionRow

from .worlds import CASE, Run, Thing, World, row_of, rules, tag

CATEGORIES = ("identity", "contact", "profile", "marketing", "transaction")
KINDS: Mapping[str, tuple[str, ...]] = {
    "freshdesk": ("contact", "ticket"),
    "salesforce": ("contact", "lead"),
    "stripe": ("customer", "payment_method", "charge"),
}
TOLD = {"salesforce": ("customer",), "stripe": ("customer", "open_dispute")}
MOST_PLANS = 40
STEPS = 3000
SEEDS = 50


@dataclass(frozen=True, kw_only=True)
class Chaos:
    """How likely each thing is to happen, each time that it could."""

    grows: float = 0
    facts: float = 0
    appears: float = 0
    changes: int = 6
    """How many of the three above there are, at most."""
    refused: float = 0
    silent: float = 0
    """A host says nothing to one attempt."""
    search_never: float = 0
    task_never: float = 0
    """A host says nothing to any attempt."""
    search_fails: float = 0
    look_fails: float = 0
    queues: float = 0
    """Of all things, so many are erased by a job, which may take longer than was said."""


CHAOS = {
    "grows": Chaos(grows=0.15, changes=8),
    "facts": Chaos(facts=0.3, changes=4),
    "appears": Chaos(appears=0.3, changes=4),
    "refused": Chaos(refused=0.2),
    "silent": Chaos(silent=0.15),
    "look_fails": Chaos(look_fails=0.2),
    "search_fails": Chaos(search_fails=0.25),
    "search_never": Chaos(search_never=0.2),
    "search_never_and_grows": Chaos(search_never=0.2, grows=0.1),
    "task_never": Chaos(task_never=0.2),
    "task_never_and_grows": Chaos(task_never=0.2, grows=0.15, changes=8),
    "silent_and_grows": Chaos(silent=0.3, grows=0.15, changes=8),
    "queues": Chaos(queues=0.5),
    "queues_and_grows": Chaos(queues=0.5, grows=0.15, changes=8),
    "queues_and_falls_silent": Chaos(
        queues=0.5, silent=0.2, task_never=0.1, look_fails=0.2, search_fails=0.1
    ),
    "all": Chaos(
        grows=0.1,
        facts=0.1,
        appears=0.1,
        refused=0.1,
        silent=0.1,
        look_fails=0.1,
        queues=0.3,
        changes=10,
    ),
}


@dataclass
class Changing(World):
    """A world that changes under the decider, and remembers what it let go of uncopied."""

    random: Random = field(default_factory=Random)
    chaos: Chaos = field(default_factory=Chaos)
    must_copy: bool = False
    copied: set[tuple[str, str]] = field(default_factory=set)
    uncopied: list[tuple[str, str]] = field(default_factory=list)
    """What was erased without a copy, though one was asked for."""
    changed: int = 0
    answered: set[Any] = field(default_factory=set)
    never: set[Any] = field(default_factory=set)

    def run_jobs(self) -> None:
        before = len(self.erased)
        super().run_jobs()
        if self.must_copy:
            self.uncopied += [it for it in self.erased[before:] if it not in self.copied]

    def answer(self, order: Event) -> Iterator[Event]:
        self.run_jobs()
        if not isinstance(order, e.SearchOrdered | e.TaskOrdered):
            yield from super().answer(order)
            return
        self.change()
        if self._says_nothing(order):
            return
        if isinstance(order, e.TaskOrdered):
            yield self._done(order)
        elif self._happens(self.chaos.search_fails):
            yield e.SearchFailed(
                case=order.case, order=order.order, system=order.system, reason="forbidden"
            )
        else:
            yield from self._found(order)

    def change(self) -> None:
        """Let something grow, be told otherwise, or appear."""
        for things in self.things.values():
            for it in things:
                if self._changes(self.chaos.grows):
                    it.categories.add(self.random.choice(CATEGORIES))
        if self._changes(self.chaos.facts):
            system = self.random.choice(sorted(TOLD))
            name = self.random.choice(TOLD[system])
            self.facts[system][name] = self.random.choice(("true", "false"))
        if self._changes(self.chaos.appears):
            system = self.random.choice(sorted(KINDS))
            name = f"new-{self.changed}"
            self.things[system].append(thing(self.random, system, name, self.chaos.queues))

    def _happens(self, likely: float) -> bool:
        return self.random.random() < likely

    def _changes(self, likely: float) -> bool:
        if self.changed >= self.chaos.changes or not self._happens(likely):
            return False
        self.changed += 1
        return True

    def _says_nothing(self, order: e.SearchOrdered | e.TaskOrdered) -> bool:
        slot = type(order), getattr(order, "purpose", ""), order.system, order.n
        is_search = isinstance(order, e.SearchOrdered)
        likely = self.chaos.search_never if is_search else self.chaos.task_never
        if slot in self.never or self._happens(self.chaos.silent):
            return True
        if slot not in self.answered and self._happens(likely):
            self.never.add(slot)
            return True
        self.answered.add(slot)
        return False

    def _found(self, order: e.SearchOrdered) -> Iterator[Event]:
        """As a host answers: what an earlier round has copied is not copied again."""
        named = {tag(it.name): it.name for it in self.things[order.system]}
        earlier = {it.tag for it in order.known if it.exported}
        for part in super().answer(order):
            assert isinstance(part, e.HoldingsLocated)
            rows = [
                replace(it, exported=it.exported and it.tag not in earlier) for it in part.holdings
            ]
            self.copied |= {(named[it.tag], c) for it in rows if it.exported for c in it.categories}
            yield replace(part, holdings=tuple(rows))

    def _done(self, order: e.TaskOrdered) -> Event:
        by = {tag(it.name): it for it in self.things[order.system]}
        told = self.facts.get(order.system, {})
        begun = any(not by[it.tag].categories & set(it.erase) for it in order.rows)
        if not begun and any(told.get(it.name, it.value) != it.value for it in order.facts):
            return e.TaskDeclined(
                case=order.case,
                order=order.order,
                system=order.system,
                reason="facts_changed",
                facts=tuple(FactRow(name=name, value=value) for name, value in told.items()),
            )
        done = [
            DoneRow(tag=row.tag, category=category, outcome=self._erased(by[row.tag], category))
            for row in order.rows
            if by[row.tag].categories <= {*row.erase, *row.keep}
            for category in row.erase
        ]
        self.change()
        looked = self._happens(self.chaos.look_fails)
        return e.TaskCompleted(
            case=order.case,
            order=order.order,
            system=order.system,
            part=1,
            parts=1,
            digest=tag(f"{done}{self.random.random()}"),
            done=tuple(done),
            looked=() if looked else tuple(row_of(it) for it in by.values() if it.categories),
            gone=() if looked else tuple(it.tag for it in order.rows if not by[it.tag].categories),
            looked_failed="forbidden" if looked else "",
        )

    def _erased(self, it: Thing, category: str) -> OutcomeRow:
        if category not in it.categories:
            return OutcomeRow(kind="redacted")
        if self._happens(self.chaos.refused):
            until = datetime(2030, 1, self.random.randrange(1, 28), 12, tzinfo=UTC)
            locked = OutcomeRow(kind="blocked", reason="lock", until=until)
            return self.random.choice([OutcomeRow(kind="failed", reason="refused"), locked])
        if it.queue:
            return self.queued(it, category)
        if not it.sticky:
            it.categories.discard(category)
            self.erased.append((it.name, category))
            if self.must_copy and (it.name, category) not in self.copied:
                self.uncopied.append((it.name, category))
        return it.says


def thing(random: Random, system: str, name: str, queues: float = 0) -> Thing:
    queue = timedelta(minutes=random.choice([0, 5, 90, 3000])) + timedelta(seconds=1)
    return Thing(
        name=f"{system}-{name}",
        kind=random.choice(KINDS[system]),
        categories=set(random.sample(CATEGORIES, random.randrange(1, 4))),
        by=frozenset(random.sample(["first", "2nd"], random.choice([1, 1, 2]))),
        named=random.random() < 0.7,
        sticky=random.random() < 0.1,
        queue=queue if random.random() < queues else None,
        takes=queue * random.choice([0.01, 0.5, 0.9, 1.5, 20]),
        differs=random.random() < 0.3,
    )


def disputed(run: Run) -> list[inbox.About]:
    """What a person is to correct or carry out, or to say that it stays."""
    items = inbox.waiting(run.case, run.rules) if run.case is not None else ()
    abouts = (it.about for it in items if it.about is not None)
    return [it for it in abouts if it.was.reason in {"other_value", "carry_out"}]


def corrected(run: Run, random: Random, about: inbox.About) -> list[Event]:
    """A person corrects what the vendor has of it, or says that it stays as it is."""
    how = random.choice(["done", "not_possible"])
    for it in run.world.things.get(about.system, ()):
        it.differs = it.differs and (how != "done" or it.kind != about.kind)
    event = e.ItemSettled(
        case=CASE,
        by="dpo",
        at=run.now,
        right=about.right,
        system=about.system,
        kind=about.kind,
        was=about.was,
        how=how,
        reason="" if how == "done" else "others_rights",
    )
    return run.decide(event)


def world(random: Random, chaos: Chaos, *, must_copy: bool) -> Changing:
    things = {
        system: [thing(random, system, str(n), chaos.queues) for n in range(random.randrange(6))]
        for system in KINDS
    }
    facts = {
        system: {name: random.choice(("true", "false")) for name in names}
        for system, names in TOLD.items()
    }
    leads_to = {"freshdesk-0": "2nd"} if things["freshdesk"] else {}
    return Changing(
        things=things,
        facts=facts,
        leads_to=leads_to,
        random=random,
        chaos=chaos,
        must_copy=must_copy,
    )


def go(run: Run, random: Random, claims: tuple[str, ...], purpose: str = "") -> Case:
    """Deliver in some order, approve, weigh, and let time pass, until all is at rest."""
    orders, answers = run.start(*claims, purpose=purpose), []
    for _ in range(STEPS):
        case = run.case
        assert case is not None
        if orders:
            system = getattr(random.choice(orders), "system", "")
            of_host = (n for n, it in enumerate(orders) if getattr(it, "system", "") == system)
            answers += run.answers(orders.pop(next(of_host)))  # a host keeps a case's order
        elif answers:
            first = 0 if random.random() < 0.8 else random.randrange(len(answers))
            orders += run.take(*answers.pop(first))
        elif case.plan is not None and case.plan.state == "asked":
            approved = e.PlanApproved(case=CASE, by="cli", digest=case.plan.digest)
            orders += run.take(approved, uuid5(CASE, f"approved {case.plan.n}"))
        elif any(it.kind == inbox.OBJECTION for it in inbox.waiting(case, run.rules)):
            how = random.choice(sorted(weighing.HOW_WEIGHED))
            orders += run.decide(e.ObjectionDecided(case=CASE, by="dpo", how=how))
        elif waiting := list(reviews.to_review(case, run.rules)):
            result = random.choice(sorted(reviews.HOW_REVIEWED))
            decision = random.choice(waiting).id
            orders += run.decide(
                e.DecisionReviewed(case=CASE, by="dpo", decision=decision, result=result)
            )
        elif abouts := disputed(run):
            orders += corrected(run, random, random.choice(abouts))
        elif case.waiting and case.wants("erasure"):
            orders += run.wait(timedelta(minutes=random.choice([1, 10, 60])))
        elif case.under_way() or turns(case) or (case.searches and not case.searched()):
            orders += run.wait(timedelta(hours=1))
        else:
            return case
    raise AssertionError(f"no end: {run.case}")


@pytest.mark.parametrize("chaos", CHAOS.values(), ids=CHAOS)
def test_a_case_settles_and_its_sums_hold(chaos: Chaos, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (follow_up, fan_out):  # three rows a record, so that there are several
        monkeypatch.setattr(module, "portions", partial(portions, rows=3))
    for seed in range(SEEDS):
        random = Random(seed)
        claims = random.choice([("erasure",), ("access", "erasure")])
        made = world(random, chaos, must_copy=len(claims) > 1)
        run = Run(made, rules=rules(*KINDS))
        wrong = list(faults(run, made, go(run, random, claims)))
        assert not wrong, f"seed {seed}: {wrong}"


class Braked(Run):
    """Holds come and go while the case is under way."""

    random = Random(0)

    def take(self, event: Event, event_id: UUID) -> list[Event]:
        orders = super().take(event, event_id)
        for it in orders:
            assert not isinstance(it, e.TaskOrdered) or not self.brake.stops(it.system), it
        if self.random.random() < 0.3:
            self.change()
        return orders

    def wait(self, how_long: timedelta) -> list[Event]:
        orders = super().wait(how_long)
        self.change()
        return orders

    def change(self) -> None:
        held = self.random.choice([(), (), *((it,) for it in KINDS), (EVERY,)])
        self.brake = Brake(held=frozenset(held))


@pytest.mark.parametrize("chaos", CHAOS.values(), ids=CHAOS)
def test_holds_only_delay(chaos: Chaos) -> None:
    """No order while a hold lasts; everything settles once it is lifted, by the clock alone."""
    for seed in range(SEEDS):
        random = Random(seed)
        claims = random.choice([("erasure",), ("access", "erasure")])
        made = world(random, chaos, must_copy=len(claims) > 1)
        run = Braked(made, rules=rules(*KINDS))
        run.random = Random(seed)
        wrong = list(faults(run, made, go(run, random, claims)))
        assert not wrong, f"seed {seed}: {wrong}"


@pytest.mark.parametrize("chaos", CHAOS.values(), ids=CHAOS)
def test_observing_erases_nothing_and_settles_everything(chaos: Chaos) -> None:
    for seed in range(SEEDS):
        random = Random(seed)
        claims = random.choice([("erasure",), ("access", "erasure")])
        made = world(random, chaos, must_copy=len(claims) > 1)
        run = Run(made, rules=rules(*KINDS), brake=Brake(observe=True))
        wrong = list(faults(run, made, go(run, random, claims)))
        assert not wrong, f"seed {seed}: {wrong}"
        assert not made.erased
        assert not run.of(e.TaskOrdered)


def faults(run: Run, made: Changing, case: Case) -> Iterator[str]:
    """What must not be, of a case at rest."""
    yield from (f"{it.right} is open" for it in case.claims.values() if it.active)
    yield from _unproved(made, case)
    if fold((it.event for it in run.said), run.rules) != case:
        yield "the ledger folds to another case"
    if made.uncopied:
        yield f"erased without a copy: {made.uncopied}"
    if case.plans > MOST_PLANS:
        yield f"{case.plans} plans"
    for it in run.said:
        codec.body(it.event)  # raises if no record can hold it
    yield from _untold(run, case)
    yield from _not_owed(run, case)
    yield from _other_sums(run)


def _unproved(made: Changing, case: Case) -> Iterator[str]:
    """What a vendor's queue erases is proved when it is gone, not before."""
    queued = {tag(it.name): it for things in made.things.values() for it in things if it.queue}
    for (named, category), it in case.outcomes.items():
        there = named in queued and category in queued[named].categories
        if there and it.kind in {"erased", "redacted"} and not made.changed:
            yield f"{category} of {queued[named].name} is said to be {it.kind}"


def _untold(run: Run, case: Case) -> Iterator[str]:
    if said := broken(case, run.rules):
        yield f"the sums differ: {said}"
    settled = {right: it for right, it in case.claims.items() if it.state != "withdrawn"}
    now = {right: coverage(case, right, run.rules) for right in settled}
    yield from (
        f"{it.right} was settled otherwise"
        for it in settled.values()
        if it.coverage != now[it.right]
    )
    reports = run.of(e.CaseReported)
    told = tuple(row for rows in now.values() for row in rows)
    if not reports or reports[-1].coverage != told:  # type: ignore[attr-defined]
        yield "the last report is not the last word"


def _other_sums(run: Run) -> Iterator[str]:
    """Where a report or an answer counts something else as found than it accounts for."""
    for report in run.of(e.CaseReported):
        assert isinstance(report, e.CaseReported)
        for right in {it.right for it in report.claims if it.settled_at}:
            rows = tuple(it for it in report.coverage if it.right == right)
            told = regarded(report, right)
            if wrong := difference(told, rows):
                yield f"report {report.n} on {right}: {wrong}"
    for ordered in run.of(e.ResponseOrdered):
        assert isinstance(ordered, e.ResponseOrdered)
        if ordered.systems and sorts(ordered.retention) != sorts(ordered.found):
            yield f"response {ordered.n} does not say how long everything is kept"


def sorts(rows: Iterable[FoundRow | RetentionRow]) -> Counter[tuple[str, str, str]]:
    """How many items there are of each sort."""
    found: Counter[tuple[str, str, str]] = Counter()
    for it in rows:
        found[it.system, it.kind, it.category] += it.count
    return found


def _not_owed(run: Run, case: Case) -> Iterator[str]:
    opened = Counter(it.obligation for it in run.of(e.ObligationOpened))  # type: ignore[attr-defined]
    if any(count > 1 for count in opened.values()):
        yield "an obligation is opened twice"
    later = {row for row, it in case.outcomes.items() if it.kind in {"retained", "blocked"}}
    if later - {row for row, _ in case.owed}:
        yield "kept or blocked, and not owed"
