"""S3 on loopback: versions, delete markers, unfinished uploads and Object Lock, as documented.

https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html

Path style only. Who signed a request is read, the signature is not checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from connectors.sdk.sandbox import Sandbox

from .sandbox_answers import refusal
from .sandbox_buckets import Buckets
from .sandbox_keys import Keys
from .sandbox_store import Store

AGE = timedelta(days=400)
"""Of what is planted."""
ASKED = ("versions", "uploads", "delete", "tagging")
"""Names in a query that say what is asked."""


class AwsSandbox(Sandbox):
    """One account's buckets. Buckets are nobody's: they are not shown as state."""

    system = "aws"
    cursor = r"\b(key|version-id|upload-id|part-number)-marker=[^&]*"
    unreadable = (r"^/[^/]+/.",)

    def __init__(self, **given: Any) -> None:
        self.store = Store(self)
        self.prefixes = ("files/exports/{user_id}/", "files/uploads/{email}/")
        """What the connector is told."""
        self.buckets = Buckets(self.store)
        self._keys = Keys(self.store)
        super().__init__(**given)
        for it in self.prefixes:
            self.store.make(it.partition("/")[0])

    # What tests and the demo use.

    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        """A `bucket`, or in a `Bucket` under a `Key`: an `object`, a `delete_marker`, an `upload`.

        An object has a `Body` (text) and may have `Metadata`, `Tags`, `RetainUntil`, `LegalHold`;
        an upload has `Parts` (texts). A bucket that is not there yet is made, with versioning.
        """
        if kind == "bucket":
            versioning, lock = fields.get("Versioning", ""), bool(fields.get("ObjectLock"))
            return str(self.store.make(fields["Name"], versioning, lock=lock)["Name"])
        self.store.make(fields["Bucket"])
        match kind:
            case "object" | "delete_marker":
                return self.store.add(kind, fields, age=AGE)
            case "upload":
                return self.store.begin(fields, age=AGE)
            case _:
                raise ValueError("S3 has buckets, objects, delete markers and uploads")

    def settings(self, *, restricted: bool = False) -> Mapping[str, str]:
        """Of the connector."""
        return {
            "url": self.url,
            "region": "eu-central-1",
            "access_key_id": self.restricted_key if restricted else self.key,
            "secret_access_key": "sandbox-aws-secret",
            "prefixes": ",".join(self.prefixes),
        }

    # How it answers.

    def credential(self, request: web.Request) -> str | None:
        """The access key id that signed, by signature version 4."""
        signed = re.match(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/[^/]+/s3/aws4_request, ?SignedHeaders=",
            request.headers.get("Authorization", ""),
        )
        return signed[1] if signed else None

    def refusal(self, status: int) -> web.Response:
        """S3's errors, in XML."""
        return refusal(status)

    def dress(self, response: web.StreamResponse) -> None:
        """S3's own name for the id of a request."""
        super().dress(response)
        response.headers.setdefault("x-amz-request-id", response.headers["X-Request-Id"])

    def call(self, request: web.Request) -> str:
        """With the name in the query that says what is asked of a bucket or a key."""
        what = next((f"?{it}" for it in ASKED if it in request.query), "")
        upload = "?uploadId={id}" if "uploadId" in request.query else ""
        return super().call(request) + what + upload

    def routes(self) -> list[web.RouteDef]:
        """Everything is a bucket or a key in one; what is asked of it is in the query."""
        return [
            web.route("*", "/{bucket}", self.buckets.serve),
            web.route("*", "/{bucket}/", self.buckets.serve),
            web.route("*", r"/{bucket}/{key:[\s\S]+}", self._keys.serve),
        ]
