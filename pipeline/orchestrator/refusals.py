"""What the decider does not decide on: counted, told apart, and put aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from pipeline.kafka import wire
from pipeline.kafka.dead_letters import InARow, refused
from pipeline.kafka.incoming import Incoming
from pipeline.kafka.unauthenticated import Unauthenticated
from pipeline.keys.key_files import KeyFiles
from schemas.codec import Codec
from schemas.events import Event

SET_ASIDE = "case_set_aside"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that becomes a dead letter, and why."""

    record: Incoming
    reason: str
    event: Event | None = None
    """What is in it, if only its key is missing: the ledger may have it."""
    is_authentic: bool = True
    """Whether who may say it has said it. Else anybody may have written it."""


class Refusals:
    """What one process has refused so far, by topic."""

    def __init__(
        self, codec: Codec, files: KeyFiles, limit: int, clock: Callable[[], datetime]
    ) -> None:
        self._codec = codec
        self._files = files
        self._limit = limit
        self._clock = clock
        self._unauthenticated = Unauthenticated(clock)
        self._in_a_row: dict[str, InARow] = {}

    def after(self, batch: Sequence[Incoming], refusals: Sequence[Refusal]) -> InARow:
        """How many in a row of the batch's topic were authentic and refused, with this batch.

        Raises `DeadLetterLimitError`. It counts once it is kept.
        """
        topic = batch[0].topic
        before = self._in_a_row.get(topic)
        after = InARow(topic, self._limit) if before is None else replace(before)
        refused_at = {(it.record.place, it.record.offset): it for it in refusals}
        for record in batch:
            refusal = refused_at.get((record.place, record.offset))
            if refusal is None:
                after.was_read()
            elif refusal.is_authentic and refusal.reason != SET_ASIDE:  # by a recovery, rightly so
                after.was_refused(record, refusal.reason)
        return after

    def keep(self, in_a_row: InARow) -> None:
        """The batch that led to it is committed."""
        self._in_a_row[in_a_row.topic] = in_a_row

    def letters(self, refusals: Sequence[Refusal]) -> list[wire.Record]:
        """Their dead letters; none for those beyond the many that anybody may have written."""
        return [letter for it in refusals if (letter := self._letter(it)) is not None]

    def _letter(self, it: Refusal) -> wire.Record | None:
        reason: str | None = it.reason
        if it.is_authentic:
            log.warning("record.refused", topic=it.record.topic, reason=it.reason)
        else:
            reason = self._unauthenticated.put_aside(it.record, it.reason)
        if reason is None:
            return None
        recipient = self._files.letters().public(self._clock())
        return refused(it.record, reason, self._codec, recipient)
