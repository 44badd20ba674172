"""Derive each event's Avro schema from its dataclass, and write down those not yet released.

    python -m schemas.derive    write new schemas and their ids, never over a released one

A released `.avsc` is never edited: a changed dataclass raises its `VERSION` and gets a new file.
"""

from __future__ import annotations

import json
import re
import sys
import types
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

from . import events
from .events import Event

FOLDER = Path(__file__).parent / "avsc"
LOCK = Path(__file__).parent / "ids.json"
NAMESPACE = "habeas"

_PRIMITIVES: dict[Any, Any] = {
    str: "string",
    int: "long",
    bool: "boolean",
    bytes: "bytes",
    UUID: {"type": "string", "logicalType": "uuid"},
    datetime: {"type": "long", "logicalType": "timestamp-micros"},
}


class SchemaError(Exception):
    """A schema cannot be derived, or would change what was released."""


@cache
def event_types() -> dict[str, type[Event]]:
    """Every event class by its wire name, such as `request_received`."""
    found = (it for it in vars(events).values() if isinstance(it, type) and issubclass(it, Event))
    return {event_name(it): it for it in found if it is not Event}


def event_name(event: type) -> str:
    """The wire name of an event class: `RequestReceived` is `request_received`."""
    return _snake_case(event.__name__)


def schema_of(record: type, name: str) -> dict[str, Any]:
    """The Avro schema of a dataclass as a JSON object; records are defined where first used.

    Raises `SchemaError` if a field's type has no Avro form.
    """
    return _record(record, name, set())


def subjects() -> dict[str, dict[str, Any]]:
    """Every schema of this release by subject: `<event>.v<n>` and `<event>.sealed.v<n>`."""
    found = {}
    for name, event in event_types().items():
        found[f"{name}.v{event.VERSION}"] = schema_of(event, name)
        if event.SEALS is not None:
            found[f"{name}.sealed.v{event.VERSION}"] = schema_of(event.SEALS, f"{name}_sealed")
    return found


def text(schema: dict[str, Any]) -> str:
    """A schema as its `.avsc` file holds it."""
    return json.dumps(schema, indent=1) + "\n"


def write() -> list[str]:
    """Write files and ids for subjects that have none; return their names.

    Raises `SchemaError` naming a released subject whose schema would differ.
    """
    lock: dict[str, dict[str, Any]] = json.loads(LOCK.read_text()) if LOCK.exists() else {}
    new = []
    for subject, schema in subjects().items():
        digest = sha256(text(schema).encode()).hexdigest()
        if subject not in lock:
            lock[subject] = {"id": len(lock) + 1, "sha256": digest}
            new.append(subject)
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / f"{subject}.avsc").write_text(text(schema))
        elif lock[subject]["sha256"] != digest:
            raise SchemaError(f"{subject} is released and may not change: raise its VERSION")
    LOCK.write_text(json.dumps(lock, indent=1) + "\n")
    return new


@cache
def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _record(record: type, name: str, defined: set[str]) -> dict[str, Any]:
    defined.add(name)
    hints = get_type_hints(record)
    return {
        "type": "record",
        "name": name,
        "namespace": NAMESPACE,
        "doc": (record.__doc__ or "").split("\n")[0],
        "fields": [
            {"name": it.name, "type": _avro(hints[it.name], defined), **_default(it, hints)}
            for it in fields(record)
        ],
    }


def _avro(hint: Any, defined: set[str]) -> Any:
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _avro(get_args(hint)[0], defined)}
    if isinstance(hint, types.UnionType):
        (inner,) = (it for it in get_args(hint) if it is not type(None))
        return ["null", _avro(inner, defined)]
    if isinstance(hint, type) and is_dataclass(hint):
        name = event_name(hint)
        return f"{NAMESPACE}.{name}" if name in defined else _record(hint, name, defined)
    raise SchemaError(f"no Avro form for {hint}")


def _default(field: Field[Any], hints: dict[str, Any]) -> dict[str, Any]:
    if field.default is MISSING:
        return {}
    value = field.default
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if get_origin(hints[field.name]) is tuple:
        value = list(value)
    return {"default": value}


if __name__ == "__main__":
    for written in write():
        sys.stdout.write(f"released {written}\n")
