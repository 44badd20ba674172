"""Every default, in one table. Read from the environment once, in `app`, and passed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any


class SettingsError(Exception):
    """A setting that cannot be used. The message names the variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field per variable: `data` is `HABEAS_DATA`. Durations are in seconds there."""

    data: Path = Path(".habeas")
    """Register, keys, objects, mail, reports, and the local broker's files."""
    broker: str = ""
    """`host:port` of an Apache Kafka; empty starts a local one."""
    register: str = ""
    """URL of a PostgreSQL database; empty is a SQLite file in the data folder."""
    schema_registry: str = ""
    """Address of a Confluent-compatible registry; empty uses the committed ids."""
    systems: str = ""
    """Comma-separated systems to ask; empty means every installed connector."""
    objects: str = ""
    """Folder where exports and packages lie, sealed; empty is in the data folder."""
    policy: str = ""
    """Folder with the policy files; empty means the ones that come with Habeas."""
    brake: str = ""
    """File with the limits at which erasing stops; empty means the one that comes with Habeas."""
    mode: str = ""
    """`observe` (search, plan, report, never erase) or `act`; empty acts against sandboxes only."""
    not_after_act: timedelta = timedelta(minutes=10)
    not_after_search: timedelta = timedelta(hours=1)
    run_limit: timedelta = timedelta(minutes=10)
    vendor_wait: timedelta = timedelta(seconds=60)
    search_budget: timedelta = timedelta(hours=24)
    sweep: timedelta = timedelta(seconds=1)
    """How often the clock looks for due rows."""
    identity_wait: timedelta = timedelta(days=14)
    approval_lasts: timedelta = timedelta(days=7)
    deadline_near: timedelta = timedelta(days=3)
    partitions: int = 12
    session_timeout: timedelta = timedelta(seconds=10)
    """A worker that is silent for so long is gone, and its partitions go to the others."""
    instance: str = ""
    """A name that this process has again after a restart, and no other has at the same time (a
    stateful set's pod): its partitions wait for it for `session_timeout`. Empty: they go at once.
    """
    package_key_lives: timedelta = timedelta(days=30)
    record_key_lives: timedelta = timedelta(days=3 * 365)
    host_key_period: timedelta = timedelta(days=1)
    """A host's orders are wrapped with a new key of its own this often."""
    public_key_period: timedelta = timedelta(days=30)
    """What intakes seal requests to, and everybody dead letters, is another key this often."""
    wrapping_key_period: timedelta = timedelta(days=30)
    """Case keys are wrapped anew this often."""
    key_lead: timedelta = timedelta(hours=1)
    """A new key lies in its folder for so long before it is used: every process has it by then."""
    backups_kept: timedelta = timedelta(days=6)
    """How long a backup of the register, or of the keys, is kept at most: promised by who makes
    them. Shorter than `incoming_kept`: what came since a backup can be read again.
    """
    incoming_kept: timedelta = timedelta(days=7)
    """What `requests`, `results` and `decisions` keep."""
    dead_letters_kept: timedelta = timedelta(days=90)
    window: int = 64
    """Orders that one host works on at once."""
    dead_letter_limit: int = 100
    """Records refused in a row before a process stops."""


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `HABEAS_*`. Raises `SettingsError` naming the variable that cannot be read."""
    given: dict[str, Any] = {}
    for it in fields(Settings):
        variable = f"HABEAS_{it.name.upper()}"
        if variable in environ:
            given[it.name] = _read(variable, environ[variable], it.default)
    made = Settings(**given)
    _check_keys(made)
    return made


def _check_keys(made: Settings) -> None:
    for name in ("host_key_period", "public_key_period", "wrapping_key_period"):
        if getattr(made, name) <= made.key_lead:
            raise SettingsError(f"HABEAS_{name.upper()} must be longer than HABEAS_KEY_LEAD")
    if made.backups_kept >= made.incoming_kept:
        raise SettingsError("HABEAS_BACKUPS_KEPT must be shorter than HABEAS_INCOMING_KEPT")


def _read(variable: str, value: str, default: object) -> object:
    try:
        if isinstance(default, timedelta):
            return timedelta(seconds=float(value))
        if isinstance(default, int):
            return int(value)
    except ValueError:
        raise SettingsError(f"{variable} is not a number: {value!r}") from None
    return Path(value) if isinstance(default, Path) else value
