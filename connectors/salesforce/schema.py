"""What fields an org's objects have, by Salesforce's own description, and what each of them is.

A description has what the user may see: a field that is hidden from the user is not in it, and is
neither known nor asked for.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.sdk.fields import Fields
from connectors.sdk.interface import Borne, Category, RetryableError, TerminalError

from . import soql
from .tables import LINKED, SOMETIMES, SYSTEM, VENDORS_OWN, VERSIONS, Table

Row = dict[str, Any]

_NAME: Final = re.compile(r"[A-Za-z]\w*", re.ASCII)
_NOT_SELECTED: Final = frozenset({"anytype", "base64", "complexvalue", "junctionidlist"})
_REFERS: Final = frozenset({"id", "reference"})
_BEARING: Final = {"email": "email", "phone": "phone"}
_TO_REACH: Final = frozenset({"address", "email", "location", "phone", "url"})
_TEXTS: Final = frozenset(
    {
        *("string", "textarea", "picklist", "multipicklist", "combobox", "encryptedstring"),
        *_TO_REACH,
    }
)
_SIDES: Final = {"FromAddress": True, "ToAddress": False}
"""Of an e-mail: it is of whoever wrote an incoming one, and of those an outgoing one went to."""
_LIST: Final = re.compile(r"[;,\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field, as it is described."""

    name: str
    type: str
    compound: str
    """The field that it is a part of: `MailingAddress`; empty for most."""
    is_updateable: bool
    is_nillable: bool
    is_filterable: bool
    is_vendors: bool
    """A reference, or the vendor reckons or counts it: nobody writes it."""

    @property
    def is_custom(self) -> bool:
        """Whether it is the org's own; `__s` is a part of a compound one."""
        return self.name.endswith(("__c", "__s"))

    @property
    def is_text(self) -> bool:
        """Whether people write and read it; a number, a date or a box the vendor may count."""
        return self.type in _TEXTS


@dataclass(frozen=True, slots=True)
class OwnFields:
    """What the settings say of an org's own fields: `User_Id__c`, or `Origin__c=identity`."""

    named: frozenset[str]
    categories: Mapping[str, Category | None]
    """None: of no category, and it bears nothing (`=none`)."""
    unread: frozenset[str]
    """Those with something for a category that is none."""

    checkbox: str
    """What marks a record as not to be used; empty if no field does."""

    @classmethod
    def read(cls, texts: Iterable[str], checkbox: str = "") -> OwnFields:
        """Read what is separated by commas in the setting. A `checkbox` is of no category."""
        said = {name.strip(): it.strip() for name, _, it in (text.partition("=") for text in texts)}
        meant: dict[str, Category | None] = {"none": None, **{it.value: it for it in Category}}
        categories = {name: meant[it] for name, it in said.items() if it in meant}
        return cls(
            frozenset(said),
            categories | ({checkbox: None} if checkbox else {}),
            frozenset(name for name, it in said.items() if it not in {"", *meant}),
            checkbox,
        )


class Schema:
    """An object of this org: what is asked for, and what is in a row."""

    def __init__(self, kind: str, table: Table, described: Any, own: OwnFields) -> None:
        """Raises `TerminalError` if the org has not, or hides, what `table` needs."""
        self.kind = kind
        self.table = table
        every = {it.name: it for it in _fields(described)}
        self.names = frozenset(every)
        """Of all its fields."""
        self._check(own)
        wholes = {it.compound for it in every.values()}
        self._selected = {
            it.name: it
            for it in every.values()
            if it.name not in wholes and it.type not in _NOT_SELECTED
        }
        self._refers = frozenset(it.name for it in every.values() if it.type in _REFERS)
        self._bears = dict(self._bearing(own))
        self.fields = self._told(own)

    def field(self, name: str) -> Field | None:
        """A field that is no whole of others, as it is described; None if there is none."""
        return self._selected.get(name)

    def asked(self, kind: str) -> tuple[str, ...]:
        """Every field that can hold an identifier of `kind`, and be searched by."""
        fields = (self._selected[it] for it, of in self._bears.items() if of == kind)
        return tuple(it.name for it in fields if it.is_filterable)

    @property
    def bearing(self) -> tuple[str, ...]:
        """The fields that say who a row is of."""
        return tuple(self._bears)

    def selects(self) -> list[list[str]]:
        """The fields to ask for, in as many parts as fit into a URI; each has the id."""
        others = (it for it in (*self._selected, *self.table.related) if it != "Id")
        return [["Id", *part] for part in soql.parts(others)]

    def is_row(self, row: Row, fields: Iterable[str]) -> bool:
        """Whether a row has all `fields`, which were asked for: one that is absent is not empty."""
        return all(it.partition(".")[0] in row for it in fields) and all(
            isinstance(row[it], str if it == "Id" else str | None)
            for it in self._refers.intersection(fields)
        )

    def bears(self, row: Row) -> Iterator[Borne]:
        """What a row says about who it is of."""
        first, last = row.get("FirstName"), row.get("LastName")
        whole = {"Name": f"{first} {last or ''}".strip()} if first else {}
        side = row.get("Incoming") is True
        for field, kind in {**self._bears, **dict.fromkeys(whole, "name")}.items():
            value = (row | whole).get(field)
            if isinstance(value, str) and _SIDES.get(field, side) is side:
                values = _LIST.split(value) if field in _SIDES else (value,)
                yield from (Borne(field, kind, it) for it in values if it.strip())

    def _check(self, own: OwnFields) -> None:
        """Of the org's own fields, those are due that settings name."""
        table = self.table
        content = (it for names in table.content.values() for it in names)
        known = {*SYSTEM, *content, *table.also, *table.owners, *table.bears} - {LINKED}
        due = {it for it in known if not it.endswith("__c") or it in own.named}
        absent = ", ".join(f"{table.name}.{it}" for it in sorted(due - self.names))
        if absent:
            raise TerminalError(f"check: not there or hidden: {absent}", reason="forbidden")

    def _told(self, own: OwnFields) -> Fields:
        """What is content, and what of it can be blanked."""
        if self.table.is_whole:
            ours = self.names | {LINKED, VERSIONS}
            return Fields({}, own=ours, always=frozenset(self.table.content))
        known = {it: of for of, names in self.table.content.items() for it in names}
        said = {
            it.name: own.categories.get(it.name, known.get(it.name) or self._guessed(it))
            for it in self._selected.values()
        }
        wrong = {of for it, of in said.items() if it in own.categories}
        wrong -= {None, *self.table.content}
        if wrong:
            names = ", ".join(sorted(str(it) for it in wrong))
            raise TerminalError(
                f"check: custom_fields: nothing of {self.table.name} is {names}", reason="settings"
            )
        content = [self._selected[it] for it, of in said.items() if of is not None]
        return Fields(
            {it: of for it, of in said.items() if of is not None},
            own=frozenset(it for it, of in said.items() if of is None),
            fixed=frozenset(it.name for it in content if not it.is_updateable),
            required=frozenset(it.name for it in content if not it.is_nillable),
        )

    def _guessed(self, it: Field) -> Category | None:
        """What no table knows is content, unless Salesforce alone writes it."""
        table = self.table
        if it.is_vendors or it.name in {*VENDORS_OWN, *SYSTEM, *table.also}:
            return None
        if not it.is_custom and (it.type == "boolean" or not (it.is_updateable or it.is_text)):
            return None
        is_to_reach = it.type in _TO_REACH or it.compound not in {"", "Name"}
        guess = SOMETIMES.get(it.name, Category.CONTACT if is_to_reach else Category.PROFILE)
        return guess if guess in table.content else Category.PROFILE

    def _bearing(self, own: OwnFields) -> Iterator[tuple[str, str]]:
        """The fields of `table`, and those that an org has for addresses or telephones."""
        for it in self._selected.values():
            is_theirs = it.is_custom and own.categories.get(it.name, it) is not None
            if it.name in self.table.bears:
                yield it.name, self.table.bears[it.name]
            elif it.type in _BEARING and is_theirs:
                yield it.name, _BEARING[it.type]


def _fields(described: Any) -> Iterator[Field]:
    match described:
        case {"fields": [*fields]}:
            yield from map(_field, fields)
        case _:
            raise RetryableError("GET /sobjects/{name}/describe: not a description")


def _field(said: Any) -> Field:
    match said:
        case {"name": str(name), "type": str(type_)} if _NAME.fullmatch(name):  # it goes into SOQL
            return Field(
                name=name,
                type=type_.lower(),
                compound=str(said.get("compoundFieldName") or ""),
                is_updateable=said.get("updateable") is True,
                is_nillable=said.get("nillable") is True,
                is_filterable=said.get("filterable") is True,
                is_vendors=type_.lower() in _REFERS
                or True in (said.get("calculated"), said.get("autoNumber")),
            )
        case _:
            raise RetryableError("GET /sobjects/{name}/describe: not a field")
