"""What S3 holds, read version by version, and a file's content, a megabyte at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from connectors.sdk.interface import RetryableError

from .client import S3, Row, S3Error, due
from .places import Place

Listed = tuple[str, Place, Row]
"""A kind, where it lies, and what the list says of it."""

UPLOADS, VERSIONS = "list_multipart_uploads", "list_object_versions"
LISTS = {
    "Versions": ("object", "VersionId"),
    "DeleteMarkers": ("delete_marker", "VersionId"),
    "Uploads": ("upload", "UploadId"),
}
"""By the name in a list's page: our kind, and where its id is."""
PIECE = 1024 * 1024
"""Bytes of a file that are in memory, at most."""
PASSES = 5
"""How often a list of several pages is read until it stands still."""
OF_THE_ANSWER = frozenset(
    {"AcceptRanges", "Body", "ContentLength", "ContentRange", "ResponseMetadata", "TagCount"}
)
"""What an answer says of itself. All else it says of the file, whether we know the name or not."""


@dataclass(frozen=True, slots=True)
class File:
    """One version of a file: what S3 says of it, and the first piece of its content."""

    said: Row
    first: bytes = b""
    missing: str = ""
    """Why S3 does not hand out the content, by a code of the catalogue; empty where it does."""

    @property
    def size(self) -> int:
        """Bytes of the whole file, whatever part of it came."""
        whole = str(self.said.get("ContentRange", "")).rpartition("/")[2]
        said = whole or self.said.get("ContentLength", self.said.get("Size", 0))
        try:
            return int(said)
        except ValueError:
            raise RetryableError("S3: a size that is no number") from None

    @property
    def content_type(self) -> str:
        """As S3 has it."""
        return str(self.said.get("ContentType") or "binary/octet-stream")


class Files:
    """S3's files, read only."""

    def __init__(self, s3: S3) -> None:
        self._s3 = s3

    async def under(self, bucket: str, prefix: str) -> AsyncIterator[list[Listed]]:
        """Everything under a prefix, page by page, each thing once, finished or not.

        A page goes on behind a name; where that has gone meanwhile, what stood beside it can be
        passed over. So a list of several pages is read until nothing new is in it.
        """
        # An upload that is completed meanwhile shows in the second list at least.
        for operation in (UPLOADS, VERSIONS):
            seen: set[tuple[str, Place]] = set()
            for _ in range(PASSES):
                before, pages = len(seen), 0
                async for page in self._s3.pages(operation, Bucket=bucket, Prefix=prefix):
                    pages += 1
                    # A gateway that ignores the prefix lists everybody.
                    listed = [it for it in _listed(bucket, page) if it[1].key.startswith(prefix)]
                    yield [it for it in listed if it[:2] not in seen]
                    seen.update(it[:2] for it in listed)
                if pages == 1 or before == len(seen):
                    break
            else:
                raise RetryableError(f"{operation}: does not stand still")

    async def row(self, kind: str, place: Place) -> Row | None:
        """What S3 says of one thing, by its own id; None if it is not there.

        Of an object that cannot be read (its key is gone) the list of its name still tells.
        """
        if kind == "object":
            file = await self.open(place, 1)
            return None if file is None else file.said
        if kind == "upload" and place.is_speakable:
            return await self._s3.ask("list_parts", "IsTruncated", MaxParts=1, **place.upload)
        # What a marker's version answers to GET differs; the list of its key is the same anywhere.
        return await self._in_list(kind, place)

    async def _in_list(self, kind: str, place: Place) -> Row | None:
        async for listed, at, row in self.beside(place, UPLOADS if kind == "upload" else VERSIONS):
            if (listed, at) == (kind, place):
                return row
        return None

    async def beside(self, place: Place, operation: str = VERSIONS) -> AsyncIterator[Listed]:
        """Versions and markers of the same key: S3 lists it before those that begin with it."""
        under = {"Bucket": place.bucket, "Prefix": place.key}
        async for page in self._s3.pages(operation, **under):
            for it in _listed(place.bucket, page):
                if it[1].key == place.key:
                    yield it
            if page.get("NextKeyMarker", place.key) != place.key:
                return

    async def open(self, place: Place, size: int) -> File | None:
        """A version with so much of its content, or why that cannot be had; None if it is gone."""
        try:
            said = await self.read(place, size)
        except S3Error as refused:
            if refused.code == "NoSuchBucket":
                raise
            listed = await self._in_list("object", place)
            return None if listed is None else File(listed, missing=_missing(refused))
        if said is None:
            return None
        file = File(said, said.get("Body", b""))
        return File(said, missing="archived") if file.size and "Body" not in said else file

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
        if not upload.is_speakable:
            row = await self.row("upload", upload)
            if row is not None:
                yield {"Initiated": row.get("Initiated")}
            return
        async for page in self._s3.pages("list_parts", **upload.upload):
            yield {"Parts": page.get("Parts", [])}

    async def tags(self, place: Place) -> Row | None:
        """Of a version, by their names; None if it is gone."""
        said = await self._s3.ask("get_object_tagging", "TagSet", **place.version)
        return said and {due(it, "Key"): it.get("Value", "") for it in said["TagSet"]}

    async def about(self, place: Place, file: File) -> dict[str, Any]:
        """What S3 says of a file beside its content, tags included."""
        said = {name: it for name, it in file.said.items() if it and name not in OF_THE_ANSWER}
        if file.missing:  # the list does not tell whether there are tags, nor may we always ask
            with suppress(S3Error):
                said["Tags"] = await self.tags(place)
        elif file.said.get("TagCount"):
            said["Tags"] = await self.tags(place)
            if said["Tags"] is None:
                raise RetryableError("get_object_tagging: gone meanwhile")
        return said | {"Size": file.size}

    async def pieces(self, place: Place, file: File) -> AsyncIterator[tuple[bytes, bool]]:
        """The content of a file, and of each piece whether it goes on: an empty file is one."""
        for start in range(0, file.size or 1, PIECE):
            end = min(start + PIECE, file.size)
            body = await self._piece(place, file, start, end) if start else file.first
            if len(body) != end - start:
                raise RetryableError("get_object: cut short")
            yield body, end < file.size

    async def _piece(self, place: Place, file: File, start: int, end: int) -> bytes:
        """Bytes of the same content: a `null` version may be written over while it is read."""
        span = {"Range": f"bytes={start}-{end - 1}", "IfMatch": due(file.said, "ETag")}
        said = await self._s3.ask("get_object", "ContentRange", **span, **place.version)
        if said is None:
            raise RetryableError("get_object: gone while it was read")
        body: bytes = due(said, "Body")
        return body


def _missing(refused: S3Error) -> str:
    """Why a version cannot be read: one's own key is asked for by 400, KMS's is lost by a name."""
    is_locked_up = refused.code.startswith("KMS.") or refused.code in {"InvalidRequest", "400"}
    return "encrypted" if is_locked_up else "unreadable"


def _listed(bucket: str, page: Row) -> list[Listed]:
    return [
        (kind, Place(bucket, due(row, "Key"), due(row, mark)), row)
        for name, (kind, mark) in LISTS.items()
        for row in page.get(name, ())
    ]
