"""Assemble: build, sign and seal what the subject receives; say where it lies."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from connectors.sdk.interface import Record
from schemas.codec import Codec
from schemas.events import Event, ResponseOrdered, ResponseSigned
from schemas.records import ExportRow, Sealed
from schemas.sealed import SealError, unseal_event

from ..crash import passing
from ..grants import Grants
from ..policy import Policy
from ..ports import LaterError, ObjectMissingError, Objects, Signer
from ..response.answer import Catalogue, answer
from ..response.package import Package
from ..segments import UnpackError, open_stream, seal_stream, unpack

WAIT = timedelta(minutes=1)
"""Until an export that is not there yet is looked for again."""


def _now() -> datetime:
    return datetime.now(UTC)


class Assemble:
    """The work of the response host.

    `catalogue` says, by system, what the codes in its outcomes mean. Nothing of the person is ever
    outside memory in the clear: the package goes into its sealed object as it is written.
    """

    system = "response"

    def __init__(
        self,
        objects: Objects,
        signer: Signer,
        policy: Policy,
        codec: Codec,
        *,
        catalogue: Catalogue | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._objects = objects
        self._signer = signer
        self._policy = policy
        self._codec = codec
        self._catalogue = catalogue or {}
        self._now = now

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """Say `response_signed`.

        Raises `LaterError` while an export is missing, and `SealError` if one is not what the
        order lists.
        """
        if not isinstance(order, ResponseOrdered):
            raise TypeError("the response host assembles responses")
        person = unseal_event(self._codec, order, grants.record().key, self.system)
        package = self._package(order, person, grants)
        grant = grants.package(self.system)
        name = f"{order.case}/response-{order.n}-{secrets.token_hex(8)}"
        sealed = seal_stream(grant.key, grant.key_id, name, package.chunks())
        try:
            await self._objects.put(name, sealed)
        except ObjectMissingError:
            raise LaterError(self._now() + WAIT, "export_missing") from None
        except UnpackError:
            raise SealError("an export does not hold records") from None
        passing("assembler.after-zip")
        return (
            ResponseSigned(
                case=order.case,
                order=order.order,
                system=self.system,
                n=order.n,
                name=name,
                digest=package.digest,
                size=package.size,
                records=package.records,
            ),
        )

    def _package(self, order: ResponseOrdered, person: Sealed, grants: Grants) -> Package:
        async def exports(system: str) -> AsyncIterator[Record]:
            for row in order.exports:
                if row.system == system:
                    async for record in self._records(row, grants):
                        yield record

        said = answer(order, person, self._policy, self._catalogue, self._now())
        return Package(order, said, exports, self._signer)

    async def _records(self, row: ExportRow, grants: Grants) -> AsyncIterator[Record]:
        """The records of one export. Raises `SealError` at its end if it is not the listed one."""
        digest, records = sha256(), 0

        async def sealed() -> AsyncIterator[bytes]:
            async for chunk in self._objects.get(row.name):
                digest.update(chunk)
                yield chunk

        key = grants.package(row.system).key
        async for record in unpack(open_stream(key, row.name, sealed())):
            records += 1
            yield record
        if digest.digest() != row.digest or records != row.records:
            raise SealError("an export is not the one that was listed")
