"""One look at a system: whom an order asks about, and what `locate` said, pages merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.sdk.interface import Category, Fact, Holding, Identifier, Page, Subject
from schemas.codec import Codec
from schemas.events import SearchOrdered, TaskOrdered
from schemas.records import FactRow, Sealed
from schemas.sealed import unseal_event

from ..case.facts import joined
from ..grants import Grants


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom an order is about, and the holdings it names, by tag."""

    subject: Subject
    known: Mapping[bytes, Holding]


def asked(codec: Codec, order: SearchOrdered | TaskOrdered, grants: Grants) -> Asked:
    """What an order seals. Raises `GrantError`, `SealError` or `CodecError`."""
    grant = grants.record()
    sealed: Sealed = unseal_event(codec, order, grant.key, grant.system)
    weak = {it.tag for it in order.identifiers if not it.strong}
    who = (Identifier(it.kind, it.value, it.tag not in weak) for it in sealed.identifiers)
    carried = _categories(order)
    known = {it.tag: Holding(it.kind, it.id, carried.get(it.tag, NONE)) for it in sealed.holdings}
    return Asked(Subject(tuple(who)), known)


NONE: frozenset[Category] = frozenset()


def _categories(order: SearchOrdered | TaskOrdered) -> dict[bytes, frozenset[Category]]:
    """The categories that each named holding carried when it was last looked at."""
    if isinstance(order, SearchOrdered):
        return {it.tag: frozenset(map(Category, it.categories)) for it in order.known}
    return {it.tag: frozenset(map(Category, (*it.erase, *it.keep))) for it in order.rows}


@dataclass(slots=True)
class Look:
    """What one `locate` said so far. What is said twice is here once."""

    known: frozenset[Holding]
    found: dict[Holding, frozenset[Category]] = field(default_factory=dict)
    """Every holding that is there, with the categories that any page named."""
    facts: dict[str, str] = field(default_factory=dict)
    identifiers: dict[tuple[str, str], Identifier] = field(default_factory=dict, repr=False)
    _gone: set[Holding] = field(default_factory=set)

    @property
    def gone(self) -> frozenset[Holding]:
        """The known holdings that the vendor no longer has. What any page shows is not gone."""
        return frozenset(self._gone & self.known) - self.found.keys()

    @property
    def holdings(self) -> tuple[Holding, ...]:
        """What is there, each with its categories."""
        return tuple(Holding(it.kind, it.id, carried) for it, carried in self.found.items())

    def take(self, page: Page) -> None:
        """Merge a page."""
        # An exported record's holding counts as located: otherwise nobody would prove it erased.
        for it in (*page.holdings, *(record.holding for record in page.records)):
            self.found[it] = self.found.get(it, NONE) | it.categories
        self._gone.update(page.gone)
        for fact in page.facts:
            told = _told(fact)
            self.facts[fact.name] = joined(fact.name, self.facts.get(fact.name, told), told)
        for who in page.identifiers:
            before = self.identifiers.setdefault((who.kind, who.value), who)
            if who.strong and not before.strong:
                self.identifiers[who.kind, who.value] = replace(before, strong=True)

    def fact_rows(self) -> tuple[FactRow, ...]:
        """The facts as they travel, by name."""
        return tuple(FactRow(name=name, value=value) for name, value in sorted(self.facts.items()))


def named(rows: Sequence[FactRow]) -> dict[str, str]:
    """Facts that travelled, by name."""
    return {it.name: it.value for it in rows}


def _told(fact: Fact) -> str:
    return str(fact.value).lower() if isinstance(fact.value, bool) else fact.value.isoformat()
