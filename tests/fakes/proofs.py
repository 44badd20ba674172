"""Answers as a host says them: framed, and proved with what its order grants."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline import flow
from pipeline.crypto.grants import HEADER, Grant, Grants, unwrap
from pipeline.crypto.proofs import Slot
from pipeline.kafka import wire
from pipeline.kafka.authentication import proved
from pipeline.keys.key_files import KeyFiles
from pipeline.keys.key_folder import KeyFolder
from schemas.codec import locked
from schemas.derive import event_name
from schemas.events import Event


def granted(files: KeyFiles, order: wire.Record) -> Grants:
    """What an order brings to the host that has its keys."""
    system = order.topic.removeprefix(flow.work(""))
    return unwrap(dict(order.headers)[HEADER], KeyFolder(files.hosts(system)))


def answer(files: KeyFiles, order: wire.Record, said: Event) -> wire.Record:
    """The record of a host that says this to an order."""
    return said_with(granted(files, order).record(), said)


def slot_of(said: Any) -> Slot:
    """What an honest host claims with this answer."""
    return Slot(case=said.case, order=said.order, system=said.system, event=event_name(type(said)))


def framed(said: Any, source: str = "") -> wire.Record:
    """The record of an answer, by anybody who can write on the topic: nothing proves it."""
    headers = wire.headers(
        said,
        event_id=wire.answer_id(said.order, said),
        cause=None,
        source=source or f"host/{said.system}",
        at=datetime.now(UTC),
        trace=wire.new_trace(),
    )
    key = str(said.case).encode()
    return wire.Record(topic=flow.RESULTS, key=key, value=locked().encode(said), headers=headers)


def said_with(grant: Grant, said: Event, slot: Slot | None = None) -> wire.Record:
    """The record of an answer that this grant proves; in its own slot, or in another."""
    return proved(framed(said), grant, slot or slot_of(said))
