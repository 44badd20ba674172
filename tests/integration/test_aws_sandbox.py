"""The S3 sandbox has S3's quirks, boto3 drives it, and the connector minds them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import boto3  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.aws import Aws, AwsSandbox, client
from connectors.aws.places import Place, Template
from connectors.sdk import registry
from connectors.sdk.calls import witnessed
from connectors.sdk.conformance import exported, look
from connectors.sdk.interface import (
    Erased,
    Failed,
    Holding,
    Identifier,
    RetryableError,
    Subject,
    TerminalError,
)
from connectors.sdk.sandbox import Fault

ANN = Subject((Identifier("email", "Ann@Example.org"), Identifier("user_id", "U1")))
FOLDER = "uploads/ann@example.org/"
FILE = {"Bucket": "files", "Key": f"{FOLDER}cv.txt"}
CV = {**FILE, "Body": "cv"}


@pytest.fixture
async def sandbox() -> AsyncIterator[AwsSandbox]:
    async with AwsSandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def aws(sandbox: AwsSandbox) -> AsyncIterator[Aws]:
    made = registry.build(Aws, sandbox.environ())
    assert isinstance(made, Aws)
    async with made:
        yield made


@contextmanager
def boto(sandbox: AwsSandbox) -> Iterator[Any]:
    """boto3's own client of the sandbox."""
    s3 = boto3.client(
        "s3",
        endpoint_url=sandbox.url,
        region_name="eu-central-1",
        aws_access_key_id=sandbox.key,
        aws_secret_access_key="any",
    )
    try:
        yield s3
    finally:
        s3.close()


async def do(sandbox: AwsSandbox, operation: str, **given: Any) -> Any:
    """Ask the sandbox by boto3."""
    with boto(sandbox) as s3:
        return await asyncio.to_thread(getattr(s3, operation), **given)


# Settings.


@pytest.mark.parametrize(
    "prefixes",
    [
        "",
        "files",
        "files/",
        "files/uploads/",
        "files/uploads/{email}",
        "files/{email}/{user_id}/",
        "{email}/uploads/",
        "/{email}/",
        "files/{}/",
        "files/{email/",
    ],
)
def test_a_prefix_ends_with_a_slash_and_holds_one_identifier(prefixes: str) -> None:
    environ = {"HABEAS_AWS_REGION": "eu-central-1", "HABEAS_AWS_PREFIXES": prefixes}
    with pytest.raises(registry.SettingsError, match="HABEAS_AWS_PREFIXES"):
        registry.build(Aws, environ)


def test_credentials_that_lie_around_go_to_aws_only() -> None:
    settings = Aws.Settings(region="a", prefixes=("files/{email}/",), url="http://127.0.0.1:1")
    with pytest.raises(registry.SettingsError, match="HABEAS_AWS_ACCESS_KEY_ID"):
        Aws(settings)


def test_no_setting_shows_the_secret() -> None:
    settings = Aws.Settings(region="a", prefixes=(), access_key_id="k", secret_access_key="s3cret")
    assert "s3cret" not in repr(settings)


def test_two_identifiers_never_share_a_folder() -> None:
    template = Template.read("files/uploads/{email}/")
    values = ("a/b", "a%2Fb", "a%252Fb", "a%b", "a%25b", "ab", "a/b/", "a//b", "A/b")
    prefixes = {template.prefix(it) for it in values}
    assert len(prefixes) == len(values)
    assert all(it is not None and it.count("/") == 2 for it in prefixes)


def test_two_kinds_of_identifiers_in_one_place_are_refused() -> None:
    """Whose a folder is could not be told."""
    prefixes = "files/{email}/,files/{user_id}/"
    environ = {"HABEAS_AWS_REGION": "eu-central-1", "HABEAS_AWS_PREFIXES": prefixes}
    with pytest.raises(registry.SettingsError, match="same place"):
        registry.build(Aws, environ)


TEMPLATES = (
    "files/{user_id}/",
    "files/up/{user_id}/",
    "files/u-{user_id}-files/",
    "files/{user_id}/x/",
)
NAMES = st.text(st.sampled_from("ab./%25F-ü@ \u0308\x01") | st.characters(), max_size=12)


@given(text=st.sampled_from(TEMPLATES), one=NAMES, other=NAMES)
@example(text=TEMPLATES[2], one="a", other="a-files")
@example(text=TEMPLATES[0], one="..", other="../a")
@example(text=TEMPLATES[0], one="a", other="a/b")
def test_no_identifier_reaches_into_anothers_folder(text: str, one: str, other: str) -> None:
    """Whatever it is made of; and a key says again whose folder it is in."""
    template = Template.read(text)
    prefix, another = template.prefix(one), template.prefix(other)
    if prefix is None:
        return
    assert template.value(f"{prefix}any/file") == one
    if another is not None and one != other:
        assert not another.startswith(prefix)
        assert template.value(f"{another}any/file") == other


@pytest.mark.parametrize("value", ["", " ", ".", "..", "\ud800", "a\x01", "a" * 1100])
def test_no_key_begins_with_what_is_no_name(value: str) -> None:
    assert Template.read("files/{user_id}/").prefix(value) is None


@pytest.mark.parametrize(
    "id_",
    ["", "files", "files/a", "files/a?versionId=", "files/?versionId=1", "files/a?uploadId=1"],
)
async def test_nothing_is_deleted_without_the_id_of_a_version(aws: Aws, id_: str) -> None:
    with pytest.raises(TerminalError), witnessed() as calls:
        await aws.erase(Holding("object", id_))
    assert calls == []


# What is found.


async def test_an_address_is_looked_up_in_lower_case_too_and_a_user_id_is_not(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    for key in ("uploads/ann@example.org/a", "uploads/Ann@Example.org/b", "exports/U1/c"):
        sandbox.plant("object", {"Bucket": "files", "Key": key})
    sandbox.plant("object", {"Bucket": "files", "Key": "exports/u1/somebody-else"})
    keys = {Place.of(it).key.rpartition("/")[2] for it in (await look(aws, ANN)).holdings}
    assert keys == {"a", "b", "c"}


def borne(holding: Holding) -> list[tuple[str, str, str]]:
    return [(it.field, it.kind, it.value) for it in holding.bears]


async def test_what_is_found_bears_the_identifier_in_its_prefix(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    """As it stands in the key, without what stands there for `/` and `%`."""
    odd = Identifier("email", "ann/50%@example.org")
    for key in ("uploads/Ann@Example.org/a/b", "exports/U1/c", "uploads/ann%2F50%25@example.org/d"):
        for kind in ("object", "upload", "delete_marker"):
            sandbox.plant(kind, {"Bucket": "files", "Key": key})
    held = (await look(aws, Subject((*ANN.identifiers, odd)))).holdings
    told = {(it.kind, Place.of(it).key[-1]): borne(it) for it in held}
    assert told == {
        (kind, end): [("prefix", *whose)]
        for kind in ("object", "upload", "delete_marker")
        for end, whose in {
            "b": ("email", "Ann@Example.org"),
            "c": ("user_id", "U1"),
            "d": ("email", odd.value),
        }.items()
    }
    again = (await look(aws, Subject(()), held)).holdings
    assert {it: it.bears for it in again} == {it: it.bears for it in held}


async def test_a_file_outside_every_folder_is_nobodys(sandbox: AwsSandbox, aws: Aws) -> None:
    """Known from a time when the prefixes were others."""
    sandbox.store.bucket("files")["Versioning"] = ""
    known = []
    for key in ("old/ann@example.org/a", "uploads/a", "uploads/50%/a"):
        sandbox.plant("object", {"Bucket": "files", "Key": key})
        known.append(Holding("object", Place("files", key, "null").handle("object")))
    seen = (await look(aws, Subject(()), known)).holdings
    assert [it.bears for it in seen] == [(), (), ()]


async def test_only_what_a_folder_can_be_called_by_is_usable(aws: Aws) -> None:
    useful = (Identifier("email", "ann@example.org"), Identifier("user_id", "u1"))
    useless = (
        *(
            Identifier(kind, it)
            for kind in ("email", "user_id")
            for it in ("", " ", "..", "a" * 1100, "a\x01")
        ),
        Identifier("phone", "+49301"),
        Identifier("email", "bob@example.org", strong=False),
    )
    assert aws.usable(Subject((*useful, *useless))) == useful
    with witnessed() as calls:
        assert (await look(aws, Subject(useless))).holdings == []
    assert calls == []


async def test_a_gateway_that_ignores_the_prefix_finds_no_stranger(
    sandbox: AwsSandbox, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.plant("object", FILE)
    sandbox.plant("object", {"Bucket": "files", "Key": "uploads/bob@example.org/cv.txt"})
    send = aws._s3._send
    monkeypatch.setattr(aws._s3, "_send", lambda op, given: send(op, {**given, "Prefix": ""}))
    assert len((await look(aws, ANN)).holdings) == 1


async def test_what_a_person_costs(sandbox: AwsSandbox, aws: Aws) -> None:
    sandbox.plant("object", CV)
    with witnessed() as check:
        await aws.check()
    ann = Subject((Identifier("email", "ann@example.org"), Identifier("user_id", "u1")))
    with witnessed() as locate:
        (held,) = (await look(aws, ann)).holdings
    with witnessed() as erase:
        await aws.erase(held)
    with witnessed() as again:
        await look(aws, Subject(()), [held])
    assert [len(it) for it in (check, locate, erase, again)] == [8, 4, 2, 1]
    assert {it.route for it in (*check, *locate, *erase)} == {
        "/{bucket}/{key}?tagging",
        "/{bucket}?versions",
        "/{bucket}?uploads",
        "/{bucket}?delete",
        "/{bucket}/{key}",
    }
    assert all(it.status and it.request_id for it in (*check, *locate, *erase))


async def test_a_null_version_that_became_a_marker_is_gone_and_the_marker_is_found(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    sandbox.store.bucket("files")["Versioning"] = "Suspended"
    sandbox.plant("object", FILE)
    held = (await look(aws, ANN)).holdings
    await do(sandbox, "delete_object", **FILE)
    seen = await look(aws, ANN, held)
    assert (seen.gone, [it.kind for it in seen.holdings]) == (held, ["delete_marker"])
    assert await aws.erase(seen.holdings[0]) == Erased()
    assert sandbox.state() == {}


async def test_a_marker_goes_only_when_what_it_hides_has_gone(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    sandbox.plant("object", FILE)
    sandbox.plant("delete_marker", FILE)
    old, marker = sorted((await look(aws, ANN)).holdings, key=lambda it: it.kind, reverse=True)
    assert await aws.erase(marker) == Failed("hides")
    assert (await aws.erase(old), await aws.erase(marker)) == (Erased(), Erased())


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"StorageClass": "DEEP_ARCHIVE"}, "archived"),
        ({"CustomerKey": "its owner's"}, "encrypted"),
        ({"Key": f"{FOLDER}refused"}, "unreadable"),
    ],
    ids=["archived", "encrypted", "unreadable"],
)
async def test_a_file_that_s3_does_not_hand_out_is_said_to_be_missing_and_can_go(
    sandbox: AwsSandbox, aws: Aws, how: dict[str, str], code: str
) -> None:
    """By its name, with all that S3 says of it beside its content."""
    sandbox.plant("object", {**CV, "Tags": {"made": "by-hand"}, **how})
    for method in ("GET", "HEAD"):
        sandbox.faults.append(Fault(method=method, route="/refused$", status=403, times=None))
    held = (await look(aws, ANN)).holdings
    assert (await look(aws, Subject(()), held)).holdings == held
    said, file = await exported(aws, held)
    about = json.loads(said.body)
    assert (about["Size"], said.name, said.missing) == (2, "", "")
    assert (about.get("Tags") == {"made": "by-hand"}) is (code != "unreadable")
    name = how.get("Key", CV["Key"]).rpartition("/")[2]
    assert (file.name, file.missing, file.body) == (name, code, b"")
    assert code in aws.capabilities.reasons
    assert await aws.erase(held[0]) == Erased()
    assert (await look(aws, Subject(()), held)).gone == held


async def test_all_that_is_said_of_a_file_is_told_whether_we_know_it_or_not(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    metadata = {"author": "Ann", "x-odd": "a note"}
    sandbox.plant(
        "object",
        {
            **CV,
            "Metadata": metadata,
            "Tags": {"for": "Ann"},
            "ContentDisposition": 'attachment; filename="Ann.pdf"',
            "ContentLanguage": "de",
        },
    )
    said, _ = await exported(aws, (await look(aws, ANN)).holdings)
    told = json.loads(said.body)
    assert (told["Metadata"], told["Tags"]) == (metadata, {"for": "Ann"})
    assert told["ContentDisposition"] == 'attachment; filename="Ann.pdf"'
    assert (told["ContentLanguage"], told["ServerSideEncryption"]) == ("de", "AES256")


async def test_metadata_that_no_header_can_say_is_missing_from_a_file_that_is_not(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    sandbox.plant("object", {**CV, "MissingMeta": 2})
    _, lacking, file = await exported(aws, (await look(aws, ANN)).holdings)
    assert (lacking.name, lacking.missing, lacking.body) == ("cv.txt", "metadata", b"")
    assert (file.body, file.missing) == (b"cv", "")
    assert lacking.missing in aws.capabilities.reasons


@pytest.mark.parametrize("size", [0, 1, 4, 5, 8, 9])
async def test_a_file_comes_whole_under_its_own_name(
    sandbox: AwsSandbox, aws: Aws, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("connectors.aws.connector.PIECE", 4)
    monkeypatch.setattr("connectors.aws.files.PIECE", 4)
    body = "abcdefghij"[:size]
    sandbox.plant("object", {**CV, "Body": body, "ContentType": "text/plain"})
    said, *pieces = await exported(aws, (await look(aws, ANN)).holdings)
    assert b"".join(it.body for it in pieces).decode() == body
    assert [it.more for it in pieces] == [True] * (len(pieces) - 1) + [False]
    assert {(it.name, it.content_type) for it in pieces} == {("cv.txt", "text/plain")}
    assert (said.name, said.content_type) == ("", "application/json")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a/b.txt", "b.txt"),
        ("folder/", "folder"),
        ("/", "ann@example.org"),
        ("..", ".."),
        ("../x", "x"),
        ("./", "."),
        ("a\x01b\n", "a\x01b\n"),
        (" ", " "),
        ("+ %2F", "+ %2F"),
        ("ü" * 500, "ü" * 500),
    ],
)
async def test_whatever_a_key_is_made_of_its_file_comes_and_goes(
    sandbox: AwsSandbox, aws: Aws, key: str, name: str
) -> None:
    """In lists of one thing a page, so that each name is also one that a list goes on behind."""
    sandbox.buckets.largest_page = 1
    whole = f"{FOLDER}{key}"
    assert len(whole.encode()) <= 1024
    for kind in ("object", "upload", "object"):
        sandbox.plant(kind, {"Bucket": "files", "Key": whole, "Body": "content"})
    sandbox.plant("upload", {"Bucket": "files", "Key": f"{whole}z"})
    held = (await look(aws, ANN)).holdings
    assert [Place.of(it).key for it in held] == [whole, f"{whole}z", whole, whole]
    assert (await look(aws, Subject(()), held)).holdings == held
    files = [it for it in await exported(aws, held) if it.name]
    assert [(it.name, it.body) for it in files] == [(name, b"content")] * 2
    assert {await aws.erase(it) for it in held} == {Erased()}
    assert sandbox.state() == {}


async def test_what_a_list_passes_over_while_it_shifts_is_found_all_the_same(
    sandbox: AwsSandbox, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page goes on behind a version; that has gone, and with it S3 loses its place."""
    sandbox.buckets.largest_page = 2
    for body in ("1", "2", "3", "4"):
        sandbox.plant("object", {**CV, "Body": body})
    turned, send = 0, aws._s3._send

    def sent(operation: str, given: Any) -> Any:
        nonlocal turned
        if "VersionIdMarker" in given and not turned:
            turned = 1
            sandbox.store.remove(FILE["Bucket"], FILE["Key"], given["VersionIdMarker"])
        return send(operation, given)

    monkeypatch.setattr(aws._s3, "_send", sent)
    held = (await look(aws, ANN)).holdings
    left = {it["VersionId"] for it in sandbox.state().values()}
    assert (turned, len(left)) == (1, 3)
    assert {Place.of(it).mark for it in held} >= left


async def test_a_list_that_never_stands_still_is_asked_for_later(
    sandbox: AwsSandbox, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.buckets.largest_page = 1
    sandbox.plant("object", CV)
    send = aws._s3._send

    def sent(operation: str, given: Any) -> Any:
        sandbox.plant("object", CV)
        return send(operation, {**given, "MaxKeys": 1} if "versions" in operation else given)

    monkeypatch.setattr(aws._s3, "_send", sent)
    with pytest.raises(RetryableError):
        await look(aws, ANN)


async def test_what_is_written_over_while_it_is_read_is_read_again(
    sandbox: AwsSandbox, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.aws.connector.PIECE", 4)
    monkeypatch.setattr("connectors.aws.files.PIECE", 4)
    sandbox.store.bucket("files")["Versioning"] = ""
    sandbox.plant("object", {**FILE, "Body": "old content"})
    (held,) = (await look(aws, ANN)).holdings
    records = aws.export(held)
    assert [len((await anext(records)).body) for _ in range(2)][1] == 4
    sandbox.plant("object", {**FILE, "Body": "new content"})
    with pytest.raises(RetryableError):
        await anext(records)


async def test_a_name_that_xml_cannot_say_is_deleted_by_its_address(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    sandbox.plant("object", {**FILE, "Key": "uploads/ann@example.org/\x01"})
    (held,) = (await look(aws, ANN)).holdings
    assert await aws.erase(held) == Erased()
    assert sandbox.state() == {}


# Errors.


async def test_an_error_for_a_key_that_may_pass_is_retryable(
    sandbox: AwsSandbox, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.plant("object", FILE)
    (held,) = (await look(aws, ANN)).holdings
    send = aws._s3._send

    def sent(operation: str, given: Any) -> Any:
        said = send(operation, given)
        if operation == "delete_objects":
            said = {**said, "Deleted": [], "Errors": [{"Key": "k", "Code": "InternalError"}]}
        return said

    monkeypatch.setattr(aws._s3, "_send", sent)
    with pytest.raises(RetryableError):
        await aws.erase(held)


async def test_a_server_that_never_answers_is_retryable(
    sandbox: AwsSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "READ", 0.2)
    sandbox.faults.append(Fault(mode="hang", seconds=2, times=None))
    async with registry.build(Aws, sandbox.environ()) as aws:
        with witnessed() as calls, pytest.raises(RetryableError):
            await aws.check()
    assert [it.status for it in calls] == [None]


async def test_a_page_that_says_404_is_no_absence(
    sandbox: AwsSandbox, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.plant("object", FILE)
    held = (await look(aws, ANN)).holdings
    page = aiohttp.web.Response(text="<html>", status=404, content_type="text/html")
    monkeypatch.setattr(sandbox, "refusal", lambda _: page)
    sandbox.faults.append(Fault(status=404, times=1))
    with pytest.raises(RetryableError):
        await look(aws, Subject(()), held)


FAR, NO_TIME = "9999-12-31T23:59:59-23:59", ("", "1e400", "0001-01-01T00:00:00+23:59")
LOCK_UNTIL = "x-amz-object-lock-retain-until-date"
ODD = [
    *[(it, "never") for it in ("<LastModified>", "<Initiated>", "Last-Modified", LOCK_UNTIL)],
    *[("<LastModified>", it) for it in NO_TIME],
    *[(LOCK_UNTIL, it) for it in (*NO_TIME, FAR, "2031-03-01T00:00:00")],
    *[(f"<{name}>", "large") for name in ("Size", "PartNumber", "IsTruncated")],
    *[("Content-Range", it) for it in ("", "bytes 0-1/2.5", f"bytes 0-1/{'9' * 5000}")],
    *[(f"<{name}>", "") for name in ("Key", "VersionId", "UploadId", "IsLatest", "ETag")],
    *[(it, "many") for it in ("x-amz-tagging-count", "x-amz-missing-meta")],
    ("ETag", ""),
    ("x-amz-meta-author", "\udcff"),
]
"""An element of an answer or one of its headers, and what stands in it."""


@pytest.mark.parametrize(("where", "odd"), ODD, ids=range(len(ODD)))
async def test_nothing_in_an_answer_raises_anything_but_the_two_errors(
    sandbox: AwsSandbox, aws: Aws, monkeypatch: pytest.MonkeyPatch, where: str, odd: str
) -> None:
    lock = {"Mode": "GOVERNANCE", "RetainUntil": "2031-03-01T00:00:00Z"}
    metadata = {"Tags": {"a": "b"}, "Metadata": {"author": "Ann"}, "MissingMeta": 1}
    for kind, more in (("object", {**metadata, **lock}), ("delete_marker", {}), ("upload", {})):
        sandbox.plant(kind, {**CV, "Parts": ["half"], **more})
    held = (await look(aws, ANN)).holdings
    answer, element = sandbox._answer, re.escape(where)

    async def spoilt(*asked: Any) -> Any:
        response = await answer(*asked)
        assert isinstance(response, aiohttp.web.Response)
        if where in response.headers:
            response.headers[where] = odd
        elif where.startswith("<") and "xml" in response.content_type:
            response.text = re.sub(f"{element}[^<]*", where + odd, response.text or "")
        return response

    monkeypatch.setattr(sandbox, "_answer", spoilt)
    for operation in (
        aws.check(),
        look(aws, ANN),
        *(look(aws, Subject(()), [it]) for it in held),
        *(exported(aws, [it]) for it in held),
        *(aws.erase(it) for it in held),
    ):
        with suppress(RetryableError, TerminalError):
            await operation


@pytest.mark.parametrize("at", ["1601-01-01T00:00:00+00:00", "1979-12-31T23:59:58+00:00"])
async def test_a_file_is_as_old_as_s3_says(sandbox: AwsSandbox, aws: Aws, at: str) -> None:
    for kind in ("object", "delete_marker"):
        sandbox.plant(kind, {**CV, "LastModified": at.replace("+00:00", "Z")})
    records = await exported(aws, (await look(aws, ANN)).holdings)
    told = [json.loads(it.body)["LastModified"] for it in records if not it.name]
    assert told == [at, at]


# The sandbox, by itself.


async def test_boto3_turns_every_page_of_it(sandbox: AwsSandbox) -> None:
    sandbox.buckets.largest_page = 7
    keys = [f"uploads/{n % 10}/x" for n in range(30)]
    for key in keys:
        sandbox.plant("object", {"Bucket": "files", "Key": key})
        sandbox.plant("upload", {"Bucket": "files", "Key": key})

    def turned(operation: str, name: str) -> list[str]:
        with boto(sandbox) as s3:
            pages = list(s3.get_paginator(operation).paginate(Bucket="files"))
        assert len(pages) == 5
        return [it["Key"] for page in pages for it in page[name]]

    assert await asyncio.to_thread(turned, "list_object_versions", "Versions") == sorted(keys)
    assert await asyncio.to_thread(turned, "list_multipart_uploads", "Uploads") == sorted(keys)


async def test_a_version_that_is_locked_is_refused_key_by_key(sandbox: AwsSandbox) -> None:
    await do(sandbox, "create_bucket", Bucket="locked", ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    kept = await do(sandbox, "put_object", Bucket="locked", Key="kept", Body=b"1", **lock)
    free = await do(sandbox, "put_object", Bucket="locked", Key="free", Body=b"1")
    both = [
        {"Key": "kept", "VersionId": kept["VersionId"]},
        {"Key": "free", "VersionId": free["VersionId"]},
        {"Key": "never", "VersionId": "there"},
    ]
    said = await do(sandbox, "delete_objects", Bucket="locked", Delete={"Objects": both})
    assert [it["Key"] for it in said["Deleted"]] == ["free", "never"]
    assert [(it["Key"], it["Code"]) for it in said["Errors"]] == [("kept", "AccessDenied")]
    told = await do(sandbox, "get_object_retention", Bucket="locked", **both[0])
    assert told["Retention"] == {"Mode": "COMPLIANCE", "RetainUntilDate": until}
    retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until - timedelta(hours=1)}
    with pytest.raises(ClientError, match="AccessDenied"):
        await do(sandbox, "put_object_retention", Bucket="locked", Retention=retention, **both[0])


async def test_it_refuses_what_s3_refuses(sandbox: AwsSandbox) -> None:
    many = [{"Key": f"{n}", "VersionId": "null"} for n in range(1001)]
    with pytest.raises(ClientError, match="MalformedXML"):
        await do(sandbox, "delete_objects", Bucket="files", Delete={"Objects": many})
    with pytest.raises(ClientError, match="NoSuchBucket"):
        await do(sandbox, "list_object_versions", Bucket="nowhere")
    with pytest.raises(ClientError, match="InvalidRequest"):
        await do(sandbox, "get_object_legal_hold", **FILE)
    with pytest.raises(ClientError, match="NotImplemented"):
        await do(sandbox, "get_bucket_policy", Bucket="files")


async def test_others_seed_it_and_see_what_became_of_it(sandbox: AwsSandbox, aws: Aws) -> None:
    rows = [
        {"kind": "object", **FILE, "Body": "Grüße"},
        {"kind": "delete_marker", **FILE},
        {"kind": "upload", **FILE, "Parts": ["half"]},
    ]
    async with aiohttp.ClientSession(sandbox.url) as http:
        async with http.post("/_sandbox/seed", json=rows) as answer:
            keys = (await answer.json())["keys"]
        held = (await look(aws, ANN)).holdings
        for it in sorted(held, key=lambda it: list(aws.capabilities.kinds).index(it.kind)):
            assert await aws.erase(it) == Erased()
        async with http.get("/_sandbox/ledger") as answer:
            done = (await answer.json())["mutations"]
        async with http.get("/_sandbox/state") as answer:
            assert await answer.json() == {}
    assert sorted(it["key"] for it in done) == sorted(keys)


async def test_one_file_that_cannot_be_read_does_not_stop_the_others(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    """The key that it was encrypted with is gone: its list still tells, and it can be deleted."""
    for name in ("locked-out.txt", "plain.txt"):
        at = {"Bucket": "files", "Key": f"uploads/ann@example.org/{name}", "Body": "a"}
        sandbox.plant("object", at)
    fault = Fault(status=403, method="GET", route="/locked-out.txt$", times=None)
    subject = Subject((Identifier("email", "ann@example.org"),))
    held = [one async for page in aws.locate(subject) for one in page.holdings]
    sandbox.faults += [fault, Fault(status=403, method="HEAD", route=fault.route, times=None)]
    again = [one async for page in aws.locate(Subject(()), held) for one in page.holdings]
    assert set(again) == set(held)
    assert [await aws.erase(one) for one in held] == [Erased(), Erased()]
    assert [one async for page in aws.locate(subject, held) for one in page.gone] == held


async def test_a_marker_that_hides_nothing_goes(sandbox: AwsSandbox, aws: Aws) -> None:
    at = {"Bucket": "files", "Key": "uploads/ann@example.org/a.txt"}
    for kind, more in (("delete_marker", {}), ("object", {"Body": "a newer one"})):
        sandbox.plant(kind, at | more)
    subject = Subject((Identifier("email", "ann@example.org"),))
    held = {one.kind: one async for page in aws.locate(subject) for one in page.holdings}
    assert await aws.erase(held["delete_marker"]) == Erased()
    assert await aws.erase(held["delete_marker"]) == Erased()
    assert [one.kind async for page in aws.locate(subject) for one in page.holdings] == ["object"]


async def test_what_was_in_a_bucket_that_is_gone_is_gone(aws: Aws) -> None:
    lost = Holding("object", "formerly/uploads/a.txt?versionId=1")
    pages = [page async for page in aws.locate(Subject(()), [lost])]
    assert [one for page in pages for one in page.gone] == [lost]
