"""What every command shares: settings, one error style, JSON or tables, and a clean end."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import click
import structlog
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from rich.console import Console
from rich.errors import MarkupError
from rich.text import Text
from sqlalchemy.exc import DBAPIError

from connectors.sdk import wall_clock
from pipeline import settings as table
from pipeline.app import SetupError
from pipeline.case.rules import UnknownPolicyError
from pipeline.disk import DiskError, TakenError
from pipeline.faults import broke
from pipeline.faults.patience import GaveUpError
from pipeline.intake.senders import IntakesError
from pipeline.kafka.cluster import OtherClusterError
from pipeline.kafka.dead_letters import DeadLetterLimitError
from pipeline.kafka.ledger_topic import LedgerTopicError
from pipeline.kafka.local_kafka import LocalKafkaError
from pipeline.kafka.registry_ids import RegistryError
from pipeline.kafka.topics import TopicsError
from pipeline.keys.key_folder import KeyFileError
from pipeline.modes import ModesError
from pipeline.policy import PolicyError
from pipeline.recovery.recovery import StillRunningError, UnsignedLedgerError
from pipeline.register.engine import RegisterBehindError, RegisterError, reason
from pipeline.register.holds import HoldError
from pipeline.register.reading import NoCaseError
from pipeline.response.as_json import as_json as written
from pipeline.settings import Settings
from schemas.codec import UnknownEventError

P = ParamSpec("P")
T = TypeVar("T")

WIDE = 120
"""Columns where there is no terminal to ask."""
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # all but tab and line feed: what terminals obey
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # what shows letters in another order
)
_OURS = "/?(?:bold|dim|red|green|yellow|bold green)"
_BRACKET = re.compile(rf"(\\*)\[(?!{_OURS}\]|/\])")
"""What begins a tag that no line of ours has: it is somebody else's word, such as a link."""


class _Plain(Console):
    """Shows what came from topics and the register as text, whatever it would do to a terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As `Console.render_str`, of nothing but text and the tags of our own lines."""
        shown = plain(text)
        if options.get("markup") is False:
            return super().render_str(shown, **options)
        try:
            escaped = _BRACKET.sub(lambda found: f"{found[1] * 2}\\[", shown)
            return super().render_str(escaped, **options)
        except MarkupError:  # a stranger's words closed a tag of ours
            return super().render_str(shown, **{**options, "markup": False})


def plain(text: str) -> str:
    """Text without control characters, and without those that turn its direction."""
    return _CONTROL.sub("", text)


out = _Plain(width=None if sys.stdout.isatty() else WIDE)
err = _Plain(stderr=True, width=None if sys.stderr.isatty() else WIDE)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")

PLAIN = (
    DeadLetterLimitError,
    DiskError,
    GaveUpError,
    HoldError,
    KeyFileError,
    LedgerTopicError,
    LocalKafkaError,
    ModesError,
    NoCaseError,
    OtherClusterError,
    PolicyError,
    RegisterBehindError,
    RegisterError,
    RegistryError,
    IntakesError,
    SetupError,
    StillRunningError,
    TakenError,
    TopicsError,
    UnknownEventError,
    UnknownPolicyError,
    UnsignedLedgerError,
    table.SettingsError,
)
"""Errors whose message already says what to do."""
NO_REGISTER = (
    "the register cannot be used ({what}): it is not there, is locked, or is not of this release;"
    " HABEAS_DATA and HABEAS_REGISTER say where it is, and `habeas up` or `habeas run orchestrator`"
    " makes it and brings it up to date"
)
LEFT_FOR = 5.0
"""Seconds that tasks of libraries get to end after ours."""
LEFT_AGAIN = 3
"""How often it is looked for what they have left: a task that ends may leave another one."""
GAVE_UP = os.EX_TEMPFAIL
"""The exit code of a process that is to be started again by its supervisor: 75, of sysexits.h."""
NO_BROKER = (
    "no broker answers as it should: start it, or correct HABEAS_BROKER and HABEAS_KAFKA_* (what it"
    " said is above), and then start this again"
)
REFUSED = (
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ClusterAuthorizationFailedError,
)
NOT_PERMITTED = (
    "the broker does not permit it ({what}): `habeas topics --acls` prints what each role may"
)


class OrElse(click.Group):
    """A group that is one of its commands where none is named: `habeas hold` is `hold engage`."""

    def __init__(self, *args: Any, default: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [self._default, *args]
        return super().parse_args(ctx, args)


def command(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run an async command; end on SIGINT and SIGTERM; show errors that say what to do."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return asyncio.run(_until_told(function(*args, **kwargs)))
        except (*PLAIN, DBAPIError, KafkaError, BaseExceptionGroup) as error:
            raise _ended(error) from None
        except click.ClickException as error:
            error.message = plain(error.message)
            raise
        except (asyncio.CancelledError, KeyboardInterrupt):
            sys.exit(130)

    return run


def load() -> Settings:
    """The settings, or an error that names the variable. From here on it is as late as they say."""
    try:
        settings = table.load()
    except table.SettingsError as error:
        raise click.ClickException(str(error)) from None
    wall_clock.set_ahead(settings.clock_ahead)
    return settings


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
    click.echo(_escaped(written(value)), nl=False)


def show_json_line(value: Any, *, err: bool = False) -> None:
    """Print a value as JSON on one line: the last of a long output, or one of many on stderr."""
    click.echo(_escaped(written(value, indented=False)), nl=False, err=err)


def _escaped(document: bytes) -> str:
    """JSON, of which nothing but spaces and line feeds between values moves a terminal."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", document.decode())


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

    Faust, told to stop in the moment of its start, keeps a task that cannot be cancelled. One that
    is cancelled in the middle of a statement leaves another one, which closes its connection.
    """
    for _ in range(LEFT_AGAIN):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for it in left:
            it.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=LEFT_FOR)
        for it in left:  # the runner would wait for it without end
            asyncio.tasks._unregister_task(it)  # noqa: SLF001  documented: "Extending", asyncio


def _ended(error: BaseException) -> click.ClickException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    shown = click.ClickException(plain(said(error)))
    if isinstance(error, GaveUpError):
        shown.exit_code = GAVE_UP
    return shown


def said(error: BaseException) -> str:
    """An error in a sentence that says what to do, without a stranger's words."""
    if isinstance(error, REFUSED):
        return NOT_PERMITTED.format(what=type(error).__name__)
    if isinstance(error, KafkaError) and error.retriable:
        return NO_BROKER
    if isinstance(error, DBAPIError):  # what a database says may name a person
        return NO_REGISTER.format(what=reason(error))
    if isinstance(error, PLAIN):
        return str(error)
    return f"{type(error).__name__} at {broke.at(error)}"  # no stranger's words
