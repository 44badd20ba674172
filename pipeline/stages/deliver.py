"""Deliver: hand an instruction to a recipient, by mail or to their webhook, under our signature."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from email.message import Message
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from hashlib import sha256

from connectors.sdk import wall_clock
from schemas.codec import Codec
from schemas.events import Event, InstructionFailed, InstructionOrdered, InstructionSent
from schemas.records import Evidence, Sealed
from schemas.sealed import seal_event, unseal_event

from ..case.recipients import NO_CONTACT, recipients
from ..crypto.grants import Grant, Grants
from ..faults.crash import passing
from ..policy import Policy
from ..ports import Mailer, Signer, UnreachableError, Webhook
from ..response.instruction import DOCUMENT, ENVELOPE, Instruction, instruction
from .send import ACCEPTED, ADDRESS, FORM, UTF8

PAGE = "acknowledge"
"""The page that the link opens."""


class Deliver:
    """The work of the recipients' host. It reaches those whom the `policy` in force names now.

    `pages` says where our pages are now; empty if that is not known.
    """

    system = "recipients"

    def __init__(
        self,
        mailer: Mailer,
        webhook: Webhook,
        signer: Signer,
        codec: Codec,
        policy: Policy,
        *,
        pages: Callable[[], str] = str,
    ) -> None:
        self._mailer = mailer
        self._webhook = webhook
        self._signer = signer
        self._codec = codec
        self._policy = policy
        self._pages = pages
        self._contacts = {it.id: it.contact for it in recipients(policy)}

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """Say `instruction_sent`, or why the recipient cannot be told.

        Raises `LaterError` while they cannot take it.
        """
        if not isinstance(order, InstructionOrdered):
            raise TypeError("the recipients' host delivers instructions")
        grant = grants.record()
        person = unseal_event(self._codec, order, grant.key, self.system)
        contact = self._contacts.get(order.recipient, "")
        try:
            made = instruction(order, person, self._policy, self._signer, self._link(person))
            evidence = await self._handed_over(order, made, contact, grant)
        except UnreachableError as error:
            return (
                InstructionFailed(
                    case=order.case, order=order.order, system=self.system, reason=str(error)
                ),
            )
        passing("deliverer.after-sending")
        sent = InstructionSent(
            case=order.case,
            order=order.order,
            system=self.system,
            at=wall_clock.now(),
            digest=hmac.digest(grant.key, made.document, sha256),
        )
        shown = Sealed(evidence=(evidence,))
        return (seal_event(self._codec, sent, shown, grant.key, grant.key_id, self.system),)

    def _link(self, person: Sealed) -> str:
        """Where they acknowledge; empty while our pages are not up: then they reply."""
        pages = self._pages()
        return f"{pages.rstrip('/')}/{PAGE}/{person.token}" if pages else ""

    async def _handed_over(
        self, order: InstructionOrdered, made: Instruction, contact: str, grant: Grant
    ) -> Evidence:
        if not contact:
            raise UnreachableError(NO_CONTACT)
        if "://" in contact:
            key = _id("webhook", order, grant)
            status, request = await self._webhook.post(contact, made.envelope, key)
            return Evidence(operation="POST webhook", status=status, request=request)
        if not ADDRESS.fullmatch(contact):
            raise UnreachableError("bad_address")
        message = self._message(order, made, contact, grant)
        await self._mailer.send(message, _id("file", order, grant))
        return Evidence(operation="mail", status=ACCEPTED, request=str(message["Message-ID"]))

    def _message(
        self, order: InstructionOrdered, made: Instruction, contact: str, grant: Grant
    ) -> Message:
        sender = self._policy.dpo
        message = MIMEMultipart("mixed", policy=FORM)
        message["From"] = sender
        message["To"] = contact
        message["Subject"] = made.subject
        domain = sender.rpartition("@")[2]
        message["Message-ID"] = f"<{_id('message', order, grant)}@{domain}>"
        letter = MIMENonMultipart("text", "plain", policy=FORM)
        letter.set_payload(made.text, UTF8)
        message.attach(letter)
        for name, content in ((DOCUMENT, made.document), (ENVELOPE, made.envelope)):
            part = MIMEApplication(content, "json", policy=FORM)  # base64: byte for byte
            part.add_header("Content-Disposition", "attachment", filename=name)
            message.attach(part)
        return message


def _id(what: str, order: InstructionOrdered, grant: Grant) -> str:
    """The same for each attempt; and once the case's key is gone, nobody can tell whose it was."""
    said = f"habeas/instruction/1/{what}/{order.n}".encode()
    return hmac.digest(grant.key, said, sha256)[:16].hex()
