"""A process that dies at each named point: nothing lost, invented, or done twice with harm.

Checked against the sandboxes' own ledgers of effects, not against what the pipeline says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from connectors.sdk.sandbox import Fault
from pipeline import crash
from schemas.events import TaskCompleted
from tests.rig import Planted, Rig, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")
TWICE = {"host.after-effect"}
DEFERRED = {"clock.in-sweep"}
"""Reached only where an order was put off: the vendor fails once."""
TURNING = {
    "HABEAS_WRAPPING_KEY_PERIOD": "1",
    "HABEAS_KEY_LEAD": "0.2",
    "HABEAS_BACKUPS_KEPT": "1",
}
"""Keys that turn all the time, for the points that are reached only then."""
HARMLESS = {"freshdesk": {"delete", "hard_delete"}, "salesforce": {"delete"}}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    folder = tmp_path_factory.mktemp("rig")
    async with Rig(folder, options={"HABEAS_VENDOR_WAIT": "1"}) as made:
        yield made


@pytest.mark.parametrize("point", sorted(crash.POINTS))
async def test_a_death_at_each_point_changes_nothing_in_the_end(rig: Rig, point: str) -> None:
    times = 2 if point in TWICE else 1
    turning = TURNING if point.startswith("keys.") else {}
    role = rig.run("up", HABEAS_CRASH_AT=f"{point}*{times}", **turning)
    name = point.replace(".", "-")
    who, bystander = plant(rig, name), plant(rig, f"not-{name}", customer=True)
    before = {key: rig.sandboxes["freshdesk"].state().get(key) for key in bystander.keys}
    if point in DEFERRED:
        rig.sandboxes["freshdesk"].faults.append(Fault(status=503, times=1, retry_after=2))
    try:
        case = await rig.settled(await rig.submit("access", "erasure", email=who.email))
    finally:
        rig.clear_faults()
        rig.roles.remove(role)
        ended = role.stop()
    assert (role.died, ended) == (times, 130)
    assert states(case, "access")["freshdesk", "ticket"] == {"proved"}
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
    assert states(case, "erasure")["freshdesk", "ticket"] == {"proved"}
    assert states(case, "erasure")["salesforce", "lead"] == {"dated"}
    _effects_are_right(rig, who)
    assert not any(rig.effects(*bystander.keys).values())
    assert before == {key: rig.sandboxes["freshdesk"].state().get(key) for key in bystander.keys}
    assert len({it.n for it in case.responses}) == len(case.responses) == 2
    await _acts_agree(rig, case.id)


async def _acts_agree(rig: Rig, case: UUID) -> None:
    """A task that was carried out twice says the same both times.

    A search that is repeated after an erasure may not: that is counted and shown.
    """
    told: dict[UUID, set[bytes]] = {}
    for it in await rig.entries(case):
        if isinstance(it.event, TaskCompleted):
            told.setdefault(it.event.order, set()).add(it.event.digest)
    assert {len(digests) for digests in told.values()} == {1}


def _effects_are_right(rig: Rig, who: Planted) -> None:
    """Each object went, and went once."""
    freshdesk, salesforce = rig.sandboxes["freshdesk"].state(), rig.sandboxes["salesforce"].state()
    assert not {who.contact, *who.tickets} & freshdesk.keys()
    assert salesforce[who.record]["IsDeleted"]
    for key, operations in rig.effects(*who.keys).items():
        assert len(operations) == len(set(operations)), (key, operations)
        assert operations
