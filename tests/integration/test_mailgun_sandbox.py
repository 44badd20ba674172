"""The sandbox is Mailgun to a client nobody here wrote, and answers as the real one did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from mailgun.client import Client

from connectors.mailgun import Mailgun, MailgunSandbox, events
from connectors.mailgun import sandbox as sandbox_module
from connectors.sdk import registry
from connectors.sdk.http import Http, basic
from connectors.sdk.interface import (
    MARKETING,
    Category,
    Datum,
    Erased,
    Expires,
    Holding,
    Identifier,
    NotSupported,
    Record,
    Redacted,
    RetryableError,
    Subject,
    TerminalError,
)
from connectors.sdk.sandbox import Fault

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


def connected(sandbox: MailgunSandbox) -> Mailgun:
    made = registry.build(Mailgun, sandbox.environ())
    assert isinstance(made, Mailgun)
    return made


async def found(connector: Mailgun, *known: Holding) -> list[Holding]:
    return [it async for page in connector.locate(WHO, known) for it in page.holdings]


async def test_mailguns_sdk_reads_lists_and_deletes(sandbox: MailgunSandbox) -> None:
    status, said = await sdk(sandbox, lambda it: it.domains.get())
    assert (status, [it["name"] for it in said["items"]]) == (200, [DOMAIN, "lists.example.com"])
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


def borne(holding: Holding) -> set[tuple[str, str, str]]:
    return {(it.field, it.kind, it.value) for it in holding.bears}


async def test_each_entry_tells_whose_it_says_it_is(sandbox: MailgunSandbox) -> None:
    """A member also by its variables, which our own code or a form has filled."""
    sandbox.plant("event", {"domain": DOMAIN, "recipient": ANN})
    variables = {
        "email": "bob@example.org",
        "user_id": 17,
        "name": "Ann",
        "phone": "+49301",
        "Email": "not a plain name",
        "plan": "pro",
    }
    (key,) = sandbox.table("member")
    sandbox.table("member")[key]["vars"] = variables
    async with connected(sandbox) as it:
        held = {one.kind: borne(one) for one in await found(it)}
        again = {one.kind: borne(one) for one in await found(it, *await found(it))}
    address = {("address", "email", ANN)}
    assert (
        again
        == held
        == {
            "member": address
            | {
                ("name", "name", "Ann"),
                ("vars.email", "email", "bob@example.org"),
                ("vars.user_id", "user_id", "17"),
                ("vars.name", "name", "Ann"),
                ("vars.phone", "phone", "+49301"),
            },
            "bounce": address,
            "unsubscribe": address,
            "complaint": address,
            "events": {("recipient", "email", ANN)},
        }
    )


@pytest.mark.parametrize("nothing", [None, "", " ", True, [], {"plan": ANN}])
async def test_a_variable_that_says_nothing_is_not_told(
    sandbox: MailgunSandbox, nothing: object
) -> None:
    (key,) = sandbox.table("member")
    sandbox.table("member")[key] |= {"name": None, "vars": {"user_id": nothing}}
    async with connected(sandbox) as it:
        (member,) = [one for one in await found(it) if one.kind == "member"]
    assert borne(member) == {("address", "email", ANN)}


async def test_variables_say_whose_they_are_however_deep_they_lie(sandbox: MailgunSandbox) -> None:
    (key,) = sandbox.table("member")
    variables = [{"contacts": [{"email": "bob@example.org"}, {"user_id": 7}]}, "email", 17]
    sandbox.table("member")[key] |= {"name": None, "vars": variables}
    async with connected(sandbox) as it:
        (member,) = [one for one in await found(it) if one.kind == "member"]
    assert borne(member) == {
        ("address", "email", ANN),
        ("vars.0.contacts.0.email", "email", "bob@example.org"),
        ("vars.0.contacts.1.user_id", "user_id", "7"),
    }


async def test_only_what_a_mailbox_can_be_called_is_asked_for(sandbox: MailgunSandbox) -> None:
    """An empty address names the whole collection."""
    values = ("", " ", "@example.org", "ann", "ann @example.org", "ann@example.org\r\nX: 1")
    useless = Subject(tuple(Identifier("email", value) for value in values))
    useful = Identifier("email", f" {ANN}\u200b")
    async with connected(sandbox) as it:
        assert it.usable(useless) == ()
        assert it.usable(Subject((*useless.identifiers, useful))) == (useful,)
        assert [page async for page in it.locate(useless)] == []
        assert not sandbox.calls
        kinds = {one.kind async for page in it.locate(Subject((useful,))) for one in page.holdings}
    assert kinds == {"member", "bounce", "unsubscribe", "complaint"}


async def test_an_erasure_never_deletes_a_collection(sandbox: MailgunSandbox) -> None:
    async with connected(sandbox) as it:
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
    async with connected(sandbox) as it:
        (events,) = [one for one in await found(it) if one.kind == "events"]
        rows = [
            row
            async for record in it.export(events)
            if not record.name
            for row in json.loads(record.body)
        ]
        assert len({row["id"] for row in rows}) == len(rows) == 650
        said = await it.erase(events)
        assert isinstance(said, Expires)
        assert said.at.timestamp() == at + 649 + 30 * 86_400
        assert await it.erase(events) == said


async def test_name_and_variables_are_blanked_where_the_membership_is_kept(
    sandbox: MailgunSandbox,
) -> None:
    async with connected(sandbox) as it:
        (member,) = [one for one in await found(it) if one.kind == "member"]
        await it.erase(member, frozenset({Category.CONTACT, Category.MARKETING}))
        (member,) = [one for one in await found(it) if one.kind == "member"]
        assert member.categories == {Category.CONTACT, Category.MARKETING}


async def test_a_member_who_opted_out_stays_so_without_a_name(sandbox: MailgunSandbox) -> None:
    """Without it, the next import of the list would begin the mail again."""
    (key,) = sandbox.table("member")
    sandbox.table("member")[key]["subscribed"] = False
    async with connected(sandbox) as it:
        (member,) = [one for one in await found(it) if one.kind == "opted_out_member"]
        kept = frozenset({Category.CONTACT, Category.MARKETING})
        assert set((await it.erase(member, kept)).values()) == {Redacted()}  # type: ignore[union-attr]
        (member,) = [one for one in await found(it, member) if one == member]
        assert member.categories == kept
    assert sandbox.table("member")[key]["subscribed"] is False


async def test_what_is_known_comes_back_under_its_own_handle(sandbox: MailgunSandbox) -> None:
    """Spelt otherwise, or with another kind by now: it is neither lost nor there twice."""
    async with connected(sandbox) as it:
        (member,) = [one for one in await found(it) if one.kind == "member"]
        (key,) = sandbox.table("member")
        sandbox.table("member")[key] |= {"address": "ANN@example.org", "subscribed": False}
        again = await found(it, member)
        assert [one for one in again if "member" in one.kind] == [member]


async def test_what_was_in_a_domain_that_is_removed_is_gone(sandbox: MailgunSandbox) -> None:
    sandbox.plant("domain", {"name": "other.example.com"})
    async with connected(sandbox) as it:
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


# What no table knows, and what is not whole.


@pytest.mark.parametrize("variables", [{"a": {"b": [1]}}, [1, {"a": 2}], "a text", 7])
async def test_variables_of_any_shape_are_told_and_blanked(
    sandbox: MailgunSandbox, variables: object
) -> None:
    (key,) = sandbox.table("member")
    sandbox.table("member")[key]["vars"] = variables
    async with connected(sandbox) as it:
        (member,) = [one for one in await found(it) if one.kind == "member"]
        (record,) = [one async for one in it.export(member)]
        assert json.loads(record.body)["vars"] == variables
        kept = frozenset({Category.CONTACT, Category.MARKETING})
        assert await it.erase(member, kept) == {
            Category.IDENTITY: Redacted(),
            Category.PROFILE: Redacted(),
        }
        (again,) = [one for one in await found(it, member) if one == member]
        assert again.categories == kept
    assert sandbox.table("member")[key]["vars"] == {}


@pytest.mark.parametrize("kind", ["member", "bounce", "unsubscribe", "complaint", "allowlisted"])
async def test_a_field_that_no_table_knows_is_content_and_stays_with_what_is_kept(
    sandbox: MailgunSandbox, kind: str
) -> None:
    sandbox.plant("allowlisted", {"domain": DOMAIN, "value": ANN})
    for row in sandbox.table(kind).values():
        row["footnote"] = "She called on Monday"
    async with connected(sandbox) as it:
        (held,) = [one for one in await found(it) if one.kind == kind]
        (record,) = [one async for one in it.export(held)]
        assert json.loads(record.body)["footnote"] == "She called on Monday"
        kept = held.categories - {Category.PROFILE}
        assert await it.erase(held, kept) == {Category.PROFILE: NotSupported("unknown")}
        (again,) = [one for one in await found(it, held) if one == held]
        assert again.categories == held.categories
        assert await it.erase(held) == Erased()
        assert held not in await found(it)


async def test_an_address_that_may_always_be_written_to_is_found_and_goes(
    sandbox: MailgunSandbox,
) -> None:
    for of in (DOMAIN, "news.example.com"):
        for value in (ANN, "bob@example.org", "example.org"):
            sandbox.plant("allowlisted", {"domain": of, "value": value})
    async with connected(sandbox) as it:
        held = [one for one in await found(it) if one.kind == "allowlisted"]
        assert [borne(one) for one in held] == [{("value", "email", ANN)}] * 2
        assert [await it.erase(one) for one in held] == [Erased()] * 2
    left = [it["value"] for it in sandbox.table("allowlisted").values()]
    assert left == ["bob@example.org", "example.org"] * 2


# Messages.


async def exported(connector: Mailgun) -> list[Record]:
    (events,) = [one for one in await found(connector) if one.kind == "events"]
    return [one async for one in connector.export(events)]


async def test_the_message_of_an_event_is_a_file_of_the_copy(sandbox: MailgunSandbox) -> None:
    """Once, however many events are about it; what Mailgun has purged it holds no more."""
    mime = "From: news@example.com\r\nContent-Type: text/plain\r\n\r\nDear Ann, ü\r\n.\r\n"
    about = {"domain": DOMAIN, "recipient": ANN, "mime": mime}
    sandbox.plant("event", about)
    (accepted,) = sandbox.table("event").values()
    for event in ("accepted", "opened", "clicked"):
        sandbox.plant("event", {**accepted, "event": event, "domain": DOMAIN, "id": event})
    old = (sandbox.now() - timedelta(days=20)).timestamp()
    sandbox.plant("event", {**about, "mime": "long ago", "timestamp": old})
    async with connected(sandbox) as it:
        events, *files = await exported(it)
    assert len(json.loads(events.body)) == 5
    (file,) = files
    assert (file.body, file.missing, file.more) == (mime.encode(), "", False)
    name = accepted["message"]["headers"]["message-id"]
    assert (file.content_type, file.name) == ("message/rfc822", f"{name}.eml")
    assert "purged" in Mailgun.capabilities.beyond


async def test_a_large_message_comes_in_pieces(
    sandbox: MailgunSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PIECE", 10)
    for mime in ("", "a" * 10, "ü" * 12):
        sandbox.plant("event", {"domain": DOMAIN, "recipient": ANN, "mime": mime})
    async with connected(sandbox) as it:
        _, *files = await exported(it)
    whole: dict[str, bytes] = {}
    for file in files:
        whole[file.name] = whole.get(file.name, b"") + file.body
    assert [it.decode() for it in whole.values()] == ["ü" * 12, "a" * 10, ""]
    assert [file.more for file in files] == [True, True, False, False, False]


@pytest.mark.parametrize("status", [400, 403, 409])
async def test_a_message_that_is_refused_is_said_to_be_missing(
    sandbox: MailgunSandbox, status: int
) -> None:
    for _ in range(2):
        sandbox.plant("event", {"domain": DOMAIN, "recipient": ANN})
    sandbox.faults.append(Fault(status=status, route="/messages/"))
    async with connected(sandbox) as it:
        rows, refused, had = await exported(it)
        assert refused.missing in it.capabilities.reasons
    assert (len(json.loads(rows.body)), refused.body, had.missing) == (2, b"", "")
    assert refused.name.endswith(".eml")


async def test_a_key_that_is_refused_only_at_a_message_is_an_error(
    sandbox: MailgunSandbox,
) -> None:
    sandbox.plant("event", {"domain": DOMAIN, "recipient": ANN})
    sandbox.faults.append(Fault(status=401, route="/messages/", times=None))
    async with connected(sandbox) as it:
        with pytest.raises(TerminalError) as caught:
            await exported(it)
    assert caught.value.reason == "unauthorised"


async def test_no_storage_host_is_asked(sandbox: MailgunSandbox) -> None:
    """What an event says of where its message is: only the key is taken."""
    async with MailgunSandbox() as other:
        storage = {"url": [f"{other.url}/v3/domains/x/messages/y"], "key": "../../lists/pages"}
        at = {"domain": DOMAIN, "recipient": ANN, "storage": storage, "mime": "stored"}
        sandbox.plant("event", at)
        async with connected(sandbox) as it:
            assert [one.body for one in await exported(it)][1:] == [b"stored"]
        assert other.calls.total() == 0


# Lists that shift.


async def test_a_domain_that_a_list_passes_over_is_asked_for(
    sandbox: MailgunSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest stand first: where one goes while they are read, another moves up."""
    names = [DOMAIN, *(f"{n}.example.com" for n in range(4))]
    for name in names[1:]:
        sandbox.plant("domain", {"name": name})
    sandbox.largest_page = 2
    answer = sandbox._answer

    async def shifting(request: web.Request, handler: Any) -> Any:
        if request.query.get("skip") == "2":
            sandbox.table("_domain").pop("3.example.com", None)
        return await answer(request, handler)

    monkeypatch.setattr(sandbox, "_answer", shifting)
    async with connected(sandbox) as it:
        asked = [one async for one in it._places.domains()]
    assert set(asked) >= set(names) - {"3.example.com"}
    assert len(asked) == len(set(asked))


async def test_an_event_that_comes_late_is_not_passed_over(sandbox: MailgunSandbox) -> None:
    """It takes its place among those that were read; one page shifts, and brings one twice."""
    now = sandbox.now().timestamp()
    for n in range(650):
        at = {"domain": DOMAIN, "recipient": ANN, "timestamp": now - 600 - n, "event": "opened"}
        sandbox.plant("event", at)
    async with connected(sandbox) as it:
        (held,) = [one for one in await found(it) if one.kind == "events"]
        rows: list[Any] = []
        async for record in it.export(held):
            if not rows:
                late = {"id": "late", "timestamp": now - 700, "event": "opened"}
                sandbox.plant("event", {"domain": DOMAIN, "recipient": ANN, **late})
            rows += json.loads(record.body)
    assert len(rows) == len({row["id"] for row in rows}) == 651
    assert "late" in {row["id"] for row in rows}


# Answers of another shape.

TIMES: list[object] = [None, "", "x", [], {}, 1e300, "nan", -1e18, "9" * 400]
KEYS: list[object] = [None, 7, "", "..", "\ud800", []]
NONE: list[object] = [None, 7, [[]]]
NAMES: list[object] = [*KEYS, "a\x01\n", "a/b?c#d"]
HEADERS: list[object] = [None, [], {"message-id": 7}]
SPELT: list[object] = ["ann@example.org\u200b", "\ud800@example.org"]
ODD: list[tuple[str, str, object]] = [
    *[("event", "timestamp", it) for it in TIMES],
    *[("event", name, it) for name in ("recipient", "storage", "message") for it in NONE],
    *[("event", "storage", {"key": it}) for it in KEYS],
    *[("event", "message", {"headers": it}) for it in HEADERS],
    *[("member", name, it) for name in ("name", "vars", "subscribed") for it in NONE],
    *[(kind, "address", it) for kind in ("member", "bounce") for it in SPELT],
    *[("_domain", "name", it) for it in NAMES],
    *[("_list", "address", it) for it in NAMES],
]
"""Of a kind of the sandbox's, a field, and what stands in it."""


@pytest.mark.parametrize(("kind", "name", "odd"), ODD, ids=range(len(ODD)))
async def test_nothing_in_an_answer_raises_anything_but_the_two_errors(
    sandbox: MailgunSandbox, kind: str, name: str, odd: object
) -> None:
    sandbox.plant("event", {"domain": DOMAIN, "recipient": ANN})
    async with connected(sandbox) as it:
        held = await found(it)
        shown = sandbox_module._shown
        wanted = set(map(id, sandbox.table(kind).values()))

        def spoilt(row: Any) -> Any:
            return shown(row) | ({name: odd} if id(row) in wanted else {})

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sandbox_module, "_shown", spoilt)
            for operation in (
                it.check(),
                found(it),
                *(found(it, one) for one in held),
                *(_all(it.export(one)) for one in held),
                *(it.standing(one) for one in held),
                *(it.restrict(one, lift=lift) for one in held for lift in (False, True)),
                *(it.rectify(one, {Datum.NAME: "Ann", Datum.EMAIL: "a@x.org"}) for one in held),
                it.objected(WHO, MARKETING),
                it.object_to(WHO, MARKETING),
                *(it.erase(one, frozenset({Category.MARKETING})) for one in held),
                *(it.erase(one) for one in held),
            ):
                with suppress(RetryableError, TerminalError):
                    await operation


async def _all(records: AsyncIterator[Record]) -> list[Record]:
    return [it async for it in records]


async def test_an_address_that_is_spelt_with_what_nobody_sees_can_be_read_again(
    sandbox: MailgunSandbox,
) -> None:
    """Its handle is what can be asked for."""
    (key,) = sandbox.table("member")
    shown = sandbox_module._shown
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sandbox_module,
            "_shown",
            lambda row: shown(row) | ({"address": f"{ANN}\u200b"} if row.get("vars") else {}),
        )
        async with connected(sandbox) as it:
            (member,) = [one for one in await found(it) if one.kind == "member"]
            assert [one for one in await found(it, member) if one == member] == [member]
            assert await it.erase(member) == Erased()
    assert key not in sandbox.table("member")


@pytest.mark.parametrize("days", ["0", "31", "99999999999999"])
def test_events_are_kept_for_a_month_at_most(days: str) -> None:
    environ = {"HABEAS_MAILGUN_URL": "http://127.0.0.1:1", "HABEAS_MAILGUN_API_KEY": "k"}
    with pytest.raises(registry.SettingsError, match="HABEAS_MAILGUN_RETENTION_DAYS"):
        registry.build(Mailgun, {**environ, "HABEAS_MAILGUN_RETENTION_DAYS": days})
