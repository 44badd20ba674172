"""What the sandbox answers to requests on a bucket: its lists, and deletions of many keys."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import web

from .sandbox_answers import Problem, Row, Tree, body_of, dispatch, document, etag, target, xml_of
from .sandbox_store import ENABLED, Store

MOST_DELETED = 1000
"""Keys in one request."""
OWNER = ("Owner", [("ID", "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a")])


class Buckets:
    """Requests to `/bucket`."""

    def __init__(self, store: Store) -> None:
        self.largest_page = 1000
        self._store = store

    async def serve(self, request: web.Request) -> web.Response:
        """Any of them."""
        by = {
            ("PUT", ""): self._make,
            ("GET", "versioning"): self._get_versioning,
            ("PUT", "versioning"): self._put_versioning,
            ("GET", "versions"): self._versions,
            ("GET", "uploads"): self._uploads,
            ("POST", "delete"): self._delete,
        }
        return await dispatch(request, by)

    async def _make(self, request: web.Request) -> web.Response:
        lock = request.headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true"
        bucket, _ = target(request)
        self._store.make(bucket, "", lock=lock)
        return web.Response(headers={"Location": f"/{bucket}"})

    async def _get_versioning(self, request: web.Request) -> web.Response:
        status = self._store.bucket(target(request)[0])["Versioning"]
        return document("VersioningConfiguration", [("Status", status)] if status else "")

    async def _put_versioning(self, request: web.Request) -> web.Response:
        bucket = self._store.bucket(target(request)[0])
        status = (await xml_of(request)).findtext("Status", "")
        if bucket["ObjectLock"] and status != ENABLED:
            raise Problem("InvalidBucketState", HTTPStatus.CONFLICT)
        bucket["Versioning"] = status
        return web.Response()

    async def _versions(self, request: web.Request) -> web.Response:
        bucket, query = target(request)[0], request.query
        self._store.bucket(bucket)
        name = quote if query.get("encoding-type") == "url" else str
        rows = self._store.versions(bucket, query.get("prefix", ""))
        newest = {row["Key"]: row["VersionId"] for _, _, row in reversed(rows)}
        at = _after(
            [(row["Key"], row["VersionId"]) for _, _, row in rows],
            query.get("key-marker", ""),
            query.get("version-id-marker", ""),
        )
        page = rows[at : at + self._size(request, "max-keys")]
        said: list[tuple[str, Tree]] = [
            ("Name", bucket),
            ("Prefix", name(query.get("prefix", ""))),
            ("KeyMarker", name(query.get("key-marker", ""))),
            ("VersionIdMarker", query.get("version-id-marker", "")),
            ("MaxKeys", query.get("max-keys", "1000")),
        ]
        if name is quote:
            said.append(("EncodingType", "url"))
        more = at + len(page) < len(rows)
        said.append(("IsTruncated", str(more).lower()))
        if more and page:
            last = page[-1][2]
            said += [
                ("NextKeyMarker", name(last["Key"])),
                ("NextVersionIdMarker", last["VersionId"]),
            ]
        for kind, _, row in page:
            latest = newest[row["Key"]] == row["VersionId"]
            element = "Version" if kind == "object" else "DeleteMarker"
            said.append(
                (element, [("Key", name(row["Key"])), *_of_version(kind, row, latest=latest)])
            )
        return document("ListVersionsResult", said)

    async def _uploads(self, request: web.Request) -> web.Response:
        bucket, query = target(request)[0], request.query
        name = quote if query.get("encoding-type") == "url" else str
        rows = self._store.uploads(bucket, query.get("prefix", ""))
        ids = [(row["Key"], id_) for id_, row in rows]
        at = _after(ids, query.get("key-marker", ""), query.get("upload-id-marker", ""))
        page = rows[at : at + self._size(request, "max-uploads")]
        more = at + len(page) < len(rows)
        said: list[tuple[str, Tree]] = [
            ("Bucket", bucket),
            ("Prefix", name(query.get("prefix", ""))),
            ("KeyMarker", name(query.get("key-marker", ""))),
            ("UploadIdMarker", query.get("upload-id-marker", "")),
            ("IsTruncated", str(more).lower()),
        ]
        if name is quote:
            said.append(("EncodingType", "url"))
        if more and page:
            last = name(page[-1][1]["Key"])
            said += [("NextKeyMarker", last), ("NextUploadIdMarker", page[-1][0])]
        for id_, row in page:
            about = [("Key", name(row["Key"])), ("UploadId", id_), ("Initiated", row["Initiated"])]
            said.append(("Upload", [*about, OWNER, ("StorageClass", "STANDARD")]))
        return document("ListMultipartUploadsResult", said)

    async def _delete(self, request: web.Request) -> web.Response:
        """Each key by itself: 200, whatever became of them."""
        bucket, _ = target(request)
        self._store.bucket(bucket)
        asked = await xml_of(request)
        if len(asked.findall("Object")) > MOST_DELETED:
            raise Problem("MalformedXML", HTTPStatus.BAD_REQUEST)
        quiet = asked.findtext("Quiet", "") == "true"
        said: list[tuple[str, Tree]] = []
        for it in asked.findall("Object"):
            key, version = it.findtext("Key", ""), it.findtext("VersionId", "")
            named = [("Key", key), *([("VersionId", version)] if version else [])]
            try:
                done = list(self._remove(bucket, key, version))
            except Problem as problem:
                why = [("Code", problem.code), ("Message", "Access Denied")]
                said.append(("Error", [*named, *why]))
            else:
                said += [] if quiet else [("Deleted", [*named, *done])]
        return document("DeleteResult", said)

    def _remove(self, bucket: str, key: str, version: str) -> Iterator[tuple[str, str]]:
        """What is said of a key beside its name."""
        if version:
            if self._store.remove(bucket, key, version) == "delete_marker":
                yield from (("DeleteMarker", "true"), ("DeleteMarkerVersionId", version))
            return
        marker = self._store.hide(bucket, key)
        if marker is not None:
            yield from (("DeleteMarker", "true"), ("DeleteMarkerVersionId", marker))

    def _size(self, request: web.Request, name: str) -> int:
        asked = request.query.get(name, "1000")
        if not asked.isdecimal():
            raise Problem("InvalidArgument", HTTPStatus.BAD_REQUEST)
        return min(int(asked), self.largest_page)


def _after(ids: list[tuple[str, str]], key: str, mark: str) -> int:
    """Where a list goes on: after that one thing, or after all of that key."""
    if not key:
        return 0
    if mark and (key, mark) in ids:
        return ids.index((key, mark)) + 1
    return sum(it.encode() <= key.encode() for it, _ in ids)


def _of_version(kind: str, row: Row, *, latest: bool) -> Iterator[tuple[str, Tree]]:
    yield "VersionId", row["VersionId"]
    yield "IsLatest", str(latest).lower()
    yield "LastModified", row["LastModified"]
    if kind == "object":
        content = body_of(row)
        yield "ETag", etag(content)
        yield "Size", str(len(content))
        yield "StorageClass", row["StorageClass"]
    yield OWNER
