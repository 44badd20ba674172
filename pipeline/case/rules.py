"""What decisions rest on beside a case's own events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from connectors.sdk.interface import Capabilities
from schemas.records import IdentifierRow

from ..policy import Policy
from ..policy.brake import Limits
from ..settings import Settings
from .brake import Brake


class UnknownPolicyError(Exception):
    """A case was decided under a policy that is not at hand: give back its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The policy in force and earlier ones, the systems to ask, and the defaults."""

    policy: Policy
    systems: Mapping[str, Capabilities]
    settings: Settings
    earlier: dict[bytes, Policy]
    """Policies of open cases by digest. It grows by what the register has, when that is needed."""
    limits: Limits = field(default_factory=Limits)
    """When the brake engages by itself."""

    def policy_of(self, digest: bytes) -> Policy:
        """The policy with this digest. Raises `UnknownPolicyError`."""
        if digest == self.policy.digest:
            return self.policy
        if digest not in self.earlier:
            raise UnknownPolicyError(
                f"a case was opened under the policy {digest.hex()}, which the register lacks: name"
                " the folder that has its files in HABEAS_EARLIER_POLICIES"
            )
        return self.earlier[digest]

    def brought(self, digest: bytes) -> tuple[str, ...]:
        """The texts of the policy with this digest, for a host that has only the one in force."""
        return () if digest == self.policy.digest else self.policy_of(digest).texts

    def knows(self, digest: bytes) -> bool:
        """Whether the policy with this digest is at hand."""
        return digest == self.policy.digest or digest in self.earlier

    def at_hand(self) -> dict[bytes, Policy]:
        """Every policy that is known here, by digest."""
        return {**self.earlier, self.policy.digest: self.policy}

    def asked_by(self, system: str) -> frozenset[str]:
        """The kinds of identifiers that a system can be asked by."""
        able = self.systems.get(system)
        return frozenset() if able is None else able.asked_by

    def tells_facts(self, system: str) -> bool:
        """Whether a search of a system tells facts."""
        able = self.systems.get(system)
        return able is not None and bool(able.facts)

    def sources(self, fact: str) -> frozenset[str]:
        """The systems that tell a fact."""
        return frozenset(it.system for it in self.systems.values() if fact in it.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the outside adds to one decision: the time, the brake, who a new request is about."""

    now: datetime
    identifiers: tuple[IdentifierRow, ...] = ()
    data: tuple[str, ...] = ()
    """What a new request says is wrong, without the values."""
    received_at: datetime | None = None
    """When a new request counts as received; the broker's time where the intake's runs ahead."""
    brake: Brake = field(default_factory=Brake)
    roles: tuple[str, ...] = ()
    """Of the console that takes a decision; empty if it is none, or the web page's."""
    level: int = 0
    """How surely a person is known whom that console says that it knows."""
    login: bytes = b""
    """A tag of who takes it."""
    others: tuple[UUID, ...] = ()
    """Other open cases in which something is proved that this decision may prove."""
