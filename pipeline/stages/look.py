"""One look at a system: whom an order asks about, and what `locate` said, pages merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from connectors.sdk.interface import Borne, Category, Fact, Holding, Identifier, Page, Subject
from schemas.codec import Codec
from schemas.events import MeasureOrdered, SearchOrdered, TaskOrdered
from schemas.records import FactRow, Sealed
from schemas.sealed import unseal_event

from ..case.facts import merged as merged_fact
from ..case.orders import ASKED_FOR
from ..crypto.grants import Grants
from .tags import Tags, tags_of

Order = SearchOrdered | TaskOrdered | MeasureOrdered


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom an order is about, and the holdings it names, by tag."""

    subject: Subject
    """By what the system is to be asked."""
    known: Mapping[bytes, Holding]
    theirs: frozenset[bytes]
    """Tags of all that is proved to be the person's, asked for or not."""
    name: str
    """The person's name; empty if it is not known."""
    tags: Tags


def asked(codec: Codec, order: Order, grants: Grants) -> Asked:
    """What an order seals. Raises `GrantError`, `SealError` or `CodecError`."""
    grant = grants.record()
    sealed: Sealed = unseal_event(codec, order, grant.key, grant.system)
    rows = dict(zip(sealed.identifiers, order.identifiers, strict=False))
    who = (
        Identifier(it.kind, it.value, row.strong)
        for it, row in rows.items()
        if row.use == ASKED_FOR
    )
    carried = _categories(order)
    known = {it.tag: Holding(it.kind, it.id, carried.get(it.tag, NONE)) for it in sealed.holdings}
    given = {(it.kind, it.value): it.tag for it in sealed.identifiers}
    tags = tags_of(grants.tag_key(), grant.system, given, known)
    theirs = frozenset(it.tag for it, row in rows.items() if row.strong)
    return Asked(Subject(tuple(who)), known, theirs, sealed.name, tags)


NONE: frozenset[Category] = frozenset()


def _categories(order: Order) -> dict[bytes, frozenset[Category]]:
    """The categories that each named holding carried when it was last looked at."""
    if isinstance(order, SearchOrdered):
        return {it.tag: frozenset(map(Category, it.categories)) for it in order.known}
    if isinstance(order, MeasureOrdered):
        return {it.tag: frozenset(map(Category, it.categories)) for it in order.rows}
    return {it.tag: frozenset(map(Category, (*it.erase, *it.keep))) for it in order.rows}


@dataclass(slots=True)
class Look:
    """What one `locate` said so far. What is said twice is here once."""

    known: frozenset[Holding]
    found: dict[Holding, Holding] = field(default_factory=dict)
    """Every holding that is there, with the categories and bearings that any page named."""
    facts: dict[str, FactRow] = field(default_factory=dict)
    _gone: set[Holding] = field(default_factory=set)
    _bears: dict[tuple[Borne, ...], tuple[Borne, ...]] = field(default_factory=dict)
    """What holdings bear, each but once: a person's thousand records say the same of them."""

    @property
    def gone(self) -> frozenset[Holding]:
        """The known holdings that the vendor no longer has. What any page shows is not gone."""
        return frozenset(self._gone & self.known) - self.found.keys()

    @property
    def holdings(self) -> tuple[Holding, ...]:
        """What is there, each with its categories and all that it bears."""
        return tuple(self.found.values())

    def those(self, page: Page) -> tuple[Holding, ...]:
        """A page's holdings, and its records', as all pages so far tell them."""
        return tuple(self.found[it] for it in _told_in(page))

    def carried(self, holding: Holding) -> frozenset[Category] | None:
        """The categories that a holding has now; None if it is not there."""
        found = self.found.get(holding)
        return None if found is None else found.categories

    def take(self, page: Page) -> None:
        """Merge a page."""
        # An exported record's holding counts as located: otherwise nobody would prove it erased.
        for it in _told_in(page):
            before = self.found.get(it, it)
            bears = tuple(dict.fromkeys((*before.bears, *it.bears)))
            merged = replace(
                it,
                categories=before.categories | it.categories,
                bears=self._bears.setdefault(bears, bears),
                part_of=it.part_of or before.part_of,
            )
            self.found[merged] = merged
        self._gone.update(page.gone)
        for fact in page.facts:
            told = _told(fact)
            self.facts[fact.name] = merged_fact(self.facts.get(fact.name, told), told)

    def fact_rows(self) -> tuple[FactRow, ...]:
        """The facts as they travel, by name."""
        return tuple(it for _, it in sorted(self.facts.items()))


def named(rows: Iterable[FactRow]) -> dict[str, str]:
    """Facts that travelled, by name."""
    return {it.name: it.value for it in rows}


def _told_in(page: Page) -> tuple[Holding, ...]:
    return *page.holdings, *(record.holding for record in page.records)


def _told(fact: Fact) -> FactRow:
    is_yes_or_no = isinstance(fact.value, bool)
    told = str(fact.value).lower() if is_yes_or_no else str(fact.value)
    return FactRow(name=fact.name, value=told, read=fact.read)
