"""What notices say: short, plain, and without a word about the person they go to."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.case.incident import NOTICE as BREACH
from pipeline.case.marks import DECIDED
from pipeline.case.reviews import REVIEWED
from schemas.events import NoticeOrdered

from . import dates, words
from .pages import rendered

SUBJECTS = {
    "received": "We have received your request",
    "confirm": "Please confirm this address",
    "identity_asked": "Please confirm that your request is yours",
    "identity_refused": "We could not confirm who you are",
    "response_ready": "The answer to your request is ready",
    "looked_again": "We have looked again, as we said we would",
    "brought_back": "Something of yours was there again, and we have seen to it",
    "approval_asked": "A plan waits for your approval",
    "broke": "A step of a case broke, and is not tried again",
    "documents": "A request concerns documents that we hold for a customer",
    "received_late": "A request came in after its answer was due",
    "refused": "We do not do what you asked for, and why",
    "fee_asked": "Your request would cost something",
    "withdrawn": "You have withdrawn your request",
    "withdrawn_part": "You have withdrawn a part of your request",
    "joined": "You have asked for the same before",
    "people": "Something waits for you",
    "people_again": "Something still waits for you",
    "people_untaken": "Urgent: nobody has taken what waits for you",
    "extended": "Your request takes longer",
    "progress": "We are still working on your request",
    "paused": "We need something from you to go on",
    "resumed": "We go on with your request",
    "reminder": "An answer is due soon",
    "escalation": "Urgent: an answer is due in days",
    "late": "Urgent: an answer is late",
    "lifting": "The restriction of your data ends",
    BREACH: "Your personal data may have been breached",
    "incident": "Urgent: a breach of personal data is open",
    "incident_due": "Urgent: a breach of personal data waits for a decision",
    "incident_late": "Urgent: a breach was not notified within 72 hours",
    "overriding": "A use that you objected to goes on, and why",
    "reviewed": "A person has decided anew what a machine had decided",
    "resolved": "What you said was wrong has been looked at",
    "recipient": "A recipient could not be told, or does not answer",
}

PAGES = {"confirm": "confirm"}
"""The page that a notice's link opens, by its kind; the others have no link."""
REASONED = frozenset({"refused", "fee_asked"})
"""Notices that are none without a ground and reasons (GDPR Art. 12(4), 12(5))."""
OF_BREACH = ("happened", "consequences", "measures")
"""What the affected are told, in this order."""
COMMAND = "    "
"""What a paragraph starts with that is a command."""


class UnknownNoticeError(Exception):
    """A kind of notice that there is no letter for, or none without reasons."""


class NoPageError(Exception):
    """The letter is a link, and it is not known where our pages are."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in words: the same in plain text and as a page."""

    subject: str
    text: str
    html: str


class Letters:
    """Writes notices in the name of the `controller`, who is written to at `contact`."""

    def __init__(self, *, controller: str, contact: str) -> None:
        self._ours = {"controller": controller, "contact": contact}

    def letter(self, order: NoticeOrdered, token: str, pages: str, says: str = "") -> Letter:
        """The letter that an order asks for; `pages` is the address of our pages, if it is known,
        and `says` what a person wrote for the reader.

        Raises `UnknownNoticeError`, and `NoPageError` rather than ask for what cannot be done.
        """
        if order.kind not in SUBJECTS:
            raise UnknownNoticeError(order.kind)
        if order.kind in REASONED and order.reason not in words.JUSTIFICATIONS:
            raise UnknownNoticeError(order.kind)
        if order.kind in {*REASONED, REVIEWED, *DECIDED.values()} and not says.strip():
            raise UnknownNoticeError(order.kind)
        shown = {
            **self._ours,
            "kind": order.kind,
            "case": str(order.case),
            "follows": str(order.follows or ""),
            "response": order.response,
            "digest": order.digest.hex(),
            "due": words.day(order.due_at),
            "until": words.day(order.expires_at) if order.expires_at else "",
            "holdings": order.holdings,
            "to": order.to,
            "why": order.reason,
            "asked": words.day(order.asked_at) if order.asked_at else "",
            "waits": dates.waits(order.waits),
            "reason": words.JUSTIFICATIONS.get(order.reason, ""),
            "says": " ".join(says.split()),
            **_of_breach(order, says),
            "hour": words.hour(order.expires_at) if order.expires_at else "",
            "fee": f"{order.fee / 100:.2f} {order.currency}",
            **_of_withdrawal(order),
            "things": "1 thing waits" if order.items == 1 else f"{order.items} things wait",
            "untaken": order.untaken,
            "taken": _taken(order),
            "token": token,
            "link": (link := _link(order.kind, token, pages)),
        }
        paragraphs = list(_paragraphs(rendered("letter.txt", **shown).decode()))
        text = "\n\n".join(map(_wrapped, paragraphs)) + "\n"
        html = rendered("letter.html", paragraphs=paragraphs, link=link).decode()
        return Letter(f"{SUBJECTS[order.kind]} [{str(order.case)[:8]}]", text, html)


def _of_breach(order: NoticeOrdered, says: str) -> dict[str, str]:
    """What Art. 34(2) asks for, each in words of its own. Raises `UnknownNoticeError` without."""
    if order.kind != BREACH:
        return {}
    parts = [" ".join(it.split()) for it in says.split("\n\n") if it.strip()]
    if len(parts) != len(OF_BREACH):
        raise UnknownNoticeError(order.kind)
    return dict(zip(OF_BREACH, parts, strict=True))


def _of_withdrawal(order: NoticeOrdered) -> dict[str, object]:
    """What was withdrawn, what had been done by then, and what goes on."""
    return {
        "rights": order.rights,
        "withdrawn": words.joined(map(words.right, order.rights)),
        "copied": words.joined(map(words.system, order.copied)),
        "acted": words.joined(map(words.system, order.acted)),
        "told": words.joined(map(words.system, order.told)),
        "recipients": words.joined(order.recipients),
        "goes_on": words.joined(map(words.right, order.goes_on)),
    }


def _taken(order: NoticeOrdered) -> str:
    """Who sees to what waits for people, in a sentence; empty if nothing does."""
    if not order.items:
        return ""
    if order.untaken == order.items:
        return "Nobody has taken it." if order.items == 1 else "Nobody has taken any of it."
    have = "has" if len(order.takers) == 1 else "have"
    what = f"some of it, and nobody has taken {order.untaken} more" if order.untaken else "it"
    return f"{words.joined(order.takers)} {have} taken {what}."


def _link(kind: str, token: str, pages: str) -> str:
    if kind not in PAGES:
        return ""
    if not pages:
        raise NoPageError(kind)
    return f"{pages.rstrip('/')}/{PAGES[kind]}/{token}"


def _paragraphs(text: str) -> Iterator[str]:
    """What stands between empty lines; each in one line."""
    for it in text.split("\n\n"):
        if it.strip():
            command = it.strip("\n").startswith(COMMAND)
            yield COMMAND + it.strip() if command else " ".join(it.split())


def _wrapped(paragraph: str) -> str:
    """Lines as mail has them (RFC 5322, section 2.1.1); a command stays in one, to be copied."""
    if paragraph.startswith(COMMAND):
        return paragraph
    return textwrap.fill(paragraph, 76, break_long_words=False, break_on_hyphens=False)
