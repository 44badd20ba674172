"""Write test vectors for `request_received`, against which another language can check itself.

    python -m schemas.write_vectors    write `vectors.json` anew: needed only for another version

HPKE draws a key for every message, so vectors written again differ in `sealed` and what follows it.
Their keys are known to everybody and are nobody's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from .codec import Codec, before_sealed, before_signature, locked
from .derive import event_name
from .envelope import enclose
from .events import RequestReceived
from .records import Person, SealedChange, SealedIdentifier

FILE = Path(__file__).parent / "vectors.json"
RECIPIENT = X25519PrivateKey.from_private_bytes(bytes(range(0x20, 0x40)))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(0x40, 0x60)))
KEY = "000001-5ec7025a"
INTAKE = "web"

ABOUT = (
    "Test vectors for publishing request_received on rights.requests: the recipe is in README.md."
    " Bytes are in hex. `clear` is HPKE's info, `plaintext` what is in `sealed`, `signed` what"
    " `signature` covers. The keys are known to everybody: never use them."
)


@dataclass(frozen=True, slots=True)
class Example:
    """What one vector is about."""

    name: str
    case: UUID
    claims: tuple[str, ...]
    received_at: datetime
    level: int
    person: Person
    purpose: str = ""


EXAMPLES = (
    Example(
        name="one claim, one identifier, nobody vouches",
        case=UUID("6f2f5c0e-4a0b-4b7e-9d53-0c2d6a3b1e01"),
        claims=("access",),
        received_at=datetime(2026, 1, 31, 9, 0, tzinfo=UTC),
        level=0,
        person=Person(
            identifiers=(SealedIdentifier(tag=b"", kind="email", value="a@example.org"),)
        ),
    ),
    Example(
        name="two claims, every kind of identifier, text beyond ASCII, microseconds",
        case=UUID("b1d7a3c4-0e5f-4c88-8a61-f00dfeedc0de"),
        claims=("access", "erasure"),
        received_at=datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
        level=2,
        person=Person(
            name="Zoë Łuczak-東",
            language="pl",
            identifiers=(
                SealedIdentifier(tag=b"", kind="email", value="zoe.luczak@example.org"),
                SealedIdentifier(tag=b"", kind="phone", value="+48 22 555 01 23"),
                SealedIdentifier(tag=b"", kind="user_id", value="usr_0042"),
                SealedIdentifier(tag=b"", kind="email", value="łuczak@bücher.example"),
            ),
            levels=(2, 0, 1, 0),
        ),
    ),
    Example(
        name="a correction, with what is wrong and what is right, and an objection to one use",
        case=UUID("0a4c1d7e-93b2-4f6d-8c55-5d0e6f7a8b9c"),
        claims=("rectification", "objection"),
        received_at=datetime(2026, 2, 27, 8, 30, tzinfo=UTC),
        level=2,
        person=Person(
            identifiers=(SealedIdentifier(tag=b"", kind="email", value="b@example.org"),),
            levels=(2,),
            changes=(
                SealedChange(datum="family_name", was="Lee", to="Łuczak"),
                SealedChange(datum="city", to="Köln"),
                SealedChange(datum="phone", to="+44 20 7946 0018", how="complete"),
            ),
            evidence="The register of marriages, 2026/17.",
        ),
        purpose="offers",
    ),
)


def write() -> None:
    """Write the vectors anew."""
    FILE.write_text(json.dumps(document(locked()), indent=1, ensure_ascii=False) + "\n")


def document(codec: Codec) -> dict[str, Any]:
    """Every vector, with the keys that open and verify it. HPKE draws: no two are the same."""
    return {
        "about": ABOUT,
        "recipient": {
            "key": KEY,
            "private": RECIPIENT.private_bytes_raw().hex(),
            "public": RECIPIENT.public_key().public_bytes_raw().hex(),
        },
        "signer": {
            "intake": INTAKE,
            "private": SIGNER.private_bytes_raw().hex(),
            "public": SIGNER.public_key().public_bytes_raw().hex(),
        },
        "vectors": [_vector(codec, it) for it in EXAMPLES],
    }


def _vector(codec: Codec, example: Example) -> dict[str, Any]:
    event = RequestReceived(
        case=example.case,
        claims=example.claims,
        received_at=example.received_at,
        intake=INTAKE,
        level=example.level,
        key=KEY,
        purpose=example.purpose,
        sealed=b"",
    )
    event = enclose(codec, event, example.person, RECIPIENT.public_key(), SIGNER)
    return {
        "name": example.name,
        "event": {
            "case": str(event.case),
            "claims": list(event.claims),
            "received_at": _micros(event.received_at),
            "intake": event.intake,
            "level": event.level,
            "key": event.key,
            "purpose": event.purpose,
        },
        "person": _person(example.person),
        **_bytes(codec, event, example.person),
        "topic": "rights.requests",
        "record_key": str(event.case),
        "headers": _headers(event),
    }


def _person(person: Person) -> dict[str, Any]:
    rows = [{**asdict(it), "tag": it.tag.hex()} for it in person.identifiers]
    return {
        "name": person.name,
        "language": person.language,
        "identifiers": rows,
        "levels": list(person.levels),
        "changes": [asdict(it) for it in person.changes],
        "evidence": person.evidence,
    }


def _bytes(codec: Codec, event: RequestReceived, person: Person) -> dict[str, str]:
    record = codec.encode(event)
    return {
        "clear": before_sealed(event).hex(),
        "plaintext": codec.encode_sealed(RequestReceived, person).hex(),
        "sealed": event.sealed.hex(),
        "signed": before_signature(event).hex(),
        "signature": event.signature.hex(),
        "record": record.hex(),
    }


def _headers(event: RequestReceived) -> dict[str, str]:
    name = event_name(type(event))
    return {
        "ce_specversion": "1.0",
        "ce_id": str(uuid5(event.case, name)),
        "ce_type": f"habeas.{name}.v{event.VERSION}",
        "ce_source": f"/habeas/intake/{event.intake}",
        "ce_time": event.received_at.isoformat().replace("+00:00", "Z"),
        "ce_correlationid": str(event.case),
        "content-type": "application/avro",
    }


def _micros(at: datetime) -> int:
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


if __name__ == "__main__":
    write()
