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
from pipeline import app
from pipeline.intake.decisions import FEED
from pipeline.keys.key_files import signer_in
from pipeline.recovery.remembered import not_remembered
from pipeline.register import memory, subjects
from pipeline.register.case_keys import CaseKeys
from pipeline.register.memory import Erasure, memory_key
from pipeline.settings import Settings
from schemas.events import PersonReappeared

from . import console, list_files, listed
from .deciding import Who, as_person
from .listed import KINDS, Columns, ListError, Row, Rows

FOUND = 3
"""The exit code where somebody who was erased is on the list."""
NOT_BEGUN = (
    "the erasure memory was not begun yet, and erasures have settled: nobody can be called clean."
    " Start the orchestrator of this version once (`habeas up`, or `habeas run orchestrator`): it"
    " remembers whom they were for. Then screen again. Nothing was screened."
)
UNKNOWN = "unknown"
"""How a row is marked that could not be looked up."""
EVERY, ONLY, CLEAN = "every", "only", "clean"
"""Which rows are written."""


@dataclass(slots=True)
class Counts:
    """What came of a list."""

    erased: int = 0
    others: int = 0
    unknown: int = 0
    not_remembered: int = 0
    """Erasures, of all, of which nothing tells any more for whom they were."""
    cases: Counter[UUID] = field(default_factory=Counter)
    """How many rows are of somebody who was erased in each case."""

    def add(self, row: Row, found: Sequence[Erasure]) -> None:
        """Count a row with the erasures of whom it names."""
        self.erased += bool(found)
        self.others += not found and not row.fault
        self.unknown += not found and bool(row.fault)
        self.cases.update({it.case for it in found})

    @property
    def code(self) -> int:
        """The exit code: 1 where anything is unknown, or `FOUND`, or 0."""
        return 1 if self.unknown else FOUND if self.erased else 0


@dataclass(frozen=True, slots=True)
class _Shown:
    """What goes to stderr: sentences, or a line of JSON each."""

    as_json: bool
    bar: bool

    def fault(self, row: Row) -> None:
        """Tell a row that could not be looked up, by its line alone."""
        if self.as_json:
            console.show_json_line({"line": row.line, "fault": row.fault}, err=True)
        else:
            _err(f"line {row.line}: {row.fault}")

    def counts(self, counts: Counts) -> None:
        """Tell what came of it."""
        told = {
            "erased": counts.erased,
            "others": counts.others,
            "unknown": counts.unknown,
            "not_remembered": counts.not_remembered,
        }
        if self.as_json:
            console.show_json_line(told, err=True)
            return
        if counts.not_remembered:
            _err(
                f"[red]not known[/]: for whom {counts.not_remembered} of the erasures were. Their"
                " records were gone, or cannot be read: nobody of them is marked"
            )
        unknown = f", [red]{counts.unknown} unknown[/]" if counts.unknown else ""
        _err(
            f"rows of who was erased: [bold]{counts.erased}[/], of others: {counts.others}{unknown}"
        )

    def unsaid(self, case: UUID) -> None:
        """Tell a case in which nothing can be said any more."""
        fault = "the key of its record is gone: look yourself why the person is there again"
        if self.as_json:
            console.show_json_line({"case": case, "fault": fault}, err=True)
        else:
            _err(f"[red]not said[/] in case {case}: {fault}")

    @contextmanager
    def progress(self, size: int) -> Iterator[Callable[[int], None]]:
        """A bar, told how many bytes were read."""
        columns = (TextColumn("screening"), BarColumn(), DownloadColumn())
        hidden = not self.bar
        with Progress(*columns, console=console.err, transient=True, disable=hidden) as bar:
            task = bar.add_task("", total=size or None)
            yield lambda read: bar.update(task, completed=read)


def _err(text: str) -> None:
    console.err.print(text, soft_wrap=True, highlight=False)


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
@click.option("--feed", metavar="NAME", help="What the list is called, such as `crm-import`.")
@as_person
@console.as_json
@console.command
async def screen(
    file: str,
    given: Sequence[str],
    which: str | None,
    out: Path | None,
    feed: str | None,
    *,
    who: Who,
    as_json: bool,
) -> None:
    """Mark the rows of FILE, CSV or NDJSON, whose people were erased: they must not come back.

    \b
    habeas screen backup.csv --out marked.csv       a column more, habeas_erased: a date, or empty
    habeas screen leads.ndjson --clean > go.ndjson  the others alone, as they were written
    habeas screen - --only < list.csv               those alone who must not come back
    habeas screen crm.csv --column kontakt=email    a column whose name says nothing
    habeas screen broker.csv --feed acme-data       whoever is there again is on `habeas inbox`

    Give it what you restore from a backup, import or buy, before anybody works with it. People are
    known by keyed hashes of their e-mail addresses and user ids, however they are spelt. Columns of
    such names are found by themselves, and tell who a row is about; an address is looked up
    wherever else it stands as well, in a note, a link, or JSON in a cell. A date says when somebody
    was erased: who came back on their own after it stands there too, and is yours to tell apart. It
    is remembered for HABEAS_ERASURE_MEMORY (3 years).

    A row that cannot be read, or names nobody who could be looked up, is never called clean: it is
    reported by its line, marked `unknown` if anything can be added to it, and left out by --only
    and --clean. Counts go to stderr, and of how many erasures nothing tells any more for whom they
    were: those people are on no list's marks. Exit codes: 0 nobody is on the list; 3 somebody is; 1
    a row is unknown, or not all of it could be done.

    With --feed each case that erased somebody who is on the list says so, by the name of the feed
    and a count, once a day: it waits for a person on `habeas inbox` until they settle it. It is
    signed by your console, as every decision.
    """
    if feed is not None and not FEED.fullmatch(feed):
        raise click.UsageError("--feed is a code: lower case letters, digits, - and _, 32 at most")
    settings, columns = console.load(), Columns(dict(map(list_files.column, given)))
    rows_are_shown = out is None and sys.stdout.isatty()
    show = _Shown(as_json=as_json, bar=sys.stderr.isatty() and not (as_json or rows_are_shown))
    try:
        with list_files.read(file) as stream, list_files.written(out) as target:
            counts = await _screened(settings, stream, target, columns, which or EVERY, show)
    except ListError as error:
        raise click.ClickException(str(error)) from None
    show.counts(counts)
    unsaid = await _say(settings, who, feed, counts.cases) if feed and counts.cases else ()
    for case in unsaid:
        show.unsaid(case)
    click.get_current_context().exit(1 if unsaid else counts.code)


async def _screened(  # noqa: PLR0917  where from, where to, and how
    settings: Settings,
    stream: BufferedReader,
    target: BinaryIO,
    columns: Columns,
    which: str,
    show: _Shown,
) -> Counts:
    """Write the rows of a list that are asked for. Raises `ListError`."""
    counts = Counts()
    rows, lines = listed.rows(stream, columns, Path(str(stream.name)).suffix)
    with show.progress(os.fstat(stream.fileno()).st_size) as bar:
        async with app.register(settings, reading=True) as engine:
            known = await _Known.of(engine, settings)
            counts.not_remembered = known.lacking
            target.write(rows.head(marked=which != CLEAN))
            for batch in list_files.batches(rows):
                for row, found in await known.looked_up(batch):
                    counts.add(row, found)
                    if row.fault and not found:
                        show.fault(row)
                    target.write(_line(rows, row, found, which))
                bar(lines.read)
    if lines.read:
        columns.refuse_unseen()
    target.flush()
    return counts


class _Known:
    """Whom the erasure memory knows. Without a key nobody was ever erased."""

    def __init__(self, engine: AsyncEngine, key: bytes | None, lacking: int) -> None:
        self._engine = engine
        self._key = key
        self.lacking = lacking
        """Erasures of which it does not know for whom they were."""

    @classmethod
    async def of(cls, engine: AsyncEngine, settings: Settings) -> _Known:
        """As the register has it now. Raises `ClickException` if it was not begun yet."""
        keys = CaseKeys(app.Place(settings.data).keys.wrapping())
        rules = await app.rules_of(settings, engine)
        async with engine.connect() as connection:
            key = await memory_key(keys).find(connection)
            lacking = await not_remembered(connection, rules, wall_clock.now())
        if key is None and lacking:
            raise click.ClickException(NOT_BEGUN)
        return cls(engine, key, len(lacking))

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


def _line(rows: Rows, row: Row, found: Sequence[Erasure], which: str) -> bytes:
    """A row as it is written; nothing if it is not."""
    if which == CLEAN:
        return b"" if found or row.fault else row.raw + row.end
    if found:
        return rows.marked(row, f"{max(it.at for it in found):%Y-%m-%d}")
    if which == ONLY or not row.is_whole:
        return b""
    return rows.marked(row, UNKNOWN if row.fault else "")


async def _say(
    settings: Settings, who: Who, feed: str, cases: Mapping[UUID, int]
) -> Sequence[UUID]:
    """Say in each case that its person is there again; where that cannot be said any more."""
    async with app.register(settings, reading=True) as engine, engine.connect() as connection:
        keys = CaseKeys(app.Place(settings.data).keys.wrapping())
        living = await keys.record_keys(connection, cases.keys())
    open_ = {case for case, (_, key) in living.items() if key is not None}
    signer = None if who.key is None else signer_in(who.key)
    if open_:
        async with app.local_edge(settings, who.name, signer) as sender:
            for case in sorted(open_):
                event = PersonReappeared(
                    case=case, by=who.name, at=wall_clock.now(), feed=feed, count=cases[case]
                )
                await sender.decision(event, who.login)
    return sorted(cases.keys() - open_)
