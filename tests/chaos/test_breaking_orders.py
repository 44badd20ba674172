"""An order that ends whatever process takes it does so a few times, and then a person is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.case.spent import BEGAN, BROKE
from schemas.events import OrderDeferred
from tests.rig import Rig, plant, text_of

NOT_AFTER, RUN_LIMIT = 15, 3
"""Seconds. In the first of them a process that was killed must be back."""
BROKEN_AFTER = 2


async def test_an_answer_that_kills_its_host_is_given_up_and_the_next_one_is_made(
    tmp_path: Path,
) -> None:
    options = {
        "HABEAS_NOT_AFTER_ACT": str(NOT_AFTER),
        "HABEAS_RUN_LIMIT": str(RUN_LIMIT),
        "HABEAS_BROKEN_AFTER": str(BROKEN_AFTER),
    }
    async with Rig(tmp_path, systems=("freshdesk",), options=options) as rig:
        rig.settings = replace(rig.settings, broken_after=BROKEN_AFTER)
        one, two = plant(rig, "one"), plant(rig, "two")
        rig.run("run", "orchestrator", "notice", "recipients")
        rig.run("run", "host", "freshdesk")
        host = rig.run(
            *("run", "response"),
            HABEAS_CRASH_AT="assembler.after-zip*9999",
            HABEAS_INSTANCE="response-0",  # its partitions wait for it: it is back within its time
        )
        case = await rig.submit("access", "erasure", email=one.email)
        broke = await rig.until(case, lambda it: not it.under_way() and _told(rig, it.id))

        assert host.died > BROKEN_AFTER
        entries = [it.event for it in await rig.entries(case)]
        began = [it for it in entries if isinstance(it, OrderDeferred) and it.reason == BEGAN]
        assert len(began) == BROKEN_AFTER
        (shown,) = await _cases(rig)
        assert (shown["broken"], shown["state"]) == (f"response 1: {BROKE}", "settled")
        code, out, err = await rig.habeas("case", str(case))
        assert code == 0, err
        assert f"gave up: response 1 of response ({BROKE})" in " ".join(out.split())
        assert broke.reports == 0
        assert not rig.effects(*one.keys)[one.contact], "nobody was handed what would be erased"

        host.stop()
        rig.roles.remove(host)
        rig.run("run", "response")
        after = await rig.settled(await rig.submit("access", email=two.email))
        assert after.claims["access"].state == "fulfilled"


def _told(rig: Rig, case: Any) -> bool:
    """Whether the DPO was told that something of a case broke."""
    return any("something in our own systems broke" in text_of(it) for it in rig.mails(case))


async def _cases(rig: Rig) -> list[dict[str, Any]]:
    code, out, err = await rig.habeas("cases", "--json")
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)
    return found
