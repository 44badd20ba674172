"""What a proof and a signature are over: every part where it stands, one slot, one key."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from pipeline.crypto import grants, proofs
from pipeline.crypto.grants import RECORD
from pipeline.crypto.proofs import NotProvedError, Slot

CASE = UUID(int=1)
SLOT = Slot(case=CASE, order=UUID(int=2), system="freshdesk", event="search_failed")
GRANT = grants.grant(RECORD, b"r" * 32, UUID(int=3), "freshdesk")
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PARTS = st.lists(st.binary(max_size=12), min_size=1, max_size=4).map(tuple)


class Keys:
    """One key, under one name."""

    def public_of(self, named: str) -> Ed25519PublicKey | None:
        return KEY.public_key() if named == "k-1" else None


def claim(header: bytes) -> proofs.Claim:
    return proofs.claimed(header.decode(), CASE)


def test_a_header_is_what_it_was_when_it_was_released() -> None:
    """Records outlive releases: another way to prove needs another number at its beginning."""
    assert proofs.proof(GRANT, SLOT, b"id", b"type", b"", b"value").decode() == (
        "1 freshdesk 00000000-0000-0000-0000-000000000002 search_failed "
        "e6b6adec4428ac532e2100a0f9503ed645571c05839bba8dd2817f199cfc98c3"
    )
    assert proofs.signature("k-1", KEY, b"topic", b"key").decode() == (
        "1 k-1 "
        "0ab1ca86f690e8ae677dd47e72bf7866c3fb8b9fac9375a9ab86c29a8687eef2"
        "d95c775bcae4231cab28d193328324ae16e187362c0f750e3fe7ca89ab2d4e02"
    )


@given(PARTS)
def test_what_was_said_is_proved(said: tuple[bytes, ...]) -> None:
    assert proofs.check(claim(proofs.proof(GRANT, SLOT, *said)), GRANT, *said) == SLOT
    proofs.check_signature(proofs.signature("k-1", KEY, *said).decode(), Keys(), *said)


@given(PARTS, PARTS)
def test_nothing_else_is_not_even_the_same_bytes_in_other_parts(
    said: tuple[bytes, ...], other: tuple[bytes, ...]
) -> None:
    for heard in (other, (b"".join(said),), (*said, b""), said[:-1]):
        if heard == said:
            continue
        with pytest.raises(NotProvedError, match="wrong_proof"):
            proofs.check(claim(proofs.proof(GRANT, SLOT, *said)), GRANT, *heard)
        with pytest.raises(NotProvedError, match="wrong_signature"):
            proofs.check_signature(proofs.signature("k-1", KEY, *said).decode(), Keys(), *heard)


@pytest.mark.parametrize(
    "other",
    [
        {"case": UUID(int=9)},
        {"order": UUID(int=9)},
        {"system": "stripe"},
        {"event": "task_declined"},
    ],
    ids=lambda it: next(iter(it)),
)
def test_a_proof_of_one_slot_is_none_of_another(other: dict[str, object]) -> None:
    made = claim(proofs.proof(GRANT, SLOT, b"value"))
    moved = replace(made, slot=replace(SLOT, **other))  # type: ignore[arg-type]
    with pytest.raises(NotProvedError, match="wrong_proof"):
        proofs.check(moved, GRANT, b"value")


@pytest.mark.parametrize("key", [b"r" * 31 + b"x"])
def test_another_cases_grant_or_another_systems_proves_nothing(key: bytes) -> None:
    made = claim(proofs.proof(GRANT, SLOT, b"value"))
    for other in (
        grants.grant(RECORD, key, UUID(int=3), "freshdesk"),
        grants.grant(RECORD, b"r" * 32, UUID(int=4), "freshdesk"),
        grants.grant(RECORD, b"r" * 32, UUID(int=3), "stripe"),
    ):
        with pytest.raises(NotProvedError, match="wrong_proof"):
            proofs.check(made, other, b"value")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "unsigned"),
        ("1 k-2 " + "0" * 128, "unknown_key:k-2"),
        ("1 k-1 " + "0" * 128, "wrong_signature"),
        ("1 ../k-1 " + "0" * 128, "wrong_signature"),
        ("2 k-1 " + "0" * 128, "wrong_signature"),
        ("1 k-1 " + "0" * 10_000, "wrong_signature"),
    ],
    ids=["none", "unknown", "wrong", "path", "later", "long"],
)
def test_a_signature_that_is_none_is_told_by_its_code(header: str, code: str) -> None:
    with pytest.raises(NotProvedError, match=f"^{code}$"):
        proofs.check_signature(header, Keys(), b"value")
