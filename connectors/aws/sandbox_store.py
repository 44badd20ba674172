"""The sandbox's buckets: versions, delete markers, locks and unfinished uploads, as in S3."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from connectors.sdk.sandbox import Sandbox

from .sandbox_answers import Problem, Row, http_date

ENABLED = "Enabled"
OBJECT: Row = {
    "Body": "",
    "ContentType": "binary/octet-stream",
    "Metadata": {},
    "Tags": {},
    "StorageClass": "STANDARD",
    "CustomerKey": "",
    "Mode": "",
    "RetainUntil": "",
    "LegalHold": "",
}
KINDS = ("object", "delete_marker")


class Store:
    """What is in the buckets. All of it is in the sandbox's tables."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    # Buckets.

    def make(self, name: str, versioning: str = ENABLED, *, lock: bool = False) -> Row:
        """The bucket of that name, made unless it is there."""
        made = {"Name": name, "Versioning": ENABLED if lock else versioning, "ObjectLock": lock}
        return self._sandbox.table("_bucket").setdefault(name, made)

    def bucket(self, name: str) -> Row:
        """Raises `Problem` if there is none."""
        found = self._sandbox.table("_bucket").get(name)
        if found is None:
            raise Problem("NoSuchBucket", HTTPStatus.NOT_FOUND)
        return found

    # Objects and markers.

    def versions(self, bucket: str, prefix: str = "") -> list[tuple[str, str, Row]]:
        """(kind, id, row) of every version and marker: by key, the newest first."""
        found = [
            (kind, id_, row)
            for kind in KINDS
            for id_, row in self._sandbox.table(kind).items()
            if row["Bucket"] == bucket and row["Key"].startswith(prefix)
        ]
        return sorted(found, key=lambda it: (it[2]["Key"].encode(), -it[2]["Sequence"]))

    def find(self, bucket: str, key: str, version: str | None) -> Row:
        """A version's row; without `version` the current one. Raises `Problem`."""
        self.bucket(bucket)
        for kind, _, row in self.versions(bucket, key):
            if row["Key"] == key and version in {None, row["VersionId"]}:
                if kind == "object":
                    return row
                told = {"x-amz-delete-marker": "true"}
                if version is None:
                    raise Problem("NoSuchKey", HTTPStatus.NOT_FOUND, told)
                told |= {"Allow": "DELETE", "Last-Modified": http_date(row["LastModified"])}
                raise Problem("MethodNotAllowed", HTTPStatus.METHOD_NOT_ALLOWED, told)
        raise Problem("NoSuchVersion" if version else "NoSuchKey", HTTPStatus.NOT_FOUND)

    def add(self, kind: str, fields: Mapping[str, Any], *, age: timedelta = timedelta(0)) -> str:
        """An object or a marker on top of its key; its row's id."""
        n = self._sandbox.new_id()
        versioned = self.bucket(fields["Bucket"])["Versioning"] == ENABLED
        version = f"3sL4+k/{n:025d}" if versioned else "null"
        row: Row = {
            "VersionId": version,
            "LastModified": stamp(self._sandbox.now() - age),
            **(OBJECT if kind == "object" else {}),
            **{name: it for name, it in fields.items() if name != "id"},
            "Sequence": n,
        }
        if row["VersionId"] == "null":
            self.remove(row["Bucket"], row["Key"], "null")
        id_ = str(fields.get("id", n))
        self._sandbox.table(kind)[id_] = row
        return id_

    def put(self, fields: Mapping[str, Any]) -> str:
        """What somebody uploads; its version."""
        id_ = self.add("object", fields)
        self._sandbox.changed("put", "object", id_)
        return str(self._sandbox.table("object")[id_]["VersionId"])

    def tag(self, row: Row, tags: Mapping[str, str]) -> None:
        """Let a version have these tags, and no other; a lock does not keep them."""
        row["Tags"] = dict(tags)
        id_ = next(id_ for id_, it in self._sandbox.table("object").items() if it is row)
        self._sandbox.changed("tag", "object", id_)

    def remove(self, bucket: str, key: str, version: str) -> str | None:
        """Delete one version for good: its kind; None if it is not there. Raises `Problem`."""
        for kind, id_, row in self.versions(bucket, key):
            if (row["Key"], row["VersionId"]) == (key, version):
                if kind == "object" and self._is_locked(row):
                    raise Problem("AccessDenied", HTTPStatus.FORBIDDEN)
                del self._sandbox.table(kind)[id_]
                self._sandbox.changed("delete_version", kind, id_)
                return kind
        return None

    def hide(self, bucket: str, key: str) -> str | None:
        """Delete without a version: the new marker's version; None where there are no versions."""
        if not self.bucket(bucket)["Versioning"]:
            self.remove(bucket, key, "null")
            return None
        id_ = self.add("delete_marker", {"Bucket": bucket, "Key": key})
        self._sandbox.changed("hide", "delete_marker", id_)
        return str(self._sandbox.table("delete_marker")[id_]["VersionId"])

    def _is_locked(self, row: Row) -> bool:
        until = row["RetainUntil"]
        retained = bool(until) and datetime.fromisoformat(until) > self._sandbox.now()
        return retained or row["LegalHold"] == "ON"

    # Unfinished uploads.

    def uploads(self, bucket: str, prefix: str) -> list[tuple[str, Row]]:
        """(id, row) of those under a prefix, by key."""
        self.bucket(bucket)
        found = [
            (id_, row)
            for id_, row in self._sandbox.table("upload").items()
            if row["Bucket"] == bucket and row["Key"].startswith(prefix)
        ]
        return sorted(found, key=lambda it: (it[1]["Key"].encode(), it[1]["Sequence"]))

    def begin(self, fields: Mapping[str, Any], *, age: timedelta = timedelta(0)) -> str:
        """A new upload; its id."""
        self.bucket(fields["Bucket"])
        n = self._sandbox.new_id()
        row: Row = {"Initiated": stamp(self._sandbox.now() - age), "Parts": {}, **fields}
        if isinstance(row["Parts"], list):
            row["Parts"] = {str(at): it for at, it in enumerate(row["Parts"], 1)}
        id_ = str(row.pop("id", f"upload+{n}"))
        self._sandbox.table("upload")[id_] = row | {"Sequence": n}
        return id_

    def upload(self, bucket: str, key: str, id_: str) -> Row:
        """Raises `Problem` unless it is under way."""
        self.bucket(bucket)
        row = self._sandbox.table("upload").get(id_)
        if row is None or (row["Bucket"], row["Key"]) != (bucket, key):
            raise Problem("NoSuchUpload", HTTPStatus.NOT_FOUND)
        return row

    def abort(self, bucket: str, key: str, id_: str) -> None:
        """Let go of an upload and its parts."""
        self.upload(bucket, key, id_)
        del self._sandbox.table("upload")[id_]
        self._sandbox.changed("abort", "upload", id_)


def stamp(at: datetime) -> str:
    """A time as S3 writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
