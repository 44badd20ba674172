"""What somebody consented to, asked for or refused to be sent: the ledger of preferences."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import ClassVar
from uuid import UUID

from connectors.sdk.interface import Borne, Category, Holding, Identifier
from pipeline.policy.preferences import REFUSALS
from pipeline.register.consent_record import record_of
from pipeline.register.own_records import OwnRecords
from pipeline.register.preferences import Shown
from pipeline.response.as_json import as_json

from .entry import Entry, moment

CONSENT, REFUSAL = "consent", "refusal"
LAST_WORD = "last_word"


class Consents:
    """Every word by an identifier, but what the case itself says. A refusal has no end."""

    kinds: ClassVar[Mapping[str, frozenset[Category]]] = {
        CONSENT: frozenset({Category.CONTACT, Category.MARKETING}),
        REFUSAL: frozenset({Category.MARKETING}),
    }
    fact: ClassVar[str] = LAST_WORD

    def __init__(self, records: OwnRecords, case: UUID) -> None:
        self._records = records
        self._case = case

    async def of(self, whom: Sequence[Identifier]) -> AsyncIterator[Sequence[Entry]]:
        yield await self._words(whom)

    async def one(self, holding: Holding, whom: Sequence[Identifier]) -> Entry | None:
        mine = (it for it in await self._words(whom) if it.holding == holding)
        if (found := next(mine, None)) is not None:
            return found
        word = await self._records.word(UUID(holding.id))
        return None if word is None else self._entry(word, ())

    async def _words(self, whom: Sequence[Identifier]) -> list[Entry]:
        said: dict[UUID, tuple[Shown, list[Identifier]]] = {}
        for it, word in await self._records.words(whom, self._case):
            said.setdefault(word.said.record, (word, []))[1].append(it)
        return [self._entry(word, by) for word, by in said.values()]

    def _entry(self, it: Shown, by: Sequence[Identifier]) -> Entry:
        is_refused = it.said.says in REFUSALS
        kind = REFUSAL if is_refused else CONSENT
        record = as_json(record_of(it, self._records.policy))
        ends = {} if is_refused else {"kept_until": moment(it.until)}
        bears = tuple(Borne(f"hash.{of.kind}", of.kind, of.value) for of in by)
        return Entry(
            holding=Holding(kind, str(it.said.record), self.kinds[kind], bears),
            says={**json.loads(record), **ends},
            since=it.said.at,
            kept_until=None if is_refused else it.until,
        )
