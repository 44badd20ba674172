"""When a destroyed case key is out of reach for all: upper bounds, out of the keys there are.

They hold while an orchestrator turns the keys (within `lifetimes.LATE`) with the settings of today,
and no backup is kept longer than `backups_kept`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.crypto import lifetimes
from pipeline.keys.key_files import KeyFiles
from pipeline.register import store
from pipeline.register.case_keys import RECORD, Expired
from pipeline.settings import Settings
from schemas.events import KeyDestroyed, PreferenceReceived, RequestReceived


async def destroyed(
    connection: AsyncConnection, files: KeyFiles, settings: Settings, it: Expired, now: datetime
) -> KeyDestroyed:
    """What is said of a case key that is destroyed now."""
    envelope = None
    if it.purpose == RECORD:  # who asked is in the request's envelope as well
        request = await store.event_of(connection, it.owner, 1)
        if isinstance(request, RequestReceived | PreferenceReceived):
            envelope = request.key
    running = _of_the_living(files, settings, envelope, now)
    return KeyDestroyed(
        case=it.owner,
        key=it.id,
        purpose=it.purpose,
        unreadable_from=running,
        unreadable_in_backups_from=_of_backups(files, settings, it.wrapping, running, now),
    )


def _of_the_living(
    files: KeyFiles, settings: Settings, envelope: str | None, now: datetime
) -> datetime:
    """No host key that wrapped a grant of it is left, nor the key of the request's envelope."""
    hosts, intakes = lifetimes.of_hosts(settings), lifetimes.of_intakes(settings)
    gone = [now + settings.run_limit]
    for keys in files.of_hosts().values():
        ids = list(keys)
        gone += [lifetimes.gone_by(ids, it, hosts, now) for it in ids]
    if envelope is not None:
        gone.append(lifetimes.gone_by(list(files.pipeline()), envelope, intakes, now))
    return max(gone)


def _of_backups(
    files: KeyFiles, settings: Settings, wrapping: str, running: datetime, now: datetime
) -> datetime:
    """No wrapping key that it was under is left, nor a copy of any of these keys."""
    kept = lifetimes.of_wrapping(settings)
    wrapped = lifetimes.gone_by(list(files.wrapping()), wrapping, kept, now)
    not_anew_yet = now + kept.kept + lifetimes.LATE  # it is being left only now
    return max(running, wrapped, not_anew_yet) + settings.backups_kept
