"""Whoever a page tells of is in the list, however the vendor turns its pages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.interface import Identifier, Subject
from pipeline.crypto.grants import identifier_tag
from pipeline.stages.enumerate import Listed

KEY = b"k" * 32
MAILS = st.sampled_from(["ann@example.org", "Ann@Example.org", "bob@example.org", "no address"])
IDENTIFIERS = st.one_of(
    st.builds(Identifier, st.just("email"), MAILS),
    st.builds(Identifier, st.just("phone"), st.sampled_from(["+49 30 1", "+49301", "+49302"])),
    st.builds(Identifier, st.just("acme.record"), st.sampled_from(["1", "2"])),
)
PEOPLE = st.lists(st.builds(Subject, st.lists(IDENTIFIERS, min_size=1, max_size=4).map(tuple)))


def listed(people: list[Subject]) -> Listed:
    made = Listed(KEY)
    for it in people:
        made.take(it)
    return made


def tag(it: Identifier) -> bytes:
    return identifier_tag(KEY, it.kind, it.value)


@given(people=PEOPLE, data=st.data())
def test_neither_order_nor_repetition_changes_the_list(
    people: list[Subject], data: st.DataObject
) -> None:
    again = data.draw(st.permutations(people + people[: len(people) // 2]))
    assert listed(again).entries() == listed(people).entries()
    assert len({it.row.tag for it in listed(people).entries()}) == len(listed(people).entries())


@given(people=PEOPLE)
def test_everybody_is_there_by_an_address_or_is_counted(people: list[Subject]) -> None:
    made = listed(people)
    rows = {it.row.tag: it for it in made.entries()}
    without = 0
    for who in people:
        mails = [it for it in who.identifiers if "@" in it.value]
        without += not mails
        assert all(tag(it) in rows for it in mails)
        if not mails:
            others = [it for it in who.identifiers if it.kind != "email"]
            assert all(tag(it) in rows for it in others)
    assert bool(made.unreachable) is bool(without)
    assert made.unreachable <= without
    assert all(it.sealed is not None and it.sealed.tag == it.row.tag for it in rows.values())
