"""Ids come from a schema registry over HTTP; what goes wrong with one is said in plain words.

No registry that pip could bring exists, so a small server stands in: it keeps what Confluent's
API reference says of `POST /subjects/{subject}/versions`, and nothing else of a registry.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web

from pipeline.kafka import registry_ids
from pipeline.kafka.registry_ids import RegistryError
from schemas.codec import Codec, locked
from schemas.derive import FOLDER, LOCK
from schemas.events import IdentityVerified

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
FIRST_ID = 100_001


class Registry:
    """Gives each schema an id, the same whenever it is registered again."""

    def __init__(self) -> None:
        self.subjects: dict[str, list[str]] = {}
        self.ids: dict[str, int] = {}
        self.seen: list[web.Request] = []
        self.instead: Answer | None = None
        self.address = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if self.instead is not None:
            return await self.instead(request)
        assert request.content_type == "application/vnd.schemaregistry.v1+json"
        asked = await request.json()
        assert asked["schemaType"] == "AVRO"
        versions = self.subjects.setdefault(request.match_info["subject"], [])
        if asked["schema"] not in versions:
            versions.append(asked["schema"])
        return web.json_response(
            {"id": self.ids.setdefault(asked["schema"], FIRST_ID + len(self.ids))}
        )


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    registry = Registry()
    app = web.Application()
    app.router.add_post("/api/subjects/{subject}/versions", registry.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    registry.address = f"http://{host}:{port}/api"
    yield registry
    await runner.cleanup()


async def test_every_released_schema_gets_the_registrys_id(registry: Registry) -> None:
    found = await registry_ids.ids(registry.address)
    assert set(found) == set(json.loads(LOCK.read_text()))
    schemas = {(FOLDER / f"{it}.avsc").read_text() for it in found}
    assert set(found.values()) == set(range(FIRST_ID, FIRST_ID + len(schemas)))
    for ours, number in found.items():
        schema = json.loads((FOLDER / f"{ours}.avsc").read_text())
        assert registry.ids[json.dumps(schema)] == number
        assert json.dumps(schema) in registry.subjects[f"habeas.{schema['name']}"]


async def test_asking_again_gives_the_same_ids_and_registers_nothing(registry: Registry) -> None:
    first = await registry_ids.ids(f"{registry.address}/")
    versions = {subject: list(it) for subject, it in registry.subjects.items()}
    assert await registry_ids.ids(registry.address) == first
    assert registry.subjects == versions


async def test_a_codec_with_these_ids_frames_records_with_them(registry: Registry) -> None:
    found = await registry_ids.ids(registry.address)
    event = IdentityVerified(case=UUID(int=1), level=2, method="link")
    value = Codec(found).encode(event)
    assert int.from_bytes(value[1:5]) == found["identity_verified.v1"] >= FIRST_ID
    assert Codec(found).decode(value) == event
    assert value[5:] == locked().encode(event)[5:]


async def test_versions_of_one_record_go_to_one_subject_the_oldest_first(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (10, 9, 1):
        schema = {"type": "record", "namespace": "habeas", "name": "comet", "doc": str(version)}
        (tmp_path / f"comet.v{version}.avsc").write_text(json.dumps(schema))
    monkeypatch.setattr(registry_ids, "FOLDER", tmp_path)
    found = await registry_ids.ids(registry.address)
    assert found == {f"comet.v{it}": FIRST_ID + n for n, it in enumerate((1, 9, 10))}
    assert [json.loads(it)["doc"] for it in registry.subjects["habeas.comet"]] == ["1", "9", "10"]


async def test_credentials_in_the_address_are_used_and_never_shown(registry: Registry) -> None:
    registry.instead = _status(HTTPStatus.FORBIDDEN)
    address = registry.address.replace("://", "://reader:pass-word@")
    with pytest.raises(RegistryError) as refused:
        await registry_ids.ids(address)
    header = registry.seen[0].headers["Authorization"]
    assert header == f"Basic {b64encode(b'reader:pass-word').decode()}"
    assert str(refused.value).startswith(f"{registry.address}, subject habeas.")
    assert "word" not in f"{refused.value!r} {refused.value.__cause__!r}"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (401, r"credentials are refused \(HTTP 401\)"),
        (403, "credentials do not permit it"),
        (404, "no schema registry answers at this address"),
        (409, "incompatible"),
        (422, "invalid"),
        (302, r"refuses \(HTTP 302\)"),
        (500, r"refuses \(HTTP 500\)"),
    ],
)
async def test_a_refusal_says_which_registry_which_subject_and_why(
    registry: Registry, status: int, why: str
) -> None:
    registry.instead = _status(status)
    with pytest.raises(RegistryError, match=rf"/api, subject habeas\.\w+: .*{why}"):
        await registry_ids.ids(registry.address)
    assert len(registry.seen) == 1


@pytest.mark.parametrize(
    "said",
    [
        "<html>",
        "[]",
        "{}",
        '{"id": "7"}',
        '{"id": true}',
        '{"id": 0}',
        '{"id": 2147483648}',
        "\xff",
    ],
)
async def test_an_answer_without_an_id_is_refused(registry: Registry, said: str) -> None:
    async def odd(_: web.Request) -> web.StreamResponse:
        return web.Response(body=said.encode("latin-1"), content_type="application/json")

    registry.instead = odd
    with pytest.raises(RegistryError, match="no schema id: is this a schema registry"):
        await registry_ids.ids(registry.address)


async def test_ids_that_are_the_same_for_different_schemas_are_refused(registry: Registry) -> None:
    async def always_seven(_: web.Request) -> web.StreamResponse:
        return web.json_response({"id": 7})

    registry.instead = always_seven
    with pytest.raises(RegistryError, match="several schemas the same id"):
        await registry_ids.ids(registry.address)


async def test_a_registry_that_drops_the_connection_is_named(registry: Registry) -> None:
    async def drop(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    registry.instead = drop
    with pytest.raises(RegistryError, match=r"no answer \(ServerDisconnectedError\)"):
        await registry_ids.ids(registry.address)


async def test_a_registry_that_is_not_there_is_named() -> None:
    with pytest.raises(RegistryError, match=r"http://127\.0\.0\.1:1, subject .* no answer"):
        await registry_ids.ids("http://127.0.0.1:1")


@pytest.mark.parametrize("address", ["registry:8081", "ftp://registry", "http://", "http://[x", ""])
async def test_an_address_that_is_none_is_refused_by_its_settings_name(address: str) -> None:
    with pytest.raises(RegistryError, match="HABEAS_SCHEMA_REGISTRY is no address"):
        await registry_ids.ids(address)


def _status(status: int) -> Answer:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    return refuse
