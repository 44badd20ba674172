"""The published vectors are what our own code writes and reads, of the versions now released."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pipeline import flow
from pipeline.intake.envelopes import Envelopes
from pipeline.intake.senders import Sender, SenderKey, Senders
from pipeline.kafka import wire
from pipeline.kafka.incoming import Incoming
from pipeline.orchestrator.inputs import read
from schemas.codec import before_sealed, before_signature, locked
from schemas.envelope import SUITE, SignatureError, verify
from schemas.events import RequestReceived
from schemas.write_vectors import FILE, document

DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())
VECTORS: list[dict[str, Any]] = DOCUMENT["vectors"]
DRAWN = {"sealed", "signed", "signature", "record"}
"""What another run makes otherwise, because HPKE draws a key."""

each_vector = pytest.mark.parametrize("vector", VECTORS, ids=[it["name"] for it in VECTORS])


def _event(vector: dict[str, Any]) -> RequestReceived:
    event = locked().decode(bytes.fromhex(vector["record"]))
    assert isinstance(event, RequestReceived)
    return event


def test_vectors_written_now_differ_only_in_what_hpke_draws() -> None:
    again = document(locked())
    assert _without_drawn(again) == _without_drawn(DOCUMENT)


@each_vector
def test_each_part_is_what_its_name_says(vector: dict[str, Any]) -> None:
    event = _event(vector)
    signer = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(DOCUMENT["signer"]["private"]))
    recipient = X25519PrivateKey.from_private_bytes(bytes.fromhex(DOCUMENT["recipient"]["private"]))
    clear, signed = before_sealed(event), before_signature(event)
    assert clear.hex() == vector["clear"]
    assert signed.hex() == vector["signed"]
    assert event.sealed.hex() == vector["sealed"]
    assert event.signature.hex() == vector["signature"] == signer.sign(signed).hex()
    assert SUITE.decrypt(event.sealed, recipient, info=clear).hex() == vector["plaintext"]
    assert vector["record"].startswith("00000000c6" + vector["signed"])
    verify(event, signer.public_key())


@each_vector
def test_each_record_comes_in(vector: dict[str, Any]) -> None:
    signer, recipient = DOCUMENT["signer"], DOCUMENT["recipient"]
    sender = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(signer["private"])).public_key()
    assert sender.public_bytes_raw().hex() == signer["public"]
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(recipient["private"]))
    assert private.public_key().public_bytes_raw().hex() == recipient["public"]
    known = Senders({signer["intake"]: Sender((SenderKey(sender),), level=2)}, {})
    envelopes = Envelopes(locked(), lambda: known, {recipient["key"]: private})
    record = Incoming(
        topic=vector["topic"],
        partition=0,
        offset=0,
        key=vector["record_key"].encode(),
        value=bytes.fromhex(vector["record"]),
        headers=tuple((name, it.encode()) for name, it in vector["headers"].items()),
        at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    came = read(record, locked(), envelopes)
    assert came.person is not None
    assert came.person.name == vector["person"]["name"]
    assert [it.value for it in came.person.identifiers] == [
        it["value"] for it in vector["person"]["identifiers"]
    ]
    assert str(came.id) == vector["headers"]["ce_id"]


@each_vector
def test_each_records_headers_are_as_our_own_edge_writes_them(vector: dict[str, Any]) -> None:
    event = _event(vector)
    ours = wire.headers(
        event,
        event_id=UUID(vector["headers"]["ce_id"]),
        cause=None,
        source=f"intake/{event.intake}",
        at=event.received_at,
        trace="",
    )
    assert wire.read(ours) == vector["headers"]
    assert vector["topic"] == flow.REQUESTS
    assert vector["record_key"] == str(event.case)


def test_a_signature_over_another_avro_form_of_the_same_does_not_hold() -> None:
    """Avro may write an array in several blocks: the recipe asks for one."""
    one_block = "040c6163636573730e6572617375726500"
    two_blocks = "020c616363657373020e6572617375726500"
    record = VECTORS[1]["record"]
    event = locked().decode(bytes.fromhex(record.replace(one_block, two_blocks)))
    assert event == _event(VECTORS[1])
    sender = Ed25519PrivateKey.generate()
    signed = bytes.fromhex(VECTORS[1]["signed"].replace(one_block, two_blocks))
    assert signed.hex() != VECTORS[1]["signed"]
    with pytest.raises(SignatureError):
        verify(replace(_event(VECTORS[1]), signature=sender.sign(signed)), sender.public_key())


def _without_drawn(written: dict[str, Any]) -> dict[str, Any]:
    kept = [
        {name: it for name, it in vector.items() if name not in DRAWN}
        for vector in written["vectors"]
    ]
    return {**written, "vectors": kept}
