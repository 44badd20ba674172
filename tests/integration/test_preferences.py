"""What people want to be sent, on both databases: kept and carried out once, sealed, forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid4, uuid5

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from pipeline import app, flow
from pipeline.app import Place
from pipeline.case.may_send import Answer
from pipeline.case.may_send import may_send as decided
from pipeline.kafka.incoming import Incoming
from pipeline.keys.key_folder import KeyFileError
from pipeline.orchestrator.decider import Decider
from pipeline.orchestrator.rotation import Rotation
from pipeline.policy.preferences import Said
from pipeline.recovery.preferences import known_again as recovered
from pipeline.register import preferences, reading, subjects, tables
from pipeline.register.case_keys import EVIDENCE, CaseKeys
from pipeline.register.consent_record import record_of
from pipeline.register.preferences import Shown, preferences_key
from pipeline.settings import Settings
from schemas import events as e
from tests.fakes.deciders import CODEC, NOW, Sent, again, decider, of_topic, requests
from tests.fakes.deciders import preferences as say

from .test_register import engine, settings

__all__ = ["engine", "settings"]

ANN, BOB = "Ann@Example.org", "bob@example.org"
WORDING = "Yes, write to me of offers"
ONE = UUID("11111111-1111-4111-8111-111111111111")


async def said_by(settings: Settings, engine: AsyncEngine, email: str) -> tuple[Said, ...]:
    keys = CaseKeys(Place(settings.data).keys.wrapping())
    async with engine.connect() as connection:
        key = await preferences_key(keys).find(connection)
        if key is None:
            return ()
        hashed = subjects.hashed(key, "email", email)
        return (await preferences.find(connection, [hashed])).get(hashed, ())


async def shown_of(settings: Settings, engine: AsyncEngine, email: str) -> list[Shown]:
    keys = CaseKeys(Place(settings.data).keys.wrapping())
    async with engine.connect() as connection:
        key = await preferences_key(keys).find(connection)
        assert key is not None
        hashed = subjects.hashed(key, "email", email)
        return await preferences.shown(connection, CODEC, keys, hashed)


async def may(
    settings: Settings, engine: AsyncEngine, purpose: str, email: str = ANN, at: datetime = NOW
) -> Answer:
    said = await said_by(settings, engine, email)
    return decided(app.policy_of(settings), purpose, said, erased=None, on=at)


async def cases(engine: AsyncEngine) -> dict[UUID, str]:
    return {it.id: it.claims for it in await reading.cases(engine)}


def why(sent: Sent) -> list[str]:
    """Why records became dead letters."""
    letters = (CODEC.decode(it.value) for it in of_topic(sent.records, flow.DEAD_LETTERS))
    return [it.reason for it in letters if isinstance(it, e.RecordRefused)]


async def take(made: Decider, *batches: Sequence[Incoming]) -> None:
    for it in batches:
        await made.take(it)


async def test_a_consent_is_kept_once_however_often_it_comes(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent = Sent()
    made = decider(settings, engine, sent)
    batch = await say(settings, "given", "offers", ANN, wording=WORDING)
    await take(made, batch, again(batch))
    await take(decider(settings, engine, sent), [*again(batch), *again(batch)])
    (said,) = await said_by(settings, engine, "ann@EXAMPLE.org")
    assert (said.says, said.purpose, said.at, said.level) == ("given", "offers", NOW, 2)
    assert (await may(settings, engine, "offers")).may
    assert not (await may(settings, engine, "offers", BOB)).may
    assert await cases(engine) == {}
    assert sent.records == []


async def test_who_it_is_stands_nowhere_in_the_clear(
    settings: Settings, engine: AsyncEngine
) -> None:
    batch = await say(settings, "given", "offers", ANN, wording=WORDING)
    await decider(settings, engine, Sent()).take(batch)
    async with engine.connect() as connection:
        (row,) = (await connection.execute(select(tables.preferences))).all()
    stored = b"".join(bytes(it) if isinstance(it, bytes) else str(it).encode() for it in row)
    for it in (ANN, "ann@example.org", WORDING):
        assert it.encode() not in stored + (batch[0].value or b"")
    (shown,) = await shown_of(settings, engine, ANN)
    assert shown.told is not None
    assert (shown.told.value, shown.told.wording) == (ANN, WORDING)


@pytest.mark.parametrize("level", [0, 2])
async def test_a_withdrawal_counts_at_once_and_is_carried_out_as_a_case_of_its_id(
    settings: Settings, engine: AsyncEngine, level: int
) -> None:
    """Below the level of a proved channel the person is asked first; nothing is sent meanwhile."""
    sent = Sent()
    made = decider(settings, engine, sent)
    given = await say(settings, "given", "offers", ANN, at=NOW - timedelta(days=1))
    no = await say(settings, "withdrawn", "offers", ANN, ONE, level=level)
    await take(made, given, no, again(no), again(given))
    assert not (await may(settings, engine, "offers")).may
    case = reading.folded(await reading.entries(engine, ONE), app.rules(settings))
    assert (tuple(case.claims), case.purpose, case.received_at) == (("objection",), "offers", NOW)
    assert case.state == ("searching" if level else "identity_asked")
    assert tuple(await cases(engine)) == (ONE,)
    assert why(sent) == []


async def test_an_older_consent_that_comes_late_changes_nothing(
    settings: Settings, engine: AsyncEngine
) -> None:
    made = decider(settings, engine, Sent())
    older = await say(settings, "given", "offers", ANN, at=NOW - timedelta(seconds=1))
    await take(made, await say(settings, "withdrawn", "offers", ANN), older)
    assert (await may(settings, engine, "offers")).reason == "refused"


async def test_to_object_to_what_is_no_marketing_is_a_case_and_to_withdraw_it_is_none(
    settings: Settings, engine: AsyncEngine
) -> None:
    made = decider(settings, engine, Sent())
    await take(
        made,
        await say(settings, "objected", "analytics", ANN, ONE),
        await say(settings, "withdrawn", "support", ANN),
        await say(settings, "objected", "", BOB),
    )
    assert len(await cases(engine)) == 2
    assert not (await may(settings, engine, "analytics")).may
    assert not (await may(settings, engine, "support")).may
    assert not (await may(settings, engine, "advertising", BOB)).may


async def test_a_refusal_of_what_the_policy_does_not_name_is_never_lost(
    settings: Settings, engine: AsyncEngine
) -> None:
    made = decider(settings, engine, Sent())
    await made.take(await say(settings, "withdrawn", "newsletter-7", ANN, ONE))
    assert tuple(await cases(engine)) == (ONE,)
    assert len(await said_by(settings, engine, ANN)) == 1
    await made.take(await say(settings, "bought", "order", ANN, country="DE"))
    assert (await may(settings, engine, "offers")).reason == "refused", "it may be marketing"


@pytest.mark.parametrize(
    ("says", "purpose", "reason"),
    [
        ("given", "newsletter-7", "purpose_unknown"),
        ("only", "offers", "purpose_is_not_single"),
        ("given", "", "purpose_missing_or_no_code"),
        ("wants", "offers", "says_nothing_known"),
        ("given", "off ers", "purpose_missing_or_no_code"),
    ],
)
async def test_what_cannot_be_kept_is_refused_and_stops_nobody(
    settings: Settings, engine: AsyncEngine, says: str, purpose: str, reason: str
) -> None:
    sent = Sent()
    made = decider(settings, engine, sent)
    wrong = await say(settings, says, purpose, ANN)
    await made.take([*wrong, *await say(settings, "given", "offers", BOB)])
    assert why(sent) == [f"incident: {reason}"]
    (letter,) = of_topic(sent.records, flow.DEAD_LETTERS)
    event = CODEC.decode(letter.value)
    assert isinstance(event, e.RecordRefused)
    assert event.sealed == b""
    assert (await may(settings, engine, "offers", BOB)).may


async def test_another_word_under_a_known_id_is_refused(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent, request = Sent(), uuid4()
    made = decider(settings, engine, sent)
    await take(
        made,
        await requests(settings, request),
        await say(settings, "given", "offers", ANN, ONE),
        await say(settings, "given", "offers", BOB, ONE),
        await say(settings, "given", "advertising", ANN, ONE),
        await say(settings, "objected", "offers", ANN, request),
    )
    assert [it.split(" (")[0] for it in why(sent)] == [
        "incident: not authenticated: case_id_taken"
    ] * 3
    assert len(await said_by(settings, engine, ANN)) == 1
    assert await said_by(settings, engine, BOB) == ()


async def test_nobody_says_it_but_who_signed_it(settings: Settings, engine: AsyncEngine) -> None:
    sent = Sent()
    (good,) = await say(settings, "given", "offers", ANN, ONE)
    event = CODEC.decode(good.value or b"")
    assert isinstance(event, e.PreferenceReceived)
    forged = replace(event, level=1)
    other = replace(event, intake="nobody")
    made = decider(settings, engine, sent)
    await take(
        made,
        again([replace(good, value=CODEC.encode(forged))]),
        again([replace(good, value=CODEC.encode(other))]),
        again([replace(good, topic=flow.REQUESTS)]),
        again([replace(good, key=str(uuid4()).encode())]),
    )
    codes = ["bad_signature", "unknown_intake", "not_of_this_topic", "key_is_not_the_case"]
    told = [it.split(" (")[0].rpartition(": ")[2] for it in why(sent)]
    assert told == codes
    assert await said_by(settings, engine, ANN) == ()


async def test_a_word_from_the_future_counts_as_of_the_brokers_time(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent = Sent()
    made = decider(settings, engine, sent)
    ahead = await say(settings, "given", "offers", ANN, at=NOW + timedelta(minutes=4))
    far = await say(settings, "given", "offers", BOB, at=NOW + timedelta(minutes=6))
    await take(made, ahead, far)
    assert [it.at for it in await said_by(settings, engine, ANN)] == [NOW]
    assert why(sent) == ["incident: received_in_the_future"]


async def test_an_objection_that_was_asked_for_as_a_request_is_a_word_as_well(
    settings: Settings, engine: AsyncEngine
) -> None:
    made = decider(settings, engine, Sent())
    await made.take(await say(settings, "given", "offers", ANN, at=NOW - timedelta(days=1)))
    assert (await may(settings, engine, "offers")).may
    case = uuid4()
    await made.take(await requests(settings, case, email=ANN, claims=("objection",)))
    (_, said) = sorted(await said_by(settings, engine, ANN), key=lambda it: it.at)
    assert (said.record, said.says, said.purpose) == (case, "objected", "")
    assert not (await may(settings, engine, "offers")).may
    assert (await may(settings, engine, "contract")).may


async def test_who_is_not_known_to_ask_objects_once_they_are(
    settings: Settings, engine: AsyncEngine
) -> None:
    made, case = decider(settings, engine, Sent()), uuid4()
    await made.take(await requests(settings, case, email=ANN, claims=("objection",), level=0))
    assert await said_by(settings, engine, ANN) == ()


async def test_keys_turn_and_what_shows_a_word_still_opens(
    settings: Settings, engine: AsyncEngine
) -> None:
    await decider(settings, engine, Sent()).take(
        await say(settings, "given", "offers", ANN, wording=WORDING)
    )
    files = Place(settings.data).keys
    rotation = Rotation(engine, files, settings)
    kind = next(it for it in files.kinds(settings) if it.purpose == "wrapping")
    await rotation.turn_now(kind)
    (shown,) = await shown_of(settings, engine, ANN)
    assert shown.told is not None
    assert (await may(settings, engine, "offers")).may


async def test_what_shows_a_word_goes_with_its_time_and_a_refusal_stays(
    settings: Settings, engine: AsyncEngine
) -> None:
    later = NOW
    made = decider(settings, engine, Sent(), lambda: later)
    await take(
        made,
        await say(settings, "given", "offers", ANN),
        await say(settings, "objected", "offers", BOB),
    )
    years = app.policy_of(settings).preferences.years
    later = NOW.replace(year=NOW.year + years)
    async with engine.begin() as connection:
        await preferences.forget_expired(connection, later - timedelta(days=1))
    assert len(await shown_of(settings, engine, ANN)) == 1
    async with engine.begin() as connection:
        await preferences.forget_expired(connection, later + timedelta(days=32))
    assert await shown_of(settings, engine, ANN) == []
    (refusal,) = await shown_of(settings, engine, BOB)
    assert refusal.told is None
    assert not (await may(settings, engine, "offers", BOB)).may
    chosen = select(tables.keys.c.wrapped).where(tables.keys.c.purpose == EVIDENCE)
    async with engine.connect() as connection:
        assert set((await connection.execute(chosen)).scalars()) == {b""}
    await made.expire_keys(later + timedelta(days=32))


async def test_what_lies_on_the_topic_still_is_kept_again_by_a_register_that_lost_it(
    settings: Settings, engine: AsyncEngine
) -> None:
    sent = Sent()
    made = decider(settings, engine, sent)
    batch = [
        *await say(settings, "given", "offers", BOB),
        *await say(settings, "objected", "offers", ANN, ONE),
    ]
    await made.take(batch)
    async with engine.begin() as connection:
        await connection.execute(delete(tables.preferences))
    await decider(settings, engine, sent).take(again(batch))
    assert not (await may(settings, engine, "offers")).may
    assert (await may(settings, engine, "offers", BOB)).may
    assert why(sent) == []
    async with engine.connect() as connection:
        openings = select(func.count()).where(tables.ledger.c.type == "preference_received")
        assert (await connection.execute(openings)).scalar_one() == 1


async def test_a_record_has_the_fields_of_the_standard(
    settings: Settings, engine: AsyncEngine
) -> None:
    record = uuid4()
    await decider(settings, engine, Sent()).take(
        await say(settings, "given", "offers", ANN, record, wording=WORDING, country="DE")
    )
    (shown,) = await shown_of(settings, engine, ANN)
    told = record_of(shown, app.policy_of(settings))
    assert told["header"]["record_id"] == record
    assert told["header"]["pii_principal_id"] == ANN
    assert told["processing"]["purpose"] == "offers"
    assert told["processing"]["wording"] == WORDING
    assert told["event"]["event_state"] == "given"
    assert told["event"]["event_time"] == NOW
    assert told["party_identification"]["party_role"] == "pii_controller"


async def known_again(settings: Settings, engine: AsyncEngine, *cases: UUID) -> None:
    """What a recovery does of preferences."""
    wrapping = Place(settings.data).keys.wrapping()
    async with engine.begin() as connection:
        await recovered(connection, CODEC, app.rules(settings), wrapping, cases, NOW)


async def test_a_recovery_knows_again_who_objected_in_the_cases_it_took_over(
    settings: Settings, engine: AsyncEngine
) -> None:
    made, case = decider(settings, engine, Sent()), uuid4()
    await made.take(await requests(settings, case, email=ANN, claims=("objection",)))
    before = await said_by(settings, engine, ANN)
    async with engine.begin() as connection:
        await connection.execute(delete(tables.preferences))
    await known_again(settings, engine)
    assert await said_by(settings, engine, ANN) == ()
    await known_again(settings, engine, case)
    assert await said_by(settings, engine, ANN) == before


async def test_words_under_a_lost_key_are_found_anew_by_what_shows_them(
    settings: Settings, engine: AsyncEngine
) -> None:
    made, case = decider(settings, engine, Sent()), uuid4()
    words = await say(settings, "given", "offers", ANN)
    await take(made, words, await requests(settings, case, email=BOB, claims=("objection",)))
    async with engine.begin() as connection:
        lost = tables.keys.c.id == preferences.OWNER
        await connection.execute(update(tables.keys).where(lost).values(wrapping="elsewhere"))
    with pytest.raises(KeyFileError):
        await said_by(settings, engine, ANN)
    await known_again(settings, engine)
    assert (await may(settings, engine, "offers")).may
    assert [it.says for it in await said_by(settings, engine, BOB)] == ["objected"]
    sent = Sent()
    await decider(settings, engine, sent).take(again(words))
    assert why(sent) == []
    assert len(await said_by(settings, engine, ANN)) == 1


async def test_words_that_nobody_can_tell_any_more_are_no_yes(
    settings: Settings, engine: AsyncEngine
) -> None:
    await decider(settings, engine, Sent()).take(await say(settings, "given", "offers", ANN))
    async with engine.begin() as connection:
        lost = tables.keys.c.purpose.in_([EVIDENCE, preferences.PREFERENCES])
        await connection.execute(update(tables.keys).where(lost).values(wrapping="elsewhere"))
    with capture_logs() as logs:
        await known_again(settings, engine)
    assert [(it["kept"], it["lost"]) for it in logs if "rehashed" in it["event"]] == [(0, 1)]
    assert not (await may(settings, engine, "offers")).may
    again_said = await say(settings, "given", "offers", ANN)
    await decider(settings, engine, Sent()).take(again_said)
    assert (await may(settings, engine, "offers")).may


async def test_whom_we_have_for_one_thing_is_let_go_once_by_however_many(
    settings: Settings, engine: AsyncEngine
) -> None:
    """Two processes look at once, and one of them again: one case, and what it is about is sealed
    there alone.
    """
    sent = Sent()
    one, other = (decider(settings, engine, sent, lambda: NOW) for _ in "12")
    only = await say(settings, "only", "single-notice", ANN, at=NOW - timedelta(days=1))
    await take(one, only, await say(settings, "served", "single-notice", ANN, ONE))
    await asyncio.gather(one.let_go(NOW), other.let_go(NOW))
    await one.let_go(NOW + timedelta(days=400))
    (case,) = await cases(engine)
    assert case == uuid5(ONE, "contact_lapsed")
    assert {it.told for it in await shown_of(settings, engine, ANN)} == {None}
    known = reading.folded(await reading.entries(engine, case), app.rules(settings))
    assert (known.lapsed, known.verified, known.intake) == (True, True, "lapsed")
    orders = [it.topic for it in sent.records if it.topic.startswith(flow.work(""))]
    assert flow.work("notice") not in orders
    assert flow.work("freshdesk") in orders
    served = await may(settings, engine, "single-notice")
    assert (served.may, served.reason) == (False, "served")


@pytest.mark.parametrize("seed", range(6))
async def test_in_any_order_and_batch_and_however_often_it_comes_out_the_same(
    settings: Settings, engine: AsyncEngine, seed: int
) -> None:
    """Ids are derived and words are dated: what is known and what is begun does not depend on how
    records arrive.
    """
    ids = [uuid5(ONE, str(n)) for n in range(6)]
    days = [NOW - timedelta(days=it) for it in range(6)]
    words = [
        *await say(settings, "given", "offers", ANN, ids[0], at=days[5]),
        *await say(settings, "withdrawn", "offers", ANN, ids[1], at=days[4]),
        *await say(settings, "given", "offers", ANN, ids[2], at=days[3]),
        *await say(settings, "bought", "order", ANN, ids[3], at=days[2], country="DE"),
        *await say(settings, "objected", "analytics", ANN, ids[4], at=days[1]),
        *await say(settings, "given", "advertising", BOB, ids[5], at=days[1], level=0),
    ]
    random = Random(seed)
    sent = Sent()
    waiting = again([*words, *words, *words])
    random.shuffle(waiting)
    while waiting:
        cut = random.randint(1, 6)
        made = decider(settings, engine, sent, lambda: NOW)
        await made.take(again(waiting[:cut]))
        waiting = waiting[cut:]
    assert why(sent) == []
    assert (await cases(engine)).keys() == {ids[1], ids[4]}
    said = sorted(await said_by(settings, engine, ANN), key=lambda it: it.at)
    assert [it.record for it in said] == ids[:5]
    answers = [await may(settings, engine, it) for it in ("offers", "advertising", "analytics")]
    assert [it.reason for it in answers] == ["consent", "refused", "refused"]
    assert not (await may(settings, engine, "advertising", BOB)).may
