"""Open the register: SQLite in a file by default, PostgreSQL at scale; migrated before use."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.engine import Connection, Dialect, ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pipeline import disk

from .postgres_tls import tls_of

DRIVERS = {
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}
"""By what a URL begins with. The last two are what PostgreSQL's own tools take."""
READ_ONLY = "25006"
"""What PostgreSQL calls a statement that a session may not give (SQLSTATE)."""
BUSY = 30
"""Seconds to wait for another writer of a SQLite file."""
MIGRATIONS = Path(__file__).parent / "migrations"
WHAT_TO_DO = (
    "Was it restored from a backup, or is this another register? Stop every orchestrator and run"
    " `habeas recover --dry-run`, then `habeas recover`: until then nothing is decided."
)
_MIGRATING = int.from_bytes(b"habeas", "big")
"""The advisory lock of who migrates: no case id begins with it but by chance."""


class RegisterError(Exception):
    """A register that cannot be opened or is not of this release."""


class RegisterBehindError(Exception):
    """The register lacks what was decided already. The message says what, and what to do."""


class UnreachableError(RegisterError, OSError):
    """Nobody answers where the register is: worth another try for whoever runs for long."""


FULL = ("SQLITE_FULL", "SQLITE_IOERR", "DiskFullError")
"""How the codes of a disk without room begin: SQLite may only say that it could not write."""


def reason(error: DBAPIError) -> str:
    """What went wrong in the register, as a code: `SQLITE_FULL`, `DiskFullError`.

    A database's own words may name a person.
    """
    said = error.orig
    if isinstance(said, sqlite3.Error):
        return getattr(said, "sqlite_errorname", type(said).__name__)
    return type(getattr(said, "__cause__", None) or said).__name__


def is_of_disk(error: DBAPIError, folder: Path) -> bool:
    """Whether SQLite met a disk without room: it says so, or that it could not read or write."""
    said = reason(error)
    return said == "SQLITE_FULL" or (said.startswith("SQLITE_") and disk.is_full(folder))


def url_of(register: str, data: Path) -> str:
    """The SQLAlchemy URL of a register: as set, or the SQLite file in the data folder."""
    if register:
        return register
    return f"sqlite+aiosqlite:///{data.absolute() / 'register.db'}"


async def connect(
    url: str, *, reading: bool = False, allow_plaintext: bool = False, group_may_read: str = ""
) -> AsyncEngine:
    """An engine whose transactions are what the register needs on this database.

    One that is for `reading` can write nothing, and takes no lock that who writes waits for.

    Raises `RegisterError` if the URL is of none, its driver is not installed, or no folder is there
    for its file; `SettingsError` if the way to a database elsewhere is not protected, unless
    that is allowed.
    """
    try:
        driver = DRIVERS[make_url(url).drivername]
    except (ArgumentError, KeyError, ValueError):  # its text may hold a password
        raise RegisterError(
            "HABEAS_REGISTER is not the URL of a register, such as"
            " postgresql://USER:PASSWORD@HOST/DATABASE; without it, it is a SQLite file"
        ) from None
    chosen, tls = tls_of(
        make_url(url).set(drivername=driver),
        allow_plaintext=allow_plaintext,
        group_may_read=group_may_read,
    )
    try:
        engine = _engine(chosen, tls, reading=reading)
    except ImportError as error:
        raise RegisterError(
            f"HABEAS_REGISTER needs {error.name}: pip install 'habeas[postgres]'"
        ) from None
    event.listen(engine.sync_engine, "do_connect", _connected)
    return engine


def _engine(url: URL, arguments: dict[str, Any], *, reading: bool) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":  # read after a lock: what others committed by then
        engine = create_async_engine(
            url,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            execution_options={"postgresql_readonly": True} if reading else {},
            connect_args=arguments,
        )
        event.listen(engine.sync_engine, "handle_error", _left_if_read_only)
        return engine
    folder = Path(url.database or "").parent
    if not url.query and not folder.is_dir():
        raise RegisterError(
            f"no register is in {folder}, which is not there: HABEAS_DATA names the folder of an"
            " installation, which `habeas up` makes (or HABEAS_REGISTER the file itself)"
        )
    _make_private(url)
    engine = create_async_engine(url, hide_parameters=True)
    if reading:
        event.listen(engine.sync_engine, "connect", _sqlite_read)
        return engine
    event.listen(engine.sync_engine, "connect", _sqlite_connected)
    event.listen(engine.sync_engine, "begin", _sqlite_begun)
    return engine


def _make_private(url: URL) -> None:
    """Make the file of a register that is not there yet: what lies beside it has its mode (WAL)."""
    if url.query or url.database in {None, "", ":memory:"} or Path(str(url.database)).exists():
        return
    with suppress(OSError):  # SQLite says it better
        Path(str(url.database)).touch(mode=0o600)


def _connected(dialect: Dialect, _: Any, arguments: Any, named: Any) -> Any:
    """A new connection. Raises `UnreachableError`, or `RegisterError` for an unknown parameter."""
    try:
        return dialect.connect(*arguments, **named)
    except OSError as error:
        raise UnreachableError(
            f"the register does not answer ({type(error).__name__}): start its database, or correct"
            " HABEAS_REGISTER"
        ) from None
    except TypeError as error:  # it names the parameter
        raise RegisterError(f"HABEAS_REGISTER: {error}") from None


def _left_if_read_only(failed: ExceptionContext) -> None:
    """A session that may only read is not used again: it would stay so for as long as it lives,
    though the server was made writable again, or another one is the primary by now.
    """
    if getattr(failed.original_exception, "sqlstate", None) == READ_ONLY:
        failed.is_disconnect = True


async def migrate(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring the register to a revision, in one transaction; who comes second finds it done.

    Raises `RegisterError`, and changes nothing, if it is of a later release.
    """
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade, revision)
        await connection.commit()


async def refuse_earlier(engine: AsyncEngine) -> None:
    """Raise `RegisterError` unless the register is of this release, without touching it."""
    async with engine.connect() as connection:
        has = await connection.run_sync(
            lambda it: MigrationContext.configure(it).get_current_revision()
        )
    wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if has != wanted:
        raise RegisterError(
            f"the register is at revision {has or 'none'}, this release needs {wanted}: without"
            " --dry-run it is migrated first"
        )


def _upgrade(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
    _refuse_later(connection)
    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take the register back to an earlier revision."""
    command.downgrade(_config(connection), revision)


def revisions() -> tuple[str, ...]:
    """Every revision of the register that this release knows, the first one first."""
    script = ScriptDirectory(str(MIGRATIONS))
    return tuple(it.revision for it in script.walk_revisions())[::-1]


def _refuse_later(connection: Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    known = revisions()
    if found is not None and found not in known:
        raise RegisterError(
            f"the register is of a later release: it is at revision {found}, and this release"
            f" knows up to {known[-1]}. Start the release that wrote it, or take it back with that"
            " one; nothing was changed."
        )


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _sqlite_connected(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # pysqlite's own BEGIN comes too late; ours is below
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY * 1000}")
    _write_ahead(cursor)
    for pragma in ("secure_delete=ON", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_read(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY * 1000}")
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Switch a new file to WAL. While another connection does, SQLite refuses without waiting."""
    until = time.monotonic() + BUSY
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _sqlite_begun(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
