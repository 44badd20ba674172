"""The mark of a file that is not to be used: a tag of its version, among those that it has.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html: what is written replaces
all tags, of which there are ten at most, and there is no condition on what they were: what somebody
else writes between our read and our write is lost. S3 heeds the tag if a bucket's policy says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sdk.interface import Failed, NotSupported, Outcome, Restricted

from .client import S3, S3Error
from .files import Files
from .places import Place

RESTRICTED, SET = "habeas-restricted", "true"
GONE = Failed("not_found")
MOST_TAGS = 10
"""Of one version."""


def is_restricted(tags: Mapping[str, str]) -> bool:
    """Whether the mark is among them."""
    return tags.get(RESTRICTED) == SET


class Tags:
    """Tags of versions in one account."""

    def __init__(self, s3: S3, files: Files) -> None:
        self._s3 = s3
        self._files = files

    async def of(self, place: Place) -> Mapping[str, str] | None:
        """All tags of a version; None if there is none, or not even its bucket."""
        try:
            return await self._files.tags(place)
        except S3Error as refused:
            if refused.code == "NoSuchBucket":
                return None
            raise

    async def restrict(self, place: Place, *, lift: bool) -> Outcome:
        """Set the mark, or take it off; all other tags stay."""
        tags = await self.of(place)
        if tags is None:
            return GONE
        others = {name: it for name, it in tags.items() if name != RESTRICTED}
        meant = others if lift else {**others, RESTRICTED: SET}
        if meant == tags:
            return Restricted()
        if len(meant) > MOST_TAGS:
            return NotSupported("tags_full")
        return Restricted() if await self._write(place, meant) else GONE

    async def _write(self, place: Place, tags: Mapping[str, str]) -> bool:
        """Whether the version is there."""
        if not tags:
            return await self._s3.ask("delete_object_tagging", **place.version) is not None
        named = [{"Key": name, "Value": value} for name, value in tags.items()]
        given = {"Tagging": {"TagSet": named}, **place.version}
        return await self._s3.ask("put_object_tagging", **given) is not None
