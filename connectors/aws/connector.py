"""AWS: files in S3, with all their versions, delete markers and unfinished uploads.

https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html

Found are keys under configured prefixes. Beyond it: files that name a person inside or in a tag
only, rows in files of many people, and copies elsewhere (replicas, backups, inventories, access
logs): S3 does not pass on the deletion of a version. A replica's bucket can be configured itself.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sdk.http import UnauthorisedError
from connectors.sdk.interface import (
    Blocked,
    Capabilities,
    Category,
    Connector,
    Credentials,
    Erased,
    Failed,
    Holding,
    Limit,
    NeedsHuman,
    NotSupported,
    Outcome,
    Page,
    Record,
    RetryableError,
    Right,
    Subject,
    TerminalError,
)
from connectors.sdk.registry import SettingsError, variable

from .client import ABSENT, LATER, S3, Row, S3Error
from .files import PIECE, Files
from .places import Place, Template, prefixes

FILE = frozenset({Category.PROFILE, Category.USAGE})
"""A file is one whole: what the person gave us (profile), and that they did (usage)."""
KINDS: Mapping[str, frozenset[Category]] = {
    "object": FILE,
    "upload": FILE,
    "delete_marker": frozenset({Category.USAGE}),  # last: it hides the versions below it
}
REASONS = {
    "archived": "The file is in an archive and must be restored in S3 before it can be copied.",
    "forbidden": "S3 does not allow our key to delete this, or it is locked and we may not see it.",
    "hides": "It hides a version of the file that is still there, and can go only after that.",
    "indivisible": "A file can only be deleted as a whole.",
    "legal_hold": "Lift the legal hold on the file in S3 if it is over, then order the task again.",
    "object_lock": "S3 keeps the file until this date (Object Lock).",
    "refused": "S3 refused the request.",
}


class Aws(Connector):
    """The buckets of one AWS account in one region, or of something that speaks S3."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        """`prefixes` are `bucket/uploads/{email}/`: one identifier in each, and `/` at the end.

        `url` is for what speaks S3 elsewhere. Without a key, boto3 finds credentials of AWS.
        """

        region: str
        prefixes: tuple[str, ...]
        url: str = ""
        access_key_id: str = ""
        secret_access_key: str = field(default="", repr=False)

    capabilities = Capabilities(
        system="aws",
        rights=frozenset({Right.ACCESS, Right.ERASURE, Right.PORTABILITY}),
        kinds=KINDS,
        limits=(Limit(calls=3500, per=timedelta(seconds=1)),),  # deletions; reads may be more
        credentials=Credentials(live=("AKIA", "ASIA")),  # IAM's unique ids: users, and STS
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        self._templates = _templates(settings.prefixes)
        if settings.url and not (settings.access_key_id and settings.secret_access_key):
            # Never let credentials that lie around go to another address than AWS's.
            raise SettingsError(f"{variable('aws', 'access_key_id')} is not set, and the URL is")
        self._s3 = S3(
            settings.url, settings.region, settings.access_key_id, settings.secret_access_key
        )
        self._files = Files(self._s3)

    async def check(self) -> None:
        """Lists versions and uploads under each prefix, and reads an object that is not there.

        S3 says that a key is missing only to those who may read it.
        """
        for it in self._templates:
            under = {"Bucket": it.bucket, "Prefix": it.canary}
            await self._s3.ask("list_object_versions", "IsTruncated", MaxKeys=1, **under)
            await self._s3.ask("list_multipart_uploads", "IsTruncated", MaxUploads=1, **under)
            await self._files.read(Place(it.bucket, f"{it.canary}canary", "null"))

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """Everything under each prefix that an identifier of the subject makes."""
        seen = set(known)
        for holding in known:
            there = await self._there(holding.kind, Place.of(holding))
            found = Holding(holding.kind, holding.id, KINDS[holding.kind])
            yield Page(gone=(holding,)) if there is None else Page(holdings=(found,))
        for bucket, prefix in prefixes(self._templates, subject):
            async for listed in self._files.under(bucket, prefix):
                every = (place.holding(kind, KINDS[kind]) for kind, place, _ in listed)
                fresh = tuple(it for it in every if it not in seen)
                seen.update(fresh)
                yield Page(holdings=fresh)

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """What S3 says of it, and then a file's content, in pieces to be put together."""
        place = Place.of(holding)
        if holding.kind == "upload":
            async for parts in self._files.parts(place):
                yield _record(holding, place, parts)
        elif holding.kind == "delete_marker":
            row = await self._files.row(holding.kind, place)
            if row is not None:
                yield _record(holding, place, {"LastModified": row["LastModified"]})
        else:
            first = await self._files.read(place, PIECE)
            if first is None:
                return
            yield _record(holding, place, await self._files.about(place, first))
            async for body in self._files.pieces(place, first):
                yield Record(holding, body, first.get("ContentType") or "binary/octet-stream")

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """Deletes by the version's id: without one, S3 only hides. Reads the lock before."""
        place = Place.of(holding)
        if keep & KINDS[holding.kind]:
            return NotSupported("indivisible")
        try:
            stays = await self._stays(holding.kind, place)
            return stays or await self._delete(holding.kind, place)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)

    async def __aexit__(self, *_: object) -> None:
        await self._s3.close()

    async def _stays(self, kind: str, place: Place) -> Outcome | None:
        """Why it cannot go, or that it has gone; None if it can.

        Without a delete marker, the newest version below it would be there again for everybody.
        """
        there = await self._there(kind, place)
        if there is None:
            return Erased()
        if kind == "object":
            return _locked(there, "object_lock")
        if kind == "delete_marker" and there["IsLatest"]:
            async for beside, version, _ in self._files.beside(place):
                below = await self._files.row(beside, version) if beside == "object" else None
                if below is not None:
                    return _locked(below, "hides") or Failed("hides")
        return None

    async def _there(self, kind: str, place: Place) -> Row | None:
        """What S3 says of it; None also if its whole bucket is gone, and not one to look in."""
        try:
            return await self._files.row(kind, place)
        except S3Error as refused:
            if refused.code == "NoSuchBucket" and all(
                it.bucket != place.bucket for it in self._templates
            ):
                return None
            raise

    async def _delete(self, kind: str, place: Place) -> Outcome:
        if kind == "upload":
            await self._s3.ask("abort_multipart_upload", **place.upload)
            return Erased()
        if not place.key.isprintable():  # what XML cannot say
            await self._s3.ask("delete_object", **place.version)
            return Erased()
        which = {"Objects": [{"Key": place.key, "VersionId": place.mark}]}
        said = await self._s3.ask("delete_objects", Bucket=place.bucket, Delete=which) or {}
        codes = {str(it.get("Code", "")) for it in said.get("Errors", ())}
        if codes & LATER or not (codes or said.get("Deleted")):
            raise RetryableError("delete_objects: not done")
        if codes <= ABSENT:
            return Erased()
        return Failed("forbidden" if "AccessDenied" in codes else "refused")


def _templates(texts: Sequence[str]) -> tuple[Template, ...]:
    try:
        read = tuple(Template.read(it) for it in texts)
    except ValueError as error:
        raise SettingsError(f"{variable('aws', 'prefixes')}: {error}") from None
    if not read:
        raise SettingsError(f"{variable('aws', 'prefixes')} is empty")
    return read


def _locked(row: Row, reason: str) -> Outcome | None:
    """What keeps a version: a hold without an end, or a retention with one."""
    if row.get("ObjectLockLegalHoldStatus") == "ON":
        return NeedsHuman("legal_hold")
    until: datetime | None = row.get("ObjectLockRetainUntilDate")
    if until is None or until <= datetime.now(UTC):
        return None
    return Blocked(until.astimezone(UTC), reason)


def _record(holding: Holding, place: Place, said: Row) -> Record:
    about = {"Bucket": place.bucket, "Key": place.key, "Id": place.mark, **said}
    body = json.dumps(about, default=_plain, ensure_ascii=False, sort_keys=True)
    return Record(holding, body.encode())


def _plain(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
