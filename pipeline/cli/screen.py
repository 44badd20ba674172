"""`habeas screen`: who of a list was erased, and must not come back with it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline import app, disk
from pipeline.register import memory, subjects
from pipeline.register.case_keys import CaseKeys
from pipeline.register.memory import Erasure, memory_key

from . import console, listed
from .listed import KINDS, Columns, ListError, Row, Rows

FOUND = 3
"""The exit code where somebody who was erased is on the list."""
UNKNOWN = "unknown"
"""How a row is marked that could not be looked up."""
EVERY, ONLY, CLEAN = "every", "only", "clean"
"""Which rows are written."""
AT_ONCE, BYTES_AT_ONCE = 500, 1024 * 1024
"""Rows that are looked up at once, and how many bytes of them."""


@dataclass(slots=True)
class Counts:
    """What came of a list."""

    erased: int = 0
    others: int = 0
    unknown: int = 0
    cases: Counter[UUID] = field(default_factory=Counter)
    """How many rows are of somebody who was erased in each case."""

    @property
    def code(self) -> int:
        """The exit code: 1 where anything is unknown, or `FOUND`, or 0."""
        return 1 if self.unknown else FOUND if self.erased else 0


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--column",
    "given",
    multiple=True,
    metavar="NAME=KIND",
    help=f"A column, or dotted key, that holds identifiers. KIND is {' or '.join(KINDS)}.",
)
@click.option("--only", "which", flag_value=ONLY, help="Write those alone who must not come back.")
@click.option("--clean", "which", flag_value=CLEAN, help="Write the others alone, as they were.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to, instead of stdout."
)
@console.as_json
@console.command
async def screen(
    file: str, given: Sequence[str], which: str | None, out: Path | None, *, as_json: bool
) -> None:
    """Mark the rows of FILE, CSV or NDJSON, whose people were erased: they must not come back.

    \b
    habeas screen backup.csv --out marked.csv       a column more, habeas_erased: a date, or empty
    habeas screen leads.ndjson --clean > go.ndjson  the others alone, as they were written
    habeas screen - --only < list.csv               those alone who must not come back
    habeas screen crm.csv --column kontakt=email    a column whose name says nothing

    Give it what you restore from a backup, import or buy, before anybody works with it. People are
    known by keyed hashes of their e-mail addresses and user ids, however they are spelt; columns
    of such names are found by themselves. A date says when somebody was erased: who came back on
    their own after it stands there too, and is yours to tell apart. It is remembered for
    HABEAS_ERASURE_MEMORY (3 years).

    A row that cannot be read, or names nobody who could be looked up, is never called clean: it is
    reported by its line, marked `unknown` if anything can be added to it, and left out by --only
    and --clean. Counts go to stderr. Exit codes: 0 nobody is on the list; 3 somebody is; 1 a row
    is unknown, or it came to nothing.
    """
    settings = console.load()
    which, counts = which or EVERY, Counts()
    with _read(file) as stream, _written(out) as target:
        size = os.fstat(stream.fileno()).st_size or None
        columns = Columns(dict(map(_column, given)))
        try:
            rows, lines = listed.rows(stream, columns, Path(file).suffix)
            target.write(rows.head(marked=which != CLEAN))
            with _bar(size, hidden=as_json or (out is None and sys.stdout.isatty())) as bar:
                async with app.register(settings, reading=True) as engine:
                    known = await _Known.of(engine, settings.data)
                    for batch in _batches(rows):
                        for row, found in await known.looked_up(batch):
                            _count(counts, row, found, as_json=as_json)
                            target.write(_line(rows, row, found, which))
                        bar(lines.read)
            if counts.erased + counts.others + counts.unknown:
                columns.refuse_unseen()
        except ListError as error:
            raise click.ClickException(str(error)) from None
        target.flush()
    _tell(counts, as_json=as_json)
    click.get_current_context().exit(counts.code)


class _Known:
    """Whom the erasure memory knows. Without a key nobody was ever erased."""

    def __init__(self, engine: AsyncEngine, key: bytes | None) -> None:
        self._engine = engine
        self._key = key

    @classmethod
    async def of(cls, engine: AsyncEngine, data: Path) -> _Known:
        """As the register has it now."""
        keys = CaseKeys(app.Place(data).keys.wrapping())
        async with engine.connect() as connection:
            return cls(engine, await memory_key(keys).find(connection))

    async def looked_up(self, batch: Sequence[Row]) -> list[tuple[Row, tuple[Erasure, ...]]]:
        """Each row with the erasures of whom it names."""
        key = self._key
        if key is None:
            return [(row, ()) for row in batch]
        hashes = [
            [subjects.hashed(key, kind, value) for kind, value in row.identifiers] for row in batch
        ]
        every = {it for of_row in hashes for it in of_row}
        known: Mapping[bytes, Erasure] = {}
        if every:
            async with self._engine.connect() as connection:
                known = await memory.find(connection, every, wall_clock.now())
        return [
            (row, tuple(known[it] for it in of_row if it in known))
            for row, of_row in zip(batch, hashes, strict=True)
        ]


def _batches(rows: Rows) -> Iterator[list[Row]]:
    batch, size = list[Row](), 0
    for row in rows:
        batch.append(row)
        size += len(row.raw)
        if len(batch) >= AT_ONCE or size >= BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    yield batch


def _count(counts: Counts, row: Row, found: Sequence[Erasure], *, as_json: bool) -> None:
    if found:
        counts.erased += 1
        counts.cases.update({it.case for it in found})
    elif not row.fault:
        counts.others += 1
    else:
        counts.unknown += 1
        if as_json:
            console.show_json_line({"line": row.line, "fault": row.fault}, err=True)
        else:
            console.err.print(f"line {row.line}: {row.fault}", soft_wrap=True, highlight=False)


def _line(rows: Rows, row: Row, found: Sequence[Erasure], which: str) -> bytes:
    """A row as it is written; nothing if it is not."""
    if which == CLEAN:
        return b"" if found or row.fault else row.raw + row.end
    if found:
        return rows.marked(row, f"{max(it.at for it in found):%Y-%m-%d}")
    if which == ONLY or not row.is_whole:
        return b""
    return rows.marked(row, UNKNOWN if row.fault else "")


def _tell(counts: Counts, *, as_json: bool) -> None:
    told = {"erased": counts.erased, "others": counts.others, "unknown": counts.unknown}
    if as_json:
        console.show_json_line(told, err=True)
        return
    unknown = f", [red]{counts.unknown} unknown[/]" if counts.unknown else ""
    console.err.print(
        f"rows of people who were erased: [bold]{counts.erased}[/], of others: {counts.others}"
        f"{unknown}",
        soft_wrap=True,
        highlight=False,
    )


def _column(said: str) -> tuple[str, str]:
    name, _, kind = said.rpartition("=")
    if not name or kind not in KINDS:
        raise click.UsageError(f"--column is NAME=KIND, and KIND is {' or '.join(KINDS)}")
    return name, kind


@contextmanager
def _read(file: str) -> Iterator[BufferedReader]:
    if file == "-":
        yield sys.stdin.buffer  # type: ignore[misc]  # a BufferedReader, as sys documents
        return
    with Path(file).open("rb") as stream:
        yield stream


@contextmanager
def _written(out: Path | None) -> Iterator[BinaryIO]:
    """Where rows go: a file has its name once all are there."""
    if out is None:
        yield sys.stdout.buffer
        return
    if not out.parent.is_dir():
        raise click.ClickException(f"--out: there is no folder {out.parent}")
    with disk.writing("out", out.parent), disk.drafted(out) as target:
        yield target


@contextmanager
def _bar(size: int | None, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("screening"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console.err, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=size)
        yield lambda read: bar.update(task, completed=read)
