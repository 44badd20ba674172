"""The recipe is enough: an intake with none of our code reads our vectors, and we read it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import flow
from pipeline.case.rights import SUPPORTED
from pipeline.intake.bounds import APPLIES
from pipeline.intake.envelopes import Envelopes
from pipeline.intake.senders import KINDS, Sender, SenderKey, Senders
from pipeline.kafka.incoming import Incoming
from pipeline.orchestrator.inputs import Input, read
from schemas.codec import locked
from schemas.events import RequestReceived
from schemas.records import Person, SealedIdentifier

ROOT = Path(__file__).parents[2]
VECTORS = (ROOT / "schemas" / "vectors.json").read_text()
INTAKE = Path(__file__).with_name("intake.mjs")
NODE = shutil.which("node") or ""
RECIPIENT = X25519PrivateKey.from_private_bytes(bytes(range(7, 39)))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(8, 40)))
AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.skipif(
    not NODE, reason="Node.js 18 or newer is not on PATH: no second implementation to compare with"
)


def node(command: str, given: str) -> str:
    """What the other implementation says."""
    ran = subprocess.run(  # noqa: S603  our own script
        [NODE, str(INTAKE), command], input=given.encode(), capture_output=True, check=True
    )
    return ran.stdout.decode()


def test_it_opens_and_makes_again_every_vector() -> None:
    wanted = json.loads(VECTORS)["vectors"]
    found = json.loads(node("check", VECTORS))
    for vector, made in zip(wanted, found, strict=True):
        assert made.pop("opened") == vector["plaintext"]
        assert made.pop("verified") is True
        assert made == {name: vector[name] for name in made}


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)
"""What a request may bear: no control characters (`pipeline/intake/envelopes.py`)."""
AGE = AT - APPLIES
"""Of the oldest request that may come in."""
PEOPLE = st.builds(
    Person,
    name=TEXT,
    language=st.sampled_from(["de", "en", "pl"]),
    identifiers=st.lists(
        st.builds(
            SealedIdentifier,
            tag=st.just(b""),
            kind=st.sampled_from(sorted(KINDS)),
            value=TEXT.filter(str.strip),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
).flatmap(
    lambda person: st.tuples(*(st.integers(0, 1) for _ in person.identifiers)).map(
        lambda levels: replace(person, levels=levels)
    )
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.uuids(),
    st.lists(
        st.sampled_from(sorted(SUPPORTED - {"rectification"})), min_size=1, max_size=2, unique=True
    ),
    st.timedeltas(-AGE, timedelta(0)),
    PEOPLE,
)
def test_what_it_publishes_comes_in(
    case: UUID, claims: list[str], before: timedelta, person: Person
) -> None:
    event = {
        "case": str(case),
        "claims": claims,
        "received_at": (AT + before - EPOCH) // timedelta(microseconds=1),
        "intake": "shop",
        "level": 1,
        "key": "k-1",
    }
    came = _came_in(event, person)
    assert came.person == person
    assert isinstance(came.event, RequestReceived)
    assert replace(came.event, sealed=b"", signature=b"") == RequestReceived(
        case=case,
        claims=tuple(claims),
        received_at=AT + before,
        intake="shop",
        level=1,
        key="k-1",
        sealed=b"",
    )


def _came_in(event: dict[str, Any], person: Person) -> Input:
    return read(_published(event, person), locked(), _envelopes())


def _published(event: dict[str, Any], person: Person) -> Incoming:
    rows = [{"tag": "", "kind": it.kind, "value": it.value} for it in person.identifiers]
    given = {
        "recipient": RECIPIENT.public_key().public_bytes_raw().hex(),
        "signer": SIGNER.private_bytes_raw().hex(),
        "event": event,
        "person": {
            "name": person.name,
            "language": person.language,
            "identifiers": rows,
            "levels": person.levels,
        },
    }
    value = bytes.fromhex(node("request", json.dumps(given)))
    return Incoming(
        topic=flow.REQUESTS,
        partition=0,
        offset=0,
        key=str(event["case"]).encode(),
        value=value,
        headers=(),
        at=AT,
    )


def _envelopes() -> Envelopes:
    shop = Sender((SenderKey(SIGNER.public_key()),), level=1)
    senders = Senders(intakes={"shop": shop}, consoles={})
    return Envelopes(locked(), lambda: senders, {"k-1": RECIPIENT})
