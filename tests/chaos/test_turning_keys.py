"""Keys that turn every few seconds under load, with processes that die: nothing is lost by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pipeline import app, flow
from pipeline.register import reading
from tests.rig import Rig, plant, states

CASES = 18
PERIODS = {
    "HABEAS_HOST_KEY_PERIOD": "3",
    "HABEAS_PUBLIC_KEY_PERIOD": "3",
    "HABEAS_WRAPPING_KEY_PERIOD": "3",
    "HABEAS_KEY_LEAD": "1",
    "HABEAS_BACKUPS_KEPT": "2",
    "HABEAS_NOT_AFTER_ACT": "5",
    "HABEAS_NOT_AFTER_SEARCH": "5",
    "HABEAS_RUN_LIMIT": "5",
}
"""Every key of a host and every wrapping key that the cases began with is dead before they end."""


async def test_no_order_is_lost_and_no_dead_letter_written_while_keys_turn(
    tmp_path: Path, register: str
) -> None:
    async with Rig(tmp_path, register=register, options=PERIODS) as rig:
        began = _ids(rig)
        rig.run("run", "response", "notice", "recipients", "reports", "host", *rig.systems)
        deciders = [rig.run("run", "orchestrator") for _ in "12"]
        people = [plant(rig, f"person-{n}", tickets=1) for n in range(CASES)]
        cases = []
        for n, it in enumerate(people):
            cases.append(await rig.submit("access", "erasure", email=it.email))
            await asyncio.sleep(1)
            if n in {5, 10}:  # whatever it is doing
                deciders[n % 2].kill()
                deciders[n % 2].again()
        for case, who in zip(cases, people, strict=True):
            settled = await rig.settled(case)
            assert states(settled, "access")["freshdesk", "contact"] == {"proved"}
            assert states(settled, "erasure")["freshdesk", "contact"] == {"proved"}
            assert rig.effects(who.contact) == {who.contact: ["hard_delete"]}
        letters = [it for it in await rig.records() if it.topic == flow.DEAD_LETTERS]
        assert letters == []
        assert sum(it.died for it in deciders) == 2
        await rig.wait_for(lambda: not any(keys & _ids(rig)[of] for of, keys in began.items()))
        code, out, err = await rig.habeas("response", str(cases[0]), "--out", str(tmp_path / "r"))
        assert code == 0, (out, err)  # wrapped anew many times, and it opens
        async with app.register(rig.settings) as engine:
            under = {it.wrapping for it in await reading.keys(engine) if not it.destroyed_at}
        assert under <= _ids(rig)["wrapping"]


def _ids(rig: Rig) -> dict[str, set[str]]:
    files = app.Place(rig.settings.data).keys
    hosts = {system: set(keys) for system, keys in files.of_hosts().items()}
    return {"wrapping": set(files.wrapping()), **hosts}
