"""Files and attachments: what hangs on a record, its bytes in pieces, and whose else it is.

A file is a ContentDocument; each of its versions has bytes of its own. Links tell what it hangs
on: users who may read it, libraries, and records.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_contentdocumentlink.htm
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from connectors.sdk.interface import Holding, Record, RetryableError, TerminalError
from connectors.sdk.spelling import normal

from . import soql
from .org import Org, check_ids
from .rest import Rest
from .schema import Row
from .search import holding, strong
from .tables import LINKED, PREFIXES, VERSIONS

_HERE: Final = (None, "S")
"""Where a version may lie to have bytes; others are an address, or in another system."""
_USER: Final = "005"
_PARTS: Final = 2  # of the id of a file as a holding: the file, and the record that it hangs on


class Files:
    """Files come with their versions, once for each record that they hang on."""

    def __init__(self, org: Org, rest: Rest) -> None:
        self._org = org
        self._rest = rest

    async def find(self, wanted: Mapping[str, Iterable[str]]) -> list[Row]:
        """The files of some ids, or of some records."""
        pairs = [tuple(it.split("/")) for it in wanted.get("Id", ())]
        if not all(len(it) == _PARTS for it in pairs):
            raise TerminalError("locate: not an id of a file's")
        check_ids(it for pair in pairs for it in pair)
        pairs += [it async for it in self._links(LINKED, wanted.get(LINKED, ()))]
        schemas, files = await self._org.schemas(), dict[str, Row]()
        async for rows in self._org.query(schemas["file"], {"Id": {it for it, _ in pairs}}):
            files |= {row["Id"]: row | {VERSIONS: []} for row in rows}
        async for rows in self._org.query(schemas["version"], {"ContentDocumentId": files.keys()}):
            for row in rows:
                if row["ContentDocumentId"] not in files:
                    raise RetryableError("GET /queryAll: a version of another file")
                files[row["ContentDocumentId"]][VERSIONS].append(row)
        for it in files.values():
            it[VERSIONS].sort(key=lambda version: version["Id"])
        return [files[it] | {LINKED: record} for it, record in sorted(pairs) if it in files]

    def linked(self, files: Iterable[str]) -> AsyncIterator[tuple[str, str]]:
        """Each of these files with each record that it hangs on."""
        return self._links("ContentDocumentId", files)

    async def is_shared(self, file: str) -> bool:
        """Whether a file hangs on what is not of one person alone."""
        links = [it async for it in self.linked([file])]
        records = [owner for _, owner in links if not owner.startswith(_USER)]
        if not all(it[:3] in PREFIXES for it in records):
            return True  # a library, an account, an object of the org's own
        people = [await self._root(Holding(PREFIXES[it[:3]], it)) for it in records]
        return not all(_is_same(people[0], it) for it in people[1:])

    async def export(self, of: Holding, row: Row) -> AsyncIterator[Record]:
        """The bytes of an attachment, or of every version of a file, under the names they have."""
        if of.kind == "attachment":
            name, size = str(row.get("Name") or ""), row.get("BodyLength")
            async for record in self._rest.file(
                "Attachment", row, "Body", of, called=name, size=size
            ):
                yield record
            return
        for it in row[VERSIONS]:
            name = str(it.get("PathOnClient") or f"{it.get('Title')}.{it.get('FileExtension')}")
            if it.get("ContentLocation") not in _HERE:
                yield Record(of, b"", name=name, missing="no_file")
                continue
            async for record in self._rest.file(
                "ContentVersion", it, "VersionData", of, called=name, size=it.get("ContentSize")
            ):
                yield record

    async def _links(self, by: str, values: Iterable[str]) -> AsyncIterator[tuple[str, str]]:
        """Files and the records they hang on. A link that was taken away leads nowhere."""
        fields = ["Id", "IsDeleted", "ContentDocumentId", LINKED]
        for condition in soql.any_of({by: values}):
            query = soql.select(fields, "ContentDocumentLink", f"WHERE {condition}")
            async for rows in self._rest.query(query):
                for row in rows:
                    match row:
                        case {
                            "IsDeleted": False,
                            "ContentDocumentId": str(it),
                            "LinkedEntityId": str(of),
                        }:
                            yield it, of
                        case {"IsDeleted": True}:
                            pass
                        case _:
                            raise RetryableError("ContentDocumentLink: not a link")

    async def _root(self, it: Holding) -> Holding:
        """The record that stands for itself, of which another is a part."""
        row = await self._org.row(it)
        if row is None:
            return it
        found = holding((await self._org.schemas())[it.kind], row)
        return found if found.part_of is None else await self._root(found.part_of)


def _is_same(one: Holding, other: Holding) -> bool:
    """Whether two records are of one person: the same record, or the same address or user id."""
    mine, theirs = (
        {(it.kind, normal(it.kind, it.value)) for it in strong(of)} for of in (one, other)
    )
    return one == other or bool(mine & theirs)
