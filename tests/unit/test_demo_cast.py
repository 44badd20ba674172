"""The cast is the demo's promise: who is in it, and what it may not say."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline import policy
from pipeline.case.rights import SUPPORTED
from pipeline.demo.people import (
    CAST,
    SAYS,
    SYSTEMS,
    Cast,
    CastError,
    Held,
    Request,
    Somebody,
    kind_of,
    load,
)

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
    assert 75 <= len(cast.people) <= 90
    assert 15 <= len(cast.requests()) <= 30
    assert {it.system for one in cast.people for it in one.held} == set(SYSTEMS)


def test_every_right_is_asked_for_alone_or_with_others(cast: Cast) -> None:
    asked = [frozenset(it.claims) for it in cast.requests()]
    assert {right for it in asked for right in it} == SUPPORTED
    assert {frozenset({"access"}), frozenset({"erasure"}), frozenset({"access", "erasure"})} <= {
        *asked
    }
    assert max(map(len, asked)) > 2


def test_one_request_nobody_vouches_for_and_nothing_of_that_person_changes(cast: Cast) -> None:
    (request,) = [it for it in cast.requests() if it.ends == "identity_asked"]
    one, _ = asking(cast, request.person)
    assert "erasure" in request.claims
    assert {it.system for it in one.held} == {"freshdesk", "salesforce"}
    assert {it.then.state for it in one.held} == {"same"}


def test_what_is_large_or_rests_on_the_dpos_word_needs_approval(cast: Cast) -> None:
    waived = policy.load().waived_up_to
    for request in cast.requests():
        one, _ = asking(cast, request.person)
        is_large = len(one.held) > waived
        needs = "erasure" in request.claims and (is_large or bool(request.same))
        assert request.needs_approval == needs
    assert sum(it.needs_approval for it in cast.requests()) == 4


def test_only_what_somebody_wants_erased_may_change(cast: Cast) -> None:
    for one in cast.people:
        wants = one.request is not None and "erasure" in one.request.claims
        is_refused = one.request is not None and one.request.refused
        may = wants and not is_refused
        assert may or {it.then.state for it in one.held} <= {"same"}, one.key


def test_people_extend_refuse_and_settle_by_hand_and_somebody_asks_again(cast: Cast) -> None:
    asked = cast.requests()
    (extended,) = [it for it in asked if it.extended]
    (refused,) = [it for it in asked if it.refused]
    assert extended.needs_approval, "there is time to extend it"
    assert refused.needs_approval, "nothing is erased before it is refused"
    assert refused.ends == "refused"
    ((by_hand, said),) = [(it, said) for it in asked for said in it.by_hand]
    one, _ = asking(cast, by_hand.person)
    (thing,) = [it for it in one.held if f"{it.system}.{it.name}" == said]
    assert (thing.fields["LegalHold"], thing.then.state) == ("ON", "gone")
    (again,) = [it for it in asked if it.again]
    assert asking(cast, again.person)[0].held == (), "of nobody anything changes years later"


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


def test_files_refunds_fields_of_its_own_and_hostile_markup_are_copied(cast: Cast) -> None:
    one, request = asking(cast, "sent-files")
    assert request.claims == ("access", "erasure")
    assert {it.then.state for it in one.held} == {"gone"}
    contact, ticket = one.held
    assert contact.fields["custom_fields"]
    assert "<svg" in contact.fields["avatar"]["content"]
    files = ticket.fields["attachments"]
    assert any(".." in it["name"] for it in files)
    assert any(not it["content"] for it in files)
    assert any("\x00" in it["content"] for it in files)
    (said,) = [it for it in ticket.fields["conversations"] if it.get("attachments")]
    assert any("\u202e" in it["name"] for it in said["attachments"])
    assert "<!" in ticket.fields["description"]
    assert "<script>" in ticket.fields["description"]
    (charge,) = [it for it in asking(cast, "guest")[0].held if it.kind == "charge"]
    assert len(charge.fields["refunds"]) == 2


def test_a_second_address_in_one_system_leads_to_the_lead_in_the_other(cast: Cast) -> None:
    one, request = asking(cast, "two-addresses")
    (contact,) = [it for it in one.held if it.kind == "contact"]
    (lead,) = [it for it in one.held if it.kind == "lead"]
    assert request.identifiers == (("email", contact.fields["email"]),)
    assert lead.fields["Email"] in contact.fields["other_emails"]
    assert request.confirm == (lead.fields["Email"],)


def test_people_say_each_way_that_there_is_whose_something_is(cast: Cast) -> None:
    said = [(word, it) for one in cast.requests() for word in SAYS for it in getattr(one, word)]
    assert Counter((word, kind_of(it) or "object") for word, it in said) == {
        ("confirm", "email"): 1,
        ("same", "email"): 1,
        ("same", "object"): 1,
        ("other", "object"): 1,
    }


# Those who come near somebody else's data.


def stranger(cast: Cast, key: str) -> Somebody:
    """Somebody of whom nothing is asked, and nothing may change."""
    one = next(it for it in cast.people if it.key == key)
    assert one.request is None
    assert {it.then.state for it in one.held} == {"same"}
    return one


def values(one: Somebody) -> str:
    return repr([it.fields for it in one.held])


def test_a_poisoned_lead_bears_the_user_id_of_somebody_whom_all_five_systems_know(
    cast: Cast,
) -> None:
    one, request = asking(cast, "poisoned-lead")
    (lead,) = [it for it in one.held if it.kind == "lead"]
    known = stranger(cast, "all-five")
    assert lead.then.state == "same"
    assert lead.fields["Email"] == dict(request.identifiers)["email"]
    assert lead.fields["User_Id__c"] in values(known)
    assert {it.system for it in known.held} == set(SYSTEMS)
    assert {it.then.state for it in one.held} == {"same", "gone"}


def test_a_lead_became_the_contact_of_somebody_with_a_case_and_a_comment(cast: Cast) -> None:
    one, _ = asking(cast, "converted-into-a-stranger")
    (lead,) = [it for it in one.held if it.kind == "lead"]
    assert lead.fields["ConvertedContactId"] == "@customer-9:contact"
    assert one.leans_on() == {"customer-9"}
    kinds = [it.kind for it in stranger(cast, "customer-9").held]
    assert kinds == ["contact", "case", "comment"]


def test_a_support_contact_has_a_strangers_address_and_the_tickets_of_both(cast: Cast) -> None:
    one, request = asking(cast, "a-strangers-second-address")
    (contact,) = [it for it in one.held if it.kind == "contact"]
    other = stranger(cast, "wrote-to-a-strangers-contact")
    (address,) = contact.fields["other_emails"]
    assert address in values(other)
    assert address not in dict(request.identifiers).values()
    assert request.words == 0
    assert other.leans_on() == {one.key}
    assert all("ticket" in {it.kind for it in who.held} for who in (one, other))


def test_one_mailbox_is_of_two_people_and_some_of_what_lies_there_names_neither(
    cast: Cast,
) -> None:
    one, request = asking(cast, "shares-a-mailbox")
    other = stranger(cast, "shares-it-too")
    (mailbox,) = [value for _, value in request.identifiers]
    assert all(mailbox in values(it) for it in (one, other))
    assert one.name.split()[0] != other.name.split()[0]
    ids = [
        {it.fields["metadata"]["user_id"] for it in who.held if "metadata" in it.fields}
        for who in (one, other)
    ]
    assert all(ids)
    assert not ids[0] & ids[1]
    assert any(it.kind == "member" and "name" not in it.fields for it in other.held)


def test_what_rides_along_in_a_request_is_a_strangers_and_nobody_vouches_for_it(
    cast: Cast,
) -> None:
    for key, victim in (("rider", "both-3"), ("types-a-user-id", "paying-3")):
        one, request = asking(cast, key)
        levels = dict(zip(request.identifiers, request.levels, strict=True))
        ((_, ridden),) = [it for it, level in levels.items() if not level]
        assert ridden in values(stranger(cast, victim))
        assert ridden not in values(one)
        assert set(levels.values()) == {0, 2}
        assert request.sent().levels == request.levels
        assert request.words == 0


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
        (f"{A}request = {{ claims = ['sandwiches'] }}", "a: a claim"),
        (f"{A}request = {{ claims = ['access'], phone = ['1'] }}", "a: an email or a user_id"),
        (f"{A}request = {{ claims = ['access'], level = 3 }}", "a: the level"),
        (f"{A}freshdesk = [{{ name = 'A' }}]", "a: freshdesk: an object has no kind"),
        (f"{A}freshdesk = [{{ kind = 'ticket', requester_id = '@contact' }}]", "a: an @name"),
        (f"{A}freshdesk = [{{ kind = 'ticket', requester_id = '@b:contact' }}]", "a: an @name"),
        (
            f"{A}request = {{ claims = ['access'], email = ['a@b'], unproved = ['c'] }}",
            "a: what is",
        ),
        (f"{A}request = {{ claims = ['access'], email = ['a@b'], same = ['x.y'] }}", "a: what the"),
        (f"{A}request = {{ claims = ['access'], email = ['a@b'], by_hand = ['a@b'] }}", "a: what"),
        (f"{A}request = {{ claims = ['access'], email = ['a@b'], extended = 'x' }}", "a: an ext"),
        (f"{A}request = {{ claims = ['access'], email = ['a@b'], refused = 'x' }}", "a: a refusal"),
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
