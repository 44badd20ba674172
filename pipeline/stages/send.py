"""Send: tell a person, or the DPO, by mail what a notice says. No mail holds data about anybody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email import policy
from email.charset import QP, Charset
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart

from schemas.codec import Codec
from schemas.events import Event, NoticeFailed, NoticeOrdered, NoticeSent
from schemas.records import Evidence, Sealed
from schemas.sealed import seal_event, unseal_event

from ..crash import passing
from ..grants import Grants
from ..ports import Mailer
from ..response.letters import Letters, UnknownNoticeError

_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
)
"""A dot-atom and a domain (RFC 5322, section 3.4.1): no quoting, no comment, no second address."""
_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP  # readable as it is, unlike base64
_FORM = policy.compat32.clone(linesep="\r\n")
"""Headers are written as they are given, a third of the time: all are ours, and the address that is
not was matched.
"""
ACCEPTED = 250
"""What SMTP says when it takes a message (RFC 5321, section 4.2)."""


class Send:
    """The work of the notice host. `sender` is whom mail comes from, and the DPO's address.

    `portal` is the address of the subject's pages; without one, mail asks for a reply instead.
    """

    system = "notice"

    def __init__(self, mailer: Mailer, codec: Codec, *, sender: str, portal: str = "") -> None:
        self._mailer = mailer
        self._codec = codec
        self._sender = sender
        self._letters = Letters(portal)

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """Say `notice_sent`, or why the notice cannot be sent."""
        if not isinstance(order, NoticeOrdered):
            raise TypeError("the notice host sends notices")
        grant = grants.record()
        person = unseal_event(self._codec, order, grant.key, self.system)
        try:
            message = self._message(order, person)
        except _NotSendableError as error:
            failed = NoticeFailed(
                case=order.case, order=order.order, system=self.system, reason=str(error)
            )
            return (failed,)
        name = f"{order.case}-notice-{order.n}"  # the same for each attempt
        await self._mailer.send(message, name)
        passing("sender.after-mail")
        sent = NoticeSent(case=order.case, order=order.order, system=self.system)
        shown = Evidence(operation="mail", status=ACCEPTED, request=str(message["Message-ID"]))
        evidence = Sealed(evidence=(shown,))
        return (seal_event(self._codec, sent, evidence, grant.key, grant.key_id, self.system),)

    def _message(self, order: NoticeOrdered, person: Sealed) -> Message:
        try:
            letter = self._letters.letter(order, person.token)
        except UnknownNoticeError:
            raise _NotSendableError("unknown_notice") from None
        message = MIMEMultipart("alternative", policy=_FORM)
        message["From"] = self._sender
        message["To"] = self._sender if order.to == "dpo" else _address(person)
        message["Subject"] = letter.subject
        message["Message-ID"] = f"<{order.case}.{order.n}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine answers it
        for subtype, content in (("plain", letter.text), ("html", letter.html)):
            part = MIMENonMultipart("text", subtype, policy=_FORM)
            part.set_payload(content, _UTF8)
            message.attach(part)
        return message


class _NotSendableError(Exception):
    """The message is the code that the answer names."""


def _address(person: Sealed) -> str:
    """The person's first e-mail address. A line break or a second address in it is no address."""
    given = next((it.value for it in person.identifiers if it.kind == "email"), None)
    if given is None:
        raise _NotSendableError("no_address")
    if not _ADDRESS.fullmatch(given.strip()):
        raise _NotSendableError("bad_address")
    return given.strip()
