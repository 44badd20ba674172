"""Where to look for a person in Salesforce, and what the rows found there say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from connectors.sdk.interface import Borne, Fact, Holding, Identifier, Page, Record, Subject
from connectors.sdk.kinds import STRONG

from .contact_dates import ContactDates
from .schema import Row, Schema
from .tables import CONVERTED, LINKED, PREFIXES, TABLES

BY_PIECES: Final = frozenset({"file", "attachment"})
"""Kinds with bytes of their own: a list's row is not the whole record."""


class Search:
    """One search: what it has found is searched on with, and nothing is said twice.

    It does not go on from a record that bears nothing of what was asked for: what hangs on it may
    be a stranger's, and is found once an identifier of that record is asked for.
    """

    def __init__(
        self, subject: Subject, usable: Sequence[Identifier], schemas: Mapping[str, Schema]
    ) -> None:
        """`usable` is asked with."""
        self._subject = subject
        self._usable = Subject(tuple(usable))
        self._schemas = schemas
        self._found: dict[Holding, Holding] = {}  # by kind and id
        self._known: set[Holding] = set()
        self._converted: set[str] = set()  # contacts that leads became
        self._may_have_one = False  # a contact, by what a lead or a case says
        self._dates = ContactDates()

    def steps(self) -> Iterator[tuple[str, Mapping[str, Iterable[str]]]]:
        """A kind, and the values wanted of its fields; each step uses what those before found."""
        yield "lead", self._who("lead")
        yield "contact", {**self._who("contact"), "Id": self._converted}
        contacts = self._followed("contact")
        yield "lead", {CONVERTED: contacts}
        yield "case", {**self._who("case"), "ContactId": contacts}
        leads, cases = self._followed("lead"), self._followed("case")
        yield "comment", {"ParentId": cases}
        yield "email", {**self._who("email"), "ParentId": cases}
        for kind in ("task", "event"):
            yield kind, {"WhoId": contacts | leads, "WhatId": cases}
        yield "campaign_member", {"ContactId": contacts, "LeadId": leads}
        everything = {it for kind in PREFIXES.values() for it in self._followed(kind)}
        for kind in ("note", "attachment"):
            yield kind, {"ParentId": everything}
        yield "file", {LINKED: everything}

    def page(self, kind: str, rows: Iterable[Row], *, is_known: bool = False) -> Page:
        """The rows that are new. `is_known` says that they were asked for by their ids."""
        schema = self._schemas[kind]
        new = {it: row for row in rows if (it := holding(schema, row)) not in self._found}
        for it, row in new.items():
            self._found[it] = it
            self._dates.take(it, row)
            if is_known:
                self._known.add(it)
            if self._bears_asked(it):
                self._hint(it, row)
        whole = {} if kind in BY_PIECES else new
        return Page(
            holdings=tuple(new),
            records=tuple(Record.of(it, row) for it, row in whole.items()),
        )

    def has(self, it: Holding) -> bool:
        """Whether it was found."""
        return it in self._found

    def facts(self) -> tuple[Fact, ...]:
        """Whoever has a contact is a customer; when they were last in touch.

        A no is told only if everything was read that might be theirs, and no contact may be.
        """
        contacts = {it for it in self._found.values() if it.kind == "contact"}
        customer = any(map(self._is_theirs, contacts))
        is_sure = self._usable.identifiers and not contacts and not self._may_have_one
        is_customer = (Fact("customer", customer, "contact"),) if customer or is_sure else ()
        dates = self._dates.facts(self._subject, self._found) if self._usable.identifiers else ()
        return (*is_customer, *dates)

    def _who(self, kind: str) -> dict[str, Iterable[str]]:
        """What is asked for, in each field that can hold it."""
        return asked_of(self._schemas[kind], self._usable)

    def _hint(self, it: Holding, row: Row) -> None:
        """What a record that bears what was asked for says of a contact.

        It may name one, or bear what only a contact that was not looked for bears as well.
        """
        became = row.get(CONVERTED)
        if isinstance(became, str) and became:
            self._converted.add(became)
        of = it.part_of
        names_one = became or row.get("IsConverted") or (of and of not in self._found)
        is_of_one = of is not None and of.kind == "contact"
        self._may_have_one |= bool(names_one or is_of_one or not self._is_theirs(it))

    def _followed(self, kind: str) -> set[str]:
        found = [it for it in self._found.values() if it.kind == kind]
        return {it.id for it in found if self._is_followed(it)}

    def _is_followed(self, it: Holding) -> bool:
        """A known record that bears nothing any more was blanked, perhaps by us."""
        of = None if it.part_of is None else self._found.get(it.part_of)
        return (
            self._bears_asked(it)
            or (of is not None and self._is_followed(of))
            or (it in self._known and not strong(it))
        )

    def _bears_asked(self, it: Holding) -> bool:
        return any(self._subject.bears(one.kind, one.value) for one in strong(it))

    def _is_theirs(self, it: Holding) -> bool:
        """Whether it bears what was asked for, and nothing of anybody else's."""
        asked = [self._subject.bears(one.kind, one.value) for one in strong(it)]
        return bool(asked) and all(asked)


def asked_of(schema: Schema, usable: Subject) -> dict[str, Iterable[str]]:
    """What is asked for, in each field of an object that can hold it."""
    kinds = ("email", "user_id")
    return {field: usable.forms(kind) for kind in kinds for field in schema.asked(kind)}


def holding(schema: Schema, row: Row) -> Holding:
    """The holding that a row is: what it carries, what it bears, and what it is part of.

    A file hangs on as many records as it is linked to, and is a holding of each.
    """
    kind, id_ = schema.kind, row["Id"]
    return Holding(
        kind,
        f"{id_}/{row[LINKED]}" if kind == "file" else id_,
        schema.fields.of(row),
        tuple(schema.bears(row)),
        owner(schema, row),
    )


def owner(schema: Schema, row: Row) -> Holding | None:
    """What a row is part of: by the first of its references that leads to one of our kinds."""
    for reference in TABLES[schema.kind].owners:
        match row.get(reference):
            case str(id_) if id_[:3] in PREFIXES:
                return Holding(PREFIXES[id_[:3]], id_)
            case _:
                pass
    return None


def strong(it: Holding) -> list[Borne]:
    """What it bears that tells people apart: a phone and a name are shared."""
    return [borne for borne in it.bears if borne.kind in STRONG]
