"""Two orchestrators share the cases of one register; one of them is killed with cases in flight."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from schemas.events import TaskOrdered
from tests.rig import Rig, plant, states

CASES = 12


async def test_no_case_is_lost_or_decided_twice(tmp_path: Path, register: str) -> None:
    async with Rig(tmp_path, register=register) as rig:
        rig.run("run", "response", "notice", "recipients", "reports", "host", *rig.systems)
        first, _ = (rig.run("run", "orchestrator") for _ in "12")
        people = [plant(rig, f"person-{n}", tickets=1) for n in range(CASES)]
        cases = [await rig.submit("access", "erasure", email=it.email) for it in people]
        await rig.until(cases[0], lambda it: it.state != "opened")
        first.kill()
        for case, who in zip(cases, people, strict=True):
            settled = await rig.settled(case)
            assert {it.state for it in settled.claims.values()} <= {
                "fulfilled",
                "partially_fulfilled",
            }
            assert states(settled, "erasure")["freshdesk", "contact"] == {"proved"}
            entries = await rig.entries(case)
            assert [it.number for it in entries] == list(range(1, len(entries) + 1))
            tasks = Counter(it.event.system for it in entries if isinstance(it.event, TaskOrdered))
            assert tasks == {"freshdesk": 1, "salesforce": 1}
            assert rig.effects(who.contact, who.record) == {
                who.contact: ["hard_delete"],
                who.record: ["delete"],
            }
        assert first.died == 1
