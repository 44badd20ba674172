"""A decider on a real register and no broker: what it publishes is kept, what it takes is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app, flow
from pipeline.app import LOCAL, Place
from pipeline.case.rules import Rules
from pipeline.intake.edge import Edge
from pipeline.intake.envelopes import Envelopes
from pipeline.intake.senders_file import SendersFile
from pipeline.kafka import wire
from pipeline.kafka.incoming import Incoming
from pipeline.orchestrator.decider import Decider
from pipeline.orchestrator.publisher import Publisher
from pipeline.register.case_keys import CaseKeys
from pipeline.settings import Settings
from schemas.codec import locked
from schemas.records import Preference

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

    async def publish(self, records: Iterable[wire.Record]) -> None:
        self.records.extend(records)


class Broken(Sent):
    """A broker that is gone: what is owed stays owed."""

    async def publish(self, _: Iterable[wire.Record]) -> None:
        raise ConnectionError


def set_up(folder: Path, register: str) -> Settings:
    """The settings of a data folder that has all keys, for two systems."""
    made = Settings(data=folder, systems="freshdesk,salesforce", register=register)
    files = Place(folder).keys
    files.create(NOW, ("freshdesk", "salesforce", *flow.OURS))
    app.register_local(Place(folder))
    return made


def decider(
    settings: Settings,
    engine: AsyncEngine,
    sent: Sent,
    clock: Callable[[], datetime] = _now,
    *,
    observe: bool = False,
    rules: Rules | None = None,
) -> Decider:
    """One as `run_orchestrator` makes it."""
    files = Place(settings.data).keys
    return Decider(
        engine=engine,
        codec=CODEC,
        rules=rules or app.rules(settings),
        envelopes=Envelopes(CODEC, SendersFile(Place(settings.data).intakes), files.pipeline()),
        keys=CaseKeys(files.wrapping()),
        files=files,
        publisher=Publisher(engine, sent, files.orchestrator(), clock),
        observe=observe,
        clock=clock,
    )


async def requests(
    settings: Settings,
    *cases: UUID,
    email: str = "",
    claims: Sequence[str] = ("access", "erasure"),
    level: int = 2,
) -> list[Incoming]:
    """Requests as they lie on the topic: each of somebody else, unless an address is given."""
    out = Sent()
    edge = Edge(name=LOCAL, files=Place(settings.data).keys, codec=CODEC, producer=out)
    for case in cases:
        person = with_email(email or f"{case}@example.org")
        await edge.request(case, claims, person, level=level, received_at=NOW)
    return [arrived(it, next(OFFSETS)) for it in out.records]


async def preferences(
    settings: Settings,
    says: str,
    purpose: str,
    email: str,
    record: UUID | None = None,
    *,
    level: int = 2,
    at: datetime = NOW,
    country: str = "",
    wording: str = "",
) -> list[Incoming]:
    """A preference as it lies on the topic."""
    out = Sent()
    edge = Edge(name=LOCAL, files=Place(settings.data).keys, codec=CODEC, producer=out)
    told = Preference(kind="email", value=email, country=country, wording=wording)
    await edge.preference(record or uuid4(), says, purpose, told, level=level, at=at)
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
