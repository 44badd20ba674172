"""The web role on a real socket and a real register; what it publishes is kept, or refused."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from aiokafka.errors import KafkaConnectionError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app
from pipeline.app import ONE_CLICK, WEB, Place
from pipeline.crypto import one_click
from pipeline.intake.edge import Edge
from pipeline.kafka import wire
from pipeline.register import links
from pipeline.register.engine import connect, migrate, url_of
from pipeline.settings import Settings
from pipeline.web.confirm import Confirmation, application
from pipeline.web.guard import Guard
from pipeline.web.pages import Pages
from pipeline.web.peers import Peers
from pipeline.web.server import running
from pipeline.web.unsubscribe import Unsubscription
from schemas.codec import locked
from schemas.events import (
    IdentityProved,
    InstructionOrdered,
    NoticeOrdered,
    PreferenceReceived,
    RecipientAcknowledged,
)
from tests.fakes.deciders import NOW, Sent, set_up

CODEC = locked()
KEY = b"k" * 32
"""What the tokens of these tests are made with."""


class Broker(Sent):
    """Keeps what is published, until it is away."""

    away: bool = False

    async def publish(self, records: Iterable[wire.Record]) -> None:
        if self.away:
            raise KafkaConnectionError
        await super().publish(records)


@dataclass
class Served:
    """A web role that listens at `url`."""

    settings: Settings
    engine: AsyncEngine
    """That writes: a decider's."""
    url: str
    broker: Broker = field(default_factory=Broker)
    now: datetime = NOW

    async def link(
        self, *, case: UUID | None = None, tag: bytes = b"t" * 16, lives: timedelta | None = None
    ) -> str:
        """The token of a mail that was ordered, as a decider makes and keeps it."""
        lives = timedelta(days=14) if lives is None else lives
        ordered = notice(case or uuid4(), tag, self.now + lives)
        token = links.token(KEY, ordered)
        async with self.engine.begin() as connection:
            await links.remember(connection, ordered, token, self.now)
        return token

    async def instruction(self, *, case: UUID | None = None) -> str:
        """The token in an instruction to a recipient."""
        ordered = InstructionOrdered(
            case=case or uuid4(),
            order=uuid4(),
            n=1,
            attempt=1,
            recipient="acme",
            right="erasure",
            asks="erase",
            not_after=NOW,
            run_limit=60,
            at=NOW,
            answer_by=NOW,
            expires_at=self.now + timedelta(days=90),
        )
        token = links.token(KEY, ordered)
        async with self.engine.begin() as connection:
            await links.remember(connection, ordered, token, self.now)
        return token

    def said(self) -> list[RecipientAcknowledged]:
        """What recipients said."""
        found = [CODEC.decode(it.value) for it in self.broker.records]
        return [it for it in found if isinstance(it, RecipientAcknowledged)]

    def unsubscription(self, purpose: str, email: str) -> str:
        """The token in a mail to somebody."""
        signer = Place(self.settings.data).keys.signer(f"intake-{ONE_CLICK}")
        return one_click.token(one_click.key_of(signer), purpose, email)

    def withdrawn(self) -> list[PreferenceReceived]:
        """What was said by one click."""
        found = [CODEC.decode(it.value) for it in self.broker.records]
        return [it for it in found if isinstance(it, PreferenceReceived)]

    def proved(self) -> list[IdentityProved]:
        """The proofs that were published."""
        found = [CODEC.decode(it.value) for it in self.broker.records]
        return [it for it in found if isinstance(it, IdentityProved)]


def notice(case: UUID, tag: bytes, expires_at: datetime | None, **more: Any) -> NoticeOrdered:
    """The order of a mail with a link."""
    given = {"kind": links.CONFIRM, "n": 1, **more}
    return NoticeOrdered(
        case=case,
        order=uuid4(),
        attempt=1,
        to="subject",
        not_after=NOW,
        run_limit=60,
        due_at=NOW,
        expires_at=expires_at,
        identifier=tag,
        **given,
    )


def clicking(made: Served) -> Unsubscription:
    """What serves the links that end mail."""
    files = Place(made.settings.data).keys
    edge = Edge(
        name=ONE_CLICK,
        files=files,
        codec=CODEC,
        producer=made.broker,
        clock=lambda: made.now,
    )
    key = one_click.key_of(files.signer(f"intake-{ONE_CLICK}"))
    return Unsubscription(key, edge, lambda: made.now)


@asynccontextmanager
async def served(
    folder: Path, register: str = "", *, peers: Callable[[], Peers] = Peers
) -> AsyncIterator[Served]:
    """The web role over a register of its own, at a port that was free."""
    settings = set_up(folder, register)
    Place(folder).keys.signer(f"console-{WEB}")
    writing = await connect(url_of(register, folder))
    await migrate(writing)
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    made = Served(settings, writing, url)
    policy = app.policy_of(settings)
    pages = Pages(controller=policy.controller, contact=policy.dpo)
    files = Place(folder).keys
    edge = Edge(name=WEB, files=files, codec=CODEC, producer=made.broker, clock=lambda: made.now)
    async with app.register(settings, reading=True) as engine:
        confirmation = Confirmation(engine, edge, lambda: made.now)
        asked = application(confirmation, clicking(made), pages)
        async with running(Guard(asked, pages=pages, url=url, peers=peers()), listener):
            yield made
    await writing.dispose()
