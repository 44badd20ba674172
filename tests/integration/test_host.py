"""The host on a real Kafka: what it answers, in which order, and what it never loses."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline import flow
from pipeline.crypto.grants import HEADER, Grants
from pipeline.kafka import wire
from pipeline.kafka.dead_letters import DeadLetterLimitError
from pipeline.keys.key_folder import KeyFolder
from pipeline.ports import LaterError
from schemas import events as e
from tests.fakes.hosts import CODEC, Bench, Scripted, bench, bootstrap, decoded, nothing
from tests.fakes.orders import TRACE, CaseOf

__all__ = ["bench", "bootstrap"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_order_is_answered_in_its_trace_under_derived_ids(bench: Bench) -> None:
    async with bench.host(Scripted(bench.system, nothing)):
        case, order = bench.order()
        (sent,) = await bench.send((case, order))
        (answer,) = await bench.answers(1)
    event, told = CODEC.decode(answer.value or b""), wire.read(answer.headers)
    assert isinstance(event, e.SearchFailed)
    assert (event.case, answer.key) == (case.id, str(case.id).encode())
    assert told["ce_id"] == str(wire.answer_id(event.order, event))
    assert told["ce_causationid"] == wire.read(sent.headers)["ce_id"]
    assert told["ce_source"] == f"/habeas/host/{bench.system}"
    assert told["traceparent"][:35] == TRACE[:35]
    assert told["traceparent"] != TRACE
    assert HEADER not in dict(answer.headers)


async def test_a_slow_case_is_overtaken_and_kept_in_order(bench: Bench) -> None:
    free = asyncio.Event()
    slow = CaseOf(system=bench.system)
    first, second = bench.order(slow), bench.order(slow)
    others = [bench.order() for _ in range(10)]

    async def act(order: e.SearchOrdered) -> None:
        if order.order == first[1].order:
            await free.wait()

    work = Scripted(bench.system, act)
    async with bench.host(work):
        await bench.send(first, second, *others)
        early = decoded(await bench.answers(len(others)))
        assert {it.case for it in early} == {case.id for case, _ in others}
        assert second[1].order not in work.begun
        assert await bench.committed() < len(others) + 2
        free.set()
        assert len(await bench.answers(len(others) + 2)) == len(others) + 2
    mine = [it for it in work.begun if it in {first[1].order, second[1].order}]
    assert mine == [first[1].order, second[1].order]
    assert await bench.committed() == len(others) + 2


async def test_no_more_than_the_window_at_once_and_none_is_lost(bench: Bench) -> None:
    bench.settings = replace(bench.settings, window=4)

    async def act(_: e.SearchOrdered) -> None:
        await asyncio.sleep(0.02)

    work = Scripted(bench.system, act)
    async with bench.host(work):
        await bench.send(*(bench.order() for _ in range(40)))
        assert len(await bench.answers(40)) == 40
    assert 1 < work.most <= 4
    assert len(work.begun) == len(set(work.begun)) == 40


async def test_a_lapsed_order_is_never_started(bench: Bench) -> None:
    work = Scripted(bench.system, nothing)
    async with bench.host(work):
        await bench.send(bench.order(not_after=datetime.now(UTC) - timedelta(seconds=1)))
        (event,) = decoded(await bench.answers(1))
    assert isinstance(event, e.OrderDeferred)
    assert event.reason == "lapsed"
    assert not work.begun


async def test_an_order_ends_with_its_run_limit(bench: Bench) -> None:
    async def act(_: e.SearchOrdered) -> None:
        await asyncio.sleep(60)

    async with bench.host(Scripted(bench.system, act)):
        await bench.send(bench.order(run_limit=1))
        (event,) = decoded(await bench.answers(1))
    assert isinstance(event, e.OrderDeferred)
    assert event.reason == "run_limit"


async def test_later_and_a_mistake_of_ours_put_an_order_off(bench: Bench) -> None:
    until = datetime(2030, 1, 1, tzinfo=UTC)
    broken, later = bench.order(), bench.order()

    async def act(order: e.SearchOrdered) -> None:
        if order.order == later[1].order:
            raise LaterError(until, "vendor_unavailable")
        raise ZeroDivisionError

    async with bench.host(Scripted(bench.system, act)) as host:
        await bench.send(broken, later)
        events = decoded(await bench.answers(2))
        assert not host.done()
    said = {it.case: (it.reason, it.until) for it in events if isinstance(it, e.OrderDeferred)}
    assert said[later[0].id] == ("vendor_unavailable", until)
    assert said[broken[0].id][0] == "internal_error"


async def test_another_attempt_is_said_to_begin_before_it_does(bench: Bench) -> None:
    """What it may do to the process, nobody can say afterwards."""
    begun: list[int] = []
    answered = asyncio.Event()

    async def act(_: e.SearchOrdered) -> None:
        begun.append(len(await bench.answers(1)))
        answered.set()

    async with bench.host(Scripted(bench.system, act)):
        await bench.send(bench.order(attempt=2))
        await asyncio.wait_for(answered.wait(), 30)
        first, second = decoded(await bench.answers(2))
    assert begun == [1]
    assert isinstance(first, e.OrderDeferred)
    assert (first.reason, first.order) == ("began", second.order)  # type: ignore[attr-defined]
    assert isinstance(second, e.SearchFailed)


async def test_an_answer_that_fits_into_no_record_is_a_mistake_of_ours_and_ends_no_host(
    bench: Bench,
) -> None:
    large = bench.order()

    class Talkative(Scripted):
        async def __call__(self, order: e.Event, grants: Grants) -> Sequence[e.Event]:
            (answer,) = await super().__call__(order, grants)
            assert isinstance(answer, e.SearchFailed)
            is_large = answer.order == large[1].order
            return [replace(answer, reason="x" * 10**6) if is_large else answer]

    async with bench.host(Talkative(bench.system, nothing)) as host:
        await bench.send(large, bench.order())
        first, second = decoded(await bench.answers(2))
        assert not host.done()
    said = {type(it): it for it in (first, second)}
    assert said.keys() == {e.OrderDeferred, e.SearchFailed}
    assert said[e.OrderDeferred].reason == "internal_error"  # type: ignore[attr-defined]


async def test_what_does_not_open_is_put_aside_and_the_rest_flows(bench: Bench) -> None:
    strange, well = bench.order(), bench.order()
    async with bench.host(Scripted(bench.system, nothing)):
        await bench.send(strange, key=b"another host's key, 32 bytes....")
        await bench.send(well)
        (answer,) = decoded(await bench.answers(1))
        (letter,) = decoded(await bench.answers(1, flow.DEAD_LETTERS))
    assert answer.case == well[0].id
    assert isinstance(letter, e.RecordRefused)
    assert letter.case == strange[0].id
    assert letter.reason.startswith("not authenticated: grants_do_not_open")


async def test_too_many_dead_letters_stop_the_process(bench: Bench) -> None:
    """Orders that the orchestrator gave, and whose sealed part was left out."""
    bench.settings = replace(bench.settings, dead_letter_limit=3)
    async with bench.host(Scripted(bench.system, nothing)) as host:
        await bench.send(*(bench.order(sealed=b"") for _ in range(6)))
        with pytest.raises(DeadLetterLimitError):
            await asyncio.wait_for(host, 20)


async def test_a_host_key_made_while_the_host_runs_is_found(bench: Bench) -> None:
    async with bench.host(Scripted(bench.system, nothing)):
        await bench.send(bench.order())
        await bench.answers(1)
        bench.new_key()
        await bench.send(bench.order())
        assert len(await bench.answers(2)) == 2


async def test_an_order_waits_for_a_host_key_that_comes_after_it(bench: Bench) -> None:
    """As to a lone host, whose folder is copied to it."""
    late = KeyFolder(bench.folder / "elsewhere")
    named = late.create(datetime.now(UTC) + timedelta(seconds=1))
    async with bench.host(Scripted(bench.system, nothing)):
        await bench.send(bench.order(), under=(named, late[named]))
        await bench.send(bench.order())
        await bench.answers(1)  # the other order did not wait
        KeyFolder(bench.keys).put(named, late[named])
        assert {type(it) for it in decoded(await bench.answers(2))} == {e.SearchFailed}


async def test_an_order_whose_host_key_never_comes_is_not_answered_and_stops_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its grants a host can prove nothing: once it has lapsed, it is issued again."""
    monkeypatch.setattr("pipeline.host.order_handler.KEY_WAIT", 0.2)
    bench.settings = replace(bench.settings, dead_letter_limit=0)
    elsewhere = KeyFolder(bench.folder / "elsewhere")
    named = elsewhere.create(datetime.now(UTC))
    work = Scripted(bench.system, nothing)
    async with bench.host(work):
        await bench.send(bench.order(), under=(named, elsewhere[named]))
        (letter,) = decoded(await bench.answers(1, flow.DEAD_LETTERS))
        assert isinstance(letter, e.RecordRefused)
        assert letter.reason.startswith("not authenticated: host_key_missing")
        assert not work.begun
        await bench.send(bench.order())
        (event,) = decoded(await bench.answers(1))
    assert isinstance(event, e.SearchFailed)
    assert len(work.begun) == 1


async def test_what_was_in_flight_when_a_host_ended_is_done_by_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.host.host.LAST_ORDERS", 0.2)
    orders = [bench.order() for _ in range(20)]
    stuck = {event.order for _, event in orders[::4]}

    async def act(order: e.SearchOrdered) -> None:
        if order.order in stuck:
            await asyncio.sleep(60)

    async with bench.host(Scripted(bench.system, act)):
        await bench.send(*orders)
        await bench.answers(len(orders) - len(stuck))
    async with bench.host(Scripted(bench.system, nothing)):
        answers = await bench.answers(len(orders))
        for _ in range(50):
            if {it.case for it in decoded(answers)} == {case.id for case, _ in orders}:
                break
            answers = await bench.answers(len(answers) + 1)
    assert {it.case for it in decoded(answers)} == {case.id for case, _ in orders}
    ids = Counter(wire.read(it.headers)["ce_id"] for it in answers)
    assert len(ids) == len(orders)  # what was answered twice has the same event id


async def test_the_share_is_the_part_of_the_partitions(bench: Bench) -> None:
    told: list[float] = []
    async with bench.host(Scripted(bench.system, nothing), share=told.append):
        await bench.send(bench.order())
        await bench.answers(1)
        assert told[-1] == 1
        async with bench.host(Scripted(bench.system, nothing)):
            for _ in range(100):
                if told[-1] < 1:
                    break
                await asyncio.sleep(0.1)
            assert told[-1] in {1 / 3, 2 / 3}
        for _ in range(100):
            if told[-1] == 1:
                break
            await asyncio.sleep(0.1)
        assert told[-1] == 1
