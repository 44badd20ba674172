"""What notices say: short, plain, and without a word about the person they go to."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from schemas.events import NoticeOrdered

from . import words
from .pages import rendered

SUBJECTS = {
    "identity_asked": "Please confirm that your request is yours",
    "identity_refused": "We could not confirm who you are",
    "response_ready": "The answer to your request is ready",
    "approval_asked": "A plan waits for your approval",
    "received_late": "A request came in after its answer was due",
    "refused": "About your request",
    "extended": "Your request takes longer",
}

COMMAND = "    "
"""What a paragraph starts with that is a command."""


class UnknownNoticeError(Exception):
    """A kind of notice that there is no letter for."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in words: the same in plain text and as a page."""

    subject: str
    text: str
    html: str


class Letters:
    """Writes notices. `portal` is the address of the subject's pages; it may be empty."""

    def __init__(self, portal: str) -> None:
        self._portal = portal.rstrip("/")

    def letter(self, order: NoticeOrdered, token: str) -> Letter:
        """The letter that an order asks for. Raises `UnknownNoticeError`."""
        if order.kind not in SUBJECTS:
            raise UnknownNoticeError(order.kind)
        link = f"{self._portal}/{quote(token, safe='')}" if self._portal and token else ""
        shown = {
            "kind": order.kind,
            "case": str(order.case),
            "response": order.response,
            "digest": order.digest.hex(),
            "due": words.day(order.due_at),
            "until": words.day(order.expires_at) if order.expires_at else "",
            "holdings": order.holdings,
            "reason": words.JUSTIFICATIONS.get(order.reason, ""),
            "token": token,
            "link": link,
        }
        paragraphs = list(_paragraphs(rendered("letter.txt", **shown).decode()))
        text = "\n\n".join(map(_wrapped, paragraphs)) + "\n"
        html = rendered("letter.html", paragraphs=paragraphs, link=link).decode()
        return Letter(f"{SUBJECTS[order.kind]} [{str(order.case)[:8]}]", text, html)


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
