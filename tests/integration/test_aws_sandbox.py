"""The S3 sandbox has S3's quirks, boto3 drives it, and the connector minds them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import boto3  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

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
FILE = {"Bucket": "files", "Key": "uploads/ann@example.org/cv.txt"}
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
    given = {"HABEAS_AWS_REGION": "eu-central-1", "HABEAS_AWS_PREFIXES": prefixes}
    with pytest.raises(registry.SettingsError, match="HABEAS_AWS_PREFIXES"):
        registry.build(Aws, given)


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


@pytest.mark.parametrize("value", ["", " ", ".", "..", "\ud800", "a" * 1100])
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
    assert [len(it) for it in (check, locate, erase, again)] == [6, 4, 2, 1]
    assert {it.route for it in (*check, *locate, *erase)} == {
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


async def test_a_file_in_an_archive_is_found_and_erased_and_not_copied(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    sandbox.plant("object", {**CV, "StorageClass": "DEEP_ARCHIVE"})
    held = (await look(aws, ANN)).holdings
    assert (await look(aws, Subject(()), held)).holdings == held
    with pytest.raises(TerminalError) as caught:
        await exported(aws, held)
    assert caught.value.reason == "archived"
    assert await aws.erase(held[0]) == Erased()


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
