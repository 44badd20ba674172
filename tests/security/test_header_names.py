"""Somebody who publishes a record with a header whose name is no UTF-8.

What they have: any topic, and a client of their own; a broker takes such a record. What they try:
to stop every process that reads the topic, for good, since its client raises whenever it meets it.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as producing
from aiokafka.record import default_records

from pipeline import flow
from pipeline.kafka import wire
from pipeline.kafka.incoming import read_to_end
from pipeline.kafka.producer import producer
from tests.rig import Rig, plant, states

TOPICS = (
    flow.REQUESTS,
    flow.PREFERENCES,
    flow.RESULTS,
    flow.DECISIONS,
    flow.REPORTS,
    flow.LEDGER,
    flow.DEAD_LETTERS,
    flow.work("freshdesk"),
)


class NoUtf8(str):
    """A header's name as another client may write it."""

    __slots__ = ()

    def encode(self, *_: Any) -> bytes:
        return b"\xff\xfe"


async def publish(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of that kind on every topic, between two ordinary ones of the same batch."""
    builder = default_records._DefaultRecordBatchBuilderPy
    for module in (message_accumulator, producing):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", builder)
    key = str(uuid4()).encode()
    async with producer(rig.bootstrap) as out:
        await out.publish(
            wire.Record(topic=topic, key=key, value=b"v", headers=((name, b"x"),))
            for topic in TOPICS
            for name in ("before", NoUtf8("odd"), "after")
        )


@pytest.mark.asyncio(loop_scope="module")
async def test_a_header_whose_name_is_no_text_stops_nobody(
    up: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(up, monkeypatch)
    found = [it async for it in read_to_end(up.bootstrap, flow.RESULTS)]
    names = [name for it in found if it.value == b"v" for name, _ in it.headers]
    assert names == ["before", "\ufffd\ufffd", "after"]
    assert all(wire.read(it.headers) for it in found)
    who = plant(up, "behind-odd-headers")
    case = await up.settled(await up.submit("access", "erasure", email=who.email))
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
    await up.wait_for((up.settings.data / "reports" / f"{case.id}-1.dsse.json").exists)
    code, _, err = await up.habeas("dead-letters", "list")
    assert code == 0, err
