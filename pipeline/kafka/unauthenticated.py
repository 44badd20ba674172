"""What failed authentication: put aside by topic and claimed sender, up to a number; then counted.

Nothing of it is believed and nothing of it stops a process, however much comes. Of each sender the
first ones of an hour become dead letters; of the others a count is kept, and logged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from connectors.sdk import wall_clock

from .authentication import claimed_sender
from .incoming import Incoming

WINDOW = timedelta(hours=1)
LETTERS = 100
"""Dead letters of a topic and sender within a window."""
SENDERS = 20
"""Senders of a topic that are told apart within a window: their names are whatever they claim."""
OTHERS = "others"
CLAIM = " (claims to be from "
log = structlog.get_logger()


@dataclass(slots=True)
class _Window:
    until: datetime
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    """By topic and sender."""


def without_claim(reason: str) -> str:
    """The reason of a dead letter, whoever its record claims to be from."""
    return reason.partition(CLAIM)[0]


class Unauthenticated:
    """What one process met. Each process keeps its own counts, and none after a restart."""

    def __init__(self, clock: Callable[[], datetime] = wall_clock.now) -> None:
        self._clock = clock
        self._window = _Window(clock() + WINDOW)

    def put_aside(self, record: Incoming, code: str) -> str | None:
        """The reason for its dead letter; None if it is only counted."""
        if self._clock() >= self._window.until:
            self.report()
            self._window = _Window(self._clock() + WINDOW)
        counts = self._window.counts
        sender = self._sender(record)
        count = counts[record.topic, sender] = counts.get((record.topic, sender), 0) + 1
        if count > LETTERS:
            if count == LETTERS + 1 or str(count).strip("0") == "1":  # and at each power of ten
                log.error(
                    "unauthenticated.only_counted",
                    topic=record.topic,
                    sender=sender,
                    count=count,
                )
            return None
        log.warning("record.unauthenticated", topic=record.topic, sender=sender, reason=code)
        return f"not authenticated: {code}{CLAIM}{sender})"

    def report(self) -> None:
        """Log what was not put aside in this window: a line for each topic and sender."""
        for (topic, sender), count in sorted(self._window.counts.items()):
            if count > LETTERS:
                log.error("unauthenticated.counted", topic=topic, sender=sender, count=count)

    def _sender(self, record: Incoming) -> str:
        sender = claimed_sender(record)
        known = {name for topic, name in self._window.counts if topic == record.topic}
        return sender if sender in known or len(known) < SENDERS else OTHERS
