"""A decider on a real register and no broker: what it publishes is kept, what it takes is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app, flow
from pipeline.adapters import way_in, wire
from pipeline.adapters.decider import Decider
from pipeline.adapters.edge import Edge
from pipeline.adapters.incoming import Incoming
from pipeline.adapters.publisher import Publisher
from pipeline.adapters.register.case_keys import CaseKeys
from pipeline.app import LOCAL, LOCAL_LEVEL, Place
from pipeline.settings import Settings
from schemas.codec import locked

from .person import with_email

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
CODEC = locked()
OFFSETS = count()
"""No two records have the same."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Sent:
    """Where a producer's records go when no broker is asked."""

    records: list[wire.Record] = field(default_factory=list)

    async def send(self, topic: str, value: bytes, *, key: bytes, headers: Any) -> Any:
        record = wire.Record(topic=topic, key=key, value=value, headers=tuple(headers))
        self.records.append(record)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Broken(Sent):
    """A broker that is gone: what is owed stays owed."""

    async def send(self, *_: Any, **__: Any) -> Any:
        raise ConnectionError


def set_up(folder: Path, register: str) -> Settings:
    """The settings of a data folder that has all keys, for two systems."""
    made = Settings(data=folder, systems="freshdesk,salesforce", register=register)
    files = Place(folder).keys
    files.create(NOW, ("freshdesk", "salesforce", flow.RESPONSE, flow.NOTICE))
    signer = files.signer(f"intake-{LOCAL}")
    way_in.register(Place(folder).intakes, "intakes", LOCAL, signer.public_key(), LOCAL_LEVEL)
    return made


def decider(
    settings: Settings,
    engine: AsyncEngine,
    sent: Sent,
    clock: Callable[[], datetime] = _now,
    *,
    observe: bool = False,
) -> Decider:
    """One as `run_orchestrator` makes it."""
    files = Place(settings.data).keys
    senders = way_in.load(Place(settings.data).intakes)
    return Decider(
        engine=engine,
        codec=CODEC,
        rules=app.rules(settings),
        way_in=way_in.WayIn(CODEC, senders, files.pipeline()),
        keys=CaseKeys(files.wrapping()),
        files=files,
        publisher=Publisher(engine, sent, clock),
        observe=observe,
        clock=clock,
    )


async def requests(
    settings: Settings, *cases: UUID, email: str = "a@example.org"
) -> list[Incoming]:
    """Requests as they lie on the topic."""
    out = Sent()
    edge = Edge(name=LOCAL, files=Place(settings.data).keys, codec=CODEC, producer=out)
    for case in cases:
        person = with_email(email)
        await edge.request(case, ("access", "erasure"), person, level=2, received_at=NOW)
    return [arrived(it, next(OFFSETS)) for it in out.records]


def again(batch: Iterable[Incoming]) -> list[Incoming]:
    """The same records, sent once more."""
    return [replace(it, offset=next(OFFSETS)) for it in batch]


def arrived(it: wire.Record, offset: int, at: datetime = NOW) -> Incoming:
    """A record as a consumer gets it."""
    return Incoming(
        topic=it.topic,
        partition=0,
        offset=offset,
        key=it.key,
        value=it.value,
        headers=it.headers,
        at=at,
    )


def of_topic(records: Iterable[wire.Record], topic: str) -> Sequence[wire.Record]:
    """Those of one topic."""
    return [it for it in records if it.topic == topic]
