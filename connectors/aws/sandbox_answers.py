"""How the sandbox reads a request to S3 and answers it: XML, and errors in S3's own words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from aiohttp import web

Row = dict[str, Any]
Tree = str | Iterable[tuple[str, "Tree"]]

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
WORDS: Mapping[int, tuple[int, str]] = {
    400: (400, "InvalidRequest"),
    401: (403, "InvalidAccessKeyId"),
    403: (403, "AccessDenied"),
    404: (404, "NoSuchKey"),
    405: (405, "MethodNotAllowed"),
    409: (409, "OperationAborted"),
    429: (503, "SlowDown"),
    500: (500, "InternalError"),
    501: (501, "NotImplemented"),
    503: (503, "SlowDown"),
}
"""S3 has neither 401 nor 429: what it says instead."""
ABOUT = {
    "Cache-Control": "CacheControl",
    "Content-Disposition": "ContentDisposition",
    "Content-Encoding": "ContentEncoding",
    "Content-Language": "ContentLanguage",
}
"""What is stored with a content, and comes back with it."""


class Problem(Exception):  # noqa: N818  what S3 calls an error is no fault of the sandbox
    """What S3 refuses a request with."""

    def __init__(self, code: str, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.headers = dict(headers or {})

    def answer(self) -> web.Response:
        """As it is sent."""
        said = [("Code", self.code), ("Message", HTTPStatus(self.status).phrase)]
        return document("Error", said, status=self.status, headers=self.headers, namespace="")


def refusal(status: int) -> web.Response:
    """S3's error for a status that it may not have itself."""
    its, code = WORDS.get(status, (status, "InvalidRequest"))
    return Problem(code, its).answer()


def document(
    name: str,
    content: Tree,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    namespace: str = NAMESPACE,
) -> web.Response:
    """An answer in XML."""
    root = f"<{name} {namespace}>".replace(" >", ">")
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{root}{_written(content)}</{name}>'
    return web.Response(text=text, status=status, headers=headers, content_type="application/xml")


def _written(content: Tree) -> str:
    if isinstance(content, str):
        return escape(content, {"\r": "&#13;"})
    return "".join(f"<{name}>{_written(inside)}</{name}>" for name, inside in content)


def body_of(row: Row) -> bytes:
    """A file's content, which is text in the sandbox's state, whatever the bytes are."""
    return str(row["Body"]).encode("utf-8", "surrogateescape")


def etag(content: bytes) -> str:
    """As S3 makes it of a content that came at once."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def headers_of(row: Row) -> dict[str, str]:
    """What goes with a version's content."""
    said = {
        "ETag": etag(body_of(row)),
        "Last-Modified": http_date(row["LastModified"]),
        "Content-Type": row["ContentType"],
        "Accept-Ranges": "bytes",
        "x-amz-version-id": row["VersionId"],
        "x-amz-missing-meta": str(row.get("MissingMeta", "")),
        "x-amz-tagging-count": str(len(row["Tags"]) or ""),
        "x-amz-server-side-encryption": "" if row["CustomerKey"] else "AES256",
        "x-amz-storage-class": row["StorageClass"].removeprefix("STANDARD"),
        "x-amz-object-lock-mode": row["Mode"],
        "x-amz-object-lock-retain-until-date": row["RetainUntil"],
        "x-amz-object-lock-legal-hold": row["LegalHold"],
        **{header: row.get(name, "") for header, name in ABOUT.items()},
        **{f"x-amz-meta-{name}": value for name, value in row["Metadata"].items()},
    }
    return {name: value for name, value in said.items() if value}


def http_date(stamp: str) -> str:
    """A date as HTTP's headers have it."""
    return format_datetime(datetime.fromisoformat(stamp), usegmt=True)


def part_of(request: web.Request, row: Row) -> web.Response:
    """The content, or the range of it that was asked for."""
    content, headers = body_of(row), headers_of(row)
    if request.headers.get("If-Match", headers["ETag"]) != headers["ETag"]:
        raise Problem("PreconditionFailed", HTTPStatus.PRECONDITION_FAILED)
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if asked is None:
        return web.Response(body=content, headers=headers)
    start, size = int(asked[1]), len(content)
    if start >= size:
        raise Problem("InvalidRange", HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    end = min(int(asked[2] or size), size - 1)
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    body = content[start : end + 1]
    return web.Response(body=body, headers=headers, status=HTTPStatus.PARTIAL_CONTENT)


# What was asked.

Handler = Callable[[web.Request], Awaitable[web.Response]]


def target(request: web.Request) -> tuple[str, str]:
    """Bucket and key, unquoted once from the path as it came: a key may hold `%2F` or `..`."""
    bucket, _, key = request.rel_url.raw_path.removeprefix("/").partition("/")
    return unquote(bucket), unquote(key)


async def dispatch(request: web.Request, by: Mapping[tuple[str, str], Handler]) -> web.Response:
    """The answer of the handler for a method and the sub-resource in the query."""
    names = {name for _, name in by if name in request.query}
    handler = by.get((request.method, min(names, default="")))
    if handler is None:
        return refusal(HTTPStatus.NOT_IMPLEMENTED)
    try:
        return await handler(request)
    except Problem as problem:
        return problem.answer()


MOST_TAGS, LONGEST_NAME, LONGEST_VALUE = 10, 128, 256
"""Of one version, and the characters of each."""
_TAG = re.compile(r"[\w\s+=.:/@-]*")


def tags_of(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Tags by name. Raises `Problem` for what S3 does not take.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
    """
    pairs = list(given)
    tags = dict(pairs)
    if len(pairs) > MOST_TAGS:
        raise Problem("BadRequest", HTTPStatus.BAD_REQUEST)
    fits = all(
        0 < len(name) <= LONGEST_NAME
        and len(value) <= LONGEST_VALUE
        and _TAG.fullmatch(name + value)
        and not name.lower().startswith("aws:")
        for name, value in pairs
    )
    if not fits or len(tags) < len(pairs):
        raise Problem("InvalidTag", HTTPStatus.BAD_REQUEST)
    return tags


async def xml_of(request: web.Request) -> ET.Element:
    """The body, without S3's namespace. Raises `Problem`."""
    try:
        text = (await request.read()).replace(
            b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', b""
        )
        return ET.fromstring(text)  # noqa: S314  from tests and the demo alone
    except ET.ParseError:
        raise Problem("MalformedXML", HTTPStatus.BAD_REQUEST) from None
