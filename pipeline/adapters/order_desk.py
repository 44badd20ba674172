"""One order, from the record it came in to the records that answer it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog

from pipeline import broke, flow
from pipeline.grants import HEADER, GrantError, Grants, UnknownHostKeyError, unwrap
from pipeline.ports import LaterError, Work
from schemas import events as e
from schemas.codec import Codec, CodecError
from schemas.events import Event
from schemas.sealed import SealError

from . import wire
from .incoming import Incoming
from .key_folder import KeyFileError, KeyFolder

KEY_WAIT = 10.0
"""Seconds that an order waits here for the key that it was wrapped with; then it is put off."""
LOOK_EVERY = 0.5
AGAIN_AFTER = timedelta(seconds=5)
"""An order that met a mistake of ours is worth another attempt, a little later."""
log = structlog.get_logger()
Order = e.SearchOrdered | e.TaskOrdered | e.ResponseOrdered | e.NoticeOrdered


class UnreadableError(Exception):
    """A record that is no order for this host, or that does not open under its keys."""


class OrderDesk:
    """Reads orders of one system, has them worked on, and frames the answers."""

    def __init__(
        self,
        work: Work,
        *,
        codec: Codec,
        host_keys: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.system = work.system
        self._work = work
        self._codec = codec
        self._keys = KeyFolder(host_keys)
        self._clock = clock

    async def answer(self, record: Incoming) -> list[wire.Record]:
        """The answer's records.

        Raises `UnreadableError` for a dead letter, `UnknownEventError` to stop the process.
        """
        order = self._order(record)
        try:
            answers = await self._worked(order, record)
        except (GrantError, SealError, CodecError) as error:
            raise UnreadableError(f"does not open: {error}") from None
        calls = max((getattr(it, "calls", 0) for it in answers), default=0)
        log.info(
            "order.answered",
            case=str(order.case),
            system=self._work.system,
            attempt=order.attempt,
            answer=type(answers[0]).__name__,
            calls=calls,
        )
        told = wire.read(record.headers)
        return [self._framed(order, it, told) for it in answers]

    def _order(self, record: Incoming) -> Order:
        wire.refuse_later(wire.read(record.headers))
        try:
            order = self._codec.decode(record.value or b"")
        except CodecError as error:
            raise UnreadableError(str(error)) from None
        if not isinstance(order, Order) or flow.topic_of(order) != record.topic:
            raise UnreadableError("not an order for this host")
        if record.key != str(order.case).encode():
            raise UnreadableError("key_is_not_the_case")
        return order

    async def _worked(self, order: Order, record: Incoming) -> Sequence[Event]:
        if self._clock() > order.not_after:
            return [self._deferred(order, self._clock(), "lapsed")]
        try:
            grants = await self._grants(dict(record.headers).get(HEADER, b""))
        except (UnknownHostKeyError, KeyFileError) as error:
            log.warning("order.key_missing", system=self._work.system, reason=str(error))
            return [self._deferred(order, self._clock(), "host_key_missing")]
        try:
            async with asyncio.timeout(order.run_limit):
                return await self._work(order, grants)
        except LaterError as error:
            return [self._deferred(order, error.until, error.reason)]
        except TimeoutError:
            return [self._deferred(order, self._clock(), "run_limit")]
        except (GrantError, SealError, CodecError):
            raise
        except Exception as error:  # noqa: BLE001  a mistake of ours: the order must not be lost
            log.error(  # noqa: TRY400  a traceback's values could name a person
                "order.broke",
                system=self._work.system,
                error=type(error).__name__,
                at=broke.at(error),
            )
            return [self._deferred(order, self._clock() + AGAIN_AFTER, "internal_error")]

    async def _grants(self, header: bytes) -> Grants:
        """The order's grants; its key may arrive a little later than it. Raises `GrantError`."""
        until = time.monotonic() + KEY_WAIT
        while True:
            try:
                return unwrap(header, self._keys)
            except (UnknownHostKeyError, KeyFileError):
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(LOOK_EVERY)

    def _deferred(self, order: Order, until: datetime, reason: str) -> Event:
        return e.OrderDeferred(
            case=order.case,
            order=order.order,
            system=self._work.system,
            until=until,
            reason=reason,
        )

    def _framed(self, order: Order, answer: Event, told: Mapping[str, str]) -> wire.Record:
        return wire.Record(
            topic=flow.RESULTS,
            key=str(answer.case).encode(),
            value=self._codec.encode(answer),
            headers=wire.headers(
                answer,
                event_id=wire.answer_id(order.order, answer),
                cause=_uuid(told.get("ce_id", "")),
                source=f"host/{self._work.system}",
                at=self._clock(),
                trace=wire.continued(told),
            ),
        )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
