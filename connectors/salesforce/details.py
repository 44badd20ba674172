"""What a record says of a person that can be corrected, and writing it.

A letter, a note or a call says what was said, and is not corrected. Of a contact's further numbers
and addresses, those are that say the same as the one that is corrected; else they are others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.sdk.fields import FIXED, REQUIRED
from connectors.sdk.interface import (
    NOT_OFFERED,
    Datum,
    Failed,
    NotSupported,
    Outcome,
    Rectified,
    TerminalError,
)

from .catalogue import REASONS
from .rest import Rest
from .schema import Row, Schema

_PERSON: Final[Mapping[Datum, str]] = {
    Datum.NAME: "Name",
    Datum.GIVEN_NAME: "FirstName",
    Datum.FAMILY_NAME: "LastName",
    Datum.TITLE: "Salutation",
    Datum.EMAIL: "Email",
    Datum.PHONE: "Phone",
    Datum.MOBILE: "MobilePhone",
    Datum.JOB_TITLE: "Title",
    Datum.STATEMENT: "Description",
}
_ADDRESS: Final[Mapping[Datum, str]] = {
    Datum.STREET: "Street",
    Datum.CITY: "City",
    Datum.REGION: "State",
    Datum.POSTAL_CODE: "PostalCode",
    Datum.COUNTRY: "Country",
}
DATA: Final[Mapping[str, Mapping[Datum, str]]] = {
    "contact": {
        **_PERSON,
        Datum.DATE_OF_BIRTH: "Birthdate",
        **{it: f"Mailing{part}" for it, part in _ADDRESS.items()},
    },
    "lead": {**_PERSON, **_ADDRESS},
    "case": {
        Datum.NAME: "SuppliedName",
        Datum.EMAIL: "SuppliedEmail",
        Datum.PHONE: "SuppliedPhone",
    },
}
"""By kind: the field of each. What an org has not, or hides, is not among them there."""
_FURTHER: Final[Mapping[Datum, tuple[str, ...]]] = {
    Datum.EMAIL: ("Other_Email__c",),
    Datum.PHONE: ("HomePhone", "OtherPhone"),
    Datum.MOBILE: ("HomePhone", "OtherPhone"),
}
_OTHER: Final[Mapping[str, str]] = {f"Mailing{part}": f"Other{part}" for part in _ADDRESS.values()}
READ: Final[Mapping[str, frozenset[str]]] = {
    "contact": frozenset({*_OTHER.values(), *(it for of in _FURTHER.values() for it in of)})
}
"""By kind: further fields that may say the same as one of `DATA`."""
_NAMES: Final = {Datum.GIVEN_NAME, Datum.FAMILY_NAME}
_MIDDLE: Final = ("MiddleName", "Suffix")
_TWO: Final = 2
_VALUE: Final = frozenset({"value", "rule", "refused"})
"""Refusals that may be about one field alone."""


def says(schema: Schema, row: Row) -> dict[Datum, str]:
    """What a record says now, for each datum that it has a field for."""
    fields = DATA.get(schema.kind, {})
    told = {it: row.get(name) for it, name in fields.items() if name in schema.names}
    return {it: "" if value is None else str(value) for it, value in told.items()}


class Details:
    """Writes into one org."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def write(
        self, schema: Schema, row: Row, data: Mapping[Datum, str]
    ) -> Mapping[Datum, Outcome] | None:
        """What came of each; None if the record is deleted. What is right is not written again."""
        told: dict[Datum, Outcome] = {}
        due: dict[Datum, dict[str, Any]] = {}
        for datum, value in data.items():
            change = _change(schema, row, datum, value, data)
            if isinstance(change, dict):
                due[datum] = change
            else:
                told[datum] = change
        with_parts = {it for it in due if not due[it]}
        written = {it: change for it, change in due.items() if change}
        said = await self._write(schema, row, written) if written else {}
        if said is None:
            return None
        said |= told
        parts = [said[it] for it in data if it in _NAMES]
        name = next((it for it in parts if it != Rectified()), Rectified())
        return said | dict.fromkeys(with_parts, name)

    async def _write(
        self, schema: Schema, row: Row, due: Mapping[Datum, dict[str, Any]]
    ) -> dict[Datum, Outcome] | None:
        """All at once; where one may be what is refused, one after the other."""
        fields = {name: value for change in due.values() for name, value in change.items()}
        try:
            is_there = await self._rest.update(schema.table.name, row["Id"], fields)
        except TerminalError as error:
            if error.reason not in REASONS:
                raise
            if len(due) == 1 or error.reason not in _VALUE:
                return dict.fromkeys(due, Failed(error.reason))
        else:
            return dict.fromkeys(due, Rectified()) if is_there else None
        said: dict[Datum, Outcome] = {}
        for datum, change in due.items():
            one = await self._write(schema, row, {datum: change})
            if one is None:
                return None
            said |= one
        return said


def _change(
    schema: Schema, row: Row, datum: Datum, value: str, data: Mapping[Datum, str]
) -> dict[str, Any] | Outcome:
    """The fields to write, or what is decided already."""
    said = says(schema, row)
    if datum not in said:
        return NotSupported(NOT_OFFERED)
    if said[datum] == value:
        return Rectified()
    if row.get("IsConverted"):
        return NotSupported("converted")
    name = DATA[schema.kind][datum]
    parts = _parts(schema, row, value, data) if name == "Name" else {name: value}
    if parts is None:
        return NotSupported("name_parts")
    if name != "Name":
        parts |= dict.fromkeys(_also(schema, row, datum), value)
    stays = next(filter(None, (_stays(schema, it, part) for it, part in parts.items())), "")
    return NotSupported(stays) if stays else {it: part or None for it, part in parts.items()}


def _also(schema: Schema, row: Row, datum: Datum) -> Iterator[str]:
    """Further fields of a contact that say the same as the one that is corrected.

    An address is the same, or another, as a whole.
    """
    if schema.kind not in READ:
        return
    name = DATA[schema.kind][datum]
    further = [it for it in _FURTHER.get(datum, ()) if row.get(it) and row[it] == row.get(name)]
    if name in _OTHER and any(row.get(it) for it in _OTHER.values()):
        is_same = all(row.get(it) == row.get(other) for it, other in _OTHER.items())
        further += [_OTHER[name]] if is_same else []
    for it in further:
        field = schema.field(it)
        if field is not None and field.is_updateable:
            yield it


def _stays(schema: Schema, name: str, value: str) -> str:
    """Why a field cannot have a value: a catalogue code; empty if it can."""
    field = schema.field(name)
    if field is None or not field.is_updateable:
        return FIXED
    return "" if value or field.is_nillable else REQUIRED


def _parts(schema: Schema, row: Row, name: str, data: Mapping[Datum, str]) -> dict[str, str] | None:
    """A whole name in Salesforce's two parts, where there is no doubt which is which; else None.

    None of them has to be written for it where those that are given make it.
    """
    first = data.get(Datum.GIVEN_NAME, row.get("FirstName") or "")
    last = data.get(Datum.FAMILY_NAME, row.get("LastName") or "")
    if f"{first} {last}".strip() == name:
        return {}
    if not _NAMES.isdisjoint(data) or not schema.names.isdisjoint(_MIDDLE):
        return None
    words = name.split()
    if last and name.endswith(f" {last}"):
        return {"FirstName": name.removesuffix(f" {last}")}
    if first and name.startswith(f"{first} "):
        return {"LastName": name.removeprefix(f"{first} ")}
    return {"FirstName": words[0], "LastName": words[1]} if len(words) == _TWO else None
