"""What became of a (holding, category): in a connector's words, on the wire, and by class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from datetime import UTC, date, timedelta
from typing import Any, Literal

from connectors.sdk.interface import (
    Accepted,
    Anonymised,
    Blocked,
    Erased,
    Expires,
    Exported,
    Failed,
    Lifted,
    NeedsHuman,
    NotSupported,
    Outcome,
    Queued,
    Rectified,
    Redacted,
    Restricted,
    Retained,
    Suppressed,
    Unaffected,
)
from schemas.records import OutcomeRow

State = Literal["proved", "attested", "kept", "dated", "open"]

UNKNOWN = Failed("unknown_outcome")

_PROVED: Mapping[str, type[Outcome]] = {
    "exported": Exported,
    "erased": Erased,
    "redacted": Redacted,
    "anonymised": Anonymised,
    "rectified": Rectified,
    "restricted": Restricted,
    "lifted": Lifted,
    "suppressed": Suppressed,
    "unaffected": Unaffected,
}
_DATED: Mapping[str, type[Outcome]] = {"expires": Expires, "blocked": Blocked, "queued": Queued}
OF_PEOPLE: Mapping[str, State] = {"attested": "attested", "not_possible": "open"}
"""What a person says, and no connector can."""
CHANGED = frozenset({"erased", "redacted", "anonymised", "expires", "accepted", "queued"})
"""Outcomes of what a system did to erase something, or took an order to do."""
_OPEN: Mapping[str, type[Outcome]] = {
    "accepted": Accepted,
    "needs_human": NeedsHuman,
    "not_supported": NotSupported,
    "failed": Failed,
}
_KINDS = {**_PROVED, "retained": Retained, **_DATED, **_OPEN}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_ON_THE_WIRE = {"at": "until", "by": "until", "instruction": "reason"}
"""Fields of outcomes that an `OutcomeRow` has under another name."""
_STATES: Mapping[str, State] = {
    **dict.fromkeys(_PROVED, "proved"),
    "retained": "kept",
    **dict.fromkeys(_DATED, "dated"),
    **OF_PEOPLE,
}
_CODE = re.compile(r"[A-Za-z0-9_.:+-]{1,64}")


def to_row(outcome: Outcome) -> OutcomeRow:
    """An outcome as it travels."""
    said = {_ON_THE_WIRE.get(it.name, it.name): getattr(outcome, it.name) for it in fields(outcome)}
    if said.get("reason") is not None:
        said["reason"] = code(said["reason"])
    return OutcomeRow(kind=_NAMES[type(outcome)], **said)


def from_row(row: OutcomeRow) -> Outcome:
    """An outcome as it was said; one of an unknown kind, or without what its kind has, failed."""
    kind: Any = _KINDS.get(row.kind)
    if kind is None:
        return UNKNOWN
    said = {it.name: getattr(row, _ON_THE_WIRE.get(it.name, it.name)) for it in fields(kind)}
    if any(said[it.name] is None and it.default is MISSING for it in fields(kind)):
        return UNKNOWN
    outcome: Outcome = kind(**said)
    return outcome


def state(row: OutcomeRow) -> State:
    """The class of an outcome. Unknown kinds are open, not known to be done; so is what has no date
    and should.
    """
    found = _STATES.get(row.kind, "open")
    return "open" if found == "dated" and row.until is None else found


def by_day(said: OutcomeRow) -> OutcomeRow:
    """The outcome, dated at the end of its day (UTC): what goes within one day is one thing owed.

    Otherwise thousands of holdings would have as many dates, and no report could hold them.
    """
    if said.until is None or state(said) != "dated":
        return said
    day = said.until.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if day == said.until or day.date() == date.max:  # some vendors' «never» has no next day
        return said
    return replace(said, until=day + timedelta(days=1))


def of_host(said: OutcomeRow) -> OutcomeRow:
    """An outcome as a host may say it: one that only people say is none."""
    return to_row(UNKNOWN) if said.kind in OF_PEOPLE else said


def code(text: str) -> str:
    """A reason that anybody may read: what is no code of a catalogue becomes `unnamed`."""
    return text if _CODE.fullmatch(text) else "unnamed"
