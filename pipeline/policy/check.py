"""What is unmapped or contradictory in a policy: each with its row, and what to do about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from connectors.sdk.interface import Capabilities, Category

from . import FILES, Policy
from .calendars import is_known
from .clauses import CONTROLLER, PROCESSOR, Data
from .retention import contradictions

NAMES = frozenset(map(str, Category))
ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
COUNTRY = re.compile("[A-Z]{2}")
JURISDICTION = re.compile("[A-Z]{2}(-[A-Z0-9]{1,3})?")
EXCEPTIONS = frozenset(
    f"eu-gdpr:A17{it}"
    for it in (
        "FreedomOfExpression",
        "LegallyRequired",
        "PublicInterest",
        "PublicHealth",
        "Archiving",
        "LegalClaims",
    )
)
"""Why erasure may be refused, as the Data Privacy Vocabulary (W3C, 2.3) has it."""
CONTACT = re.compile(
    r"[^\s@,;<>()\"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
    r"|https://\S+"
    r"|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/\S*)?"
)
"""An address of mail, or of a webhook that nobody reads on the way."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A policy with this cannot be used: something would be decided by accident."""

    row: str
    """Which, as it stands in the file: `[[data]] stripe charge`."""
    says: str
    do: str

    def __str__(self) -> str:
        return f"{FILES[0]}: {self.row}: {self.says}. {self.do}."


def faults(policy: Policy, systems: Mapping[str, Capabilities]) -> tuple[Fault, ...]:
    """Everything that is wrong, for pipelines that ask these systems."""
    return (
        *_unmapped(policy, systems),
        *_of_ids(policy),
        *(fault for it in policy.data for fault in _of_data(policy, it)),
        *_of_purposes(policy),
        *_of_preferences(policy),
        *_of_automated(policy),
        *_of_retention(policy),
        *_of_recipients(policy),
        *_of_documents(policy),
        *_of_clock(policy),
    )


def notes(policy: Policy) -> tuple[str, ...]:
    """What the DPO should know of the policy, and no program can put right."""
    kept = {(system, kind) for it in policy.retention for system, kind, _ in it.rows}
    mapped = {(it.system, it.kind) for it in policy.data}
    used = {purpose for it in policy.data for purpose in it.purposes}
    return (
        *(f"{it.found}: {it.says} [{it.id}]" for it in policy.gaps),
        *(
            f"no row of the data map is for the purpose {it}"
            for it in policy.purposes.keys() - used
        ),
        *(
            f"{it.name} is told by hand: it has no `contact`"
            for it in policy.recipients
            if not (it.system or it.contact)
        ),
        *(
            f"who is told of the documents {it.id} ({it.customer}), the DPO finds out by hand:"
            " there is no `contact`"
            for it in policy.documents
            if not it.contact
        ),
        *(f"{system} {kind} is kept, and not on the data map" for system, kind in kept - mapped),
    )


def _unmapped(policy: Policy, systems: Mapping[str, Capabilities]) -> Iterator[Fault]:
    for system, able in systems.items():
        missing = ", ".join(policy.unmapped(able))
        if missing:
            yield Fault(
                system,
                f"the policy has no [[data]] row for {missing}",
                f"Add them to {FILES[0]} in the folder that HABEAS_POLICY names"
                " (connectors/README.md)",
            )
        if policy.recipient(system) is None and system not in policy.own:
            yield Fault(
                system,
                "the policy does not name it in [[recipients]]",
                "Say who stands behind it, in which role and country; or name it in [controller]"
                " `own`, if you run it yourselves",
            )


def _of_ids(policy: Policy) -> Iterator[Fault]:
    """An id stands in the clear of events, where a sentence is refused; and it names one row."""
    ids = {
        "recipients": [it.id for it in policy.recipients],
        "retention": [it.id for it in policy.retention],
        "documents": [it.id for it in policy.documents],
        "automated": [it.id for it in policy.automated],
    }
    for kind, rows in ids.items():
        for row in rows:
            if not ID.fullmatch(row):
                do = "Make it one word of letters, digits and . _ -, and put the words into `name`"
                yield Fault(f"[[{kind}]] {row}", "the id is no code", do)
    rows_of_data = [f"{it.system} {it.kind}" for it in policy.data]
    for kind, rows in {"data": rows_of_data, **ids}.items():
        for row, count in Counter(rows).items():
            if count > 1:
                yield Fault(f"[[{kind}]] {row}", "it stands there twice", "Leave one of them")


def _of_data(policy: Policy, it: Data) -> Iterator[Fault]:
    row = f"[[data]] {it.system} {it.kind}"
    if it.role not in {CONTROLLER, PROCESSOR}:
        yield Fault(row, f"the role {it.role!r} is none", f"It is {CONTROLLER} or {PROCESSOR}")
    yield from _named(row, it.purposes, policy.purposes, "purposes")
    yield from _named(row, it.sources, policy.sources, "sources")
    yield from _named(row, it.categories, NAMES, "categories")
    yield from _named(row, it.inferred, it.categories, "categories of this row")
    uses = [policy.purposes[name] for name in it.purposes if name in policy.purposes]
    idle = sorted(name for name in it.categories if not any(use.uses(name) for use in uses))
    if idle:
        yield Fault(
            row,
            f"it is held for no purpose that uses {', '.join(idle)}",
            "Name the purpose, or stop holding it",
        )
    if policy.sources and not it.sources and not it.unknown:
        yield Fault(row, "it is not said whence it comes", "Name `sources`, or why: `unknown`")


def _of_purposes(policy: Policy) -> Iterator[Fault]:
    for it in policy.purposes.values():
        row = f"[[purposes]] {it.id}"
        yield from _named(row, it.categories, NAMES, "categories")
        if not it.bases:
            yield Fault(row, "it has no legal basis", "Name `bases`, by their letters in Art. 6(1)")


def _of_preferences(policy: Policy) -> Iterator[Fault]:
    for it in policy.preferences.soft_opt_in.values():
        row = f"[[soft_opt_in]] {it.country}"
        if not COUNTRY.fullmatch(it.country):
            yield Fault(row, "the country is none", "Name it by its two letters of ISO 3166-1")
        if not it.article:
            yield Fault(row, "it is not said which law", "Name the `article`")
        if it.months < 0:
            yield Fault(row, "the months are below 0", "Name how long, or 0: until they object")
    for use in policy.purposes.values():
        if use.single and (use.marketing or use.is_service):
            row = f"[[purposes]] {use.id}"
            says = "one thing that somebody asked for is neither marketing nor a contract's"
            yield Fault(row, says, "Take out `single`, or make a purpose of its own")


def _of_automated(policy: Policy) -> Iterator[Fault]:
    """Who reviews a decision is told what the machine looked at, by the data map."""
    mapped = {(it.system, it.kind) for it in policy.data}
    for decision in policy.automated:
        for system, kind in sorted(decision.inputs - mapped):
            yield Fault(
                f"[[automated]] {decision.id}",
                f"it looks at {system} {kind}, which the data map does not know",
                "Name a row of [[data]] in `inputs`",
            )


def _of_retention(policy: Policy) -> Iterator[Fault]:
    mapped = {(it.system, it.kind, name) for it in policy.data for name in it.categories}
    for rule in policy.retention:
        row = f"[[retention]] {rule.id}"
        yield from _named(row, [rule.reason], EXCEPTIONS, "exceptions of GDPR Art. 17(3)")
        if rule.jurisdiction and not JURISDICTION.fullmatch(rule.jurisdiction):
            yield Fault(
                row, f"the jurisdiction {rule.jurisdiction!r} is none", "Use ISO 3166, or `EU`"
            )
        for says, do in contradictions(rule):
            yield Fault(row, says, do)
        for system, kind, category in sorted(rule.rows - mapped):
            yield Fault(
                row,
                f"it keeps {system} {kind} {category}, which the data map does not have",
                "Add it to the data map, or take it out of the rule",
            )
        for system, kind in sorted({it[:2] for it in rule.rows} & policy.processed):
            yield Fault(
                row,
                f"it keeps {system} {kind}, which is a customer's",
                "What we hold as a processor is kept or erased on their instructions",
            )


def _of_recipients(policy: Policy) -> Iterator[Fault]:
    for it in policy.recipients:
        row = f"[[recipients]] {it.id}"
        if it.role not in {CONTROLLER, PROCESSOR}:
            yield Fault(row, f"the role {it.role!r} is none", f"It is {CONTROLLER} or {PROCESSOR}")
        yield from _named(row, it.purposes, policy.purposes, "purposes")
        yield from _named(row, it.categories, NAMES, "categories")
        if it.contact and not CONTACT.fullmatch(it.contact):
            what = "An address of mail, https://..., or nothing: then people tell them"
            yield Fault(row, f"{it.contact!r} is no contact", what)
        if it.system is None and not (it.categories and it.purposes):
            yield Fault(row, "what it receives is not said", "Name `categories` and `purposes`")
        if it.system is not None and (it.categories or it.purposes):
            yield Fault(
                row,
                "it has a connector, and the data map says what it holds",
                "Take out `categories` and `purposes`",
            )


def _of_documents(policy: Policy) -> Iterator[Fault]:
    theirs = {(it.system, it.kind) for it in policy.documents if it.kind}
    for it in policy.documents:
        if bool(it.kind) == bool(it.begins):
            yield Fault(
                f"[[documents]] {it.id}",
                "it names neither a kind nor what ids begin with, or both",
                "Name one: `kind`, or `begins`",
            )
    for system, kind in sorted(theirs - policy.processed):
        yield Fault(
            f"[[documents]] {system} {kind}",
            "the data map does not have it as a processor's",
            f'Give it role = "{PROCESSOR}" there, or take this row out',
        )
    for system, kind in sorted(policy.processed - theirs):
        yield Fault(
            f"[[data]] {system} {kind}",
            "we are its processor, and it is not said whose it is",
            "Add a [[documents]] row: who is told when somebody asks",
        )


def _named(row: str, names: Iterable[str], known: Iterable[str], table: str) -> Iterator[Fault]:
    for name in sorted(set(names) - set(known)):
        yield Fault(row, f"{name!r} is none of the {table}", "Mend it, or add it there")


def _of_clock(policy: Policy) -> Iterator[Fault]:
    for it in policy.clock.calendars:
        if not is_known(it):
            says = f"no calendar is known of {it!r}"
            yield Fault("[clock] calendars", says, "Name a state, or its part, as ISO 3166 does")
