"""What every command shares: settings, one error style, JSON or tables, and a clean end."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import click
import structlog
import uvloop
from aiokafka.errors import KafkaConnectionError
from rich.console import Console
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from pipeline import broke
from pipeline import settings as table
from pipeline.adapters.behind import RegisterBehindError
from pipeline.adapters.dead_letters import DeadLetterLimitError
from pipeline.adapters.key_folder import KeyFileError
from pipeline.adapters.ledger_topic import LedgerTopicError
from pipeline.adapters.local_kafka import LocalKafkaError
from pipeline.adapters.recovery import StillRunningError
from pipeline.adapters.register.engine import RegisterError
from pipeline.adapters.register.holds import HoldError
from pipeline.adapters.register.reading import NoCaseError
from pipeline.adapters.registry_ids import RegistryError
from pipeline.adapters.topics import TopicsError
from pipeline.adapters.way_in import IntakesError
from pipeline.app import SetupError
from pipeline.policy import PolicyError
from pipeline.response.as_json import as_json as written
from pipeline.settings import Settings
from schemas.codec import UnknownEventError

P = ParamSpec("P")
T = TypeVar("T")

WIDE = 120
"""Columns where there is no terminal to ask."""
out = Console(width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, width=None if sys.stderr.isatty() else WIDE)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")

PLAIN = (
    DeadLetterLimitError,
    HoldError,
    KeyFileError,
    LedgerTopicError,
    LocalKafkaError,
    NoCaseError,
    PolicyError,
    RegisterBehindError,
    RegisterError,
    RegistryError,
    IntakesError,
    SetupError,
    StillRunningError,
    TopicsError,
    UnknownEventError,
    table.SettingsError,
)
"""Errors whose message already says what to do."""
OF_REGISTER = (OperationalError, ProgrammingError, InterfaceError)
NO_REGISTER = (
    "the register cannot be used ({what}): it is not there, is locked, or is not of this release;"
    " HABEAS_DATA and HABEAS_REGISTER say where it is, and `habeas up` or `habeas run orchestrator`"
    " makes it and brings it up to date"
)
LEFT_FOR = 5.0
"""Seconds that tasks of libraries get to end after ours."""
NO_BROKER = "no broker answers: start it, or correct HABEAS_BROKER, and then start this again"


def command(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run an async command; end on SIGINT and SIGTERM; show errors that say what to do."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return uvloop.run(_until_told(function(*args, **kwargs)))
        except (*PLAIN, *OF_REGISTER, KafkaConnectionError, BaseExceptionGroup) as error:
            raise click.ClickException(_first(error)) from None
        except (asyncio.CancelledError, KeyboardInterrupt):
            sys.exit(130)

    return run


def load() -> Settings:
    """The settings, or an error that names the variable."""
    try:
        return table.load()
    except table.SettingsError as error:
        raise click.ClickException(str(error)) from None


def logs(*, to_file: Any = None, level: int = logging.INFO) -> None:
    """Logs as JSON lines, to stderr or a file: case and system, never a person."""
    stream = to_file or sys.stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=stream, level=logging.WARNING, force=True)


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(written(value), nl=False)


def show_json_line(value: Any) -> None:
    """Print a value as JSON on one line: the last of a long output."""
    click.echo(written(value, indented=False), nl=False)


def short(named: UUID) -> str:
    """As much of an id as people need: every command takes its beginning."""
    return str(named)[:13]


async def _until_told(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for told in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(told, task.cancel)
    try:
        return await task
    finally:
        await _abandon()


async def _abandon() -> None:
    """End what libraries have left, and leave what does not end: ours has ended by now.

    Faust, told to stop in the moment of its start, keeps a task that cannot be cancelled.
    """
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for it in left:
        it.cancel()
    if left:
        _, left = await asyncio.wait(left, timeout=LEFT_FOR)
    for it in left:  # the runner would wait for it without end
        asyncio.tasks._unregister_task(it)  # noqa: SLF001  documented: "Extending", asyncio


def _first(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, KafkaConnectionError):
        return NO_BROKER
    if isinstance(error, OF_REGISTER):  # what a database says may name a person
        return NO_REGISTER.format(what=type(error).__name__)
    if isinstance(error, PLAIN):
        return str(error)
    return f"{type(error).__name__} at {broke.at(error)}"  # no stranger's words
