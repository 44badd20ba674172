"""Tags of one order: those that it brought, and new ones under a key of its system alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.sdk.interface import Borne, Holding
from connectors.sdk.spelling import forms, normal
from schemas.records import BorneRow, IdentifierRow, SealedIdentifier

from ..case.whose import WEAK
from ..crypto.grants import holding_tag, identifier_tag, spelling_tag

Meant = tuple[str, str]
"""(kind, normal form): what an identifier means, however it is spelt."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What an order calls identifiers and holdings, so that the answer calls them the same."""

    key: bytes = field(repr=False)
    system: str
    identifiers: Mapping[Meant, bytes] = field(repr=False)
    spellings: frozenset[Meant] = field(repr=False)
    """(kind, spelling) in every form that was asked with."""
    holdings: Mapping[Holding, bytes]
    _rows: dict[Borne, BorneRow] = field(default_factory=dict, repr=False)

    def holding(self, it: Holding) -> bytes:
        """A holding's tag."""
        found = self.holdings.get(it)
        return found or holding_tag(self.key, self.system, it.kind, it.id)

    def identifier(self, kind: str, value: str) -> bytes:
        """An identifier's tag: as the order has it, or new."""
        return self.identifiers.get((kind, normal(kind, value))) or identifier_tag(
            self.key, kind, value
        )

    def borne(self, it: Borne) -> BorneRow:
        """What a holding bears, as it travels."""
        if (row := self._rows.get(it)) is None:
            row = BorneRow(tag=self.identifier(it.kind, it.value), kind=it.kind, field=it.field)
            self._rows[it] = row
        return row

    def news(self, it: Borne) -> tuple[IdentifierRow, SealedIdentifier] | None:
        """An identifier that the order does not have, or not in this spelling; else None."""
        meant = it.kind, normal(it.kind, it.value)
        tag = self.identifier(it.kind, it.value)
        spelling = b""
        if it.kind not in WEAK and (it.kind, it.value) not in self.spellings:
            spelling = spelling_tag(self.key, it.kind, it.value)
        if meant in self.identifiers and not spelling:
            return None
        row = IdentifierRow(tag=tag, kind=it.kind, strong=it.kind not in WEAK, spelling=spelling)
        return row, SealedIdentifier(tag=tag, kind=it.kind, value=it.value)


def tags_of(
    key: bytes, system: str, given: Mapping[Meant, bytes], known: Mapping[bytes, Holding]
) -> Tags:
    """The tags of an order that names these identifiers, as they are spelt, and these holdings."""
    return Tags(
        key,
        system,
        {(kind, normal(kind, value)): tag for (kind, value), tag in given.items()},
        frozenset((kind, form) for kind, value in given for form in forms(kind, value)),
        {holding: tag for tag, holding in known.items()},
    )
