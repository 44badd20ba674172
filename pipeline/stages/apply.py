"""Apply: take a measure in one system, and read each row anew to see whether it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.sdk.calls import Caller, effect
from connectors.sdk.interface import (
    MARKETING,
    Category,
    Connector,
    Datum,
    Failed,
    Holding,
    Lifted,
    NeedsHuman,
    Outcome,
    Rectified,
    Restricted,
    Standing,
    Suppressed,
    Unaffected,
)
from connectors.sdk.spelling import cleaned, normal
from schemas.codec import Codec
from schemas.events import Event, MeasureOrdered, MeasureTaken
from schemas.records import DoneRow, MeasureRow, SealedChange, SealedMeasure
from schemas.sealed import unseal_event

from ..case.outcome import to_row
from ..case.rights import Verb
from ..crypto.grants import Grants
from ..faults import crash
from . import answer
from .answer import Entry
from .look import Asked, asked
from .vendor import Clock, GaveUpError, Vendor, calling, utc_now

NOT_SHOWN = Failed("not_shown")
"""The connector says that it is done, and a fresh look does not show it."""
NO_OUTCOME = Failed("no_outcome")
UNKNOWN_VERB = Failed("unknown_verb")
OTHER_VALUE = NeedsHuman("other_value")
"""Something else stands there than what is said to be wrong: a person compares."""
NOTHING = Unaffected()
_SPELT = {Datum.EMAIL: "email", Datum.PHONE: "phone", Datum.MOBILE: "phone"}
Became = Mapping[str, Outcome]
"""By category."""


class Apply:
    """The work of a connector's host on `MeasureOrdered`.

    An order that comes twice finds what it did, and does nothing more.
    """

    def __init__(
        self, connector: Connector, codec: Codec, caller: Caller, *, now: Clock = utc_now
    ) -> None:
        self.system = connector.capabilities.system
        self._connector = connector
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
            done = await _Measure(vendor, order, whom, changes).done()
        entries = [
            Entry("done", DoneRow(tag=tag, category=category, outcome=to_row(outcome)))
            for (tag, category), outcome in sorted(done.items(), key=lambda pair: pair[0])
        ]
        whole = MeasureTaken(
            case=order.case, order=order.order, system=self.system, part=1, parts=1, digest=b""
        )
        return answer.in_parts(self._codec, grant, whole, entries, calls)


class _Measure:
    """One measure under way."""

    def __init__(
        self, vendor: Vendor, order: MeasureOrdered, whom: Asked, changes: Sequence[SealedChange]
    ) -> None:
        self._vendor = vendor
        self._order = order
        self._whom = whom
        self._changes = [(Datum(it.datum), it) for it in changes]

    async def done(self) -> dict[tuple[bytes, str], Outcome]:
        """What became of every row: owners first, through which their parts may stand."""
        if self._order.verb == Verb.OBJECT:
            return {(b"", self._order.system): await self._objected()}
        done: dict[tuple[bytes, str], Outcome] = {}
        kinds = {kind: n for n, kind in enumerate(self._vendor.connector.capabilities.kinds)}
        for row in sorted(self._order.rows, key=lambda it: kinds.get(it.kind, -1), reverse=True):
            became = await self._of(row)
            done.update({(row.tag, it): became.get(it, NO_OUTCOME) for it in row.categories})
        return done

    async def _of(self, row: MeasureRow) -> Became:
        holding = self._whom.known.get(row.tag)
        try:
            if holding is None or row.kind not in self._vendor.connector.capabilities.kinds:
                return dict.fromkeys(row.categories, Failed("unknown_kind"))
            before = await self._vendor.standing(holding)
            if before is None:
                return await self._gone(holding, row)
            if self._order.verb == Verb.RECTIFY:
                return await self._rectified(holding, row, before)
            if self._order.verb in {Verb.RESTRICT, Verb.LIFT}:
                return dict.fromkeys(row.categories, await self._marked(holding, row, before))
        except GaveUpError as error:
            return dict.fromkeys(row.categories, Failed(error.reason))
        return dict.fromkeys(row.categories, UNKNOWN_VERB)

    async def _marked(self, holding: Holding, row: MeasureRow, before: Standing) -> Outcome:
        """Set the mark, or take it off."""
        lift = self._order.verb == Verb.LIFT
        done = Lifted() if lift else Restricted()
        if before.restricted != lift:
            return done
        with effect(self._name(row.tag)):
            said = await self._vendor.restrict(holding, lift=lift)
        crash.passing("host.after-measure")
        if not isinstance(said, Restricted | Lifted):
            return said
        after = await self._vendor.standing(holding)
        if after is None:
            return NOTHING
        return done if after.restricted != lift else NOT_SHOWN

    async def _rectified(self, holding: Holding, row: MeasureRow, before: Standing) -> Became:
        became = {datum: _stands(change, before) for datum, change in self._changes}
        due = {datum: it.to for datum, it in self._changes if became[datum] is None}
        if due:
            with effect(self._name(row.tag)):
                said = await self._vendor.rectify(holding, due)
            crash.passing("host.after-measure")
            each = said if isinstance(said, Mapping) else dict.fromkeys(due, said)
            done = {it: due[it] for it in due if isinstance(each.get(it), Rectified)}
            after = await self._vendor.standing(self._vendor.refiled(holding, done))
            became |= {it: _shown(it, each.get(it, NO_OUTCOME), due[it], after) for it in due}
        return _by_category(row, became)

    async def _gone(self, holding: Holding, row: MeasureRow) -> Became:
        """It may lie where a correction has put it: an order that came twice writes nothing."""
        if self._order.verb != Verb.RECTIFY:
            return dict.fromkeys(row.categories, NOTHING)
        moved = self._vendor.refiled(holding, {datum: it.to for datum, it in self._changes})
        now = None if moved == holding else await self._vendor.standing(moved)
        shown = now.data if now is not None else {}
        became: dict[Datum, Outcome] = {
            datum: Rectified() if _is_same(datum, shown.get(datum, ""), it.to) else NOTHING
            for datum, it in self._changes
        }
        return _by_category(row, became)

    async def _objected(self) -> Outcome:
        subject = self._whom.subject
        try:
            await self._vendor.check()
            if await self._vendor.objected(subject, MARKETING):
                return Suppressed()
            with effect(self._name(b"")):
                said = await self._vendor.object_to(subject, MARKETING)
            crash.passing("host.after-measure")
            if not isinstance(said, Suppressed):
                return said
            return said if await self._vendor.objected(subject, MARKETING) else NOT_SHOWN
        except GaveUpError as error:
            return Failed(error.reason)

    def _name(self, tag: bytes) -> str:
        """Of the effect, without the attempt: the next one brings about the same."""
        order = self._order
        return f"{order.case} {order.system} {order.verb} {order.n} {tag.hex()}"


def _stands(change: SealedChange, now: Standing) -> Outcome | None:
    """What is to be said of a datum without writing it; None if it is to be written."""
    datum = Datum(change.datum)
    value = now.data.get(datum)
    if value is None or (not cleaned(value) and not change.to):
        return NOTHING
    if _is_same(datum, value, change.to, exactly=True):
        return Rectified()
    if not change.was:
        return None if cleaned(value) else NOTHING
    if not cleaned(value):
        return NOTHING
    return None if _is_same(datum, value, change.was) else OTHER_VALUE


def _shown(datum: Datum, said: Outcome, to: str, after: Standing | None) -> Outcome:
    """What a connector says of a datum, once a fresh look shows it."""
    if not isinstance(said, Rectified):
        return said
    if after is None:
        return NOTHING
    return said if _is_same(datum, after.data.get(datum, ""), to) else NOT_SHOWN


def _is_same(datum: Datum, one: str, other: str, *, exactly: bool = False) -> bool:
    """Whether two values say the same. Vendors write addresses and numbers their own way."""
    if exactly:
        return cleaned(one) == cleaned(other)
    kind = _SPELT.get(datum, "")
    mine, theirs = (normal(kind, it) if kind else cleaned(it).casefold() for it in (one, other))
    return mine == theirs


def _by_category(row: MeasureRow, became: Mapping[Datum, Outcome | None]) -> Became:
    """The worst of what became of a category's data: open, else corrected, else nothing there."""
    found: dict[str, Outcome] = {}
    for category in row.categories:
        said = [it for datum, it in became.items() if datum.category == Category(category)]
        open_ = (it for it in said if not isinstance(it, Rectified | Unaffected))
        corrected = (it for it in said if isinstance(it, Rectified))
        found[category] = next(open_, None) or next(corrected, NOTHING)
    return found
