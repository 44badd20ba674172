"""AWS: files in S3, with all their versions, delete markers and unfinished uploads.

https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html

Found are keys under configured prefixes, and each bears the identifier in its prefix. S3 does not
pass on the deletion of a version: a replica's bucket can be configured itself. What the connector
can never find is in `BEYOND`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from connectors.sdk import wall_clock
from connectors.sdk.http import Ceilings, UnauthorisedError
from connectors.sdk.interface import (
    Blocked,
    Capabilities,
    Category,
    Connector,
    Credentials,
    Datum,
    Erased,
    Failed,
    Holding,
    Identifier,
    Limit,
    NeedsHuman,
    NotSupported,
    Outcome,
    Page,
    Record,
    RetryableError,
    Right,
    Standing,
    Subject,
    TerminalError,
)
from connectors.sdk.registry import SettingsError, variable

from .catalogue import BEYOND, REASONS
from .client import ABSENT, LATER, S3, Row, S3Error, due
from .everybody import Everybody
from .files import PIECE, Files
from .places import Place, Template, bears, is_usable, prefixes
from .tags import GONE, Tags, is_restricted

FILE = frozenset({Category.PROFILE, Category.USAGE})
"""A file is one whole: what the person gave us (profile), and that they did (usage)."""
KINDS: Mapping[str, frozenset[Category]] = {
    "object": FILE,
    "upload": FILE,
    "delete_marker": frozenset({Category.USAGE}),  # last: it hides the versions below it
}


class Aws(Connector):
    """The buckets of one AWS account in one region, or of something that speaks S3."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Ceilings):
        """`prefixes` are `bucket/uploads/{email}/`: one identifier in each, and `/` at the end.

        `url` is for what speaks S3 elsewhere. Without a key, boto3 finds credentials of AWS.
        """

        region: str
        prefixes: tuple[str, ...]
        url: str = ""
        access_key_id: str = ""
        secret_access_key: str = field(default="", repr=False)
        answer_bytes: int = 8 * 1024 * 1024  # a list's 1,000 keys are half of it, a piece less

    capabilities = Capabilities(
        system="aws",
        rights=frozenset({Right.ACCESS, Right.PORTABILITY, Right.ERASURE, Right.RESTRICTION}),
        kinds=KINDS,
        limits=(Limit(calls=3500, per=timedelta(seconds=1)),),  # deletions; reads may be more
        credentials=Credentials(live=("AKIA", "ASIA")),  # IAM's unique ids: users, and STS
        asked_by=frozenset({"email", "phone", "user_id"}),  # of these, what the prefixes hold
        beyond=BEYOND,
        lists_people=True,
        reasons=REASONS,
    )

    def __init__(self, settings: Settings) -> None:
        self._templates = _templates(settings.prefixes)
        if settings.url and not (settings.access_key_id and settings.secret_access_key):
            # Never let credentials that lie around go to another address than AWS's.
            raise SettingsError(f"{variable('aws', 'access_key_id')} is not set, and the URL is")
        self._s3 = S3(
            settings.url,
            settings.region,
            settings.access_key_id,
            settings.secret_access_key,
            settings,
        )
        self._files = Files(self._s3)
        self._tags = Tags(self._s3, self._files)

    async def check(self) -> None:
        """Lists versions and uploads under each prefix, and reads an object that is not there.

        S3 says that a key is missing only to those who may read it, and its tags.
        """
        for it in self._templates:
            under = {"Bucket": it.bucket, "Prefix": it.canary}
            await self._s3.ask("list_object_versions", "IsTruncated", MaxKeys=1, **under)
            await self._s3.ask("list_multipart_uploads", "IsTruncated", MaxUploads=1, **under)
            nothing = Place(it.bucket, f"{it.canary}canary", "null")
            await self._files.read(nothing)
            await self._files.tags(nothing)

    def usable(self, subject: Subject) -> tuple[Identifier, ...]:
        """Those of a kind that a prefix holds, and that a folder can be called by."""
        return tuple(it for it in subject.identifiers if is_usable(self._templates, it))

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """Everything under each prefix that an identifier of the subject makes."""
        seen = set(known)
        for holding in known:
            place = Place.of(holding)
            there = await self._there(holding.kind, place) is not None
            found = self._held(holding.kind, place, holding.id)
            yield Page(holdings=(found,)) if there else Page(gone=(holding,))
        for bucket, prefix in prefixes(self._templates, subject):
            async for listed in self._files.under(bucket, prefix):
                every = (self._held(kind, place, place.handle(kind)) for kind, place, _ in listed)
                fresh = tuple(it for it in every if it not in seen)
                seen.update(fresh)
                yield Page(holdings=fresh)

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """What S3 says of it, and then the file."""
        place = Place.of(holding)
        if holding.kind == "upload":
            async for parts in self._files.parts(place):
                yield _record(holding, place, parts)
        elif holding.kind == "delete_marker":
            row = await self._files.row(holding.kind, place)
            if row is not None:
                yield _record(holding, place, {"LastModified": due(row, "LastModified")})
        else:
            async for record in self._file(holding, place):
                yield record

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

    async def standing(self, holding: Holding) -> Standing | None:
        """By a version's tags: what has none bears no mark. What a file says, S3 cannot tell."""
        place = Place.of(holding)
        tags = await self._tags.of(place) if holding.kind == "object" else None
        if tags is not None:
            return Standing(restricted=is_restricted(tags))
        if await self._there(holding.kind, place) is None:
            return None
        if holding.kind == "object":
            raise RetryableError("get_object_tagging: not there, and the version is")
        return Standing()

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        """A tag of the version; neither an unfinished upload nor a delete marker can have any."""
        place = Place.of(holding)
        try:
            if holding.kind == "object":
                return await self._tags.restrict(place, lift=lift)
            there = await self._there(holding.kind, place)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)
        return GONE if there is None else NotSupported("no_tags")

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        """A file is corrected by whoever writes it."""
        del data
        Place.of(holding)
        return NotSupported("written")

    async def people(
        self, kinds: frozenset[str] = frozenset(), until: datetime | None = None
    ) -> AsyncIterator[Sequence[Subject]]:
        """Whoever has a folder with something in it, by the identifier that it is called by."""
        async for page in Everybody(self._files, self._templates).pages(kinds, until):
            yield page

    async def __aexit__(self, *_: object) -> None:
        await self._s3.close()

    async def _file(self, holding: Holding, place: Place) -> AsyncIterator[Record]:
        """What is said of a file, and the file itself: in pieces, or why it is missing."""
        file = await self._files.open(place, PIECE)
        if file is None:
            return
        yield _record(holding, place, await self._files.about(place, file))
        told = partial(Record, holding, content_type=file.content_type, name=place.name)
        if file.said.get("MissingMeta"):  # metadata that headers cannot say
            yield told(body=b"", missing="metadata")
        if file.missing:
            yield told(body=b"", missing=file.missing)
            return
        async for body, more in self._files.pieces(place, file):
            yield told(body=body, more=more)

    def _held(self, kind: str, place: Place, id_: str) -> Holding:
        return Holding(kind, id_, KINDS[kind], bears(self._templates, place))

    async def _stays(self, kind: str, place: Place) -> Outcome | None:
        """Why it cannot go, or that it has gone; None if it can.

        Without a delete marker, the newest version below it would be there again for everybody.
        """
        there = await self._there(kind, place)
        if there is None:
            return Erased()
        if kind == "object":
            return _locked(there, "object_lock")
        if kind == "delete_marker" and due(there, "IsLatest"):
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
        if not place.is_speakable:
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
    if len({(it.bucket, it.head, it.tail) for it in read}) < len(set(read)):
        raise SettingsError(f"{variable('aws', 'prefixes')}: two identifiers in the same place")
    return read


def _locked(row: Row, reason: str) -> Outcome | None:
    """What keeps a version: a hold without an end, or a retention with one."""
    if row.get("ObjectLockLegalHoldStatus") == "ON":
        return NeedsHuman("legal_hold")
    until = _utc(row["ObjectLockRetainUntilDate"]) if "ObjectLockRetainUntilDate" in row else None
    if until is None or until <= wall_clock.now():
        return None
    return Blocked(until, reason)


def _record(holding: Holding, place: Place, said: Row) -> Record:
    about = {"Bucket": place.bucket, "Key": place.key, "Id": place.mark, **said}
    body = json.dumps(about, default=_plain, ensure_ascii=False, sort_keys=True)
    return Record(holding, body.encode())


def _plain(value: Any) -> str:
    return _utc(value).isoformat() if isinstance(value, datetime) else str(value)


def _utc(at: datetime) -> datetime:
    """A date of S3's, which means UTC where it does not say; the last day of all has no other."""
    try:
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)
