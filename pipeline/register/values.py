"""What the tags of a case stand for: opened with its record key, for the person who decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline.case.whose import NAMES
from pipeline.crypto import grants
from pipeline.keys.key_files import KeyFiles
from schemas import events as e
from schemas.codec import Codec

from . import sealing
from .case_keys import RECORD, CaseKey, CaseKeys
from .reading import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """A person in the clear: never logged, never kept."""

    name: str = ""
    """How the person of the request is called."""
    identifiers: Mapping[bytes, tuple[str, ...]] = field(default_factory=dict)
    """By tag: every spelling that was met, in the order in which it was."""
    holdings: Mapping[bytes, str] = field(default_factory=dict)
    """By tag: the vendor's own id of a record."""

    def __repr__(self) -> str:
        return f"<Values {len(self.identifiers)} identifiers, {len(self.holdings)} holdings>"


async def opened(
    engine: AsyncEngine, codec: Codec, files: KeyFiles, case: UUID, found: Sequence[Entry]
) -> Values | None:
    """What a case's ledger seals of its identifiers and records; None if its key is destroyed.

    Raises `KeyFileError` if the wrapping key is not here, `SealError` if a ledger was changed.
    """
    async with engine.connect() as connection:
        keys = await CaseKeys(files.wrapping()).of(connection, [case])
    if (case, RECORD) not in keys:
        return None
    return _values(codec, keys[case, RECORD], found)


def _values(codec: Codec, record: CaseKey, found: Sequence[Entry]) -> Values:
    name = ""
    tag_key = grants.tag_grant(record.key, record.id).key
    spellings: dict[bytes, dict[str, None]] = {}
    holdings: dict[bytes, str] = {}
    for entry in found:
        if not isinstance(entry.event, e.CaseOpened | sealing.Located):
            continue
        sealed = sealing.unseal(codec, entry.event, {RECORD: record})
        name = name or sealed.name
        for it in sealed.identifiers:
            spellings.setdefault(it.tag, {})[it.value] = None
        holdings |= {it.tag: it.id for it in sealed.holdings}
    if name:
        of_name = (grants.identifier_tag(tag_key, kind, name) for kind in NAMES)
        spellings |= {tag: {name: None, **spellings.get(tag, {})} for tag in of_name}
    identifiers = {tag: tuple(spelt) for tag, spelt in spellings.items()}
    return Values(name=name, identifiers=identifiers, holdings=holdings)
