"""S3 by boto3: called in threads, as the host wants each call made, failing in two ways only.

Error codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache, partial
from http import HTTPStatus
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]
from botocore.compat import unquote_str  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  botocore's name
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

from connectors.sdk.calls import Call, call, witness
from connectors.sdk.ceilings import Ceilings
from connectors.sdk.http import UnauthorisedError, retry_after
from connectors.sdk.interface import RetryableError, TerminalError

from .bounded import BoundedSession

Row = Mapping[str, Any]

WORKERS = 8
CONNECT, READ = 5, 20
"""Seconds. A thread cannot be interrupted: it must give up by itself, before the host does."""
LAST_PAGE = 10_000
NEXT: Mapping[str, Mapping[str, str]] = {
    "list_object_versions": {
        "KeyMarker": "NextKeyMarker",
        "VersionIdMarker": "NextVersionIdMarker",
    },
    "list_multipart_uploads": {
        "KeyMarker": "NextKeyMarker",
        "UploadIdMarker": "NextUploadIdMarker",
    },
    "list_parts": {"PartNumberMarker": "NextPartNumberMarker"},
}
"""How each list goes on: what to ask with, and where the answer says it."""

QUOTED = "list_multipart_uploads"
"""The list whose names botocore neither asks to be quoted nor unquotes: XML cannot say them all."""

ABSENT = frozenset({"NoSuchKey", "NoSuchUpload", "NoSuchVersion"})
THROTTLED = frozenset({"RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException"})
LATER = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "PreconditionFailed",  # only asked for where an object must not change between two reads
        "RequestTimeout",
        "ServiceUnavailable",
        *THROTTLED,
    }
)
_LATER_STATUS = frozenset({408, 429, *range(500, 600)})
_UNAUTHORISED = frozenset(
    {
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_BROKEN = (
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    OSError,
    ResponseParserError,
)
_ODD = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What botocore lets out where an answer is not of its shape, such as a date that is none."""

# At DEBUG both write addresses and bodies, and urllib3 an address with some warnings: keys name
# people.
logging.getLogger("botocore").setLevel(logging.INFO)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


class S3Error(TerminalError):
    """S3 refused. `code` is its own word for why; never shown to anybody."""

    def __init__(self, message: str, *, reason: str, code: str) -> None:
        super().__init__(message, reason=reason)
        self.code = code


class S3:
    """One account's S3, or something that speaks it at `url`."""

    def __init__(self, url: str, region: str, key_id: str, secret: str, ceilings: Ceilings) -> None:
        """Without `key_id` boto3 looks for credentials by itself, such as a role's."""
        self._seconds = ceilings.answer_seconds
        self._client = _session().client(
            "s3",
            endpoint_url=url or None,
            region_name=region,
            aws_access_key_id=key_id or None,
            aws_secret_access_key=secret or None,
            config=Config(
                connect_timeout=CONNECT,
                read_timeout=READ,
                max_pool_connections=WORKERS,
                retries={"mode": "standard", "total_max_attempts": 1},  # the host repeats
                # Credentials go where our own settings say, whatever is in AWS_ENDPOINT_URL.
                ignore_configured_endpoint_urls=True,
                s3={"addressing_style": "path" if url else "auto"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",  # there is none of a part of a body
            ),
        )
        # Redirected, boto3 asks where the bucket lives; redirected again it asks so without an end.
        self._client.meta.events.register("before-call.s3.HeadBucket", _lives_where_told)
        # boto3 takes no session from outside.
        endpoint = self._client._endpoint  # noqa: SLF001
        endpoint.http_session = BoundedSession(endpoint.http_session, ceilings)
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="s3")

    async def ask(self, operation: str, due: str = "", /, **given: Any) -> Row | None:
        """What S3 says to one call; None if it says that there is no such key, version or upload.

        An answer without `due` is none of S3's. A body comes as bytes. Raises `RetryableError`,
        `UnauthorisedError` or `S3Error`.
        """
        return await call(partial(self._attempt, operation, due, given))

    async def pages(self, operation: str, **given: Any) -> AsyncIterator[Row]:
        """Every page of a list. None where there is no such upload."""
        following: dict[str, Any] = {}
        ways: set[tuple[Any, ...]] = set()
        if operation == QUOTED:
            given |= {"EncodingType": "url"}
        while len(ways) < LAST_PAGE and tuple(following.values()) not in ways:
            ways.add(tuple(following.values()))  # some gateways go round in circles
            page = await self.ask(operation, "IsTruncated", **given, **following)
            if page is None:
                return
            yield page
            if not page["IsTruncated"]:
                return
            told = {ask: page.get(said) for ask, said in NEXT[operation].items()}
            following = {ask: it for ask, it in told.items() if it not in (None, "")}
        raise TerminalError(f"{operation}: does not end")

    async def close(self) -> None:
        """Let go of threads and sockets; a call under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _attempt(self, operation: str, due: str, given: Mapping[str, Any]) -> Row | None:
        method, route = self._route(operation)
        loop = asyncio.get_running_loop()
        status = request_id = None
        try:
            async with asyncio.timeout(self._seconds):
                said = await loop.run_in_executor(self._threads, self._send, operation, given)
            status, request_id = _told(said)
        except _BROKEN as error:
            raise RetryableError(f"{operation}: {type(error).__name__}") from None
        except (NoCredentialsError, PartialCredentialsError) as error:
            failed = f"{operation}: {type(error).__name__}"
            raise UnauthorisedError(failed, reason="unauthorised") from None
        except (BotoCoreError, UnicodeEncodeError) as error:  # the cause quotes what was asked
            raise TerminalError(f"{operation}: {type(error).__name__}") from None
        finally:
            witness(Call(method, route, status, request_id))
        return _read(operation, due, given, said)

    def _route(self, operation: str) -> tuple[str, str]:
        """The method and the route's template, by boto3's own model."""
        meta = self._client.meta
        http = meta.service_model.operation_model(meta.method_to_api_mapping[operation]).http
        rest = http["requestUri"].removeprefix("/{Bucket}")  # boto3 takes it off at its first call
        return http["method"], f"/{{bucket}}{rest.replace('{Key+}', '{key}')}"

    def _send(self, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, an error too. In a thread."""
        try:
            said: dict[str, Any] = getattr(self._client, operation)(**given)
            if "Body" in said:
                said["Body"] = said["Body"].read()
        except ClientError as error:
            said = error.response
        except UnicodeEncodeError:
            raise
        except _ODD as error:
            raise ResponseParserError(type(error).__name__) from None
        return said


def due(row: Row, name: str) -> Any:
    """What S3 never leaves out. Raises `RetryableError` where it is not there, or empty."""
    value = row.get(name)
    if value in (None, ""):
        raise RetryableError(f"S3: an answer without {name}")
    return value


def _lives_where_told(**_: Any) -> tuple[AWSResponse, Row]:
    """An answer that names no region, and nothing is sent."""
    return AWSResponse("", HTTPStatus.OK, {}, None), {"ResponseMetadata": {"HTTPHeaders": {}}}


@cache
def _session() -> Any:
    """One for all: to read S3's model takes a quarter of a second."""
    return boto3.session.Session()


def _told(said: Row) -> tuple[int | None, str | None]:
    about = said.get("ResponseMetadata", {})
    headers = about.get("HTTPHeaders", {})
    return about.get("HTTPStatusCode"), about.get("RequestId") or headers.get("x-amzn-requestid")


def _read(operation: str, due: str, given: Mapping[str, Any], said: Row) -> Row | None:
    if "Error" in said:
        if "Key" in given and _is_absent(said):
            return None
        raise _refused(operation, said)
    # boto3 takes some gateway's page for an empty answer.
    if (due and due not in said) or (not due and _is_page(said)):
        raise RetryableError(f"{operation}: unreadable")
    if operation == QUOTED and said.get("EncodingType") == "url":
        return _unquoted(said)
    return said


def _is_page(said: Row) -> bool:
    """Whether an answer that has no body in S3's model came with one: S3 itself sends no page."""
    headers = said.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    is_empty = _told(said)[0] == HTTPStatus.NO_CONTENT or headers.get("content-length") == "0"
    return not is_empty and str(headers.get("content-type", "")).startswith("text/html")


def _unquoted(page: Row) -> Row:
    rows = [{**it, "Key": unquote_str(it.get("Key", ""))} for it in page.get("Uploads", ())]
    return {**page, "Uploads": rows, "NextKeyMarker": unquote_str(page.get("NextKeyMarker", ""))}


def _is_absent(said: Row) -> bool:
    """S3 says by name that there is no such thing, or that a delete marker is all there is."""
    is_marker = "x-amz-delete-marker" in said["ResponseMetadata"].get("HTTPHeaders", {})
    return said["Error"].get("Code") in ABSENT or (
        is_marker and _told(said)[0] == HTTPStatus.METHOD_NOT_ALLOWED
    )


def _is_nameless(code: str, status: int | None) -> bool:
    """Whether it is no word of S3's, which names what is wrong: a gateway's page, or half of one.

    A HEAD has no name for it either: it is asked only of what a GET was answered for just before.
    """
    return code.isdecimal() and (status or 0) >= HTTPStatus.BAD_REQUEST


def _refused(operation: str, said: Row) -> RetryableError | TerminalError:
    """What an error of S3 means."""
    code, (status, _) = str(said["Error"].get("Code", "")), _told(said)
    failed = f"{operation}: {status}"
    if code in _UNAUTHORISED or status == HTTPStatus.UNAUTHORIZED:
        return UnauthorisedError(failed, reason="unauthorised")
    if code in LATER or status in _LATER_STATUS or _is_nameless(code, status):
        headers = said["ResponseMetadata"].get("HTTPHeaders", {})
        wait = retry_after({"Retry-After": headers.get("retry-after", "")})
        if wait is None and code in THROTTLED:
            wait = timedelta(0)  # slow down: for how long, S3 does not say
        return RetryableError(failed, retry_after=wait)
    reason = "forbidden" if status == HTTPStatus.FORBIDDEN else "refused"
    return S3Error(failed, reason=reason, code=code)
