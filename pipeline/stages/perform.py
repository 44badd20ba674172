"""Perform: carry out an approved plan in one system, and look afterwards at what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.sdk.calls import Call, Caller, effect
from connectors.sdk.interface import (
    Anonymised,
    Category,
    Connector,
    Erased,
    Failed,
    Holding,
    Outcome,
    Queued,
    Redacted,
)
from schemas.codec import Codec
from schemas.events import Event, TaskCompleted, TaskDeclined, TaskOrdered
from schemas.records import DoneRow, TaskRow

from ..case.facts import FALSE, TRUE, joined
from ..case.outcome import to_row
from ..crypto.grants import Grants
from ..faults import crash
from . import answer
from .answer import Entry
from .look import Asked, Look, asked, named
from .vendor import Clock, GaveUpError, Vendor, calling, utc_now

Row = tuple[bytes, str]
"""A (holding's tag, category)."""
FACTS_CHANGED = "facts_changed"
FACTS_UNKNOWN = Failed("facts_unknown")
"""The system no longer tells what the plan rests on: nothing is done, and a person must look."""
TURNED = Failed(FACTS_CHANGED)
"""Part of the plan is done, and it would be another by now: a person must decide about the rest."""
NOT_LOOKED = Failed("not_looked")
"""The look before did not say whether the holding is there: it is left alone."""
UNKNOWN_KIND = Failed("unknown_kind")
NO_OUTCOME = Failed("no_outcome")
"""The connector did not say what became of this category."""


_GONE = Erased | Redacted | Anonymised


class Perform:
    """The work of a connector's host on `TaskOrdered`."""

    def __init__(
        self, connector: Connector, codec: Codec, caller: Caller, *, now: Clock = utc_now
    ) -> None:
        self.system = connector.capabilities.system
        self._connector = connector
        self._codec = codec
        self._caller = caller
        self._now = now

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """`TaskCompleted` in parts, or `TaskDeclined`: then nothing was done.

        An order that comes twice goes on from what is gone already.
        """
        if not isinstance(order, TaskOrdered):
            raise TypeError("perform answers tasks")
        whom = asked(self._codec, order, grants)
        task = _Task(Vendor(self._connector, order.case, self._now), order, whom)
        with calling(self._caller) as calls:
            try:
                await task.look_before()
            except GaveUpError as error:
                done = task.all_of(Failed(error.reason))
                return self._completed(task, grants, done, error.reason, calls)
            if task.changed:
                return [self._declined(task, calls)]
            done = task.all_of(TURNED) if task.turned else await task.done()
            try:
                after = await task.look_after()
            except GaveUpError as error:
                return self._completed(task, grants, done, error.reason, calls)
        return self._completed(task, grants, self._settling(task, done, after), after, calls)

    def _settling(
        self, task: _Task, done: Mapping[Row, Outcome], after: Look
    ) -> Mapping[Row, Outcome]:
        """Where reads may lag, what is done and still shows is told as by a job: look again."""
        lag = self._connector.capabilities.settles_within
        if not lag:
            return done
        later = Queued(self._now() + lag)
        return {
            row: later if isinstance(it, _GONE) and task.shows(after, row) else it
            for row, it in done.items()
        }

    def _declined(self, task: _Task, calls: Sequence[Call]) -> TaskDeclined:
        return TaskDeclined(
            case=task.order.case,
            order=task.order.order,
            system=self.system,
            reason=FACTS_CHANGED,
            facts=task.before.fact_rows(),
            calls=len(calls),
        )

    def _completed(
        self,
        task: _Task,
        grants: Grants,
        done: Mapping[Row, Outcome],
        after: Look | str,
        calls: Sequence[Call],
    ) -> Sequence[Event]:
        """The answer; `after` is the look afterwards, or why there was none."""
        entries = [
            Entry("done", DoneRow(tag=tag, category=category, outcome=to_row(outcome)))
            for (tag, category), outcome in sorted(done.items(), key=lambda pair: pair[0])
        ]
        if isinstance(after, Look):
            entries += answer.holdings("looked", after, task.whom.tags)
            entries += answer.gone(after, task.whom.tags)
            entries += answer.documents(after, task.whom.tags, task.order.documents)
        whole = TaskCompleted(
            case=task.order.case,
            order=task.order.order,
            system=self.system,
            part=1,
            parts=1,
            digest=b"",
            looked_failed=after if isinstance(after, str) else "",
        )
        return answer.in_parts(self._codec, grants.record(), whole, entries, calls)


class _Task:
    """One task under way."""

    def __init__(self, vendor: Vendor, order: TaskOrdered, whom: Asked) -> None:
        self.order = order
        self.before = Look(frozenset())
        self._vendor = vendor
        self.whom = whom

    async def look_before(self) -> None:
        """What is there now; is in `before`."""
        await self._vendor.check()
        self.before = await self._vendor.look(self.whom)

    def shows(self, look: Look, row: Row) -> bool:
        """Whether a look still finds it."""
        tag, category = row
        holding = self.whom.known.get(tag)
        return holding is not None and category in (look.carried(holding) or ())

    async def look_after(self) -> Look:
        """What is still there: read anew, each holding by its own id."""
        return await self._vendor.look(self.whom)

    @property
    def changed(self) -> bool:
        """Whether the system contradicts the plan, and nothing of it was done yet."""
        now = named(self.before.facts.values())
        differ = any(
            _is_other(name, told, now.get(name, told))
            for name, told in named(self.order.facts).items()
        )
        return differ and not any(self._is_done(it) for it in self.order.rows)

    @property
    def turned(self) -> bool:
        """Whether a no has become a yes, or a date a later one: nothing that we did can be why."""
        now = named(self.before.facts.values())
        return any(
            joined(name, told, now.get(name, told)) != told
            for name, told in named(self.order.facts).items()
        )

    def all_of(self, outcome: Outcome) -> dict[Row, Outcome]:
        """The same outcome for everything in the order."""
        return {(it.tag, category): outcome for it in self.order.rows for category in it.erase}

    async def done(self) -> dict[Row, Outcome]:
        """Erase what there still is to erase, kind by kind in the connector's order."""
        unknown = named(self.order.facts).keys() - self.before.facts.keys()
        if unknown and not any(self._is_done(it) for it in self.order.rows):
            return self.all_of(FACTS_UNKNOWN)
        kinds = {kind: n for n, kind in enumerate(self._vendor.connector.capabilities.kinds)}
        done: dict[Row, Outcome] = {}
        for row in sorted(self.order.rows, key=lambda it: kinds.get(it.kind, len(kinds))):
            if row.kind not in kinds:
                said: Mapping[str, Outcome] = dict.fromkeys(row.erase, UNKNOWN_KIND)
            else:
                said = {} if self._has_grown(row) else await self._erased(row)
            done.update({(row.tag, category): outcome for category, outcome in said.items()})
        return done

    def _is_done(self, row: TaskRow) -> bool:
        """Whether the holding is gone, or has none of what is to be erased."""
        holding = self.whom.known.get(row.tag)
        if holding is None or holding in self.before.gone:
            return holding is not None
        carried = self.before.carried(holding)
        return carried is not None and carried.isdisjoint(row.erase)

    def _has_grown(self, row: TaskRow) -> bool:
        """Whether it carries more than the plan has seen: it is left alone until one has."""
        holding = self.whom.known.get(row.tag)
        carried = None if holding is None else self.before.carried(holding)
        return carried is not None and not carried <= {*row.erase, *row.keep}

    async def _erased(self, row: TaskRow) -> dict[str, Outcome]:
        """An outcome for each category that is to go."""
        holding = self.whom.known.get(row.tag)
        carried = None if holding is None else self.before.carried(holding)
        if holding in self.before.gone:
            return dict.fromkeys(row.erase, Erased())
        if holding is None or carried is None:
            return dict.fromkeys(row.erase, NOT_LOOKED)
        if carried.isdisjoint(row.erase):
            return dict.fromkeys(row.erase, Redacted())
        said = await self._erase(Holding(holding.kind, holding.id, carried), row)
        return {
            it: Redacted() if Category(it) not in carried else said.get(Category(it), NO_OUTCOME)
            for it in row.erase
        }

    async def _erase(self, holding: Holding, row: TaskRow) -> Mapping[Category, Outcome]:
        keep = frozenset(map(Category, row.keep))
        order = self.order  # without its attempt: the next one brings about the same
        name = f"{order.case} {order.system} {order.n} {row.tag.hex()}"
        try:
            with effect(name):
                said = await self._vendor.erase(holding, keep)
        except GaveUpError as error:
            said = Failed(error.reason)
        else:
            crash.passing("host.after-effect")
        return said if isinstance(said, Mapping) else dict.fromkeys(holding.categories, said)


def _is_other(name: str, told: str, now: str) -> bool:
    """Whether a plan that rests on `told` would be another by now.

    An earlier date makes none: the later one went with what was erased meanwhile.
    """
    if told in {TRUE, FALSE}:
        return now != told
    return joined(name, told, now) != told
