"""Notices go to who they are for, say what to do, carry no data, and cannot be bent."""

from __future__ import annotations

import os
import re
import stat
import time
from dataclasses import replace
from datetime import timedelta
from email.message import Message
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.case.incident import NOTICE as BREACH
from pipeline.crypto import grants
from pipeline.crypto.grants import Grants
from pipeline.ports import LaterError
from pipeline.response import words
from pipeline.response.letters import PAGES as PAGES_OF
from pipeline.response.letters import SUBJECTS
from pipeline.stages.send import Send
from pipeline.storage.mailer import FolderMailer
from schemas.codec import locked
from schemas.events import Event, NoticeFailed, NoticeOrdered, NoticeSent
from schemas.records import Sealed, SealedIdentifier, SealedNotice
from schemas.sealed import seal_event, unseal_event
from tests.rig import mails_of, text_of
from tests.unit import answers

SENDER = "info@bizxpert.com"
TOKEN = "q7Zt-Kx_91"
REASONS = "You asked for the same again, and again for a payment to stop asking."
CONTROLLER = "BizXpert, Inc."
TO_DPO = {"approval_asked", "received_late", "broke", "reminder", "escalation", "late"}
TO_DPO |= {"people", "people_again", "people_untaken"}
TO_DPO |= {"incident", "incident_due", "incident_late"}
PAGES = "https://privacy.example.org/"
GRANTS = Grants((grants.grant(grants.RECORD, b"k" * 32, uuid4(), "notice"),))


def person(*emails: str) -> SealedNotice:
    return SealedNotice(
        name="Ann Lee",
        identifiers=tuple(
            SealedIdentifier(tag=it.encode(), kind="email", value=it) for it in emails
        ),
        token=TOKEN,
        says=REASONS,
    )


def reader(kind: str) -> SealedNotice:
    """Somebody who is told this, with the words that it brings: of a breach there are three."""
    who = person("ann@example.org")
    if kind != BREACH:
        return who
    return replace(who, says="It lay open.\n\nSomebody may write to you.\n\nIt is closed.")


async def sent(
    folder: Path,
    kind: str,
    who: Sealed,
    grants: Grants = GRANTS,
    pages: str = PAGES,
    *,
    to: str = "subject",
    identifier: bytes = b"",
    n: int = 3,
) -> Event:
    """The answer of the notice host to an order."""
    order = NoticeOrdered(
        case=answers.CASE,
        order=uuid4(),
        n=n,
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
        identifier=identifier,
    )
    grant = grants.record()
    sealed = seal_event(locked(), order, who, grant.key, grant.key_id, "notice")
    send = Send(
        FolderMailer(folder),
        locked(),
        controller=CONTROLLER,
        sender=SENDER,
        pages=lambda: pages,
    )
    (answer,) = await send(sealed, grants)
    return answer


def modes(folder: Path) -> dict[str, int]:
    return {it.name: stat.S_IMODE(it.stat().st_mode) for it in folder.iterdir()}


@pytest.mark.parametrize("kind", SUBJECTS)
async def test_every_notice_reaches_its_reader_and_names_nobody(tmp_path: Path, kind: str) -> None:
    to = "dpo" if kind in TO_DPO else "subject"
    who = reader(kind)
    assert isinstance(await sent(tmp_path, kind, who, to=to), NoticeSent)
    (mail,) = mails_of(tmp_path)
    assert mail["To"] == (SENDER if to == "dpo" else "ann@example.org")
    assert mail["From"] == SENDER
    assert mail["Auto-Submitted"] == "auto-generated"
    html = mail.get_body(("html",))
    assert html is not None
    for said in (text_of(mail), html.get_content(), mail["Subject"]):
        assert "Ann" not in said
        assert "ann@" not in said
    assert str(answers.CASE) in text_of(mail)


async def test_an_address_is_asked_to_confirm_itself_by_a_link(tmp_path: Path) -> None:
    who = person("ann@example.org", "ann.lee@example.net")
    await sent(tmp_path, "confirm", who, identifier=b"ann.lee@example.net")
    (mail,) = mails_of(tmp_path)
    assert mail["To"] == "ann.lee@example.net"
    said = text_of(mail)
    assert f"https://privacy.example.org/confirm/{TOKEN} " in said
    assert f"works until {words.day(answers.NOW + timedelta(days=14))}" in said
    assert CONTROLLER in said
    assert "If you did not ask for anything, do nothing" in said
    assert f"write to {SENDER} and name the case below" in said
    html = mail.get_body(("html",))
    assert html is not None
    assert f'href="https://privacy.example.org/confirm/{TOKEN}"' in html.get_content()


async def test_who_cannot_open_a_page_is_not_asked_to(tmp_path: Path) -> None:
    with pytest.raises(LaterError, match="pages_not_up"):
        await sent(tmp_path / "mail", "confirm", person("ann@example.org"), pages="")
    assert not (tmp_path / "mail").exists()


async def test_an_address_that_the_order_names_and_does_not_bring_is_not_guessed(
    tmp_path: Path,
) -> None:
    answer = await sent(tmp_path, "confirm", person("ann@example.org"), identifier=b"another")
    assert isinstance(answer, NoticeFailed)
    assert answer.reason == "no_address"


@pytest.mark.parametrize("kind", sorted(set(SUBJECTS) - set(PAGES_OF)))
async def test_a_notice_without_a_page_has_no_link(tmp_path: Path, kind: str) -> None:
    await sent(tmp_path, kind, reader(kind))
    (mail,) = mails_of(tmp_path)
    assert "http" not in text_of(mail)


async def test_who_has_no_link_is_asked_to_confirm_by_a_code(tmp_path: Path) -> None:
    await sent(tmp_path, "identity_asked", person("ann@example.org"))
    said = text_of(mails_of(tmp_path)[0])
    assert f"leave this code in your reply: {TOKEN}" in said
    assert f"works once, until {words.day(answers.NOW + timedelta(days=14))}" in said


async def test_the_dpo_is_given_the_command(tmp_path: Path) -> None:
    await sent(tmp_path, "approval_asked", Sealed(), to="dpo")
    assert f"habeas approve {answers.CASE} --plan {'ab' * 32}" in text_of(mails_of(tmp_path)[0])
    assert "it touches 32 holdings" in text_of(mails_of(tmp_path)[0])


async def test_a_delay_is_explained(tmp_path: Path) -> None:
    await sent(tmp_path, "extended", person("ann@example.org"))
    assert "we need more time for your request. It is complex." in text_of(mails_of(tmp_path)[0])


@pytest.mark.parametrize("kind", ["identity_refused", "refused", "extended", "response_ready"])
async def test_who_is_told_no_is_told_where_to_complain(tmp_path: Path, kind: str) -> None:
    await sent(tmp_path, kind, person("ann@example.org"))
    assert "supervisory authority" in text_of(mails_of(tmp_path)[0])
    assert "court" in text_of(mails_of(tmp_path)[0])


async def test_a_repeat_or_a_new_attempt_sends_one_message(tmp_path: Path) -> None:
    for _ in range(2):
        await sent(tmp_path, "response_ready", person("ann@example.org"))
    ((name, mode),) = modes(tmp_path).items()
    assert re.fullmatch(r"[0-9a-f]{32}\.eml", name)
    assert mode == 0o600


async def test_neither_a_mail_s_name_nor_its_id_tells_the_case_to_who_lacks_its_key(
    tmp_path: Path,
) -> None:
    """The same order under two keys: nothing but the key says which mail is which."""
    other = Grants((grants.grant(grants.RECORD, b"o" * 32, uuid4(), "notice"),))
    for number, key in ((3, GRANTS), (4, GRANTS), (3, other)):
        await sent(tmp_path, "refused", person("ann@example.org"), key, n=number)
    names = {it.removesuffix(".eml") for it in modes(tmp_path)}
    ids = {str(it["Message-ID"]) for it in mails_of(tmp_path)}
    assert len(names) == len(ids) == 3
    for it in ids:
        assert re.fullmatch(r"<[0-9a-f]{32}@bizxpert\.com>", it)
        assert it[1:33] not in names


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
    assert evidence.request == mails_of(tmp_path)[0]["Message-ID"]


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a.b", "a" * 101])
async def test_a_message_must_have_a_plain_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        await FolderMailer(tmp_path).send(Message(), name)


async def test_only_our_old_mails_are_pruned(tmp_path: Path) -> None:
    """Whatever else lies there is somebody's: however old it is, and whatever it is called."""
    mailer, day = FolderMailer(tmp_path), timedelta(days=1).total_seconds()
    ours = ["a" * 32 + ".eml", f"{answers.CASE}-notice-1.eml", f".{'b' * 32}.0a1b2c3d"]
    ours.append(f".{answers.CASE}-notice-1.0a1b2c3d")
    theirs = [
        "notes.eml",
        f".{'a' * 32}.eml",
        "a" * 31 + ".eml",
        "a" * 32 + ".eml.bak",
        ".gitkeep",
        "A" * 32 + ".eml",
    ]
    for name in (*ours, *theirs, "c" * 32 + ".eml"):
        (tmp_path / name).write_bytes(b"x")
        age = 10 if name.startswith("c") else 31 * day
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    (tmp_path / ("d" * 32 + ".eml")).symlink_to(tmp_path / "notes.eml")
    (tmp_path / ("e" * 32 + ".eml")).mkdir()
    os.utime(tmp_path / ("e" * 32 + ".eml"), (0, 0))
    await mailer.prune(timedelta(days=30))
    assert modes(tmp_path).keys() == {*theirs, *(it * 32 + ".eml" for it in "cde")}


async def test_a_folder_that_is_not_there_needs_no_pruning(tmp_path: Path) -> None:
    await FolderMailer(tmp_path / "mail").prune(timedelta(0))
    assert not (tmp_path / "mail").exists()
