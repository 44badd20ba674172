"""A process that dies at each named point: nothing lost, invented, or done twice with harm.

Checked against the sandboxes' own ledgers of effects, not against what the pipeline says.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
import pytest_asyncio

from connectors.sdk.sandbox import Fault
from pipeline.case.case import Case
from pipeline.faults import crash
from schemas.events import InstructionSent, TaskCompleted
from tests.rig import Planted, Rig, Role, mails_of, plant, states
from tests.soak import SOAK

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACTS = {"host.after-effect"}
COPIES = {"host.in-export"}
MARKS = {"host.after-measure"}
DEFERRED = {it for it in crash.POINTS if it.startswith("clock.")}
"""Reached only where an order was put off: the vendor fails once a death, because an order whose
host died before its commit is worked on again without any clock.
"""
BOTH = ("access", "erasure")
MOST = 2
"""Deaths in a row."""
TURNING = {
    "HABEAS_WRAPPING_KEY_PERIOD": "1",
    "HABEAS_KEY_LEAD": "0.2",
    "HABEAS_BACKUPS_KEPT": "1",
}
"""Keys that turn all the time, for the points that are reached only then."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    folder = tmp_path_factory.mktemp("rig")
    # By its name a process that was killed finds its partitions waiting.
    options = {"HABEAS_VENDOR_WAIT": "1", "HABEAS_INSTANCE": "only"}
    async with Rig(folder, options=options) as made:
        yield made


def asked_at(point: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """(deaths in a row, what is asked): each claim by itself where the point is on its way."""
    alone = {"access": point not in ACTS, "erasure": point not in COPIES}
    way = [(it,) for it, reached in alone.items() if reached]
    if point in MARKS:  # each verb dies in a place of its own
        return (MOST, ("restriction",)), (1, ("rectification",)), (1, ("objection",))
    if SOAK:
        return tuple((times, claims) for times in (1, MOST) for claims in (*way, BOTH))
    return (1, way[0]), (MOST, way[-1])


@pytest.mark.parametrize("point", sorted(crash.POINTS - {"brake.engaged"}))  # test_brake.py
async def test_deaths_at_each_point_change_nothing_in_the_end(rig: Rig, point: str) -> None:
    with dying(rig, point) as role:
        for times, claims in asked_at(point):
            await survives(rig, role, point, times, claims)


@contextmanager
def dying(rig: Rig, point: str) -> Iterator[Role]:
    """A pipeline that dies at the point, as often as `die` says."""
    die(rig, point, 0)
    turning = TURNING if point.startswith("keys.") else {}
    role = rig.run("up", HABEAS_CRASH_AT=f"{point}*{MOST}", **turning)
    try:
        yield role
    finally:
        rig.roles.remove(role)
        ended = role.stop()
    assert ended in {130, -signal.SIGTERM}  # the latter where it had only just been started again


def die(rig: Rig, point: str, times: int) -> None:
    """From now on: as if it had died so often already that this many deaths are left."""
    (rig.settings.data / f"crashed-{point}").write_text(str(MOST - times))


async def survives(rig: Rig, role: Role, point: str, times: int, claims: tuple[str, ...]) -> None:
    """Deaths in the middle of one case, which ends as it must."""
    name = f"{point}-{times}-{'-'.join(claims)}".replace(".", "-")
    who, bystander = plant(rig, name), plant(rig, f"not-{name}", customer=True)
    before = kept(rig, bystander)
    if point in DEFERRED:
        theirs = f"/contacts/{who.contact.partition('/')[2]}$"  # others' work may come again
        fault = Fault(status=503, times=times, retry_after=2, route=theirs)
        rig.sandboxes["freshdesk"].faults.append(fault)
    died = role.died + times
    die(rig, point, times)
    wrong = {"family_name": (f"Some {name}", f"Right {name}")}
    changes = wrong if "rectification" in claims else None
    case = await rig.settled(await rig.submit(*claims, email=who.email, changes=changes))
    await until(rig, role, lambda: role.died == died)
    assert rig.sandboxes["freshdesk"].faults == []
    its_outcomes_are_right(rig, who, case)
    assert not any(rig.effects(*bystander.keys).values())
    assert before == kept(rig, bystander)
    assert len({it.n for it in case.responses}) == len(case.responses) == len(claims)
    signed = rig.settings.data / "reports" / f"{case.id}-{case.reports}.dsse.json"
    await until(rig, role, signed.exists)
    await acts_agree(rig, case.id)
    assert role.died == died


async def until(rig: Rig, role: Role, holds: Callable[[], bool]) -> None:
    """Wait until something holds, starting again what was killed meanwhile."""

    def now() -> bool:
        role.again()
        return holds()

    await rig.wait_for(now)


def kept(rig: Rig, who: Planted) -> list[object]:
    states_ = [it.state() for it in rig.sandboxes.values()]
    return [{**state[key]} for key in who.keys for state in states_ if key in state]


def its_outcomes_are_right(rig: Rig, who: Planted, case: Case) -> None:
    """What was asked, and nothing else; each object went, and went once."""
    freshdesk, salesforce = rig.sandboxes["freshdesk"].state(), rig.sandboxes["salesforce"].state()
    erased, marked = "erasure" in case.claims, "restriction" in case.claims
    only_record = not {"rectification", "objection"}.isdisjoint(case.claims)
    if marked:
        for it in (("freshdesk", "contact"), ("freshdesk", "ticket"), ("salesforce", "lead")):
            assert states(case, "restriction")[it] == {"proved"}
        assert {it.reason for it in case.measured.values()} == {None}  # all marks are its own
    if "rectification" in case.claims:
        assert states(case, "rectification")["salesforce", "lead"] == {"proved"}
        assert str(salesforce[who.record]["LastName"]).startswith("Right ")
    if "objection" in case.claims:
        assert states(case, "objection")["salesforce", "system"] == {"proved"}
    if "access" in case.claims:
        assert states(case, "access")["freshdesk", "ticket"] == {"proved"}
    if erased:
        assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
        assert states(case, "erasure")["freshdesk", "ticket"] == {"proved"}
        assert states(case, "erasure")["salesforce", "lead"] == {"dated"}
    left = {who.contact, *who.tickets} & freshdesk.keys()
    assert left == (set() if erased else {who.contact, *who.tickets})
    assert bool(salesforce[who.record].get("IsDeleted")) == erased
    # A family name that stands in Freshdesk's one field of a name is disputed: that is marked.
    disputed = {who.contact} if "rectification" in case.claims else set()
    touched = disputed | ({who.record} if only_record else set())
    for key, operations in rig.effects(*who.keys).items():
        assert len(operations) == len(set(operations)), (key, operations)
        assert bool(operations) == (erased or marked or key in touched)


async def acts_agree(rig: Rig, case: UUID) -> None:
    """A task that was carried out twice says the same both times, and who is told is told once.

    A search that is repeated after an erasure may not: that is counted and shown.
    """
    told: dict[UUID, set[bytes]] = {}
    sent = set[UUID]()
    for it in await rig.entries(case):
        if isinstance(it.event, TaskCompleted):
            told.setdefault(it.event.order, set()).add(it.event.digest)
        if isinstance(it.event, InstructionSent):
            sent.add(it.event.order)
    assert len(mails_of(rig.settings.data / "instructions", case)) == len(sent)
    assert {len(digests) for digests in told.values()} <= {1}
