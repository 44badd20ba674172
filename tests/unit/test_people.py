"""Whom records are of: nobody is left out, and nobody is told of who came later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from connectors.sdk.fields import Fields
from connectors.sdk.http import Http
from connectors.sdk.interface import Borne, Category, Holding, Identifier, Subject
from connectors.sdk.kinds import Kind, Listing, Reads
from connectors.sdk.people import People, everybody, in_copy, is_until
from connectors.sdk.spelling import is_mailbox

from .test_kinds import KINDS, PAGES, Vendor, contact, vendor

__all__ = ["vendor"]

ANN = Borne("email", "email", "ann@example.org")
PHONE, NAME = Borne("phone", "phone", "+49"), Borne("name", "name", "Ann")
BREACH = datetime(2026, 11, 1, 12, tzinfo=UTC)
UNREAD: list[object] = [None, "", "n/a", [], {}, True, float("nan"), 1e300, "9" * 400]


class Records:
    """What a vendor has by id, and how often it was asked."""

    def __init__(self, *there: Holding) -> None:
        self.there = {it: it for it in there}
        self.asked: list[Holding] = []

    async def read(self, wanted: Sequence[Holding]) -> Iterable[Holding]:
        self.asked += wanted
        return [self.there[it] for it in wanted if it in self.there]


def known(subject: Subject) -> dict[str, str]:
    return {it.kind: it.value for it in subject.identifiers}


async def test_a_record_is_of_whom_it_bears() -> None:
    (who,) = await People("acme", Records().read).of([Holding("a", "1", bears=(ANN, PHONE, NAME))])
    assert known(who) == {"email": "ann@example.org", "phone": "+49"}
    assert [it.kind for it in who.identifiers if it.strong] == ["email"]


@pytest.mark.parametrize("bears", [(), (PHONE,), (NAME,), (Borne("email", "email", "n/a"),)])
async def test_whoever_has_no_address_is_told_by_the_vendors_own_id(
    bears: tuple[Borne, ...],
) -> None:
    (who,) = await People("acme", Records().read).of([Holding("a", "1", bears=bears)])
    assert known(who)["acme.a"] == "1"


async def test_a_part_is_of_whom_its_owner_is_of_and_that_is_read_once() -> None:
    owner = Holding("owner", "1", bears=(ANN,))
    between = Holding("between", "1", part_of=Holding("owner", "1"))
    records = Records(owner, between)
    people = People("acme", records.read)
    parts = [Holding("part", str(n), part_of=Holding("between", "1")) for n in range(3)]
    for page in ([parts[0], parts[1]], [parts[2]]):
        told = await people.of(page)
        assert [known(it) for it in told] == [{"email": "ann@example.org"}] * (page[0] == parts[0])
    assert records.asked == [between, owner]


async def test_what_was_told_of_is_not_read_again() -> None:
    owner, records = Holding("owner", "1", bears=(ANN,)), Records()
    people = People("acme", records.read)
    await people.of([owner])
    assert await people.of([Holding("part", "1", part_of=owner)]) == ()
    assert records.asked == []


async def test_a_part_that_bears_an_address_is_of_both() -> None:
    records = Records(Holding("owner", "1", bears=(ANN,)))
    bob = Borne("email", "email", "bob@example.org")
    part = Holding("part", "1", bears=(bob,), part_of=Holding("owner", "1"))
    told = await People("acme", records.read).of([part])
    assert {it.of("email") for it in told} == {("bob@example.org",), ("ann@example.org",)}


async def test_a_part_of_what_is_gone_is_not_forgotten() -> None:
    part = Holding("part", "1", part_of=Holding("owner", "1"))
    (who,) = await People("acme", Records().read).of([part])
    assert known(who) == {"acme.part": "1"}


@pytest.mark.parametrize(
    ("made", "counts"),
    [
        ("2026-11-01T12:00:00Z", True),
        ("2026-11-01T12:00:01Z", False),
        ("2026-11-01T13:00:00+0100", True),
        ("2026-11-01", True),
        ("2026-11-02", False),
        ("Sun, 01 Nov 2026 11:00:00 GMT", True),
        ("Mon, 02 Nov 2026 11:00:00 -0000", False),
        (BREACH.timestamp(), True),
        (BREACH.timestamp() + 1, False),
        (BREACH.astimezone(timezone(timedelta(hours=5))), True),
        (BREACH.replace(tzinfo=None) + timedelta(seconds=1), False),
        *[(it, True) for it in UNREAD],
    ],
)
def test_only_what_was_surely_made_later_does_not_count(made: object, *, counts: bool) -> None:
    assert is_until(made, BREACH) is counts
    assert is_until(made, None)


@pytest.mark.parametrize(
    ("kind", "value", "is_one"),
    [
        ("email", "ann@example.org", True),
        ("email", " Ann@Example.org ", True),
        ("email", "j\u00f6rg@b\u00fccher.example", True),
        *[("email", it, False) for it in ("", "ann", "@example.org", "ann@", "a b@example.org")],
        ("phone", "ann@example.org", False),
    ],
)
def test_a_mail_goes_to_what_looks_like_an_address(kind: str, value: str, *, is_one: bool) -> None:
    assert is_mailbox(kind, value) is is_one


def test_whoever_is_in_copy_is_told_of() -> None:
    fields = ['"Lee, Ann" <ann@example.org>; bob@example.org', '"<,@', "nobody", None, 7]
    told = [it.identifiers for it in in_copy(fields)]
    assert told == [(Identifier("email", f"{it}@example.org"),) for it in ("ann", "bob")]


async def test_a_list_that_says_no_more_than_ids_tells_no_date_of_its_own(vendor: Vendor) -> None:
    dated = replace(KINDS[0], made="made")
    vendor.rows["contacts"] = [
        contact(1, "ann@example.org", made="2026-10-01"),
        contact(2, "bob@example.org", made="2026-12-01"),
    ]
    async with Http(vendor.url) as http:
        pages = everybody("acme", Reads(http, [dated]), frozenset(), BREACH)
        told = [who.of("email") for page in [it async for it in pages] for who in page]
    assert told == [("ann@example.org",)]


NOTE = Kind(
    name="note",
    routes=("/notes/{id}",),
    fields=Fields({}, always=frozenset({Category.USAGE})),
    owner=("ticket", "ticket"),
    lists=(Listing(route="/tickets/{id}/notes", paging=PAGES, of="ticket"),),
    made="at",
)


async def told_by(vendor: Vendor, *kinds: str, until: datetime | None = None) -> set[str]:
    async with Http(vendor.url) as http:
        reads = Reads(http, (*KINDS, NOTE))
        pages = everybody("acme", reads, frozenset(kinds), until)
        return {
            one.value
            for page in [it async for it in pages]
            for who in page
            for one in who.identifiers
        }


async def test_declared_kinds_tell_of_everybody_in_every_list(vendor: Vendor) -> None:
    """A list that says no more than ids, one of each state, and one that only an owner has."""
    vendor.rows["contacts"] = [
        contact(1, "ann@example.org"),
        contact(2, "bob@example.org", state="closed"),
        contact(3, "", state="closed"),
    ]
    vendor.rows["tickets"] = [{"id": 10, "contact": 1}, {"id": 11, "contact": 9}]
    vendor.rows["notes"] = [
        {"id": 20, "ticket": 10, "at": "2026-10-01"},
        {"id": 21, "ticket": 11, "at": "2026-12-01"},
    ]
    assert await told_by(vendor) == {"ann@example.org", "bob@example.org", "3", "11"}
    assert await told_by(vendor, "contact") == {"ann@example.org", "bob@example.org", "3"}
    assert await told_by(vendor, "ticket") == {"ann@example.org", "11"}
    assert await told_by(vendor, "note") == {"ann@example.org", "11"}
    assert await told_by(vendor, "note", until=BREACH) == {"ann@example.org"}
