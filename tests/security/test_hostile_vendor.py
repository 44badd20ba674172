"""A vendor, or whoever took over its host or its account, attacks those who ask it.

What they have: the answers to our calls, every byte of them. What they want: our memory, our time,
a crash that is taken for an answer, and the credentials that we send, at an address of theirs.
What must happen: the call ends soon in one of two errors that repeat nothing of the answer, no more
is read than may be, and nobody but the vendor's own host is ever called.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from connectors.aws.client import S3
from connectors.sdk import registry
from connectors.sdk.calls import witnessed
from connectors.sdk.ceilings import Ceilings
from connectors.sdk.http import Http
from connectors.sdk.interface import (
    Connector,
    ConnectorError,
    Identifier,
    RetryableError,
    Subject,
    TerminalError,
)

SYSTEMS = ("aws", "freshdesk", "mailgun", "salesforce", "stripe")
SUBJECT = Subject((Identifier("email", "subject@example.org"),))
WORD = "somebody-else@example.org"
"""Stands in what the vendor says, and may stand in nothing that we say."""
SECRET = "test-secret"
MIB = 2**20
SOON = 8
"""Seconds in which every call here ends, on a slow machine too: `answer_seconds` is 1 or 2."""

Script = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""What is said to a request, of which it has the head."""


@dataclass
class Attacker:
    """Listens on this machine, and says what its script says to whoever calls."""

    script: Script
    url: str = ""
    heard: list[str] = field(default_factory=list)
    """The head of every request, credentials included."""
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heard.append(head)
            await self.script(head, writer)
        writer.close()


@asynccontextmanager
async def listening(script: Script) -> AsyncIterator[Attacker]:
    attacker = Attacker(script)
    server = await asyncio.start_server(attacker.serve, "127.0.0.1", 0)
    attacker.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield attacker
    finally:
        server.close()
        for task in attacker.serving:
            task.cancel()
        await asyncio.gather(*attacker.serving)


def saying(body: bytes, *, status: str = "200 OK", **headers: str) -> Script:
    """A whole answer, and the connection is closed."""
    said = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.items()]
    head = f"HTTP/1.1 {status}\r\n{''.join(lines)}\r\n".encode("latin-1")

    async def script(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(head + body)
        await writer.drain()

    return script


def for_ever(head: bytes, piece: bytes, *, pause: float = 0) -> Script:
    """`head`, then `piece` again and again, as long as somebody listens."""

    async def script(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return script


def connected(system: str, url: str, **more: str) -> Connector:
    """As a host would, by settings."""
    given = {
        "aws": {"region": "eu-central-1", "prefixes": "files/{email}/", "access_key_id": "k"},
        "freshdesk": {"api_key": SECRET},
        "mailgun": {"api_key": SECRET},
        "salesforce": {"client_id": "id", "client_secret": SECRET},
        "stripe": {"api_key": SECRET},
    }[system]
    if system == "aws":
        given["secret_access_key"] = SECRET
    all_of_it = {"url": url, "answer_seconds": "2", **given, **more}
    environ = {registry.variable(system, name): value for name, value in all_of_it.items()}
    return registry.connect(system, environ)


@contextmanager
def soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON


async def complaint(made: Awaitable[object]) -> ConnectorError:
    """What was raised: one of the two, and it repeats nothing of what the vendor said."""
    with pytest.raises((RetryableError, TerminalError)) as caught, soon():
        await made
    error = caught.value
    assert isinstance(error, ConnectorError)
    assert error.__cause__ is None
    before = None if error.__suppress_context__ else error.__context__
    for word in (WORD, SECRET, "127.0.0.1"):
        assert word not in f"{error!r} {error} {before!r}"
    return error


# They send little that becomes much.

ZEROS = b"0" * MIB


def squeezed(how: int) -> bytes:
    """64 MiB, compressed: 1,000 to 1. `how` is zlib's word for gzip, deflate and raw."""
    press = zlib.compressobj(9, zlib.DEFLATED, how)
    return b"".join((*(press.compress(ZEROS) for _ in range(64)), press.flush()))


@pytest.mark.parametrize(
    ("encoding", "made"),
    [
        ("gzip", lambda: squeezed(31)),
        ("deflate", lambda: squeezed(15)),
        ("deflate", lambda: squeezed(-15)),
        ("gzip", lambda: gzip.compress(ZEROS) * 64),
    ],
    ids=["gzip", "deflate", "raw deflate", "many members"],
)
async def test_a_compression_bomb_is_stopped_while_it_is_decoded(
    encoding: str, made: Callable[[], bytes]
) -> None:
    """64 MiB in 64 KiB; at most 4 of them may be held, beside what is being decoded."""
    async with (
        listening(saying(made(), content_encoding=encoding)) as attacker,
        Http(attacker.url, ceilings=Ceilings(answer_bytes=4 * MIB)) as http,
    ):
        tracemalloc.start()
        try:
            error = await complaint(http.get("/contacts/{id}", id="1"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(error, TerminalError)
    assert (error.reason, str(error)) == ("answer_too_large", "GET /contacts/{id}: 200, too large")
    assert peak < 10 * MIB


@pytest.mark.parametrize(
    "piece",
    [gzip.compress(b"") * 100, b"\x00\x00\x00\xff\xff"],
    ids=["empty members", "empty blocks"],
)
async def test_compressed_nothing_without_an_end_ends(piece: bytes) -> None:
    """It never passes the ceiling on decoded bytes: time, or the decoder, has to end it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10]
    async with (
        listening(for_ever(head, piece)) as attacker,
        Http(attacker.url, ceilings=Ceilings(answer_seconds=1)) as http,
    ):
        assert isinstance(await complaint(http.get("/c")), RetryableError)


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "compress", "x-gzip", "gzip, gzip", "gzip;q=1", "\xff", WORD]
)
async def test_a_compression_that_was_not_asked_for_is_not_decoded(encoding: str) -> None:
    """Not even what is sound JSON as it stands: who knows what it is compressed to."""
    async with (
        listening(saying(b'{"id": 1}', content_encoding=encoding)) as attacker,
        Http(attacker.url) as http,
    ):
        assert isinstance(await complaint(http.get("/c")), RetryableError)


# They send more than anybody can hold.

ENDLESS = for_ever(
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[", b'"' + b"a" * MIB + b'",'
)


@pytest.mark.parametrize("system", SYSTEMS)
async def test_a_body_without_an_end_is_let_go(system: str) -> None:
    async with (
        listening(ENDLESS) as attacker,
        connected(system, attacker.url, answer_bytes=str(MIB), answer_seconds="30") as connector,
    ):
        error = await complaint(connector.check())
    assert isinstance(error, TerminalError)
    assert error.reason == "answer_too_large"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "deep",
    [b"[" * 10**6 + b"]" * 10**6, b'{"a":' * 10**6, b"[" * 500 + b"]" * 500],
    ids=["arrays", "objects without an end", "less than what breaks the parser"],
)
async def test_a_deep_body_is_an_error_and_no_crash(system: str, deep: bytes) -> None:
    async with (
        listening(saying(deep)) as attacker,
        connected(system, attacker.url) as connector,
    ):
        await complaint(connector.check())


@pytest.mark.parametrize(
    "xml",
    [b"<a>" * 10**5 + b"</a>" * 10**5, b"<ListVersionsResult>" * 10**5],
    ids=["whole", "without an end"],
)
async def test_deep_xml_is_an_error_and_no_crash(xml: bytes) -> None:
    async with (
        listening(saying(xml, content_type="application/xml")) as attacker,
        connected("aws", attacker.url) as connector,
    ):
        await complaint(connector.check())


async def test_entities_that_multiply_are_not_expanded() -> None:
    """A billion laughs: what is in 1 KiB of XML would be 3 GiB of text."""
    names = "abcdefghij"
    entities = "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in pairwise(names)
    )
    xml = f'<!DOCTYPE r [<!ENTITY a "{WORD}">{entities}]><r>&j;</r>'.encode()
    async with (
        listening(saying(xml, content_type="application/xml")) as attacker,
        connected("aws", attacker.url) as connector,
    ):
        await complaint(connector.check())


# They take their time.

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPS = {
    "body": for_ever(OK + b"\r\n", b" ", pause=0.05),
    "chunks": for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", pause=0.05),
    "a chunk's size": for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0", pause=0.05),
    "a header": for_ever(OK + b"X-A: ", b"a", pause=0.05),
    "headers": for_ever(OK, b"X-A: a\r\n", pause=0.05),
    "the status": for_ever(b"HTTP/1.1 200 ", b"O", pause=0.05),
    "more to come": for_ever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", pause=0.05),
    "nothing": for_ever(b"", b"", pause=0.05),
}


@pytest.mark.parametrize("system", ["aws", "freshdesk"])
@pytest.mark.parametrize("drip", DRIPS)
async def test_an_answer_that_drips_ends(system: str, drip: str) -> None:
    """Each byte comes well before a socket gives up; together they come for ever."""
    async with (
        listening(DRIPS[drip]) as attacker,
        connected(system, attacker.url) as connector,
    ):
        assert isinstance(await complaint(connector.check()), RetryableError)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "flood",
    [
        for_ever(OK + b"X-A: ", b"a" * 2**16),
        for_ever(OK, b"X-A: a\r\n" * 2**10),
        for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 2**16),
        for_ever(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: a\r\n" * 2**10),
    ],
    ids=["a header", "headers", "a chunk's extension", "trailers"],
)
async def test_what_goes_around_a_body_ends_too(system: str, flood: Script) -> None:
    async with listening(flood) as attacker, connected(system, attacker.url) as connector:
        await complaint(connector.check())


async def test_an_id_for_evidence_is_short() -> None:
    """It is kept with the case: 8 KiB of somebody's life are no id."""
    async with (
        listening(saying(b"{}", x_request_id="a" * 8000)) as attacker,
        Http(attacker.url) as http,
    ):
        with witnessed() as calls:
            await http.get("/c")
    assert calls[0].request_id == "a" * 200


# They say: the answer is over there, bring your credentials.


async def nobody(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


@pytest.fixture
async def thief() -> AsyncIterator[Attacker]:
    """Another host of theirs, which nobody may call."""
    async with listening(nobody) as attacker:
        yield attacker
    assert attacker.heard == []


async def found(connector: Connector) -> None:
    async for _ in connector.locate(SUBJECT):
        pass


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
async def test_no_redirect_is_followed(thief: Attacker, system: str, status: int) -> None:
    answer = saying(b"{}", status=f"{status} Elsewhere", location=f"{thief.url}/{WORD}")
    async with listening(answer) as attacker, connected(system, attacker.url) as connector:
        await complaint(connector.check())
        assert len(attacker.heard) <= 2, "a redirect is followed nowhere, not even back here"
        await complaint(found(connector))


def refused(code: str, region: str) -> bytes:
    """S3's error that sends a client to another region, or to another endpoint."""
    return (
        f"<Error><Code>{code}</Code><Message>{WORD}</Message><Region>{region}</Region>"
        f"<Endpoint>{region}</Endpoint><Bucket>files</Bucket></Error>"
    ).encode()


@pytest.mark.parametrize("code", ["PermanentRedirect", "AuthorizationHeaderMalformed"])
@pytest.mark.parametrize("where", ["{host}", "eu-west-1", "a.b", "a@{host}#", "{host}/?"])
async def test_s3_leads_nowhere_else(thief: Attacker, code: str, where: str) -> None:
    """boto3 asks again in the region that an error names; with a setting, at the same address."""
    region = where.format(host=thief.url.removeprefix("http://"))
    answer = saying(
        refused(code, region), status="301 Moved Permanently", x_amz_bucket_region=region
    )
    async with listening(answer) as attacker, connected("aws", attacker.url) as connector:
        await complaint(connector.check())
        assert len(attacker.heard) <= 2


async def test_no_variable_of_boto3s_leads_its_credentials_elsewhere(
    thief: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, thief.url)
    s3 = S3("", "eu-central-1", "k", SECRET, Ceilings())
    assert s3._client.meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"
    await s3.close()


def in_turn(*routes: tuple[str, object]) -> Script:
    """JSON by what a request's first line begins with."""

    async def script(head: str, writer: asyncio.StreamWriter) -> None:
        said = next(answer for route, answer in routes if head.startswith(route))
        await saying(json.dumps(said).encode(), connection="close")(head, writer)

    return script


LOGIN = "POST /services/oauth2/token "
EMPTY = {"records": [], "done": True}
TOKEN = "00Dtoken"


@pytest.mark.parametrize(
    "instance",
    [
        "{thief}",
        "{thief}/{here}",
        "http://{here}@{thief_host}",
        "{thief}#{here}",
        "{thief}?{here}",
        "{thief}\\@{here}",
        "http://{here}\\@{thief_host}",
        "http://127.0.0.2:1",
        "http://localhost:1",
        "https://acme.my.salesforce.com",
        "https://salesforce.com.evil.example",
        "//{thief_host}",
        "",
        "http://[",
        WORD,
    ],
)
async def test_a_login_does_not_lead_the_token_to_another_host(
    thief: Attacker, instance: str
) -> None:
    """They answer a login: here is your token, and there is your org."""
    answer: dict[str, str] = {"access_token": TOKEN}
    async with listening(in_turn((LOGIN, answer), ("GET ", EMPTY))) as attacker:
        hosts = {"thief": thief.url, "thief_host": thief.url[7:], "here": attacker.url[7:]}
        answer["instance_url"] = instance.format_map(hosts)
        async with connected("salesforce", attacker.url) as connector:
            error = await complaint(connector.check())
        assert [head.split("?")[0] for head in attacker.heard] == [attacker.heard[0]]
    assert "instance_url is not of the login's own domain" in str(error)


async def test_nor_does_a_later_login(thief: Attacker) -> None:
    """The first one was sound; the session ends, and the next one is theirs."""
    answer = {"access_token": TOKEN}

    async def script(head: str, writer: asyncio.StreamWriter) -> None:
        if head.startswith(LOGIN):
            await saying(json.dumps(answer).encode(), connection="close")(head, writer)
            answer["instance_url"] = thief.url
        else:
            await saying(b"[]", status="401 Unauthorized", connection="close")(head, writer)

    async with listening(script) as attacker:
        answer["instance_url"] = attacker.url
        async with connected("salesforce", attacker.url) as connector:
            error = await complaint(connector.check())
    assert "instance_url is not of the login's own domain" in str(error)


@pytest.mark.parametrize("token", [f"a\r\nX-Injected: {WORD}", "a\nb", "\u00e4", "a\x00b"])
async def test_a_token_adds_no_header(token: str) -> None:
    answer = {"access_token": token}
    async with listening(in_turn((LOGIN, answer), ("GET ", EMPTY))) as attacker:
        answer["instance_url"] = attacker.url
        async with connected("salesforce", attacker.url) as connector:
            await complaint(connector.check())
        assert len(attacker.heard) == 1


PAGES = ["{thief}/v3/next?page=next", "//{thief_host}/x", "http://[", "\\\\{thief_host}", "", "."]


@pytest.mark.parametrize("page", PAGES)
async def test_no_next_page_of_salesforces_is_asked_elsewhere(thief: Attacker, page: str) -> None:
    answer = {"access_token": TOKEN}
    more = {"records": [], "done": False, "nextRecordsUrl": page}
    more["nextRecordsUrl"] = page.format(thief=thief.url, thief_host=thief.url[7:])
    async with listening(in_turn((LOGIN, answer), ("GET ", more))) as attacker:
        answer["instance_url"] = attacker.url
        async with connected("salesforce", attacker.url) as connector:
            await complaint(connector.check())


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("of", ["lists", "events"])
async def test_no_next_page_of_mailguns_is_asked_elsewhere(
    thief: Attacker, of: str, page: str
) -> None:
    following = page.format(thief=thief.url, thief_host=thief.url[7:])
    row = {"id": "1", "address": "list@example.org", "recipient": "subject@example.org"}
    one = {"items": [row]}
    more: object = one | {"paging": {"next": following}}
    none: object = {"items": []}
    domains = {"items": [{"name": "example.org"}]}
    routes = (
        ("GET /v3/lists/pages", more if of == "lists" else none),
        ("GET /v4/domains?limit=1000&skip=0", domains),
        ("GET /v4/domains", none),
        ("GET /v3/example.org/events", more),
    )

    async def script(head: str, writer: asyncio.StreamWriter) -> None:
        if head.startswith(tuple(route for route, _ in routes)):
            await in_turn(*routes)(head, writer)
        else:
            await saying(b"{}", status="404 Not Found", connection="close")(head, writer)

    async with listening(script) as attacker, connected("mailgun", attacker.url) as connector:
        await complaint(exported(connector))


async def exported(connector: Connector) -> None:
    """All that is found, and what hangs on it."""
    holdings = [it async for page in connector.locate(SUBJECT) for it in page.holdings]
    for holding in holdings:
        async for _ in connector.export(holding):
            pass


async def test_no_link_of_freshdesks_is_followed(thief: Attacker) -> None:
    link = f'<{thief.url}/api/v2/contacts?page=2>; rel="next"'
    async with (
        listening(saying(b"[]", link=link, connection="close")) as attacker,
        connected("freshdesk", attacker.url) as connector,
    ):
        await complaint(found(connector))
        assert len(attacker.heard) > 1
