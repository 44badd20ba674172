"""A host lists whom its system holds: everybody once, sealed, and never nobody for unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest

from connectors.freshdesk import FreshdeskSandbox
from connectors.sdk import registry
from connectors.sdk.interface import Connector, Identifier, Subject
from connectors.sdk.sandbox import Fault, Sandbox
from pipeline.crypto import grants
from pipeline.crypto.grants import RECORD, Grants
from pipeline.host.order_handler import OrderHandler
from pipeline.intake import bounds
from pipeline.keys.key_folder import KeyFolder
from pipeline.ports import LaterError
from pipeline.register import sealing
from pipeline.register.case_keys import CaseKey
from pipeline.stages import enumerate as stage
from pipeline.stages.answer import ROWS
from pipeline.stages.enumerate import Enumerate
from schemas.codec import MAX_BYTES
from schemas.events import Event, ListingFailed, PeopleListed, PeopleOrdered
from schemas.sealed import SealError
from tests.fakes.connectors import Scripted
from tests.fakes.deciders import arrived
from tests.fakes.orders import CODEC, CaseOf, framed

T = TypeVar("T")
Pages = Sequence[Sequence[Subject]]


async def once(attempt: Callable[[], Awaitable[T]]) -> T:
    """A caller with no patience."""
    return await attempt()


@pytest.fixture
async def sandbox() -> AsyncIterator[FreshdeskSandbox]:
    async with FreshdeskSandbox() as made:
        yield made


@pytest.fixture
def case() -> CaseOf:
    return CaseOf(system="freshdesk")


async def answered(
    sandbox: Sandbox, case: CaseOf, order: PeopleOrdered, *, restricted: bool = False
) -> Sequence[Event]:
    environ = sandbox.environ(restricted=restricted)
    async with registry.connect(sandbox.system, environ) as connector:
        return await Enumerate(connector, CODEC, once)(order, case.grants)


def people(case: CaseOf, answers: Sequence[Event]) -> list[tuple[str, str]]:
    """Kind and value of everybody listed, once it is shown that the parts are one answer."""
    parts = [it for it in answers if isinstance(it, PeopleListed)]
    assert len(parts) == len(answers)
    assert [it.part for it in parts] == list(range(1, len(parts) + 1))
    assert {(it.parts, it.digest, it.unreachable) for it in parts} == {
        (len(parts), parts[0].digest, parts[0].unreachable)
    }
    found = []
    for part in parts:
        bounds.check(part, datetime.now(UTC))
        inside = case.opened(part).identifiers
        assert [(it.tag, it.kind) for it in inside] == [(it.tag, it.kind) for it in part.people]
        found += [(it.kind, it.value) for it in inside]
    return found


async def test_everybody_is_listed_once_and_sealed(
    sandbox: FreshdeskSandbox, case: CaseOf, tmp_path: Path
) -> None:
    """From the order's record to those of the answer, as a host does it."""
    ann = sandbox.add_contact(email="ann@example.org", other_emails=["ann.lee@example.org"])
    sandbox.add_contact(email="bob@example.org", state="deleted")
    for _ in range(3):
        sandbox.add_ticket(ann, "lost my key", cc_emails=["Cat <CAT@example.org>"])
    sandbox.add_contact(phone="+49 30 1234567")
    keys = KeyFolder(tmp_path)
    named = keys.create(datetime.now(UTC))
    async with registry.connect("freshdesk", sandbox.environ()) as connector:
        work = Enumerate(connector, CODEC, once)
        handler = OrderHandler(work, codec=CODEC, host_keys=tmp_path)
        opened = await handler.open(arrived(framed(case, case.people(), named, keys[named]), 0))
        records = await handler.answer(opened)
    answers = [CODEC.decode(it.value) for it in records]
    assert len(people(case, answers)) == 5
    assert {value for kind, value in people(case, answers) if kind == "email"} == {
        "ann@example.org",
        "bob@example.org",
        "CAT@example.org",
    }
    assert {kind for kind, _ in people(case, answers)} == {"email", "phone", "freshdesk.contact"}
    assert [it.unreachable for it in answers if isinstance(it, PeopleListed)] == [1]
    assert not any(b"example.org" in it.value for it in records), "an address in the clear"


async def test_an_order_that_comes_twice_is_answered_alike(
    sandbox: FreshdeskSandbox, case: CaseOf
) -> None:
    for n in range(150):
        sandbox.add_contact(email=f"{n}@example.org")
    order = case.people()
    first, again = [await answered(sandbox, case, order) for _ in range(2)]
    assert len(people(case, first)) == 150
    for one, other in zip(first, again, strict=True):
        assert isinstance(one, PeopleListed)
        assert isinstance(other, PeopleListed)
        assert replace(one, sealed=b"") == replace(other, sealed=b"")


async def test_who_came_later_is_not_listed(sandbox: FreshdeskSandbox, case: CaseOf) -> None:
    sandbox.add_contact(email="ann@example.org")  # 400 days ago
    now = datetime.now(UTC)
    sandbox.add_contact(email="bob@example.org", created_at=f"{now:%Y-%m-%dT%H:%M:%SZ}")
    answers = await answered(sandbox, case, case.people(until=now - timedelta(days=1)))
    assert people(case, answers) == [("email", "ann@example.org")]


async def test_a_key_that_may_not_read_everything_lists_nobody(
    sandbox: FreshdeskSandbox, case: CaseOf
) -> None:
    sandbox.add_contact(email="ann@example.org")
    (failed,) = await answered(sandbox, case, case.people(), restricted=True)
    assert isinstance(failed, ListingFailed)
    assert (failed.reason, failed.calls > 0) == ("forbidden", True)
    assert case.opened(failed).evidence


async def test_half_a_list_is_none(sandbox: FreshdeskSandbox, case: CaseOf) -> None:
    for n in range(150):
        sandbox.add_contact(email=f"{n}@example.org")
    sandbox.faults.append(Fault(route=r"contacts", status=403, times=None, after=3))
    (failed,) = await answered(sandbox, case, case.people())
    assert isinstance(failed, ListingFailed)


async def test_a_busy_vendor_puts_the_list_off(sandbox: FreshdeskSandbox, case: CaseOf) -> None:
    sandbox.faults.append(Fault(route="tickets$", status=429, times=None, retry_after=40, after=1))
    with pytest.raises(LaterError, match="vendor_unavailable"):
        await answered(sandbox, case, case.people())


async def test_a_kind_that_the_connector_does_not_know_is_no_empty_list(
    sandbox: FreshdeskSandbox, case: CaseOf
) -> None:
    (failed,) = await answered(sandbox, case, case.people("invoice"))
    assert isinstance(failed, ListingFailed)
    assert (failed.reason, failed.calls) == ("unknown_kind", 0)


class Listing(Scripted):
    """A vendor with these people, page by page."""

    capabilities = replace(Scripted.capabilities, lists_people=True)
    listed: Pages = ()

    async def people(
        self, kinds: frozenset[str] = frozenset(), until: datetime | None = None
    ) -> AsyncIterator[Sequence[Subject]]:
        for page in self.listed:
            yield page


async def of(connector: Connector) -> tuple[CaseOf, Sequence[Event]]:
    case = CaseOf(system=connector.capabilities.system)
    return case, await Enumerate(connector, CODEC, once)(case.people(), case.grants)


async def test_a_connector_that_lists_nobody_says_so() -> None:
    _, (failed,) = await of(Scripted())
    assert isinstance(failed, ListingFailed)
    assert failed.reason == "not_offered"


async def test_a_connector_that_breaks_lists_nobody() -> None:
    class Breaks(Listing):
        """Has a mistake."""

        def people(
            self, kinds: frozenset[str] = frozenset(), until: datetime | None = None
        ) -> AsyncIterator[Sequence[Subject]]:
            raise KeyError("ann@example.org")

    _, (failed,) = await of(Breaks())
    assert isinstance(failed, ListingFailed)
    assert failed.reason == "connector_error"


async def test_parts_are_small_and_the_order_of_pages_is_nothing() -> None:
    everybody = [mail(f"{n}@example.org") for n in range(ROWS * 2 + 1)]
    one, other = Listing(), Listing()
    one.listed, other.listed = [everybody], [[it] for it in reversed(everybody)]
    case, answers = await of(one)
    parts = [it for it in answers if isinstance(it, PeopleListed)]
    assert [len(it.people) for it in parts] == [ROWS, ROWS, 1]
    assert all(len(CODEC.encode(it)) < MAX_BYTES for it in parts)
    order = case.people()
    both = [await Enumerate(it, CODEC, once)(order, case.grants) for it in (one, other)]
    assert len({getattr(it, "digest", b"") for said in both for it in said}) == 1


async def test_spellings_of_one_mailbox_are_one_and_who_has_none_is_counted() -> None:
    vendor = Listing()
    nobody = Subject(())
    vendor.listed = [
        [mail("Ann@Example.org"), mail("ann@example.org"), mail("not an address")],
        [Subject((Identifier("user_id", "u1"),)), Subject((Identifier("user_id", "u1"),))],
        [nobody, mail("\ud800@example.org")],
    ]
    case, answers = await of(vendor)
    assert sorted(people(case, answers)) == [
        ("email", "Ann@Example.org"),
        ("user_id", "u1"),
    ]
    (part,) = answers
    assert isinstance(part, PeopleListed)
    assert part.unreachable == 4


async def test_more_people_than_a_host_can_keep_are_not_half_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stage, "MOST", 9)
    vendor = Listing()
    vendor.listed = [[mail(f"{n}@example.org") for n in range(10)]]
    _, (failed,) = await of(vendor)
    assert isinstance(failed, ListingFailed)
    assert failed.reason == "too_many_people"


def mail(address: str) -> Subject:
    return Subject((Identifier("email", address),))


async def test_whoever_two_systems_hold_is_one_person_to_the_case() -> None:
    """A host tags under a key of its system; the register tags what comes under the case's own."""
    key = CaseKey(UUID(int=1), UUID(int=2), RECORD, b"r" * 32)
    tags = []
    for system in ("acme", "club"):
        vendor = Listing()
        vendor.capabilities = replace(Listing.capabilities, system=system)
        vendor.listed = [[mail("Ann@Example.org")]]
        case = CaseOf(system=system)
        tag_key = grants.tag_grant(key.key, key.id, system)
        granted = Grants((case.grants.record(), tag_key))
        (said,) = await Enumerate(vendor, CODEC, once)(case.people(), granted)
        assert isinstance(said, PeopleListed)
        ours, found = sealing.retagged(CODEC, said, case.opened(said), {RECORD: key})
        sealing.refuse_unsealed(said, case.opened(said))
        assert sealing.brought(ours) != sealing.brought(said)
        assert [it.tag for it in sealing.brought(ours)] == [it.tag for it in found.identifiers]
        assert sealing.unseal(CODEC, ours, {RECORD: key}) == found
        tags += [it.tag for it in sealing.brought(ours)]
    assert len(tags) == 2
    assert len(set(tags)) == 1


async def test_what_is_listed_and_not_sealed_is_refused() -> None:
    vendor = Listing()
    vendor.listed = [[mail("ann@example.org"), mail("bob@example.org")]]
    case, (said,) = await of(vendor)
    assert isinstance(said, PeopleListed)
    with pytest.raises(SealError):
        sealing.refuse_unsealed(replace(said, people=said.people[:1]), case.opened(said))
