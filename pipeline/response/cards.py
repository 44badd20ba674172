"""Exported records as a person reads them: fields with labels, conversations as conversations.

Nothing here knows a vendor: what a record looks like is read off its own shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from connectors.sdk.interface import Record
from pipeline.faults import broke

from . import words
from .files import File
from .readable import dated, moment, text, without_markup

TITLES = ("subject", "name", "title")
TEXTS = ("body_text", "body", "commentbody", "text", "message")
"""Fields that hold what somebody wrote, the plain version first."""
DEEPEST = 6
"""Levels that are shown as tables; below that, as the system wrote it."""
LARGEST = 1_000_000
"""Bytes of a record that is laid out; of a larger one, a page says where it is."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Field:
    """One labelled value: text, or further fields below it."""

    label: str
    text: str = ""
    below: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a conversation."""

    text: str
    at: str
    who: str
    ours: bool


@dataclass(slots=True)
class Card:
    """One holding: a contact, a ticket with what was said in it."""

    kind: str
    id: str
    title: str = ""
    fields: list[Field] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    empty: int = 0
    """Fields without content, which are not shown."""
    raw: str = ""
    """What is no JSON, as text."""
    large: int = 0
    """Bytes of records that are too large for a page."""
    files: list[File] = field(default_factory=list)
    continued: bool = False
    """Whether its beginning is on an earlier page."""

    def take(self, item: Record | File) -> None:
        """Add a record of this holding, the first or a further page of its conversation; or a file.

        What cannot be laid out is shown as it is: no record stops an answer.
        """
        if isinstance(item, File):
            self.files.append(item)
        elif len(item.body) > LARGEST:
            self.large += len(item.body)
        else:
            try:
                self._lay_out(item)
            except Exception as error:  # noqa: BLE001  vendors' text, which may be anything
                log.warning("card.broke", error=type(error).__name__, at=broke.at(error))
                self.raw += _plain(item)

    def _lay_out(self, record: Record) -> None:
        body = read(record.body)
        if not isinstance(body, dict):
            self.raw += _plain(record) if body is None else text(body)
            return
        talks = {name for name, value in body.items() if _is_talk(name, value)}
        said = [_said(it) for name in sorted(talks) for it in body[name]]
        if not self.fields:
            title = _first(body, TITLES).strip()
            shown = {name: value for name, value in body.items() if name not in talks}
            fields = list(_fields(shown, 0))
            self.empty = sum(_is_empty(value) for value in shown.values())
            self.title, self.fields = title, fields
        self.said += said


def read(body: bytes) -> Any:
    """A record's body as JSON; None if it is none, or not one that everybody can read."""
    try:
        return json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON (RFC 8259, section 6)


def _is_talk(name: str, value: Any) -> bool:
    """Whether a list holds messages: objects that say something."""
    return (
        isinstance(value, list)
        and all(isinstance(it, dict) and _first(it, TEXTS) for it in value)
        and (bool(value) or name == "conversations")
    )


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of these fields that is filled, whatever its capitals."""
    lower = {name.lower(): value for name, value in row.items() if isinstance(value, str)}
    return next((lower[name] for name in names if lower.get(name)), "")


def _said(row: Mapping[str, Any]) -> Said:
    at = next((v for n, v in row.items() if "created" in n.lower() and isinstance(v, str)), "")
    incoming = row.get("incoming")
    who = "" if incoming is None else ("You" if incoming else "We")
    if row.get("private") is True:
        who = "Internal note"
    said = without_markup(_first(row, TEXTS))
    return Said(text=said, at=moment(at), who=who, ours=incoming is False)


def _fields(row: Mapping[str, Any], depth: int) -> Iterator[Field]:
    for name, value in row.items():
        if _is_empty(value) or row.get(f"{name}_text"):  # the same again, without its mark-up
            continue
        yield _field(words.label(name.removesuffix("_text")), dated(name, value), depth)


def _field(label: str, value: Any, depth: int) -> Field:
    if depth >= DEEPEST:
        return Field(label, text(value))
    if isinstance(value, dict):
        return Field(label, below=tuple(_fields(value, depth + 1)))
    if isinstance(value, list) and any(isinstance(it, dict | list) for it in value):
        numbered = ((str(n), it) for n, it in enumerate(value, 1) if not _is_empty(it))
        return Field(label, below=tuple(_field(n, it, depth + 1) for n, it in numbered))
    if isinstance(value, list):
        return Field(label, ", ".join(text(it) for it in value))
    return Field(label, text(value))


def _is_empty(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else (value,)
    return all(it is None or it in ("", [], {}) for it in inside)


def _plain(record: Record) -> str:
    try:
        return record.body.decode()
    except UnicodeDecodeError:
        return f"({len(record.body):,} bytes of {record.content_type})"
