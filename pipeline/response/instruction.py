"""What a recipient is told: a document under our signature, and a letter that says the same."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.case.recipients import INFORM_LIFTED
from pipeline.policy import Policy
from pipeline.ports import Signer
from schemas.events import InstructionOrdered
from schemas.records import COMPLETE, Sealed, SealedChange, SealedMeasure

from . import statement, words
from .as_json import as_json

DOCUMENT, ENVELOPE = "instruction.json", "instruction.dsse.json"
INSTRUCTION = "https://bizxpert.com/habeas/instruction/v1"
"""The predicate type of what is signed."""
ASKS: Mapping[str, str] = {
    "copy": "You process personal data for us. The person below has asked us what is held about"
    " them. Please send us, within the time below, a copy of all that you hold about them for us,"
    " or tell us that you hold nothing (GDPR Art. 28(3)(e)).",
    "erase": "You process personal data for us. We instruct you to erase all that you hold for us"
    " about the person below, copies at those who work for you included, and to tell us when it is"
    " done, or that you hold nothing (GDPR Art. 28(3)(a), 28(3)(e)).",
    "correct": "You process personal data for us. Some of what you hold for us about the person"
    " below is wrong. We instruct you to correct it as said below, copies at those who work for you"
    " included, and to tell us when it is done, or that you hold nothing (GDPR Art. 28(3)(a)).",
    "restrict": "You process personal data for us. We instruct you to restrict all that you hold"
    " for us about the person below: keep it, use it for nothing, and tell us when it is marked so,"
    " or that you hold nothing (GDPR Art. 4(3), 28(3)(a)).",
    "lift": "You process personal data for us. We had instructed you to restrict all that you hold"
    " for us about the person below. That ends: you may use it again for what we instruct you to.",
    "stop": "You process personal data for us. The person below objects to direct marketing. We"
    " instruct you to use nothing of theirs for it from now on, nor to profile them for it, and to"
    " tell us when that is so, or that you hold nothing (GDPR Art. 21(3), 28(3)(a)).",
}
"""What is asked of who works on our instructions, in words."""
INFORMS: Mapping[str, str] = {
    "erasure": "They asked us to erase what we hold about them, and we do so, as far as the law"
    " lets us (GDPR Art. 17, 19).",
    "rectification": "Some of it was wrong, and we have corrected what we hold as said below (GDPR"
    " Art. 16, 19).",
    "restriction": "We have restricted what we hold about them: we keep it, and use it for nothing"
    " (GDPR Art. 18, 19).",
    "objection_to_use": "They object to a use of it for which you have it from us. Until that is"
    " decided, and afterwards unless you hear otherwise, we use it for nothing (GDPR Art. 18(1)(d),"
    " 19, 21(1)).",
    "objection": "They object to direct marketing (GDPR Art. 21(2), 21(3)).",
}
"""What who decides for themselves is told, by the right."""
LIFTED = "We had restricted what we hold about them, and told you so. That ends (GDPR Art. 18(3))."
COPY_FIRST = (
    "We have also asked you for a copy of what you hold about them. Please send us that copy"
    " before you erase anything."
)
REMINDER = "We have written to you about this before, and have heard nothing."


@dataclass(frozen=True, slots=True)
class Instruction:
    """What goes out: `envelope` signs `document`, and the letter is for people."""

    subject: str
    text: str
    document: bytes
    envelope: bytes


def instruction(
    order: InstructionOrdered, person: Sealed, policy: Policy, signer: Signer, link: str
) -> Instruction:
    """The instruction that an order asks for, to the recipient that the policy names so.

    It names the person by `person.identifiers` alone. `link` is where they acknowledge it, if our
    pages are up; the same order and link make the same document, whichever attempt it is.
    """
    said = _said(order, person, policy, link)
    document = as_json(said)
    listed = [statement.listed(DOCUMENT, document)]
    envelope = statement.signed(statement.written(INSTRUCTION, listed, said), signer)
    paragraphs = [*_paragraphs(order, policy, link), _lines(person), *_right(person)]
    paragraphs.append(f"Case {order.case}, instruction {order.n}")
    text = "\n\n".join(paragraphs) + "\n"
    return Instruction(_subject(order, policy), text, document, envelope)


def _said(
    order: InstructionOrdered, person: Sealed, policy: Policy, link: str
) -> Mapping[str, Any]:
    return {
        "case": str(order.case),
        "n": order.n,
        "from": {"controller": policy.controller, "contact": policy.dpo},
        "to": order.recipient,
        "right": order.right,
        "article": words.article(order.right),
        "asks": order.asks,
        "says": _asks(order),
        "copy_first": order.copy_first,
        "reminder": order.reminder,
        "identifiers": [{"kind": it.kind, "value": it.value} for it in person.identifiers],
        "changes": [
            {"datum": it.datum, "was": it.was, "to": it.to, "how": it.how}
            for it in _changes(person)
        ],
        "said_at": order.at,
        "answer_by": order.answer_by,
        "acknowledge": {"url": link, "until": order.expires_at} if link else None,
    }


def _asks(order: InstructionOrdered) -> str:
    if order.asks in ASKS:
        return ASKS[order.asks]
    says = LIFTED if order.asks == INFORM_LIFTED else INFORMS[order.right]
    return (
        "You have received personal data from us about the person below."
        f" {says} We inform you of that, since you decide for yourselves about what"
        " you hold."
    )


def _changes(person: Sealed) -> tuple[SealedChange, ...]:
    return person.changes if isinstance(person, SealedMeasure) else ()


def _right(person: Sealed) -> Iterator[str]:
    """What is right, and what it is to replace, a line each."""
    lines = [
        f'    {words.label(it.datum)}: "{it.to}"'
        + (f' (not "{it.was}")' if it.was else "")
        + (" (if it is missing)" if it.how == COMPLETE else "")
        for it in _changes(person)
    ]
    if lines:
        yield "What is right, in the person's own words:"
        yield "\n".join(lines)


def _subject(order: InstructionOrdered, policy: Policy) -> str:
    what = "Instruction" if order.asks in ASKS else "For your information"
    again = "Reminder: " if order.reminder else ""
    return f"{again}{what} from {policy.controller} [{str(order.case)[:8]}-{order.n}]"


def _paragraphs(order: InstructionOrdered, policy: Policy, link: str) -> Iterator[str]:
    def wrapped(said: str) -> str:
        return textwrap.fill(said, 76, break_long_words=False, break_on_hyphens=False)

    yield "Hello,"
    yield wrapped(f"this is a message from {policy.controller}.")
    if order.reminder:
        yield wrapped(REMINDER)
    yield wrapped(_asks(order))
    if order.copy_first:
        yield wrapped(COPY_FIRST)
    please = f"Please confirm by {words.day(order.answer_by)} that you have received this:"
    if link:
        yield wrapped(
            f"{please} open this page, and press the button on it. Opening it alone confirms"
            " nothing."
        )
        yield link
    else:
        yield wrapped(f"{please} reply to this message.")
    yield wrapped(
        f"{DOCUMENT} says the same for machines, and {ENVELOPE} is our signature over it (DSSE,"
        f" Ed25519). Send copies and questions to {policy.dpo}, and name the case below."
    )
    yield "The person is known to you by:"


def _lines(person: Sealed) -> str:
    return "\n".join(f"    {words.identifier(it.kind)}: {it.value}" for it in person.identifiers)
