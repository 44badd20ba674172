"""What a recipient is told: a document under our signature, and a letter that says the same."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.policy import Policy
from pipeline.ports import Signer
from schemas.events import InstructionOrdered
from schemas.records import Sealed

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
    "inform": "You have received personal data from us about the person below. They asked us to"
    " erase what we hold about them, and we do so, as far as the law lets us. We inform you of"
    " that, since you decide for yourselves about what you hold (GDPR Art. 17, 19).",
}
"""What is asked, in words."""
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
    paragraphs = [*_paragraphs(order, policy, link), _lines(person)]
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
        "says": ASKS[order.asks],
        "copy_first": order.copy_first,
        "reminder": order.reminder,
        "identifiers": [{"kind": it.kind, "value": it.value} for it in person.identifiers],
        "said_at": order.at,
        "answer_by": order.answer_by,
        "acknowledge": {"url": link, "until": order.expires_at} if link else None,
    }


def _subject(order: InstructionOrdered, policy: Policy) -> str:
    what = "For your information" if order.asks == "inform" else "Instruction"
    again = "Reminder: " if order.reminder else ""
    return f"{again}{what} from {policy.controller} [{str(order.case)[:8]}-{order.n}]"


def _paragraphs(order: InstructionOrdered, policy: Policy, link: str) -> Iterator[str]:
    def wrapped(said: str) -> str:
        return textwrap.fill(said, 76, break_long_words=False, break_on_hyphens=False)

    yield "Hello,"
    yield wrapped(f"this is a message from {policy.controller}.")
    if order.reminder:
        yield wrapped(REMINDER)
    yield wrapped(ASKS[order.asks])
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
