"""The broker dies in the middle of everything: cases wait, and none is lost."""

from __future__ import annotations

import pytest

from tests.rig import Rig, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_cases_wait_for_a_broker_that_was_killed(up: Rig) -> None:
    people = [plant(up, f"waits-{n}") for n in range(10)]
    cases = [await up.submit("access", "erasure", email=it.email) for it in people]
    await up.until(cases[0], lambda it: any(state.rounds for state in it.systems.values()))
    await up.lose_broker(seconds=5)
    late = await up.submit("access", email=plant(up, "late").email)
    for who, it in zip(people, cases, strict=True):
        case = await up.settled(it)
        assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
        assert states(case, "erasure")["salesforce", "lead"] == {"dated"}
        for operations in up.effects(*who.keys).values():
            assert len(operations) == len(set(operations)) == 1
    await up.settled(late)
    assert up.roles[0].died == 0
