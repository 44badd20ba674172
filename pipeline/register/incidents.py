"""Incidents with the words that people sealed of them, opened for who looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline.keys.key_files import KeyFiles
from schemas import events as e
from schemas.codec import Codec
from schemas.records import SealedIncident

from . import sealing
from .case_keys import RECORD, CaseKeys
from .reading import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a person wrote of a breach: for the record, or for the affected to read."""

    at: datetime
    name: str
    """Of the decision's event."""
    happened: str
    consequences: str
    measures: str

    def __repr__(self) -> str:
        return f"<Described {self.name}>"


async def described(
    engine: AsyncEngine, codec: Codec, files: KeyFiles, incident: UUID, found: Sequence[Entry]
) -> list[Described] | None:
    """What was written, the oldest first; None if the incident's key is destroyed.

    Raises `KeyFileError` if the wrapping key is not here, `SealError` if a ledger was changed.
    """
    async with engine.connect() as connection:
        keys = await CaseKeys(files.wrapping()).of(connection, [incident])
    record = keys.get((incident, RECORD))
    if record is None:
        return None
    made = []
    for it in found:
        if isinstance(it.event, e.IncidentDescribed):
            words = sealing.unsealed_actor(codec, it.event, {RECORD: record})
            if isinstance(words, SealedIncident):
                made.append(
                    Described(
                        at=it.at,
                        name=it.event.name,
                        happened=words.says,
                        consequences=words.consequences,
                        measures=words.measures,
                    )
                )
    return made
