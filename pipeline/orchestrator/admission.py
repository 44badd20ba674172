"""Which of a batch's records are decided on: read, checked, new, and in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import flow
from pipeline.case.case import Case
from pipeline.crypto.proofs import NotProvedError, Slot
from pipeline.intake.envelopes import Envelopes, UnknownKeyError
from pipeline.intake.refused import RefusedError, UnauthenticatedError
from pipeline.intake.roles import TAKE_TWO
from pipeline.kafka.authentication import check_proof, claim_of
from pipeline.kafka.incoming import Incoming
from pipeline.keys.key_folder import KeyPairs
from pipeline.register import sealing, store
from pipeline.register.case_keys import RECORD
from schemas import events as e
from schemas.codec import Codec, CodecError
from schemas.sealed import SealError

from . import repetition
from .case_cache import OpenCases
from .inputs import Input, read, read_answer
from .refusals import SET_ASIDE, Refusal

NOT_ITS_OWN, BY_SUBMITTER, BY_PROPOSER = (
    "not_its_own",
    "submitted_by_the_same",
    "proposed_by_the_same",
)
UNKNOWN = "unknown_case"
OVERSTEPPED = frozenset({NOT_ITS_OWN, BY_SUBMITTER, BY_PROPOSER})
"""What somebody known may not say: as often as they say it, nobody else is stopped."""
log = structlog.get_logger()


class Admission:
    """Reads records, and lets in what the ledger lacks. `pipeline` is what intakes seal to."""

    def __init__(
        self, codec: Codec, envelopes: Envelopes, pipeline: KeyPairs, clock: Callable[[], datetime]
    ) -> None:
        self._codec = codec
        self._envelopes = envelopes
        self._pipeline = pipeline
        self._clock = clock

    def read(self, batch: Sequence[Incoming]) -> tuple[list[Input], list[Refusal]]:
        """The requests or decisions in a batch, and what can be none."""
        inputs, refusals = [], []
        for record in batch:
            try:
                inputs.append(read(record, self._codec, self._envelopes))
            except UnknownKeyError as error:
                refusals.append(Refusal(record, str(error), error.event))
            except UnauthenticatedError as error:
                refusals.append(Refusal(record, str(error), is_authentic=False))
            except RefusedError as error:
                refusals.append(Refusal(record, str(error)))
        self._warn_of_old_keys(
            [it.event for it in inputs if isinstance(it.event, e.RequestReceived)]
        )
        return inputs, refusals

    def read_answers(
        self, batch: Sequence[Incoming], open_cases: OpenCases
    ) -> tuple[list[Input], list[Refusal]]:
        """The answers in a batch, each proved under the record key of the case that its key names.

        Raises `UnknownEventError` for a proved answer of a later release.
        """
        inputs, refusals = [], []
        for record in batch:
            try:
                slot = _proved(record, open_cases)
                inputs.append(read_answer(record, slot, self._codec))
            except NotProvedError as error:
                refusals.append(Refusal(record, str(error), is_authentic=False))
            except (CodecError, RefusedError) as error:
                refusals.append(Refusal(record, str(error)))
        return inputs, refusals

    async def admit(
        self, connection: AsyncConnection, open_cases: OpenCases, inputs: Sequence[Input]
    ) -> tuple[list[Input], list[Refusal]]:
        """Drop what the ledger has; refuse what has no order or contradicts what was said."""
        known = await store.known_events(connection, [it.id for it in inputs])
        admitted: list[Input] = []
        refusals, seen = [], set(known)
        opening = {it.event.case for it in inputs if isinstance(it.event, e.IncidentOpened)}
        for it in inputs:
            reason = ""
            if it.id in seen:
                if isinstance(it.event, e.RequestReceived):
                    same = await repetition.is_same_submission(
                        connection,
                        self._codec,
                        it,
                        before=[other for other in admitted if other.id == it.id],
                        record=open_cases.of(it.event.case).keys.get(RECORD),
                    )
                    taken = SET_ASIDE if it.event.case in open_cases.aside else "case_id_taken"
                    reason = "" if same else taken
            elif it.event.case in open_cases.aside:
                reason = SET_ASIDE
            else:
                reason = self._misplaced(open_cases, it)
                begun = it.event.case in opening and reason == UNKNOWN
                reason = "" if begun else reason
            if reason and it.record is not None:
                refusals.append(Refusal(it.record, reason, is_authentic=reason not in OVERSTEPPED))
            elif it.id not in seen:
                seen.add(it.id)
                admitted.append(self._ours(open_cases, it))
        return admitted, refusals

    async def unheard(
        self, connection: AsyncConnection, refusals: Sequence[Refusal]
    ) -> list[Refusal]:
        """Refusals, without those of what the ledger has: it needs no key any more."""
        return [
            it
            for it in refusals
            if it.event is None or not await repetition.is_known(connection, it.event)
        ]

    def _misplaced(self, open_cases: OpenCases, it: Input) -> str:
        event = it.event
        case = open_cases.cases.get(event.case)
        if isinstance(event, e.RequestReceived):
            return "" if case is None else "case_id_taken"
        if isinstance(event, e.IncidentOpened):
            return "" if case is None else "case_id_taken"
        if case is None:
            return UNKNOWN
        if it.record is None or it.record.topic != flow.RESULTS:
            if self._envelopes.is_of_submitter(event, case.intake):
                return BY_SUBMITTER
            return BY_PROPOSER if self._is_of_proposer(open_cases, it, case) else ""
        return self._answer_misplaced(open_cases, it, case)

    def _is_of_proposer(self, open_cases: OpenCases, it: Input, case: Case) -> bool:
        """Whether who confirms a refusal or a fee is who proposed it: by console, key or login."""
        proposal, event = case.proposal, it.event
        if type(event) not in TAKE_TWO or it.actor is None:
            return False
        if proposal is None or getattr(event, "proposal", b"") != proposal.digest:
            return False  # it is stale, and the decision says so
        opened, by = open_cases.of(case.id), getattr(event, "by", "")
        login = sealing.login_tag(it.actor, opened) if RECORD in opened.keys else proposal.login
        return login == proposal.login or self._envelopes.is_one_person(by, proposal.by)

    def _answer_misplaced(self, open_cases: OpenCases, it: Input, case: Case) -> str:
        event = it.event
        order = case.order_of(event.order) if hasattr(event, "order") else None
        if order is None or order.slot[1] != getattr(event, "system", ""):
            return "unknown_order"
        if _speaks_for_another(case, event):
            return NOT_ITS_OWN
        if getattr(event, "sealed", b""):
            opened = open_cases.of(case.id)
            try:
                opened.answers[it.id] = sealing.unseal(self._codec, event, opened.keys)
                if isinstance(event, sealing.Identifying):
                    sealing.refuse_unsealed(event, opened.answers[it.id])
            except (SealError, CodecError, KeyError):
                return "does_not_open"
        return ""

    def _ours(self, open_cases: OpenCases, it: Input) -> Input:
        """An answer with the case's own tags in place of the host's."""
        event = it.event
        if not isinstance(event, sealing.Identifying) or not sealing.brought(event):
            return it
        opened = open_cases.of(event.case)
        event, found = sealing.retagged(self._codec, event, opened.answers[it.id], opened.keys)
        opened.answers[it.id] = found
        return replace(it, event=event)

    def _warn_of_old_keys(self, requests: Sequence[e.RequestReceived]) -> None:
        """An intake that does not take the new key is refused once the old one is dead."""
        current = self._pipeline.current(self._clock()) if requests else ""
        for it in requests:
            if it.key < current:
                log.warning("intake.old_key", intake=it.intake, key=it.key, in_force=current)


def _speaks_for_another(case: Case, event: e.Event) -> bool:
    """Whether an answer says something of another system, or of another order's copies."""
    if not isinstance(event, sealing.Located):
        return False
    exports = getattr(event, "exports", ())
    place = f"{event.case}/{event.order}-"
    if any(it.system != event.system or not it.name.startswith(place) for it in exports):
        return True
    rows = event.holdings if isinstance(event, e.HoldingsLocated) else event.looked
    held = (case.held.get(it.tag) for it in rows)
    return any(it is not None and it.system != event.system for it in held)


def _proved(record: Incoming, open_cases: OpenCases) -> Slot:
    """What an answer's proof shows. Raises `NotProvedError`; its value was not looked at then."""
    claim = claim_of(record)
    case = claim.slot.case
    if case in open_cases.aside:
        raise NotProvedError(SET_ASIDE)
    opened = open_cases.of(case)
    if RECORD not in opened.keys:  # there is no such case, or its key is destroyed
        raise NotProvedError("no_key_of_this_case")
    return check_proof(record, claim, opened.record(claim.slot.system))
