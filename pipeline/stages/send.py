"""Send: tell a person, or the DPO, by mail what a notice says. No mail holds data about anybody."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from email import policy
from email.charset import QP, Charset
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from hashlib import sha256

from connectors.sdk import wall_clock
from schemas.codec import Codec
from schemas.events import Event, NoticeFailed, NoticeOrdered, NoticeSent
from schemas.records import Evidence, Sealed, SealedNotice
from schemas.sealed import seal_event, unseal_event

from ..crypto.grants import Grant, Grants
from ..faults.crash import passing
from ..ports import LaterError, Mailer
from ..response.letters import Letters, NoPageError, UnknownNoticeError

ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
)
"""A dot-atom and a domain (RFC 5322, section 3.4.1): no quoting, no comment, no second address."""
UTF8 = Charset("utf-8")
UTF8.body_encoding = QP  # readable as it is, unlike base64
FORM = policy.compat32.clone(linesep="\r\n")
"""Headers are written as they are given, a third of the time: all are ours, and the address that is
not was matched.
"""
ACCEPTED = 250
"""What SMTP says when it takes a message (RFC 5321, section 4.2)."""
NO_PAGES, PUT_OFF = "pages_not_up", timedelta(minutes=1)
"""Until it is known where our pages are, no mail asks anybody to open one."""


class Send:
    """The work of the notice host: writes in the name of `controller`, as `sender`, the DPO.

    `customers` are the addresses of those whose documents we hold, by the policy's row.
    `pages` says where our pages are now; empty if that is not known.
    """

    system = "notice"

    def __init__(
        self,
        mailer: Mailer,
        codec: Codec,
        *,
        controller: str,
        sender: str,
        customers: Mapping[str, str] | None = None,
        pages: Callable[[], str] = str,
    ) -> None:
        self._mailer = mailer
        self._codec = codec
        self._sender = sender
        self._customers = customers or {}
        self._pages = pages
        self._letters = Letters(controller=controller, contact=sender)

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """Say `notice_sent`, or why the notice cannot be sent."""
        if not isinstance(order, NoticeOrdered):
            raise TypeError("the notice host sends notices")
        grant = grants.record()
        person = unseal_event(self._codec, order, grant.key, self.system)
        try:
            message = self._message(order, person, grant)
        except _NotSendableError as error:
            failed = NoticeFailed(
                case=order.case, order=order.order, system=self.system, reason=str(error)
            )
            return (failed,)
        await self._mailer.send(message, _id("file", order, grant))
        passing("sender.after-mail")
        sent = NoticeSent(case=order.case, order=order.order, system=self.system)
        shown = Evidence(operation="mail", status=ACCEPTED, request=str(message["Message-ID"]))
        evidence = Sealed(evidence=(shown,))
        return (seal_event(self._codec, sent, evidence, grant.key, grant.key_id, self.system),)

    def _message(self, order: NoticeOrdered, person: Sealed, grant: Grant) -> Message:
        try:
            says = person.says if isinstance(person, SealedNotice) else ""
            letter = self._letters.letter(order, person.token, self._pages(), says)
        except UnknownNoticeError:
            raise _NotSendableError("unknown_notice") from None
        except NoPageError:
            raise LaterError(wall_clock.now() + PUT_OFF, NO_PAGES) from None
        message = MIMEMultipart("alternative", policy=FORM)
        message["From"] = self._sender
        message["To"] = self._to(order, person)
        message["Subject"] = letter.subject
        domain = self._sender.rpartition("@")[2]
        message["Message-ID"] = f"<{_id('message', order, grant)}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine answers it
        for subtype, content in (("plain", letter.text), ("html", letter.html)):
            part = MIMENonMultipart("text", subtype, policy=FORM)
            part.set_payload(content, UTF8)
            message.attach(part)
        return message

    def _to(self, order: NoticeOrdered, person: Sealed) -> str:
        if order.to == "dpo":
            return self._sender
        if order.to == "customer":
            return _checked(self._customers.get(order.documents))
        return _address(order, person)


class _NotSendableError(Exception):
    """The message is the code that the answer names."""


def _address(order: NoticeOrdered, person: Sealed) -> str:
    """The address that the order names, or else the person's first.

    A line break or a second address in it is no address.
    """
    emails = (it for it in person.identifiers if it.kind == "email")
    given = next((it.value for it in emails if order.identifier in {b"", it.tag}), None)
    return _checked(given)


def _checked(given: str | None) -> str:
    if given is None:
        raise _NotSendableError("no_address")
    if not ADDRESS.fullmatch(given.strip()):
        raise _NotSendableError("bad_address")
    return given.strip()


def _id(what: str, order: NoticeOrdered, grant: Grant) -> str:
    """The same for each attempt; and once the case's key is gone, nobody can tell whose it was."""
    return hmac.digest(grant.key, f"habeas/mail/1/{what}/{order.n}".encode(), sha256)[:16].hex()
