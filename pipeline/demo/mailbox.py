"""What somebody does with the mail that comes: open the link in it, press the button there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

from aiohttp import ClientError, ClientSession, ClientTimeout

PATIENCE = ClientTimeout(total=30)
_LINK = re.compile(r"https?://\S+/(confirm|acknowledge)/\S+")


class MailboxError(Exception):
    """A link in a mail did not do what the mail says. The message names no address."""


def link(folder: Path, address: str, case: UUID, page: str = "confirm") -> str | None:
    """The link to a page that was mailed to an address because of a case, once it was."""
    for mail in _mails(folder):
        body = mail.get_body(("plain",))
        text = body.get_content() if body is not None and mail["To"] == address else ""
        found = _LINK.search(text) if str(case) in text else None
        if found and found[1] == page:
            return found[0]
    return None


async def press(url: str) -> None:
    """Open the page, which proves nothing, and press its button. Raises `MailboxError`."""
    try:
        async with ClientSession(timeout=PATIENCE) as session:
            for method in ("GET", "POST"):
                async with session.request(method, url) as answer:
                    if answer.status != HTTPStatus.OK:
                        raise MailboxError(f"the link answered {answer.status} to {method}")
    except (ClientError, TimeoutError) as error:
        raise MailboxError(f"the link does not answer ({type(error).__name__})") from None


def _mails(folder: Path) -> Iterator[EmailMessage]:
    for path in folder.glob("*.eml"):
        read = message_from_bytes(path.read_bytes(), policy=policy.default)
        if isinstance(read, EmailMessage):
            yield read
