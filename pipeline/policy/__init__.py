"""The privacy policy and the law as data: TOML files, read into frozen records."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from connectors.sdk.interface import Capabilities

FILES = ("bizxpert.toml", "gdpr.toml")


class PolicyError(Exception):
    """A policy file that cannot be used. The message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A sentence about a rule that runs as a test."""

    why: str
    row: Mapping[str, str]
    facts: Mapping[str, str]
    gives: str
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A rule under which something is kept although its erasure is asked for."""

    id: str
    says: str
    source: str
    article: str
    reason: str
    years: int = 0
    anchor: str = ""
    """The fact with the date the period runs from; no fact, no date yet. Empty: no date ever."""
    needs: frozenset[str] = frozenset()
    """Facts without which the rule can neither apply nor not apply."""
    rows: frozenset[tuple[str, str, str]] = frozenset()
    """(system, kind, category) it covers."""
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """One line of the data map."""

    system: str
    kind: str
    categories: frozenset[str]
    role: str
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy a case is decided under. `digest` is SHA-256 over its files."""

    digest: bytes
    controller: str
    dpo: str
    identity_level: int
    waived_up_to: int
    retention: tuple[Retention, ...]
    data: tuple[Data, ...]
    purposes: Mapping[str, Mapping[str, str]]
    recipients: tuple[Mapping[str, str], ...]
    rules: Mapping[str, Mapping[str, str]]
    deadlines: tuple[Mapping[str, str], ...]

    @property
    def facts(self) -> frozenset[str]:
        """The facts that a retention rule may ask for; others are told for a person to read."""
        anchors = {it.anchor for it in self.retention if it.anchor}
        return frozenset(anchors.union(*(it.needs for it in self.retention)))

    def unmapped(self, able: Capabilities) -> tuple[str, ...]:
        """What a system may hold and the data map does not know: `contact (profile, usage)`."""
        mapped = {it.kind: it.categories for it in self.data if it.system == able.system}
        missing = {kind: of - mapped.get(kind, frozenset()) for kind, of in able.kinds.items()}
        return tuple(f"{kind} ({', '.join(sorted(of))})" for kind, of in missing.items() if of)

    def export_kinds(self, system: str) -> tuple[str, ...]:
        """The kinds that an access may export: what we hold as a controller."""
        held = (it for it in self.data if it.system == system and it.role == "controller")
        return tuple(sorted(it.kind for it in held))


def load(folder: Path | None = None) -> Policy:
    """The policy in a folder, by default the one that comes with Habeas. Raises `PolicyError`."""
    texts = [_text((folder or Path(__file__).parent) / name) for name in FILES]
    ours, law = (_parse(name, text) for name, text in zip(FILES, texts, strict=True))
    try:
        return Policy(
            digest=sha256("\0".join(texts).encode()).digest(),
            controller=ours["controller"]["name"],
            dpo=ours["controller"]["dpo"],
            identity_level=ours["identity"]["level"],
            waived_up_to=ours["approval"]["waived_up_to"],
            retention=tuple(_retention(it) for it in ours.get("retention", ())),
            data=tuple(_data(it) for it in ours["data"]),
            purposes={it["id"]: it for it in ours["purposes"]},
            recipients=tuple(ours["recipients"]),
            rules={it["id"]: it for it in law["rules"]},
            deadlines=tuple(law["deadlines"]),
        )
    except (KeyError, TypeError) as error:
        raise PolicyError(f"the policy lacks or misspells {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise PolicyError(
            f"cannot read {path} ({error.strerror}). HABEAS_POLICY names a folder with"
            f" {' and '.join(FILES)}; without it the ones that come with Habeas are used."
        ) from None


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{name}: {error}") from None


def _retention(read: dict[str, Any]) -> Retention:
    rows = {(it["system"], it["kind"], c) for it in read["rows"] for c in it["categories"]}
    examples = tuple(Example(**it) for it in read.get("examples", ()))
    plain = {
        name: value for name, value in read.items() if name not in {"rows", "examples", "needs"}
    }
    return Retention(
        **plain, needs=frozenset(read["needs"]), rows=frozenset(rows), examples=examples
    )


def _data(read: dict[str, Any]) -> Data:
    return Data(
        system=read["system"],
        kind=read["kind"],
        categories=frozenset(read["categories"]),
        role=read["role"],
        purposes=tuple(read["purposes"]),
    )
