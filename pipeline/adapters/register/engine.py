"""Open the register: SQLite in a file by default, PostgreSQL at scale; migrated before use."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

DRIVERS = {
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}
"""By what a URL begins with. The last two are what PostgreSQL's own tools take."""
BUSY = 30
"""Seconds to wait for another writer of a SQLite file."""
MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING = int.from_bytes(b"habeas", "big")
"""The advisory lock of who migrates: no case id begins with it but by chance."""


class RegisterError(Exception):
    """A register that cannot be opened or is not of this release."""


class UnreachableError(RegisterError, OSError):
    """Nobody answers where the register is: worth another try for whoever runs for long."""


def url_of(register: str, data: Path) -> str:
    """The SQLAlchemy URL of a register: as set, or the SQLite file in the data folder."""
    if register:
        return register
    return f"sqlite+aiosqlite:///{data.absolute() / 'register.db'}"


async def connect(url: str) -> AsyncEngine:
    """An engine whose transactions are what the register needs on this database.

    Raises `RegisterError` if the URL is of none, its driver is not installed, or no folder is there
    for its file.
    """
    try:
        driver = DRIVERS[make_url(url).drivername]
    except (ArgumentError, KeyError, ValueError):  # its text may hold a password
        raise RegisterError(
            "HABEAS_REGISTER is not the URL of a register, such as"
            " postgresql://USER:PASSWORD@HOST/DATABASE; without it, it is a SQLite file"
        ) from None
    chosen = make_url(url).set(drivername=driver)
    if "sslmode" in chosen.query:  # as libpq calls it: asyncpg takes the same words for `ssl`
        mode = chosen.query["sslmode"]
        chosen = chosen.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    try:
        engine = _engine(chosen)
    except ImportError as error:
        raise RegisterError(
            f"HABEAS_REGISTER needs {error.name}: pip install 'habeas[postgres]'"
        ) from None
    event.listen(engine.sync_engine, "do_connect", _connected)
    return engine


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() != "sqlite":  # read after a lock: what others committed by then
        return create_async_engine(
            url, pool_pre_ping=True, isolation_level="READ COMMITTED", hide_parameters=True
        )
    folder = Path(url.database or "").parent
    if not url.query and not folder.is_dir():
        raise RegisterError(
            f"no register is in {folder}, which is not there: HABEAS_DATA names the folder of an"
            " installation, which `habeas up` makes (or HABEAS_REGISTER the file itself)"
        )
    engine = create_async_engine(url, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _sqlite_connected)
    event.listen(engine.sync_engine, "begin", _sqlite_begun)
    return engine


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


def _write_ahead(cursor: Any) -> None:
    """Switch a new file to WAL. While another connection does, SQLite refuses without waiting."""
    until = time.monotonic() + BUSY
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _sqlite_begun(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
