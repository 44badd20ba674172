"""The decisions that people took in a case: by whom, in which role, why. Opened for who looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline.keys.key_files import KeyFiles
from schemas import events as e
from schemas.codec import Codec

from . import sealing
from .case_keys import RECORD, CaseKeys
from .reading import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A decision, with the words of who took it: they may name a person."""

    at: datetime
    name: str
    console: str
    roles: tuple[str, ...]
    login: str
    says: str
    evidence: str

    def __repr__(self) -> str:
        return f"<Taken {self.name}>"


async def taken(
    engine: AsyncEngine, codec: Codec, files: KeyFiles, case: UUID, found: Sequence[Entry]
) -> list[Taken] | None:
    """What people decided, the oldest first; None if the case's key is destroyed.

    Raises `KeyFileError` if the wrapping key is not here, `SealError` if a ledger was changed.
    """
    async with engine.connect() as connection:
        keys = await CaseKeys(files.wrapping()).of(connection, [case])
    record = keys.get((case, RECORD))
    if record is None:
        return None
    made = []
    for it in found:
        if isinstance(it.event, e.DecisionRecorded):
            actor = sealing.unsealed_actor(codec, it.event, {RECORD: record})
            made.append(
                Taken(
                    at=it.at,
                    name=it.event.name,
                    console=it.event.by,
                    roles=it.event.roles,
                    login=actor.login,
                    says=actor.says,
                    evidence=actor.evidence,
                )
            )
    return made
