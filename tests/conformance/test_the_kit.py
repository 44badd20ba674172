"""The kit passes what keeps the promises, however its vendor works, and shows what it saw."""

from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from connectors.freshdesk import Freshdesk
from connectors.sdk.conformance import ConnectorConformance, failures, more, some
from connectors.sdk.conformance.marks import Mark, in_records
from connectors.sdk.interface import Category, Holding, Record
from tests.conformance.mutants import club
from tests.conformance.mutants.acme import ACME
from tests.conformance.mutants.freshdesk import WaitsForEver
from tests.conformance.test_freshdesk import FreshdeskWorld, world_of
from tests.fakes.club import ClubWorld

KIT = ConnectorConformance()
MARK = Mark.of(7, Category.PROFILE)


class TestTheReadmesExample(ACME["TestAcme"]):  # type: ignore[misc,name-defined,valid-type]
    """What a new author copies keeps every promise."""


class TestClub(ConnectorConformance):
    """A vendor with jobs, reads that lag, blank records, and lists of several people."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[ClubWorld]:
        async with club.world_of() as made:
            yield made


async def test_one_that_waits_for_ever_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "PATIENCE", 3)
    monkeypatch.setattr(FreshdeskWorld, "answer_seconds", 1)
    test = KIT.test_an_answer_without_an_end_is_retryable
    async with world_of(Freshdesk) as world:
        await test(world)
    async with world_of(WaitsForEver) as world:
        with pytest.raises(TimeoutError):
            await test(world)


@pytest.mark.parametrize("before", range(3))
def test_a_mark_is_seen_in_base64_wherever_it_begins(before: int) -> None:
    text = b"?" * before + MARK.number.encode() + b"!"
    encoded = b64encode(text)
    assert MARK.is_in(encoded)
    assert MARK.is_in(encoded[:9] + b"\r\n" + encoded[9:])
    assert not Mark.of(8, Category.PROFILE).is_in(encoded)


def test_a_mark_is_seen_across_the_pieces_of_a_file() -> None:
    held, half = Holding("file", "1"), len(MARK.number) // 2
    pieces = (MARK.number[:half].encode(), MARK.number[half:].encode())
    one, other = (Record(held, it, name="a.txt") for it in pieces)
    assert in_records([MARK], [one, other]) == {MARK}
    assert in_records([MARK], [one, Record(held, pieces[1], name="b.txt")]) == set()


def test_a_state_is_told_by_fields_and_by_children() -> None:
    state = {
        "contact/1": {"deleted": True},
        "note/1": {"contact": "1"},
        "note/2": {"contact": "1"},
    }
    assert some("contact", deleted=True)(state)
    assert not some("contact", deleted=False)(state)
    assert some("note")(state)
    assert more(1, "note", "contact")(state)
    assert not more(2, "note", "contact")(state)
