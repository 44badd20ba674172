"""What an entry of Mailgun's bears so that it is not used, and what stops mail to an address.

An objection is an opt-out like the person's own. A restriction is a mark inside the entry, in words
of ours: a tag of an opt-out, a beginning of a bounce, a variable of a list's member, who is not
written to meanwhile. All else has no room for one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

from connectors.sdk.interface import RetryableError
from connectors.sdk.pages import Row

ALL: Final = "*"
"""The tag of an opt-out from everything that a domain sends."""
TAG: Final = "processing-restricted"
WORDS: Final = "processing restricted;"
VARIABLE: Final = "processing_restricted"
SUBSCRIBED, OPTED_OUT = "was subscribed", "was not subscribed"
"""Of a member, what the variable says."""
MARKED: Final = frozenset({"member", "opted_out_member", "bounce", "unsubscribe"})


def is_stopped(row: Row | None) -> bool:
    """Whether an opt-out is from everything."""
    return row is not None and ALL in _tags(row)


def stopped(address: str, row: Row | None, now: datetime) -> Mapping[str, Any]:
    """An opt-out from everything, with what there was before it."""
    there = row or {"tags": [], "created_at": format_datetime(now).replace("+0000", "UTC")}
    return {"address": address, **_given(there, ("created_at",)), "tags": [*_tags(there), ALL]}


def is_written_to(member: Row) -> bool:
    """Whether a list writes to a member, or would once a restriction is lifted."""
    return member.get("subscribed") is not False or _variable(member) == SUBSCRIBED


def unsubscribed(member: Row) -> Mapping[str, str]:
    """What to write so that a list does not."""
    marked = {"vars": _json(member, OPTED_OUT)} if _variable(member) else {}
    return {"subscribed": "no", **marked}


def is_restricted(kind: str, row: Row) -> bool:
    """Whether an entry bears the mark."""
    match kind:
        case "bounce":
            return str(row.get("error") or "").startswith(WORDS)
        case "unsubscribe":
            return TAG in _tags(row)
        case "member" | "opted_out_member":
            return bool(_variable(row)) and row.get("subscribed") is False
        case _:
            return False


def restricted(kind: str, row: Row) -> Mapping[str, Any] | None:
    """What to write so that it does; None if there is no room for it."""
    if kind == "bounce":
        return _bounce(row, f"{WORDS}{row.get('error') or ''}")
    if kind == "unsubscribe":
        return _opt_out(row, [*_tags(row), TAG])
    if kind not in MARKED or not isinstance(row.get("vars") or {}, Mapping):
        return None
    before = OPTED_OUT if row.get("subscribed") is False else SUBSCRIBED
    return {"subscribed": "no", "vars": _json(row, before)}


def lifted(kind: str, row: Row) -> Mapping[str, Any] | None:
    """What to write so that it does not; None if that may be more than was ours.

    Whoever opts out of a list that does not write to them leaves no trace.
    """
    if kind == "bounce":
        return _bounce(row, str(row["error"]).removeprefix(WORDS))
    if kind == "unsubscribe":
        return _opt_out(row, [it for it in _tags(row) if it != TAG])
    return None if _variable(row) == SUBSCRIBED else {"vars": _json(row, "")}


def bare(row: Row) -> Row:
    """A member without the mark, which is no content of theirs."""
    variables = row.get("vars")
    if not isinstance(variables, Mapping) or VARIABLE not in variables:
        return row
    return {**row, "vars": {name: it for name, it in variables.items() if name != VARIABLE}}


def blanked(member: Row) -> str:
    """No variables, as they are written, but for the mark."""
    return _json({}, _variable(member))


def _json(member: Row, mark: str) -> str:
    """A member's variables with this for the mark, or without one."""
    variables = bare(member).get("vars") or {}
    return json.dumps({**variables, **({VARIABLE: mark} if mark else {})})


def _variable(member: Row) -> str:
    variables = member.get("vars")
    return str(variables.get(VARIABLE) or "") if isinstance(variables, Mapping) else ""


def _bounce(row: Row, error: str) -> Mapping[str, Any]:
    return {**_given(row, ("address", "code", "created_at")), "error": error}


def _opt_out(row: Row, tags: list[Any]) -> Mapping[str, Any]:
    return {**_given(row, ("address", "created_at")), "tags": tags}


def _given(row: Row, names: tuple[str, ...]) -> Mapping[str, Any]:
    return {name: row.get(name) for name in names}


def _tags(row: Row) -> list[Any]:
    tags = row.get("tags")
    if not isinstance(tags, list):
        raise RetryableError("Mailgun: an opt-out without its tags")
    return tags
