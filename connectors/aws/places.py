"""Where a person's files lie: configured prefixes, and the handles of what is found under them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote

from connectors.sdk.interface import Category, Holding, Subject, TerminalError, lower

_TEMPLATE = re.compile(
    r"(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]+)/"
    r"(?P<head>[^{}]*)\{(?P<kind>[a-z][a-z0-9_.]*)\}(?P<tail>[^{}]*/)"
)
_LONGEST_KEY = 1024
"""Bytes of UTF-8, by S3's rules."""
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What XML cannot say: S3 cannot list it."""
_CANARY = "habeas-canary"
MARKS = {"object": "versionId", "upload": "uploadId", "delete_marker": "versionId"}
"""What S3 tells two things under the same key apart by."""


@dataclass(frozen=True, slots=True)
class Template:
    """Where the files of one person lie: `bucket/uploads/{email}/`."""

    bucket: str
    head: str
    kind: str
    """The kind of identifier that stands between `head` and `tail`."""
    tail: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises `ValueError` unless it names a bucket, holds one identifier, and ends with `/`."""
        found = _TEMPLATE.fullmatch(text)
        if found is None:
            raise ValueError("each is bucket/prefix, with one {identifier} and / at the end")
        return cls(**found.groupdict())

    def prefix(self, value: str) -> str | None:
        """The prefix for one identifier; None if no key of S3 can begin so.

        Raises `TerminalError` if S3 cannot say whether one does.

        It is the name of one folder and never of the one above, or of one inside another person's:
        in its name `/` is `%2F` and `%` is `%25`.
        """
        name = value.replace("%", "%25").replace("/", "%2F")
        prefix = f"{self.head}{name}{self.tail}"
        if _UNSPEAKABLE.search(name):
            raise TerminalError("an identifier that no list of S3 can hold")
        try:
            size = len(prefix.encode())
        except UnicodeEncodeError:  # half a surrogate pair
            return None
        climbs = not {".", ".."}.isdisjoint(prefix.split("/"))
        return None if not name.strip() or climbs or size > _LONGEST_KEY else prefix

    @property
    def canary(self) -> str:
        """A prefix that is nobody's."""
        return f"{self.head}{_CANARY}{self.tail}"


def prefixes(templates: Sequence[Template], subject: Subject) -> Iterator[tuple[str, str]]:
    """(bucket, prefix) of all that may be the subject's, each once: e-mails in lower case too."""
    strong = [it for it in subject.identifiers if it.strong]
    found: dict[tuple[str, str], None] = {}
    for template in templates:
        for it in strong:
            forms = (it.value, lower(it.value)) if it.kind == "email" else (it.value,)
            for prefix in (template.prefix(form) for form in forms if it.kind == template.kind):
                if prefix is not None:
                    found[template.bucket, prefix] = None
    yield from found


@dataclass(frozen=True, slots=True)
class Place:
    """One version of an object, one delete marker or one unfinished upload."""

    bucket: str
    key: str = field(repr=False)
    mark: str
    """The version's id (`null` where there are no versions), or the upload's."""

    @classmethod
    def of(cls, holding: Holding) -> Self:
        """Where a holding lies. Raises `TerminalError` if its id is none of ours.

        A delete without a version's id would hide the object and call it deleted.
        """
        path, _, query = holding.id.partition("?")
        bucket, _, key = path.partition("/")
        name, _, mark = query.partition("=")
        if not (bucket and key and mark) or name != MARKS.get(holding.kind):
            raise TerminalError("not the id of a holding")
        return cls(bucket, unquote(key), unquote(mark))

    def holding(self, kind: str, categories: frozenset[Category]) -> Holding:
        """Its handle: `bucket/key?versionId=...`, quoted as in an address of S3."""
        path = f"{self.bucket}/{quote(self.key)}"
        return Holding(kind, f"{path}?{MARKS[kind]}={quote(self.mark, safe='')}", categories)

    @property
    def version(self) -> dict[str, str]:
        """The parameters that name a version."""
        return {"Bucket": self.bucket, "Key": self.key, "VersionId": self.mark}

    @property
    def upload(self) -> dict[str, str]:
        """The parameters that name an upload."""
        return {"Bucket": self.bucket, "Key": self.key, "UploadId": self.mark}
