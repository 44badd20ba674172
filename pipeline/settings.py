"""Every default, in one table. Read from the environment once, in `app`, and passed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

_SWITCH = {"1": True, "0": False, "": False}


class SettingsError(Exception):
    """A setting that cannot be used. The message names the variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field per variable: `data` is `HABEAS_DATA`. Durations are in seconds there."""

    data: Path = Path(".habeas")
    """Register, keys, objects, mail, reports, and the local broker's files."""
    broker: str = ""
    """`host:port` of an Apache Kafka; empty starts a local one."""
    kafka_security: str = ""
    """`plaintext` (the default, on this machine only), `ssl`, `sasl_plaintext` or `sasl_ssl`."""
    kafka_ca: str = ""
    """File with the certificates (PEM) that prove a broker; empty means this machine's."""
    kafka_cert: str = ""
    """File with our certificate (PEM) and its chain, where the broker asks for one."""
    kafka_key: str = ""
    """File with its private key (PEM, not encrypted)."""
    kafka_sasl_mechanism: str = ""
    """`SCRAM-SHA-512` (the default), `SCRAM-SHA-256` or `PLAIN`."""
    kafka_user: str = ""
    kafka_password_file: str = ""
    """File whose first line is the password: its owner's alone."""
    register: str = ""
    """URL of a PostgreSQL database, with what libpq calls `sslmode`, `sslrootcert`, `sslcert`,
    `sslkey`; empty is a SQLite file in the data folder.
    """
    schema_registry: str = ""
    """Address of a Confluent-compatible registry; empty uses the committed ids."""
    schema_registry_ca: str = ""
    """File with the certificates (PEM) that prove it; empty means this machine's."""
    schema_registry_user: str = ""
    schema_registry_password_file: str = ""
    """As `kafka_password_file`."""
    allow_plaintext: bool = False
    """1: no TLS to broker, register and registry elsewhere: something else protects the way."""
    group_may_read: str = ""
    """Comma-separated files and folders that the group may read, such as mounted secrets."""
    systems: str = ""
    """Comma-separated systems to ask; empty means every installed connector."""
    objects: str = ""
    """Folder where exports and packages lie, sealed; empty is in the data folder."""
    policy: str = ""
    """Folder with the policy files; empty means the ones that come with Habeas."""
    earlier_policies: str = ""
    """Folders with the files of policies that cases were opened under, separated by commas."""
    brake: str = ""
    """File with the limits at which erasing stops; empty means the one that comes with Habeas."""
    mode: str = ""
    """`observe` (search, plan, report, never erase) or `act`; empty acts against sandboxes only."""
    not_after_act: timedelta = timedelta(minutes=10)
    not_after_search: timedelta = timedelta(hours=1)
    run_limit: timedelta = timedelta(minutes=10)
    list_limit: timedelta = timedelta(hours=4)
    """How long a host may list people: of some vendors each customer is a call."""
    vendor_wait: timedelta = timedelta(seconds=60)
    broken_after: int = 5
    """Attempts at an order that broke the host, or ended it, until a person must look at it: the
    same in every process, since a case is read from its ledger with it.
    """
    search_budget: timedelta = timedelta(hours=24)
    clock_ahead: timedelta = timedelta(0)
    """How much later than it is every process takes it to be: to rehearse years on sandboxes."""
    sweep: timedelta = timedelta(seconds=1)
    """How often the clock looks for due rows."""
    look_pause: timedelta = timedelta(seconds=5)
    """What a vendor's queue is to erase is looked for again after this pause, which doubles."""
    identity_wait: timedelta = timedelta(days=14)
    recipient_wait: timedelta = timedelta(days=4)
    """A recipient who was told something and said nothing is reminded after this pause, which
    doubles: by default on day 4 and 12, and on day 28, inside the month, a person has to see to it.
    """
    recipient_link_lives: timedelta = timedelta(days=90)
    """How long a recipient can acknowledge by the link in an instruction."""
    approval_lasts: timedelta = timedelta(days=7)
    deadline_near: timedelta = timedelta(days=3)
    partitions: int = 12
    replication: int = 0
    """Copies of every topic that the brokers keep, at least; 0 makes three of what is missing, or
    as many as there are brokers, and asks nothing of what is there.
    """
    min_isr: int = 0
    """Copies in sync without which nothing counts as sent; 0 is one fewer than there are."""
    session_timeout: timedelta = timedelta(seconds=10)
    """A worker that is silent for so long is gone, and its partitions go to the others."""
    give_up_after: timedelta = timedelta(minutes=1)
    """What fails for so long, each time that it is tried again, ends its process: a supervisor
    starts it anew.
    """
    instance: str = ""
    """A name that this process has again after a restart, and no other has at the same time (a
    stateful set's pod): its partitions wait for it for `session_timeout`. Empty: they go at once.
    """
    mail_kept: timedelta = timedelta(days=30)
    """How long mails stay in the data folder; no longer than `package_key_lives`."""
    web_listen: str = "127.0.0.1:8765"
    """`host:port` where the web role listens; port 0 takes any that is free."""
    web_url: str = ""
    """Address that people reach the web role at, as mails name it: https, but for this machine.
    Empty: where it listens, if that is known in this data folder.
    """
    package_key_lives: timedelta = timedelta(days=30)
    record_key_lives: timedelta = timedelta(days=3 * 365)
    erasure_memory: timedelta = timedelta(days=3 * 365)
    """How long it is remembered, by keyed hashes, for whom something was erased: a copy that is
    brought back after that is not recognised. 0 remembers nobody.
    """
    host_key_period: timedelta = timedelta(days=1)
    """A host's orders are wrapped with a new key of its own this often."""
    public_key_period: timedelta = timedelta(days=30)
    """What intakes seal requests to, everybody dead letters, and the orchestrator signs with, is
    another key this often.
    """
    wrapping_key_period: timedelta = timedelta(days=30)
    """Case keys are wrapped anew this often."""
    signing_key_period: timedelta = timedelta(days=365)
    """Responses and reports are signed with another key this often."""
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
    _check(made)
    return made


def _check(made: Settings) -> None:
    for name in (
        "host_key_period",
        "public_key_period",
        "wrapping_key_period",
        "signing_key_period",
    ):
        if getattr(made, name) <= made.key_lead:
            raise SettingsError(f"HABEAS_{name.upper()} must be longer than HABEAS_KEY_LEAD")
    _check_pauses(made)
    if made.erasure_memory < timedelta(0):
        raise SettingsError("HABEAS_ERASURE_MEMORY must not be less than nothing")
    if made.give_up_after < timedelta(seconds=1):
        raise SettingsError("HABEAS_GIVE_UP_AFTER must be a second at least")
    if made.replication and made.min_isr > made.replication:
        raise SettingsError("HABEAS_MIN_ISR is more than HABEAS_REPLICATION: nothing would be sent")
    if made.backups_kept >= made.incoming_kept:
        raise SettingsError("HABEAS_BACKUPS_KEPT must be shorter than HABEAS_INCOMING_KEPT")
    for name in ("incoming_kept", "dead_letters_kept", "mail_kept"):
        if getattr(made, name) >= made.record_key_lives:
            said = f"HABEAS_{name.upper()} must be shorter than HABEAS_RECORD_KEY_LIVES"
            raise SettingsError(f"{said}: it tells of cases whose key is gone")


def _check_pauses(made: Settings) -> None:
    for name in ("look_pause", "recipient_wait"):
        if getattr(made, name) <= timedelta(0):
            raise SettingsError(f"HABEAS_{name.upper()} must be longer than nothing")
    if made.clock_ahead < timedelta(0):
        raise SettingsError("HABEAS_CLOCK_AHEAD must not be less than nothing: no key goes back")


def _read(variable: str, value: str, default: object) -> object:
    try:
        if isinstance(default, timedelta):
            return timedelta(seconds=float(value))
        if isinstance(default, bool):
            return _SWITCH[value]
        if isinstance(default, int):
            return int(value)
    except ValueError:
        raise SettingsError(f"{variable} is not a number: {value!r}") from None
    except KeyError:
        raise SettingsError(f"{variable} is {value!r}: 1 or 0") from None
    return Path(value) if isinstance(default, Path) else value
