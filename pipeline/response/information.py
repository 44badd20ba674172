"""What a person is told of the processing (GDPR Art. 15(1), 15(2)), for the data found of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.policy import Policy
from pipeline.policy.clauses import Automated
from pipeline.policy.clauses import Purpose as Clause
from schemas.records import FoundRow

from . import kept, words

EARLIER_SOURCES = (  # privacy policy, sections 2 to 4: of policies that name none
    "You: when you signed up, asked for a demonstration, wrote to us, or answered a survey.",
    "Your devices: cookies and server logs of our website and app.",
    (
        "Others: providers of analytics, advertising and search, such as Google; our providers of"
        " technical, payment and delivery services, such as Stripe, Salesforce and Segment; data"
        " brokers; public registers, such as Companies House and the Electoral Register."
    ),
)
ALWAYS = (
    ("Correct", "have wrong or incomplete data put right (Art. 16)"),
    ("Erase", "have your data erased where the law does not require us to keep it (Art. 17)"),
    ("Restrict", "have the use of your data halted, for example while a dispute lasts (Art. 18)"),
)
"""Rights that there are whatever the data are used for."""
A_PERSON = (
    "A person decides",
    "object to decisions that a machine alone takes about you (Art. 22)",
)
NOT_AUTOMATED = (  # GDPR Art. 15(1)(h)
    "Our privacy policy names no decision about you that a machine takes alone. You may object to"
    " any such decision, and have a person decide (GDPR Art. 22)."
)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What data are used for, where, and why that is lawful: a row for each basis."""

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
    """What GDPR Art. 15(1)(a) to (h) and 15(2) ask for, and who says it."""

    address: str
    """The controller's."""
    representative: str
    notice: str
    entities: tuple[str, ...]
    purposes: tuple[Purpose, ...]
    categories: tuple[tuple[str, str], ...]
    recipients: tuple[Recipient, ...]
    retention: tuple[Kept, ...]
    sources: tuple[str, ...]
    automated: tuple[str, ...]
    rights: tuple[tuple[str, str], ...]


def information(policy: Policy, found: tuple[FoundRow, ...]) -> Information:
    """The block for one person: only what concerns the data that were found about them."""
    names = dict.fromkeys(it.category for it in found)
    bites = tuple(_bites(policy, found))
    return Information(
        address=policy.address,
        representative=policy.representative,
        notice=policy.notice,
        entities=tuple(f"{it.name}, {it.address} ({it.country})" for it in policy.entities),
        purposes=tuple(_purposes(bites)),
        categories=tuple(words.CATEGORIES.get(it, (words.category(it), "")) for it in names),
        recipients=tuple(_recipients(policy, found)),
        retention=tuple(_retention(policy, found)),
        sources=tuple(_sources(policy, found)),
        automated=tuple(map(_automated, policy.automated)) or (NOT_AUTOMATED,),
        rights=tuple(_rights(clause for clause, _ in bites)),
    )


def _bites(
    policy: Policy, found: tuple[FoundRow, ...]
) -> Iterator[tuple[Clause, tuple[FoundRow, ...]]]:
    """The purposes that something found is used for, and what."""
    for clause in policy.purposes.values():
        kinds = {(it.system, it.kind) for it in policy.data if clause.id in it.purposes}
        rows = tuple(
            it for it in found if (it.system, it.kind) in kinds and clause.uses(it.category)
        )
        if rows:
            yield clause, rows


def _purposes(bites: Iterable[tuple[Clause, tuple[FoundRow, ...]]]) -> Iterator[Purpose]:
    for clause, rows in bites:
        for basis in clause.bases:
            yield Purpose(
                says=clause.says,
                basis=basis.says,
                where=words.joined(dict.fromkeys(_where(it.system, it.kind) for it in rows)),
                categories=words.joined(dict.fromkeys(words.category(it.category) for it in rows)),
            )


def _recipients(policy: Policy, found: tuple[FoundRow, ...]) -> Iterator[Recipient]:
    """Those whose systems hold something; and those that nobody can ask, for what they may have."""
    systems, categories = {it.system for it in found}, {it.category for it in found}
    for it in policy.recipients:
        if it.system is None and not it.categories & categories:
            continue
        if it.system is not None and it.system not in systems:
            continue
        may = sorted(words.category(name) for name in it.categories & categories)
        told = [it.says]
        if it.system is None:
            told.append(f"may have received: {words.joined(may)}")
            told += [policy.purposes[name].says.lower() for name in it.purposes]
        told += [f"in {it.country}"] if it.country else []
        told += [f"protected by {it.safeguard}"] if it.safeguard else []
        yield Recipient(it.name, "; ".join(told))


def _sources(policy: Policy, found: tuple[FoundRow, ...]) -> Iterator[str]:
    """What the data map says for sure, why something is unknown, and what else the policy names."""
    if not policy.sources:
        yield from EARLIER_SOURCES
        return
    kinds = dict.fromkeys((it.system, it.kind) for it in found)
    rows = [it for it in policy.data if (it.system, it.kind) in kinds]
    for source in policy.sources.values():
        of = [_where(it.system, it.kind) for it in rows if source.id in it.sources]
        if of:
            whence = " From yourself" if source.provided else " From others"
            yield f"{source.says} ({words.joined(of)}).{whence}."
    for it in rows:
        if it.unknown:
            yield f"Of {_where(it.system, it.kind)} we do not know for sure: {it.unknown}"
    categories = {it.category for it in found}
    for source in policy.sources.values():
        shared = sorted(words.category(it) for it in source.categories & categories)
        if shared:
            yield f"Perhaps {source.says}: {words.joined(shared)}. Our records do not tell."


def _rights(clauses: Iterable[Clause]) -> Iterator[tuple[str, str]]:
    """The rights that there are for these uses: what follows from their bases, and no other."""
    uses = list(clauses)
    yield from ALWAYS
    for name, says, bite in (
        (
            "Take along",
            "receive what you gave us in a form that machines read (Art. 20)",
            [it for it in uses if any(basis.is_portable for basis in it.bases)],
        ),
        (
            "Object",
            "object to uses that rest on our interests (Art. 21(1))",
            [it for it in uses if any(basis.may_be_objected_to for basis in it.bases)],
        ),
        (
            "Stop marketing",
            "object to direct marketing at any time, without a reason: it ends then (Art. 21(2))",
            [it for it in uses if it.marketing],
        ),
        (
            "Withdraw",
            "take back your consent at any time (Art. 7(3))",
            [it for it in uses if any(basis.may_be_withdrawn for basis in it.bases)],
        ),
    ):
        if bite:
            yield name, f"{says}. This concerns: {'; '.join(it.says for it in bite)}"
    yield A_PERSON


def _automated(it: Automated) -> str:
    return f"{it.says} {it.logic} {it.meaning} You may have a person decide instead (GDPR Art. 22)."


def _retention(policy: Policy, found: tuple[FoundRow, ...]) -> Iterable[Kept]:
    for rule in policy.retention:
        rows = [it for it in found if (it.system, it.kind, it.category) in rule.rows]
        if rows:
            where = words.joined(dict.fromkeys(_where(it.system, it.kind) for it in rows))
            names = words.joined(dict.fromkeys(words.category(it.category) for it in rows))
            yield Kept(rule.says, f"{names} in {where}", rule.source, kept.law(rule))


def _where(system: str, kind: str) -> str:
    return f"{words.system(system)} {words.kinds(kind)}"
