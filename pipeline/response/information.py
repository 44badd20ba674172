"""What a person is told about the processing (GDPR Art. 15(1)), as the policy has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.policy import Policy
from schemas.records import FoundRow

from . import words

SOURCES = (  # privacy policy, sections 2 to 4
    "You: when you signed up, asked for a demonstration, wrote to us, or answered a survey.",
    "Your devices: cookies and server logs of our website and app.",
    (
        "Others: providers of analytics, advertising and search, such as Google; our providers of"
        " technical, payment and delivery services, such as Stripe, Salesforce and Segment; data"
        " brokers; public registers, such as Companies House and the Electoral Register."
    ),
)
FURTHER_RIGHTS = (
    ("Correct", "have wrong or incomplete data put right (Art. 16)"),
    ("Erase", "have your data erased where the law does not require us to keep it (Art. 17)"),
    ("Restrict", "have the use of your data halted, for example while a dispute lasts (Art. 18)"),
    ("Take along", "receive what you gave us in a form that machines read (Art. 20)"),
    ("Object", "object to uses that rest on our interests, and to marketing at any time (Art. 21)"),
    ("A person decides", "object to decisions that a machine alone takes about you (Art. 22)"),
)

AUTOMATED = (  # GDPR Art. 15(1)(h)
    "Our privacy policy names no decision about you that a machine takes alone. You may object to"
    " any such decision, and have a person decide (GDPR Art. 22)."
)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What data are used for, where, and why that is lawful."""

    says: str
    basis: str
    where: str
    categories: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who receives data, by name (CJEU C-154/21)."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Kept:
    """How long something is kept on purpose, and where the law allows it."""

    says: str
    what: str
    source: str
    article: str


@dataclass(frozen=True, slots=True)
class Information:
    """What GDPR Art. 15(1)(a) to (h) asks for."""

    purposes: tuple[Purpose, ...]
    categories: tuple[tuple[str, str], ...]
    recipients: tuple[Recipient, ...]
    retention: tuple[Kept, ...]
    sources: tuple[str, ...] = SOURCES
    automated: str = AUTOMATED
    rights: tuple[tuple[str, str], ...] = FURTHER_RIGHTS


def information(policy: Policy, found: tuple[FoundRow, ...]) -> Information:
    """The block for one person: only what concerns the data that were found about them."""
    names = dict.fromkeys(it.category for it in found)
    systems = {it.system for it in found}
    return Information(
        purposes=tuple(_purposes(policy, found)),
        categories=tuple(words.CATEGORIES.get(it, (words.category(it), "")) for it in names),
        recipients=tuple(
            Recipient(it["name"], it["role"]) for it in policy.recipients if it["system"] in systems
        ),
        retention=tuple(_retention(policy, found)),
    )


def _purposes(policy: Policy, found: tuple[FoundRow, ...]) -> Iterable[Purpose]:
    for name, told in policy.purposes.items():
        kinds = {(it.system, it.kind) for it in policy.data if name in it.purposes}
        rows = [it for it in found if (it.system, it.kind) in kinds]
        if rows:
            yield Purpose(
                says=told["says"],
                basis=told["basis"],
                where=words.joined(dict.fromkeys(_where(it.system, it.kind) for it in rows)),
                categories=words.joined(dict.fromkeys(words.category(it.category) for it in rows)),
            )


def _retention(policy: Policy, found: tuple[FoundRow, ...]) -> Iterable[Kept]:
    for rule in policy.retention:
        rows = [it for it in found if (it.system, it.kind, it.category) in rule.rows]
        if rows:
            where = words.joined(dict.fromkeys(_where(it.system, it.kind) for it in rows))
            names = words.joined(dict.fromkeys(words.category(it.category) for it in rows))
            yield Kept(rule.says, f"{names} in {where}", rule.source, rule.article)


def _where(system: str, kind: str) -> str:
    return f"{words.system(system)} {words.kinds(kind)}"
