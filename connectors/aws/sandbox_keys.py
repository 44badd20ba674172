"""What the sandbox answers to requests on a key: versions, locks, tags and unfinished uploads."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qsl

from aiohttp import web

from .sandbox_answers import (
    ABOUT,
    Problem,
    Row,
    Tree,
    dispatch,
    document,
    etag,
    part_of,
    tags_of,
    target,
    xml_of,
)
from .sandbox_store import Store

LOCK = {
    "x-amz-object-lock-mode": "Mode",
    "x-amz-object-lock-retain-until-date": "RetainUntil",
    "x-amz-object-lock-legal-hold": "LegalHold",
}
META = "x-amz-meta-"
CUSTOMER_KEY = "x-amz-server-side-encryption-customer-key"


class Keys:
    """Requests to `/bucket/key`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def serve(self, request: web.Request) -> web.Response:
        """Any of them."""
        by = {
            ("GET", ""): self._get,
            ("HEAD", ""): self._head,
            ("PUT", ""): self._put,
            ("DELETE", ""): self._delete,
            ("GET", "tagging"): self._tagging,
            ("PUT", "tagging"): self._put_tagging,
            ("DELETE", "tagging"): self._delete_tagging,
            ("GET", "retention"): self._retention,
            ("PUT", "retention"): self._put_retention,
            ("GET", "legal-hold"): self._legal_hold,
            ("PUT", "legal-hold"): self._put_legal_hold,
            ("POST", "uploads"): self._begin,
            ("PUT", "uploadId"): self._put_part,
            ("GET", "uploadId"): self._parts,
            ("DELETE", "uploadId"): self._abort,
        }
        return await dispatch(request, by)

    def _row(self, request: web.Request) -> Row:
        return self._store.find(*target(request), request.query.get("versionId"))

    # Objects.

    async def _get(self, request: web.Request) -> web.Response:
        row = self._readable(request)
        if row["StorageClass"] in {"GLACIER", "DEEP_ARCHIVE"}:
            raise Problem("InvalidObjectState", HTTPStatus.FORBIDDEN)
        return part_of(request, row)

    async def _head(self, request: web.Request) -> web.Response:
        return part_of(request, self._readable(request))

    def _readable(self, request: web.Request) -> Row:
        """Raises `Problem` for what only its owner's own key opens (SSE-C), even to a HEAD."""
        row = self._row(request)
        if row["CustomerKey"] != request.headers.get(CUSTOMER_KEY, ""):
            raise Problem("InvalidRequest", HTTPStatus.BAD_REQUEST)
        return row

    async def _put(self, request: web.Request) -> web.Response:
        bucket, key = target(request)
        headers = request.headers
        lock = {name: headers[it] for it, name in LOCK.items() if it in headers}
        if lock and not self._store.bucket(bucket)["ObjectLock"]:
            raise Problem("InvalidRequest", HTTPStatus.BAD_REQUEST)
        content = await request.read()
        fields: Row = {
            "Bucket": bucket,
            "Key": key,
            "Body": _text(content),
            "ContentType": headers.get("Content-Type", "binary/octet-stream"),
            "StorageClass": headers.get("x-amz-storage-class", "STANDARD"),
            "CustomerKey": headers.get(CUSTOMER_KEY, ""),
            **{name: headers[it] for it, name in ABOUT.items() if it in headers},
            "Tags": tags_of(parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True)),
            "Metadata": {
                name.lower().removeprefix(META): it
                for name, it in headers.items()
                if name.lower().startswith(META)
            },
            **lock,
        }
        version = self._store.put(fields)
        return web.Response(headers={"ETag": etag(content), "x-amz-version-id": version})

    async def _delete(self, request: web.Request) -> web.Response:
        bucket, key = target(request)
        self._store.bucket(bucket)
        version = request.query.get("versionId")
        if version:
            is_marker = self._store.remove(bucket, key, version) == "delete_marker"
        else:
            version = self._store.hide(bucket, key)
            is_marker = version is not None
        told = {"x-amz-version-id": version or "", "x-amz-delete-marker": "true" * is_marker}
        headers = {name: it for name, it in told.items() if it}
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)

    async def _tagging(self, request: web.Request) -> web.Response:
        row = self._row(request)
        said: Tree = [("Tag", [("Key", name), ("Value", it)]) for name, it in row["Tags"].items()]
        return document("Tagging", [("TagSet", said)], headers=_version(row))

    async def _put_tagging(self, request: web.Request) -> web.Response:
        """Replaces all of them."""
        row, asked = self._row(request), await xml_of(request)
        if asked.tag != "Tagging" or asked.find("TagSet") is None:
            raise Problem("MalformedXML", HTTPStatus.BAD_REQUEST)
        given = [
            (it.findtext("Key", ""), it.findtext("Value", ""))
            for it in asked.iterfind("TagSet/Tag")
        ]
        self._store.tag(row, tags_of(given))
        return web.Response(headers=_version(row))

    async def _delete_tagging(self, request: web.Request) -> web.Response:
        row = self._row(request)
        self._store.tag(row, {})
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_version(row))

    async def _retention(self, request: web.Request) -> web.Response:
        row = self._lockable(request)
        if not row["RetainUntil"]:
            raise Problem("NoSuchObjectLockConfiguration", HTTPStatus.NOT_FOUND)
        said = [("Mode", row["Mode"]), ("RetainUntilDate", row["RetainUntil"])]
        return document("Retention", said)

    async def _put_retention(self, request: web.Request) -> web.Response:
        """Never shorter in COMPLIANCE, and by nobody."""
        row, asked = self._lockable(request), await xml_of(request)
        mode, until = asked.findtext("Mode", ""), asked.findtext("RetainUntilDate", "")
        if row["Mode"] == "COMPLIANCE" and (mode != "COMPLIANCE" or until < row["RetainUntil"]):
            raise Problem("AccessDenied", HTTPStatus.FORBIDDEN)
        row |= {"Mode": mode, "RetainUntil": until}
        return web.Response()

    async def _legal_hold(self, request: web.Request) -> web.Response:
        row = self._lockable(request)
        if not row["LegalHold"]:
            raise Problem("NoSuchObjectLockConfiguration", HTTPStatus.NOT_FOUND)
        return document("LegalHold", [("Status", row["LegalHold"])])

    async def _put_legal_hold(self, request: web.Request) -> web.Response:
        row = self._lockable(request)
        row["LegalHold"] = (await xml_of(request)).findtext("Status", "")
        return web.Response()

    def _lockable(self, request: web.Request) -> Row:
        if not self._store.bucket(target(request)[0])["ObjectLock"]:
            raise Problem("InvalidRequest", HTTPStatus.BAD_REQUEST)
        return self._row(request)

    # Unfinished uploads.

    async def _begin(self, request: web.Request) -> web.Response:
        bucket, key = target(request)
        id_ = self._store.begin({"Bucket": bucket, "Key": key})
        said = [("Bucket", bucket), ("Key", key), ("UploadId", id_)]
        return document("InitiateMultipartUploadResult", said)

    async def _put_part(self, request: web.Request) -> web.Response:
        row = self._store.upload(*target(request), request.query["uploadId"])
        content = await request.read()
        row["Parts"][request.query["partNumber"]] = _text(content)
        return web.Response(headers={"ETag": etag(content)})

    async def _parts(self, request: web.Request) -> web.Response:
        query, (bucket, key) = request.query, target(request)
        row = self._store.upload(bucket, key, query["uploadId"])
        after, most = int(query.get("part-number-marker", 0)), int(query.get("max-parts", 1000))
        numbers = sorted(int(it) for it in row["Parts"] if int(it) > after)
        page = numbers[:most]
        said: list[tuple[str, Tree]] = [
            ("Bucket", bucket),
            ("Key", key),
            ("UploadId", query["uploadId"]),
            ("PartNumberMarker", str(after)),
            ("NextPartNumberMarker", str(page[-1] if page else after)),
            ("MaxParts", str(most)),
            ("IsTruncated", str(len(page) < len(numbers)).lower()),
        ]
        for n in page:
            content = row["Parts"][str(n)].encode("utf-8", "surrogateescape")
            about = [("PartNumber", str(n)), ("LastModified", row["Initiated"])]
            said.append(("Part", [*about, ("ETag", etag(content)), ("Size", str(len(content)))]))
        return document("ListPartsResult", said)

    async def _abort(self, request: web.Request) -> web.Response:
        self._store.abort(*target(request), request.query["uploadId"])
        return web.Response(status=HTTPStatus.NO_CONTENT)


def _version(row: Row) -> dict[str, str]:
    return {"x-amz-version-id": row["VersionId"]}


def _text(content: bytes) -> str:
    """Bytes as they stand in the sandbox's state; see `body_of`."""
    return content.decode("utf-8", "surrogateescape")
