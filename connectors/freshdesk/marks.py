"""What a record bears so that it is not used: tags of ours, and a field of a contact's.

Freshdesk has no way to block a contact, and sends no campaigns itself: agents, and what is built
on it, go by the mark. A tag may have 32 characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sdk.interface import RetryableError
from connectors.sdk.pages import Row

RESTRICTED: Final = "processing-restricted"
BEFORE: Final[Mapping[str, bool | None]] = {f"{RESTRICTED}-no": False, f"{RESTRICTED}-null": None}
"""The same where the account's field was ticked for it, and what was there before that."""
OBJECTED: Final = "no-marketing"


def is_restricted(row: Row, field: str) -> bool:
    """Whether it bears the mark, and the field is ticked if it was for the mark."""
    found = _mark(row)
    return found == RESTRICTED or (found in BEFORE and _custom(row).get(field) is True)


def restricted(row: Row, field: str) -> dict[str, Any]:
    """What to write to restrict it: the field only where there is one that nobody ticked.

    Nothing if it is restricted.
    """
    if is_restricted(row, field):
        return {}
    now = _custom(row).get(field)
    tags = [it for it in _tags(row) if it != _mark(row)]
    tag = next((tag for tag, was in BEFORE.items() if was is now), "") if _has(row, field) else ""
    ticked = {"custom_fields": {field: True}} if tag else {}
    return {"tags": [*tags, tag or RESTRICTED], **ticked}


def lifted(row: Row, field: str) -> dict[str, Any]:
    """What to write to take the mark off; nothing if it has none."""
    mark = _mark(row)
    if not mark:
        return {}
    back = {"custom_fields": {field: BEFORE[mark]}} if mark in BEFORE and _has(row, field) else {}
    return {"tags": [it for it in _tags(row) if it != mark], **back}


def has_objected(row: Row) -> bool:
    """Whether it says that they want no marketing."""
    return OBJECTED in _tags(row)


def objected(row: Row) -> dict[str, Any]:
    """What to write so that it says so."""
    return {"tags": [*_tags(row), OBJECTED]}


def bare(row: Row, field: str) -> Row:
    """A contact without the marks, which are no content of theirs."""
    tags = row.get("tags")
    if not isinstance(tags, list):
        return row
    ours = {RESTRICTED, OBJECTED, *BEFORE}
    rest = {**row, "tags": [it for it in tags if it not in ours]}
    is_ticked = any(it in BEFORE for it in tags if isinstance(it, str))
    return {**rest, "custom_fields": {**_custom(row), field: None}} if is_ticked else rest


def _mark(row: Row) -> str:
    return next((it for it in _tags(row) if it in {RESTRICTED, *BEFORE}), "")


def _has(row: Row, field: str) -> bool:
    """A contact shows every field that the account has; a ticket has others."""
    return field in _custom(row)


def _tags(row: Row) -> list[Any]:
    tags = row.get("tags")
    if not isinstance(tags, list) or not all(isinstance(it, str) for it in tags):
        raise RetryableError("Freshdesk: a record without its tags")
    return tags


def _custom(row: Row) -> Mapping[str, Any]:
    fields = row.get("custom_fields")
    return fields if isinstance(fields, Mapping) else {}
