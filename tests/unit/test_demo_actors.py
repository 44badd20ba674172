"""Those around the pipeline in the demo: a link is its mailbox's own, and what failed is said."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import web

from pipeline.case.case import Case, Claim
from pipeline.demo import mailbox, people, play
from pipeline.demo.actors import Seat
from pipeline.demo.dpo import CommandError
from pipeline.demo.mailbox import MailboxError
from schemas.records import CoverageRow, OutcomeRow

CASE, OTHER = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def mail(folder: Path, to: str, case: UUID, url: str = "") -> None:
    message = EmailMessage()
    message["To"], message["Subject"] = to, "Please confirm this address"
    message.set_content(f"Open this page:\n\n{url}\n\nCase {case}\n")
    message.add_alternative(f"<p>{url}</p>", subtype="html")
    (folder / f"{len(list(folder.iterdir()))}.eml").write_bytes(message.as_bytes())


def test_a_link_is_found_in_the_mail_to_that_address_about_that_case(tmp_path: Path) -> None:
    assert mailbox.link(tmp_path / "none", "a@example.org", CASE) is None
    mail(tmp_path, "b@example.org", CASE, "http://127.0.0.1:1/confirm/another-address")
    mail(tmp_path, "a@example.org", OTHER, "http://127.0.0.1:1/confirm/another-case")
    mail(tmp_path, "a@example.org", CASE)
    assert mailbox.link(tmp_path, "a@example.org", CASE) is None
    mail(tmp_path, "a@example.org", CASE, "http://127.0.0.1:1/confirm/token")
    assert mailbox.link(tmp_path, "a@example.org", CASE) == "http://127.0.0.1:1/confirm/token"


async def test_a_link_that_does_not_answer_as_the_mail_says_is_an_error_without_the_link(
    unused_tcp_port: int,
) -> None:
    asked: list[str] = []

    async def only_shows(request: web.Request) -> web.Response:
        asked.append(request.method)
        return web.Response(status=200 if request.method == "GET" else 404)

    application = web.Application()
    application.router.add_route("*", "/confirm/{token}", only_shows)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    url = f"http://127.0.0.1:{unused_tcp_port}/confirm/token"
    with pytest.raises(MailboxError, match=r"^the link answered 404 to POST$"):
        await mailbox.press(url)
    assert asked == ["GET", "POST"]
    await runner.cleanup()
    with pytest.raises(MailboxError, match=r"^the link does not answer"):
        await mailbox.press(url)


def seat(word: str, case: Case) -> Seat:
    """Of the one request of which people decide `word`."""
    (request,) = [it for it in people.load().requests() if getattr(it, word)]
    return Seat(request, case=case)


def case(state: str, outcome: str = "", reason: str = "") -> Case:
    """One that was settled and reported; with an outcome, of a file."""
    row = CoverageRow(
        right="erasure",
        system="aws",
        kind="object",
        category="profile",
        state="open" if outcome == "needs_human" else "proved",
        outcome=OutcomeRow(kind=outcome, reason=reason),
        count=1,
    )
    claim = Claim(right="erasure", state="fulfilled", settled_at=NOW, coverage=(row,))
    return Case(
        id=CASE, state=state, received_at=NOW, due_at=NOW, claims={"erasure": claim}, reports=1
    )


def test_a_request_that_two_refuse_is_at_rest_once_it_is_refused() -> None:
    assert not seat("refused", case("approval_asked")).at_rest
    assert not seat("refused", case("answered")).at_rest
    assert seat("refused", case("refused")).at_rest


def test_what_a_person_does_by_hand_is_waited_for_until_it_is_not_open() -> None:
    open_still = seat("by_hand", case("waits_for_people", "needs_human", "legal_hold"))
    assert open_still.waits_for_hands
    assert not open_still.at_rest
    assert not seat("by_hand", case("answered", "erased")).waits_for_hands


def test_what_ended_the_play_is_told_though_it_comes_in_groups() -> None:
    ended = CommandError("habeas whose failed: no handle of this case")
    grouped = ExceptionGroup("", [ExceptionGroup("", [ended]), ValueError()])
    assert play.first_of(grouped) is ended
