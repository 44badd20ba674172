"""Somebody who can write on `rights.work.<system>`, and holds no host key.

What they have: every order on the topic, with its grants, which they cannot open. What they
try: to have a host work, answer or stop at their word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from pipeline import flow
from pipeline.crypto.grants import HEADER, Grants
from pipeline.crypto.proofs import PROOF, NotProvedError, Slot
from pipeline.host.order_handler import OrderHandler, UnreadableError
from pipeline.kafka import wire
from pipeline.kafka.authentication import proved
from pipeline.kafka.producer import producer, send
from pipeline.keys.key_folder import KeyFolder
from schemas import events as e
from schemas.codec import UnknownEventError
from schemas.events import Event
from tests.fakes.deciders import arrived
from tests.fakes.hosts import CODEC, Bench, Scripted, bench, bootstrap, decoded, nothing
from tests.fakes.orders import CaseOf, framed

__all__ = ["bench", "bootstrap"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
SYSTEM = "acme"
PAST = datetime.now(UTC) - timedelta(days=1)


class Never:
    """Work that nobody may start."""

    system = SYSTEM

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        raise AssertionError("a host worked for a stranger")


class Host:
    """A host of `SYSTEM` with one key, and what it makes of a record."""

    def __init__(self, folder: Path) -> None:
        self.keys = KeyFolder(folder)
        self.named = self.keys.create(datetime.now(UTC))
        self.handler = OrderHandler(Never(), codec=CODEC, host_keys=folder)

    def order(self, case: CaseOf, **changed: object) -> wire.Record:
        """An order as the orchestrator gives it."""
        order = case.changed(case.search(), **changed)
        return framed(case, order, self.named, self.keys[self.named])

    async def refuses(self, record: wire.Record, code: str) -> None:
        """It is not answered, worked on, or taken for a mistake of ours."""
        with pytest.raises(NotProvedError, match=f"^{code}$"):
            await self.handler.open(arrived(record, 0))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def with_header(record: wire.Record, name: str, value: bytes | None) -> wire.Record:
    kept = tuple(it for it in record.headers if it[0] != name)
    more = () if value is None else ((name, value),)
    return replace(record, headers=(*kept, *more))


async def test_an_order_of_the_orchestrators_opens(host: Host) -> None:
    case = CaseOf(system=SYSTEM)
    opened = await host.handler.open(arrived(host.order(case), 0))
    assert opened.order.case == case.id


@pytest.mark.parametrize("changed", [{"not_after": PAST}, {"attempt": 2}], ids=["lapsed", "again"])
async def test_an_order_that_a_stranger_wrote_is_not_answered_though_it_has_lapsed(
    host: Host, changed: dict[str, object]
) -> None:
    """Grants, key and proof are of an order that they have read."""
    case = CaseOf(system=SYSTEM)
    honest = host.order(case)
    order = CODEC.decode(honest.value)
    forged = replace(honest, value=CODEC.encode(replace(order, **changed)))  # type: ignore[arg-type]
    await host.refuses(forged, "wrong_proof")
    await host.refuses(with_header(forged, PROOF, None), "no_proof")


async def test_a_later_release_is_believed_only_from_who_gives_the_grants(host: Host) -> None:
    case = CaseOf(system=SYSTEM)
    later = with_header(host.order(case), "ce_type", b"habeas.search_ordered.v99")
    await host.refuses(later, "wrong_proof")
    await host.refuses(with_header(later, HEADER, None), "grants_do_not_open")


async def test_grants_of_another_case_or_system_give_no_order(host: Host) -> None:
    case, other = CaseOf(system=SYSTEM), CaseOf(system=SYSTEM)
    moved = replace(host.order(case), key=str(other.id).encode())
    await host.refuses(moved, "wrong_proof")
    elsewhere = CaseOf(system="stripe")
    order = elsewhere.search()
    record = framed(elsewhere, order, host.named, host.keys[host.named])
    await host.refuses(record, "grant_of_another_system")


async def test_grants_cannot_be_exchanged_within_an_order(host: Host) -> None:
    """So that the host would export under the key of tags, or under none."""
    record = host.order(CaseOf(system=SYSTEM))
    read = orjson.loads(dict(record.headers)[HEADER])
    grants = {it[0]: it for it in read["grants"]}
    grants["package"][3], grants["tag"][3] = grants["tag"][3], grants["package"][3]
    await host.refuses(with_header(record, HEADER, orjson.dumps(read)), "wrong_proof")
    read["grants"] = [grants["record"]]
    await host.refuses(with_header(record, HEADER, orjson.dumps(read)), "wrong_proof")


async def test_an_order_whose_sealed_part_is_not_its_own_is_not_worked_on(host: Host) -> None:
    """As one that a broken orchestrator would give: it is authentic, and counts as a mistake."""
    case = CaseOf(system=SYSTEM)
    for sealed in (b"", case.search().sealed):
        with pytest.raises(UnreadableError, match="does not open"):
            await host.handler.open(arrived(host.order(case, sealed=sealed), 0))


async def test_an_authentic_order_of_a_later_release_stops_the_host(host: Host) -> None:
    case = CaseOf(system=SYSTEM)
    record = with_header(host.order(case), "ce_type", b"habeas.search_ordered.v99")
    order = CODEC.decode(record.value)
    assert isinstance(order, e.SearchOrdered)
    slot = Slot(case=case.id, order=order.order, system=SYSTEM, event="search_ordered")
    record = proved(with_header(record, PROOF, None), case.grants.record(), slot)
    with pytest.raises(UnknownEventError):
        await host.handler.open(arrived(record, 0))


async def test_orders_under_keys_that_nobody_has_leave_room_for_the_others(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each could be waited for: no more than half of the host's hands wait."""
    monkeypatch.setattr("pipeline.host.order_handler.KEY_WAIT", 60.0)
    handler = OrderHandler(Never(), codec=CODEC, host_keys=tmp_path, most_waiting=0)
    case = CaseOf(system=SYSTEM)
    strange = framed(case, case.search(), "20990101T000000000000-00000000", b"k" * 32)
    with pytest.raises(NotProvedError, match="host_key_missing"):
        await handler.open(arrived(strange, 0))
    assert (await handler.open(arrived(host.order(case), 0))).order.case == case.id


async def test_a_flood_of_strangers_orders_neither_stops_a_host_nor_is_answered(
    bench: Bench,
) -> None:
    """On a real broker, past the limit at which a host would stop for mistakes of ours."""
    bench.settings = replace(bench.settings, dead_letter_limit=3)
    work = Scripted(bench.system, nothing)
    forged = []
    for _ in range(150):
        case, order = bench.order(not_after=PAST)
        forged.append(framed(case, order, "20990101T000000000000-00000000", b"k" * 32))
    forged = [with_header(it, HEADER, b"{}") for it in forged]
    async with bench.host(work) as task:
        async with producer(bench.bootstrap) as out:
            await send(out, forged)
        honest = bench.order()
        await bench.send(honest)
        (answer,) = decoded(await bench.answers(1))
        letters = await bench.answers(100, flow.DEAD_LETTERS)
        assert not task.done()
    assert answer.case == honest[0].id
    assert work.begun == [honest[1].order]
    assert len(letters) == 100
