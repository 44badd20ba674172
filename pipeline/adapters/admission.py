"""Which of a batch's records are decided on: read, checked, new, and in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import flow
from schemas import events as e
from schemas.codec import Codec, CodecError
from schemas.events import Event
from schemas.sealed import SealError

from . import repetition
from .incoming import Incoming, Input, read
from .key_folder import KeyPairs
from .open_cases import OpenCases
from .register import sealing, store
from .register.case_keys import RECORD
from .way_in import RefusedError, UnknownKeyError, WayIn

SET_ASIDE = "case_set_aside"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that becomes a dead letter, and why."""

    record: Incoming
    reason: str
    event: Event | None = None
    """What is in it, if only its key is missing: the ledger may have it."""


class Admission:
    """Reads records, and lets in what the ledger lacks. `pipeline` is what intakes seal to."""

    def __init__(
        self, codec: Codec, way_in: WayIn, pipeline: KeyPairs, clock: Callable[[], datetime]
    ) -> None:
        self._codec = codec
        self._way_in = way_in
        self._pipeline = pipeline
        self._clock = clock

    def read(self, batch: Sequence[Incoming]) -> tuple[list[Input], list[Refusal]]:
        """The events in a batch, and what can be none. Raises `UnknownEventError`."""
        inputs, refusals = [], []
        for record in batch:
            try:
                inputs.append(read(record, self._codec, self._way_in))
            except UnknownKeyError as error:
                refusals.append(Refusal(record, str(error), error.event))
            except (CodecError, RefusedError) as error:
                refusals.append(Refusal(record, str(error)))
        self._warn_of_old_keys(
            [it.event for it in inputs if isinstance(it.event, e.RequestReceived)]
        )
        return inputs, refusals

    async def admit(
        self, connection: AsyncConnection, open_cases: OpenCases, inputs: Sequence[Input]
    ) -> tuple[list[Input], list[Refusal]]:
        """Drop what the ledger has; refuse what has no order or contradicts what was said."""
        known = await store.known_events(connection, [it.id for it in inputs])
        admitted: list[Input] = []
        refusals, seen = [], set(known)
        for it in inputs:
            reason = ""
            if it.id in seen:
                if isinstance(it.event, e.RequestReceived):
                    same = await repetition.is_same_submission(
                        connection,
                        self._codec,
                        it,
                        before=[other for other in admitted if other.id == it.id],
                        record=open_cases.of(it.event.case).keys.get(RECORD),
                    )
                    reason = "" if same else "case_id_taken"
            elif it.event.case in open_cases.aside:
                reason = SET_ASIDE
            else:
                reason = self._misplaced(open_cases, it)
            if reason and it.record is not None:
                refusals.append(Refusal(it.record, reason))
            elif it.id not in seen:
                seen.add(it.id)
                admitted.append(it)
        return admitted, refusals

    async def unheard(
        self, connection: AsyncConnection, refusals: Sequence[Refusal]
    ) -> list[Refusal]:
        """Refusals, without those of what the ledger has: it needs no key any more."""
        return [
            it
            for it in refusals
            if it.event is None or not await repetition.is_known(connection, it.event)
        ]

    def _misplaced(self, open_cases: OpenCases, it: Input) -> str:
        event = it.event
        case = open_cases.cases.get(event.case)
        if isinstance(event, e.RequestReceived):
            return "" if case is None else "case_id_taken"
        if case is None:
            return "unknown_case"
        if it.record is None or it.record.topic != flow.RESULTS:
            return ""
        order = case.order_of(event.order) if hasattr(event, "order") else None
        if order is None or order.slot[1] != getattr(event, "system", ""):
            return "unknown_order"
        if getattr(event, "sealed", b""):
            opened = open_cases.of(case.id)
            try:
                opened.answers[it.id] = sealing.unseal(self._codec, event, opened.keys)
            except (SealError, CodecError, KeyError):
                return "does_not_open"
        return ""

    def _warn_of_old_keys(self, requests: Sequence[e.RequestReceived]) -> None:
        """An intake that does not take the new key is refused once the old one is dead."""
        current = self._pipeline.current(self._clock()) if requests else ""
        for it in requests:
            if it.key < current:
                log.warning("intake.old_key", intake=it.intake, key=it.key, in_force=current)
