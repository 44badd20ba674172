"""An address in a text is found, or it is said that there may be one: whatever is around it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from connectors.sdk.spelling import normal
from pipeline.cli import mailboxes as reader
from pipeline.cli.mailboxes import MOST, mailboxes

ANN = "ann@example.org"
BEFORE = st.sampled_from([*" \n\t<>()[]\"',;:/|=?&#{}", "\u2014", "\u201c", "\u00bb", "\u3001"])
AFTER = st.sampled_from([*" \n\t<>()[]\"',;:/|=?&#{}!*", "\u2014", "\u201d", "\u00ab", "\u3001"])
texts = st.text(max_size=8) | st.text("ab@.'\"\\/ \uff20", max_size=8)


@example(left="", before="'", after=".", right="")
@example(left="bob@example.org", before="/", after="|", right="bob@example.net")
@example(left="\\n", before='"', after='"', right="")
@given(left=texts, before=BEFORE, after=AFTER, right=texts)
def test_what_is_set_off_from_what_is_around_it_is_found(
    left: str, before: str, after: str, right: str
) -> None:
    space = " " if before == "'" else ""  # else it is another's, as o'neil is
    there = mailboxes(f"{left}{space}{before}{ANN}{after}{right}")
    found = {normal("email", it) for it in there.found}
    assert ANN in found or there.run_on


@given(left=st.text("abc.-_+09", min_size=1, max_size=5).filter(lambda it: it.strip("-+.")))
def test_what_is_a_part_of_another_address_is_not_taken_for_one(left: str) -> None:
    whole = f"{left.lstrip('-+.')}{ANN}"
    there = mailboxes(f"to <{whole}>")
    assert there.found == {whole}
    assert (there.are_all, there.run_on) == (False, False)


@given(text=st.text(st.characters(exclude_characters="@%\ufe6b\uff20")))
def test_a_text_without_a_sign_of_addresses_has_none(text: str) -> None:
    assert not mailboxes(text).found


def test_more_than_can_be_looked_into_is_said() -> None:
    assert mailboxes("a@b " * (MOST + 1)).run_on
    assert not mailboxes("a@b " * MOST).run_on


@given(
    text=st.from_regex(r"\A[a-zA-Z0-9._+-]{1,9}@[a-zA-Z0-9.-]{1,12}\Z")
    | st.text("aZ0@.-_+'%\u00eb", max_size=12)
)
def test_an_address_that_is_read_in_one_way_only_is_read_so_at_once(text: str) -> None:
    assert mailboxes(text) == reader._looked_for(text)
