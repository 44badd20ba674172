"""The cast is the demo's promise: who is in it, and what it may not say."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline import policy
from pipeline.demo.people import CAST, SYSTEMS, Cast, CastError, Held, Request, Somebody, load

DOMAIN = re.compile(r"@([\w.-]+\.\w+)")
EXAMPLE = re.compile(r"(?:[\w-]+\.)*example\.(?:org|com|net)", re.IGNORECASE)
A = "[[person]]\nkey = 'a'\nname = 'A'\n"


@pytest.fixture(scope="module")
def cast() -> Cast:
    return load()


def held(cast: Cast, system: str, kind: str) -> list[Held]:
    return [it for one in cast.people for it in one.held if (it.system, it.kind) == (system, kind)]


def asking(cast: Cast, key: str) -> tuple[Somebody, Request]:
    one = next(it for it in cast.people if it.key == key)
    assert one.request is not None
    return one, one.request


def test_about_eighty_people_of_whom_some_twenty_ask(cast: Cast) -> None:
    assert 75 <= len(cast.people) <= 85
    assert 15 <= len(cast.requests()) <= 20
    assert {it.system for one in cast.people for it in one.held} == set(SYSTEMS)


def test_access_erasure_and_both_in_one_are_asked_for(cast: Cast) -> None:
    asked = {frozenset(it.claims) for it in cast.requests()}
    assert asked == {
        frozenset({"access"}),
        frozenset({"erasure"}),
        frozenset({"access", "erasure"}),
    }


def test_one_request_nobody_vouches_for_and_nothing_of_that_person_changes(cast: Cast) -> None:
    (request,) = [it for it in cast.requests() if it.ends == "identity_asked"]
    one, _ = asking(cast, request.person)
    assert "erasure" in request.claims
    assert {it.system for it in one.held} == {"freshdesk", "salesforce"}
    assert {it.then.state for it in one.held} == {"same"}


def test_only_the_case_above_what_the_policy_waives_needs_approval(cast: Cast) -> None:
    waived = policy.load().waived_up_to
    for request in cast.requests():
        one, _ = asking(cast, request.person)
        assert request.needs_approval == ("erasure" in request.claims and len(one.held) > waived)
    assert sum(it.needs_approval for it in cast.requests()) == 1


def test_only_what_somebody_wants_erased_may_change(cast: Cast) -> None:
    for one in cast.people:
        wants = one.request is not None and "erasure" in one.request.claims
        assert wants or {it.then.state for it in one.held} <= {"same"}, one.key


def test_the_cast_has_the_variety_that_the_demo_shows(cast: Cast) -> None:
    contacts = held(cast, "freshdesk", "contact")
    assert Counter(it.fields.get("state") for it in contacts).keys() >= {"deleted", "blocked"}
    leads = held(cast, "salesforce", "lead")
    assert len(leads) >= 15
    assert any(it.fields.get("IsDeleted") for it in leads)
    customers = held(cast, "salesforce", "contact")
    assert len(customers) >= 10
    assert any(it.then.state == "blank" and it.fields["HasOptedOutOfEmail"] for it in customers)
    names = [it.name for it in cast.people]
    assert any("'" in it for it in names)
    assert any("ü" in it for it in names)
    assert any(not it.isascii() and not re.search("[A-Za-z]", it) for it in names)
    tickets = held(cast, "freshdesk", "ticket")
    assert any(len(it.fields.get("conversations", ())) > 100 for it in tickets)


def test_the_cast_has_what_stripe_mailgun_and_s3_make_difficult(cast: Cast) -> None:
    def kinds(key: str) -> Counter[str]:
        return Counter(f"{it.system} {it.kind}" for it in asking(cast, key)[0].held)

    assert kinds("guest").keys() & {"stripe customer", "salesforce contact"} == set()
    assert kinds("several-customers")["stripe customer"] == 3
    several, request = asking(cast, "several-customers")
    spelt = {it.fields["email"] for it in several.held if it.kind == "customer"}
    assert len(spelt) == 3
    assert {it.lower() for it in spelt} == {dict(request.identifiers)["email"]}
    assert "salesforce contact" not in kinds("active-subscription")
    (dispute,) = [it for it in asking(cast, "open-dispute")[0].held if it.kind == "dispute"]
    assert dispute.fields["status"] == "under_review"
    locked = [it for it in asking(cast, "customer")[0].held if "RetainUntil" in it.fields]
    assert [it.then.state for it in locked] == ["same"]
    one, request = asking(cast, "unsubscribed")
    assert "erasure" in request.claims
    assert {it.then.state for it in one.held if it.kind == "unsubscribe"} == {"same"}


def test_a_second_address_in_one_system_leads_to_the_lead_in_the_other(cast: Cast) -> None:
    one, request = asking(cast, "two-addresses")
    (contact,) = [it for it in one.held if it.kind == "contact"]
    (lead,) = [it for it in one.held if it.kind == "lead"]
    assert request.identifiers == (("email", contact.fields["email"]),)
    assert lead.fields["Email"] in contact.fields["other_emails"]


def test_a_telephone_that_is_asked_with_belongs_to_a_bystander_too(cast: Cast) -> None:
    _, request = asking(cast, "customer")
    phone = dict(request.identifiers)["phone"]
    bystander = next(it for it in cast.people if it.key == "shares-a-telephone")
    assert phone in {it.fields.get("phone") for it in bystander.held}


def test_somebody_of_whom_nothing_is_held_asks(cast: Cast) -> None:
    one, request = asking(cast, "held-nowhere")
    assert one.held == ()
    values = {value for _, value in request.identifiers}
    others = [str(value) for one in cast.people for it in one.held for value in it.fields.values()]
    assert not any(it in text for it in values for text in others)


def test_every_address_is_one_that_belongs_to_nobody() -> None:
    domains = DOMAIN.findall(CAST.read_text(encoding="utf-8"))
    assert len(domains) > 60
    assert all(EXAMPLE.fullmatch(it) for it in domains)


def test_nothing_personal_is_in_a_repr_or_a_key(cast: Cast) -> None:
    for one in cast.people:
        shown = f"{one!r} {one.request!r} {one.held[:1]!r}"
        words = [it for it in one.name.split() if len(it) > 2]
        assert not any(it.casefold() in shown.casefold() for it in words)
        assert "@" not in shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nobody"),
        ("[[person]", "cast.toml"),
        ("[[person]]\nkey = 'a'", "a: key and name"),
        ("[[person]]\nname = 'A'", "without a key"),
        (f"{A}hubspot = []", "a: only"),
        (A * 2, "a: is there twice"),
        (f"{A}request = {{ claims = ['objection'] }}", "a: claims"),
        (f"{A}request = {{ claims = ['access'], phone = ['1'] }}", "a: an email or a user_id"),
        (f"{A}request = {{ claims = ['access'], level = 3 }}", "a: the level"),
        (f"{A}freshdesk = [{{ name = 'A' }}]", "a: freshdesk: an object has no kind"),
        (
            f"{A}freshdesk = [{{ kind = 'ticket', requester_id = '@contact' }}]",
            "a: freshdesk: an @",
        ),
        (f"{A}freshdesk = [{{ kind = 'contact', then = 'lost' }}]", "a: `then`"),
        (f"{A}salesforce = [{{ kind = 'case', then = {{ blank = ['X'] }} }}]", "a: what is to be"),
    ],
)
def test_a_cast_that_cannot_be_meant_is_refused_with_the_place(
    tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "cast.toml"
    file.write_text(text)
    with pytest.raises(CastError, match=re.escape(says)):
        load(file)


def test_several_of_a_kind_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "cast.toml"
    file.write_text(
        f"{A}freshdesk = [{{ kind = 'contact', times = 2, name = 'No. {{n}}' }},"
        f" {{ kind = 'ticket', rounds = 2, conversations = ['Call {{n}}', 'Again'] }}]\n"
    )
    first, second, ticket = load(file).people[0].held
    assert (first.fields["name"], second.fields["name"]) == ("No. 1", "No. 2")
    assert ticket.fields["conversations"] == ["Call 1", "Again", "Call 2", "Again"]
