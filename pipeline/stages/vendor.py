"""A connector for the length of one order: whatever happens in it, it fails in two ways only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from connectors.sdk import calls
from connectors.sdk.calls import Call, Caller
from connectors.sdk.interface import (
    Category,
    Connector,
    Holding,
    Outcome,
    Page,
    Record,
    RetryableError,
    TerminalError,
)

from .. import broke
from ..case.outcome import code
from ..ports import LaterError
from .look import Asked, Look

LONGEST = 16 * 1024
"""Bytes of a holding's id or an identifier, at most: several must fit into one record."""
Clock = Callable[[], datetime]
log = structlog.get_logger()


class GaveUpError(Exception):
    """Asking again will not help. `reason` is a code that anybody may read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


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
        with self._trying():
            async for record in self.connector.export(holding):
                yield record

    async def erase(
        self, holding: Holding, keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        """Erase a holding but for what is kept, or say why it stays."""
        with self._trying():
            return await self.connector.erase(holding, keep)

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
    """The page, without identifiers that are no text or endless: nothing is found by those.

    A holding with such an id cannot be left out: that gives up.
    """
    if not all(_fits(it.id) for it in (*page.holdings, *(it.holding for it in page.records))):
        raise GaveUpError("unfit_id")
    return replace(page, identifiers=tuple(it for it in page.identifiers if _fits(it.value)))


def _fits(text: str) -> bool:
    try:
        return len(text.encode()) <= LONGEST
    except UnicodeEncodeError:  # half a surrogate pair, which JSON allows
        return False
