"""Apply: take a measure in one system, and read each row anew to see whether it holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from connectors.sdk.calls import Caller, effect
from connectors.sdk.interface import (
    MARKETING,
    Connector,
    Failed,
    Holding,
    Lifted,
    Outcome,
    Restricted,
    Standing,
    Suppressed,
)
from schemas.codec import Codec
from schemas.events import Event, MeasureOrdered, MeasureTaken
from schemas.records import (
    DoneRow,
    MeasureRow,
    OutcomeRow,
    SealedBefore,
    SealedChange,
    SealedMeasure,
)
from schemas.sealed import unseal_event

from ..case.marks import ALREADY
from ..case.outcome import to_row
from ..case.rights import Verb
from ..crypto.grants import Grants
from ..faults import crash
from ..ports import Objects
from . import answer
from .answer import Entry
from .bore import Look, bore
from .correct import NO_OUTCOME, NOT_SHOWN, NOTHING, Correction
from .look import Asked, asked
from .vendor import Clock, GaveUpError, Vendor, calling, utc_now

UNKNOWN_VERB = Failed("unknown_verb")
BORE_IT = replace(to_row(Restricted()), reason=ALREADY)
"""It bore the mark when we came: that is somebody else's, and is never taken off."""
Became = Mapping[str, OutcomeRow]
"""By category."""


class Apply:
    """The work of a connector's host on `MeasureOrdered`.

    An order that comes twice finds what it did, and does nothing more.
    """

    def __init__(
        self,
        connector: Connector,
        objects: Objects,
        codec: Codec,
        caller: Caller,
        *,
        now: Clock = utc_now,
    ) -> None:
        self.system = connector.capabilities.system
        self._connector = connector
        self._objects = objects
        self._codec = codec
        self._caller = caller
        self._now = now

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """Say `measure_taken`, in as many parts as it takes. Raises `LaterError`."""
        if not isinstance(order, MeasureOrdered):
            raise TypeError("apply answers measures")
        whom = asked(self._codec, order, grants)
        grant = grants.record()
        sealed = unseal_event(self._codec, order, grant.key, grant.system)
        changes = sealed.changes if isinstance(sealed, SealedMeasure) else ()
        vendor = Vendor(self._connector, order.case, self._now)
        with calling(self._caller) as calls:
            first = partial(bore, self._objects, grant)
            measure = _Measure(vendor, order, whom, changes, first)
            done = await measure.done()
        entries = [
            Entry("done", DoneRow(tag=tag, category=category, outcome=outcome))
            for (tag, category), outcome in sorted(done.items(), key=lambda pair: pair[0])
        ]
        whole = MeasureTaken(
            case=order.case, order=order.order, system=self.system, part=1, parts=1, digest=b""
        )
        return answer.in_parts(self._codec, grant, whole, entries, calls, measure.before)


class _Measure:
    """One measure under way."""

    def __init__(
        self,
        vendor: Vendor,
        order: MeasureOrdered,
        whom: Asked,
        changes: Sequence[SealedChange],
        first: Callable[[str, Look], Awaitable[frozenset[bytes]]],
    ) -> None:
        """`first` says what `bore` does, of whatever these are the first to ask about."""
        self._first = first
        self._bore: frozenset[bytes] = frozenset()
        self._seen: dict[bytes, Standing | None] = {}
        """How records stood that were just read, until a mark is set through which others stand."""
        self._vendor = vendor
        self._order = order
        self._whom = whom
        self._correction = Correction(vendor, whom.subject, changes, self._name())
        self.before: list[SealedBefore] = []
        """What stood where something was corrected."""

    async def done(self) -> dict[tuple[bytes, str], OutcomeRow]:
        """What became of every row: owners first, through which their parts may stand."""
        if self._order.verb == Verb.OBJECT:
            return {(b"", self._order.system): to_row(await self._objected())}
        done: dict[tuple[bytes, str], OutcomeRow] = {}
        if self._order.verb == Verb.RESTRICT:
            name = f"{self._order.case}/{self._order.system}-{self._order.verb}-{self._order.n}"
            self._bore = await self._first(name, self._bearing)
        kinds = {kind: n for n, kind in enumerate(self._vendor.connector.capabilities.kinds)}
        for row in sorted(self._order.rows, key=lambda it: kinds.get(it.kind, -1), reverse=True):
            became = await self._of(row)
            unsaid = to_row(NO_OUTCOME)
            done.update({(row.tag, it): became.get(it, unsaid) for it in row.categories})
        return done

    async def _of(self, row: MeasureRow) -> Became:
        holding = self._whom.known.get(row.tag)
        if holding is None or row.kind not in self._vendor.connector.capabilities.kinds:
            return _all(row, Failed("unknown_kind"))
        try:
            now = await self._standing(row.tag, holding)
            return _all(row, NOTHING) if now is None else await self._done(holding, row, now)
        except GaveUpError as error:
            return _all(row, Failed(error.reason))

    async def _standing(self, tag: bytes, holding: Holding) -> Standing | None:
        if tag in self._seen:
            return self._seen.pop(tag)
        return await self._vendor.standing(holding)

    async def _bearing(self) -> frozenset[bytes]:
        """The records that bear the mark now, and those of which that cannot be read."""
        bearing = set[bytes]()
        for row in self._order.rows:
            if (holding := self._whom.known.get(row.tag)) is None:
                continue
            try:
                self._seen[row.tag] = now = await self._vendor.standing(holding)
            except GaveUpError:
                bearing.add(row.tag)
            else:
                bearing |= {row.tag} if now is not None and now.restricted else set()
        return frozenset(bearing)

    async def _done(self, holding: Holding, row: MeasureRow, now: Standing) -> Became:
        match self._order.verb:
            case Verb.RECTIFY:
                corrected = await self._correction.of(holding, row.tag, row.categories, now)
                self.before += corrected.before
                return {it: to_row(outcome) for it, outcome in corrected.became.items()}
            case Verb.RESTRICT if now.restricted and row.tag in self._bore:
                return dict.fromkeys(row.categories, BORE_IT)
            case Verb.RESTRICT | Verb.LIFT:
                return _all(row, await self._marked(holding, row, now))
            case _:
                return _all(row, UNKNOWN_VERB)

    async def _marked(self, holding: Holding, row: MeasureRow, now: Standing) -> Outcome:
        """Set the mark, or take it off."""
        lift = self._order.verb == Verb.LIFT
        done = Lifted() if lift else Restricted()
        if now.restricted is (not lift):
            return done
        with effect(f"{self._name()} {row.tag.hex()}"):
            said = await self._vendor.restrict(holding, lift=lift)
        self._seen = {tag: it for tag, it in self._seen.items() if self._is_kind(tag, row.kind)}
        crash.passing("host.after-measure")
        if not isinstance(said, Restricted | Lifted):
            return said
        after = await self._vendor.standing(holding)
        if after is None:
            return NOTHING
        return done if after.restricted is (not lift) else NOT_SHOWN

    async def _objected(self) -> Outcome:
        subject = self._whom.subject
        try:
            await self._vendor.check()
            if await self._vendor.objected(subject, MARKETING):
                return Suppressed()
            with effect(self._name()):
                said = await self._vendor.object_to(subject, MARKETING)
            crash.passing("host.after-measure")
            if not isinstance(said, Suppressed):
                return said
            return said if await self._vendor.objected(subject, MARKETING) else NOT_SHOWN
        except GaveUpError as error:
            return Failed(error.reason)

    def _is_kind(self, tag: bytes, kind: str) -> bool:
        return self._whom.known[tag].kind == kind

    def _name(self) -> str:
        """Of the effects, without the attempt: the next one brings about the same."""
        order = self._order
        return f"{order.case} {order.system} {order.verb} {order.n}"


def _all(row: MeasureRow, outcome: Outcome) -> Became:
    return dict.fromkeys(row.categories, to_row(outcome))
