"""An instruction reaches a recipient, by mail or at their webhook over real HTTP, and is signed."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline import policy
from pipeline.crypto import grants
from pipeline.crypto.grants import Grants
from pipeline.crypto.trusted_keys import TrustedKey
from pipeline.keys.signer import KeySigner
from pipeline.policy.clauses import Recipient
from pipeline.ports import LaterError
from pipeline.response import statement
from pipeline.response.instruction import DOCUMENT, ENVELOPE, INSTRUCTION
from pipeline.stages.deliver import Deliver
from pipeline.storage.mailer import FolderMailer
from pipeline.storage.webhooks import Webhooks
from schemas.codec import locked
from schemas.events import Event, InstructionFailed, InstructionOrdered, InstructionSent
from schemas.records import Sealed, SealedIdentifier
from schemas.sealed import seal_event, unseal_event
from tests.rig import mails_of, text_of
from tests.unit import answers

CODEC = locked()
GRANTS = Grants((grants.grant(grants.RECORD, b"k" * 32, uuid4(), "recipients"),))
KEY = KeySigner(Ed25519PrivateKey.generate())
KEYS = [TrustedKey(public=KEY.public)]
ANN = "ann@example.org"
TOKEN = "0123456789abcdef0123456789abcdef"
PAGES = "https://rights.example.com/"
LINK = f"https://rights.example.com/acknowledge/{TOKEN}"


@dataclass
class Desk:
    """A recipient's webhook: what it was sent, and what it says to that."""

    url: str = ""
    status: int = 202
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers, text="thank you")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk(headers={"X-Request-Id": "their-17"})
    app = web.Application()
    app.router.add_post("/privacy", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/privacy"
    yield made
    await runner.cleanup()


def order(**more: Any) -> InstructionOrdered:
    given: dict[str, Any] = {
        "case": answers.CASE,
        "order": uuid4(),
        "n": 3,
        "attempt": 1,
        "recipient": "acme",
        "right": "erasure",
        "asks": "erase",
        "not_after": answers.NOW,
        "run_limit": 60,
        "at": answers.NOW,
        "answer_by": answers.NOW + timedelta(days=4),
        "expires_at": answers.NOW + timedelta(days=90),
        **more,
    }
    return InstructionOrdered(**given)


async def delivered(
    folder: Path, contact: str, of: InstructionOrdered | None = None, *, pages: str = PAGES
) -> Event:
    """What the recipients' host answers to an order, where the policy names this contact."""
    acme = Recipient(id="acme", name="Acme", role="processor", contact=contact)
    ours = replace(policy.load(None), recipients=(acme,))
    person = Sealed(
        identifiers=(SealedIdentifier(tag=b"t" * 16, kind="email", value=ANN),), token=TOKEN
    )
    grant = GRANTS.record()
    sealed = seal_event(CODEC, of or order(), person, grant.key, grant.key_id, "recipients")
    mailer = FolderMailer(folder)
    async with Webhooks() as webhooks:
        deliver = Deliver(mailer, webhooks, KEY, CODEC, ours, pages=lambda: pages)
        (answer,) = await deliver(sealed, GRANTS)
    return answer


def said(envelope: bytes) -> dict[str, Any]:
    """What an envelope says that we signed."""
    found = statement.opened(envelope, KEYS)
    assert found.about == INSTRUCTION
    return dict(found.said)


async def test_a_mail_says_what_to_do_to_whom_and_by_when_under_our_signature(
    tmp_path: Path,
) -> None:
    answer = await delivered(tmp_path, "privacy@acme.example")
    assert isinstance(answer, InstructionSent)
    (mail,) = mails_of(tmp_path)
    assert mail["To"] == "privacy@acme.example"
    assert ANN not in str(mail["Subject"])
    assert "We instruct you to erase" in text_of(mail)
    assert f"{LINK} " in text_of(mail)
    assert f"E-mail address: {ANN}" in text_of(mail)
    parts = {str(it.get_filename()): bytes(it.get_content()) for it in mail.iter_attachments()}
    signed, document = said(parts[ENVELOPE]), json.loads(parts[DOCUMENT])
    assert signed == document
    assert signed["identifiers"] == [{"kind": "email", "value": ANN}]
    assert (signed["asks"], signed["to"], signed["n"]) == ("erase", "acme", 3)
    assert signed["acknowledge"]["url"] == LINK
    assert answer.digest == hmac.digest(GRANTS.record().key, parts[DOCUMENT], sha256)


async def test_a_webhook_gets_the_envelope_and_a_key_that_makes_a_repeat_harmless(
    tmp_path: Path, desk: Desk
) -> None:
    first, again = order(), order(attempt=2)
    for it in (first, again, order(n=4)):
        assert isinstance(await delivered(tmp_path, desk.url, it), InstructionSent)
    keys = [headers["Idempotency-Key"] for headers, _ in desk.got]
    assert keys[0] == keys[1] != keys[2]
    assert desk.got[0][1] == desk.got[1][1]
    headers, envelope = desk.got[0]
    assert headers["Content-Type"] == "application/vnd.dsse.envelope.v1+json"
    assert said(envelope)["identifiers"] == [{"kind": "email", "value": ANN}]
    assert not mails_of(tmp_path)


async def test_what_they_answered_is_evidence_under_seal(tmp_path: Path, desk: Desk) -> None:
    answer = await delivered(tmp_path, desk.url)
    found = unseal_event(CODEC, answer, GRANTS.record().key, "recipients")
    assert [(it.operation, it.status, it.request) for it in found.evidence] == [
        ("POST webhook", 202, "their-17")
    ]
    assert ANN.encode() not in CODEC.encode(answer)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_who_cannot_take_it_now_is_tried_later(
    tmp_path: Path, desk: Desk, status: int
) -> None:
    desk.status = status
    with pytest.raises(LaterError, match="unavailable"):
        await delivered(tmp_path, desk.url)


async def test_who_is_not_there_is_tried_later(tmp_path: Path) -> None:
    with pytest.raises(LaterError, match="unavailable"):
        await delivered(tmp_path, "http://127.0.0.1:9/privacy")


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410])
async def test_who_does_not_take_it_failed_and_no_redirect_is_followed(
    tmp_path: Path, desk: Desk, status: int
) -> None:
    desk.status, desk.headers = status, {"Location": desk.url}
    answer = await delivered(tmp_path, desk.url)
    assert isinstance(answer, InstructionFailed)
    assert answer.reason == "refused"
    assert len(desk.got) == 1


@pytest.mark.parametrize(
    ("contact", "reason"),
    [
        ("", "no_contact"),
        ("http://acme.example/privacy", "not_https"),
        ("ftp://acme.example", "not_https"),
        ("https://", "not_https"),
        ("a@acme.example, b@acme.example", "bad_address"),
        ("a@acme.example\r\nBcc: b@acme.example", "bad_address"),
    ],
)
async def test_what_is_no_safe_way_to_reach_somebody_is_not_tried(
    tmp_path: Path, contact: str, reason: str
) -> None:
    answer = await delivered(tmp_path, contact)
    assert isinstance(answer, InstructionFailed)
    assert answer.reason == reason
    assert not mails_of(tmp_path)


async def test_while_our_pages_are_not_up_they_are_asked_to_reply(tmp_path: Path) -> None:
    await delivered(tmp_path, "privacy@acme.example", pages="")
    (mail,) = mails_of(tmp_path)
    assert "reply to this message" in text_of(mail)
    assert "http" not in text_of(mail)


SAYS: dict[str, Callable[[str], bool]] = {
    "copy": lambda it: "a copy of all that you hold" in it and "erase" not in it,
    "erase": lambda it: "We instruct you to erase" in it,
    "inform": lambda it: "since you decide for yourselves" in it and "instruct" not in it.lower(),
}


@pytest.mark.parametrize("asks", SAYS)
async def test_each_is_asked_what_they_can_be_asked_for(tmp_path: Path, asks: str) -> None:
    await delivered(tmp_path, "privacy@acme.example", order(asks=asks))
    text = text_of(mails_of(tmp_path)[0]).replace("instruction.json", "").split("Case ")[0]
    assert SAYS[asks](text.replace("instruction.dsse.json", ""))


async def test_an_attempt_that_comes_again_is_the_same_mail(tmp_path: Path) -> None:
    for n in (1, 2):
        await delivered(tmp_path, "privacy@acme.example", order(attempt=n))
    assert len(mails_of(tmp_path)) == 1
