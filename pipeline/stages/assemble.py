"""Assemble: build, sign and seal what the subject receives; say where it lies."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from connectors.sdk import wall_clock
from schemas.codec import Codec
from schemas.events import Event, ResponseOrdered, ResponseSigned
from schemas.records import Sealed, SealedResponse
from schemas.sealed import unseal_event

from ..crypto.grants import Grants
from ..crypto.segments import seal_stream
from ..faults.crash import passing
from ..policy import Policy, PolicyError, read
from ..policy.applicable import portable
from ..ports import LaterError, Objects, Signer
from ..response.answer import answer
from ..response.copies import as_copied
from ..response.package import Package
from ..response.portable import Portion, Tables
from ..response.replies import Catalogue
from .collect import Exports

NO_POLICY, PUT_OFF = "policy_unknown", timedelta(minutes=1)
"""Until the case's policy comes with the order, or this host is of a release that has it."""
PLAIN_FROM = 4
"""The attempt from which on no record is laid out on a page: something in them may be why the
others came to nothing, even if it ended the process.
"""


def _now() -> datetime:
    return wall_clock.now()


class Assemble:
    """The work of the response host.

    `policies` are those at hand, by digest; a case of another one brings it in its order.
    `catalogue` says, by system, what the codes in its outcomes mean, `tables` which field is of
    which category; `today` is the policy in force. Nothing of the person is ever outside memory in
    the clear: the package goes into its sealed object as it is written.
    """

    system = "response"

    def __init__(
        self,
        objects: Objects,
        signer: Signer,
        policies: Mapping[bytes, Policy],
        codec: Codec,
        *,
        catalogue: Catalogue | None = None,
        tables: Tables | None = None,
        today: Policy | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._objects = objects
        self._signer = signer
        self._policies = policies
        self._codec = codec
        self._catalogue = catalogue or {}
        self._tables = tables or {}
        self._today = today
        self._now = now

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """Say `response_signed`: with `records` fewer than were exported, where an export is not
        what its row says. The package tells which system's copy is not in it, and why.

        Raises `LaterError` while an export, or the case's policy, is missing that may still come.
        """
        if not isinstance(order, ResponseOrdered):
            raise TypeError("the response host assembles responses")
        person = unseal_event(self._codec, order, grants.record().key, self.system)
        package = await self._package(order, person, grants)
        grant = grants.package(self.system)
        name = f"{order.case}/response-{order.n}-{secrets.token_hex(8)}"
        sealed = seal_stream(grant.key, grant.key_id, name, package.chunks())
        await self._objects.put(name, sealed)
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
                left_out=package.left_out,
            ),
        )

    async def _package(self, order: ResponseOrdered, person: Sealed, grants: Grants) -> Package:
        exports = Exports(order, self._objects, grants, self._now)
        copies, made = await exports.copies(), self._now()
        brought = as_copied(order, copies)
        policy = self._policy(order, person)
        said = answer(brought, person, policy, self._catalogue, made, copies, self._today)
        return Package(
            brought,
            said,
            exports.records,
            self._signer,
            copies=copies,
            made=made,
            portion=Portion(portable(policy), self._tables) if said.portable else None,
            plain=order.attempt >= PLAIN_FROM,
        )

    def _policy(self, order: ResponseOrdered, what: Sealed) -> Policy:
        """The policy that the case is decided under. Raises `LaterError` if nobody has it here."""
        known = self._policies.get(order.policy)
        if known is None and isinstance(what, SealedResponse) and what.policy_files:
            try:
                known = read(what.policy_files)
            except (PolicyError, ValueError):  # of a later release: this host's is to come
                known = None
        if known is None or known.digest != order.policy:
            raise LaterError(self._now() + PUT_OFF, NO_POLICY)
        return known
