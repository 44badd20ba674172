"""Turn keys: make the next ones, wrap case keys anew, destroy what nothing needs any more.

Any number of processes may do it: files are made and destroyed under a lock of the register. A key
lies in its folder for `settings.key_lead` before it is used; a wrapping key dies `backups_kept`
after the last living case key was wrapped anew, and only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline.crypto import lifetimes
from pipeline.faults import crash
from pipeline.keys.key_files import WRAPPING, KeyFiles, Kind
from pipeline.register import wrapping
from pipeline.register.case_keys import not_here
from pipeline.settings import Settings

MOMENT = timedelta(microseconds=1)
log = structlog.get_logger()


class Rotation:
    """Turns the keys of one data folder, with its register."""

    def __init__(
        self,
        engine: AsyncEngine,
        files: KeyFiles,
        settings: Settings,
        clock: Callable[[], datetime] = wall_clock.now,
    ) -> None:
        self._engine = engine
        self._files = files
        self._settings = settings
        self._clock = clock

    async def begin(self, systems: Iterable[str]) -> None:
        """Make the first key of every kind that has none, for the hosts of these systems too.

        Raises `KeyFileError`, and makes none, if the register needs a wrapping key that is not
        there: a folder that was not mounted looks like one that is new.
        """
        async with self._engine.begin() as connection:
            await wrapping.lock(connection)
            for it in await wrapping.missing(connection, self._files.wrapping()):
                raise not_here(it, self._files.wrapping())
            self._files.create(self._clock(), systems)

    async def turn(self) -> None:
        """Do what is due. Raises `KeyFileError`, `OSError` where a folder cannot be written."""
        if self._is_due():
            async with self._engine.begin() as connection:
                await wrapping.lock(connection)
                for it in self._files.kinds(self._settings):
                    self._renew(it)
                crash.passing("keys.before-use")
        await self._wrap_anew()

    async def turn_now(self, chosen: Kind) -> str:
        """Have a new key in force at once, whatever its predecessor's age; its id.

        A key that was made ahead and is not in force yet is never used either.
        """
        async with self._engine.begin() as connection:
            await wrapping.lock(connection)
            now = self._clock()
            ahead = lifetimes.since(max(chosen.keys, default=""))
            named = self._make(chosen, now)
            if ahead > now:
                self._make(chosen, ahead + MOMENT)
        await self._wrap_anew()
        return named

    def _is_due(self) -> bool:
        """Whether a file is to be made or destroyed; a look at the folders, without the lock."""
        return any(
            self._next(it) is not None
            or it.keys.is_untidy()
            or (it.purpose != WRAPPING and any(self._dead(it)))
            for it in self._files.kinds(self._settings)
        )

    def _renew(self, it: Kind) -> None:
        if it.keys.is_untidy():
            it.keys.tidy()
            log.warning("key.tidied", purpose=it.purpose, system=it.system)
        following = self._next(it)
        if following is not None:
            self._make(it, following)
        if it.purpose != WRAPPING:
            for named in self._dead(it):
                _destroy(it, named)

    def _next(self, it: Kind) -> datetime | None:
        lead = self._settings.key_lead
        return lifetimes.next_since(list(it.keys), it.lifetime, lead, self._clock())

    def _dead(self, it: Kind) -> Iterator[str]:
        return lifetimes.dead(list(it.keys), it.lifetime, self._clock())

    def _make(self, it: Kind, since: datetime) -> str:
        named = it.keys.create(since)
        log.info("key.made", purpose=it.purpose, system=it.system, key=named)
        return named

    async def _wrap_anew(self) -> None:
        """Empty every old wrapping key of living case keys; destroy what no backup needs."""
        kind = next(it for it in self._files.kinds(self._settings) if it.purpose == WRAPPING)
        now = kind.keys.current(self._clock())
        old = [it for it in kind.keys if it < now]
        if not old:
            return
        async with self._engine.connect() as connection:
            left = await wrapping.left(connection)
        for it in old:
            if it not in left:
                await self._empty(it)
            elif left[it] + kind.lifetime.kept <= self._clock():
                await self._end(kind, it)

    async def _empty(self, old: str) -> None:
        files = self._files.wrapping()
        raw = files.get(old)
        if raw is None:
            return  # another process was faster, and it is destroyed
        count, moved = 0, 1
        while moved:
            async with self._engine.begin() as connection:
                named = files.current(self._clock())
                moved = await wrapping.rewrap(connection, (old, raw), (named, files[named]))
                crash.passing("keys.in-rewrap")
            count += moved
        async with self._engine.begin() as connection:
            done = await wrapping.note_left(connection, old, self._clock())
        log.info("key.left", purpose=WRAPPING, key=old, wrapped_anew=count, done=done)

    async def _end(self, kind: Kind, named: str) -> None:
        async with self._engine.begin() as connection:
            await wrapping.lock(connection)
            if named in kind.keys and await wrapping.is_empty(connection, named):
                _destroy(kind, named)
            await wrapping.forget(connection, [named])  # or it is to be emptied once more


def _destroy(it: Kind, named: str) -> None:
    it.keys.destroy(named)
    log.info("key.destroyed", purpose=it.purpose, system=it.system, key=named)
