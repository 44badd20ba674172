"""What S3 has for restricting: a tag, which the sandbox takes as S3 would, and counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from connectors.aws import Aws, AwsSandbox
from connectors.sdk import registry
from connectors.sdk.interface import (
    MARKETING,
    NOT_OFFERED,
    Datum,
    Failed,
    Holding,
    Identifier,
    NotSupported,
    Restricted,
    RetryableError,
    Right,
    Standing,
    Subject,
    TerminalError,
)
from connectors.sdk.sandbox import Fault

ANN = Subject((Identifier("email", "ann@example.org"),))
FILE = {"Bucket": "files", "Key": "uploads/ann@example.org/cv.txt"}
TEN = {f"tag {n}": "x" for n in range(10)}


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


async def held(aws: Aws) -> list[Holding]:
    return [it async for page in aws.locate(ANN) for it in page.holdings]


async def do(sandbox: AwsSandbox, operation: str, **given: Any) -> Any:
    """Ask the sandbox by boto3."""
    s3 = boto3.client(
        "s3",
        endpoint_url=sandbox.url,
        region_name="eu-central-1",
        aws_access_key_id=sandbox.key,
        aws_secret_access_key="any",
    )
    try:
        return await asyncio.to_thread(getattr(s3, operation), **given)
    finally:
        s3.close()


async def test_ten_tags_leave_no_room_and_nine_do(sandbox: AwsSandbox, aws: Aws) -> None:
    nine = dict(list(TEN.items())[:9])
    sandbox.plant("object", {**FILE, "Tags": TEN})
    sandbox.plant("object", {**FILE, "Tags": nine})
    before = deepcopy(dict(sandbox.state()))
    newer, older = await held(aws)
    assert await aws.restrict(older) == NotSupported("tags_full")
    assert await aws.restrict(newer) == Restricted()
    assert [await aws.standing(it) for it in (newer, older)] == [
        Standing(restricted=True),
        Standing(restricted=False),
    ]
    assert await aws.restrict(older, lift=True) == await aws.restrict(newer, lift=True)
    assert sandbox.state() == before


async def test_what_it_costs(sandbox: AwsSandbox, aws: Aws) -> None:
    sandbox.plant("object", FILE)
    (file,) = await held(aws)
    sandbox.calls.clear()
    await aws.restrict(file)
    await aws.standing(file)
    await aws.restrict(file)
    at = "/{bucket}/{key}?tagging"
    assert sandbox.calls == {f"GET {at}": 3, f"PUT {at}": 1}


async def test_a_file_in_an_archive_is_marked_without_being_read(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    sandbox.plant("object", {**FILE, "StorageClass": "GLACIER"})
    sandbox.plant("object", {**FILE, "CustomerKey": "theirs"})
    for it in await held(aws):
        assert await aws.restrict(it) == Restricted()


async def test_a_refusal_is_an_outcome_and_an_unknown_key_is_none(
    sandbox: AwsSandbox, aws: Aws
) -> None:
    sandbox.plant("object", FILE)
    (file,) = await held(aws)
    sandbox.faults.append(Fault(status=403, method="PUT", times=None))
    assert await aws.restrict(file) == Failed("forbidden")
    sandbox.faults.append(Fault(status=503, method="GET"))
    with pytest.raises(RetryableError):
        await aws.standing(file)
    async with registry.build(Aws, sandbox.environ() | {"HABEAS_AWS_ACCESS_KEY_ID": "who"}) as it:
        for ask in (it.standing, it.restrict):
            with pytest.raises(TerminalError):
                await ask(file)


async def test_a_version_that_goes_meanwhile_is_gone(sandbox: AwsSandbox, aws: Aws) -> None:
    sandbox.plant("object", FILE)
    (file,) = await held(aws)
    sandbox.faults.append(Fault(status=404, method="PUT"))
    assert await aws.restrict(file) == Failed("not_found")


async def test_what_s3_has_no_means_for_is_said(sandbox: AwsSandbox, aws: Aws) -> None:
    sandbox.plant("object", FILE)
    (file,) = await held(aws)
    assert await aws.rectify(file, {Datum.NAME: "Anna"}) == NotSupported("written")
    assert Right.OBJECTION not in aws.capabilities.rights
    assert await aws.object_to(ANN, MARKETING) == NotSupported(NOT_OFFERED)
    assert {"written", "no_tags", "tags_full"} <= aws.capabilities.reasons.keys()


@pytest.mark.parametrize("id_", ["files/a?versionId=", "files/a", "?versionId=1", ""])
async def test_nothing_is_marked_without_the_id_of_a_version(aws: Aws, id_: str) -> None:
    for ask in (aws.standing, aws.restrict):
        with pytest.raises(TerminalError):
            await ask(Holding("object", id_))


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": f"{n}", "Value": "x"} for n in range(11)], "BadRequest"),
        ([{"Key": "a", "Value": "x"}, {"Key": "a", "Value": "y"}], "InvalidTag"),
        ([{"Key": "a" * 129, "Value": "x"}], "InvalidTag"),
        ([{"Key": "a", "Value": "x" * 257}], "InvalidTag"),
        ([{"Key": "aws:a", "Value": "x"}], "InvalidTag"),
        ([{"Key": "a", "Value": "<x>"}], "InvalidTag"),
    ],
)
async def test_the_sandbox_refuses_tags_that_s3_refuses(
    sandbox: AwsSandbox, tags: list[dict[str, str]], code: str
) -> None:
    sandbox.plant("object", {**FILE, "Tags": {"was": "there"}})
    with pytest.raises(ClientError) as refused:
        await do(sandbox, "put_object_tagging", Tagging={"TagSet": tags}, **FILE)
    assert refused.value.response["Error"]["Code"] == code
    said = await do(sandbox, "get_object_tagging", **FILE)
    assert said["TagSet"] == [{"Key": "was", "Value": "there"}]


async def test_boto3_replaces_and_removes_all_tags_of_a_version(sandbox: AwsSandbox) -> None:
    sandbox.plant("object", {**FILE, "Tags": TEN})
    new = [{"Key": "a", "Value": ""}, {"Key": "b c", "Value": "d/e"}]
    put = await do(sandbox, "put_object_tagging", Tagging={"TagSet": new}, **FILE)
    said = await do(sandbox, "get_object_tagging", **FILE)
    assert said["TagSet"] == new
    assert said["VersionId"] == put["VersionId"]
    await do(sandbox, "delete_object_tagging", **FILE)
    assert (await do(sandbox, "get_object_tagging", **FILE))["TagSet"] == []
    with pytest.raises(ClientError, match="NoSuchKey"):
        await do(sandbox, "put_object_tagging", **{**FILE, "Key": "none"}, Tagging={"TagSet": []})
