"""The privacy policy and the law as data: TOML files, read into frozen records."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from connectors.sdk.interface import Capabilities
from schemas.records import PlaceRow

from . import clauses, clock, preferences, retention
from .clauses import (
    CONTROLLER,
    PROCESSOR,
    Automated,
    Data,
    Documents,
    Entity,
    Gap,
    Purpose,
    Recipient,
    Source,
)
from .preferences import Preferences
from .retention import Retention

FILES = ("bizxpert.toml", "gdpr.toml")
EARLIER = Path(__file__).parent / "earlier"
"""The policies of releases before this one, a folder each: their open cases go on under them."""


class PolicyError(Exception):
    """A policy file that cannot be used. The message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy a case is decided under. `digest` is SHA-256 over its files."""

    digest: bytes
    texts: tuple[str, ...] = field(repr=False)
    """Of its files, in the order of `FILES`: all that it takes to read it anew."""
    controller: str
    address: str
    dpo: str
    representative: str
    """In the Union (GDPR Art. 27); empty if there is none."""
    own: frozenset[str]
    """Systems that we run ourselves, without anybody behind them who would receive data."""
    notice: str
    """The privacy notice that these files follow, with its version."""
    entities: tuple[Entity, ...]
    identity_level: int
    waived_up_to: int
    retention: tuple[Retention, ...]
    data: tuple[Data, ...]
    purposes: Mapping[str, Purpose]
    recipients: tuple[Recipient, ...]
    sources: Mapping[str, Source]
    automated: tuple[Automated, ...]
    documents: tuple[Documents, ...]
    gaps: tuple[Gap, ...]
    rules: Mapping[str, Mapping[str, str]]
    deadlines: tuple[Mapping[str, str], ...]
    links: frozenset[tuple[str, str, str]] = frozenset()
    """(system, kind, field) that may say who somebody is: written by our own server."""
    clock: clock.Clock = field(default_factory=clock.Clock)
    preferences: Preferences = field(default_factory=Preferences)

    @property
    def facts(self) -> frozenset[str]:
        """The facts that a retention rule may ask for; others are told for a person to read."""
        return self.conditions.union(*(it.reckoned_from for it in self.retention))

    @property
    def conditions(self) -> frozenset[str]:
        """Those of them that say whether a rule applies, and not from when."""
        return frozenset().union(*(it.needs for it in self.retention))

    def facts_about(self, rows: AbstractSet[tuple[str, str, str]]) -> frozenset[str]:
        """The facts that the rules about any of these (system, kind, category) ask for."""
        about = [it for it in self.retention if it.rows & rows]
        return frozenset().union(*(it.needs | it.reckoned_from for it in about))

    def unmapped(self, able: Capabilities) -> tuple[str, ...]:
        """What a system may hold and the data map does not know: `contact (profile, usage)`."""
        mapped = {it.kind: it.categories for it in self.data if it.system == able.system}
        missing = {kind: of - mapped.get(kind, frozenset()) for kind, of in able.kinds.items()}
        return tuple(f"{kind} ({', '.join(sorted(of))})" for kind, of in missing.items() if of)

    def export_kinds(self, system: str) -> tuple[str, ...]:
        """The kinds that an access may export: what we hold as a controller."""
        held = (it for it in self.data if it.system == system and it.role == CONTROLLER)
        return tuple(sorted(it.kind for it in held))

    @property
    def processed(self) -> frozenset[tuple[str, str]]:
        """(system, kind) that we hold as a processor: a customer's, and not ours to act on."""
        return frozenset((it.system, it.kind) for it in self.data if it.role == PROCESSOR)

    def places(self, system: str) -> tuple[PlaceRow, ...]:
        """Where in a system customers' documents lie among what is ours."""
        here = (it for it in self.documents if it.system == system and it.begins)
        return tuple(PlaceRow(id=it.id, begins=it.begins) for it in here)

    def document_of(self, system: str, kind: str) -> str:
        """The row that makes all of a kind a customer's documents; empty if it is ours."""
        found = (it.id for it in self.documents if (it.system, it.kind) == (system, kind))
        return next(found, "")

    def customer(self, of: str) -> Documents | None:
        """Whose the documents of a row are."""
        return next((it for it in self.documents if it.id == of), None)

    def recipient(self, system: str) -> Recipient | None:
        """Who stands behind a system."""
        return next((it for it in self.recipients if it.system == system), None)


def load(folder: Path | None = None) -> Policy:
    """The policy in a folder, by default the one that comes with Habeas. Raises `PolicyError`."""
    return read([_text((folder or Path(__file__).parent) / name) for name in FILES])


def read(texts: Sequence[str]) -> Policy:
    """The policy with these texts of its files, in the order of `FILES`. Raises `PolicyError`."""
    ours, law = (_parse(name, text) for name, text in zip(FILES, texts, strict=True))
    who, notice = ours.get("controller", {}), ours.get("notice", {})
    try:
        return Policy(
            digest=sha256("\0".join(texts).encode()).digest(),
            texts=tuple(texts),
            controller=who["name"],
            address=who.get("address", ""),
            dpo=who["dpo"],
            representative=who.get("representative", ""),
            own=frozenset(who.get("own", ())),
            notice=", ".join(notice[it] for it in ("title", "version")) if notice else "",
            entities=tuple(Entity(**it) for it in ours.get("entities", ())),
            identity_level=ours["identity"]["level"],
            waived_up_to=ours["approval"]["waived_up_to"],
            retention=tuple(retention.read(it) for it in ours.get("retention", ())),
            data=tuple(clauses.data(it) for it in ours["data"]),
            purposes={it["id"]: clauses.purpose(it) for it in ours["purposes"]},
            recipients=tuple(clauses.recipient(it) for it in ours["recipients"]),
            sources={it["id"]: clauses.source(it) for it in ours.get("sources", ())},
            automated=tuple(clauses.automated(it) for it in ours.get("automated", ())),
            documents=tuple(Documents(**it) for it in ours.get("documents", ())),
            gaps=tuple(Gap(**it) for it in ours.get("gaps", ())),
            rules={it["id"]: it for it in law["rules"]},
            deadlines=tuple(law["deadlines"]),
            links=frozenset(
                (it["system"], it["kind"], it["field"]) for it in ours.get("links", ())
            ),
            clock=clock.read(ours.get("clock", {})),
            preferences=preferences.read(ours.get("preferences", {}), ours.get("soft_opt_in", ())),
        )
    except (KeyError, TypeError) as error:
        raise PolicyError(f"the policy lacks or misspells {error}") from None
    except ValueError as error:
        raise PolicyError(str(error)) from None


def earlier(folders: Iterable[Path] = ()) -> dict[bytes, Policy]:
    """The policies that came with releases before, and those in `folders`, by digest.

    Raises `PolicyError`.
    """
    found = (load(it) for it in (*sorted(EARLIER.iterdir()), *folders))
    return {it.digest: it for it in found}


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
