"""A search finds, exports what it finds as it finds it, and never takes unknown for absent."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from structlog.testing import capture_logs

from connectors.freshdesk import FreshdeskSandbox
from connectors.salesforce import SalesforceSandbox
from connectors.sdk import registry
from connectors.sdk.interface import (
    Connector,
    Fact,
    Holding,
    Page,
    Record,
    RetryableError,
    TerminalError,
)
from connectors.sdk.sandbox import Fault, Sandbox
from pipeline.faults import crash
from pipeline.ports import LaterError
from pipeline.stages.locate import Locate
from pipeline.storage.objects import FolderObjects
from schemas.codec import MAX_BYTES
from schemas.events import Event, HoldingsLocated, SearchFailed, SearchOrdered
from schemas.records import FactRow
from tests.fakes.connectors import PROFILE, USAGE, Scripted, borne
from tests.fakes.orders import CODEC, CaseOf

T = TypeVar("T")
MIB = 1024 * 1024


async def once(attempt: Callable[[], Awaitable[T]]) -> T:
    """A caller with no patience."""
    return await attempt()


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path)


async def answer(
    connector: Connector, objects: FolderObjects, case: CaseOf, order: SearchOrdered
) -> Sequence[Event]:
    return await Locate(connector, objects, CODEC, once)(order, case.grants)


async def at(
    sandbox: Sandbox, objects: FolderObjects, case: CaseOf, order: SearchOrdered, **how: bool
) -> Sequence[Event]:
    async with registry.connect(sandbox.system, sandbox.environ(**how)) as connector:
        return await answer(connector, objects, case, order)


def located(answers: Sequence[Event]) -> list[HoldingsLocated]:
    parts = [it for it in answers if isinstance(it, HoldingsLocated)]
    assert len(parts) == len(answers)
    assert [it.part for it in parts] == list(range(1, len(parts) + 1))
    assert {(it.parts, it.digest) for it in parts} == {(len(parts), parts[0].digest)}
    return parts


def files(folder: Path) -> list[Path]:
    return [it for it in folder.rglob("*") if it.is_file()]


def holding(kind: str, id_: str) -> Holding:
    return borne(Holding(kind, id_, frozenset({PROFILE})))


# With vendors.


async def test_everything_at_freshdesk_is_found_and_exported(objects: FolderObjects) -> None:
    case = CaseOf(system="freshdesk")
    order = case.search(export=("contact", "ticket"))
    async with FreshdeskSandbox() as sandbox:
        contact = sandbox.add_contact(
            email="ann@example.org", name="Ann", other_emails=["ANN@example.org"]
        )
        talk = [f"line {n}" for n in range(120)]
        tickets = [sandbox.add_ticket(contact, "a", talk), sandbox.add_ticket(contact, "b")]
        (part,) = located(await at(sandbox, objects, case, order))
        assert sandbox.calls["GET /api/v2/contacts/{id}"] == 1
        assert part.calls == sandbox.calls.total()
    sealed = case.opened(part)
    assert {(it.kind, it.id) for it in sealed.holdings} == {
        ("contact", contact),
        *(("ticket", it) for it in tickets),
    }
    assert [it.tag for it in part.holdings] == sorted(it.tag for it in sealed.holdings)
    assert all(it.exported for it in part.holdings)
    assert {it.value for it in sealed.identifiers} == {"Ann", "ANN@example.org"}
    assert {(it.kind, it.strong) for it in part.identifiers} == {("name", False), ("email", True)}
    records = await case.exported(objects, [part])
    assert len(records) == sum(it.records for it in part.exports) == 1 + 2 + 1
    said = [line["body_text"] for *_, body in records for line in _talk(body)]
    assert [it for it in said if it.startswith("line")] == talk


def _talk(body: bytes) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(body).get("conversations", [])
    return found


async def test_what_bears_somebody_elses_address_is_told_and_not_copied(
    objects: FolderObjects,
) -> None:
    case = CaseOf(system="freshdesk")
    order = case.search(export=("contact", "ticket"))
    async with FreshdeskSandbox() as sandbox:
        contact = sandbox.add_contact(email="ann@example.org", other_emails=["victim@example.org"])
        sandbox.add_ticket(contact, "a")
        (part,) = located(await at(sandbox, objects, case, order))
    assert sorted(it.kind for it in part.holdings) == ["contact", "ticket"]
    assert (part.exports, [it.exported for it in part.holdings]) == ((), [False, False])


async def test_everything_at_salesforce_is_found_and_told(objects: FolderObjects) -> None:
    case = CaseOf(system="salesforce")
    order = case.search(export=("contact", "lead", "case", "comment"))
    async with SalesforceSandbox() as sandbox:
        contact = sandbox.add_contact(Email="ann@example.org", LastName="A", Phone="+49301")
        sandbox.add_case(ContactId=contact, Subject="s")
        (part,) = located(await at(sandbox, objects, case, order))
    assert sorted(it.kind for it in part.holdings) == ["case", "contact"]
    assert [(it.name, it.read) for it in part.facts] == [
        ("customer", "contact"),
        ("last_contact", "case.CreatedDate"),
    ]
    assert [(it.kind, it.strong) for it in part.identifiers] == [("phone", False)]
    assert len(await case.exported(objects, [part])) == 2


async def test_only_the_kinds_named_are_exported(objects: FolderObjects) -> None:
    case = CaseOf(system="freshdesk")
    async with FreshdeskSandbox() as sandbox:
        contact = sandbox.add_contact(email="ann@example.org")
        sandbox.add_ticket(contact, "a")
        (part,) = located(await at(sandbox, objects, case, case.search(export=("contact",))))
        (none,) = located(await at(sandbox, objects, case, case.search()))
    assert {it.kind: it.exported for it in part.holdings} == {"contact": True, "ticket": False}
    assert [kind for kind, *_ in await case.exported(objects, [part])] == ["contact"]
    assert (none.exports, len(none.holdings)) == ((), 2)


async def test_who_is_unknown_to_a_system_is_said_in_one_empty_part(
    objects: FolderObjects, tmp_path: Path
) -> None:
    case = CaseOf(system="freshdesk")
    async with FreshdeskSandbox() as sandbox:
        sandbox.add_contact(email="bob@example.org")
        (part,) = located(await at(sandbox, objects, case, case.search(export=("contact",))))
    assert (part.holdings, part.gone, part.exports) == ((), (), ())
    assert not files(tmp_path)


async def test_a_known_holding_that_the_vendor_no_longer_has_is_gone(
    objects: FolderObjects,
) -> None:
    case = CaseOf(system="freshdesk")
    known = [Holding("ticket", "4711", frozenset({PROFILE, USAGE}))]
    async with FreshdeskSandbox() as sandbox:
        (part,) = located(
            await at(sandbox, objects, case, case.search(known=known, purpose="verify"))
        )
    assert (part.holdings, part.gone) == ((), (case.tag(known[0]),))


async def test_a_find_reads_nothing_again_that_an_earlier_round_found(
    objects: FolderObjects,
) -> None:
    case = CaseOf(system="freshdesk")
    known = [Holding("ticket", "4711", frozenset({PROFILE, USAGE}))]
    async with FreshdeskSandbox() as sandbox:
        (part,) = located(
            await at(sandbox, objects, case, case.search(known=known, exported=known))
        )
        assert not [it for it in sandbox.calls if "tickets/{id}" in it]
    assert (part.holdings, part.gone) == ((), ())


@pytest.mark.parametrize("sandbox_of", [FreshdeskSandbox, SalesforceSandbox])
async def test_a_key_that_may_not_read_everything_is_a_failed_search(
    objects: FolderObjects, sandbox_of: type[FreshdeskSandbox | SalesforceSandbox]
) -> None:
    case = CaseOf(system=sandbox_of.system)
    async with sandbox_of() as sandbox:
        (failed,) = await at(sandbox, objects, case, case.search(), restricted=True)
    assert isinstance(failed, SearchFailed)
    assert failed.reason in {"forbidden", "refused"}
    assert failed.calls > 0
    assert case.opened(failed).evidence


async def test_a_busy_vendor_puts_the_search_off(objects: FolderObjects, tmp_path: Path) -> None:
    case = CaseOf(system="freshdesk")
    async with FreshdeskSandbox() as sandbox:
        contact = sandbox.add_contact(email="ann@example.org")
        sandbox.add_ticket(contact, "a")
        sandbox.faults.append(Fault(route="tickets/.*/conversations", status=429, retry_after=40))
        with pytest.raises(LaterError, match="vendor_unavailable"):
            await at(sandbox, objects, case, case.search(export=("contact", "ticket")))
    assert not files(tmp_path)


# With what no vendor's sandbox does.


async def test_neither_ids_nor_values_are_in_the_clear(objects: FolderObjects) -> None:
    case = CaseOf(system="acme")
    pages = [
        Page(holdings=(holding("child", "SECRET-ID"),)),
        Page(holdings=(borne(Holding("child", "2"), "SECRET-VALUE"),)),
    ]
    connector = Scripted(pages=lambda: _stream(pages))
    for it in await answer(connector, objects, case, case.search()):
        assert b"SECRET" not in CODEC.encode(it)


async def test_pages_that_repeat_are_merged(objects: FolderObjects) -> None:
    one, more = holding("child", "1"), Holding("child", "1", frozenset({USAGE}))
    further = borne(one, "+49 30 1", kind="phone")
    pages = [
        Page(holdings=(one,), records=(Record(one, b"1"),), facts=(Fact("customer", value=True),)),
        Page(
            holdings=(more,), records=(Record(one, b"1"),), facts=(Fact("customer", value=False),)
        ),
        Page(gone=(one, holding("child", "nobody")), holdings=(further,)),
        Page(holdings=(borne(further, "Ann@Example.org"),)),
    ]
    case = CaseOf(system="acme")
    order = case.search(export=("child",), known=[one])
    connector = Scripted(pages=lambda: _stream(pages))
    (part,) = located(await answer(connector, objects, case, order))
    assert [it.categories for it in part.holdings] == [("profile", "usage")]
    assert (part.gone, part.facts) == ((), (FactRow(name="customer", value="true"),))
    spelt = [(it.kind, it.strong, bool(it.spelling)) for it in part.identifiers]
    assert spelt == [("phone", False, False), ("email", True, True)]
    assert [it.kind for it in part.holdings[0].bears] == ["email", "phone", "email"]
    assert await case.exported(objects, [part]) == [("child", "1", b"1")]
    assert connector.asked == ["check", "locate"]


async def test_a_large_answer_comes_in_parts_that_fit(objects: FolderObjects) -> None:
    long = [holding("child", f"{n}-{'x' * 15_000}") for n in range(300)]
    short = [holding("parent", str(n)) for n in range(1200)]
    case = CaseOf(system="acme")
    order = case.search(known=[*short[:600], holding("child", "gone")], purpose="verify")
    connector = Scripted(held=[*long, *short])
    parts = located(await answer(connector, objects, case, order))
    assert all(len(CODEC.encode(it)) < MAX_BYTES for it in parts)
    assert all(len(it.holdings) + len(it.gone) <= 500 for it in parts)
    tags = [row.tag for it in parts for row in it.holdings]
    assert tags == sorted(map(case.tag, [*long, *short]))
    assert sum(len(it.gone) for it in parts) == 1
    assert [it.calls for it in parts] == [2] + [0] * (len(parts) - 1)
    for it in parts:
        assert [row.tag for row in it.holdings] == [s.tag for s in case.opened(it).holdings]


async def test_the_same_content_has_the_same_digest_and_other_content_another(
    objects: FolderObjects,
) -> None:
    case = CaseOf(system="acme")
    order = case.search(export=("child",))
    one, two = holding("child", "1"), holding("child", "2")
    bodies = {one: [b"1"], two: [b"2"]}

    async def parts(*held: Holding) -> list[HoldingsLocated]:
        connector = Scripted(held=list(held), bodies=bodies)
        return located(await answer(connector, objects, case, order))

    (first,), (again,), (other,) = await parts(one, two), await parts(two, one), await parts(one)
    assert first.digest == again.digest != other.digest
    assert first.exports[0].name != again.exports[0].name


async def test_what_an_earlier_round_exported_is_not_fetched_again(objects: FolderObjects) -> None:
    one, two = holding("child", "1"), holding("child", "2")
    case = CaseOf(system="acme")
    order = case.search(export=("child",), known=[one], exported=[one])
    connector = Scripted(held=[one, two], bodies={one: [b"1"], two: [b"2"]})
    (part,) = located(await answer(connector, objects, case, order))
    assert {it.tag: it.exported for it in part.holdings} == {
        case.tag(one): False,
        case.tag(two): True,
    }
    assert await case.exported(objects, [part]) == [("child", "2", b"2")]


async def test_a_holding_that_cannot_be_read_is_located_and_not_exported(
    objects: FolderObjects,
) -> None:
    class Refusing(Scripted):
        async def export(self, holding: Holding) -> AsyncIterator[Record]:
            if holding.id == "1":
                raise TerminalError("GET /x/{id}", reason="forbidden")
            async for it in super().export(holding):
                yield it

    one, two = holding("child", "1"), holding("child", "2")
    case = CaseOf(system="acme")
    connector = Refusing(held=[one, two], bodies={two: [b"2"]})
    (part,) = located(await answer(connector, objects, case, case.search(export=("child",))))
    assert {it.tag: it.exported for it in part.holdings} == {
        case.tag(one): False,
        case.tag(two): True,
    }


async def test_a_holding_that_gives_no_record_is_not_exported(objects: FolderObjects) -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[holding("child", "1")])
    (part,) = located(await answer(connector, objects, case, case.search(export=("child",))))
    assert [it.exported for it in part.holdings] == [False]
    assert part.exports == ()


async def test_exports_are_cut_into_objects_of_bounded_size(
    objects: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[str] = []
    monkeypatch.setattr(crash, "passing", passed.append)
    sizes = [3 * MIB, 3 * MIB, 3 * MIB, 9 * MIB, 10, 10]
    held = [holding("child", str(n)) for n in range(len(sizes))]
    bodies = {it: [bytes(size)] for it, size in zip(held, sizes, strict=True)}
    case = CaseOf(system="acme")
    connector = Scripted(held=held, bodies=bodies)
    (part,) = located(await answer(connector, objects, case, case.search(export=("child",))))
    assert [it.records for it in part.exports] == [2, 1, 1, 2]
    assert len({it.name for it in part.exports}) == 4
    assert all(it.name.startswith(f"{case.id}/{part.order}-") for it in part.exports)
    found = await case.exported(objects, [part])
    assert [len(body) for *_, body in found] == sizes
    assert passed == ["host.in-export"]


async def test_memory_does_not_grow_with_the_person(objects: FolderObjects) -> None:
    async def pages() -> AsyncIterator[Page]:
        for n in range(64):
            it = holding("child", str(n))
            yield Page(holdings=(it,), records=(Record(it, bytes(MIB)),))

    case = CaseOf(system="acme")
    tracemalloc.start()
    try:
        await answer(Scripted(pages=pages), objects, case, case.search(export=("child",)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * MIB


async def test_a_connector_that_breaks_is_a_failed_search_and_its_words_go_nowhere(
    objects: FolderObjects,
) -> None:
    def broken() -> None:
        raise ValueError("SECRET")

    case = CaseOf(system="acme")
    with capture_logs() as logs:
        (failed,) = await answer(Scripted(on_locate=broken), objects, case, case.search())
    assert isinstance(failed, SearchFailed)
    assert failed.reason == "connector_error"
    assert [it["error"] for it in logs] == ["ValueError"]
    assert "SECRET" not in repr(logs) + repr(failed)


@pytest.mark.parametrize("step", ["on_check", "on_locate"])
async def test_terminal_is_failed_and_retryable_is_later(objects: FolderObjects, step: str) -> None:
    def terminal() -> None:
        raise TerminalError("GET /x", reason="unauthorised")

    def retryable() -> None:
        raise RetryableError("GET /x", retry_after=timedelta(hours=1))

    case = CaseOf(system="acme")
    (failed,) = await answer(Scripted(**{step: terminal}), objects, case, case.search())  # type: ignore[arg-type]
    assert isinstance(failed, SearchFailed)
    assert (failed.reason, failed.system) == ("unauthorised", "acme")
    with pytest.raises(LaterError) as later:
        await answer(Scripted(**{step: retryable}), objects, case, case.search())  # type: ignore[arg-type]
    assert later.value.until > datetime.now(UTC) + timedelta(minutes=55)


@pytest.mark.parametrize("odd", ["\ud800", "x" * 20_000], ids=["no_text", "endless"])
async def test_what_does_not_fit_a_record_is_never_left_out_silently(
    objects: FolderObjects, odd: str
) -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[holding("child", odd)])
    (failed,) = await answer(connector, objects, case, case.search())
    assert isinstance(failed, SearchFailed)
    assert failed.reason == "unfit_id"
    pages = [Page(holdings=(borne(holding("child", "1"), odd, "b@x.org"),))]
    connector = Scripted(pages=lambda: _stream(pages))
    (part,) = located(await answer(connector, objects, case, case.search()))
    assert len(part.identifiers) == len(part.holdings[0].bears) - 1 == 2  # it is somebody's


async def _stream(pages: Sequence[Page]) -> AsyncIterator[Page]:
    for it in pages:
        yield it
