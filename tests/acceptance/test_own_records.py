"""Who asks twice is told of the first time: by real processes, on both databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

from pipeline import app, own_records
from pipeline.case.coverage import coverage
from tests.rig import Rig, plant, states

SYSTEMS = ("freshdesk", "salesforce", own_records.SYSTEM)


async def told(rig: Rig, case: UUID) -> list[dict[str, Any]]:
    """What the latest answer of a case says of what Habeas itself holds."""
    out = rig.folder / f"{case}.zip"
    code, _, err = await rig.habeas("response", str(case), "--out", str(out))
    assert code == 0, err
    with ZipFile(out) as package:
        name = f"data/{own_records.SYSTEM}.json"
        found: list[dict[str, Any]] = (
            json.loads(package.read(name)) if name in package.namelist() else []
        )
    return found


async def test_the_second_answer_tells_of_the_first_and_an_erasure_keeps_it_until_a_date(
    tmp_path: Path, register: str
) -> None:
    async with Rig(tmp_path, systems=SYSTEMS, register=register) as rig:
        rig.run("run", "orchestrator", "response", "notice", "recipients", "reports")
        rig.run("run", "host", "freshdesk", "salesforce")
        rig.run("run", "host", own_records.SYSTEM)
        ann, bob = plant(rig, "asks-twice"), plant(rig, "stranger")
        first = await rig.settled(await rig.submit("access", email=ann.email))
        stranger = await rig.settled(await rig.submit("access", email=bob.email))
        assert await told(rig, first.id) == []
        second = await rig.settled(await rig.submit("access", email=ann.email))
        (record,) = await told(rig, second.id)
        assert (record["kind"], record["id"]) == ("request", str(first.id))
        assert record["data"]["asked_for"][0]["outcome"] == "fulfilled"
        assert str(stranger.id) not in json.dumps(record)
        assert states(second, "access")[own_records.SYSTEM, "request"] == {"proved"}

        erased = await rig.settled(await rig.submit("erasure", email=ann.email))
        assert rig.effects(ann.contact)[ann.contact] == ["hard_delete"]
        assert states(erased, "erasure")[own_records.SYSTEM, "request"] == {"kept"}
        kept = [
            it
            for it in coverage(erased, "erasure", app.rules(rig.settings))
            if it.system == own_records.SYSTEM
        ]
        assert {it.count for it in kept} == {2}
        assert all(it.outcome.until is not None for it in kept)
        assert {it.outcome.restricted for it in kept} == {"own_use"}

        again = await rig.settled(await rig.submit("access", email=ann.email))
        ids = {it["id"]: it["kind"] for it in await told(rig, again.id)}
        assert {str(first.id), str(second.id), str(erased.id)} == set(ids)
        kinds = sorted(it["kind"] for it in await told(rig, again.id))
        assert kinds == ["erasure", "request", "request", "request"]

        code, out, err = await rig.habeas("connector", "check", own_records.SYSTEM)
        assert (code, out) == (0, "habeas: ok\n"), err
        elsewhere = str(tmp_path / "lone")
        code, out, err = await rig.habeas(
            "connector", "check", own_records.SYSTEM, HABEAS_DATA=elsewhere
        )
        assert code == 1
        assert "there are no wrapping keys in" in out + err
        code, _, err = await rig.habeas("run", "host", own_records.SYSTEM, HABEAS_DATA=elsewhere)
        assert code == 1
        assert "it runs where an orchestrator could" in " ".join(err.split())
