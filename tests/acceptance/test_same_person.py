"""Who asks again, and for a copy meanwhile: by real processes, on both databases."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from schemas import events as e
from tests.rig import Rig, plant, text_of

TICKETS = 30
"""So many that a plan to erase them waits for the DPO."""


async def test_the_same_once_more_joins_and_a_copy_comes_first_whoever_decides(
    tmp_path: Path, register: str
) -> None:
    async with Rig(tmp_path, register=register) as rig:
        rig.run("run", "response", "notice", "recipients", "reports", "host", *rig.systems)
        for _ in "12":
            rig.run("run", "orchestrator")
        people = [plant(rig, f"twice-{n}", tickets=TICKETS) for n in range(2)]
        erasing = [await rig.submit("erasure", email=it.email) for it in people]
        for case in erasing:
            await rig.until(case, lambda it: it.plan and it.plan.state == "asked")
        asked = (
            rig.submit(claim, email=it.email) for it in people for claim in ("erasure", "access")
        )
        more = await asyncio.gather(*asked)
        for first, second, copying, who in zip(erasing, more[::2], more[1::2], people, strict=True):
            joined = await rig.until(second, lambda it: it.joined and not it.under_way())
            assert joined.joined == first
            (letter,) = [it for it in rig.mails(second) if "the same before" in it["Subject"]]
            assert str(first) in text_of(letter)
            await rig.settled(copying)
            plan = (await rig.until(first, lambda it: not it.awaits)).plan
            assert plan is not None
            code, _, err = await rig.habeas("approve", str(first), "--plan", plan.digest.hex())
            assert code == 0, err
            await rig.settled(first)
            entries = await rig.entries(copying)
            (answer,) = [it for it in entries if isinstance(it.event, e.ResponseSigned)]
            tasks = [it.at for it in await rig.entries(first) if it.type == "task_ordered"]
            assert tasks
            assert answer.at <= min(tasks)
            assert rig.effects(who.contact)[who.contact] == ["hard_delete"]
        code, out, err = await rig.habeas("figures", "--json")
        assert code == 0, err
        rights = {it["right"]: it for it in json.loads(out)["rights"]}
        assert (rights["erasure"]["joined"], rights["erasure"]["answered"]) == (2, 2)
        code, out, err = await rig.habeas("case", str(more[0]))
        assert code == 0, err
        assert f"answered in case {erasing[0]}" in out
