"""Take in what people want to be sent: kept at once, and carried out as a case if it is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.preferences import asks, lapsed
from pipeline.kafka import wire
from pipeline.policy import Policy
from pipeline.policy.preferences import ONLY, REFUSALS, SERVED, Said
from pipeline.register import preferences, store
from pipeline.register.case_keys import RECORD
from pipeline.register.preferences import Lapsing, Preferences, Word
from schemas import events as e
from schemas.codec import Codec
from schemas.derive import event_name
from schemas.records import Person, SealedIdentifier

from . import repetition
from .case_cache import OpenCases
from .inputs import Input
from .refusals import Refusal

TAKEN = "case_id_taken"
LAPSED = event_name(e.ContactLapsed)
log = structlog.get_logger()


class Intake:
    """Keeps each word of a batch once, in its transaction, and lets in what a case follows from."""

    def __init__(
        self, codec: Codec, kept: Preferences, policy: Policy, clock: Callable[[], datetime]
    ) -> None:
        self._codec = codec
        self._kept = kept
        self._policy = policy
        self._clock = clock

    async def admit(
        self, connection: AsyncConnection, open_cases: OpenCases, inputs: Sequence[Input]
    ) -> tuple[list[Input], list[Refusal]]:
        """What a case follows from, of what the ledger lacks; and what contradicts what is known.

        A word that the ledger has is kept as well: a restored register may lack it.
        """
        ids = [it.event.case for it in inputs]
        known = await preferences.digests(connection, ids)
        opened = await store.known_events(connection, [it.id for it in inputs])
        words: list[Word] = []
        admitted, refusals = dict[UUID, Input](), list[Refusal]()
        for it in inputs:
            assert isinstance(it.event, e.PreferenceReceived)  # noqa: S101  nothing else is there
            assert it.preference is not None  # noqa: S101  it was opened
            word = await self._word(connection, it.event, it)
            reason = self._refused(it.event) or await self._contradicts(
                connection, open_cases, it, word, known, is_opened=it.id in opened
            )
            if reason and it.record is not None:
                refusals.append(Refusal(it.record, reason, is_authentic=reason != TAKEN))
                continue
            if it.event.case not in known:
                words.append(word)
                known[it.event.case] = word.digest
            aside = it.event.case in open_cases.aside
            if asks(it.event, self._policy) and not (it.id in opened or aside):
                admitted.setdefault(it.id, it)
        await self._kept.keep(connection, words, self._clock())
        return list(admitted.values()), refusals

    async def _word(
        self, connection: AsyncConnection, event: e.PreferenceReceived, it: Input
    ) -> Word:
        assert it.preference is not None  # noqa: S101  it was opened
        said = Said(
            record=event.case,
            says=event.says,
            purpose=event.purpose,
            at=it.received_at or event.at,
            level=it.levels[0],
            country=it.preference.country,
        )
        return await self._kept.word(connection, event, it.preference, said, self._clock())

    def _refused(self, event: e.PreferenceReceived) -> str:
        """Why a word cannot be kept. A refusal always can: whatever it names, nothing is sent."""
        use = self._policy.purposes.get(event.purpose)
        if event.says in REFUSALS:
            return ""
        if use is None:
            return "purpose_unknown"
        return "purpose_is_not_single" if event.says in {ONLY, SERVED} and not use.single else ""

    async def _contradicts(
        self,
        connection: AsyncConnection,
        open_cases: OpenCases,
        it: Input,
        word: Word,
        known: dict[UUID, bytes],
        *,
        is_opened: bool,
    ) -> str:
        """Whether its id stands for something else."""
        case = it.event.case
        if case in known:
            return "" if known[case] in {b"", word.digest} else TAKEN
        if is_opened:
            record = open_cases.of(case).keys.get(RECORD)
            same = await repetition.is_same_submission(
                connection, self._codec, it, before=(), record=record
            )
            return "" if same else TAKEN
        return TAKEN if case in open_cases.cases or case in open_cases.aside else ""


def case_of(it: Lapsing) -> UUID:
    """The case that lets somebody go."""
    return uuid5(it.said.record, LAPSED)


def letting_go(it: Lapsing, policy: Policy, now: datetime) -> Input | None:
    """What is decided on to let somebody go; None where there is still a use for them.

    Whose address nobody can read any more is said in the log.
    """
    if not lapsed(policy, it.said, it.history):
        return None
    if it.told is None:
        log.warning("contact.unreadable", record=str(it.said.record))
        return None
    who = SealedIdentifier(tag=b"", kind=it.told.kind, value=it.told.value)
    event = e.ContactLapsed(
        case=case_of(it),
        record=it.said.record,
        purpose=it.said.purpose,
        says=it.said.says,
        at=now,
    )
    return Input(
        event,
        uuid5(event.case, LAPSED),
        None,
        wire.new_trace(),
        Person(language=it.told.language, identifiers=(who,)),
        (policy.identity_level,),
        now,
    )
