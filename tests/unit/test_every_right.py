"""Every right, in any order, with any other, withdrawn at any time: all settle, and sums hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from uuid import UUID, uuid5

import pytest

from pipeline.case.case import LIFTED, Case
from pipeline.case.marks import is_ended
from pipeline.case.measures import to_take
from pipeline.case.rights import OBJECTION, OBJECTION_TO_USE, RIGHTS, SUPPORTED
from pipeline.case.weighing import HOW_WEIGHED, objection
from pipeline.policy.clauses import Automated
from schemas import events as e
from schemas.events import Event
from tests.unit.test_decider_under_change import CHAOS, KINDS, Changing, Chaos, faults, go, world
from tests.unit.worlds import CASE, Run, tag, told_nobody

SEEDS = 25
EVERY = tuple(it for it in RIGHTS if it in SUPPORTED)
USES = ("", "relationship", "requested-information")
"""Marketing, and two uses that are weighed: of all, and of leads."""


SCORING = Automated(id="scoring", says="", logic="", meaning="")
DECIDING = replace(
    told_nobody(*KINDS),
    policy=replace(told_nobody(*KINDS).policy, automated=(SCORING, replace(SCORING, id="credit"))),
)
"""A policy by which a machine decides two things alone."""
EARLY = 0.1
"""How often an objection is weighed before the search has ended."""


class Withdrawing(Run):
    """The person takes one right back while the case is under way, the DPO weighs early what they
    object to, and answers come twice.
    """

    random = Random(0)
    taken_back = ""

    def take(self, event: Event, event_id: UUID) -> list[Event]:
        orders = super().take(event, event_id)
        assert super().take(event, event_id) == []
        case = self.case
        if case is not None and not objection(case) and self.random.random() < EARLY:
            how = self.random.choice(sorted(HOW_WEIGHED))
            orders += self.decide(e.ObjectionDecided(case=CASE, by="dpo", how=how))
        case = self.case
        if case is None or self.taken_back or self.random.random() > 0.05:
            return orders
        active = [it.right for it in case.claims.values() if it.active]
        if case.verified and len(active) > 1:
            self.taken_back = self.random.choice(active)
            event = e.ClaimWithdrawn(
                case=CASE, by="cli", right=self.taken_back, together=(self.taken_back,)
            )
            orders += super().take(event, uuid5(CASE, f"withdrawn {self.taken_back}"))
        return orders


@pytest.mark.parametrize("chaos", CHAOS.values(), ids=CHAOS)
def test_any_rights_together_settle_and_nothing_is_said_that_is_not(chaos: Chaos) -> None:
    for seed in range(SEEDS):
        random = Random(seed)
        claims = tuple(random.sample(EVERY, random.randrange(1, len(EVERY) + 1)))
        made = world(random, chaos, must_copy="access" in claims)
        run = Withdrawing(made, rules=DECIDING)
        run.random = Random(seed)
        case = go(run, random, claims, random.choice(USES) if OBJECTION in claims else "")
        copies = made.uncopied if run.taken_back == "access" else []
        made.uncopied = [it for it in made.uncopied if it not in copies]
        wrong = [*faults(run, made, case), *untrue(made, case)]
        if run.taken_back == "erasure":  # nothing comes back by itself any more
            wrong = [it for it in wrong if "not owed" not in it]
        assert not wrong, f"seed {seed}, {claims}, but {run.taken_back}: {wrong}"
        assert not list(to_take(case, run.rules))


def untrue(made: Changing, case: Case) -> Iterator[str]:
    """What is said of a measure and is not so at the vendor."""
    by_tag = {tag(it.name): it for things in made.things.values() for it in things}
    for (right, (named, category)), outcome in case.measured.items():
        lifted = (LIFTED, (named, category)) in case.measured
        if outcome.kind == "restricted" and not lifted and "restrict" not in by_tag[named].marks:
            yield f"{right}: {category} is said to be restricted"
        if outcome.kind == "rectified" and "rectify" not in by_tag[named].marks:
            yield f"{right}: {category} is said to be corrected"
        if outcome.kind == "suppressed" and category not in made.stopped:
            yield f"{right}: {category} is said to have stopped"
    objects = case.wants(OBJECTION_TO_USE) and not is_ended(case, OBJECTION_TO_USE)
    if not case.wants("restriction") and not case.wants("erasure") and not objects:
        marked = [it.name for it in by_tag.values() if "restrict" in it.marks]
        if marked:
            yield f"still marked, though nobody asks for it: {marked}"


def test_every_row_of_the_table_is_asked_for_somewhere() -> None:
    settled = set()
    for purpose in USES:
        run = Run(world(Random(1), Chaos(), must_copy=True), rules=told_nobody(*KINDS))
        case = go(run, Random(1), EVERY, purpose)
        settled |= {it.right for it in case.claims.values() if it.settled_at}
    assert settled == set(RIGHTS)
