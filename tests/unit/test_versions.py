"""What was sealed and signed under one version of an event is read under every later one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import field, make_dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import codec as module
from schemas.codec import Codec, locked
from schemas.derive import FOLDER, LOCK, event_types, schema_of, text
from schemas.envelope import SignatureError, disclose, enclose, verify
from schemas.events import Event, RequestReceived, SearchFailed
from schemas.sealed import SealError, seal_event, unseal_event
from tests.unit import strategies

RECIPIENT = X25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
KEY, SYSTEM = bytes(range(32)), "acme"
SHIFT = 1000

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)


def _later(kind: type[Event]) -> Any:
    """The same event in its next version: one more clear field, with a default."""
    own = [
        (it, kind.__annotations__[it], field(**_default(kind, it)))
        for it in strategies.names(kind)
        if it != "case"
    ]
    at = [it[0] for it in own].index("sealed")
    own.insert(at, ("colour", "str", field(default="")))
    space = {"VERSION": kind.VERSION + 1, "SEALS": kind.SEALS, "__module__": kind.__module__}
    return make_dataclass(
        kind.__name__, own, bases=(Event,), namespace=space, frozen=True, kw_only=True
    )


def _default(kind: Any, name: str) -> dict[str, Any]:
    default = kind.__dataclass_fields__[name].default
    return {} if default is kind.__dataclass_fields__["case"].default else {"default": default}


LATER = {
    "request_received": _later(RequestReceived),
    "search_failed": _later(SearchFailed),
}


@pytest.fixture
def upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Codec]:
    """A release in which two events have a second version."""
    for path in FOLDER.glob("*.avsc"):
        (tmp_path / path.name).write_text(path.read_text())
    ids = {subject: it["id"] for subject, it in json.loads(LOCK.read_text()).items()}
    for name, kind in LATER.items():
        now, then = kind.VERSION, kind.VERSION - 1
        (tmp_path / f"{name}.v{now}.avsc").write_text(text(schema_of(kind, name)))
        sealed = (tmp_path / f"{name}.sealed.v{then}.avsc").read_text()
        (tmp_path / f"{name}.sealed.v{now}.avsc").write_text(sealed)
        ids |= {f"{name}.v{now}": len(ids) + 1, f"{name}.sealed.v{now}": len(ids) + 2}
    (tmp_path / "ids.json").write_text(json.dumps({it: {"id": n} for it, n in ids.items()}))
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "LOCK", tmp_path / "ids.json")
    monkeypatch.setattr(module, "event_types", lambda: {**event_types(), **LATER})
    _forget()
    yield locked()
    _forget()


def _forget() -> None:
    for it in (module.locked, module.schema, module._builder, module._plainer):
        it.cache_clear()


@shared
@given(data=st.data())
def test_a_request_of_the_first_version_is_verified_and_opened_by_the_second(
    upgraded: Codec, data: st.DataObject
) -> None:
    record, content = _old(data)
    event: Any = upgraded.decode(record)
    assert (event.VERSION, event.colour) == (RequestReceived.VERSION + 1, "")
    verify(event, SIGNER.public_key())
    assert disclose(upgraded, event, RECIPIENT) == content


@shared
@given(data=st.data())
def test_what_the_first_version_never_covered_cannot_be_added_under_its_seal(
    upgraded: Codec, data: st.DataObject
) -> None:
    record, _ = _old(data)
    event: Any = replace(upgraded.decode(record), colour="red")  # type: ignore[call-arg]
    with pytest.raises(SignatureError):
        verify(event, SIGNER.public_key())
    with pytest.raises(SealError):
        disclose(upgraded, event, RECIPIENT)


@shared
@given(data=st.data())
def test_an_answer_of_the_first_version_opens_in_the_second_and_only_in_its_place(
    upgraded: Codec, data: st.DataObject
) -> None:
    old, content = data.draw(strategies.instances(SearchFailed)), _content(data, SearchFailed)
    sealed = seal_event(upgraded, old, content, KEY, UUID(int=1), SYSTEM)
    event = LATER["search_failed"](
        **{it: getattr(sealed, it) for it in strategies.names(SearchFailed)}
    )
    assert unseal_event(upgraded, event, KEY, SYSTEM) == content
    for moved in (replace(event, colour="red"), replace(event, reason=f"{event.reason}!")):
        with pytest.raises(SealError):
            unseal_event(upgraded, moved, KEY, SYSTEM)


@given(strategies.events(RequestReceived), st.data())
def test_another_registry_does_not_lock_up_what_was_sealed_before(
    event: Event, data: st.DataObject
) -> None:
    content = data.draw(strategies.contents(RequestReceived))
    moved = Codec({subject: number + SHIFT for subject, number in locked()._ids.items()})
    sealed = enclose(locked(), event, content, RECIPIENT.public_key(), SIGNER)
    assert disclose(moved, sealed, RECIPIENT) == content
    assert moved.encode_sealed(RequestReceived, content) == locked().encode_sealed(
        RequestReceived, content
    )


def _old(data: st.DataObject) -> tuple[bytes, Any]:
    """A record as a process of the first version writes it."""
    event, content = (
        data.draw(strategies.instances(RequestReceived)),
        _content(data, RequestReceived),
    )
    sent = enclose(locked(), event, content, RECIPIENT.public_key(), SIGNER)
    return locked().encode(sent), content


def _content(data: st.DataObject, kind: type[Event]) -> Any:
    return data.draw(strategies.contents(kind))
