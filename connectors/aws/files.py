"""What S3 holds, read version by version, and a file's content, a megabyte at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from connectors.sdk.interface import RetryableError, TerminalError

from .client import S3, Row, S3Error
from .places import Place

Listed = tuple[str, Place, Row]
"""A kind, where it lies, and what the list says of it."""

LISTS = {
    "Versions": ("object", "VersionId"),
    "DeleteMarkers": ("delete_marker", "VersionId"),
    "Uploads": ("upload", "UploadId"),
}
"""By the name in a list's page: our kind, and where its id is."""
PIECE = 1024 * 1024
"""Bytes of a file that are in memory, at most."""
ABOUT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "LastModified",
    "Metadata",
    "StorageClass",
)


class Files:
    """S3's files, read only."""

    def __init__(self, s3: S3) -> None:
        self._s3 = s3

    async def under(self, bucket: str, prefix: str) -> AsyncIterator[list[Listed]]:
        """Everything under a prefix, page by page, finished or not."""
        # An upload that is completed meanwhile shows in the second list at least.
        for operation in ("list_multipart_uploads", "list_object_versions"):
            async for page in self._s3.pages(operation, Bucket=bucket, Prefix=prefix):
                # A gateway that ignores the prefix lists everybody.
                yield [it for it in _listed(bucket, page) if it[1].key.startswith(prefix)]

    async def row(self, kind: str, place: Place) -> Row | None:
        """What S3 says of one thing, by its own id; None if it is not there.

        Of an object that cannot be read (its key is gone) the list of its name still tells.
        """
        if kind == "object":
            try:
                return await self.read(place)
            except S3Error as refused:
                if refused.code == "NoSuchBucket":
                    raise
        if kind == "upload":
            return await self._s3.ask("list_parts", "IsTruncated", MaxParts=1, **place.upload)
        # What a marker's version answers to GET differs; the list of its key is the same anywhere.
        async for listed, at, row in self.beside(place):
            if (listed, at) == (kind, place):
                return row
        return None

    async def beside(self, place: Place) -> AsyncIterator[Listed]:
        """Versions and markers of the same key: S3 lists it before those that begin with it."""
        under = {"Bucket": place.bucket, "Prefix": place.key}
        async for page in self._s3.pages("list_object_versions", **under):
            for it in _listed(place.bucket, page):
                if it[1].key == place.key:
                    yield it
            if page.get("NextKeyMarker", place.key) != place.key:
                return

    async def read(self, place: Place, size: int = 1) -> Row | None:
        """A version's headers and its first bytes; None if it is not there.

        Without a `Body` if it is empty or in an archive.
        """
        span = f"bytes=0-{size - 1}"
        try:
            return await self._s3.ask("get_object", "ContentRange", Range=span, **place.version)
        except S3Error as refused:
            if refused.code not in {"InvalidObjectState", "InvalidRange"}:
                raise
        return await self._s3.ask("head_object", "ETag", **place.version)

    async def parts(self, upload: Place) -> AsyncIterator[Row]:
        """What was uploaded so far, by size: S3 does not hand out content that is not finished."""
        async for page in self._s3.pages("list_parts", **upload.upload):
            yield {"Parts": page.get("Parts", [])}

    async def about(self, place: Place, row: Row) -> dict[str, Any]:
        """What S3 says of a file beside its content, tags included."""
        said = {name: row[name] for name in ABOUT if row.get(name)}
        if row.get("TagCount"):
            tags = await self._s3.ask("get_object_tagging", "TagSet", **place.version) or {}
            said["Tags"] = {it["Key"]: it["Value"] for it in tags.get("TagSet", ())}
        return said | {"Size": _size(row)}

    async def pieces(self, place: Place, first: Row) -> AsyncIterator[bytes]:
        """The content of a file of which `read` brought the first piece."""
        size = _size(first)
        if size and "Body" not in first:
            raise TerminalError("get_object: archived", reason="archived")
        for start in range(0, size, PIECE):
            end = min(start + PIECE, size)
            body = await self._piece(place, first["ETag"], start, end) if start else first["Body"]
            if len(body) != end - start:
                raise RetryableError("get_object: cut short")
            yield body

    async def _piece(self, place: Place, etag: str, start: int, end: int) -> bytes:
        """Bytes of the same content: a `null` version may be written over while it is read."""
        span = {"Range": f"bytes={start}-{end - 1}", "IfMatch": etag}
        said = await self._s3.ask("get_object", "ContentRange", **span, **place.version)
        if said is None:
            raise RetryableError("get_object: gone while it was read")
        body: bytes = said["Body"]
        return body


def _listed(bucket: str, page: Row) -> list[Listed]:
    return [
        (kind, Place(bucket, row["Key"], row[mark]), row)
        for name, (kind, mark) in LISTS.items()
        for row in page.get(name, ())
    ]


def _size(row: Row) -> int:
    """Of the whole file, whatever part of it came."""
    whole = str(row.get("ContentRange", "")).rpartition("/")[2]
    return int(whole) if whole.isdecimal() else int(row.get("ContentLength", 0))
