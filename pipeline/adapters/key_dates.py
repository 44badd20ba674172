"""When a destroyed case key is out of reach for all: upper bounds, out of the keys there are.

They hold while an orchestrator turns the keys (within `lifetimes.LATE`) with the settings of today,
and no backup is kept longer than `backups_kept`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline import lifetimes
from pipeline.settings import Settings

from .key_files import KeyFiles


@dataclass(frozen=True, slots=True)
class Dates:
    """From when a case key, and with it what it sealed, is out of reach."""

    of_the_living: datetime
    """Of whoever runs: no host key that wrapped a grant of it is left."""
    of_backups: datetime
    """Of whoever restores: no wrapping key that it was under is left, nor a copy of one."""


def dates(
    files: KeyFiles, settings: Settings, *, wrapping: str, envelope: str | None, now: datetime
) -> Dates:
    """Of a case key destroyed now that was under `wrapping`.

    `envelope` is the intake key of the case's request, if the case key sealed what is in that too.
    """
    hosts = lifetimes.of_hosts(settings)
    running = [now + settings.run_limit]
    for keys in files.of_hosts().values():
        ids = list(keys)
        running += [
            lifetimes.gone_by(ids, it, hosts, now) for it in ids if lifetimes.since(it) <= now
        ]
    if envelope is not None:
        intakes = lifetimes.of_intakes(settings)
        running.append(lifetimes.gone_by(list(files.pipeline()), envelope, intakes, now))
    of_register = lifetimes.of_wrapping(settings)
    wrapped = lifetimes.gone_by(list(files.wrapping()), wrapping, of_register, now)
    copied = max(*running, wrapped) + settings.backups_kept
    return Dates(max(running), copied)
