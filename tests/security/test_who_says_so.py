"""Somebody who can write on `rights.results`, `requests` or `decisions`, and holds no key for it.

What they have: the broker, every record that lies on it, and in some scripts one vendor's host with
all its keys. What they try: to speak for a system, a case, an order, or to stop the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from pipeline import flow
from pipeline.app import LOCAL, Place
from pipeline.crypto.proofs import PROOF, Slot
from pipeline.intake import senders_file
from pipeline.intake.edge import Edge
from pipeline.kafka import wire
from pipeline.kafka.authentication import proved
from pipeline.kafka.dead_letters import DeadLetterLimitError
from pipeline.kafka.unauthenticated import LETTERS, SENDERS, WINDOW
from pipeline.orchestrator.decider import Decider
from pipeline.register import reading, tables
from pipeline.register.engine import connect, migrate, url_of
from pipeline.settings import Settings
from schemas import events as e
from schemas.codec import UnknownEventError
from schemas.events import Event
from schemas.records import Person, SealedIdentifier
from tests.fakes.by_hand import by_hand
from tests.fakes.deciders import (
    CODEC,
    NOW,
    OFFSETS,
    Sent,
    arrived,
    decider,
    of_topic,
    requests,
    set_up,
)
from tests.fakes.proofs import answer, framed, granted, said_with, slot_of

LIMIT = 3


@dataclass
class Stage:
    """A pipeline of two systems, and what was published. Its decider stops after `LIMIT`."""

    settings: Settings
    engine: AsyncEngine
    sent: Sent = field(default_factory=Sent)
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.settings = replace(self.settings, dead_letter_limit=LIMIT)
        self.files = Place(self.settings.data).keys
        signer = self.files.signer(f"console-{LOCAL}")
        intakes = Place(self.settings.data).intakes
        senders_file.register(intakes, "consoles", LOCAL, signer.public_key())
        self.decider: Decider = decider(self.settings, self.engine, self.sent, lambda: self.now)

    async def case(self) -> UUID:
        """A case that is searched for."""
        case = uuid4()
        await self.decider.take(await requests(self.settings, case))
        return case

    def order(self, case: UUID, system: str = "freshdesk") -> wire.Record:
        orders = of_topic(self.sent.records, flow.work(system))
        return next(it for it in orders if it.key == str(case).encode())

    def failed(self, case: UUID, system: str = "freshdesk") -> e.SearchFailed:
        """What a host may say to it: harmless here, and a lie if anybody else says it."""
        order: Any = CODEC.decode(self.order(case, system).value)
        return e.SearchFailed(case=case, order=order.order, system=order.system, reason="forbidden")

    async def take(self, *records: wire.Record) -> None:
        await self.decider.take([arrived(it, next(OFFSETS), self.now) for it in records])

    def letters(self) -> list[str]:
        """Why records were put aside."""
        found = (CODEC.decode(it.value) for it in of_topic(self.sent.records, flow.DEAD_LETTERS))
        return [it.reason for it in found if isinstance(it, e.RecordRefused)]

    async def answered(self, case: UUID) -> list[str]:
        """What of the case's ledger is an answer of a host."""
        entries = await reading.entries(self.engine, case)
        return [it.type for it in entries if it.type in {"search_failed", "holdings_located"}]

    async def refuses(self, case: UUID, record: wire.Record, code: str) -> None:
        """It changes nothing, is put aside under this code, and stops nobody."""
        before, letters = await reading.ledger(self.engine, case), len(self.letters())
        for _ in range(2 * LIMIT):
            await self.take(record)
        assert await reading.ledger(self.engine, case) == before
        reasons = self.letters()[letters:]
        assert len(reasons) == 2 * LIMIT
        assert all(it.startswith(f"not authenticated: {code} ") for it in reasons), reasons


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    settings = set_up(tmp_path, "")
    engine = await connect(url_of("", tmp_path))
    await migrate(engine)
    yield Stage(settings, engine)
    await engine.dispose()


def with_header(record: wire.Record, name: str, value: str) -> wire.Record:
    kept = tuple(it for it in record.headers if it[0] != name)
    return replace(record, headers=(*kept, (name, value.encode())))


async def test_the_host_that_got_the_order_is_believed(stage: Stage) -> None:
    case = await stage.case()
    await stage.take(answer(stage.files, stage.order(case), stage.failed(case)))
    assert await stage.answered(case) == ["search_failed"]
    assert not stage.letters()


async def test_an_answer_without_a_proof_is_refused_and_stops_nobody(stage: Stage) -> None:
    """The attacker has read the order, which names everything an answer names."""
    case = await stage.case()
    await stage.refuses(case, framed(stage.failed(case)), "no_proof")


@pytest.mark.parametrize(
    "proof",
    ["x" * 500, "2 freshdesk", "1 freshdesk {order} search_failed {mac}", "\x00"],
    ids=["long", "cut", "made up", "control character"],
)
async def test_an_answer_with_a_made_up_proof_is_refused(stage: Stage, proof: str) -> None:
    case = await stage.case()
    said = stage.failed(case)
    text = proof.format(order=said.order, mac="0" * 64)
    code = "wrong_proof" if "made" in text or text.endswith("0") else "malformed_proof"
    await stage.refuses(case, with_header(framed(said), PROOF, text), code)


async def test_one_vendors_host_cannot_speak_for_another(stage: Stage) -> None:
    """The attacker is Freshdesk's host, with all that its order brought."""
    case = await stage.case()
    grant = granted(stage.files, stage.order(case)).record()
    said = stage.failed(case, "salesforce")
    await stage.refuses(case, said_with(grant, said), "wrong_proof")
    # It proves what it may, and says another thing: that is authentic, and counts as its mistake.
    mine = replace(slot_of(said), system="freshdesk")
    await stage.take(said_with(grant, said, mine))
    assert stage.letters()[-1] == "not_what_is_proved"
    await stage.take(said_with(grant, replace(said, system="freshdesk")))
    assert stage.letters()[-1] == "unknown_order"
    assert not await stage.answered(case)


async def test_a_host_cannot_speak_for_a_case_that_it_has_no_order_of(stage: Stage) -> None:
    mine, theirs = await stage.case(), await stage.case()
    grant = granted(stage.files, stage.order(mine)).record()
    await stage.refuses(theirs, said_with(grant, stage.failed(theirs)), "wrong_proof")
    said = said_with(grant, stage.failed(theirs), slot_of(stage.failed(mine)))
    await stage.refuses(theirs, said, "wrong_proof")


@pytest.mark.parametrize("what", ["order", "event"])
async def test_a_proof_is_for_one_order_and_one_kind_of_answer(stage: Stage, what: str) -> None:
    """The attacker has an honest answer, and puts its proof on what they would like to say."""
    case = await stage.case()
    grant = granted(stage.files, stage.order(case)).record()
    said: Event = stage.failed(case)
    slot: Slot = slot_of(said)
    slot = replace(slot, order=uuid4()) if what == "order" else replace(slot, event="task_declined")
    honest = dict(said_with(grant, said).headers)[PROOF].decode()
    moved = honest.replace(str(slot_of(said).order), str(slot.order)).replace(
        "search_failed", slot.event
    )
    await stage.refuses(case, with_header(framed(said), PROOF, moved), "wrong_proof")
    await stage.take(said_with(grant, said, slot))  # the host itself, by mistake
    assert stage.letters()[-1] == "not_what_is_proved"
    assert not await stage.answered(case)


async def test_nothing_of_a_proved_answer_can_be_changed(stage: Stage) -> None:
    """Neither what it says, nor its event id, nor its version."""
    case = await stage.case()
    honest = answer(stage.files, stage.order(case), stage.failed(case))
    other = framed(replace(stage.failed(case), reason="unauthorised"))
    for changed in (
        replace(honest, value=other.value),
        replace(honest, key=str(uuid4()).encode()),
        with_header(honest, "ce_id", str(uuid4())),
        with_header(honest, "ce_type", "habeas.search_failed.v99"),
        with_header(honest, "ce_type", "habeas.holdings_located.v1"),
    ):
        letters = len(stage.letters())
        await stage.take(changed)
        assert stage.letters()[letters].startswith("not authenticated: ")
    assert not await stage.answered(case)


async def test_only_who_holds_the_grant_can_stop_a_decider_with_a_later_release(
    stage: Stage,
) -> None:
    """Its version is not looked at before its proof is."""
    case = await stage.case()
    later = with_header(framed(stage.failed(case)), "ce_type", "habeas.search_failed.v99")
    await stage.refuses(case, later, "no_proof")
    grant = granted(stage.files, stage.order(case)).record()
    with pytest.raises(UnknownEventError, match=r"search_failed\.v99"):
        await stage.take(proved(later, grant, slot_of(stage.failed(case))))


async def test_once_its_key_is_destroyed_nothing_is_said_about_a_case(stage: Stage) -> None:
    case = await stage.case()
    honest = answer(stage.files, stage.order(case), stage.failed(case))
    async with stage.engine.begin() as connection:
        gone = update(tables.keys).where(tables.keys.c.owner == case)
        await connection.execute(gone.values(wrapped=b"", destroyed_at=NOW))
    await stage.refuses(case, honest, "no_key_of_this_case")


async def test_keys_that_name_no_case_of_ours_are_refused(stage: Stage) -> None:
    case = await stage.case()
    honest = answer(stage.files, stage.order(case), stage.failed(case))
    await stage.refuses(case, replace(honest, key=str(uuid4()).encode()), "no_key_of_this_case")
    for key in (b"", b"\xff" * 9, str(case).upper().encode(), f"{{{case}}}".encode()):
        await stage.take(replace(honest, key=key))
        assert "key_is_no_case" in stage.letters()[-1]


async def test_a_flood_is_counted_and_neither_stops_the_others_nor_fills_the_dead_letters(
    stage: Stage,
) -> None:
    case = await stage.case()
    said = stage.failed(case)
    with capture_logs() as logs:
        for _ in range(3):
            await stage.take(*[framed(said, "host/stripe")] * LETTERS)
        await stage.take(framed(said, "host/aws"))
        await stage.take(answer(stage.files, stage.order(case), said))
    assert await stage.answered(case) == ["search_failed"]
    senders_ = [it.partition("claims to be from ")[2] for it in stage.letters()]
    assert senders_ == ["host/stripe)"] * LETTERS + ["host/aws)"]
    assert [it["event"] for it in logs].count("unauthenticated.only_counted") == 1
    stage.now += WINDOW
    with capture_logs() as logs:
        await stage.take(framed(said, "host/stripe"))
    (line,) = [it for it in logs if it["event"] == "unauthenticated.counted"]
    assert (line["sender"], line["count"]) == ("host/stripe", 3 * LETTERS)
    assert len(stage.letters()) == LETTERS + 2


async def test_a_flood_under_ever_new_names_is_one_sender(stage: Stage) -> None:
    case = await stage.case()
    said = stage.failed(case)
    names = [f"host/{n}" for n in range(SENDERS + LETTERS + 50)]
    await stage.take(*(framed(said, it) for it in names))
    assert len(stage.letters()) == SENDERS + LETTERS


@pytest.mark.parametrize("name", ["x" * 300, "host/\x1b[31m", "host/ann@example.org", ""])
async def test_a_sender_is_a_short_plain_name_or_unknown(stage: Stage, name: str) -> None:
    case = await stage.case()
    await stage.take(with_header(framed(stage.failed(case)), "ce_source", f"/habeas/{name}"))
    assert stage.letters() == ["not authenticated: no_proof (claims to be from unknown)"]


async def test_what_is_authentic_and_unreadable_still_stops(stage: Stage) -> None:
    """It is ours, and wrong: the mistake is not a stranger's. The same bytes again are one."""
    case = await stage.case()
    grant = granted(stage.files, stage.order(case)).record()
    slot = slot_of(stage.failed(case))

    def rubbish(n: int) -> wire.Record:
        record = replace(framed(stage.failed(case)), value=b"rubbish %d" % n)
        return proved(record, grant, slot)

    await stage.take(*[rubbish(0)] * (3 * LIMIT))
    await stage.take(*(rubbish(n) for n in range(1, LIMIT)), framed(stage.failed(case)))
    with pytest.raises(DeadLetterLimitError):
        await stage.take(rubbish(LIMIT))


@pytest.mark.parametrize("topic", sorted(flow.ENCLOSED))
async def test_nobody_without_a_senders_key_stops_what_comes_from_outside(
    stage: Stage, topic: str
) -> None:
    case = await stage.case()
    (request,) = await requests(stage.settings, uuid4())
    forged = replace(CODEC.decode(request.value or b""), intake="nobody")  # type: ignore[call-arg]
    approval = e.PlanApproved(case=case, by="nobody", digest=b"")
    values = [b"", b"rubbish", b"\x00\x00\x0f\x42\x3flater", CODEC.encode(approval)]
    values.append(CODEC.encode(forged))
    key = str(case).encode()
    for n in range(2 * LIMIT):
        for value in values:
            for told in ((), (("ce_type", b"habeas.plan_approved.v99"),)):
                value_ = value + b"%d" % n if value == b"rubbish" else value
                await stage.take(wire.Record(topic=topic, key=key, value=value_, headers=told))
    assert all(it.startswith("incident: not authenticated: ") for it in stage.letters())
    other = uuid4()
    await stage.decider.take(await requests(stage.settings, other))
    assert await reading.ledger(stage.engine, other)


async def test_headers_without_a_value_stop_nobody(stage: Stage) -> None:
    case = await stage.case()
    odd: Any = tuple((it, None) for it in ("ce_type", "ce_id", PROOF, "habeas-grants"))
    await stage.take(replace(framed(stage.failed(case)), headers=odd))
    assert len(stage.letters()) == 1


def person(**changed: Any) -> Person:
    who = SealedIdentifier(tag=b"", kind="email", value="a@example.org")
    return replace(Person(identifiers=(who,)), **changed)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"received_at": datetime(1970, 1, 1, tzinfo=UTC)}, "out_of_bounds:received_at"),
        ({"received_at": NOW + timedelta(hours=1)}, "received_in_the_future"),
        ({"level": -(2**40)}, "level_below_zero"),
        ({"claims": ("access",) * 50_000}, "claims_repeated"),
        ({"claims": ()}, "claims_not_supported"),
        ({"person": person(language="en\r\nBcc: x")}, "language_malformed"),
        ({"person": person(language="e" * 2000)}, "language_malformed"),
        ({"person": person(name="Ann\x1b[2J")}, "control_characters"),
    ],
    ids=["1970", "ahead", "level", "repeated", "none", "line", "long", "escape"],
)
async def test_every_field_of_a_request_has_its_bounds(
    stage: Stage, asked: dict[str, Any], code: str
) -> None:
    """The attacker has an intake's key. What they say must still make sense."""
    told: dict[str, Any] = {
        "claims": ("access",),
        "person": person(),
        "level": 2,
        "received_at": NOW,
    } | asked
    edge = Edge(name=LOCAL, files=stage.files, codec=CODEC, producer=stage.sent)
    await edge.request(uuid4(), **told)
    await stage.take(stage.sent.records.pop())
    assert stage.letters() == [f"incident: {code}"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"calls": -1}, "out_of_bounds:calls"),
        ({"calls": 2**62}, "out_of_bounds:calls"),
        ({"reason": "x" * 5000}, "out_of_bounds:reason"),
        ({"reason": "\x1b[2J"}, "out_of_bounds:reason"),
        ({"until": datetime(9999, 12, 31, tzinfo=UTC)}, "out_of_bounds:until"),
        ({"until": datetime(1, 1, 1, tzinfo=UTC)}, "out_of_bounds:until"),
    ],
    ids=["negative", "huge", "long", "escape", "for ever", "year one"],
)
async def test_every_field_of_an_answer_has_its_bounds(
    stage: Stage, changed: dict[str, Any], code: str
) -> None:
    """The attacker has a vendor's host: what it says must not break the case."""
    case = await stage.case()
    said = stage.failed(case)
    put_off = e.OrderDeferred(
        case=case, order=said.order, system=said.system, until=NOW, reason="run_limit"
    )
    record = answer(stage.files, stage.order(case), replace(put_off, **changed))
    await stage.take(record)
    assert stage.letters() == [code]


async def test_an_order_that_nobody_answers_is_issued_again(tmp_path: Path) -> None:
    """So a host that lacks its key need say nothing, which it could not prove."""
    settings = Settings(data=tmp_path, systems="freshdesk")
    async with by_hand(settings) as hand:
        await hand.ask("a@example.org")
        work = flow.work("freshdesk")
        await hand.go(before=work)
        hand._taken += 1  # the host refuses it
        await hand.go()
        assert len(of_topic(hand.published, work)) == 1
        hand.now += settings.not_after_search + settings.run_limit + timedelta(seconds=1)
        await hand.tick()
        first, second, *_ = of_topic(hand.published, work)
        orders: Sequence[Any] = [CODEC.decode(it.value) for it in (first, second)]
        assert [it.attempt for it in orders] == [1, 2]
        answers = of_topic(hand.published, flow.RESULTS)
        assert any(isinstance(CODEC.decode(it.value), e.HoldingsLocated) for it in answers)
