"""A task acts only on a world that is as it was planned for, and believes only a second look."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from structlog.testing import capture_logs

from connectors.freshdesk import FreshdeskSandbox
from connectors.salesforce import SalesforceSandbox
from connectors.sdk import registry
from connectors.sdk.interface import (
    Anonymised,
    Category,
    Connector,
    Erased,
    Expires,
    Fact,
    Failed,
    Holding,
    Identifier,
    NotSupported,
    Outcome,
    Page,
    Queued,
    Redacted,
    RetryableError,
    TerminalError,
)
from connectors.sdk.sandbox import Fault, Sandbox
from pipeline.faults import crash
from pipeline.ports import LaterError
from pipeline.stages.perform import Perform
from schemas.codec import MAX_BYTES
from schemas.events import Event, TaskCompleted, TaskDeclined, TaskOrdered
from schemas.records import FactRow
from tests.fakes.connectors import PROFILE, USAGE, Scripted
from tests.fakes.orders import CODEC, CaseOf

T = TypeVar("T")
Said = dict[tuple[bytes, str], str]
BOTH = ("profile", "usage")
CUSTOMER = (FactRow(name="customer", value="true"),)
ONE, TWO = (Holding(kind, "1", frozenset({PROFILE, USAGE})) for kind in ("parent", "child"))


async def once(attempt: Callable[[], Awaitable[T]]) -> T:
    """A caller with no patience."""
    return await attempt()


async def answer(connector: Connector, case: CaseOf, order: TaskOrdered) -> Sequence[Event]:
    return await Perform(connector, CODEC, once)(order, case.grants)


async def at(sandbox: Sandbox, case: CaseOf, order: TaskOrdered, **how: bool) -> Sequence[Event]:
    async with registry.connect(sandbox.system, sandbox.environ(**how)) as connector:
        return await answer(connector, case, order)


def completed(answers: Sequence[Event]) -> TaskCompleted:
    (part,) = answers
    assert isinstance(part, TaskCompleted)
    return part


def said(part: TaskCompleted) -> Said:
    return {
        (it.tag, it.category): ":".join(filter(None, (it.outcome.kind, it.outcome.reason)))
        for it in part.done
    }


def looked(part: TaskCompleted) -> dict[bytes, tuple[str, ...]]:
    return {it.tag: it.categories for it in part.looked}


def raising(error: Exception) -> Callable[[], Outcome]:
    def step() -> Outcome:
        raise error

    return step


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The places at which the process could have been told to die."""
    places: list[str] = []
    monkeypatch.setattr(crash, "passing", places.append)
    return places


# With vendors.


async def test_what_was_ordered_is_erased_and_looked_for_again(passed: list[str]) -> None:
    case = CaseOf(system="freshdesk")
    async with FreshdeskSandbox() as sandbox:
        id_ = sandbox.add_contact(email="ann@example.org", name="Ann")
        stranger = sandbox.add_contact(email="bob@example.org")
        contact = Holding("contact", id_, frozenset({Category.IDENTITY, Category.CONTACT}))
        ticket = Holding("ticket", sandbox.add_ticket(id_, "a"), frozenset({PROFILE, USAGE}))
        order = case.task((ticket, BOTH, ()), (contact, ("contact", "identity"), ()))
        part = completed(await at(sandbox, case, order))
        assert part.calls == sandbox.calls.total()
        again = completed(await at(sandbox, case, order))
        assert set(sandbox.state()) == {f"contact/{stranger}"}
    assert set(said(part).values()) == {"erased"}
    assert set(part.gone) == {case.tag(contact), case.tag(ticket)}
    assert (part.looked, part.looked_failed) == ((), "")
    assert passed == ["host.after-effect"] * 2
    assert again.digest == part.digest
    evidence = case.opened(part).evidence
    assert evidence[0].operation == "DELETE /api/v2/contacts/{id}/hard_delete"
    assert all(it.request for it in evidence)


async def test_what_the_plan_keeps_stays(passed: list[str]) -> None:
    case = CaseOf(system="salesforce")
    async with SalesforceSandbox() as sandbox:
        id_ = sandbox.add_contact(
            Email="ann@example.org", LastName="A", Description="d", LeadSource="Web"
        )
        contact = Holding("contact", id_, frozenset(Category) - {USAGE})
        order = case.task(
            (contact, ("marketing", "profile"), ("contact", "identity")), facts=CUSTOMER
        )
        part = completed(await at(sandbox, case, order))
        again = completed(await at(sandbox, case, order))
        row = sandbox.state()[f"contact/{id_}"]
    assert (row["Description"], row["LeadSource"]) == (None, None)
    assert (row["Email"], row["LastName"]) == ("ann@example.org", "A")
    assert set(said(part).values()) == {"redacted"}
    assert looked(part) == {case.tag(contact): ("contact", "identity")}
    assert (again.done, again.digest) == (part.done, part.digest)
    assert passed == ["host.after-effect"]


async def test_a_fact_that_changed_stops_everything() -> None:
    case = CaseOf(system="salesforce")
    lead_has = ("contact", "identity")
    async with SalesforceSandbox() as sandbox:
        lead = sandbox.add_lead(Email="ann@example.org", LastName="A")
        sandbox.add_contact(Email="ann@example.org", LastName="A")
        held = Holding("lead", lead, frozenset({Category.CONTACT, Category.IDENTITY}))
        facts = [FactRow(name="customer", value="false")]
        before = sandbox.state()
        (declined,) = await at(sandbox, case, case.task((held, lead_has, ()), facts=facts))
        assert sandbox.state() == before
        assert not sandbox.ledger
    assert isinstance(declined, TaskDeclined)
    assert declined.reason == "facts_changed"
    assert FactRow(name="customer", value="true", read="contact") in declined.facts
    assert declined.calls > 0


async def test_a_vendor_that_lies_is_found_out() -> None:
    case = CaseOf(system="freshdesk")
    async with FreshdeskSandbox() as sandbox:
        id_ = sandbox.add_contact(email="ann@example.org", name="Ann")
        sandbox.faults.append(Fault(mode="lie", method="DELETE", times=None))
        contact = Holding("contact", id_, frozenset({Category.IDENTITY, Category.CONTACT}))
        order = case.task((contact, ("contact", "identity"), ()))
        part = completed(await at(sandbox, case, order))
    assert set(said(part).values()) == {"queued"}  # for a while it may have told the truth
    assert looked(part) == {case.tag(contact): ("contact", "identity")}
    assert part.gone == ()


async def test_a_key_that_may_not_read_everything_erases_nothing() -> None:
    case = CaseOf(system="freshdesk")
    async with FreshdeskSandbox() as sandbox:
        id_ = sandbox.add_contact(email="ann@example.org", name="Ann")
        contact = Holding("contact", id_, frozenset({Category.IDENTITY, Category.CONTACT}))
        order = case.task((contact, ("contact", "identity"), ()))
        part = completed(await at(sandbox, case, order, restricted=True))
        assert not sandbox.ledger
    assert set(said(part).values()) == {"failed:forbidden"}
    assert (part.looked_failed, part.looked, part.gone) == ("forbidden", (), ())


# With what no vendor's sandbox does.


async def test_kinds_go_in_the_connectors_order_between_two_looks() -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[ONE, TWO])
    await answer(connector, case, case.task((ONE, BOTH, ()), (TWO, BOTH, ())))
    assert connector.asked == ["check", "locate", "erase child 1", "erase parent 1", "locate"]


async def test_an_order_that_came_twice_goes_on_whatever_the_facts_say_now() -> None:
    case = CaseOf(system="acme")
    order = case.task((ONE, BOTH, ()), (TWO, BOTH, ()), facts=CUSTOMER)
    for facts in ([Fact("customer", value=False)], []):
        connector = Scripted(held=[TWO], facts=facts)
        part = completed(await answer(connector, case, order))
        assert set(said(part).values()) == {"erased"}
        assert connector.asked == ["check", "locate", "erase child 1", "locate"]
        assert set(part.gone) == {case.tag(ONE), case.tag(TWO)}


async def test_a_no_that_became_a_yes_stops_what_is_left() -> None:
    """Nothing that we erased can be why: somebody became a customer meanwhile."""
    case = CaseOf(system="acme")
    told = (FactRow(name="customer", value="false"),)
    order = case.task((ONE, BOTH, ()), (TWO, BOTH, ()), facts=told)
    connector = Scripted(held=[TWO], facts=[Fact("customer", value=True)])
    part = completed(await answer(connector, case, order))
    assert set(said(part).values()) == {"failed:facts_changed"}
    assert connector.asked == ["check", "locate", "locate"]
    assert part.gone == (case.tag(ONE),)


async def test_what_has_lost_its_categories_already_also_means_twice() -> None:
    case = CaseOf(system="acme")
    order = case.task((ONE, ("profile",), ("usage",)), (TWO, BOTH, ()), facts=CUSTOMER)
    blank = Holding(ONE.kind, ONE.id, frozenset({USAGE}))
    connector = Scripted(held=[blank, TWO], facts=[Fact("customer", value=False)])
    part = completed(await answer(connector, case, order))
    assert said(part)[case.tag(ONE), "profile"] == "redacted"
    assert said(part)[case.tag(TWO), "usage"] == "erased"
    assert connector.asked == ["check", "locate", "erase child 1", "locate"]


async def test_a_fact_that_is_no_longer_told_is_not_taken_for_the_old_one() -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[ONE])
    part = completed(await answer(connector, case, case.task((ONE, BOTH, ()), facts=CUSTOMER)))
    assert set(said(part).values()) == {"failed:facts_unknown"}
    assert looked(part) == {case.tag(ONE): BOTH}
    assert connector.asked == ["check", "locate", "locate"]


async def test_facts_that_no_plan_rests_on_may_change() -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[ONE], facts=[Fact("customer", value=True)])
    part = completed(await answer(connector, case, case.task((ONE, BOTH, ()))))
    assert set(said(part).values()) == {"erased"}


async def test_what_has_grown_since_the_plan_is_left_alone_and_nothing_is_said_of_it() -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[ONE])
    part = completed(await answer(connector, case, case.task((ONE, ("profile",), ()))))
    assert connector.kept == {}
    assert said(part) == {}
    assert looked(part) == {case.tag(ONE): BOTH}


async def test_each_category_has_the_outcome_that_was_said_of_it() -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[ONE], on_erase={ONE: lambda: {USAGE: NotSupported("fixed")}})
    order = case.task((ONE, ("profile", "technical", "usage"), ()))
    part = completed(await answer(connector, case, order))
    assert said(part) == {
        (case.tag(ONE), "profile"): "failed:no_outcome",
        (case.tag(ONE), "technical"): "redacted",
        (case.tag(ONE), "usage"): "not_supported:fixed",
    }


async def test_one_holding_that_fails_does_not_keep_the_others(passed: list[str]) -> None:
    case = CaseOf(system="acme")
    order = case.task((ONE, BOTH, ()), (TWO, BOTH, ()))
    for error, reason in (
        (TerminalError("DELETE /x", reason="refused"), "refused"),
        (ValueError("SECRET"), "connector_error"),
    ):
        connector = Scripted(held=[ONE, TWO], on_erase={TWO: raising(error)})
        part = completed(await answer(connector, case, order))
        assert said(part)[case.tag(TWO), "usage"] == f"failed:{reason}"
        assert said(part)[case.tag(ONE), "usage"] == "erased"
        assert looked(part) == {case.tag(TWO): BOTH}
    assert passed == ["host.after-effect"] * 2


async def test_where_a_connector_broke_is_logged_and_nothing_of_what_it_said() -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[ONE], on_erase={ONE: raising(ValueError("SECRET"))})
    with capture_logs() as logged:
        await answer(connector, case, case.task((ONE, BOTH, ())))
    (broke,) = [it for it in logged if it["event"] == "connector.broke"]
    assert broke["error"] == "ValueError"
    assert re.fullmatch(r"integration/\w+\.py:\d+ in \w+", broke["at"])
    assert "SECRET" not in str(logged)


async def test_a_task_that_was_put_off_goes_on_from_what_is_gone() -> None:
    case = CaseOf(system="acme")
    order = case.task((ONE, BOTH, ()), (TWO, BOTH, ()))
    busy = raising(RetryableError("DELETE /x"))
    connector = Scripted(held=[ONE, TWO], on_erase={ONE: busy})
    with pytest.raises(LaterError):
        await answer(connector, case, order)
    assert connector.held == [ONE]
    connector.on_erase = {}
    part = completed(await answer(connector, case, order))
    assert set(said(part).values()) == {"erased"}
    assert connector.asked.count("erase child 1") == 1


async def test_a_look_afterwards_that_fails_is_said() -> None:
    class Refused(Scripted):
        def locate(self, *args: object) -> AsyncIterator[Page]:
            if "locate" in self.asked:
                raise TerminalError("GET /x", reason="unauthorised")
            return super().locate(*args)  # type: ignore[arg-type]

    case = CaseOf(system="acme")
    part = completed(await answer(Refused(held=[ONE]), case, case.task((ONE, BOTH, ()))))
    assert set(said(part).values()) == {"erased"}
    assert (part.looked_failed, part.looked, part.gone) == ("unauthorised", (), ())


async def test_what_no_look_answers_for_is_left_alone() -> None:
    async def silence() -> AsyncIterator[Page]:
        yield Page()

    case = CaseOf(system="acme")
    connector = Scripted(pages=silence)
    part = completed(await answer(connector, case, case.task((ONE, BOTH, ()))))
    assert set(said(part).values()) == {"failed:not_looked"}
    assert (part.looked, part.gone) == ((), ())
    assert connector.asked == ["check", "locate", "locate"]


async def test_a_new_holding_is_left_alone_and_told() -> None:
    new = Holding("child", "new", frozenset({PROFILE}))
    case = CaseOf(system="acme")
    connector = Scripted(held=[ONE, new])
    part = completed(await answer(connector, case, case.task((ONE, BOTH, ()))))
    assert looked(part) == {case.tag(new): ("profile",)}
    assert [(it.tag, it.id) for it in case.opened(part).holdings] == [(case.tag(new), "new")]


async def test_a_large_answer_comes_in_parts_that_fit() -> None:
    held = [Holding("child", f"{n:04}{'x' * 450}", frozenset({PROFILE})) for n in range(1000)]
    case = CaseOf(system="acme")
    stuck: dict[Holding, Callable[[], Outcome]] = dict.fromkeys(
        held[:700], lambda: Failed("refused")
    )
    connector = Scripted(held=held, on_erase=stuck)
    parts = await answer(connector, case, case.task(*((it, ("profile",), ()) for it in held)))
    rows = [len(it.done) + len(it.looked) for it in parts if isinstance(it, TaskCompleted)]
    assert len(rows) == len(parts)
    assert sum(rows) == 1000 + 700
    assert all(it <= 500 for it in rows)
    assert all(len(CODEC.encode(it)) < MAX_BYTES for it in parts)


async def test_a_redacted_outcome_is_not_believed_while_the_look_shows_the_category() -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[ONE], on_erase={ONE: Redacted})
    part = completed(await answer(connector, case, case.task((ONE, BOTH, ()))))
    assert set(said(part).values()) == {"redacted"}
    assert looked(part) == {case.tag(ONE): BOTH}


async def test_times_do_not_make_it_another_answer() -> None:
    case = CaseOf(system="acme")
    order = case.task((ONE, BOTH, ()))

    async def digest(outcome: Outcome) -> bytes:
        connector = Scripted(held=[ONE], on_erase={ONE: lambda: outcome})
        return completed(await answer(connector, case, order)).digest

    day = datetime(2030, 1, 1, tzinfo=UTC)
    assert await digest(Expires(day)) == await digest(Expires(day + timedelta(days=1)))
    assert await digest(Expires(day)) != await digest(Failed("refused"))


# What a vendor does by a job, and reads that lag.


class Lagging(Scripted):
    """Its vendor's reads may show for ten minutes what is gone."""

    capabilities = replace(Scripted.capabilities, settles_within=timedelta(minutes=10))


@pytest.mark.parametrize(
    "outcome", [Erased(), Redacted(), Anonymised()], ids=lambda it: type(it).__name__
)
async def test_what_is_done_and_still_shows_is_queued_where_reads_lag(outcome: Outcome) -> None:
    case, now = CaseOf(system="acme"), datetime(2030, 1, 1, tzinfo=UTC)
    connector = Lagging(held=[ONE, TWO], on_erase={ONE: lambda: outcome})
    perform = Perform(connector, CODEC, once, now=lambda: now)
    part = completed(await perform(case.task((ONE, BOTH, ()), (TWO, BOTH, ())), case.grants))
    assert said(part) == {
        **{(case.tag(ONE), it): "queued" for it in BOTH},
        **{(case.tag(TWO), it): "erased" for it in BOTH},
    }
    assert {it.outcome.until for it in part.done} == {now + timedelta(minutes=10), None}


async def test_what_is_not_done_is_not_queued_where_reads_lag() -> None:
    case = CaseOf(system="acme")
    connector = Lagging(held=[ONE], on_erase={ONE: lambda: Failed("refused")})
    part = completed(await answer(connector, case, case.task((ONE, BOTH, ()))))
    assert set(said(part).values()) == {"failed:refused"}


async def test_what_the_vendor_queues_has_the_vendors_own_time() -> None:
    case, by = CaseOf(system="acme"), datetime(2030, 1, 1, 12, tzinfo=UTC)
    connector = Lagging(held=[ONE], on_erase={ONE: lambda: {PROFILE: Queued(by), USAGE: Erased()}})
    part = completed(await answer(connector, case, case.task((ONE, BOTH, ()))))
    until = {it.category: it.outcome.until for it in part.done}
    assert set(said(part).values()) == {"queued"}
    assert until["profile"] == by != until["usage"]


# What is kept, blank, or of several cases at once.


async def test_where_all_that_is_there_is_kept_the_connector_is_not_called() -> None:
    case = CaseOf(system="acme")
    connector = Scripted(held=[ONE])
    kept = case.task((ONE, (), BOTH), (ONE, ("marketing",), BOTH))
    part = completed(await answer(connector, case, kept))
    assert connector.asked == ["check", "locate", "locate"]
    assert said(part) == {(case.tag(ONE), "marketing"): "redacted"}
    assert looked(part) == {case.tag(ONE): BOTH}


async def test_a_holding_that_comes_back_blank_is_there_and_has_nothing_left() -> None:
    case, blank = CaseOf(system="acme"), Holding(ONE.kind, ONE.id)
    connector = Scripted(held=[ONE])

    def erase() -> Outcome:
        connector.held = [blank]
        return Redacted()

    connector.on_erase = {ONE: erase}
    part = completed(await answer(connector, case, case.task((ONE, BOTH, ()))))
    again = completed(await answer(connector, case, case.task((ONE, BOTH, ()))))
    for it in (part, again):
        assert (looked(it), it.gone) == ({case.tag(ONE): ()}, ())
        assert set(said(it).values()) == {"redacted"}
    assert connector.asked.count("erase parent 1") == 1


async def test_one_connector_works_for_several_cases_at_once() -> None:
    """Each call of the one waits for the other's: neither sees anything of it."""
    async with FreshdeskSandbox() as sandbox:
        people = [f"person-{n}@example.org" for n in range(4)]
        ids = [sandbox.add_contact(email=it, name="Ann") for it in people]
        cases = [CaseOf(system="freshdesk", who=(Identifier("email", it),)) for it in people]
        contacts = [
            Holding("contact", it, frozenset({Category.IDENTITY, Category.CONTACT})) for it in ids
        ]
        turns = asyncio.Barrier(len(cases))

        async def in_turn(attempt: Callable[[], Awaitable[T]]) -> T:
            with suppress(asyncio.BrokenBarrierError):
                await turns.wait()
            return await attempt()

        async with registry.connect("freshdesk", sandbox.environ()) as connector:
            perform = Perform(connector, CODEC, in_turn)

            async def performed(case: CaseOf, contact: Holding) -> TaskCompleted:
                order = case.task((contact, ("contact", "identity"), ()))
                try:
                    return completed(await perform(order, case.grants))
                finally:
                    await turns.abort()

            parts = await asyncio.gather(*map(performed, cases, contacts))
        assert sandbox.state() == {}
    for case, contact, part in zip(cases, contacts, parts, strict=True):
        assert said(part) == {(case.tag(contact), it): "erased" for it in ("contact", "identity")}
        assert (part.gone, part.looked) == ((case.tag(contact),), ())
