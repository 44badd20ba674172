"""What the sandbox's org refuses to write, as Salesforce does: field by field.

https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from .sandbox_objects import TYPES, Row, is_writable

Problem = tuple[str, str, str]
"""A code, a message, and the field that it is about."""

LONGEST: Final = {"FirstName": 40, "LastName": 80, "Email": 80, "Phone": 40, "MobilePhone": 40}
"""Characters, of those that are not 255."""
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


def problems(schema: Mapping[str, str], given: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with values for the fields of a record."""
    for name, value in given.items():
        said = TYPES[schema[name]]
        if not is_writable(schema[name]):
            yield "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields", name
        elif not said.get("nillable", True) and value in (None, ""):
            yield "REQUIRED_FIELD_MISSING", "Required fields are missing", name
        elif value not in (None, ""):
            code = _code(said["type"], name, value)
            if code:
                yield code, "the value cannot be taken", name


def missing(schema: Mapping[str, str], row: Row) -> Iterator[Problem]:
    """What a new record cannot do without. A flag that is not given is false."""
    for name, type_ in schema.items():
        if type_ == "due" and not row.get(name):
            yield "REQUIRED_FIELD_MISSING", "Required fields are missing", name


def _code(type_: str, name: str, value: Any) -> str:
    match type_:
        case "boolean":
            return "" if isinstance(value, bool) else "JSON_PARSER_ERROR"
        case "date":
            return "" if _is_date(value) else "JSON_PARSER_ERROR"
        case "email" if not (isinstance(value, str) and _EMAIL.fullmatch(value)):
            return "INVALID_EMAIL_ADDRESS"
        case "email" | "string" | "phone" | "url" if len(str(value)) > LONGEST.get(name, 255):
            return "STRING_TOO_LONG"
        case _:
            return ""


def _is_date(value: Any) -> bool:
    try:
        return bool(date.fromisoformat(str(value)))
    except ValueError:
        return False
