"""Notices go to who they are for, say what to do, carry no data, and cannot be bent."""

from __future__ import annotations

import stat
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline import grants
from pipeline.adapters.key_folder import KeyFileError
from pipeline.adapters.mailer import FolderMailer
from pipeline.adapters.signer import FileSigner
from pipeline.grants import Grants
from pipeline.response import words
from pipeline.response.letters import SUBJECTS
from pipeline.stages.send import Send
from schemas.codec import locked
from schemas.events import Event, NoticeFailed, NoticeOrdered, NoticeSent
from schemas.records import Sealed, SealedIdentifier
from schemas.sealed import seal_event, unseal_event
from tests.unit import answers

SENDER = "info@bizxpert.com"
TOKEN = "q7Zt-Kx_91"
GRANTS = Grants((grants.grant(grants.RECORD, b"k" * 32, uuid4(), "notice"),))


def person(*emails: str) -> Sealed:
    return Sealed(
        name="Ann Lee",
        identifiers=tuple(SealedIdentifier(tag=b"", kind="email", value=it) for it in emails),
        token=TOKEN,
    )


async def sent(
    folder: Path, kind: str, who: Sealed, *, to: str = "subject", portal: str = ""
) -> Event:
    """The answer of the notice host to an order."""
    order = NoticeOrdered(
        case=answers.CASE,
        order=uuid4(),
        n=3,
        attempt=1,
        kind=kind,
        to=to,
        not_after=answers.NOW,
        run_limit=60,
        response=1,
        digest=b"\xab" * 32,
        due_at=answers.NOW + timedelta(days=20),
        expires_at=answers.NOW + timedelta(days=14),
        holdings=32,
        reason="eu-gdpr:A12Complexity",
    )
    grant = GRANTS.record()
    sealed = seal_event(locked(), order, who, grant.key, grant.key_id, "notice")
    send = Send(FolderMailer(folder), locked(), sender=SENDER, portal=portal)
    (answer,) = await send(sealed, GRANTS)
    return answer


def mails(folder: Path) -> list[EmailMessage]:
    found = [message_from_bytes(it.read_bytes(), policy=policy.default) for it in folder.iterdir()]
    return [it for it in found if isinstance(it, EmailMessage)]


def modes(folder: Path) -> dict[str, int]:
    return {it.name: stat.S_IMODE(it.stat().st_mode) for it in folder.iterdir()}


def text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


@pytest.mark.parametrize("kind", SUBJECTS)
async def test_every_notice_reaches_its_reader_and_names_nobody(tmp_path: Path, kind: str) -> None:
    to = "dpo" if kind in {"approval_asked", "received_late"} else "subject"
    assert isinstance(await sent(tmp_path, kind, person("ann@example.org"), to=to), NoticeSent)
    (mail,) = mails(tmp_path)
    assert mail["To"] == (SENDER if to == "dpo" else "ann@example.org")
    assert mail["From"] == SENDER
    assert mail["Auto-Submitted"] == "auto-generated"
    html = mail.get_body(("html",))
    assert html is not None
    for said in (text(mail), html.get_content(), mail["Subject"]):
        assert "Ann" not in said
        assert "ann@" not in said
    assert str(answers.CASE) in text(mail)


async def test_a_person_is_asked_to_confirm_by_link_or_code(tmp_path: Path) -> None:
    await sent(tmp_path / "a", "identity_asked", person("ann@example.org"), portal="https://x/ask/")
    await sent(tmp_path / "b", "identity_asked", person("ann@example.org"))
    assert f"https://x/ask/{TOKEN}" in text(mails(tmp_path / "a")[0])
    assert f"leave this code in your reply: {TOKEN}" in text(mails(tmp_path / "b")[0])
    until = words.day(answers.NOW + timedelta(days=14))
    assert f"works once, until {until}" in text(mails(tmp_path / "b")[0])


async def test_the_dpo_is_given_the_command(tmp_path: Path) -> None:
    await sent(tmp_path, "approval_asked", Sealed(), to="dpo")
    assert f"habeas approve {answers.CASE} --plan {'ab' * 32}" in text(mails(tmp_path)[0])
    assert "it touches 32 holdings" in text(mails(tmp_path)[0])


async def test_a_delay_is_explained(tmp_path: Path) -> None:
    await sent(tmp_path, "extended", person("ann@example.org"))
    assert "we need more time for your request. It is complex." in text(mails(tmp_path)[0])


@pytest.mark.parametrize("kind", ["identity_refused", "refused", "extended", "response_ready"])
async def test_who_is_told_no_is_told_where_to_complain(tmp_path: Path, kind: str) -> None:
    await sent(tmp_path, kind, person("ann@example.org"))
    assert "supervisory authority" in text(mails(tmp_path)[0])
    assert "court" in text(mails(tmp_path)[0])


async def test_a_repeat_or_a_new_attempt_sends_one_message(tmp_path: Path) -> None:
    for _ in range(2):
        await sent(tmp_path, "response_ready", person("ann@example.org"))
    assert modes(tmp_path) == {f"{answers.CASE}-notice-3.eml": 0o600}


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.org\r\nBcc: eve@example.org",
        "ann@example.org\nX: y",
        "ann@example.org, eve@example.org",
        "Ann <ann@example.org>",
        "ann",
        "@",
        "",
        "ann@exa mple.org",
        "a\x00@example.org",
        "ann@",
    ],
)
async def test_what_is_no_address_sends_nothing(tmp_path: Path, address: str) -> None:
    answer = await sent(tmp_path / "mail", "refused", person(address))
    assert isinstance(answer, NoticeFailed)
    assert answer.reason == "bad_address"
    assert not (tmp_path / "mail").exists()


async def test_without_an_address_nothing_is_sent(tmp_path: Path) -> None:
    answer = await sent(tmp_path, "refused", person())
    assert isinstance(answer, NoticeFailed)
    assert answer.reason == "no_address"


async def test_an_unknown_notice_is_not_sent(tmp_path: Path) -> None:
    answer = await sent(tmp_path, "birthday", person("ann@example.org"))
    assert isinstance(answer, NoticeFailed)
    assert answer.reason == "unknown_notice"


async def test_the_evidence_is_sealed(tmp_path: Path) -> None:
    answer = await sent(tmp_path, "refused", person("ann@example.org"))
    found = unseal_event(locked(), answer, GRANTS.record().key, "notice")
    (evidence,) = found.evidence
    assert evidence.request == f"<{answers.CASE}.3@bizxpert.com>"


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a.b", "a" * 101])
async def test_a_message_must_have_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        await FolderMailer(tmp_path).send(Message(), name)


def test_a_signing_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    private, public = tmp_path / "keys" / "s.key", tmp_path / "keys" / "s.pem"
    first, second = FileSigner(private, public), FileSigner(private, public)
    assert first.key_id == second.key_id
    assert first.sign(b"x") == second.sign(b"x")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert {it.name for it in private.parent.iterdir()} == {"s.key", "s.pem"}


def test_keys_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    FileSigner(tmp_path / "a.key", tmp_path / "a.pem")
    FileSigner(tmp_path / "b.key", tmp_path / "b.pem")
    with pytest.raises(KeyFileError, match="not the public key"):
        FileSigner(tmp_path / "a.key", tmp_path / "b.pem")
    (tmp_path / "a.key").write_text("rubbish")
    with pytest.raises(KeyFileError, match="cannot read"):
        FileSigner(tmp_path / "a.key", tmp_path / "a.pem")
