"""The ids that a Confluent-compatible schema registry gives our schemas; new ones are registered.

A registry keeps all versions of one record under one subject, by the record's full name
(`habeas.plan_made`: Confluent's RecordNameStrategy), and so checks a new version against the old.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from ssl import SSLContext

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, encode_basic_auth
from yarl import URL

from pipeline import transport
from pipeline.settings import Settings
from schemas.derive import FOLDER

TIMEOUT = ClientTimeout(total=30)
"""Of one call, in seconds."""
CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_LARGEST = 2**31 - 1
_WHY: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the credentials are refused",
    HTTPStatus.FORBIDDEN: "the credentials do not permit it",
    HTTPStatus.NOT_FOUND: "no schema registry answers at this address",
    HTTPStatus.CONFLICT: "another version registered there is incompatible",
    HTTPStatus.UNPROCESSABLE_ENTITY: "the registry calls the schema invalid",
}


class RegistryError(Exception):
    """A registry that cannot be reached or used. The message names it, the subject, and why."""


@dataclass(frozen=True, slots=True)
class Access:
    """What proves a registry to us, and us to it. A `repr` shows neither."""

    auth: str = field(default="", repr=False)
    """The header `Authorization`. Goes before credentials in the address (`https://user:password@host`)."""
    tls: SSLContext | None = field(default=None, repr=False)


def access(settings: Settings) -> Access:
    """How it is spoken to, as set. Raises `RegistryError`, `SettingsError`, `ModesError`."""
    url, auth, tls = _url(settings.schema_registry), "", None
    if url.scheme == "https":
        tls = transport.context("HABEAS_SCHEMA_REGISTRY", ca=settings.schema_registry_ca)
    else:
        transport.refuse_plaintext(
            "HABEAS_SCHEMA_REGISTRY",
            [url.host or ""],
            instead="Use its https address",
            allowed=settings.allow_plaintext,
        )
    if settings.schema_registry_user or settings.schema_registry_password_file:
        password = transport.password(
            "HABEAS_SCHEMA_REGISTRY_PASSWORD_FILE", settings.schema_registry_password_file, settings
        )
        auth = encode_basic_auth(settings.schema_registry_user, password)
    return Access(auth, tls)


async def ids(address: str, by: Access = Access()) -> dict[str, int]:
    """The registry's id of every released schema, as `Codec` takes them.

    A schema that is there already keeps its id: two versions of an event that differ in nothing
    (what changed is sealed) have one. Raises `RegistryError`.
    """
    url = _url(address)
    headers = {"Authorization": by.auth} if by.auth else {}
    if by.auth:
        url = url.with_user(None)  # aiohttp takes credentials from one place only
    found: dict[str, int] = {}
    schemas: set[str] = set()
    connector = TCPConnector(ssl=by.tls or True)
    async with ClientSession(timeout=TIMEOUT, headers=headers, connector=connector) as session:
        for ours, name, schema in _released():
            found[ours] = await _register(session, url, name, schema)
            schemas.add(schema)
    if len(set(found.values())) < len(schemas):
        raise RegistryError(f"{_shown(url)} gives several schemas the same id: no registry does")
    return found


def _released() -> Iterator[tuple[str, str, str]]:
    """Our subject, the registry's, and the schema: older versions first, as a registry asks."""
    for path in sorted(FOLDER.glob("*.avsc"), key=_version):
        schema = json.loads(path.read_text())
        yield path.stem, f"{schema['namespace']}.{schema['name']}", json.dumps(schema)


def _version(path: Path) -> tuple[int, str]:
    name, _, version = path.stem.rpartition(".v")
    return int(version), name


async def _register(session: ClientSession, url: URL, name: str, schema: str) -> int:
    body = json.dumps({"schemaType": "AVRO", "schema": schema})
    headers = {"Content-Type": CONTENT_TYPE, "Accept": CONTENT_TYPE}
    asked = f"{_shown(url)}, subject {name}"
    try:
        async with session.post(
            url / "subjects" / name / "versions", data=body, headers=headers, allow_redirects=False
        ) as answer:
            status, content = answer.status, await answer.read()
    except (ClientError, TimeoutError) as error:
        raise RegistryError(f"{asked}: no answer ({type(error).__name__})") from None
    if status != HTTPStatus.OK:
        why = _WHY.get(status, "the registry refuses")
        raise RegistryError(f"{asked}: {why} (HTTP {status})")
    return _id(content, asked)


def _id(content: bytes, asked: str) -> int:
    try:
        number = json.loads(content)["id"]
    except (KeyError, TypeError, ValueError):
        number = None
    if type(number) is not int or not 0 < number <= _LARGEST:
        raise RegistryError(f"{asked}: the answer has no schema id: is this a schema registry?")
    return number


def _url(address: str) -> URL:
    try:
        url = URL(address.rstrip("/"))
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise RegistryError("HABEAS_SCHEMA_REGISTRY is no address like http://registry:8081")
    return url


def _shown(url: URL) -> str:
    """The address without credentials and query."""
    plain = URL.build(scheme=url.scheme, host=url.host or "", port=url.port, path=url.path)
    return str(plain).rstrip("/")
