"""A vendor restored a backup: by real processes, whoever was erased since is erased again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from pipeline import app
from pipeline.case.case import Case
from pipeline.register.case_keys import RECORD, destroy
from pipeline.register.tables import keys
from schemas import events as e
from tests.rig import Rig, plant


async def test_what_a_vendor_brought_back_is_erased_again_and_who_cannot_be_is_named(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path) as rig:
        rig.run("up")
        people = [plant(rig, who) for who in ("restored", "forgotten", "stays.away")]
        cases = [await rig.submit("erasure", email=it.email) for it in people]
        for case in cases:
            await rig.settled(case)
        await _key_is_lost(rig, cases[1])
        back = plant(rig, "restored")
        since = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
        replay = ("replay", "--since", since, "freshdesk", "--json")
        code, out, err = await rig.habeas(*replay, "--dry-run")
        assert code == 1, err
        would = json.loads(out)
        assert set(would["cases"]) == {str(cases[0]), str(cases[2])}
        assert (would["systems"], would["keyless"]) == ({"freshdesk": 2}, [str(cases[1])])
        assert not await _said(rig, cases[0], e.ErasureReplayed)
        numbers = {it: len(await rig.entries(it)) for it in cases}
        for _ in "12":
            code, out, err = await rig.habeas(*replay)
            assert (code, json.loads(out)) == (1, {**would, "dry_run": False}), err
        looks = {it: await _looks(rig, it, numbers[it]) for it in (cases[0], cases[2])}
        asked = await rig.until(looks[cases[0]], _waits)
        assert asked.plan is not None
        assert rig.effects(back.contact)[back.contact] == []
        plan = ("approve", str(asked.id), "--plan", asked.plan.digest.hex())
        code, _, err = await rig.habeas(*plan)
        assert code == 0, err
        assert (await rig.settled(asked.id)).claims["erasure"].state == "fulfilled"
        assert rig.effects(back.contact)[back.contact] == ["hard_delete"]
        assert rig.effects(back.record)[back.record] == []
        nothing = await rig.until(looks[cases[2]], lambda it: it.state == "answered")
        assert (nothing.claims["erasure"].state, nothing.responses) == ("no_data", ())
        assert [len(await _said(rig, it, e.ErasureReplayed)) for it in cases] == [1, 0, 1]
        later = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
        code, out, err = await rig.habeas("replay", "--since", later)
        assert (code, out) == (0, "cases that are looked into again: 0 (nowhere)\n"), err
        code, _, err = await rig.habeas("replay", "--since", since, "acme")
        assert (code, "no system 'acme'" in err) == (2, True)


def _waits(case: Case) -> bool:
    return case.plan is not None and case.plan.state == "asked"


async def _said(rig: Rig, case: UUID, kind: type[e.Event]) -> list[e.Event]:
    return [it.event for it in await rig.entries(case) if isinstance(it.event, kind)]


async def _looks(rig: Rig, case: UUID, since: int) -> UUID:
    """The case that looks for what this one erased; `since` is how many events it had before."""
    await rig.until(case, lambda it: it.number >= since + 3)  # said, recorded, begun
    (due,) = await _said(rig, case, e.ObligationDue)
    assert isinstance(due, e.ObligationDue)
    return due.follow_up


async def _key_is_lost(rig: Rig, case: UUID) -> None:
    mine = (keys.c.owner == case) & (keys.c.purpose == RECORD)
    async with app.register(rig.settings) as engine, engine.begin() as connection:
        (key,) = (await connection.execute(select(keys.c.id).where(mine))).scalars()
        await destroy(connection, key, datetime.now(UTC))
