"""Whose a holding is, as a table: what records bear, what is proved, what people say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.case.whose import (
    ANOTHER_IDENTIFIER,
    ANOTHERS,
    DEEPEST,
    OF_CONTESTED,
    OURS,
    SHARED_ADDRESS,
    UNKNOWN_OWNER,
    UNSEEN_ADDRESS,
    Bearing,
    People,
    Verdict,
    judged,
)
from schemas.records import BorneRow

from .worlds import tag

LINK = ("stripe", "customer", "metadata.user_id")
MINE, OURS_ID = "asker@", "user-1"
STRANGER, STRANGERS_ID = "stranger@", "user-2"


def holding(name: str, *borne: str, of: str = "", where: str = "salesforce.contact") -> Bearing:
    """A record: `a@` is an address, `user-1` a user id in a trusted field, `=Ann` a name."""
    system, _, kind = where.partition(".")
    part_of = tag(of) if of else b""
    bears = tuple(map(_borne, borne))
    return Bearing(tag=tag(name), system=system, kind=kind, bears=bears, part_of=part_of)


def _borne(it: str) -> BorneRow:
    if it.startswith("="):
        return BorneRow(tag=tag(it), kind="name", field="Name")
    if it.endswith("@"):
        return BorneRow(tag=tag(it), kind="email", field="Email")
    if it.startswith("+"):
        return BorneRow(tag=tag(it), kind="phone", field="Phone")
    return BorneRow(tag=tag(it), kind="user_id", field="metadata.user_id")


def people(*proved: str, name: str = "", unseen: str = "", **said: str) -> People:
    """Who is known: proved identifiers, the asker's name, an address that some system was not
    searched for, and what the DPO said of holdings.
    """
    return People(
        proved=frozenset(map(tag, proved or (MINE,))),
        said={tag(it): verdict for it, verdict in said.items()},
        names=frozenset({tag(name)}) if name else frozenset(),
        trusted=frozenset({LINK}),
        unseen=frozenset({tag(unseen)}) if unseen else frozenset(),
    )


def whose(known: People, *holdings: Bearing) -> list[Verdict]:
    found = judged(holdings, known).whose
    return [found[it.tag] for it in holdings]


CUSTOMER = "stripe.customer"
ALONE = [
    ("it bears what is proved", (MINE,), OURS),
    ("a phone beside it is nobody's proof, and nobody's doubt", (MINE, "+1555"), OURS),
    ("somebody's address beside it", (MINE, STRANGER), ANOTHER_IDENTIFIER),
    ("somebody's user id beside it: a form's lead", (MINE, STRANGERS_ID), ANOTHER_IDENTIFIER),
    ("it bears nothing that is proved", (STRANGER,), ANOTHER_IDENTIFIER),
    ("it bears a phone alone", ("+1555",), UNKNOWN_OWNER),
    ("it bears a name alone", ("=Ann",), UNKNOWN_OWNER),
    ("it tells nothing at all", (), UNKNOWN_OWNER),
]


@pytest.mark.parametrize(("borne", "verdict"), [it[1:] for it in ALONE], ids=[a[0] for a in ALONE])
def test_a_record_that_stands_for_itself(borne: tuple[str, ...], verdict: Verdict) -> None:
    assert whose(people(), holding("it", *borne)) == [verdict]


def test_what_stands_beside_a_proved_identifier_finds_nothing_elsewhere() -> None:
    lead = holding("lead", MINE, STRANGERS_ID, where="salesforce.lead")
    theirs = holding("theirs", STRANGER, STRANGERS_ID, where=CUSTOMER)
    found = judged([lead, theirs], people())
    assert found.linked == frozenset()
    assert found.whose == {lead.tag: ANOTHER_IDENTIFIER, theirs.tag: ANOTHER_IDENTIFIER}


def test_a_field_that_policy_trusts_makes_an_identifier_theirs_everywhere() -> None:
    customer = holding("customer", MINE, OURS_ID, where=CUSTOMER)
    contact = holding("contact", MINE, OURS_ID)
    found = judged([contact, customer], people())
    assert found.linked == {tag(OURS_ID)}
    assert set(found.whose.values()) == {OURS}


def test_a_trusted_field_of_what_is_not_ours_is_trusted_by_nobody() -> None:
    customer = holding("customer", STRANGER, STRANGERS_ID, where=CUSTOMER)
    contact = holding("contact", MINE, STRANGERS_ID)
    found = judged([contact, customer], people())
    assert found.linked == frozenset()
    assert OURS not in found.whose.values()


PARTS = [
    ("it hangs on ours", (MINE,), (), OURS),
    ("and bears the same", (MINE,), (MINE,), OURS),
    ("and bears somebody else's", (MINE,), (STRANGER,), ANOTHER_IDENTIFIER),
    ("it hangs on what is contested", (MINE, STRANGER), (), OF_CONTESTED),
    (
        "it hangs on a stranger's, and bears ours: a form filled in",
        (STRANGER,),
        (MINE,),
        OF_CONTESTED,
    ),
]


@pytest.mark.parametrize(("whole", "part", "verdict"), [it[1:] for it in PARTS])
def test_a_part_is_whose_the_whole_is_unless_it_says_otherwise(
    whole: tuple[str, ...], part: tuple[str, ...], verdict: Verdict
) -> None:
    found = whose(people(), holding("part", *part, of="whole"), holding("whole", *whole))
    assert found[0] == verdict


def test_a_part_of_what_was_not_found_is_not_ours_whatever_it_bears() -> None:
    assert whose(people(), holding("part", MINE, of="unfound")) == [UNKNOWN_OWNER]


def test_parts_in_a_circle_and_without_end_are_nobodys() -> None:
    circle = [holding("a", of="b"), holding("b", of="a")]
    chain = [holding("0", MINE)] + [holding(str(n), of=str(n - 1)) for n in range(1, 2000)]
    assert whose(people(), *circle) == [UNKNOWN_OWNER] * 2
    for holdings in (chain, chain[::-1]):
        found = judged(holdings, people()).whose
        assert [it == OURS for it in map(found.get, map(tag, map(str, range(2000))))] == [
            depth <= DEEPEST for depth in range(2000)
        ]


CROWD = [
    ("another name", "", (MINE, "=Ann"), (MINE, "=Bob"), (SHARED_ADDRESS, SHARED_ADDRESS)),
    ("not the asker's name", "=Ann", (MINE, "=Ann"), (MINE, "=Bob"), (OURS, SHARED_ADDRESS)),
    ("no name, where an address is shared", "=Ann", (MINE,), (MINE, "=Bob"), (SHARED_ADDRESS,) * 2),
    ("no name, where it is not", "=Ann", (MINE,), (MINE, "=Ann"), (OURS, OURS)),
    ("no names at all", "", (MINE,), (MINE,), (OURS, OURS)),
    ("two users", "", (MINE, OURS_ID), (MINE, STRANGERS_ID), (SHARED_ADDRESS,) * 2),
    ("two users of one name", "=Ann", (MINE, OURS_ID, "=Ann"), (MINE, STRANGERS_ID, "=Ann"),
     (SHARED_ADDRESS,) * 2),
    ("two users, one of the asker's name", "=Ann", (MINE, OURS_ID, "=Ann"),
     (MINE, STRANGERS_ID, "=Bob"), (OURS, SHARED_ADDRESS)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "one", "other", "verdicts"), [it[1:] for it in CROWD], ids=[a[0] for a in CROWD]
)
def test_people_who_share_an_address_are_told_apart_by_what_else_the_records_bear(
    name: str, one: tuple[str, ...], other: tuple[str, ...], verdicts: tuple[Verdict, ...]
) -> None:
    both = holding("one", *one, where=CUSTOMER), holding("other", *other, where=CUSTOMER)
    assert tuple(whose(people(name=name), *both)) == verdicts


def test_a_proved_user_id_decides_where_an_address_is_shared() -> None:
    known = people(MINE, OURS_ID, name="=Ann")
    mine = holding("mine", MINE, OURS_ID, "=Nancy", where=CUSTOMER)
    other = holding("other", MINE, STRANGERS_ID, "=Ann", where=CUSTOMER)
    assert whose(known, mine, other) == [OURS, SHARED_ADDRESS]


UNSEEN = [
    ("an address alone", MINE, (MINE,), UNSEEN_ADDRESS),
    ("another name", MINE, (MINE, "=Bob"), SHARED_ADDRESS),
    ("a user id that nobody proved", MINE, (MINE, "user-3"), UNSEEN_ADDRESS),
    ("the asker's name", MINE, (MINE, "=Ann"), OURS),
    ("a proved user id", MINE, (MINE, OURS_ID), OURS),
    ("a proved user id alone", MINE, (OURS_ID,), OURS),
    ("another address, by which all was searched", MINE, ("mine-too@",), OURS),
    ("both addresses", MINE, (MINE, "mine-too@"), OURS),
]


@pytest.mark.parametrize(
    ("unseen", "borne", "verdict"), [it[1:] for it in UNSEEN], ids=[it[0] for it in UNSEEN]
)
def test_an_address_that_a_system_may_show_to_be_others_too_speaks_for_nothing_alone(
    unseen: str, borne: tuple[str, ...], verdict: Verdict
) -> None:
    known = people(MINE, "mine-too@", OURS_ID, name="=Ann", unseen=unseen)
    assert whose(known, holding("it", *borne, where=CUSTOMER)) == [verdict]


def test_what_the_dpo_says_of_a_holding_counts_and_so_for_its_parts() -> None:
    known = people(same="same", other="other")
    found = whose(
        known,
        holding("same", STRANGER),
        holding("part of same", of="same"),
        holding("other", MINE),
        holding("part of other", of="other"),
    )
    assert found == [OURS, OURS, ANOTHERS, ANOTHERS]


def test_an_identifier_that_the_dpo_gives_to_somebody_else_is_theirs() -> None:
    known = People(proved=frozenset({tag(MINE)}), strangers=frozenset({tag(STRANGER)}))
    assert whose(known, holding("theirs", STRANGER)) == [ANOTHERS]
    assert whose(known, holding("both", MINE, STRANGER)) == [ANOTHER_IDENTIFIER]


IDENTIFIERS = (MINE, "second@", STRANGER, OURS_ID, STRANGERS_ID, "=Ann", "=Bob", "+1555")
HOLDINGS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(IDENTIFIERS), max_size=4),
        st.none() | st.integers(0, 5),
        st.sampled_from([CUSTOMER, "salesforce.contact"]),
    ),
    max_size=6,
)


@given(HOLDINGS, st.sampled_from(["", "=Ann"]))
def test_nothing_is_ours_that_bears_an_identifier_neither_proved_nor_trusted(
    drawn: list[tuple[set[str], int | None, str]], name: str
) -> None:
    holdings = [
        holding(str(n), *sorted(borne), of="" if of is None else str(of), where=where)
        for n, (borne, of, where) in enumerate(drawn)
    ]
    known = people(MINE, name=name)
    found = judged(holdings, known)
    usable = known.proved | found.linked
    for it in holdings:
        if found.whose[it.tag] == OURS:
            assert it.strong() <= usable
            assert it.part_of or it.strong() & usable


@given(HOLDINGS, st.randoms(use_true_random=False))
def test_the_order_of_what_is_read_decides_nothing(
    drawn: list[tuple[set[str], int | None, str]], random: object
) -> None:
    holdings = [
        holding(str(n), *sorted(borne), of="" if of is None else str(of), where=where)
        for n, (borne, of, where) in enumerate(drawn)
    ]
    shuffled = list(holdings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert judged(holdings, people()).whose == judged(shuffled, people()).whose
