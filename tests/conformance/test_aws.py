"""AWS keeps what `Connector` promises."""

from collections.abc import AsyncIterator
from itertools import cycle, islice
from typing import Any

import pytest

from connectors.aws import Aws, AwsSandbox
from connectors.sdk.conformance import ConnectorConformance, SandboxWorld
from connectors.sdk.interface import Subject

FOLDERS = {"email": "uploads", "user_id": "exports"}


class AwsWorld(SandboxWorld):
    """A file for each identifier; then markers, uploads and files in turn, in the same folders."""

    searched_by = ("email", "user_id")
    changes_by = ("POST", "DELETE")
    sandbox: AwsSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        folders = [
            f"{FOLDERS[it.kind]}/{it.value.replace('%', '%25').replace('/', '%2F')}/"
            for it in subject.identifiers
        ]
        kinds = ["object" for _ in folders]
        more = cycle(("delete_marker", "upload", "object"))
        kinds += islice(more, max(0, holdings - len(folders)))
        for n, (kind, folder) in enumerate(zip(kinds, cycle(folders), strict=False)):
            if n == holdings:
                return
            content: dict[str, dict[str, Any]] = {
                "object": {"Body": f"content {n}"},
                "upload": {"Parts": ["half"]},
            }
            at = {"Bucket": "files", "Key": f"{folder}{n}.txt"}
            self.sandbox.plant(kind, at | content.get(kind, {}))


@pytest.fixture
async def world() -> AsyncIterator[AwsWorld]:
    async with AwsSandbox() as sandbox:
        sandbox.buckets.largest_page = 40
        yield AwsWorld(sandbox, Aws)


class TestAws(ConnectorConformance):
    """The kit, on AWS."""
