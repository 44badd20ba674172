"""One order, from the record it came in to the records that answer it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog

from connectors.sdk import wall_clock
from pipeline import flow
from pipeline.case.spent import BEGAN, BROKE, LAPSED
from pipeline.crypto.grants import HEADER, Grant, GrantError, Grants, UnknownHostKeyError, unwrap
from pipeline.crypto.proofs import NotProvedError, Slot
from pipeline.disk import DiskError
from pipeline.faults import broke
from pipeline.kafka import wire
from pipeline.kafka.authentication import check_proof, claim_of, proved
from pipeline.kafka.incoming import Incoming
from pipeline.keys.key_folder import KeyFileError, KeyFolder
from pipeline.ports import LaterError, Work
from schemas import events as e
from schemas.codec import Codec, CodecError
from schemas.derive import event_name
from schemas.events import Event
from schemas.sealed import SealError, check_sealed

KEY_WAIT = 10.0
"""Seconds that an order waits here for the key that it was wrapped with; then it is refused."""
LOOK_EVERY = 0.5
AGAIN_AFTER = timedelta(seconds=5)
"""An order that met a mistake of ours is worth another attempt, a little later."""
MOST = timedelta(minutes=5)
"""Until an order that found no room is tried again, at most: each attempt asks the vendor anew."""
log = structlog.get_logger()
Order = (
    e.SearchOrdered
    | e.TaskOrdered
    | e.MeasureOrdered
    | e.PeopleOrdered
    | e.ResponseOrdered
    | e.NoticeOrdered
    | e.InstructionOrdered
)


class UnreadableError(Exception):
    """An authentic record that is no order for this host, or that it cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedOrder:
    """An order that the orchestrator gave, with what it grants."""

    order: Order
    grants: Grants
    told: Mapping[str, str]
    """The headers of its record."""


class OrderHandler:
    """Reads orders of one system, has them worked on, and frames the answers.

    At most `most_waiting` at once wait for the host key that they name.
    """

    def __init__(
        self,
        work: Work,
        *,
        codec: Codec,
        host_keys: Path,
        clock: Callable[[], datetime] = wall_clock.now,
        most_waiting: int = 32,
    ) -> None:
        self.system = work.system
        self._work = work
        self._codec = codec
        self._keys = KeyFolder(host_keys)
        self._clock = clock
        self._most_waiting = most_waiting
        self._waiting = 0

    async def open(self, record: Incoming) -> OpenedOrder:
        """The order in a record. Nothing of it is read before it is known who gave it.

        Raises `NotProvedError` unless it was given under the grants that it brings: it is not
        answered then, since nothing can be proved without them; the clock issues the order again
        once it has lapsed. Raises `UnreadableError` for a dead letter, `UnknownEventError` to stop
        the process.
        """
        claim = claim_of(record)
        grants = await self._grants(dict(record.headers).get(HEADER) or b"")
        grant = _record_grant(grants, self.system)
        slot = check_proof(record, claim, grant)
        told = wire.read(record.headers)
        wire.refuse_later(told)
        order = self._order(record)
        said = Slot(
            case=order.case, order=order.order, system=self.system, event=event_name(type(order))
        )
        if said != slot or wire.name_in(told) != slot.event:
            raise UnreadableError("not_what_is_proved")
        try:
            check_sealed(order, grant.key, self.system)
        except SealError as error:
            raise UnreadableError(f"does not open: {error}") from None
        return OpenedOrder(order=order, grants=grants, told=told)

    def beginning(self, opened: OpenedOrder) -> list[wire.Record]:
        """What says that another attempt begins, before it does: it may end this very process."""
        order = opened.order
        if order.attempt == 1 or self._clock() > order.not_after:
            return []
        until = order.not_after + timedelta(seconds=order.run_limit)
        return [self._framed(opened, self._deferred(order, until, BEGAN))]

    async def answer(self, opened: OpenedOrder) -> list[wire.Record]:
        """The answer's records, each with its proof. Raises `UnreadableError` for a dead letter."""
        order = opened.order
        try:
            answers = await self._worked(order, opened.grants)
        except (GrantError, SealError, CodecError) as error:
            raise UnreadableError(f"does not open: {error}") from None
        calls = max((getattr(it, "calls", 0) for it in answers), default=0)
        log.info(
            "order.answered",
            case=str(order.case),
            system=self.system,
            attempt=order.attempt,
            answer=type(answers[0]).__name__,
            calls=calls,
        )
        try:
            return [self._framed(opened, it) for it in answers]
        except CodecError as error:  # of our own making, so the order is not unreadable
            return [self._framed(opened, self._broke(order, error))]

    def _order(self, record: Incoming) -> Order:
        try:
            order = self._codec.decode(record.value or b"")
        except CodecError as error:
            raise UnreadableError(str(error)) from None
        if not isinstance(order, Order) or flow.topic_of(order) != record.topic:
            raise UnreadableError("not an order for this host")
        return order

    async def _worked(self, order: Order, grants: Grants) -> Sequence[Event]:
        if self._clock() > order.not_after:
            return [self._deferred(order, self._clock(), LAPSED)]
        try:
            async with asyncio.timeout(order.run_limit):
                return await self._work(order, grants)
        except LaterError as error:
            return [self._deferred(order, error.until, error.reason)]
        except TimeoutError:
            return [self._deferred(order, self._clock(), "run_limit")]
        except DiskError as error:
            log.error("store.refuses", case=str(order.case), system=self.system, reason=str(error))  # noqa: TRY400
            return [self._deferred(order, self._clock() + _pause(order), error.code)]
        except (GrantError, SealError, CodecError):
            raise
        except Exception as error:  # noqa: BLE001  a mistake of ours: the order must not be lost
            return [self._broke(order, error)]

    async def _grants(self, header: bytes) -> Grants:
        """The order's grants; its key may arrive a little later than it. Raises `NotProvedError`.

        Anybody can name a key that never comes: those that wait leave room for the others.
        """
        until = time.monotonic() + KEY_WAIT
        self._waiting += 1
        try:
            while True:
                try:
                    return unwrap(header, self._keys)
                except (UnknownHostKeyError, KeyFileError) as error:
                    if time.monotonic() > until or self._waiting > self._most_waiting:
                        log.warning("order.key_missing", system=self.system, reason=str(error))
                        raise NotProvedError("host_key_missing") from None
                except GrantError:
                    raise NotProvedError("grants_do_not_open") from None
                await asyncio.sleep(LOOK_EVERY)
        finally:
            self._waiting -= 1

    def _broke(self, order: Order, error: Exception) -> Event:
        """An order that met a mistake of ours is tried again; not for ever, the decider says."""
        log.error(
            "order.broke",
            case=str(order.case),
            system=self._work.system,
            attempt=order.attempt,
            error=type(error).__name__,
            at=broke.at(error),
        )
        return self._deferred(order, self._clock() + AGAIN_AFTER, BROKE)

    def _deferred(self, order: Order, until: datetime, reason: str) -> Event:
        return e.OrderDeferred(
            case=order.case,
            order=order.order,
            system=self._work.system,
            until=until,
            reason=reason,
        )

    def _framed(self, opened: OpenedOrder, answer: Event) -> wire.Record:
        order, told = opened.order, opened.told
        record = wire.Record(
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
        slot = Slot(
            case=order.case, order=order.order, system=self.system, event=event_name(type(answer))
        )
        return proved(record, opened.grants.record(), slot)


def _pause(order: Order) -> timedelta:
    """Twice as long after each attempt."""
    return min(AGAIN_AFTER * (1 << min(order.attempt - 1, 10)), MOST)


def _record_grant(grants: Grants, system: str) -> Grant:
    """What the order was given under, and its answer is proved with. Raises `NotProvedError`."""
    try:
        found = grants.record()
    except GrantError:
        raise NotProvedError("no_record_grant") from None
    if found.system != system:
        raise NotProvedError("grant_of_another_system")
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
