"""A connector for the length of one order: whatever happens in it, it fails in two ways only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import structlog

from connectors.sdk import calls, wall_clock
from connectors.sdk.calls import Call, Caller
from connectors.sdk.interface import (
    Category,
    Connector,
    Datum,
    Holding,
    Identifier,
    Outcome,
    Page,
    Record,
    RetryableError,
    Standing,
    Subject,
    TerminalError,
)
from connectors.sdk.spelling import normal

from ..case.outcome import code
from ..faults import broke
from ..ports import LaterError
from .look import Asked, Look

LONGEST = 16 * 1024
"""Bytes of a holding's id or an identifier, at most: several must fit into one record."""
LONGEST_BORNE = 1024
"""Bytes of what a record says about who it is of, at most: to normalise text takes longer, the
longer it is, than in proportion. No address is as long (RFC 5321, section 4.5.3.1).
"""
LONGEST_LABEL = 1024
"""Characters of a file's name and of its type, at most: the rest is cut off."""
NAMELESS = "file"
Clock = Callable[[], datetime]
log = structlog.get_logger()


class GaveUpError(Exception):
    """Asking again will not help. `reason` is a code that anybody may read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def utc_now() -> datetime:
    """The time of this machine."""
    return wall_clock.now()


@contextmanager
def calling(caller: Caller) -> Iterator[list[Call]]:
    """Have every vendor call inside made by `caller`; collects the calls that were made."""
    token = calls.caller.set(caller)
    try:
        with calls.witnessed() as made:
            yield made
    finally:
        calls.caller.reset(token)


@dataclass(frozen=True, slots=True)
class Vendor:
    """The connector's verbs. Each raises `LaterError` or `GaveUpError`, and nothing else."""

    connector: Connector
    case: UUID
    now: Clock

    async def check(self) -> None:
        """Reach and permission to read every kind: only then does an empty look count."""
        with self._trying():
            await self.connector.check()

    def usable(self, asked: Asked) -> tuple[Identifier, ...]:
        """What this system can be asked by, of what it is to be asked for."""
        with self._trying():
            return tuple(it for it in self.connector.usable(asked.subject))

    async def pages(self, asked: Asked, into: Look) -> AsyncIterator[Page]:
        """Look, page by page; each is in `into` when it is handed out."""
        known = tuple(asked.known.values())
        with self._trying():
            async for page in self.connector.locate(asked.subject, known):
                fit = _fit(page)
                into.take(fit)
                yield fit

    async def look(self, asked: Asked) -> Look:
        """All that is there now."""
        found = Look(frozenset(asked.known.values()))
        async for _ in self.pages(asked, found):
            pass
        return found

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """A holding's records."""
        goes_on = False
        with self._trying():
            async for record in self.connector.export(holding):
                if not fits(record.holding.id):
                    raise GaveUpError("unfit_id")
                yield _labelled(record, goes_on=goes_on)
                goes_on = record.more

    async def erase(
        self, holding: Holding, keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        """Erase a holding but for what is kept, or say why it stays."""
        with self._trying():
            return await self.connector.erase(holding, keep)

    async def standing(self, holding: Holding) -> Standing | None:
        """How a holding stands now; None if it is gone."""
        with self._trying():
            return await self.connector.standing(holding)

    async def restrict(self, holding: Holding, *, lift: bool) -> Outcome:
        """Mark a holding as not to be used, or take the mark off."""
        with self._trying():
            return await self.connector.restrict(holding, lift=lift)

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        """Write these values."""
        with self._trying():
            return await self.connector.rectify(holding, data)

    def refiled(self, holding: Holding, data: Mapping[Datum, str]) -> Holding:
        """How a holding is read once these values are written."""
        with self._trying():
            return self.connector.refiled(holding, data)

    async def object_to(self, subject: Subject, purpose: str) -> Outcome:
        """Stop a use of all that is the subject's."""
        with self._trying():
            return await self.connector.object_to(subject, purpose)

    async def objected(self, subject: Subject, purpose: str) -> bool:
        """Whether nothing of the subject's is used for the purpose."""
        with self._trying():
            return await self.connector.objected(subject, purpose)

    async def people(
        self, kinds: frozenset[str], until: datetime | None
    ) -> AsyncIterator[Sequence[Subject]]:
        """Everybody whom the system holds, page by page."""
        with self._trying():
            async for page in self.connector.people(kinds, until):
                yield page

    @contextmanager
    def _trying(self) -> Iterator[None]:
        try:
            yield
        except (LaterError, GaveUpError):
            raise
        except RetryableError as error:  # the host's caller has waited as long as it may
            self._log("connector.later", error=str(error))
            until = self.now() + (error.retry_after or timedelta(0))
            raise LaterError(until, "vendor_unavailable") from None
        except TerminalError as error:
            self._log("connector.refused", error=str(error))
            raise GaveUpError(code(error.reason)) from None
        except Exception as error:  # noqa: BLE001  connectors are others' code; its text may name a person
            self._log("connector.broke", error=type(error).__name__, at=broke.at(error))
            raise GaveUpError("connector_error") from None

    def _log(self, event: str, **said: str) -> None:
        """What a connector's own errors say names nobody: they promise it, and the kit tests it."""
        system = self.connector.capabilities.system
        log.warning(event, case=str(self.case), system=system, **said)


def _fit(page: Page) -> Page:
    """The page, in words that travel. A holding with an id that is none cannot be left out."""
    if not all(fits(it.id) for it in (*page.holdings, *(it.holding for it in page.records))):
        raise GaveUpError("unfit_id")
    return replace(
        page,
        holdings=tuple(map(_with_fit, page.holdings)),
        records=tuple(_labelled(replace(it, holding=_with_fit(it.holding))) for it in page.records),
    )


def _with_fit(holding: Holding) -> Holding:
    """The holding with what it bears in words that travel; what says nothing is left out.

    What is endless, or no text, is still somebody's: something else stands for it.
    """
    if not holding.bears:
        return holding
    fit = [
        it if fits(it.value, LONGEST_BORNE) else replace(it, value=_instead(it.value))
        for it in holding.bears
    ]
    fit += [replace(it, kind="whole_name") for it in fit if it.kind == "name"]
    return replace(holding, bears=tuple(it for it in fit if normal(it.kind, it.value)))


def _labelled(record: Record, *, goes_on: bool = False) -> Record:
    """The record with labels that travel; that a file is missing is said by a code.

    What is missing or comes in pieces is a file, and has a name; `goes_on` tells of the last piece.
    """
    is_file = record.missing or record.more or goes_on
    name = record.name[:LONGEST_LABEL] or (NAMELESS if is_file else "")
    return replace(
        record,
        name=name,
        content_type=record.content_type[:LONGEST_LABEL],
        missing=record.missing and code(record.missing),
    )


def _instead(value: str) -> str:
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def fits(text: str, longest: int = LONGEST) -> bool:
    """Whether a text travels: it has an end, and is one."""
    try:
        return len(text.encode()) <= longest
    except UnicodeEncodeError:  # half a surrogate pair, which JSON allows
        return False
