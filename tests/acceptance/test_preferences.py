"""Consent, a mailing that asks before it sends, and a withdrawal that counts at once: real
processes on a real Kafka, told and asked by commands, and one click in a mail.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from pipeline import flow
from pipeline.kafka.incoming import read_to_end
from tests.rig import LOOK_EVERY, PATIENCE, Rig

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANN, ZOE, NEWS = "ann@example.org", "zoe@example.org", "news@lists.example.com"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A pipeline that sends with Mailgun."""
    async with Rig(tmp_path_factory.mktemp("rig"), systems=("mailgun",)) as rig:
        rig.run("up")
        yield rig


async def prefer(up: Rig, *arguments: str) -> UUID:
    code, out, err = await up.habeas("prefer", *arguments, "--json")
    assert code == 0, err
    return UUID(json.loads(out)["record"])


async def asked(up: Rig, purpose: str, email: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = await up.habeas("may-send", purpose, email, "--json")
    return code, json.loads(out) if out else {}


async def until(up: Rig, purpose: str, email: str, reason: str) -> tuple[int, dict[str, Any]]:
    """The answer, once it has this reason."""
    async with asyncio.timeout(PATIENCE):
        while True:
            code, answer = await asked(up, purpose, email)
            if answer.get("reason") == reason:
                return code, answer
            await asyncio.sleep(LOOK_EVERY)


async def test_a_mailing_that_asks_sends_to_who_consented_until_they_withdraw(up: Rig) -> None:
    mailgun = up.sandboxes["mailgun"]
    (member,) = mailgun.seed([{"kind": "member", "list": NEWS, "address": ANN, "name": "Ann"}])
    given = await prefer(
        up, "given", "offers", "--email", ANN, "--country", "DE", "--method", "double_opt_in"
    )
    code, answer = await until(up, "offers", ANN, "consent")
    assert (code, answer["record"]) == (0, str(given))
    assert mailgun.state()[member]["subscribed"] is True
    record = await prefer(up, "withdrawn", "offers", "--email", ANN)
    code, answer = await until(up, "offers", ANN, "refused")
    assert (code, answer["record"]) == (3, str(record))
    case = await up.settled(record)
    assert case.claims["objection"].state == "fulfilled"
    assert mailgun.state()[member]["subscribed"] is False
    code, _ = await asked(up, "contract", ANN)
    assert code == 0
    code, out, err = await up.habeas("preferences", ANN, "--json")
    assert code == 0, err
    states = [it["event"]["event_state"] for it in json.loads(out)]
    assert states == ["given", "withdrawn"]


async def test_the_same_record_said_again_is_the_same_and_another_under_its_id_is_none(
    up: Rig,
) -> None:
    bob, at = "bob@example.org", ("--at", "2026-01-02T03:04:05")
    record = await prefer(up, "given", "offers", "--email", bob, *at)
    await until(up, "offers", bob, "consent")
    same = ("--id", str(record))
    await prefer(up, "given", "offers", "--email", bob, *at, *same)
    await prefer(up, "given", "advertising", "--email", bob, *at, *same)
    last = await prefer(up, "given", "offers", "--email", "last@example.org")
    await until(up, "offers", "last@example.org", "consent")
    assert last != record
    code, _ = await asked(up, "advertising", bob)
    assert code == 3
    _, out, _ = await up.habeas("preferences", bob, "--json")
    assert len(json.loads(out)) == 1


async def test_one_click_in_a_mail_ends_it(up: Rig) -> None:
    """RFC 8058: the mail program posts, and follows nothing."""
    kim = "kim@example.org"
    await prefer(up, "given", "offers", "--email", kim)
    await until(up, "offers", kim, "consent")
    code, out, err = await up.habeas("may-send", "offers", kim, "--link", "--json")
    assert code == 0, err
    headers = json.loads(out)["headers"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = headers["List-Unsubscribe"].strip("<>")
    assert kim not in link
    async with ClientSession() as client:
        for _ in "12":  # a scanner, a preview
            async with client.get(link) as page:
                assert page.status == 200
        assert (await asked(up, "offers", kim))[0] == 0
        form = {"List-Unsubscribe": "One-Click"}
        async with client.post(link, data=form, allow_redirects=False) as page:
            assert page.status == 200
            assert "Set-Cookie" not in page.headers
    _, answer = await until(up, "offers", kim, "refused")
    case = await up.settled(answer["record"])
    assert case.claims["objection"].state == "fulfilled"


async def test_nobody_is_named_on_any_topic_or_in_any_log(up: Rig) -> None:
    await prefer(up, "given", "offers", "--email", ZOE)
    await until(up, "offers", ZOE, "consent")
    topics = [it.name for it in flow.topics(up.systems, up.settings)]
    records = [it async for it in read_to_end(up.bootstrap, *topics)]
    assert any(it.topic == flow.PREFERENCES for it in records)
    for it in records:
        assert ZOE.encode() not in (it.value or b"")
    for role in up.roles:
        assert ZOE not in role.log.read_text()
