"""What the edge sends: requests and decisions, sealed to the pipeline and signed by who sends."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.sdk import wall_clock
from pipeline import flow
from pipeline.kafka import wire
from pipeline.kafka.producer import Publishes, send
from pipeline.keys.key_files import KeyFiles
from schemas.codec import Codec
from schemas.derive import event_name
from schemas.envelope import enclose
from schemas.events import Event, RequestReceived
from schemas.records import Actor, Person

TAG = 16
"""Bytes of a tag."""


class Edge:
    """Publishes as one registered intake or console; `signer` is a console's, if not ours."""

    def __init__(
        self,
        *,
        name: str,
        files: KeyFiles,
        codec: Codec,
        producer: Publishes,
        clock: Callable[[], datetime] = wall_clock.now,
        signer: Ed25519PrivateKey | None = None,
    ) -> None:
        self._name = name
        self._files = files
        self._codec = codec
        self._producer = producer
        self._clock = clock
        self._signer = signer

    async def request(
        self,
        case: UUID,
        claims: Sequence[str],
        person: Person,
        *,
        level: int,
        received_at: datetime,
        purpose: str = "",
    ) -> None:
        """Publish a `request_received`; returns once it is acknowledged."""
        key, public = self._files.pipeline().public(self._clock())
        event = RequestReceived(
            case=case,
            claims=tuple(claims),
            received_at=received_at,
            intake=self._name,
            level=level,
            key=key,
            purpose=purpose,
            sealed=b"",
        )
        signer = self._files.signer(f"intake-{self._name}")
        await self.send(flow.REQUESTS, enclose(self._codec, event, person, public, signer))

    def tag(self, digest: bytes) -> bytes:
        """What stands in the clear for a thing with this digest: nobody else can guess which."""
        key = self._decides().private_bytes_raw()
        return hmac.digest(key, b"habeas/thing/1/" + digest, sha256)[:TAG]

    def _decides(self) -> Ed25519PrivateKey:
        return self._signer or self._files.signer(f"console-{self._name}")

    async def decision(
        self, event: Event, login: str, *, says: str = "", evidence: str = ""
    ) -> None:
        """Publish a decision; `event.by` is this console.

        Sealed are who took it, why in their own words, and what shows that it is so.
        """
        await self.decided(event, Actor(login=login, says=says, evidence=evidence))

    async def decided(self, event: Event, actor: Actor) -> None:
        """Publish a decision with all that is sealed in it: what its event's class `SEALS`."""
        key, public = self._files.pipeline().public(self._clock())
        event = replace(event, key=key)  # type: ignore[call-arg]  # every decision has one
        sealed = enclose(self._codec, event, actor, public, self._decides())
        await self.send(flow.DECISIONS, sealed)

    async def send(self, topic: str, event: Event) -> None:
        """Publish an event as it is."""
        told = wire.headers(
            event,
            event_id=uuid5(event.case, event_name(type(event))),
            cause=None,
            source=f"intake/{self._name}",
            at=self._clock(),
            trace=wire.new_trace(),
        )
        value, key = self._codec.encode(event), str(event.case).encode()
        await send(self._producer, [wire.Record(topic=topic, key=key, value=value, headers=told)])
