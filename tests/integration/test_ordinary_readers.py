"""Ordinary tools read our topics: Confluent's own deserializer, with the ids of our lock."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import flow
from schemas.codec import locked
from schemas.derive import FOLDER, LOCK, event_name, event_types
from schemas.events import Event
from tests.unit import strategies

SUBJECTS = {it["id"]: subject for subject, it in json.loads(LOCK.read_text()).items()}
CONTEXT = SerializationContext(flow.LEDGER, MessageField.VALUE)


class Lock(SchemaRegistryClient):
    """The committed lock in place of a registry: it knows ids, and nothing by any other name."""

    def get_schema(self, schema_id: int, *_: Any, **__: Any) -> Schema:
        return Schema((FOLDER / f"{SUBJECTS[schema_id]}.avsc").read_text(), "AVRO")


@pytest.fixture(scope="module")
def deserializer() -> AvroDeserializer:
    named_by = {"subject.name.strategy.type": "RECORD"}  # the default asks the registry by topic
    made: AvroDeserializer = AvroDeserializer(
        Lock({"url": "http://nowhere.invalid"}), conf=named_by
    )
    return made


@pytest.mark.parametrize("kind", event_types().values(), ids=event_name)
@settings(max_examples=10)
@given(data=st.data())
def test_confluents_deserializer_reads_every_event(
    deserializer: AvroDeserializer, kind: type[Event], data: st.DataObject
) -> None:
    event = data.draw(strategies.instances(kind))
    assert deserializer(locked().encode(event), CONTEXT) == plain(event)


def plain(value: Any) -> Any:
    """A dataclass as a reader without our classes has it."""
    if is_dataclass(value):
        return {it.name: plain(getattr(value, it.name)) for it in fields(value)}
    return [plain(it) for it in value] if isinstance(value, tuple) else value
