"""Open cases of the release before cross to this one, and finish: nobody does anything for it."""

from __future__ import annotations

import json
import tarfile
from base64 import b64decode
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pipeline import app
from pipeline.app import CONSOLE
from pipeline.kafka import positions
from pipeline.kafka.producer import producer
from pipeline.kafka.wire import Record
from schemas.events import IdentityProved
from tests.releases.leave import NAMES, OPTIONS
from tests.rig import Planted, Rig, plant, states

LEFT = sorted((Path(__file__).parents[1] / "releases").glob("*.tar.gz"))
"""What earlier releases left, the newest last (`tests/releases/leave.py`)."""


def raw(text: str | None) -> bytes:
    return b64decode(text or "")


async def lay_out(rig: Rig, told: Any) -> None:
    """Have the topics and the groups of consumers be what they were."""
    async with producer(rig.bootstrap) as out:
        for it in told["records"]:
            headers = tuple((name, raw(value)) for name, value in it["headers"])
            record = Record(
                topic=it["topic"], key=raw(it["key"]), value=raw(it["value"]), headers=headers
            )
            sent = await out.send_and_wait(
                record.topic,
                record.value,
                key=record.key,
                partition=it["partition"],
                headers=list(headers),
            )
            assert sent.offset == it["offset"]
    for group, places in told["groups"].items():
        await positions.move(
            rig.bootstrap, group, {(topic, partition): at for topic, partition, at in places}
        )


@pytest.mark.parametrize("left", LEFT, ids=lambda it: it.name.removesuffix(".tar.gz"))
async def test_what_was_left_open_is_taken_over_and_finished(tmp_path: Path, left: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with tarfile.open(left) as archive:
        archive.extractall(data, filter="data")
    told = json.loads((data / "topics.json").read_text())
    cases = {name: UUID(it) for name, it in told["cases"].items()}
    async with Rig(tmp_path, options=OPTIONS) as rig:
        people = {it: plant(rig, it, tickets=1) for it in NAMES}
        await lay_out(rig, told)
        before = await rig.entries(cases["settled"])
        rig.run("up")
        async with app.local_edge(rig.settings, CONSOLE) as console:
            proved = IdentityProved(case=cases["asked"], by=CONSOLE, level=2, method="passport")
            await console.decision(proved, login="dpo", evidence="a passport")
        for name, case in cases.items():
            if name not in {"settled", "asked"}:
                await _is_erased(rig, people[name], case)
        asked = await rig.settled(cases["asked"])
        assert states(asked, "access")["freshdesk", "contact"] == {"proved"}
        assert await rig.entries(cases["settled"]) == before
        async with app.register(rig.settings) as engine:
            for it in cases.values():
                await app.open_response(rig.settings, engine, it, None, tmp_path / f"{it}.zip")
        assert rig.roles[0].died == 0


async def _is_erased(rig: Rig, who: Planted, case: UUID) -> None:
    done = await rig.settled(case)
    assert states(done, "erasure")["freshdesk", "contact"] == {"proved"}
    assert {len(it) for it in rig.effects(who.contact, *who.tickets).values()} == {1}
