"""A vendor that erases by a job is told once, looked at until it has done it, and waited for."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from pipeline import policy
from pipeline.case.case import LOOK, MAX_DELTAS, Case
from schemas import events as e
from tests.chaos.test_recover import backup, recover, restore
from tests.fakes.acme import HERE
from tests.fakes.backlog import BacklogSandbox
from tests.rig import Rig, states

ROWS = """
[[data]]
system = "{system}"
kind = "person"
categories = ["identity"]
role = "controller"
purposes = ["support"]
sources = ["you"]

[[recipients]]
system = "{system}"
name = "{system}"
role = "processor: people"
"""
PROVED = {("backlog", "person"): {"proved"}}


@asynccontextmanager
async def vendors(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *systems: str, register: str = ""
) -> AsyncIterator[Rig]:
    """A pipeline without processes yet, with vendors that the policy knows."""
    monkeypatch.syspath_prepend(str(HERE))
    known = folder / "policy"
    known.mkdir(mode=0o700)
    for name in policy.FILES:
        shutil.copy(Path(policy.__file__).parent / name, known / name)
    with (known / policy.FILES[0]).open("a") as out:
        out.writelines(ROWS.format(system=it) for it in systems)
    options = {
        "HABEAS_POLICY": str(known),
        "HABEAS_LOOK_PAUSE": "0.3",
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
    }
    async with Rig(folder, systems=systems, options=options, register=register) as rig:
        rig.settings = replace(rig.settings, policy=str(known))
        yield rig


def vendor(rig: Rig, system: str = "backlog") -> BacklogSandbox:
    made = rig.sandboxes[system]
    assert isinstance(made, BacklogSandbox)
    return made


def planted(rig: Rig, who: str, system: str = "backlog") -> str:
    """Somebody there; their address."""
    email = f"{who}@example.org"
    vendor(rig, system).seed([{"kind": "person", "email": email}])
    return email


async def ordered(rig: Rig, case: UUID) -> tuple[int, Sequence[e.SearchOrdered]]:
    """How many tasks there were, and the looks."""
    events = [it.event for it in await rig.entries(case)]
    searches = [it for it in events if isinstance(it, e.SearchOrdered)]
    return (
        sum(isinstance(it, e.TaskOrdered) for it in events),
        [it for it in searches if it.purpose == "verify"],
    )


def done(rig: Rig, system: str = "backlog") -> Counter[str]:
    """What the vendor did, by its own ledger."""
    return Counter(it.operation for it in vendor(rig, system).ledger)


@pytest.mark.parametrize("system", ["backlog", "lagging"])
async def test_it_is_told_once_and_proved_when_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    async with vendors(tmp_path, monkeypatch, system) as rig:
        rig.run("up")
        email = planted(rig, "one", system)
        case = await rig.submit("access", "erasure", email=email)
        waiting = await rig.until(case, lambda it: it.waiting)
        assert waiting.claims["access"].state == "fulfilled"
        assert waiting.claims["erasure"].active
        code, out, err = await rig.habeas("case", str(case))
        assert code == 0, err
        assert f"waits for {system}: 1 item in its queue, until" in out
        await rig.until(case, lambda it: all(row.looks > 1 for row in it.waiting.values()))
        vendor(rig, system).takes = timedelta(0)
        settled = await rig.settled(case)
        assert settled.claims["erasure"].state == "fulfilled"
        assert states(settled, "erasure") == {(system, "person"): {"proved"}}
        assert vendor(rig, system).state() == {}
        assert done(rig, system) == {"queue": 1, "purge": 1}
        tasks, looks = await ordered(rig, case)
        assert tasks == 1
        assert len(looks) > 1
        assert settled.conflicts == 0


async def test_what_is_still_there_after_its_time_goes_to_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendors(tmp_path, monkeypatch, "backlog") as rig:
        rig.run("up")
        vendor(rig).within = timedelta(seconds=1)
        email = planted(rig, "never")
        case = await rig.submit("erasure", email=email)
        settled = await rig.settled(case)
        (row,) = settled.claims["erasure"].coverage
        assert (row.state, row.outcome.reason) == ("open", "still_there")
        tasks, _ = await ordered(rig, case)
        assert tasks == MAX_DELTAS + 1


async def test_many_wait_and_every_process_is_killed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, register: str
) -> None:
    """Two orchestrators on one register, one host with many cases: all die while they wait."""
    async with vendors(tmp_path, monkeypatch, "backlog", register=register) as rig:
        rig.run("run", "response", "notice", "recipients", "reports")
        host = rig.run("run", "host", "backlog")
        both = [rig.run("run", "orchestrator") for _ in "12"]
        people = [planted(rig, f"person-{n}") for n in range(4)]
        cases = [await rig.submit("erasure", email=it) for it in people]
        for case in cases:
            await rig.until(case, lambda it: it.waiting)
        for it in (*both, host):
            it.kill()
        await asyncio.sleep(1)
        vendor(rig).takes = timedelta(0)
        for case in cases:
            settled = await rig.settled(case)
            assert states(settled, "erasure") == PROVED
            tasks, _ = await ordered(rig, case)
            assert tasks == 1
            entries = await rig.entries(case)
            assert [it.number for it in entries] == list(range(1, len(entries) + 1))
        assert [it.died for it in (*both, host)] == [1, 1, 1]
        assert vendor(rig).state() == {}
        assert done(rig) == {"queue": 4, "purge": 4}


async def test_a_register_restored_from_before_waits_for_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendors(tmp_path, monkeypatch, "backlog") as rig:
        rig.run("run", "response", "notice", "recipients", "reports", "host", "backlog")
        orchestrator = rig.run("run", "orchestrator")
        email = planted(rig, "restored")
        case = await rig.submit("erasure", email=email)
        await rig.until(case, is_planned)
        before = await backup(rig)
        waiting = await rig.until(case, has_looked)
        orchestrator.stop()
        rig.roles.remove(orchestrator)
        await restore(rig, before)
        await recover(rig)
        found = await rig.look(case)
        assert found is not None
        assert found.waiting == waiting.waiting
        vendor(rig).takes = timedelta(0)
        rig.run("run", "orchestrator")
        settled = await rig.settled(case)
        assert states(settled, "erasure") == PROVED
        assert done(rig) == {"queue": 1, "purge": 1}
        assert (await ordered(rig, case))[0] == 1


def is_planned(case: Case) -> bool:
    return case.plan is not None


def has_looked(case: Case) -> bool:
    """Whether it waits for its queue alone, and was looked for three times."""
    return sum(it == LOOK for it, _, _ in case.orders) >= 3 and not case.under_way()
