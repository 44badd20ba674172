"""The brake: a hold with cases in flight, two people who lift it, a flood that stops by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest

from connectors.sdk.sandbox import Fault
from pipeline.case.case import Case
from pipeline.case.planned import turns
from pipeline.response.words import PROVED
from schemas.events import TaskOrdered
from tests.rig import Planted, Rig, plant, states

SOON = {"HABEAS_NOT_AFTER_ACT": "2", "HABEAS_RUN_LIMIT": "2"}
"""What was issued lapses while the test looks on."""


def tasks(rig_entries: Sequence[Any]) -> list[TaskOrdered]:
    return [it.event for it in rig_entries if isinstance(it.event, TaskOrdered)]


def is_waiting(case: Case) -> bool:
    """Whether the copy is handed out, and the erasure waits to be ordered."""
    return bool(turns(case)) and not case.under_way() and not case.claims["access"].active


async def test_nothing_is_erased_while_a_hold_lasts_and_everything_once_it_is_lifted(
    tmp_path: Path, register: str
) -> None:
    async with Rig(tmp_path, register=register) as rig:
        rig.run("up")
        before = plant(rig, "before", tickets=1)
        await rig.settled(await rig.submit("access", "erasure", email=before.email))
        await rig.hold("--reason", "a policy that nobody trusts")
        people = [plant(rig, f"person-{n}", tickets=1) for n in range(4)]
        cases = [await rig.submit("access", "erasure", email=it.email) for it in people]
        for case in cases:
            await rig.until(case, is_waiting)
        assert not any(rig.effects(*(key for it in people for key in it.keys)).values())
        (held,) = await rig.hold("list")
        assert (held["system"], held["waiting"]) == ("*", 4)
        await _shown(rig, cases[0], "a policy that nobody trusts")
        await rig.lift("all")
        for case in cases:
            settled = await rig.settled(case)
            assert states(settled, "erasure")["freshdesk", "contact"] == {"proved"}
            ordered = tasks(await rig.entries(case))
            assert sorted(it.system for it in ordered) == ["freshdesk", "salesforce"]
            assert {it.attempt for it in ordered} == {1}
        _once(rig, people)
        (record,) = await rig.hold("list", "--all")
        assert [it["console"] for it in record["lifts"]] == ["dpo", "ann"]
        assert record["lifted_at"]


async def test_a_task_in_flight_lapses_and_is_issued_again_only_after_the_lift(
    tmp_path: Path,
) -> None:
    """One system is held, the other goes on; nothing that waits spends an attempt."""
    async with Rig(tmp_path, options=SOON) as rig:
        rig.run("run", "orchestrator")
        rig.run("run", "response", "notice", "recipients", "reports", "host", "salesforce")
        host = rig.run("run", "host", "freshdesk")
        who = plant(rig, "in-flight", tickets=1)
        rig.sandboxes["freshdesk"].faults.append(Fault(method="DELETE", status=503, times=None))
        case = await rig.submit("erasure", email=who.email)
        await rig.until(case, lambda it: "freshdesk" in (it.plan.ordered if it.plan else ()))
        await rig.hold("freshdesk", "--reason", "it deletes too much")
        host.kill()
        rig.roles.remove(host)
        rig.clear_faults()
        await rig.until(case, _has_lapsed)
        attempts = [it.attempt for it in tasks(await rig.entries(case))]
        rig.run("run", "host", "freshdesk")
        await rig.settled(await rig.submit("access", email=who.email))  # access goes on
        assert [it.attempt for it in tasks(await rig.entries(case))] == attempts
        assert not any(rig.effects(who.contact, *who.tickets).values())
        assert rig.effects(who.record)[who.record]
        await rig.lift("freshdesk")
        await rig.settled(case)
        _once(rig, [who])


def _has_lapsed(case: Case) -> bool:
    """Whether one system's task alone is left, and can neither start nor still run."""
    left = case.under_way()
    return [it.slot[1] for it in left] == ["freshdesk"] and left[0].due < datetime.now(UTC)


async def test_a_flood_is_stopped_part_way_and_the_rest_follows_after_the_lift(
    tmp_path: Path, register: str
) -> None:
    limits = tmp_path / "brake.toml"
    limits.write_text("[systems.freshdesk]\nerasures_per_hour = 6\n")
    async with Rig(tmp_path, register=register, options={"HABEAS_BRAKE": str(limits)}) as rig:
        rig.run("run", "response", "notice", "recipients", "reports", "host", *rig.systems)
        first, second = (rig.run("run", "orchestrator") for _ in "12")
        people = [plant(rig, f"flood-{n}", tickets=1) for n in range(8)]  # two holdings each
        cases = [await rig.submit("erasure", email=it.email) for it in people]

        def is_stopped(case: Case) -> bool:
            done = case.claims and not case.claims["erasure"].active
            return bool(done) or (bool(turns(case)) and not case.under_way())

        for case in cases:
            await rig.until(case, is_stopped)
        first.kill()
        rig.roles.remove(first)
        second.kill()
        rig.roles.remove(second)
        rig.run("run", "orchestrator")
        late = plant(rig, "late", tickets=1)
        cases.append(await rig.submit("erasure", email=late.email))
        await rig.until(cases[-1], is_stopped)
        gone = [it for it in people if rig.effects(it.contact)[it.contact]]
        assert len(gone) == 3
        (held,) = await rig.hold("list")
        assert (held["system"], held["engaged_by"], held["waiting"]) == (
            *("freshdesk", "the brake"),
            6,
        )
        assert "6 erased within an hour and 2 more would pass the limit of 6" in held["reason"]
        logs = "".join(it.read_text() for it in rig.folder.glob("*orchestrator.log"))
        assert logs.count('"event": "brake.engaged"') == 1
        await rig.lift("freshdesk")
        for case in cases:
            await rig.settled(case)
        _once(rig, [*people, late])
        assert await rig.hold("list") == []


@pytest.mark.parametrize("point", ["brake.engaged", "decider.after-commit*4"])
async def test_an_orchestrator_that_dies_as_the_brake_engages_engages_it_once(
    tmp_path: Path, point: str
) -> None:
    limits = tmp_path / "brake.toml"
    limits.write_text("erasures_per_hour = 1\n")
    options = {"HABEAS_BRAKE": str(limits)}
    async with Rig(tmp_path, options=options) as rig:
        role = rig.run("up", HABEAS_CRASH_AT=point)
        who = plant(rig, "dying", tickets=1)
        case = await rig.submit("erasure", email=who.email)
        await rig.until(case, lambda it: turns(it) == ("freshdesk",) and not it.under_way())
        assert role.died
        (held,) = await rig.hold("list")
        assert (held["system"], held["waiting"]) == ("freshdesk", 1)
        assert not any(rig.effects(who.contact, *who.tickets).values())
        await rig.lift("freshdesk")
        await rig.settled(case)
        _once(rig, [who])


async def test_observing_searches_plans_and_reports_and_erases_nothing(tmp_path: Path) -> None:
    async with Rig(tmp_path, options={"HABEAS_MODE": "observe"}) as rig:
        rig.run("up")
        who = plant(rig, "observed")
        case = await rig.settled(await rig.submit("access", "erasure", email=who.email))
        assert case.claims["access"].state == "fulfilled"
        assert case.claims["erasure"].state == "partially_fulfilled"
        found = case.claims["erasure"].coverage
        assert {(it.state, it.outcome.kind, it.outcome.reason) for it in found} == {
            ("open", "needs_human", "observe_mode")
        }
        assert case.plan is not None
        assert case.plan.state == "observed"
        assert not any(rig.effects(*who.keys).values())
        assert not tasks(await rig.entries(case.id))
        code, out, _ = await rig.habeas("case", str(case.id), "--json")
        planned = json.loads(out)["planned"]
        assert code == 0
        assert {it["action"] for it in planned} == {"erase"}
        code, out, _ = await rig.habeas("report", str(case.id))
        assert "observe_mode" in out
        await _told(rig, case.id)
        rig.roles.pop().stop()
        rig.run("up", HABEAS_MODE="act")  # what was left to people stays with them
        other = plant(rig, "acted-upon")
        await rig.settled(await rig.submit("erasure", email=other.email))
        assert not any(rig.effects(*who.keys).values())
        _once(rig, [other])
        again = await rig.settled(await rig.submit("erasure", email=who.email))
        assert states(again, "erasure")["freshdesk", "contact"] == {"proved"}


async def test_a_host_that_observes_erases_nothing_whoever_orders_it(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        rig.run(
            "run",
            "orchestrator",
            "response",
            "notice",
            "recipients",
            "reports",
            "host",
            "salesforce",
        )
        rig.run("run", "host", "freshdesk", HABEAS_MODE="observe")
        who = plant(rig, "ordered-all-the-same", tickets=1)
        case = await rig.submit("access", "erasure", email=who.email)
        waits = await rig.until(case, lambda it: _why(it) == {"freshdesk": "observe_mode"})
        assert waits.claims["access"].state == "fulfilled"
        assert not any(rig.effects(who.contact, *who.tickets).values())


def _why(case: Case) -> dict[str, str]:
    """The systems whose task was put off, and why."""
    return {it.slot[1]: it.reason for it in case.under_way("task") if it.reason}


def _once(rig: Rig, people: Sequence[Planted]) -> None:
    """Each object went, and went once."""
    for who in people:
        for key, operations in rig.effects(*who.keys).items():
            assert operations, key
            assert len(operations) == len(set(operations)), (key, operations)


async def _told(rig: Rig, case: UUID) -> None:
    """The person reads that people do it, and nowhere that something was erased."""
    file = rig.folder / "answer.zip"
    code, _, err = await rig.habeas("response", str(case), "--out", str(file))
    assert code == 0, err
    with ZipFile(file) as package:
        page = package.read("index.html").decode()
    assert "A person has to do this by hand. Our system changes nothing by itself" in page
    assert PROVED["erased"] not in page


ASKED_TO_ERASE = ("google-analytics", "segment")
"""Recipients without a connector: what they are told waits for a hold as well."""


async def _shown(rig: Rig, case: UUID, reason: str) -> None:
    """A case that waits for a hold says so."""
    code, out, err = await rig.habeas("case", str(case))
    assert code == 0, err
    assert f"waits: a hold on freshdesk: {reason}" in out
    code, out, _ = await rig.habeas("cases", "--json")
    (line,) = (it for it in json.loads(out) if it["id"] == str(case))
    assert {(it["system"], it["reason"]) for it in line["held"]} == {
        (system, reason) for system in (*rig.systems, *ASKED_TO_ERASE)
    }
    assert "freshdesk:task:not_ordered" in line["waiting"]
