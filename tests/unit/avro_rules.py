"""What keeps a reader of one schema from reading what another wrote (Avro 1.12, Schema Resolution).

Only what our schemas use: no enums, fixed, maps or aliases. A difference that Avro forgives and a
reader of ours would not (another logical type) counts as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
}
"""Bytes as text is left out: Avro allows it, and fails on bytes that are not UTF-8."""


def misreadings(writer: Any, reader: Any) -> list[str]:
    """Why some data of `writer` cannot be read by `reader`: empty if all of it can."""
    return list(_Resolution(writer, reader).differ(writer, reader, ""))


def breaks(*versions: Any) -> list[str]:
    """Why these versions are not FULL_TRANSITIVE: each must read what any other wrote."""
    return [why for one, other in permutations(versions, 2) for why in misreadings(one, other)]


class _Resolution:
    def __init__(self, writer: Any, reader: Any) -> None:
        self._written = dict(_named(writer, ""))
        self._read = dict(_named(reader, ""))

    def differ(self, writer: Any, reader: Any, path: str) -> Iterator[str]:
        writer = self._written.get(_key(writer), writer)
        reader = self._read.get(_key(reader), reader)
        if isinstance(writer, list):
            for branch in writer:
                yield from self.differ(branch, reader, path)
        elif isinstance(reader, list):
            if all(list(self.differ(writer, branch, path)) for branch in reader):
                yield f"{path}: no branch of the union reads it"
        elif _kind(writer) != _kind(reader):
            if _kind(reader) not in PROMOTIONS.get(_kind(writer), set()):
                yield f"{path}: {_kind(writer)} is not {_kind(reader)}"
        elif _kind(writer) == "record":
            yield from self._records(writer, reader, path)
        elif _kind(writer) == "array":
            yield from self.differ(writer["items"], reader["items"], f"{path}[]")
        elif _logical(writer) != _logical(reader):
            yield f"{path}: {_logical(writer)} is not {_logical(reader)}"

    def _records(self, writer: Any, reader: Any, path: str) -> Iterator[str]:
        if writer["name"] != reader["name"]:
            yield f"{path}: {writer['name']} is not {reader['name']}"
        written = {it["name"]: it["type"] for it in writer["fields"]}
        for field in reader["fields"]:
            here = f"{path}.{field['name']}"
            if field["name"] in written:
                yield from self.differ(written[field["name"]], field["type"], here)
            elif "default" not in field:
                yield f"{here}: not written, and without a default"


def _named(schema: Any, namespace: str) -> Iterator[tuple[str, Any]]:
    """Every record defined in a schema, by the full name that refers to it."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _named(branch, namespace)
    elif isinstance(schema, dict):
        namespace = schema.get("namespace", namespace)
        if schema["type"] == "record":
            yield f"{namespace}.{schema['name']}", schema
            for field in schema["fields"]:
                yield from _named(field["type"], namespace)
        elif schema["type"] == "array":
            yield from _named(schema["items"], namespace)


def _key(schema: Any) -> str:
    return schema if isinstance(schema, str) else ""


def _kind(schema: Any) -> str:
    return str(schema["type"] if isinstance(schema, dict) else schema)


def _logical(schema: Any) -> str:
    return str(schema.get("logicalType", "plain")) if isinstance(schema, dict) else "plain"
