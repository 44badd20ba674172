"""What a case costs: records on all topics, and vendor calls. Counted, not timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from pipeline import flow
from tests.rig import FIVE, Rig, plant

pytestmark = pytest.mark.asyncio(loop_scope="module")
BUDGET = 25
"""Records of an access over five systems, with one letter (DESIGN section 4)."""
EACH = 3
"""What a further letter, or a recipient who is told, costs: as a system does."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def five(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with Rig(tmp_path_factory.mktemp("five"), systems=FIVE) as rig:
        rig.run("up")
        yield rig


async def test_an_access_over_five_systems_costs_25_records_at_most(five: Rig) -> None:
    case = await five.settled(await five.submit("access", email=plant(five, "counted").email))
    counted = await _records(five, case.id)
    # Each system costs its order, its answer, and the ledger's record of what it decided.
    assert {it: counted[flow.work(it)] for it in FIVE} == dict.fromkeys(FIVE, 1)
    letters, told = counted[flow.work(flow.NOTICE)], counted[flow.work(flow.RECIPIENTS)]
    assert told == 2  # those who process for us, and have no connector
    assert counted[flow.RESULTS] == len(FIVE) + 1 + letters + told  # and the response's
    assert sum(counted.values()) <= BUDGET + EACH * (letters - 1 + told), counted


async def test_an_access_calls_a_vendor_once_for_each_page_and_each_whole_record(up: Rig) -> None:
    await up.settled(await up.submit("access", email=plant(up, "warm", tickets=1).email))
    freshdesk, salesforce = up.sandboxes["freshdesk"], up.sandboxes["salesforce"]
    before = {"freshdesk": freshdesk.calls.copy(), "salesforce": salesforce.calls.copy()}
    await up.settled(await up.submit("access", email=plant(up, "paged", tickets=3).email))
    made = {it: up.sandboxes[it].calls - before[it] for it in before}
    contact = "GET /api/v2/contacts/{id}"
    assert made["freshdesk"][contact] == 1  # its list row is not whole
    assert made["freshdesk"]["GET /api/v2/tickets/{id}"] == 3
    assert made["freshdesk"]["GET /api/v2/tickets/{id}/conversations"] == 3
    assert sum(made["salesforce"].values()) <= 12, made["salesforce"]


async def _records(rig: Rig, case: UUID) -> Counter[str]:
    """How many records each topic holds of a case."""
    return Counter(it.topic for it in await rig.records() if it.key == str(case).encode())
