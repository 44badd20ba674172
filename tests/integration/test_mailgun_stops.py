"""Mailgun stops mail, and begins it again only where nobody else had stopped it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml
from mailgun.client import Client

from connectors.mailgun import Mailgun, MailgunSandbox
from connectors.sdk import registry
from connectors.sdk.conformance import erase, look
from connectors.sdk.http import Http, as_form, basic
from connectors.sdk.interface import (
    MARKETING,
    Category,
    Datum,
    Holding,
    Identifier,
    NeedsHuman,
    NotSupported,
    Rectified,
    Redacted,
    Restricted,
    Standing,
    Subject,
    Suppressed,
)
from connectors.sdk.sandbox import Sandbox

DOMAIN, LISTS = "mail.example.com", "lists.example.com"
LIST, ANN = f"news@{LISTS}", "ann@example.org"
CASSETTES = Path(__file__).parents[3] / "shared" / "vendor-truth" / "mailgun_cassettes"
WHO = Subject((Identifier("email", ANN),))
MEMBER = Holding("member", f"{LIST}/{ANN}")
LONG_AGO = "Fri, 08 Jan 2016 18:55:04 UTC"


@pytest.fixture
async def sandbox() -> AsyncIterator[MailgunSandbox]:
    async with MailgunSandbox() as made:
        made.plant("member", {"list": LIST, "address": ANN, "name": "Anne", "vars": {"a": 1}})
        made.plant("domain", {"name": DOMAIN})
        yield made


def connected(sandbox: Sandbox, **more: str) -> Mailgun:
    made = registry.build(Mailgun, {**sandbox.environ(), **more})
    assert isinstance(made, Mailgun)
    return made


def entered(sandbox: MailgunSandbox, kind: str) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if not name.startswith("_")}
        | {"of": row["_of"]}
        for row in sandbox.table(kind).values()
    ]


# A restriction.


async def test_a_member_who_is_restricted_gets_no_mail_and_is_not_subscribed_again(
    sandbox: MailgunSandbox,
) -> None:
    """Whoever leaves a list that does not write to them leaves no trace: a person asks them."""
    async with connected(sandbox) as it:
        assert await it.restrict(MEMBER) == Restricted()
        (row,) = entered(sandbox, "member")
        assert (row["subscribed"], row["vars"]) == (
            False,
            {"a": 1, "processing_restricted": "was subscribed"},
        )
        now = await it.standing(MEMBER)
        assert now is not None
        assert now.restricted
        assert await it.restrict(MEMBER, lift=True) == NeedsHuman("own_word")
        assert entered(sandbox, "member") == [row]


@pytest.mark.parametrize("objects", [False, True])
async def test_who_was_not_subscribed_is_not_after_it_either(
    sandbox: MailgunSandbox, *, objects: bool
) -> None:
    """They said so before the restriction, or meanwhile to us."""
    (row,) = sandbox.table("member").values()
    row["subscribed"] = objects
    async with connected(sandbox) as it:
        await it.restrict(MEMBER)
        if objects:
            assert not await it.objected(WHO, MARKETING)
            await it.object_to(WHO, MARKETING)
            assert await it.objected(WHO, MARKETING)
        assert await it.restrict(MEMBER, lift=True) == Restricted()
    assert (row["subscribed"], row["vars"]) == (False, {"a": 1})


@pytest.mark.parametrize("tags", [["*"], ["offers"], []])
async def test_an_opt_out_is_marked_and_stays_as_it_was(
    sandbox: MailgunSandbox, tags: list[str]
) -> None:
    own = {"address": ANN, "tags": tags, "created_at": LONG_AGO}
    sandbox.plant("unsubscribe", {"domain": DOMAIN, **own})
    held = Holding("unsubscribe", f"{DOMAIN}/{ANN}")
    async with connected(sandbox) as it:
        assert await it.restrict(held) == Restricted()
        assert [one["tags"] for one in entered(sandbox, "unsubscribe")] == [
            [*tags, "processing-restricted"]
        ]
        assert await it.standing(held) == Standing(restricted=True)
        assert await it.restrict(held, lift=True) == Restricted()
    assert entered(sandbox, "unsubscribe") == [{**own, "of": DOMAIN}]


@pytest.mark.parametrize("error", ["No such mailbox", "", "processing restricted elsewhere", "a;b"])
async def test_a_bounce_is_marked_and_is_as_it_was(sandbox: MailgunSandbox, error: str) -> None:
    own = {"address": ANN, "code": "552", "error": error, "created_at": LONG_AGO}
    sandbox.plant("bounce", {"domain": DOMAIN, **own})
    bounce = Holding("bounce", f"{DOMAIN}/{ANN}")
    async with connected(sandbox) as it:
        assert await it.standing(bounce) == Standing()
        await it.restrict(bounce)
        assert await it.standing(bounce) == Standing(restricted=True)
        await it.restrict(bounce, lift=True)
    assert entered(sandbox, "bounce") == [{**own, "of": DOMAIN}]


async def test_what_has_no_room_for_a_mark_is_said_to_have_none(sandbox: MailgunSandbox) -> None:
    (row,) = sandbox.table("member").values()
    row["vars"] = ["a list"]
    sandbox.plant("event", {"domain": DOMAIN, "recipient": ANN})
    for kind, field in (("complaint", "address"), ("allowlisted", "value")):
        sandbox.plant(kind, {"domain": DOMAIN, field: ANN})
    async with connected(sandbox) as it:
        for kind in ("complaint", "allowlisted", "events"):
            held = Holding(kind, f"{DOMAIN}/{ANN}")
            assert await it.restrict(held) == NotSupported("no_mark")
            assert await it.standing(held) == Standing()
        assert await it.restrict(MEMBER) == NotSupported("no_mark")
    assert sandbox.ledger == []


async def test_a_mark_outlasts_what_is_erased_beside_it(sandbox: MailgunSandbox) -> None:
    """It is nothing of theirs: what was erased is not found again because of it."""
    (row,) = sandbox.table("member").values()
    row["subscribed"] = False
    held = Holding("opted_out_member", MEMBER.id)
    kept = frozenset({Category.CONTACT, Category.MARKETING})
    async with connected(sandbox) as it:
        await it.restrict(held)
        assert set((await erase(it, held, kept)).values()) == {Redacted()}
        (found,) = (await look(it, WHO)).holdings
        assert (found, found.categories) == (held, kept)
        now = await it.standing(held)
        assert now is not None
        assert now.restricted
    assert row["vars"] == {"processing_restricted": "was not subscribed"}


async def test_a_restriction_costs_a_read_and_a_write(sandbox: MailgunSandbox) -> None:
    async with connected(sandbox) as it:
        await it.restrict(MEMBER)
        assert sum(sandbox.calls.values()) == 2
        await it.standing(MEMBER)
        assert sum(sandbox.calls.values()) == 3


# An objection.


async def test_an_objection_is_noted_in_every_domain_and_on_every_list(
    sandbox: MailgunSandbox,
) -> None:
    """Also where it has never been seen; what they opted out of before stays, with its date."""
    partly = {"address": ANN, "tags": ["offers"], "created_at": LONG_AGO}
    sandbox.plant("unsubscribe", {"domain": DOMAIN, **partly})
    async with connected(sandbox) as it:
        assert await it.object_to(WHO, MARKETING) == Suppressed()
        assert await it.objected(WHO, MARKETING)
    by_domain = {it["of"]: it for it in entered(sandbox, "unsubscribe")}
    assert by_domain.keys() == {DOMAIN, LISTS}
    assert by_domain[DOMAIN] == {**partly, "tags": ["offers", "*"], "of": DOMAIN}
    assert by_domain[LISTS]["tags"] == ["*"]
    (row,) = sandbox.table("member").values()
    assert (row["subscribed"], row["name"], row["vars"]) == (False, "Anne", {"a": 1})


async def test_receipts_go_on_from_a_domain_that_sends_nothing_else(
    sandbox: MailgunSandbox,
) -> None:
    more = {"HABEAS_MAILGUN_TRANSACTIONAL_DOMAINS": DOMAIN}
    async with connected(sandbox, **more) as it:
        await it.object_to(WHO, MARKETING)
        assert await it.objected(WHO, MARKETING)
    assert [it["of"] for it in entered(sandbox, "unsubscribe")] == [LISTS]
    async with connected(sandbox) as it:
        assert not await it.objected(WHO, MARKETING)


async def test_a_new_domain_does_not_know_of_the_objection(sandbox: MailgunSandbox) -> None:
    async with connected(sandbox) as it:
        await it.object_to(WHO, MARKETING)
        sandbox.plant("domain", {"name": "offers.example.com"})
        assert not await it.objected(WHO, MARKETING)
        await it.object_to(WHO, MARKETING)
        assert await it.objected(WHO, MARKETING)


# A correction.


async def test_a_member_is_moved_to_the_right_address(sandbox: MailgunSandbox) -> None:
    data = {Datum.NAME: "Ann", Datum.EMAIL: "ann.lee@example.org"}
    async with connected(sandbox) as it:
        for _ in range(2):
            assert await it.rectify(MEMBER, data) == dict.fromkeys(data, Rectified())
        assert await it.standing(MEMBER) is None
        assert await it.standing(it.refiled(MEMBER, data)) == Standing(data=data)
    (row,) = entered(sandbox, "member")
    assert row == {
        "address": "ann.lee@example.org",
        "name": "Ann",
        "subscribed": True,
        "vars": {"a": 1},
        "of": LIST,
    }
    assert len(sandbox.ledger) == 2


@pytest.mark.parametrize("kind", ["unsubscribe", "complaint"])
async def test_who_had_mail_stopped_is_not_moved_to_where_it_begins_again(
    sandbox: MailgunSandbox, kind: str
) -> None:
    sandbox.plant(kind, {"domain": DOMAIN, "address": ANN})
    async with connected(sandbox) as it:
        data = {Datum.NAME: "Ann", Datum.EMAIL: "ann.lee@example.org"}
        assert await it.rectify(MEMBER, data) == {
            Datum.NAME: Rectified(),
            Datum.EMAIL: NeedsHuman("has_opted_out"),
        }
    (row,) = sandbox.table("member").values()
    assert (row["address"], row["name"]) == (ANN, "Ann")


async def test_an_address_that_is_on_the_list_already_is_not_taken_over(
    sandbox: MailgunSandbox,
) -> None:
    sandbox.plant("member", {"list": LIST, "address": "bob@example.org", "name": "Bob"})
    before = entered(sandbox, "member")
    async with connected(sandbox) as it:
        assert await it.rectify(MEMBER, {Datum.EMAIL: "bob@example.org"}) == {
            Datum.EMAIL: NeedsHuman("taken")
        }
        assert await it.rectify(MEMBER, {Datum.PHONE: "+49301"}) == {
            Datum.PHONE: NotSupported("not_offered")
        }
    assert entered(sandbox, "member") == before


# The sandbox, and clients that nobody here wrote.


async def test_mailguns_sdk_enters_what_stops_mail(sandbox: MailgunSandbox) -> None:
    client = Client(auth=("api", sandbox.key), api_url=sandbox.url)
    entry = {"address": ANN, "tags": ["*"], "created_at": LONG_AGO}
    given = json.dumps([entry])
    headers = {"Content-Type": "application/json"}
    for _ in range(2):
        answer = await asyncio.to_thread(
            lambda: client.unsubscribes.create(domain=DOMAIN, data=given, headers=headers)
        )
        assert (answer.status_code, answer.json()["message"]) == (
            200,
            "1 addresses have been added to the unsubscribes table",
        )
    assert entered(sandbox, "unsubscribe") == [{**entry, "of": DOMAIN}]
    bounce = {"address": ANN, "code": 552, "error": "full"}
    answer = await asyncio.to_thread(lambda: client.bounces.create(domain=DOMAIN, data=bounce))
    assert answer.status_code == 200
    assert [(it["code"], it["error"]) for it in entered(sandbox, "bounce")] == [("552", "full")]


@pytest.mark.skipif(not CASSETTES.exists(), reason="no recorded traffic of Mailgun here")
@pytest.mark.parametrize(
    ("cassette", "method", "ends", "route"),
    [
        ("unsubscribes.yml", "post", "/unsubscribes", f"/v3/{DOMAIN}/unsubscribes"),
        ("bounces.yml", "post", "/bounces", f"/v3/{DOMAIN}/bounces"),
        ("list_members.yml", "put", "_member@", f"/v3/lists/{LIST}/members/{ANN}"),
    ],
)
async def test_what_is_entered_is_answered_as_the_real_one_was_recorded(
    sandbox: MailgunSandbox, cassette: str, method: str, ends: str, route: str
) -> None:
    recorded = yaml.safe_load((CASSETTES / cassette).read_text())["http_interactions"]
    found = [
        it
        for it in recorded
        if (it["request"]["method"], it["request"]["uri"].endswith(ends)) == (method, True)
    ]
    assert found
    async with Http(sandbox.url, authorization=basic("api", sandbox.key)) as http:
        for it in found:
            given = dict(parse_qsl(it["request"]["body"]["string"])) | {"address": ANN}
            answer = await http.send(method.upper(), route, payload=as_form(given))
            assert answer is not None
            real = json.loads(it["response"]["body"]["string"])
            assert answer.status == it["response"]["status"]["code"]
            assert _shape(answer.body) == _shape(real)
            assert answer.body["message"] == real["message"]


def _shape(said: Any) -> Any:
    """Names and types, but for a member's variables."""
    if isinstance(said, dict):
        return {name: _shape(it) for name, it in said.items() if name != "vars"}
    return type(said).__name__
