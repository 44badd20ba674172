"""What a case costs: records on all topics, and vendor calls. Counted, not timed."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from pipeline import flow
from tests.rig import Rig, plant

pytestmark = pytest.mark.asyncio(loop_scope="module")
BUDGET = 25
"""Records of an access over five systems (DESIGN section 4)."""
SYSTEMS = 5


async def test_an_access_over_five_systems_would_cost_25_records_at_most(up: Rig) -> None:
    case = await up.settled(await up.submit("access", email=plant(up, "counted").email))
    counted = await _records(up, case.id)
    # Beside its order and its answer, each system costs the ledger's record of what it decided.
    per_system = (counted[flow.work("freshdesk")] + counted[flow.work("salesforce")]) / 2
    answers = counted[flow.RESULTS] - 2  # the response's and the notice's
    each = per_system + answers / 2 + 1
    assert each == 3
    total = sum(counted.values())
    assert total + (SYSTEMS - 2) * each <= BUDGET, counted


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
