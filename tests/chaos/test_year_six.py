"""What was put off happens in year six: every process replaced, the record key long destroyed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case.case import Case
from pipeline.case.follow_up import MARGIN
from pipeline.register import reading
from pipeline.register.case_keys import expire
from tests.rig import PATIENCE, Rig, text_of

YEARS = timedelta(days=6 * 365)
EMAIL = "year-six@example.org"


@pytest.fixture(autouse=True)
def _todays_clock() -> Iterator[None]:
    yield
    wall_clock.set_ahead(timedelta(0))


async def test_a_file_that_was_locked_goes_in_year_six_and_the_person_hears_of_it(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path, systems=("aws",)) as rig:
        until = wall_clock.now() + YEARS
        (locked,) = rig.sandboxes["aws"].seed(
            [
                {
                    "kind": "object",
                    "Bucket": "files",
                    "Key": f"uploads/{EMAIL}/contract.txt",
                    "Body": "Signed.",
                    "Mode": "COMPLIANCE",
                    "RetainUntil": until.isoformat(),
                }
            ]
        )
        then = rig.run()
        case = (await rig.settled(await rig.submit("erasure", email=EMAIL))).id
        (looks,) = {it.follow_up for it in (await _case(rig, case)).obligations}
        assert rig.effects(locked) == {locked: []}
        await _end_keys(rig, case)
        await asyncio.to_thread(then.stop)
        rig.roles.remove(then)

        ahead = YEARS + 3 * MARGIN
        wall_clock.set_ahead(ahead)
        seconds = str(ahead.total_seconds())
        rig.run(HABEAS_CLOCK_AHEAD=seconds)
        await rig.until(case, lambda it: all(of.closed_at for of in it.obligations))
        assert rig.effects(locked) == {locked: ["delete_version"]}
        last = [it["Subject"] for it in rig.mails(looks)][-1]
        assert last.startswith("We have looked again")
        assert str(case) in text_of(rig.mails(looks)[-1])

        file = tmp_path / "supplement.zip"
        for command in (
            ("response", str(looks), "--out", str(file)),
            ("verify", str(file), "--ledger"),
        ):
            code, *said = await rig.habeas(*command, HABEAS_CLOCK_AHEAD=seconds)
            assert code == 0, said
        code, out, _ = await rig.habeas("report", str(looks), "--json", HABEAS_CLOCK_AHEAD=seconds)
        report = json.loads(out)
        assert (code, report["follows"], report["n"]) == (0, str(case), 1)
        assert {it["state"] for it in report["coverage"]} == {"proved"}
        code, out, _ = await rig.habeas(
            "obligations", "--all", "--json", HABEAS_CLOCK_AHEAD=seconds
        )
        assert {(it["state"], it["follow_up"]) for it in json.loads(out)} == {("done", str(looks))}
        code, out, _ = await rig.habeas("obligations", "--json", HABEAS_CLOCK_AHEAD=seconds)
        assert (code, json.loads(out)) == (0, [])


async def _case(rig: Rig, case: UUID) -> Case:
    found = await rig.look(case)
    assert found is not None
    return found


async def _end_keys(rig: Rig, case: UUID) -> None:
    """Let the time of all keys of a case be up, and wait until they are destroyed."""
    async with app.register(rig.settings) as engine:
        every = [it for it in await reading.keys(engine) if it.owner == case]
        async with engine.begin() as connection:
            await expire(connection, {it.id: it.created_at for it in every})
        async with asyncio.timeout(PATIENCE):
            while any(it.owner == case and it.destroyed_at is None for it in every):
                await asyncio.sleep(0.2)
                every = await reading.keys(engine)
