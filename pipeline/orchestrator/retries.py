"""What is tried again: a database, a broker or a folder that is busy, absent or without room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from aiokafka.errors import KafkaError
from sqlalchemy.exc import DBAPIError

from pipeline.disk import DiskError
from pipeline.faults.patience import Patience
from pipeline.kafka.topics import TopicsError
from pipeline.keys.key_folder import KeyFileError
from pipeline.register import engine
from pipeline.register.engine import UnreachableError

SAYING = (DiskError, KeyFileError, TopicsError, UnreachableError)
"""What names nobody: a key's file may not have reached this machine yet, nor a topic a broker that
has just come back.
"""
RETRIED = (DBAPIError, KafkaError, OSError, KeyFileError, TopicsError)
log = structlog.get_logger()


@contextmanager
def tried_again(event: str, patience: Patience, **where: str) -> Iterator[None]:
    """What fails here is said, and for the caller to do once more. Raises `GaveUpError`.

    A store without room is waited for, however long: no new process would find more of it.
    """
    try:
        yield
    except (*RETRIED, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and _is_cancelled():
            raise
        log.warning(event, **told(error), **where)
        if not _waits_for_room(error):
            patience.failed(error)
    else:
        patience.succeeded()


def _is_cancelled() -> bool:
    """Whether somebody ends us: aiokafka cancels who waits for a connection that it gives up."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def told(error: BaseException) -> dict[str, str]:
    """What a log says of one: our own words or a code, since a stranger's may name a person."""
    said = {"error": type(error).__name__}
    if isinstance(error, DBAPIError):
        return {**said, "reason": engine.reason(error)}
    return {**said, "reason": str(error)} if isinstance(error, SAYING) else said


def _waits_for_room(error: BaseException) -> bool:
    return isinstance(error, DiskError) or (
        isinstance(error, DBAPIError) and engine.reason(error).startswith(engine.FULL)
    )
