"""What the stream passed by: records that lie on the topics and that nobody has decided on.

Faust drops what it has fetched when partitions are shared out anew or its consumer fails, may go on
behind it, and commits past it. The register's offsets say what was decided; what lies before a
batch, or behind the last one while nothing comes, is read again from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence

import structlog
from aiokafka import TopicPartition
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import flow
from pipeline.kafka import positions
from pipeline.kafka.incoming import Incoming, missing, read_range
from pipeline.kafka.positions import Place
from pipeline.register import store

PORTION = 200
"""Records that are read again at once: each may have half a megabyte."""
log = structlog.get_logger()


class Backlog:
    """Has `take` decide every record of a partition, in order, whatever the stream drops."""

    def __init__(
        self,
        engine: AsyncEngine,
        bootstrap: str,
        take: Callable[[Sequence[Incoming]], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._bootstrap = bootstrap
        self._take = take
        self._busy: Counter[str] = Counter()
        """By topic: how many batches are being taken."""
        self._waiting: dict[Place, int] = {}
        """At the last look: where partitions are to be read on that were not at their end."""

    async def take(self, batch: Sequence[Incoming]) -> None:
        """Decide a batch of one topic, and first what lies before it."""
        topic = batch[0].topic
        self._busy[topic] += 1
        try:
            for place in sorted({it.place for it in batch}):
                await self._read_on(place, min(it.offset for it in batch if it.place == place))
            between = await self._between(batch)
            whole = sorted([*between, *batch], key=lambda it: (it.partition, it.offset))
            await self._take(whole)
        finally:
            self._busy[topic] -= 1

    async def look(self, ours: Collection[Place]) -> None:
        """Decide what lies at the end of our partitions and was not read on since the last look."""
        bounds = await positions.bounds(self._bootstrap, flow.DECIDED)
        stored = await self._stored()  # asked later: what is behind by then stays behind
        before, self._waiting = self._waiting, {}
        for place, has in sorted(bounds.items()):
            following = max(stored.get(place, 0), has.begin)
            if place not in ours or following >= has.end or self._busy[place[0]]:
                continue
            self._waiting[place] = following
            if before.get(place) == following:
                await self._read_on(place, has.end)

    async def _read_on(self, place: Place, end: int) -> None:
        """Decide what lies before an offset and the register has not seen."""
        stored = await self._stored()
        following = stored.get(place, 0)
        if following >= end:
            return
        topic, partition = place
        begin = (await positions.bounds(self._bootstrap, [topic]))[place].begin
        if following < begin and place in stored:
            lost = begin - following
            log.error("records.expired", topic=topic, partition=partition, count=lost)
        for at in range(max(following, begin), end, PORTION):
            gap = range(at, min(at + PORTION, end))
            found = await self._read_again(place, gap)
            if found:
                await self._take(found)

    async def _between(self, batch: Sequence[Incoming]) -> list[Incoming]:
        """Records between those of a batch that never came here."""
        stored = await self._stored()
        found: list[Incoming] = []
        for place in {it.place for it in batch}:
            came = [it.offset for it in batch if it.place == place]
            for gap in missing(max(stored.get(place, 0), min(came)), came):
                found += await self._read_again(place, gap)
        return found

    async def _read_again(self, place: Place, gap: range) -> list[Incoming]:
        topic, partition = place
        log.warning("records.missed", topic=topic, partition=partition, count=len(gap))
        return await read_range(self._bootstrap, TopicPartition(topic, partition), gap)

    async def _stored(self) -> dict[Place, int]:
        async with self._engine.connect() as connection:
            return await store.offsets(connection)
