"""What lies in dead letters, beside what waits in cases; or that nobody here could look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from pipeline import app
from pipeline.kafka import dead_letters
from pipeline.settings import Settings

from . import console

WITHIN = 5.0
"""Seconds that looking may take: the list of what waits is not held up by it."""
SHOWN = 5
"""Reasons that are told, the most frequent first; strangers may have written any number."""
COMMAND = "habeas dead-letters list"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAside:
    """How many records lie there. None is not none: `unknown` says why nobody could look."""

    records: int | None
    reasons: Mapping[str, int]
    unknown: str = ""
    command: str = COMMAND

    def __str__(self) -> str:
        if self.records is None:
            return f"whether records lie in dead letters is not known: {self.unknown}"
        whys = [f"{count} {why}" for why, count in [*self.reasons.items()][:SHOWN]]
        more = ["..."] if len(self.reasons) > SHOWN else []
        are = "record lies" if self.records == 1 else "records lie"
        why = ", ".join([*whys, *more]) or "none of ours"
        return f"{self.records} {are} in dead letters ({why}): `{self.command}`"


async def looked(settings: Settings) -> PutAside:
    """What lies there now."""
    try:
        async with asyncio.timeout(WITHIN):
            found = await dead_letters.lying(
                app.broker_address(settings), await app.codec(settings)
            )
    except TimeoutError:
        return _unknown(f"it took longer than {WITHIN:.0f} seconds")
    except (*console.PLAIN, KafkaError, OSError) as error:
        return _unknown(console.said(error))
    return PutAside(records=found.records, reasons=found.reasons)


def _unknown(why: str) -> PutAside:
    return PutAside(records=None, reasons={}, unknown=why)
