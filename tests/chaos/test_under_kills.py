"""Cases flow while processes and the broker are killed at random: all end as if nothing had been.

What must become of every object the demo's cast says; the sandboxes' own states and ledgers are
compared with it, bystanders included. What must be said of it a first copy of everybody shows,
whose cases ran undisturbed.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import pytest

from pipeline import app
from pipeline.case.case import Case, Claim
from pipeline.demo import audit, people, seed
from pipeline.demo.people import Request
from pipeline.register import reading
from schemas.events import PlanApproved, TaskOrdered
from tests.fakes.crowd import crowd, role
from tests.rig import FIVE, Rig, Role, is_settled
from tests.soak import SEED, SOAK

CAST = people.load()
ALONE = frozenset(it.key for it in CAST.people if not it.leans_on())
"""Nothing of theirs refers to somebody who may not be in a crowd."""
ANSWERED = tuple(
    it
    for it in CAST.requests()
    if it.ends == "answered"
    and not it.words
    and not it.by_hand
    and all(it.levels)
    and it.person in ALONE
)
"""Their cases come to an end without anybody's word on who is who, and without anybody's hands.

Nobody is asked whether an address is theirs: that mail would wait for pages, which none shows here.
"""
ASKING = tuple(it.person for it in ANSWERED)
QUICK = tuple(it.person for it in ANSWERED if not it.needs_approval)
"""Those with many tickets would use up what Freshdesk allows in a minute."""
BYSTANDERS = frozenset(it.key for it in CAST.people if it.request is None) & ALONE
ROLES = ASKING if SOAK else tuple(random.Random(SEED).sample(QUICK, 6))
COPIES = 18 if SOAK else 4
KILLS = 60 if SOAK else 6
PATIENCE = 1800 if SOAK else 150
"""Seconds for all cases together."""
WORKERS = (*(f"host {it}" for it in FIVE), "response", "notice", "recipients", "reports")
ORCHESTRATORS = ("orchestrator a", "orchestrator b")
BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Kill:
    """Whom it hit, when, and when that was over: for the broker, when it was started again."""

    victim: str
    at: datetime
    over: datetime


@dataclass
class Seen:
    """What the test has asked for, and what it has done to who works on it."""

    cases: dict[UUID, str] = field(default_factory=dict)
    """Case → who asks."""
    kills: list[Kill] = field(default_factory=list)


@pytest.mark.timeout(4000 if SOAK else 300)
@pytest.mark.parametrize("register", ["sqlite", "postgresql"][: 2 if SOAK else 1], indirect=True)
async def test_every_case_ends_as_it_does_undisturbed(tmp_path: Path, register: str) -> None:
    luck = random.Random(SEED)
    asking = crowd(CAST, range(COPIES + 1), frozenset(ROLES))
    cast = people.Cast((*asking.people, *crowd(CAST, range(2), BYSTANDERS).people))
    said(f"seed {SEED}: {len(ROLES) * COPIES} cases, {KILLS} kills")
    calm, stormy = asking.requests()[: len(ROLES)], list(asking.requests()[len(ROLES) :])
    seen = Seen()
    async with Rig(tmp_path, systems=FIVE, register=register) as rig, running(rig) as roles:
        urls = {system: it.url for system, it in rig.sandboxes.items()}
        expected = await seed.seed(urls, cast)
        before = await seed.snapshot(urls)
        await ask(rig, seen, calm)
        await all_settled(rig, seen)
        luck.shuffle(stormy)
        for n, victim in enumerate(victims(luck)):
            await ask(rig, seen, stormy[n::KILLS])
            await asyncio.sleep(luck.uniform(0.1, 4.0))
            seen.kills.append(await kill(rig, roles, victim, luck.uniform(0.0, 3.0)))
        cases = await all_settled(rig, seen)
        after = await seed.snapshot(urls)
        differences = audit.compare(expected, before["states"], after["states"], after["ledger"])
        assert differences == []
        assert done_twice(after["ledger"]) == {}
        done = done_to(expected, after["ledger"])
        for who in seen.cases.values():
            assert done[who] == done[f"{role(who)}/0"], role(who)
        await nothing_was_invented(rig, seen, cases)
        await tell_recoveries(rig, seen, roles)


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[dict[str, Role]]:
    """Every role as a process of its own, and two deciders; who is killed is started again."""
    roles = {
        name: rig.run("run", *name.removesuffix(" a").removesuffix(" b").split(), **instance(name))
        for name in (*ORCHESTRATORS, *WORKERS)
    }
    async with asyncio.TaskGroup() as group:  # a process that ends in another way ends the test
        minding = group.create_task(_minded(rig))
        yield roles
        minding.cancel()


def instance(name: str) -> dict[str, str]:
    """A name of its own for each process, as a stateful set gives it."""
    return {"HABEAS_INSTANCE": name.replace(" ", "-")}


async def _minded(rig: Rig) -> None:
    while True:
        for it in rig.roles:
            it.again()
        await asyncio.sleep(0.1)


def victims(luck: random.Random) -> list[str]:
    """In turn the broker, a decider, another."""
    kinds = ((BROKER,), ORCHESTRATORS, WORKERS)
    return [luck.choice(kinds[n % len(kinds)]) for n in range(KILLS)]


async def kill(rig: Rig, roles: Mapping[str, Role], victim: str, seconds: float) -> Kill:
    """Kill it (SIGKILL). The broker stays away for a while; the others are started at once."""
    at = datetime.now(UTC)
    if victim == BROKER:
        await rig.lose_broker(seconds)
    else:
        roles[victim].kill()
    return Kill(victim, at, datetime.now(UTC))


async def ask(rig: Rig, seen: Seen, requests: Iterable[Request]) -> None:
    for it in requests:
        case = UUID(int=random.Random(f"{SEED} {it.person}").getrandbits(128), version=4)
        async with app.local_edge(rig.settings) as edge:
            at = datetime.now(UTC)
            person, level, of = it.sent(), it.level, it.purpose
            await edge.request(case, it.claims, person, level=level, received_at=at, purpose=of)
        seen.cases[case] = it.person


async def all_settled(rig: Rig, seen: Seen) -> dict[UUID, Case]:
    """Wait until every case is; approve what waits for approval."""
    settled: dict[UUID, Case] = {}
    rules = app.rules(rig.settings)
    approved: set[UUID] = set()
    async with app.register(rig.settings) as engine, asyncio.timeout(PATIENCE):
        while left := seen.cases.keys() - settled.keys():
            for line in await reading.cases(engine):
                if line.id not in left or line.waiting:
                    continue
                case = reading.folded(await reading.entries(engine, line.id), rules)
                if is_settled(case):
                    settled[line.id] = case
                elif case.plan and case.plan.state == "asked" and line.id not in approved:
                    approved.add(line.id)
                    await approve(rig, case)
            await asyncio.sleep(0.5)
    return settled


async def approve(rig: Rig, case: Case) -> None:
    assert case.plan is not None
    event = PlanApproved(case=case.id, by=app.CONSOLE, digest=case.plan.digest)
    async with app.local_edge(rig.settings, app.CONSOLE) as edge:
        await edge.decision(event, "dpo")


def done_twice(ledger: Mapping[str, Any]) -> dict[tuple[str, ...], int]:
    """What was done to an object too often: to redact and to mark are two updates at most."""
    done = Counter(
        (system, it["operation"], it["key"])
        for system, told in ledger.items()
        for it in told["mutations"]
    )
    return {what: times for what, times in done.items() if times > 1 + (what[1] == "update")}


def done_to(
    expected: Mapping[str, Mapping[str, Any]], ledger: Mapping[str, Any]
) -> dict[str, Counter[tuple[str, ...]]]:
    """By person, what was done to things of theirs, and how often: some are redacted and marked."""
    done: defaultdict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for system, told in ledger.items():
        for it in told["mutations"]:
            if it["key"] in expected[system]:
                whose, kind = expected[system][it["key"]]["person"], it["key"].partition("/")[0]
                done[whose][system, it["operation"], kind] += 1
    return done


async def nothing_was_invented(rig: Rig, seen: Seen, cases: Mapping[UUID, Case]) -> None:
    """Each case says what the undisturbed case of the same part says, once and in one piece."""
    calm = {role(who): shape(cases[id_]) for id_, who in seen.cases.items() if who.endswith("/0")}
    for id_, who in seen.cases.items():
        case = cases[id_]
        assert shape(case) == calm[role(who)], (role(who), id_)
        entries = await rig.entries(id_)
        assert [it.number for it in entries] == list(range(1, len(entries) + 1))
        orders = Counter(it.event.order for it in entries if isinstance(it.event, TaskOrdered))
        assert set(orders.values()) <= {1}, (role(who), id_)
        assert len({it.n for it in case.responses}) == len(case.responses)
        last = rig.settings.data / "reports" / f"{id_}-{case.reports}.dsse.json"
        await rig.wait_for(last.exists, patience=30)
    async with app.register(rig.settings) as engine:
        lines = {it.id: it for it in await reading.cases(engine)}
    assert lines.keys() == seen.cases.keys()
    assert {it.broken for it in lines.values()} == {""}


def shape(case: Case) -> dict[str, Any]:
    """What a case says in the end, without ids and times."""
    return {right: (it.state, Counter(lines(it))) for right, it in case.claims.items()}


def lines(claim: Claim) -> dict[tuple[str | None, ...], int]:
    return {
        (it.system, it.kind, it.category, it.state, said.kind, said.rule, said.reason): it.count
        for it in claim.coverage
        for said in (it.outcome,)
    }


async def tell_recoveries(rig: Rig, seen: Seen, roles: Mapping[str, Role]) -> None:
    """Print how long after each kill its victim worked again; `reports` does not tell.

    A process does once it has partitions; the broker once something was decided after its return.
    """
    decided = [it.at for id_ in seen.cases for it in await rig.entries(id_)]
    took: list[float] = []
    for it in seen.kills:
        works = (
            decided
            if it.victim == BROKER
            else [at for at, got in roles[it.victim].assigned() if got]
        )
        back = min((at for at in works if at > it.over), default=None)
        if back is not None:
            took.append((back - it.at).total_seconds())
            said(f"killed {it.victim}: works again after {took[-1]:.1f} s")
    said(f"recovery of {len(took)} kills: p50 {median(took):.1f} s, max {max(took):.1f} s")


def said(line: str) -> None:
    sys.stdout.write(line + "\n")
