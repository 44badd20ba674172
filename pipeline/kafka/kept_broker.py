"""A local broker that is started again when it dies, as long as somebody works with it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import structlog

from pipeline import disk
from pipeline.disk import DiskError

from .connection import Broker
from .kafka_jars import LocalKafkaError, Progress, no_progress
from .local_kafka import LocalKafka, start

LOOK_EVERY = 0.5
"""Seconds."""
PAUSE = 2.0
"""Seconds before a broker that could not be started is started once more."""
DEATHS, WITHIN = 3, 600.0
"""So many within so many seconds, and it is given up. A full disk is waited for."""
log = structlog.get_logger()


@asynccontextmanager
async def kept(folder: Path, progress: Progress = no_progress) -> AsyncIterator[Broker]:
    """A broker with its data in `folder`, at one address, until the end.

    Raises `LocalKafkaError`, in whoever works with it, if it dies again and again or cannot be
    started again; the first start raises as `start` does.
    """
    worker = asyncio.current_task()
    assert worker is not None  # noqa: S101  a coroutine is always of one
    keeper = _Keeper(await start(folder, progress=progress))
    keeping = asyncio.create_task(keeper.keep())
    keeping.add_done_callback(lambda it: it.cancelled() or worker.cancel())
    try:
        yield keeper.kafka.bootstrap
    except asyncio.CancelledError:
        if not keeping.done() or (error := keeping.exception()) is None:
            raise
        worker.uncancel()
        raise error from None
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await keeper.kafka.stop()


class _Keeper:
    def __init__(self, kafka: LocalKafka) -> None:
        self.kafka = kafka
        self._died: deque[float] = deque(maxlen=DEATHS)

    async def keep(self) -> NoReturn:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if self.kafka.has_ended:
                folder = self.kafka.folder
                disk_full = disk.is_full(folder)
                log.error("kafka.ended", folder=str(folder), disk_full=disk_full)
                if not disk_full:
                    self._count(LocalKafkaError(f"The local Kafka in {folder} died."))
                await self._start_again()

    async def _start_again(self) -> None:
        folder, port = self.kafka.folder, int(self.kafka.bootstrap.rpartition(":")[2])
        while True:
            try:
                self.kafka = await start(folder, port=port)
            except (LocalKafkaError, OSError) as error:
                log.error("kafka.not_started", reason=str(error))  # noqa: TRY400
                if not isinstance(error, DiskError) and not disk.is_full(folder):
                    self._count(error)
                await asyncio.sleep(PAUSE)
            else:
                log.warning("kafka.started_again", folder=str(folder))
                return

    def _count(self, error: Exception) -> None:
        """Take one more death, or start that failed. Raises the last one if they are too many."""
        self._died.append(time.monotonic())
        if len(self._died) == DEATHS and self._died[-1] - self._died[0] < WITHIN:
            log.critical("kafka.given_up", deaths=DEATHS)
            raise LocalKafkaError(
                f"{error}\nIt was given up after {DEATHS} times within {WITHIN / 60:.0f} minutes:"
                f" {self.kafka.folder / 'server.log'} says why, then start this again; nothing is"
                " lost."
            )
