"""Where a person's files lie: configured prefixes, and the handles of what is found under them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote, unquote

from connectors.sdk.interface import Borne, Holding, Identifier, Subject, TerminalError

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
        """The prefix for one identifier; None if no key that S3 can list begins so.

        It is the name of one folder and never of the one above, or of one inside another person's:
        in its name `/` is `%2F` and `%` is `%25`.
        """
        name = value.replace("%", "%25").replace("/", "%2F")
        prefix = f"{self.head}{name}{self.tail}"
        try:
            size = len(prefix.encode())
        except UnicodeEncodeError:  # half a surrogate pair
            return None
        climbs = not {".", ".."}.isdisjoint(prefix.split("/"))
        fits = size <= _LONGEST_KEY and not _UNSPEAKABLE.search(name)
        return prefix if name.strip() and fits and not climbs else None

    def value(self, key: str) -> str | None:
        """The identifier whose prefix a key begins with; None if it lies in no such folder."""
        first, *_ = self.tail.split("/")
        folder, *_ = key.removeprefix(self.head).split("/")
        name = folder.removesuffix(first)
        found = name.replace("%2F", "/").replace("%25", "%")
        prefix = self.prefix(found)
        return found if prefix is not None and key.startswith(prefix) else None

    @property
    def canary(self) -> str:
        """A prefix that is nobody's."""
        return f"{self.head}{_CANARY}{self.tail}"


def is_usable(templates: Sequence[Template], identifier: Identifier) -> bool:
    """Whether there is a folder to look into for it."""
    return next(prefixes(templates, Subject((identifier,))), None) is not None


def prefixes(templates: Sequence[Template], subject: Subject) -> Iterator[tuple[str, str]]:
    """(bucket, prefix) of all that may be the subject's, each once, in every spelling."""
    made = (
        (template.bucket, template.prefix(form))
        for template in templates
        for form in subject.forms(template.kind)
    )
    for bucket, prefix in dict.fromkeys(made):
        if prefix is not None:
            yield bucket, prefix


def bears(templates: Sequence[Template], place: Place) -> tuple[Borne, ...]:
    """The identifier that a key's prefix was made with, as it stands there.

    Of folders inside folders the innermost says whose it is: somebody who is called like the
    outer one has nothing in it.
    """
    found = ((it, it.value(place.key)) for it in templates if it.bucket == place.bucket)
    told = [(it.prefix(value) or "", it.kind, value) for it, value in found if value is not None]
    longest = max((len(prefix) for prefix, *_ in told), default=0)
    return tuple(
        Borne("prefix", kind, value) for prefix, kind, value in told if len(prefix) == longest
    )


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

    def handle(self, kind: str) -> str:
        """The id of its holding: `bucket/key?versionId=...`, quoted as in an address of S3."""
        path = f"{self.bucket}/{quote(self.key)}"
        return f"{path}?{MARKS[kind]}={quote(self.mark, safe='')}"

    @property
    def name(self) -> str:
        """What the file is called: the last part of its key that says something."""
        return next((it for it in reversed(self.key.split("/")) if it), "file")

    @property
    def is_speakable(self) -> bool:
        """Whether XML can say its key, in a list of deletions or of parts: neither is quoted."""
        return self.key.isprintable()

    @property
    def version(self) -> dict[str, str]:
        """The parameters that name a version."""
        return {"Bucket": self.bucket, "Key": self.key, "VersionId": self.mark}

    @property
    def upload(self) -> dict[str, str]:
        """The parameters that name an upload."""
        return {"Bucket": self.bucket, "Key": self.key, "UploadId": self.mark}
