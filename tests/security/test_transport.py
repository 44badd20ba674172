"""Who stands on the wire, or only has a connection: what they read, and what they can break.

A broker that demands TLS, a certificate and a password; a PostgreSQL and a schema registry that
demand TLS; and whoever may write to a topic, with a bomb for who reads it.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import pytest_asyncio
from aiohttp import encode_basic_auth, web
from aiokafka.errors import KafkaConnectionError
from confluent_kafka import KafkaError, Producer
from cryptography import x509
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from pipeline import app, flow
from pipeline.kafka import connection, registry_ids, topics
from pipeline.kafka.connection import Broker
from pipeline.kafka.incoming import read_to_end
from pipeline.kafka.producer import producer, send
from pipeline.kafka.registry_ids import RegistryError
from pipeline.kafka.wire import Record
from pipeline.orchestrator.faust_credentials import credentials
from pipeline.orchestrator.orchestrator import Orchestrator
from pipeline.register.engine import RegisterError, connect, migrate
from pipeline.register.postgres_tls import tls_of
from pipeline.settings import Settings, SettingsError, load
from tests.postgres import Postgres
from tests.secure import ADMIN, HERE, Authority, SecureKafka

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROUTE = flow.topics(("freshdesk",), Settings(partitions=1))
MIB = 1024 * 1024
SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
"""What a client of PostgreSQL begins with that wants TLS (Frontend/Backend Protocol, 54.7)."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def secure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecureKafka]:
    kafka = await SecureKafka(tmp_path_factory.mktemp("kafka") / "secure", ()).start()
    await topics.create(kafka.kafka.bootstrap, ROUTE)
    yield kafka
    await kafka.kafka.stop()


@pytest.mark.parametrize("mechanism", connection.MECHANISMS)
async def test_every_mechanism_lets_in_who_has_certificate_and_password(
    secure: SecureKafka, mechanism: str
) -> None:
    ours = replace(secure.settings(ADMIN), kafka_sasl_mechanism=mechanism)
    assert (await topics.compare(connection.of(ours), ROUTE)).missing == ()


@pytest.mark.parametrize(
    "lacking",
    [
        {"kafka_security": "plaintext"},
        {"kafka_security": "sasl_plaintext"},
        {"kafka_security": "ssl"},
        {"kafka_cert": "", "kafka_key": ""},
        {"kafka_ca": ""},
        {"kafka_user": "nobody"},
    ],
    ids=lambda it: "-".join(f"{name}={value}" for name, value in it.items()),
)
async def test_who_lacks_one_of_them_stays_outside(
    secure: SecureKafka, lacking: dict[str, str]
) -> None:
    given = {**_kafka_of(secure.settings(ADMIN)), **lacking}
    for name in _useless(given["kafka_security"]):
        given[name] = ""
    with pytest.raises(KafkaConnectionError):
        await topics.compare(connection.of(replace(Settings(), **given)), ROUTE)


def _kafka_of(settings: Settings) -> dict[str, Any]:
    names = [it for it in Settings.__dataclass_fields__ if it.startswith("kafka")]
    return {it: getattr(settings, it) for it in ("broker", *names)}


def _useless(security: str) -> list[str]:
    tls, sasl = ["kafka_ca", "kafka_cert", "kafka_key"], ["kafka_user", "kafka_password_file"]
    return [*(tls if "ssl" not in security else []), *(sasl if "sasl" not in security else [])]


async def test_a_broker_with_a_certificate_of_somebody_else_gets_no_password(
    secure: SecureKafka, tmp_path: Path
) -> None:
    """The attacker answers at the broker's address, with a certificate of their own making."""
    heard = await _impostor(Authority(tmp_path))
    ours = replace(secure.settings(ADMIN), broker=f"127.0.0.1:{heard.port}")
    with pytest.raises(KafkaConnectionError):
        await topics.compare(connection.of(ours), ROUTE)
    heard.server.close()
    assert not heard.said


async def test_a_certificate_for_another_host_is_refused(
    secure: SecureKafka, tmp_path: Path
) -> None:
    """The attacker has a certificate that the right authority issued, for a machine of theirs."""
    heard = await _impostor(secure.authority, "elsewhere.example")
    ours = replace(secure.settings(ADMIN), broker=f"127.0.0.1:{heard.port}")
    with pytest.raises(KafkaConnectionError):
        await topics.compare(connection.of(ours), ROUTE)
    heard.server.close()
    assert not heard.said


async def test_no_password_is_in_a_repr_or_an_error(secure: SecureKafka, tmp_path: Path) -> None:
    word = secure.passwords[ADMIN]
    ours = secure.settings(ADMIN)
    broker = connection.of(ours)
    shown = [repr(broker), str(broker), repr(ours), repr(credentials(broker))]
    assert isinstance(broker, Broker)
    assert broker.security["sasl_plain_password"] == word
    (tmp_path / "empty").touch(mode=0o600)
    (tmp_path / "binary").touch(mode=0o600)
    (tmp_path / "binary").write_bytes(b"\xff" + word.encode())
    for name in ("empty", "binary", "missing"):
        with pytest.raises(SettingsError, match="HABEAS_KAFKA_PASSWORD_FILE") as refused:
            connection.of(replace(ours, kafka_password_file=str(tmp_path / name)))
        shown += [str(refused.value), repr(refused.value.__cause__)]
    assert not [it for it in shown if word in it]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"HABEAS_BROKER": "kafka.example:9092"}, "kafka.example is not on this machine"),
        ({"HABEAS_BROKER": "127.0.0.1:1,[2001:db8::1]:9092"}, "2001:db8::1 is not on this"),
        (
            {"HABEAS_BROKER": "localhost.example:1", "HABEAS_KAFKA_SECURITY": "sasl_plaintext"},
            "HABEAS_KAFKA_SECURITY=sasl_ssl",
        ),
        ({"HABEAS_BROKER": "a:1", "HABEAS_KAFKA_SECURITY": "SSL"}, "one of plaintext, ssl"),
        ({"HABEAS_BROKER": "localhost:1", "HABEAS_KAFKA_CA": "x"}, "KAFKA_CA is set, and"),
        ({"HABEAS_BROKER": "localhost:1", "HABEAS_KAFKA_USER": "x"}, "KAFKA_USER is set, and"),
        ({"HABEAS_BROKER": "a:1", "HABEAS_KAFKA_SECURITY": "sasl_ssl"}, "KAFKA_PASSWORD_FILE"),
        (
            {"HABEAS_BROKER": "a:1", "HABEAS_KAFKA_SECURITY": "ssl", "HABEAS_KAFKA_CA": "/no"},
            "HABEAS_KAFKA_CA: /no cannot be used",
        ),
        (
            {"HABEAS_BROKER": "a:1", "HABEAS_KAFKA_SECURITY": "ssl", "HABEAS_KAFKA_KEY": "/no"},
            "are set together",
        ),
    ],
)
async def test_what_would_not_protect_is_refused_before_anything_is_sent(
    given: dict[str, str], why: str
) -> None:
    with pytest.raises(SettingsError, match=why.replace("[", r"\[")):
        app.broker_address(load(given))


async def test_plaintext_elsewhere_is_taken_when_a_person_said_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = {"HABEAS_BROKER": "kafka.example:9092", "HABEAS_ALLOW_PLAINTEXT": "1"}
    assert app.broker_address(load(told)) == "kafka.example:9092"
    with pytest.raises(SettingsError, match="HABEAS_ALLOW_PLAINTEXT is 'yes': 1 or 0"):
        load({"HABEAS_ALLOW_PLAINTEXT": "yes"})


# Who may write to a topic sends a bomb: a small batch that inflates to much.


async def test_no_reader_of_ours_ever_gets_a_batch_that_somebody_packed(
    secure: SecureKafka,
) -> None:
    """What fits unpacked is written out by the broker; what does not is refused by it."""
    small, bomb = bytes(64 * 1024), bytes(20 * MIB)
    assert len(gzip.compress(bomb)) < topics.MAX_BYTES
    for packed in ("gzip", "zstd", "lz4", "snappy"):
        assert _sent(secure, packed, small) is None
        refused = _sent(secure, packed, bomb)
        assert refused is not None
        assert refused.code() == KafkaError.MSG_SIZE_TOO_LARGE
    log = next((secure.folder / "kafka" / "data").glob(f"{flow.REQUESTS}-0/*.log"))
    assert log.stat().st_size > 4 * len(small)  # nothing on it is packed
    came = [it async for it in read_to_end(secure.broker(ADMIN), flow.REQUESTS)]
    assert [it.value for it in came] == [small] * 4


def _sent(secure: SecureKafka, packed: str, value: bytes) -> KafkaError | None:
    """What the broker said to a record of an intake, packed; None is that it took it."""
    told: list[KafkaError | None] = []
    out = Producer(
        {
            **secure.librdkafka(ADMIN),
            "compression.type": packed,
            "message.max.bytes": 100 * MIB,
            "batch.size": 100 * MIB,
        }
    )
    out.produce(flow.REQUESTS, value=value, on_delivery=lambda error, _: told.append(error))
    assert out.flush(60) == 0
    return told[0]


async def test_no_client_of_kafka_is_made_by_any_other_way() -> None:
    made = Path(connection.__file__)
    others = [it for it in made.parents[1].rglob("*.py") if it != made]
    assert not [it.name for it in others if "bootstrap_servers" in it.read_text()]


async def test_every_consumer_takes_a_bounded_amount_at_once(secure: SecureKafka) -> None:
    made = connection.consumer(secure.broker(ADMIN))
    assert made["max_partition_fetch_bytes"] == MIB
    assert made["fetch_max_bytes"] == 16 * MIB
    assert made["max_poll_records"] <= 200
    record = Record(topic=flow.RESULTS, key=b"k", value=bytes(500 * 1024))
    async with producer(secure.broker(ADMIN)) as out:
        await send(out, [record] * 10)
    assert len([it async for it in read_to_end(secure.broker(ADMIN), flow.RESULTS)]) == 10


async def test_the_deciders_stream_is_bounded_in_the_same_way(
    secure: SecureKafka, tmp_path: Path
) -> None:
    nobody: Any = None
    decider: Any = SimpleNamespace(take=None)
    conf = Orchestrator(
        decider=decider,
        publisher=nobody,
        rotation=nobody,
        engine=nobody,
        settings=Settings(),
        bootstrap=secure.broker(ADMIN),
        folder=tmp_path,
    )._app.conf
    assert conf.broker_max_poll_records == connection.FETCH["max_poll_records"]
    assert conf.consumer_max_fetch_size == connection.FETCH["max_partition_fetch_bytes"]
    assert conf.stream_buffer_maxsize <= 1000
    assert conf.topic_allow_declare is False
    assert conf.broker_credentials is not None
    assert conf.broker_credentials.protocol.value == "SASL_SSL"


# A PostgreSQL elsewhere: who stands between reads the register, or answers in its place.


@dataclass
class Front:
    """A PostgreSQL that lets nobody in but by TLS.

    The one that pip brings was built without TLS: this stands before it and ends the TLS, as a
    PgBouncer does, and tells who does not ask for it to go.
    """

    socket: str
    certificate: tuple[Path, Path]
    refused: int = 0

    async def __aenter__(self) -> Self:
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(*self.certificate)
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with AsyncExitStack() as closing:
            closing.callback(writer.close)
            if await reader.readexactly(8) != SSL_REQUEST:
                self.refused += 1
                return
            writer.write(b"S")
            await writer.start_tls(self._tls)
            behind, to_behind = await asyncio.open_unix_connection(self.socket)
            closing.callback(to_behind.close)
            await asyncio.gather(_pipe(reader, to_behind), _pipe(behind, writer))


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while content := await source.read(65536):
            target.write(content)
            await target.drain()
    target.close()


@dataclass(frozen=True)
class Server:
    front: Front
    authority: Authority
    database: str

    def url(self, **options: str) -> str:
        asked = "&".join(f"{name}={value}" for name, value in options.items())
        where = f"127.0.0.1:{self.front.port}/{self.database}"
        return f"postgresql://postgres@{where}?{asked}"


@pytest_asyncio.fixture(loop_scope="module")
async def postgres_tls(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Server]:
    authority = Authority(tmp_path)
    database = make_url(await postgres.database()).database
    behind = f"{postgres.folder}/.s.PGSQL.5432"
    async with Front(behind, authority.issue("database")) as front:
        yield Server(front, authority, str(database))


async def test_a_register_over_tls_proves_who_answers(postgres_tls: Server) -> None:
    url = postgres_tls.url(sslmode="verify-full", sslrootcert=str(postgres_tls.authority.file))
    engine = await connect(url)
    try:
        async with engine.connect() as connected:
            assert (await connected.execute(text("SELECT 1"))).scalar_one() == 1
        await migrate(engine)
    finally:
        await engine.dispose()


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
async def test_a_register_that_another_authority_proves_is_refused(
    postgres_tls: Server, tmp_path: Path, mode: str
) -> None:
    (tmp_path / "other").mkdir()
    other = str(Authority(tmp_path / "other").file)
    await _not_connected(postgres_tls.url(sslmode=mode, sslrootcert=other))
    await _not_connected(postgres_tls.url(sslmode=mode))  # by what this machine trusts


async def test_a_server_that_demands_tls_is_not_reached_without(postgres_tls: Server) -> None:
    await _not_connected(postgres_tls.url(sslmode="disable"))
    assert postgres_tls.front.refused


async def _not_connected(url: str) -> None:
    engine = await connect(url)
    try:
        with pytest.raises((RegisterError, DBAPIError)):
            async with engine.connect():
                pass
    finally:
        await engine.dispose()


@pytest.mark.parametrize("mode", ["", "sslmode=disable", "sslmode=prefer", "sslmode=require"])
@pytest.mark.parametrize(
    "where",
    ["@db.example/x?", "@/x?host=/run/pg:5432&host=db.example:5432&", "@/x?host=[2001:db8::1]&"],
)
async def test_a_register_elsewhere_that_nothing_proves_is_refused(where: str, mode: str) -> None:
    url = f"postgresql://u:pass-word{where}{mode}"
    with pytest.raises(SettingsError, match=r"HABEAS_REGISTER: .*sslmode=verify-full") as refused:
        await connect(url)
    assert "word" not in str(refused.value)
    await (await connect(url, allow_plaintext=True)).dispose()


@pytest.mark.parametrize("where", ["@localhost/x", "@127.0.0.1:5432/x", "@/x?host=/run/pg", "@/x"])
async def test_a_register_on_this_machine_needs_no_tls(where: str) -> None:
    await (await connect(f"postgresql://u{where}")).dispose()


async def test_a_register_that_the_environment_puts_elsewhere_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    with pytest.raises(SettingsError, match=r"db\.example is not on this machine"):
        await connect("postgresql://u@/x")


async def test_verify_full_checks_the_name_and_verify_ca_does_not() -> None:
    for mode, checks in (("verify-full", True), ("verify-ca", False)):
        url = make_url(f"postgresql+asyncpg://u@db.example/x?sslmode={mode}")
        plain, given = tls_of(url, allow_plaintext=False)
        assert not plain.query
        assert given["ssl"].check_hostname is checks
        assert given["ssl"].verify_mode is ssl.CERT_REQUIRED


# A schema registry elsewhere: who answers in its place gives us ids, and learns its password.


@dataclass
class Registry:
    address: str
    authority: Authority
    authorized: list[str | None] = field(default_factory=list)


@pytest_asyncio.fixture(loop_scope="module")
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """It gives ids over https alone, to whoever has its password."""
    found = Registry("", Authority(tmp_path))
    ids: dict[str, int] = {}

    async def answer(request: web.Request) -> web.Response:
        found.authorized.append(request.headers.get("Authorization"))
        if found.authorized[-1] != encode_basic_auth("habeas", "pass-word"):
            return web.Response(status=401)
        asked = await request.json()
        return web.json_response({"id": ids.setdefault(asked["schema"], len(ids) + 1)})

    served = web.Application()
    served.router.add_post("/subjects/{subject}/versions", answer)
    runner = web.AppRunner(served)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*found.authority.issue("registry"))
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    found.address = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def test_a_registry_is_proved_and_gets_its_password(
    registry: Registry, tmp_path: Path
) -> None:
    settings = _registry_settings(registry, tmp_path)
    assert len(await registry_ids.ids(registry.address, registry_ids.access(settings))) > 1
    assert "pass-word" not in repr(registry_ids.access(settings))


async def test_a_registry_that_another_authority_proves_gets_no_password(
    registry: Registry, tmp_path: Path
) -> None:
    settings = _registry_settings(registry, tmp_path)
    (tmp_path / "other").mkdir()
    for ca in ("", str(Authority(tmp_path / "other").file)):
        other = replace(settings, schema_registry_ca=ca)
        with pytest.raises(RegistryError, match=r"no answer .*Certificate"):
            await registry_ids.ids(registry.address, registry_ids.access(other))
    assert not registry.authorized


async def test_a_registry_in_plaintext_elsewhere_is_refused(tmp_path: Path) -> None:
    settings = Settings(schema_registry="http://user:pass-word@registry.example:8081")
    with pytest.raises(SettingsError, match=r"registry\.example is not on this") as refused:
        await app.codec(settings)
    assert "word" not in str(refused.value)
    registry_ids.access(replace(settings, allow_plaintext=True))


def _registry_settings(registry: Registry, folder: Path) -> Settings:
    file = folder / "registry.password"
    file.touch(mode=0o600)
    file.write_text("pass-word\n")
    return Settings(
        schema_registry=registry.address,
        schema_registry_ca=str(registry.authority.file),
        schema_registry_user="habeas",
        schema_registry_password_file=str(file),
    )


@dataclass
class Impostor:
    """Answers at an address, and keeps what it was told after the handshake."""

    said: bytes = b""
    port: int = 0
    server: asyncio.Server = field(init=False)

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.said += await reader.read(4096)
        writer.close()


async def _impostor(authority: Authority, name: str = "") -> Impostor:
    names = (x509.DNSName(name),) if name else HERE
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("impostor", names=names))
    heard = Impostor()
    heard.server = await asyncio.start_server(heard.hear, "127.0.0.1", 0, ssl=context)
    heard.port = heard.server.sockets[0].getsockname()[1]
    return heard
