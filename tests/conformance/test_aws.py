"""AWS keeps what `Connector` promises."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any, ClassVar

import pytest

from connectors.aws import Aws, AwsSandbox
from connectors.sdk.conformance import ConnectorConformance, SandboxWorld, more, some
from connectors.sdk.interface import Category, Connector, Identifier, Subject

FOLDERS = {"email": "uploads", "user_id": "exports"}


class AwsWorld(SandboxWorld):
    """A file for each identifier; then uploads, files and markers in turn, in the same folders."""

    searched_by = ("email", "user_id")
    changes_by = ("POST", "PUT", "DELETE")
    tells_case_apart = True
    states: ClassVar = {
        "a file under a legal hold": some("object", LegalHold="ON"),
        "a file in an archive": some("object", StorageClass="GLACIER"),
        "more versions of a file than one": more(1, "object", "Key"),
    }
    sandbox: AwsSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        folders = [
            f"{FOLDERS[it.kind]}/{it.value.replace('%', '%25').replace('/', '%2F')}/"
            for it in subject.identifiers
        ]
        kinds = ["object" for _ in folders]
        more = cycle(("upload", "object", "delete_marker"))
        kinds += islice(more, max(0, holdings - len(folders)))
        for n, (kind, folder) in enumerate(zip(kinds, cycle(folders), strict=False)):
            if n == holdings:
                return
            # Of some files there are several versions; one by itself is under a hold.
            is_object, extra = kind == "object", dict[str, Any]()
            if is_object and n == len(folders) + 1:
                extra = {"LegalHold": "ON"}
            elif is_object and n == len(folders) + 5:
                extra = {"StorageClass": "GLACIER", "Body": "not handed out"}
            name = "held" if "LegalHold" in extra else f"{n // 12}"
            at = {"Bucket": "files", "Key": f"{folder}{name}.txt"}
            content = self._content(kind, with_body="Body" not in extra)
            self.sandbox.plant(kind, {**at, **content, **extra})

    def _content(self, kind: str, *, with_body: bool) -> dict[str, Any]:
        match kind:
            case "object":
                text = self.mark(Category.PROFILE) if with_body else ""
                tags = {"said": self.mark(Category.PROFILE)}
                return {"Body": text, "Metadata": {"by": self.mark(Category.USAGE)}, "Tags": tags}
            case "upload":  # what is not finished is not handed out
                return {"Parts": ["half"]}
            case _:
                return {}

    async def nameless(self) -> bool:
        key = f"{FOLDERS['user_id']}/u-nameless/0.txt"
        self.sandbox.plant("object", {"Bucket": "files", "Key": key, "Body": ""})
        return True

    async def share(self, subject: Subject, other: Subject) -> bool:
        for it in (subject, other):  # in one bucket
            await self.seed(it, holdings=8)
        return True

    async def beside(self, _subject: Subject, _other: Identifier) -> bool:
        return False  # a file lies in one folder, and says no more of whose it is


@asynccontextmanager
async def world_of(connector: type[Connector] = Aws) -> AsyncIterator[AwsWorld]:
    async with AwsSandbox() as sandbox:
        sandbox.buckets.largest_page = 40
        yield AwsWorld(sandbox, connector)


@pytest.fixture
async def world() -> AsyncIterator[AwsWorld]:
    async with world_of() as made:
        yield made


class TestAws(ConnectorConformance):
    """The kit, on AWS."""
