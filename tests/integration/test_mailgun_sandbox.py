"""The sandbox is Mailgun to a client nobody here wrote, and answers as the real one did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from mailgun.client import Client

from connectors.mailgun import Mailgun, MailgunSandbox
from connectors.sdk import registry
from connectors.sdk.http import Http, basic
from connectors.sdk.interface import (
    Category,
    Erased,
    Expires,
    Holding,
    Identifier,
    Redacted,
    Subject,
    TerminalError,
)

DOMAIN, LIST, ANN = "mail.example.com", "news@lists.example.com", "ann@example.org"
CASSETTES = Path(__file__).parents[3] / "shared" / "vendor-truth" / "mailgun_cassettes"
WHO = Subject((Identifier("email", "Ann@Example.org"),))


@pytest.fixture
async def sandbox() -> AsyncIterator[MailgunSandbox]:
    async with MailgunSandbox() as made:
        made.plant("member", {"list": LIST, "address": ANN, "name": "Ann", "vars": {"a": 1}})
        for kind in ("bounce", "unsubscribe", "complaint"):
            made.plant(kind, {"domain": DOMAIN, "address": ANN})
            made.plant(kind, {"domain": DOMAIN, "address": "bob@example.org"})
        yield made


async def sdk(sandbox: MailgunSandbox, ask: Callable[[Client], Any]) -> Any:
    """What Mailgun's own SDK makes of an answer: its status and its JSON."""
    client = Client(auth=("api", sandbox.key), api_url=sandbox.url)
    answer = await asyncio.to_thread(ask, client)
    return answer.status_code, answer.json()


async def found(connector: Mailgun, *known: Holding) -> list[Holding]:
    return [it async for page in connector.locate(WHO, known) for it in page.holdings]


async def test_mailguns_sdk_reads_lists_and_deletes(sandbox: MailgunSandbox) -> None:
    status, said = await sdk(sandbox, lambda it: it.domains.get())
    assert (status, [it["name"] for it in said["items"]]) == (200, [DOMAIN])
    member = {"domain": DOMAIN, "address": LIST, "member_address": ANN}
    status, said = await sdk(sandbox, lambda it: it.lists_members.get(**member))
    assert (status, said["member"]["name"]) == (200, "Ann")
    bounce = {"domain": DOMAIN, "bounce_address": ANN}
    assert (await sdk(sandbox, lambda it: it.bounces.get(**bounce)))[0] == 200
    assert (await sdk(sandbox, lambda it: it.bounces.delete(**bounce)))[0] == 200
    assert (await sdk(sandbox, lambda it: it.bounces.get(**bounce)))[0] == 404
    status, said = await sdk(sandbox, lambda it: it.unsubscribes.get(domain=DOMAIN))
    assert (status, len(said["items"])) == (200, 2)


@pytest.mark.skipif(not CASSETTES.exists(), reason="no recorded traffic of Mailgun here")
@pytest.mark.parametrize(
    ("cassette", "ends", "path"),
    [
        ("unsubscribes.yml", "/unsubscribes/integration-test-email@DOMAIN.TEST", "unsubscribes"),
        ("complaints.yml", "/complaints/integration-test-email@DOMAIN.TEST", "complaints"),
        ("list_members.yml", "/members/integration_test_member_member@", "members"),
    ],
)
async def test_it_answers_as_the_real_one_was_recorded(
    sandbox: MailgunSandbox, cassette: str, ends: str, path: str
) -> None:
    recorded = yaml.safe_load((CASSETTES / cassette).read_text())["http_interactions"]
    async with Http(sandbox.url, authorization=basic("api", sandbox.key)) as http:
        for it in recorded:
            method, uri = it["request"]["method"].upper(), it["request"]["uri"]
            if method not in {"GET", "DELETE"} or not uri.endswith(ends):
                continue
            real = json.loads(it["response"]["body"]["string"])
            of = LIST if path == "members" else DOMAIN
            base = "/v3/lists/{of}/members/{a}" if path == "members" else f"/v3/{{of}}/{path}/{{a}}"
            answer = await http.send(method, base, parts={"of": of, "a": ANN})
            assert answer is not None
            assert answer.status == it["response"]["status"]["code"]
            assert _shape(real) == _shape(answer.body)
            if method == "DELETE":
                at = {"list": LIST} if path == "members" else {"domain": DOMAIN}
                sandbox.plant(path[:-1], {**at, "address": ANN})


def _shape(said: Any) -> Any:
    """Names and types."""
    if isinstance(said, dict):
        return {name: _shape(it) for name, it in said.items() if name != "vars"}
    return type(said).__name__


async def test_an_erasure_never_deletes_a_collection(sandbox: MailgunSandbox) -> None:
    async with Mailgun(registry.settings("mailgun", Mailgun.Settings, sandbox.environ())) as it:
        held = await found(it)
        assert {one.kind for one in held} == {"member", "bounce", "unsubscribe", "complaint"}
        for one in held:
            await it.erase(one)
        for address in ("", " ", ".", ".."):
            holding = Holding("bounce", f"{DOMAIN}/{address}")
            with pytest.raises(TerminalError):
                await it.erase(holding)
    assert not [
        name for name in sandbox.calls if name.startswith("DELETE") and "{address}" not in name
    ]
    left = {it["address"] for key, it in sandbox.state().items()}
    assert left == {"bob@example.org"}


async def test_events_of_every_page_are_exported_and_expire_by_their_own_time(
    sandbox: MailgunSandbox,
) -> None:
    at = 1_780_000_000.0
    for n in range(650):
        sandbox.plant("event", {"domain": DOMAIN, "recipient": ANN, "timestamp": at + n})
    async with Mailgun(registry.settings("mailgun", Mailgun.Settings, sandbox.environ())) as it:
        (events,) = [one for one in await found(it) if one.kind == "events"]
        rows = [row async for record in it.export(events) for row in json.loads(record.body)]
        assert len({row["id"] for row in rows}) == 650
        said = await it.erase(events)
        assert isinstance(said, Expires)
        assert said.at.timestamp() == at + 649 + 30 * 86_400
        assert await it.erase(events) == said


async def test_name_and_variables_are_blanked_where_the_membership_is_kept(
    sandbox: MailgunSandbox,
) -> None:
    async with Mailgun(registry.settings("mailgun", Mailgun.Settings, sandbox.environ())) as it:
        (member,) = [one for one in await found(it) if one.kind == "member"]
        await it.erase(member, frozenset({Category.CONTACT, Category.MARKETING}))
        (member,) = [one for one in await found(it) if one.kind == "member"]
        assert member.categories == {Category.CONTACT, Category.MARKETING}


async def test_a_member_who_opted_out_stays_so_without_a_name(sandbox: MailgunSandbox) -> None:
    """Without it, the next import of the list would begin the mail again."""
    (key,) = sandbox.table("member")
    sandbox.table("member")[key]["subscribed"] = False
    async with Mailgun(registry.settings("mailgun", Mailgun.Settings, sandbox.environ())) as it:
        (member,) = [one for one in await found(it) if one.kind == "opted_out_member"]
        kept = frozenset({Category.CONTACT, Category.MARKETING})
        assert set((await it.erase(member, kept)).values()) == {Redacted()}  # type: ignore[union-attr]
        (member,) = [one for one in await found(it, member) if one == member]
        assert member.categories == kept
    assert sandbox.table("member")[key]["subscribed"] is False


async def test_what_is_known_comes_back_under_its_own_handle(sandbox: MailgunSandbox) -> None:
    """Spelt otherwise, or with another kind by now: it is neither lost nor there twice."""
    async with Mailgun(registry.settings("mailgun", Mailgun.Settings, sandbox.environ())) as it:
        (member,) = [one for one in await found(it) if one.kind == "member"]
        (key,) = sandbox.table("member")
        sandbox.table("member")[key] |= {"address": "ANN@example.org", "subscribed": False}
        again = await found(it, member)
        assert [one for one in again if "member" in one.kind] == [member]


async def test_what_was_in_a_domain_that_is_removed_is_gone(sandbox: MailgunSandbox) -> None:
    sandbox.plant("domain", {"name": "other.example.com"})
    async with Mailgun(registry.settings("mailgun", Mailgun.Settings, sandbox.environ())) as it:
        held = [one for one in await found(it) if one.kind == "bounce"]
        del sandbox.table("_domain")[DOMAIN]
        pages = [page async for page in it.locate(Subject(()), held)]
        assert [one for page in pages for one in page.gone] == held
        assert await it.erase(held[0]) == Erased()


async def test_ascending_from_now_mailgun_has_no_events(sandbox: MailgunSandbox) -> None:
    """Its documentation: `begin` is by default the time of the request."""
    sandbox.plant("event", {"domain": DOMAIN, "recipient": ANN})
    async with Http(sandbox.url, authorization=basic("api", sandbox.key)) as http:
        for ascending, count in (("yes", 0), ("no", 1)):
            query = {"recipient": ANN, "ascending": ascending}
            said = await http.require("/v3/{of}/events", query, of=DOMAIN)
            assert len(said.body["items"]) == count
